-- What scrubs have seen and found (docs/adr/0014).

-- The good copies that a light scrub has met in the bucket it is at: those that are not here in the end are looked at one by one.
CREATE TABLE scrub_seen (
    task_id    uuid NOT NULL REFERENCES tasks ON DELETE CASCADE,
    bucket_id  uuid NOT NULL,
    version_id uuid NOT NULL,
    PRIMARY KEY (task_id, bucket_id, version_id)
);

-- What was not as the record says. done: what was done about it. resolved_at: when it was over. tenant_id, bucket: of that time.
CREATE TABLE findings (
    finding_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL,
    task_id     uuid NOT NULL,
    backend_id  text NOT NULL REFERENCES backends,
    namespace   text NOT NULL,
    blob_key    text NOT NULL,
    tenant_id   text,
    bucket      text,
    bucket_id   uuid,
    version_id  uuid,
    detail      text NOT NULL,
    done        text NOT NULL CHECK (done IN ('removed', 'repair', 'reported')),
    found_at    timestamptz NOT NULL DEFAULT now(),
    seen_at     timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz
);
CREATE UNIQUE INDEX findings_open ON findings (backend_id, namespace, blob_key, kind) WHERE resolved_at IS NULL;

-- Buckets of a name that are gone: removals and findings outlive them.
CREATE INDEX former_buckets_by_name ON former_buckets (tenant_id, name);
