import { enlarged, Texts } from "./texts.ts";

/** One object, version or delete marker, as S3 lists it. Times in milliseconds since 1970, sizes in bytes. */
export interface Entry {
  readonly key: string;
  readonly size: number;
  readonly modified: number;
  readonly storageClass: string;
  readonly etag: string;
  /** Empty where versions were not listed. */
  readonly versionId: string;
  readonly latest: boolean;
  readonly deleted: boolean;
}

const LATEST = 1;
const DELETED = 2;

/** What was listed of a bucket, in columns and in the order in which it came. */
export class Listing {
  readonly keys = new Texts();
  /** Prefixes that were named instead of what is below them; whole. */
  readonly folders = new Set<string>();
  readonly classes: string[] = [];
  private readonly etags = new Texts();
  private readonly versionIds = new Texts();
  private sizes = new Float64Array(1 << 8);
  private times = new Float64Array(1 << 8);
  private marks = new Uint8Array(1 << 8); // the storage class's number, and two flags
  private count = 0;
  bytes = 0;

  get length(): number {
    return this.count;
  }

  add(entry: Entry): void {
    const index = this.count++;
    if (index === this.sizes.length) {
      this.sizes = enlarged(this.sizes, this.count);
      this.times = enlarged(this.times, this.count);
      this.marks = enlarged(this.marks, this.count);
    }
    this.keys.add(entry.key);
    this.etags.add(entry.etag);
    this.versionIds.add(entry.versionId);
    this.sizes[index] = entry.size;
    this.times[index] = entry.modified;
    this.marks[index] = (this.classNumber(entry.storageClass) << 2) | (entry.latest ? LATEST : 0) | (entry.deleted ? DELETED : 0);
    this.bytes += entry.size;
  }

  at(index: number): Entry {
    return {
      key: this.keys.at(index),
      size: this.size(index),
      modified: this.modified(index),
      storageClass: this.storageClass(index),
      etag: this.etags.at(index),
      versionId: this.versionIds.at(index),
      latest: this.latest(index),
      deleted: this.deleted(index),
    };
  }

  size(index: number): number {
    return this.sizes[index] as number;
  }

  modified(index: number): number {
    return this.times[index] as number;
  }

  storageClass(index: number): string {
    return this.classes[(this.marks[index] as number) >> 2] as string;
  }

  latest(index: number): boolean {
    return ((this.marks[index] as number) & LATEST) !== 0;
  }

  deleted(index: number): boolean {
    return ((this.marks[index] as number) & DELETED) !== 0;
  }

  /** S3 knows about ten; what comes beyond 60 is counted with the last. */
  private classNumber(name: string): number {
    const known = this.classes.indexOf(name);
    if (known >= 0) return known;
    return this.classes.length < 60 ? this.classes.push(name) - 1 : 59;
  }
}
