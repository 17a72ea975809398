import { api, at } from "../../api.ts";
import type { Described, Keys, Packed, Part } from "../../explorer/index.ts";
import type { Snapshot } from "./snapshots.ts";

/** What is sent at once. The service takes up to 10,000 lines and 4 MiB; what is listed comes in parts of up to 5,000 and 3 MiB. */
const PIECE = { lines: 8_000, bytes: 3 << 20 };
const AT_ONCE = 4;

export interface Options {
  readonly endpoint: string;
  readonly title: string;
  readonly keys: Keys;
}

export interface Progress {
  readonly objects: number;
  readonly bytes: number;
}

/**
 * Makes a snapshot of what is listed, sending pieces as they fill. It ends early, marked as truncated, once the service keeps no more. What
 * was begun is deleted when listing fails, or is called off.
 */
export async function save(
  options: Options,
  listing: AsyncIterable<Part>,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Snapshot> {
  const { snapshot_id: id } = await api.post<Snapshot>("/api/snapshots", options, { signal });
  try {
    const truncated = await send(id, listing, onProgress, signal);
    return await api.post<Snapshot>(at`/api/snapshots/${id}/finish`, { truncated }, { signal });
  } catch (error) {
    await api.delete(at`/api/snapshots/${id}`).catch(() => undefined); // what failed is told; this is cleaning up
    throw error;
  }
}

async function send(
  id: string,
  listing: AsyncIterable<Part>,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const under = new Set<Promise<void>>();
  const sent = { objects: 0, bytes: 0 };
  let isFull = false;
  let isMore = false;
  let failure: unknown;
  let number = 0;
  async function put(piece: Piece) {
    const mine = number++;
    const kept = await api.put<Snapshot>(at`/api/snapshots/${id}/pieces/${String(mine)}`, bodyOf(piece), { signal });
    isFull ||= kept.truncated;
    sent.objects += piece.count;
    sent.bytes += piece.bytes;
    onProgress({ ...sent });
  }
  async function start(piece: Piece) {
    while (under.size >= AT_ONCE) await Promise.race(under);
    if (failure) throw failure;
    const running: Promise<void> = put(piece)
      .catch((error) => {
        failure = error;
      })
      .finally(() => under.delete(running));
    under.add(running);
  }
  for await (const piece of pieces(listing, () => {
    isMore = true;
  })) {
    signal.throwIfAborted();
    await start(piece);
    if (isFull) break;
  }
  await Promise.all(under);
  if (failure) throw failure;
  return isFull || isMore;
}

/** What is sent at once. */
interface Piece {
  readonly buckets: Described[];
  /** JSON of some each. */
  readonly objects: Uint8Array<ArrayBuffer>[];
  count: number;
  /** Of the objects themselves. */
  bytes: number;
}

/** What is listed, gathered until a piece is full. */
export async function* pieces(listing: AsyncIterable<Part>, onTruncated: () => void): AsyncGenerator<Piece> {
  const begin = (): Piece => ({ buckets: [], objects: [], count: 0, bytes: 0 });
  let piece = begin();
  let length = 0;
  for await (const part of listing) {
    const { count, bytes, json } = "objects" in part ? part.objects : NONE;
    const lines = piece.buckets.length + piece.count;
    if (lines + Math.max(1, count) > PIECE.lines || (lines && length + json.length > PIECE.bytes)) {
      yield piece;
      [piece, length] = [begin(), 0];
    }
    if ("bucket" in part) {
      if (part.bucket.truncated || part.bucket.error) onTruncated();
      piece.buckets.push(part.bucket);
    } else {
      piece.objects.push(json);
    }
    piece.count += count;
    piece.bytes += bytes;
    length += json.length;
  }
  if (piece.buckets.length + piece.count) yield piece;
}

const NONE: Packed = { count: 0, bytes: 0, json: new Uint8Array() };

/** The body that is sent, put together without a look at what is in it. */
export function bodyOf({ buckets, objects }: Piece): Blob {
  const between = objects.flatMap((json, at) => (at ? [",", json] : [json]));
  return new Blob([`{"buckets":${JSON.stringify(buckets)},"objects":[`, ...between, "]}"]);
}
