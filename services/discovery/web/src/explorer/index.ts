import { signal } from "@preact/signals";
import { proxy, type Remote, wrap } from "comlink";
import { importKey } from "../signing.ts";
import type { Account, Part, Progress } from "./account.ts";
import type { Keys } from "./packing.ts";
import type { Place } from "./provider.ts";
import type { Bucket } from "./xml.ts";

export type { Described, ObjectFacts, Part, Progress } from "./account.ts";
export type { Keys, Packed } from "./packing.ts";
export type { Setting } from "./settings.ts";
export type { Total, Totals } from "./totals.ts";
export type { Row, Selection } from "./view.ts";
export type { Bucket } from "./xml.ts";

/** An account that is open in this tab, without its secret: that is a key of WebCrypto in the account's worker, and nowhere else. */
export interface Explored {
  /** Unique in the tab. */
  readonly name: string;
  /** An origin. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKey: string;
  readonly buckets: readonly string[];
}

export interface Opened extends Explored {
  readonly worker: Remote<Account>;
  readonly listed: readonly Bucket[];
  readonly progress: readonly Progress[];
  /** Requests go to the provider itself, not through the relay. */
  readonly straight: boolean;
  readonly close: () => void;
}

export interface Opening extends Omit<Place, "key" | "accessKey" | "sessionToken"> {
  readonly name: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken: string;
  /** Those to look at; all that the key may list, when empty. */
  readonly named: readonly string[];
}

/** Gone with the tab. */
export const explored = signal<readonly Opened[]>([]);

export function account(name: string): Opened | undefined {
  return explored.value.find((it) => it.name === name);
}

/** Opens an account, and lists its buckets. Raises what the provider objects to; then nothing is kept. */
export async function open({ name, secretKey, sessionToken, named, ...rest }: Opening): Promise<void> {
  if (account(name)) throw new Error("There is an account of this name already.");
  const place: Place = { ...rest, key: await importKey(secretKey), ...(sessionToken && { sessionToken }) };
  const process = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  try {
    const worker = await new (wrap<typeof Account>(process))(place);
    const listed = await worker.buckets(named);
    const { endpoint, region, accessKey } = rest;
    const buckets = listed.map((it) => it.name);
    const straight = await worker.straight;
    const opened: Opened = {
      name,
      endpoint,
      region,
      accessKey,
      buckets,
      worker,
      listed,
      progress: [],
      straight,
      close: () => close(name, process),
    };
    explored.value = [...explored.value, opened];
    await worker.watch(proxy((progress: readonly Progress[]) => change(name, { progress })));
  } catch (error) {
    process.terminate();
    throw error;
  }
}

function change(name: string, changes: Partial<Opened>): void {
  explored.value = explored.value.map((it) => (it.name === name ? { ...it, ...changes } : it));
}

function close(name: string, process: Worker): void {
  process.terminate();
  explored.value = explored.value.filter((it) => it.name !== name);
}

/**
 * Lists buckets of an account whole (what was listed already is not listed again), with their settings, in parts of a
 * snapshot's pieces (docs/api.md, Snapshots). What the reader of it is slow to take is not listed ahead of it.
 */
export async function* entries(
  name: string,
  buckets: readonly string[],
  { versions, keys, signal }: { readonly versions: boolean; readonly keys: Keys; readonly signal?: AbortSignal },
): AsyncGenerator<Part> {
  const opened = account(name);
  if (!opened) throw new Error(`The account ${name} is not open in this tab.`);
  for (const bucket of buckets) {
    const stop = () => opened.worker.cancel(bucket);
    signal?.throwIfAborted();
    signal?.addEventListener("abort", stop);
    yield* handed((give) => opened.worker.parts(bucket, versions, keys, proxy(give)));
    signal?.removeEventListener("abort", stop);
  }
}

/** Turns what is given one by one, each waited for, into something to loop over. */
async function* handed<T>(run: (give: (value: T) => Promise<void>) => Promise<unknown>): AsyncGenerator<T> {
  const { readable, writable } = new TransformStream<T, T>();
  const writer = writable.getWriter();
  const reader = readable.getReader();
  run((value) => writer.write(value))
    .then(
      () => writer.close(),
      (error) => writer.abort(error), // what `read` raises
    )
    .catch(() => undefined); // nobody reads any more
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel();
  }
}
