import { transfer } from "comlink";
import { ApiError } from "../api.ts";
import { Listing } from "./listing.ts";
import { type Keys, type Packed, packed } from "./packing.ts";
import { type Place, Provider, type Where } from "./provider.ts";
import { SETTINGS, type Setting, settingFields, settingOf } from "./settings.ts";
import { type Totals, totalsOf } from "./totals.ts";
import { type Row, type Selection, View } from "./view.ts";
import { type Bucket, parseBuckets, parsePage, parseTags } from "./xml.ts";

/** What of a bucket is listed: everything below a prefix, or only what is directly there. */
export interface Scope {
  readonly bucket: string;
  readonly prefix: string;
  readonly folder: boolean;
  readonly versions: boolean;
}

/** `truncated`: more than the tab should hold. */
export interface Progress extends Scope {
  readonly state: "running" | "done" | "failed" | "cancelled" | "truncated";
  readonly objects: number;
  readonly bytes: number;
  readonly pages: number;
  readonly error: string;
}

export interface ObjectFacts {
  readonly headers: readonly (readonly [string, string])[];
  readonly tags: Readonly<Record<string, string>> | undefined;
}

/** Of a bucket, for a snapshot: first itself and its settings, as a piece has them (docs/api.md, Snapshots), then its objects. */
export type Part = { readonly bucket: Described } | { readonly objects: Packed };

export interface Described {
  readonly bucket: string;
  /** There is more in it than was listed. */
  readonly truncated: boolean;
  /** Why it could not be listed. */
  readonly error?: string;
}

interface Scan {
  readonly scope: Scope;
  readonly listing: Listing;
  readonly stop: AbortController;
  state: Progress["state"];
  pages: number;
  error: string;
  code: string;
  ended: Promise<void>;
}

export const MOST = 5_000_000; // entries of one account
const TOLD = 200; // milliseconds between two reports

/** One account at one provider, and all that was listed of it. Lives in a worker: nothing here keeps the page from moving. */
export class Account {
  private readonly provider: Provider;
  private readonly scans = new Map<string, Scan>();
  private known: readonly Bucket[] = [];
  private view: View | undefined;
  private report: ((all: readonly Progress[]) => unknown) | undefined;
  private reporting = false;

  constructor(place: Place) {
    this.provider = new Provider(place);
  }

  /** Called with what is under way, and what has ended, whenever that has changed. */
  watch(report: (all: readonly Progress[]) => unknown): void {
    this.report = report;
  }

  get straight(): boolean {
    return this.provider.straight;
  }

  /** `named`: those to look at, where the key may not list them. */
  async buckets(named: readonly string[]): Promise<readonly Bucket[]> {
    this.known = named.length ? named.map((name) => ({ name, created: 0, region: "" })) : await this.allBuckets();
    return this.known;
  }

  private async allBuckets(): Promise<Bucket[]> {
    const buckets: Bucket[] = [];
    let token = "";
    do {
      const query: Record<string, string> = token ? { "continuation-token": token } : {};
      const page = parseBuckets((await this.provider.send("GET", { query })).text);
      buckets.push(...page.buckets);
      token = page.token;
    } while (token);
    return buckets;
  }

  /** Begins a listing, and takes the place of an earlier one of the same kind. */
  begin(scope: Scope): void {
    const name = scope.folder ? "folder" : scope.bucket;
    this.scans.get(name)?.stop.abort();
    const scan: Scan = {
      scope,
      listing: new Listing(),
      stop: new AbortController(),
      state: "running",
      pages: 0,
      error: "",
      code: "",
      ended: Promise.resolve(),
    };
    this.scans.set(name, scan);
    scan.ended = this.list(scan).then(
      (state) => this.end(scan, state),
      (error) => this.end(scan, scan.stop.signal.aborted ? "cancelled" : "failed", error),
    );
    this.tell();
  }

  /** Of one bucket, or all. What was listed so far stays. */
  cancel(bucket?: string): void {
    for (const scan of this.scans.values()) if (bucket === undefined || scan.scope.bucket === bucket) scan.stop.abort();
  }

  /** Makes the rows that `rows` shows; `undefined` when nothing was listed there. */
  select(bucket: string, selection: Selection): { rows: number; progress: Progress; classes: readonly string[] } | undefined {
    const scan = this.covering(bucket, selection);
    if (!scan) return undefined;
    this.view = new View(scan.listing, selection);
    return { rows: this.view.length, progress: progressOf(scan), classes: scan.listing.classes };
  }

  rows(first: number, end: number): Row[] {
    return this.view?.rows(first, end) ?? [];
  }

  totals(bucket: string, prefix: string): Totals | undefined {
    const scan = this.scans.get(bucket);
    return scan && prefix.startsWith(scan.scope.prefix) ? totalsOf(scan.listing, prefix, Date.now()) : undefined;
  }

  settings(bucket: string): Promise<Setting[]> {
    return Promise.all(
      Object.keys(SETTINGS).map((name) => settingOf(name, async () => (await this.get(bucket, { query: { [name]: "" } })).text)),
    );
  }

  async object(bucket: string, key: string, versionId: string): Promise<ObjectFacts> {
    const version: Record<string, string> = versionId ? { versionId } : {};
    const head = this.provider.send("HEAD", this.where(bucket, { key, query: version }));
    const tags = this.get(bucket, { key, query: { tagging: "", ...version } }).then(
      (answer) => parseTags(answer.text),
      () => undefined, // many providers have no tags, many keys may not read them
    );
    return { headers: [...(await head).headers], tags: await tags };
  }

  /** A page of the versions of one key. */
  async versions(bucket: string, key: string): Promise<Row[]> {
    const answer = await this.get(bucket, { query: { versions: "", prefix: key, "encoding-type": "url" } });
    return parsePage(answer.text)
      .entries.filter((it) => it.key === key)
      .sort((a, b) => b.modified - a.modified)
      .map((it) => ({ kind: "object", name: it.key, ...it }));
  }

  /** Gives a bucket away part by part, listed whole and with its settings. Raises an error when it is called off. */
  async parts(bucket: string, versions: boolean, keys: Keys, give: (part: Part) => unknown): Promise<void> {
    const settings = await this.settings(bucket);
    const scan = await this.whole(bucket, versions);
    scan.stop.signal.throwIfAborted();
    const found = this.known.find((it) => it.name === bucket);
    await give({
      bucket: {
        bucket,
        ...(found?.created && { created_at: new Date(found.created).toISOString() }),
        ...(found?.region && { region: found.region }),
        ...settingFields(settings),
        truncated: scan.state === "truncated",
        ...(scan.state === "failed" && { error: scan.code }),
      },
    });
    for (const objects of packed(bucket, scan.listing, keys)) await give(transfer({ objects }, [objects.json.buffer]));
  }

  private async whole(bucket: string, versions: boolean): Promise<Scan> {
    const usable = (scan: Scan | undefined): scan is Scan =>
      scan?.scope.prefix === "" && scan.scope.versions === versions && scan.state !== "cancelled";
    if (!usable(this.scans.get(bucket))) this.begin({ bucket, prefix: "", folder: false, versions });
    const scan = this.scans.get(bucket) as Scan;
    await scan.ended;
    return scan;
  }

  private covering(bucket: string, { prefix, folders, search, versions }: Selection): Scan | undefined {
    const whole = this.scans.get(bucket);
    if (whole && prefix.startsWith(whole.scope.prefix) && (whole.scope.versions || !versions)) return whole;
    const folder = this.scans.get("folder");
    const fits = folder?.scope.bucket === bucket && folder.scope.prefix === prefix && folder.scope.versions === versions;
    return fits && folders && !search ? folder : undefined;
  }

  private async list(scan: Scan): Promise<Progress["state"]> {
    const { bucket, prefix, folder, versions } = scan.scope;
    const asked = {
      ...(versions ? { versions: "" } : { "list-type": "2" }),
      prefix,
      ...(folder && { delimiter: "/" }),
      "encoding-type": "url",
    };
    let next: Readonly<Record<string, string>> | undefined = {};
    while (next) {
      const answer = await this.get(bucket, { query: { ...asked, ...next } }, scan.stop.signal);
      const page = parsePage(answer.text);
      scan.stop.signal.throwIfAborted();
      for (const entry of page.entries) scan.listing.add(entry);
      for (const each of page.prefixes) scan.listing.folders.add(each);
      scan.pages++;
      next = page.next;
      if (next && this.held() >= MOST) return "truncated";
      this.tell();
    }
    return "done";
  }

  private held(): number {
    return [...this.scans.values()].reduce((sum, it) => sum + it.listing.length, 0);
  }

  private end(scan: Scan, state: Progress["state"], error?: unknown): void {
    scan.state = state;
    if (state === "failed") {
      scan.error = error instanceof Error ? error.message : String(error);
      scan.code = error instanceof ApiError && /^[A-Za-z0-9:_-]{1,64}$/.test(error.code) ? error.code : "Failed";
    }
    this.tell();
  }

  private get(bucket: string, where: Where, signal?: AbortSignal) {
    return this.provider.send("GET", this.where(bucket, where), signal);
  }

  private where(bucket: string, where: Where): Where {
    return { bucket, region: this.known.find((it) => it.name === bucket)?.region ?? "", ...where };
  }

  private tell(): void {
    if (this.reporting) return;
    this.reporting = true;
    setTimeout(() => {
      this.reporting = false;
      this.report?.([...this.scans.values()].map(progressOf));
    }, TOLD);
  }
}

function progressOf({ scope, state, listing, pages, error }: Scan): Progress {
  return { ...scope, state, objects: listing.length, bytes: listing.bytes, pages, error };
}
