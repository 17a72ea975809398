import { api, at } from "../../api.ts";
import type { BucketLine, Keys, ObjectLine, Snapshot } from "./snapshots.ts";

/** What is sent at once. The service takes up to 10,000 lines and 4 MiB. */
const PIECE = { lines: 5_000, bytes: 3 << 20 };
const AT_ONCE = 4;
const text = new TextEncoder();

export interface Options {
  readonly endpoint: string;
  readonly title: string;
  readonly keys: Keys;
}

/** What an account holds, as it is listed. */
export interface Listed {
  readonly buckets?: readonly BucketLine[];
  readonly objects?: readonly ObjectLine[];
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
  listing: AsyncIterable<Listed>,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Snapshot> {
  const { snapshot_id: id } = await api.post<Snapshot>("/api/snapshots", options, { signal });
  try {
    const truncated = await send(id, options.keys, listing, onProgress, signal);
    return await api.post<Snapshot>(at`/api/snapshots/${id}/finish`, { truncated }, { signal });
  } catch (error) {
    await api.delete(at`/api/snapshots/${id}`).catch(() => undefined); // what failed is told; this is cleaning up
    throw error;
  }
}

async function send(
  id: string,
  keys: Keys,
  listing: AsyncIterable<Listed>,
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
    const kept = await api.put<Snapshot>(at`/api/snapshots/${id}/pieces/${String(mine)}`, piece, { signal });
    isFull ||= kept.truncated;
    sent.objects += piece.objects.length;
    sent.bytes += piece.objects.reduce((sum, it) => sum + (it.size ?? 0), 0);
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
  for await (const piece of pieces(listing, keys, () => {
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

interface Piece {
  readonly buckets: readonly BucketLine[];
  readonly objects: readonly ObjectLine[];
}

/** What is listed, cut into pieces that are full; without keys where none are to be kept: they do not leave the browser then. */
export async function* pieces(listing: AsyncIterable<Listed>, keys: Keys, onTruncated: () => void): AsyncGenerator<Piece> {
  let buckets: BucketLine[] = [];
  let objects: ObjectLine[] = [];
  let bytes = 0;
  const cut = () => {
    const piece = { buckets, objects };
    [buckets, objects, bytes] = [[], [], 0];
    return piece;
  };
  for await (const listed of listing) {
    for (const it of listed.buckets ?? []) {
      if (it.truncated || it.error) onTruncated();
      buckets.push(it);
      if (buckets.length === PIECE.lines) yield cut();
    }
    for (const it of listed.objects ?? []) {
      const line = shaped(keys === "dropped" ? { ...it, key: null } : it);
      objects.push(line);
      bytes += text.encode(JSON.stringify(line)).length;
      if (objects.length === PIECE.lines || bytes > PIECE.bytes) yield cut();
    }
  }
  if (buckets.length + objects.length) yield cut();
}

const ETAG = /^"?[0-9A-Za-z+/=_-]{1,80}"?$/;
const WORD = /^[A-Za-z0-9:_-]{1,64}$/;

/** Without what a provider writes as nobody else does: the service would refuse the whole piece (`snapshots/schema.json`). */
function shaped({ etag, storage_class, ...rest }: ObjectLine): ObjectLine {
  return {
    ...rest,
    ...(etag && ETAG.test(etag) && { etag }),
    ...(storage_class && WORD.test(storage_class) && { storage_class }),
  };
}
