/** The service's own API, under `/api/` (docs/api.md). */

/** What the service, or an S3 provider, answered instead of what was asked for. `status` 0: it was not reached. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

type Query = Readonly<Record<string, string | number | undefined>>;

export interface Request {
  readonly query?: Query;
  /** JSON that is made already, or what becomes JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Where 401 is about a key that was tried, not about the session. */
const SIGNING_IN = "/api/session";
let whenSignedOut: () => void = () => undefined;

/** `react` is called when a session turns out to have ended. */
export function onSignedOut(react: () => void): void {
  whenSignedOut = react;
}

/** `path` as in docs/api.md, such as `/api/tenants`. Raises `ApiError`; a request that is called off raises `AbortError`. */
export async function call(method: string, path: string, request: Request = {}): Promise<Response> {
  const headers = new Headers(request.headers);
  if (method !== "GET" && method !== "HEAD") headers.set("X-Domicile-Request", "1");
  if (request.body !== undefined) headers.set("Content-Type", "application/json");
  let response: Response;
  try {
    response = await fetch(path + queryOf(request.query), {
      method,
      headers,
      body: request.body instanceof Blob ? request.body : request.body === undefined ? null : JSON.stringify(request.body),
      signal: request.signal ?? null,
    });
  } catch (error) {
    if (request.signal?.aborted) throw error;
    throw new ApiError(0, "Unreachable", "The service does not answer. Is the network there?");
  }
  if (response.ok) return response;
  if (response.status === 401 && !path.startsWith(SIGNING_IN)) whenSignedOut();
  throw await errorOf(response);
}

async function errorOf(response: Response): Promise<ApiError> {
  const told = await response.json().then(
    (document) => document.error as { code: string; message: string } | undefined,
    () => undefined,
  );
  return new ApiError(response.status, told?.code ?? "Unexpected", told?.message ?? `The service answered ${response.status}.`);
}

function queryOf(query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}

async function json<T>(method: string, path: string, request: Request): Promise<T> {
  return (await call(method, path, request)).json();
}

/** Paths of parts that may hold anything: `` at`/api/tenants/${name}` ``. */
export function at(texts: TemplateStringsArray, ...parts: string[]): string {
  return String.raw({ raw: texts }, ...parts.map(encodeURIComponent));
}

export const api = {
  get: <T>(path: string, query: Query = {}, signal?: AbortSignal) => json<T>("GET", path, { query, ...(signal && { signal }) }),
  post: <T>(path: string, body: unknown = {}, request: Request = {}) => json<T>("POST", path, { ...request, body }),
  put: <T>(path: string, body: unknown, request: Request = {}) => json<T>("PUT", path, { ...request, body }),
  patch: <T>(path: string, body: unknown) => json<T>("PATCH", path, { body }),
  delete: <T>(path: string) => json<T>("DELETE", path, {}),
};
