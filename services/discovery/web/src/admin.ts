/** What operators, and tenants of their own, see of an installation: the admin API's answers (docs/api.md). */

import { api, at } from "./api.ts";

export interface BackendSum {
  readonly backend_id: string;
  readonly provider: string;
  readonly country: string;
  readonly jurisdictions: readonly string[];
  readonly state: BackendState;
  readonly copies: number;
  readonly verified: number;
  readonly bytes: number;
}

export interface Summary {
  readonly all: {
    readonly buckets: number;
    readonly tenants: number;
    readonly versions: number;
    readonly bytes: number;
    readonly counted_at: string | null;
    readonly uncounted: number;
  };
  readonly countries: readonly CountrySum[];
  readonly backends: readonly BackendSum[];
}

export interface CountrySum {
  readonly country: string;
  readonly backends: readonly string[];
  readonly copies: number;
  readonly bytes: number;
}

export interface Owed {
  readonly backend_id: string;
  readonly copies: number;
  readonly bytes: number;
  readonly oldest_seconds: number;
  readonly retried: number;
  readonly late: number;
  readonly parked: number;
  readonly removals: number;
  readonly oldest_removal_seconds: number;
}

export interface Recent {
  readonly copies: number;
  readonly p50_seconds: number | null;
  readonly p99_seconds: number | null;
}

export interface BucketLag {
  readonly owed: {
    readonly tenant_id: string;
    readonly bucket: string;
    readonly copies: number;
    readonly bytes: number;
    readonly oldest_seconds: number;
    readonly rpo_seconds: number | null;
    readonly late: number;
  };
  /** `null` where nothing is promised. */
  readonly kept: boolean | null;
  readonly recent: Recent | null;
}

export interface Lag {
  readonly outbox: { readonly messages: number; readonly oldest_seconds: number } | null;
  readonly backends: readonly { readonly owed: Owed; readonly recent: Recent }[];
  readonly buckets: readonly BucketLag[];
  readonly truncated: boolean;
}

export interface Failure {
  readonly at: string;
  readonly error_class: string;
  readonly reason: string;
  readonly next_attempt_at?: string;
}

export interface Health {
  readonly backend_id: string;
  readonly proxies: number;
  readonly avoiding: number;
  readonly seconds: number | null;
  readonly last_failure: Failure | null;
}

export type BackendState = "active" | "readonly" | "draining" | "disabled" | "lost";

export interface Backend {
  readonly backend_id: string;
  readonly provider: string;
  readonly endpoint: string;
  readonly country: string;
  readonly jurisdictions: readonly string[];
  readonly access_key: string;
  readonly region: string;
  readonly addressing: string;
  readonly quirks: string;
  readonly state: BackendState;
  readonly cost: number;
  readonly paused: boolean;
  readonly job_limit: number | null;
  readonly bytes_per_second: number | null;
  readonly requests_per_second: number | null;
  /** What probes have found that it can do, and cannot; missing is what is not known. */
  readonly capabilities: Readonly<Record<string, boolean>>;
}

export interface Share {
  readonly backend_id: string;
  readonly objects: number;
  readonly bytes: number;
}

export interface Preview {
  readonly objects: number;
  readonly bytes: number;
  readonly changed_objects: number;
  readonly changed_bytes: number;
  readonly copies: readonly Share[];
  readonly egress: readonly Share[];
  readonly removals: readonly Share[];
  readonly unreadable_objects: number;
  readonly unsatisfied: readonly {
    readonly tenant_id: string;
    readonly bucket: string;
    readonly reason: string;
    readonly objects: number;
    readonly bytes: number;
  }[];
  /** For whom nothing more could be written. */
  readonly unsatisfiable: readonly {
    readonly subjects: readonly string[];
    readonly count: number;
    readonly rule: string;
    readonly reason: string;
  }[];
  readonly estimated_seconds: number;
}

export interface Bucket {
  readonly tenant_id: string;
  readonly bucket: string;
  readonly bucket_id: string;
  readonly created_at: string;
  readonly location: string;
  readonly layout: string;
  readonly versioning: string;
  readonly object_lock: boolean;
  /** Where copies may be; `null`: anywhere. */
  readonly countries: readonly string[] | null;
  readonly jurisdictions: readonly string[] | null;
  readonly versions: number | null;
  readonly bytes: number | null;
  readonly counted_at: string | null;
  readonly backends: readonly {
    readonly backend_id: string;
    readonly copies: number;
    readonly verified: number;
    readonly bytes: number;
  }[];
}

export interface ObjectCopy {
  readonly backend_id: string;
  readonly provider: string;
  readonly country: string;
  readonly state: "wanted" | "stored" | "verified" | "lost" | "deleting";
  readonly since: string;
  readonly verified_at?: string;
}

export interface Version {
  readonly key: string;
  readonly version_id: string;
  readonly is_latest: boolean;
  readonly is_delete_marker: boolean;
  readonly size: number;
  readonly etag: string;
  readonly last_modified: string;
  readonly storage_class: string;
  readonly reason: string;
  readonly copies: readonly ObjectCopy[];
}

export interface VersionPage {
  readonly versions: readonly Version[];
  readonly prefixes: readonly string[];
  readonly truncated: boolean;
  readonly after_key: string;
  readonly after_version: string;
}

export interface Progress {
  readonly rearrangements: readonly {
    readonly tenant_id: string;
    readonly bucket: string;
    readonly cause: string;
    readonly requested_at: string;
    readonly finished_at: string | null;
    readonly compared: number;
    readonly changed: number;
    readonly waiting: number;
  }[];
  readonly refusals: readonly {
    readonly tenant_id: string;
    readonly bucket: string;
    readonly reason: string;
    readonly objects: number;
  }[];
}

export interface Explanation {
  readonly tenant_id: string;
  readonly bucket: string;
  readonly backend_id: string;
  readonly counter: number;
  readonly namespace: string;
  readonly computed: string;
  readonly recorded: boolean;
}

export interface Policy {
  readonly region_lock?: readonly string[];
  readonly operator_lock?: readonly string[];
  readonly replica_count?: number;
  readonly spread?: "backend" | "provider" | "country";
  readonly write_quorum?: number;
  readonly write_width?: number;
  readonly rpo_seconds?: number;
  readonly layout?: "readable" | "opaque";
  readonly storage?: Readonly<Record<string, unknown>>;
  readonly encryption?: Readonly<Record<string, unknown>>;
}

export interface PolicyView {
  readonly policy: Policy | null;
  readonly version: number;
  readonly effective:
    | (Omit<Policy, "region_lock" | "operator_lock"> & {
        readonly replica_count: number;
        readonly write_quorum: number;
        readonly countries?: readonly string[];
        readonly jurisdictions?: readonly string[];
      })
    | null;
  readonly refusal: string | null;
}

export interface Tenant {
  readonly tenant_id: string;
  readonly name: string;
  readonly state: "active" | "disabled";
  readonly created_at: string;
}

export interface Credential {
  readonly access_key: string;
  readonly tenant_id: string;
  readonly access: "full" | "read";
  readonly state: "active" | "disabled";
  readonly created_at: string;
  readonly expires_at: string | null;
}

export interface Job {
  readonly bucket_id: string;
  readonly version_id: string;
  readonly backend_id: string;
  readonly tenant_id: string;
  readonly bucket: string;
  readonly key: string;
  readonly action: "copy" | "remove" | "stamp";
  readonly lane: string;
  readonly state: string;
  readonly attempt: number;
  readonly since: string;
  readonly next_attempt_at: string | null;
  readonly parked_reason: string | null;
  readonly error_class: string | null;
  readonly failures: readonly Failure[];
}

export interface Jobs {
  readonly backlogs: readonly { readonly backend_id: string; readonly owed: number; readonly parked: number }[];
  readonly jobs: readonly Job[];
  readonly truncated: boolean;
  readonly next: string;
}

export interface Drops {
  readonly drops: readonly {
    readonly drop_id: number;
    readonly dropped_at: string;
    readonly action: string;
    readonly reason: string;
    readonly parked_reason: string;
    readonly tenant_id: string;
    readonly bucket: string;
    readonly key: string;
    readonly backend_id: string;
  }[];
  readonly next: number | null;
}

export interface Task {
  readonly task_id: string;
  readonly kind: string;
  readonly state: "waiting" | "running" | "paused" | "done" | "failed" | "cancelled";
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly progress: Readonly<Record<string, number>>;
  readonly error: string | null;
  readonly worker: string | null;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
}

export interface Sample {
  readonly at: string;
  readonly backend_id: string;
  readonly copies: number;
  readonly bytes: number;
  readonly oldest_seconds: number;
  readonly late: number;
  readonly parked: number;
  readonly removals: number;
}

export interface History {
  readonly step_seconds: number;
  readonly samples: readonly Sample[];
}

/** The address of a policy's level: the installation's, a tenant's, or a bucket's. */
export function levelPath(tenant?: string, bucket?: string): string {
  if (tenant === undefined) return "/api/policies/default";
  return bucket === undefined ? at`/api/policies/tenants/${tenant}` : at`/api/policies/buckets/${tenant}/${bucket}`;
}

export const bucketPath = (tenant: string, bucket: string) => at`/api/buckets/${tenant}/${bucket}`;

export function preview(supposed: object): Promise<Preview> {
  return api.post<Preview>("/api/placement/preview", supposed);
}
