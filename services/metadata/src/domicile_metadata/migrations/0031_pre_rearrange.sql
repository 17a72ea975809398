-- What exists follows its policy and its backends: versions are compared, copies are added, and those that are not wanted any more are
-- removed once the others are verified. And a record of every removal.

ALTER TABLE backends
    DROP CONSTRAINT backends_state_check,
    ADD CONSTRAINT backends_state_check CHECK (state IN ('active', 'readonly', 'draining', 'disabled', 'lost'));

-- Raised whenever what the bucket's policy or the backends ask for changes. A write that was decided before is not begun any more, so all
-- that may still come about under an older epoch has an intent when the epoch is raised.
ALTER TABLE buckets ADD COLUMN epoch bigint NOT NULL DEFAULT 0;

-- What the view shows of a bucket was fixed when it was made.
DROP VIEW described_buckets;
CREATE VIEW described_buckets AS
SELECT buckets.*, levels.policy_versions, levels.policies,
       ARRAY(SELECT ARRAY[backend_id, namespace] FROM namespaces
              WHERE namespaces.tenant_id = buckets.tenant_id AND namespaces.bucket = buckets.name) AS namespaces
  FROM buckets
 CROSS JOIN LATERAL (
       SELECT coalesce(array_agg(current.policy_version ORDER BY depth), '{}') AS policy_versions,
              coalesce(array_agg(current.document::text ORDER BY depth), '{}') AS policies
         FROM (VALUES (1, 'default', ''), (2, 'tenant', buckets.tenant_id), (3, 'bucket', replace(buckets.bucket_id::text, '-', '')))
              AS wanted (depth, level, subject)
        CROSS JOIN LATERAL (
              SELECT policy_version, document
                FROM policies
               WHERE policies.level = wanted.level AND policies.subject = wanted.subject
               ORDER BY policy_version DESC
               LIMIT 1) AS current
       ) AS levels;

-- Buckets whose versions are to be compared, once for each epoch, or have been. compared_to: the last one in the order of their ids.
CREATE TABLE rearrangements (
    bucket_id    uuid PRIMARY KEY REFERENCES buckets ON DELETE CASCADE,
    epoch        bigint NOT NULL,
    cause        text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    compared_to  uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    compared     bigint NOT NULL DEFAULT 0,
    changed      bigint NOT NULL DEFAULT 0
);
CREATE INDEX rearrangements_open ON rearrangements (requested_at, bucket_id) WHERE finished_at IS NULL;

-- Versions to be looked at (again), and what may become one. due_at: infinity until a worker reports about one of its replicas.
-- refusal: why no arrangement satisfies the policy; NULL while copies that are not wanted any more wait for others to be verified.
-- No foreign key: the removal of a version would have to look here, and the report of its last replica's removal does.
CREATE TABLE unsettled_versions (
    bucket_id  uuid NOT NULL,
    version_id uuid NOT NULL,
    due_at     timestamptz NOT NULL,
    refusal    text,
    since      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bucket_id, version_id)
);
CREATE INDEX unsettled_versions_due ON unsettled_versions (due_at);

-- The key of a version that is gone: a replica outlives it while its blob is being removed.
ALTER TABLE replicas ADD COLUMN key bytea;

-- Whose a bucket was: removals outlive it.
CREATE TABLE former_buckets (
    bucket_id  uuid PRIMARY KEY,
    tenant_id  text NOT NULL,
    name       text NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT now()
);

-- Every blob that is no longer anywhere, appended when its row is closed. is_confirmed: the backend gave a definite 404; otherwise the
-- backend was declared lost, and nobody can tell. key: NULL when it is not known. country, provider: those of that time.
CREATE TABLE removals (
    removal_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    removed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    tenant_id    text NOT NULL,
    bucket_id    uuid NOT NULL,
    bucket       text NOT NULL,
    key          bytea,
    version_id   uuid NOT NULL,
    backend_id   text NOT NULL,
    provider     text NOT NULL,
    country      text NOT NULL,
    namespace    text NOT NULL,
    blob_key     text NOT NULL,
    is_confirmed boolean NOT NULL
);
CREATE INDEX removals_by_version ON removals (bucket_id, version_id, backend_id);
CREATE INDEX removals_by_key ON removals (tenant_id, bucket, key, removal_id);

CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER removals_stay BEFORE UPDATE ON removals FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
