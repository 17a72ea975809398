import { Listing } from "../../explorer/listing.ts";
import { enlarged } from "../../explorer/texts.ts";
import type { BucketLine, ObjectLine } from "./snapshots.ts";

/** What of a snapshot's objects is shown, and in which order. */
export interface Selection {
  /** Part of the key. */
  readonly filter: string;
  /** Empty: every bucket. */
  readonly bucket: string;
  readonly sort: "" | "bucket" | "key" | "size" | "modified" | "class";
  readonly descending: boolean;
}

/** The lines of a snapshot, as they are read; its objects in columns. Lives in a worker: nothing here keeps the page from moving. */
export class Lines {
  private readonly listing = new Listing();
  private readonly names: string[] = [];
  private readonly numbers = new Map<string, number>();
  private buckets = new Uint32Array(1 << 8); // numbers of the objects' buckets
  private shown = new Uint32Array();

  /** Takes one piece in; the buckets that are described there. */
  add(piece: ArrayBuffer): BucketLine[] {
    const described: BucketLine[] = [];
    for (const text of new TextDecoder().decode(piece).split("\n")) {
      if (!text) continue;
      const { line: kind, ...rest } = JSON.parse(text);
      if (kind === "bucket") described.push(rest);
      else this.addObject(rest);
    }
    return described;
  }

  private addObject(it: ObjectLine): void {
    const index = this.listing.length;
    if (index === this.buckets.length) this.buckets = enlarged(this.buckets, index + 1);
    this.buckets[index] = this.numberOf(it.bucket);
    this.listing.add({
      key: it.key ?? "",
      size: it.size ?? 0,
      modified: it.last_modified ? Date.parse(it.last_modified) : 0,
      storageClass: it.storage_class ?? "STANDARD",
      etag: "", // shown nowhere
      versionId: "",
      latest: it.is_latest ?? true,
      deleted: it.is_delete_marker ?? false,
    });
  }

  private numberOf(bucket: string): number {
    const known = this.numbers.get(bucket);
    if (known !== undefined) return known;
    this.numbers.set(bucket, this.names.length);
    return this.names.push(bucket) - 1;
  }

  /** Makes the rows that `rows` shows; how many there are. */
  select({ filter, bucket, sort, descending }: Selection): number {
    const wanted = this.numbers.get(bucket);
    const part = new TextEncoder().encode(filter);
    const found = new Uint32Array(this.listing.length);
    let count = 0;
    for (let index = 0; index < this.listing.length; index++) {
      if (bucket && this.buckets[index] !== wanted) continue;
      if (!this.listing.keys.includes(index, part)) continue;
      found[count++] = index;
    }
    this.shown = found.slice(0, count);
    if (sort) this.order(sort, descending ? -1 : 1);
    return count;
  }

  private order(sort: Exclude<Selection["sort"], "">, sign: number): void {
    const columns = { bucket: this.bucket, key: this.key, size: this.size, modified: this.modified, class: this.storageClass };
    const by: (index: number) => string | number = columns[sort];
    const values = Array.from(this.shown, by); // each made once, not at each comparison
    const order = Uint32Array.from(values.keys()).sort((a, b) => {
      const [one, other] = [values[a] as string | number, values[b] as string | number];
      return one < other ? -sign : one > other ? sign : a - b;
    });
    this.shown = order.map((it) => this.shown[it] as number);
  }

  private readonly bucket = (index: number) => this.names[this.buckets[index] as number] as string;
  private readonly key = (index: number) => this.listing.keys.at(index);
  private readonly size = (index: number) => this.listing.size(index);
  private readonly modified = (index: number) => this.listing.modified(index);
  private readonly storageClass = (index: number) => this.listing.storageClass(index);

  rows(first: number, end: number): ObjectLine[] {
    return Array.from(this.shown.subarray(first, end), (index) => {
      const { key, size, modified, storageClass, latest, deleted } = this.listing.at(index);
      return {
        bucket: this.bucket(index),
        key: key || null,
        size,
        last_modified: modified ? new Date(modified).toISOString() : null,
        storage_class: storageClass,
        is_latest: latest,
        is_delete_marker: deleted,
      };
    });
  }
}
