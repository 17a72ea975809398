import type { Entry, Listing } from "./listing.ts";

/** What becomes of objects' keys in a snapshot. */
export type Keys = "kept" | "hashed" | "dropped";

/** Objects as a snapshot's piece has them (docs/api.md, Snapshots). */
export interface Packed {
  readonly count: number;
  /** Of the objects. */
  readonly bytes: number;
  /** JSON of each, with commas between them, as UTF-8. */
  readonly json: Uint8Array<ArrayBuffer>;
}

const MOST = { objects: 5_000, letters: 1 << 20 }; // at once; letters take up to three bytes

/** All objects of a listing. Done in a worker, so that the page has nothing to do but pass it on. */
export function* packed(bucket: string, listing: Listing, keys: Keys): Generator<Packed> {
  let lines: string[] = [];
  let [letters, bytes] = [0, 0];
  const pack = () => {
    const made = { count: lines.length, bytes, json: new TextEncoder().encode(lines.join(",")) };
    [lines, letters, bytes] = [[], 0, 0];
    return made;
  };
  for (let index = 0; index < listing.length; index++) {
    const entry = listing.at(index);
    const line = JSON.stringify(shaped(bucket, entry, keys));
    lines.push(line);
    letters += line.length + 1;
    bytes += entry.size;
    if (lines.length === MOST.objects || letters > MOST.letters) yield pack();
  }
  if (lines.length) yield pack();
}

const ETAG = /^"?[0-9A-Za-z+/=_-]{1,80}"?$/;
const WORD = /^[A-Za-z0-9:_-]{1,64}$/;

/**
 * Without the key where none is to be kept: it does not leave the browser then. And without what a provider writes as nobody else does: the
 * service would refuse the whole piece (`snapshots/schema.json`).
 */
function shaped(bucket: string, entry: Entry, keys: Keys): Record<string, unknown> {
  return {
    bucket,
    key: keys === "dropped" ? null : entry.key,
    size: entry.size,
    ...(ETAG.test(entry.etag) && { etag: entry.etag }),
    ...(entry.modified && { last_modified: new Date(entry.modified).toISOString() }),
    ...(WORD.test(entry.storageClass) && { storage_class: entry.storageClass }),
    ...(entry.versionId && { version_id: entry.versionId }),
    is_latest: entry.latest,
    is_delete_marker: entry.deleted,
  };
}
