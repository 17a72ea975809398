import { ApiError, call } from "../api.ts";
import { type Credentials, Signer } from "../signing.ts";
import { parseRefusal } from "./xml.ts";

/** How requests get to a provider: straight from this tab, or signed here and passed on by the service (docs/api.md, Relay). */
export interface Place extends Credentials {
  /** An origin. */
  readonly endpoint: string;
  readonly addressing: "path" | "virtual";
  /** `auto`: straight, unless the provider does not let pages of other origins read its answers. */
  readonly route: "auto" | "direct" | "relay";
  /** Whether the service relays for this reader. */
  readonly relay: boolean;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Not the provider's, but the relay's, which has too much to do. */
  readonly busy?: ApiError;
}

const GOOD_FOR = 300; // seconds that a signature is good for
const TRIES = 5;
const PAUSE = 300; // milliseconds, doubled each time
const AT_ONCE = 6; // requests: as many connections as browsers open to one host

export class Provider {
  readonly place: Place;
  private readonly signers = new Map<string, Signer>();
  private readonly waiting: (() => void)[] = [];
  private free = AT_ONCE;
  private route: Place["route"];

  constructor(place: Place) {
    this.place = place;
    this.route = place.route;
  }

  /** How requests go now. */
  get straight(): boolean {
    return this.route !== "relay";
  }

  /** Retries what may pass. Raises `ApiError`, with S3's code where the provider refused; `bucket` empty: of the account; `region`: of the bucket, when it is known. */
  async send(method: "GET" | "HEAD", where: Where, signal?: AbortSignal): Promise<Answer> {
    let asked = where;
    for (let tried = 1; ; tried++) {
      const answer = await this.turn(() => this.once(method, asked, signal), signal);
      if (answer.status >= 200 && answer.status < 300) return answer;
      const refusal = parseRefusal(answer.text);
      const region = refusal.region || answer.headers.get("x-amz-bucket-region") || "";
      // Once: nobody is sent round in circles, or to a host that is no region's.
      if (
        asked === where &&
        REGION.test(region) &&
        region !== (where.region || this.place.region) &&
        MISPLACED.has(answer.status)
      ) {
        asked = { ...where, region };
        continue;
      }
      if (tried >= TRIES || !PASSING.has(answer.status)) {
        throw answer.busy ?? refused(answer.status, refusal.code, refusal.message);
      }
      await pause(PAUSE * 2 ** tried * (0.5 + Math.random() / 2), signal);
    }
  }

  private async once(method: string, where: Where, signal?: AbortSignal): Promise<Answer> {
    const url = addressOf(this.place, where);
    const signed = await this.signer(where.region || this.place.region).presign(method, url, GOOD_FOR);
    // Only through the relay are all headers of an answer seen.
    const relayed = this.route === "relay" || (method === "HEAD" && this.place.relay && this.route === "auto");
    if (relayed) return this.relayed(method, signed, signal);
    try {
      const answer = await fetch(signed, {
        method,
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
        signal: signal ?? null,
      });
      return { status: answer.status, headers: answer.headers, text: await answer.text() };
    } catch (error) {
      if (signal?.aborted) throw error;
      const told = `${url.host} cannot be reached from this page: the network, or the provider's rules for other origins (CORS), do not allow it.`;
      if (this.route === "direct" || !this.place.relay) throw new ApiError(0, "Unreachable", told);
      const answer = await this.relayed(method, signed, signal).catch((error) => {
        const isClosed = error instanceof ApiError && error.code === "RelayRefused";
        throw isClosed ? new ApiError(0, "Unreachable", `${told} Nor does the service pass it on: ${error.message}`) : error;
      });
      this.route = "relay";
      return answer;
    }
  }

  private async relayed(method: string, url: string, signal?: AbortSignal): Promise<Answer> {
    let answer: Response;
    try {
      answer = await call("POST", "/api/relay", { body: { method, url, headers: {} }, ...(signal && { signal }) });
    } catch (error) {
      if (!(error instanceof ApiError && BUSY.has(error.status))) throw error;
      return { status: error.status, headers: new Headers(), text: "", busy: error };
    }
    const passed = [...answer.headers].filter(([name]) => name.startsWith("relay-header-"));
    return {
      status: Number(answer.headers.get("relay-status")),
      headers: new Headers(passed.map(([name, value]) => [name.slice("relay-header-".length), value])),
      text: await answer.text(),
    };
  }

  private signer(region: string): Signer {
    const known = this.signers.get(region);
    if (known) return known;
    const made = new Signer({ ...this.place, region });
    this.signers.set(region, made);
    return made;
  }

  /** At most `AT_ONCE` of an account. */
  private async turn<T>(act: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.free) this.free--;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      signal?.throwIfAborted();
      return await act();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free++;
    }
  }
}

/** What a request is about. */
export interface Where {
  readonly bucket?: string;
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly region?: string;
}

const REGION = /^[a-z0-9-]{1,64}$/;
const MISPLACED = new Set([301, 307, 400]);
const BUSY = new Set([429, 503]);
const PASSING = new Set([429, 500, 502, 503, 504]);

/** Encoded as it is signed. Browsers resolve `.` and `..` in paths, so that keys with such parts cannot be asked for. */
export function addressOf(
  place: Pick<Place, "endpoint" | "addressing" | "region">,
  { bucket = "", key = "", query = {}, region = "" }: Where,
): URL {
  const origin = new URL(place.endpoint);
  if (region && place.region) origin.hostname = origin.hostname.replace(place.region, region); // https://docs.aws.amazon.com/general/latest/gr/s3.html
  if (bucket && place.addressing === "virtual") origin.hostname = `${bucket}.${origin.hostname}`;
  const parts = place.addressing === "virtual" ? [] : bucket ? [bucket] : [];
  const path = [...parts, ...(key ? [key] : [])].map((it) => it.split("/").map(strict).join("/")).join("/");
  const asked = Object.entries(query).map(([name, value]) => `${strict(name)}=${strict(value)}`);
  const url = new URL(`${origin.origin}/${path}${asked.length ? `?${asked.join("&")}` : ""}`);
  if (url.pathname !== `/${path}`)
    throw new ApiError(0, "NotAddressable", "Browsers cannot ask for a key that has . or .. between slashes.");
  return url;
}

/** https://www.rfc-editor.org/rfc/rfc3986#section-2.3 */
function strict(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (it) => `%${it.charCodeAt(0).toString(16).toUpperCase()}`);
}

function refused(status: number, code: string, message: string): ApiError {
  const told =
    message ||
    (status === 403
      ? "The provider does not allow it."
      : status === 404
        ? "It is not there."
        : `The provider answered ${status}.`);
  return new ApiError(status, code || String(status), told);
}

function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
