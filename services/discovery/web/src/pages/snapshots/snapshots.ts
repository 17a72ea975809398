import { api, at, call } from "../../api.ts";
import type { Keys } from "../../explorer/index.ts";
import { asRequest, type Question } from "../sovereignty/question.ts";
import type { Candidate } from "../sovereignty/ranking.ts";

/** Snapshots as the service's API shows them (docs/api.md), and their lines (`snapshots/schema.json`). */
export const KEYS: Readonly<Record<Keys, string>> = {
  kept: "Keys as they are",
  hashed: "Keys hashed: comparable, not readable",
  dropped: "No keys",
};

export interface Snapshot {
  readonly snapshot_id: string;
  readonly tenant_id: string | null;
  readonly title: string;
  readonly endpoint: string;
  readonly keys: Keys;
  readonly created_at: string;
  readonly finished_at: string | null;
  readonly truncated: boolean;
  readonly objects: number;
  readonly bytes: number;
  /** Compressed bytes. */
  readonly stored: number;
  readonly pieces: number;
}

export interface Holding {
  readonly bucket: string;
  readonly storage_class: string;
  readonly objects: number;
  readonly bytes: number;
}

export interface Shown {
  readonly snapshot: Snapshot;
  readonly numbers: readonly number[];
  readonly totals: readonly Holding[];
}

export interface BucketLine {
  readonly bucket: string;
  readonly created_at?: string | null;
  readonly region?: string | null;
  readonly versioning?: "Enabled" | "Suspended" | "Off" | null;
  readonly object_lock?: boolean | null;
  readonly encryption?: string | null;
  readonly has_policy?: boolean | null;
  readonly is_public?: boolean | null;
  readonly has_lifecycle?: boolean | null;
  readonly has_replication?: boolean | null;
  readonly truncated?: boolean;
  readonly error?: string | null;
}

export interface ObjectLine {
  readonly bucket: string;
  readonly key?: string | null;
  readonly size?: number;
  readonly etag?: string | null;
  readonly last_modified?: string | null;
  readonly storage_class?: string;
  readonly version_id?: string | null;
  readonly is_latest?: boolean;
  readonly is_delete_marker?: boolean;
}

export async function listSnapshots(signal: AbortSignal): Promise<{ snapshots: readonly Snapshot[]; truncated: boolean }> {
  return api.get("/api/snapshots", { limit: 1000 }, signal);
}

export function showSnapshot(id: string, signal: AbortSignal): Promise<Shown> {
  return api.get<Shown>(at`/api/snapshots/${id}`, {}, signal);
}

export function deleteSnapshot(id: string): Promise<unknown> {
  return api.delete(at`/api/snapshots/${id}`);
}

/** The lines of one piece, unpacked by the browser. */
export async function readPiece(id: string, number: number, signal: AbortSignal): Promise<ArrayBuffer> {
  return (await call("GET", at`/api/snapshots/${id}/pieces/${String(number)}`, { signal })).arrayBuffer();
}

// --- comparing ---

export interface Sum {
  readonly objects: number;
  readonly bytes: number;
}

export interface Difference {
  readonly bucket: string;
  readonly key: string | null;
  readonly version_id: string | null;
  readonly before: ObjectLine | null;
  readonly after: ObjectLine | null;
}

export interface BucketDifference {
  readonly bucket: string;
  readonly before: BucketLine | null;
  readonly after: BucketLine | null;
}

export interface Diff {
  readonly added: Sum;
  readonly removed: Sum;
  readonly changed: Sum;
  readonly same: Sum;
  readonly buckets: readonly BucketDifference[];
  readonly objects: readonly Difference[];
  readonly complete: boolean;
}

/** Both are read and compared by the service, however large they are; of the differences the first `limit` come. */
export function compare(before: string, after: string, signal: AbortSignal, limit = 5000): Promise<Diff> {
  return api.post<Diff>("/api/snapshots/diff", { before, after, limit }, { signal });
}

export type Kind = "added" | "removed" | "changed";

export function kindOf({ before, after }: { readonly before: unknown; readonly after: unknown }): Kind {
  return before === null ? "added" : after === null ? "removed" : "changed";
}

// --- under a policy ---

export interface Move {
  readonly holding: Holding;
  readonly targets: readonly string[];
  readonly stays: boolean;
  readonly refusal: string | null;
}

export interface Amount extends Sum {
  readonly id: string;
}

export interface Plan {
  readonly source: Candidate | null;
  readonly source_reason: string | null;
  readonly moves: readonly Move[];
  readonly targets: readonly Amount[];
  readonly read: Amount;
  readonly refused: Amount;
}

export function planMoves(id: string, question: Question, signal: AbortSignal): Promise<{ plan: Plan; truncated: boolean }> {
  return api.post(at`/api/snapshots/${id}/plan`, asRequest(question), { signal });
}
