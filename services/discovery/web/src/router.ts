import { signal } from "@preact/signals";

/**
 * Where the reader is: `#/page/part/part?name=value`. Behind the `#`, because that is never sent: what buckets and keys somebody looks at
 * is in no server's log.
 */
export interface Route {
  readonly page: string;
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [page = "", ...rest] = path.split("/").map(decoded);
  return { page, path: rest, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** For `href`. Parts may hold anything, slashes too; values that are empty are left out. */
export function link(page: string, path: readonly string[] = [], query: Readonly<Record<string, string>> = {}): string {
  const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "")).toString();
  return `#/${[page, ...path].map(encodeURIComponent).join("/")}${asked && `?${asked}`}`;
}

/** `replace`: without a step in the browser's history, as for what is typed into a filter. */
export function go(to: string, { replace = false } = {}): void {
  if (replace) {
    history.replaceState(null, "", to);
    route.value = parseRoute(to);
  } else {
    location.hash = to;
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const route = signal<Route>(parseRoute(globalThis.location?.hash ?? ""));
globalThis.addEventListener?.("hashchange", () => {
  route.value = parseRoute(location.hash);
});
