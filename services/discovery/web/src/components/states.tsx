import type { ComponentChildren } from "preact";
import { ApiError } from "../api.ts";
import type { Pages, Resource } from "../resource.ts";
import { link, route } from "../router.ts";
import { Button } from "./button.tsx";
import { Badge } from "./small.tsx";

export function Loading({ what = "Loading" }: { readonly what?: string }) {
  return (
    <div class="state" role="status">
      <span class="spinner" aria-hidden="true" />
      {what} …
    </div>
  );
}

/** Nothing is here, and what can be done about it. */
export function Empty({ title, children }: { readonly title: string; readonly children?: ComponentChildren }) {
  return (
    <div class="state">
      <strong>{title}</strong>
      {children}
    </div>
  );
}

export function Failed({ error, onRetry }: { readonly error: Error; readonly onRetry?: () => void }) {
  const status = error instanceof ApiError ? error.status : undefined;
  return (
    <div class="state failed" role="alert">
      <strong>{status === 403 ? "This is not yours to see" : status === 404 ? "This is not here" : "That did not work"}</strong>
      <span>{error.message}</span>
      {status === 401 ? <SignInLink /> : onRetry && <Button onClick={onRetry}>Try again</Button>}
    </div>
  );
}

/** Leads back to where the reader is. */
export function SignInLink() {
  const { page, path, query } = route.value;
  return (
    <a class="button primary" href={link("signin", [], { back: link(page, path, query) })}>
      Sign in
    </a>
  );
}

interface Props<T> {
  readonly resource: Resource<T>;
  readonly what?: string;
  readonly children: (data: T) => ComponentChildren;
}

/** Loading, the error with a way to try again, or the data; once that is there it stays, with a word when it could not be loaded again. */
export function Load<T>({ resource: { data, error, reload }, what = "Loading", children }: Props<T>) {
  if (data === undefined) return error ? <Failed error={error} onRetry={reload} /> : <Loading what={what} />;
  return (
    <>
      {error && (
        <p class="notice" role="alert">
          <Badge tone="warn">not up to date</Badge> {error.message} <Button onClick={reload}>Try again</Button>
        </p>
      )}
      {children(data)}
    </>
  );
}

interface PagesProps<Page> {
  readonly pages: Pages<Page>;
  /** What the button says that brings the next page. */
  readonly more?: string;
  readonly children: (pages: readonly Page[]) => ComponentChildren;
}

export function LoadPages<Page>({ pages, more = "More", children }: PagesProps<Page>) {
  return (
    <Load resource={pages}>
      {(all) => (
        <>
          {children(all)}
          {pages.more && <Button onClick={pages.more}>{more}</Button>}
        </>
      )}
    </Load>
  );
}
