-- A workbench for what is owed: why it failed before, and what an operator has given up for good.

-- The last ten failures of what is owed, oldest first, each with at, error_class, reason and next_attempt_at (none: it was parked then).
ALTER TABLE replicas ADD COLUMN failures jsonb;

-- What is owed, or was given up for now.
CREATE VIEW jobs AS
SELECT bucket_id, version_id, backend_id, state, stamped, attempt, changed_at, next_attempt_at, parked_reason, namespace, blob_key, failures,
       key, lane(state, is_backfill) AS lane,
       CASE WHEN state = 'deleting' THEN 'remove' WHEN state IN ('wanted', 'lost') THEN 'copy' ELSE 'stamp' END AS action,
       failures -> -1 ->> 'error_class' AS error_class
  FROM (SELECT * FROM replicas WHERE parked_reason IS NULL AND (state IN ('wanted', 'lost', 'deleting') OR NOT stamped)
         UNION ALL
        SELECT * FROM replicas WHERE parked_reason IS NOT NULL) AS owed;

-- Whose a bucket is or was.
CREATE VIEW homes AS
SELECT bucket_id, tenant_id, name AS bucket FROM buckets
 UNION ALL
SELECT bucket_id, tenant_id, name AS bucket FROM former_buckets;

-- What an operator does not want to be tried any more. action copy: the version has a copy less than its policy asks for. action remove: the
-- blob stays where it is.
CREATE TABLE dropped_jobs (
    drop_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dropped_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    action        text NOT NULL CHECK (action IN ('copy', 'remove')),
    reason        text NOT NULL,
    parked_reason text NOT NULL,
    tenant_id     text NOT NULL,
    bucket_id     uuid NOT NULL,
    bucket        text NOT NULL,
    key           bytea,
    version_id    uuid NOT NULL,
    backend_id    text NOT NULL,
    provider      text NOT NULL,
    country       text NOT NULL,
    namespace     text NOT NULL,
    blob_key      text NOT NULL
);
CREATE INDEX dropped_jobs_by_version ON dropped_jobs (bucket_id, version_id, backend_id);
CREATE INDEX dropped_jobs_by_key ON dropped_jobs (tenant_id, bucket, key, drop_id);
CREATE TRIGGER dropped_jobs_stay BEFORE UPDATE OR DELETE ON dropped_jobs FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
