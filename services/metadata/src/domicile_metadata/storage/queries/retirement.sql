-- Statements that take physical buckets out of use (docs/adr/0052).

-- name: find_mapping
-- Whose physical bucket this is, or was. One in which a rebuild found copies is not out of use yet. $1 backend id, $2 namespace.
SELECT tenant_id, bucket, NOT has_copies FROM physical_names WHERE backend_id = $1 AND namespace = $2;

-- name: hold_name
-- Until the transaction ends nobody makes a bucket of this name: whoever wants to waits for this row. None when there is such a bucket, or
-- somebody is making one. $1 bucket id, $2 tenant, $3 name.
INSERT INTO buckets (bucket_id, tenant_id, name, location) VALUES ($1, $2, $3, '')
    ON CONFLICT ON CONSTRAINT buckets_name_taken DO NOTHING;

-- name: let_go_of_name
-- $1 bucket id.
DELETE FROM buckets WHERE bucket_id = $1;

-- name: is_owed_there
-- Whether blobs of former buckets of this name are still to be removed. $1 tenant, $2 name, $3 backend id.
SELECT EXISTS (SELECT
                 FROM former_buckets
                 JOIN replicas USING (bucket_id)
                WHERE former_buckets.tenant_id = $1 AND former_buckets.name = $2 AND replicas.backend_id = $3);

-- name: retire_namespace
-- $1 backend id, $2 namespace.
WITH retired AS (
    DELETE FROM namespaces
     WHERE backend_id = $1 AND namespace = $2
    RETURNING backend_id, namespace, tenant_id, bucket, counter, created_at
), emptied AS (
    UPDATE retired_namespaces SET has_copies = false WHERE backend_id = $1 AND namespace = $2
)
INSERT INTO retired_namespaces (backend_id, namespace, tenant_id, bucket, counter, created_at) SELECT * FROM retired;

-- name: note_removed_namespace
-- $1 backend id, $2 namespace.
UPDATE retired_namespaces SET removed_at = now() WHERE backend_id = $1 AND namespace = $2 AND removed_at IS NULL;

-- name: next_counter
-- Of a bucket's names: those before it are out of use. $1 tenant, $2 bucket name.
SELECT coalesce(max(counter) + 1, 0) FROM retired_namespaces WHERE tenant_id = $1 AND bucket = $2;
