-- Statements of objects: keys and their versions.

-- name: locate_objects
-- The current version of each key with its readable replicas, those that were verified and cost least first, each as an array of backend
-- id, namespace, blob key and state; all in one round trip, since every GET waits for it. One row for each item, in order; bucket_id is
-- NULL when there is no such bucket, version_id when the key has no version. Each LIMIT 1 makes sure that the table is looked up by its
-- key, also when the plan was made while it held next to nothing. $1 bucket ids, $2 keys.
SELECT home.bucket_id, pointer.version_id, version.committed_at, version.facts, version.digest, version.is_null, version.is_delete_marker,
       ARRAY(SELECT ARRAY[backend_id, namespace, blob_key, replicas.state]
               FROM replicas
               JOIN backends USING (backend_id)
              WHERE replicas.bucket_id = asked.bucket_id
                AND replicas.version_id = pointer.version_id
                AND replicas.state IN ('stored', 'verified')
                AND backends.state <> 'disabled'
                AND is_inside_lock(home.countries, home.jurisdictions, backends.country, backends.jurisdictions)
              ORDER BY replicas.state = 'verified' DESC, cost, backend_id) AS readable
  FROM unnest($1::uuid[], $2::bytea[]) WITH ORDINALITY AS asked (bucket_id, key, position)
  LEFT JOIN LATERAL (
       SELECT * FROM buckets WHERE buckets.bucket_id = asked.bucket_id LIMIT 1) AS home ON true
  LEFT JOIN LATERAL (
       SELECT * FROM objects WHERE objects.bucket_id = asked.bucket_id AND objects.key = asked.key LIMIT 1) AS pointer ON true
  LEFT JOIN LATERAL (
       SELECT *
         FROM versions
        WHERE versions.bucket_id = asked.bucket_id
          AND versions.version_id = pointer.version_id
        LIMIT 1) AS version ON true
 ORDER BY asked.position;

-- name: locate_versions
-- The same for versions that are asked for by their S3 version id. $1 bucket ids, $2 keys, $3 version ids (NULL: the null version).
SELECT home.bucket_id, version.version_id, version.committed_at, version.facts, version.digest, version.is_null, version.is_delete_marker,
       ARRAY(SELECT ARRAY[backend_id, namespace, blob_key, replicas.state]
               FROM replicas
               JOIN backends USING (backend_id)
              WHERE replicas.bucket_id = asked.bucket_id
                AND replicas.version_id = version.version_id
                AND replicas.state IN ('stored', 'verified')
                AND backends.state <> 'disabled'
                AND is_inside_lock(home.countries, home.jurisdictions, backends.country, backends.jurisdictions)
              ORDER BY replicas.state = 'verified' DESC, cost, backend_id) AS readable
  FROM unnest($1::uuid[], $2::bytea[], $3::uuid[]) WITH ORDINALITY AS asked (bucket_id, key, version_id, position)
  LEFT JOIN LATERAL (
       SELECT * FROM buckets WHERE buckets.bucket_id = asked.bucket_id LIMIT 1) AS home ON true
  LEFT JOIN LATERAL (
       SELECT *
         FROM versions
        WHERE versions.bucket_id = asked.bucket_id
          AND versions.key = asked.key
          AND CASE WHEN asked.version_id IS NULL THEN is_null ELSE versions.version_id = asked.version_id AND NOT is_null END
        LIMIT 1) AS version ON true
 ORDER BY asked.position;

-- name: lock_keys
-- Nobody else changes these keys' current versions until the transaction ends. $1 bucket ids, $2 keys.
SELECT pg_advisory_xact_lock(lock)
  FROM (SELECT DISTINCT key_lock(bucket_id, key) AS lock
          FROM unnest($1::uuid[], $2::bytea[]) AS asked (bucket_id, key)
         ORDER BY lock) AS in_order;

-- name: delete_null_versions
-- Removes the null versions of keys; their blobs are removed $3 seconds later. Answers which of the buckets exist.
-- $1 bucket ids, $2 keys.
WITH removed AS (
    DELETE FROM versions
     USING unnest($1::uuid[], $2::bytea[]) AS asked (bucket_id, key)
     WHERE versions.bucket_id = asked.bucket_id
       AND versions.key = asked.key
       AND versions.is_null
    RETURNING versions.bucket_id, versions.version_id, versions.key
), unpointed AS (
    DELETE FROM objects
     USING removed
     WHERE objects.bucket_id = removed.bucket_id
       AND objects.key = removed.key
       AND objects.version_id = removed.version_id
), unneeded AS (
    SELECT bucket_id, version_id, backend_id
      FROM removed
      JOIN replicas USING (bucket_id, version_id)
     ORDER BY bucket_id, version_id, backend_id
       FOR UPDATE OF replicas
), unwanted AS (
    UPDATE replicas
       SET state = 'deleting', attempt = 0, parked_reason = NULL, changed_at = clock_timestamp(),
           next_attempt_at = now() + make_interval(secs => $3::float8)
      FROM unneeded
     WHERE replicas.bucket_id = unneeded.bucket_id
       AND replicas.version_id = unneeded.version_id
       AND replicas.backend_id = unneeded.backend_id
)
SELECT bucket_id FROM buckets WHERE bucket_id = ANY ($1::uuid[]);

-- name: lock_facts
-- What is kept of a version beside its bytes; nobody else changes it until the transaction ends. $1 bucket id, $2 version id.
SELECT facts FROM versions WHERE bucket_id = $1 AND version_id = $2 FOR NO KEY UPDATE;

-- name: update_facts
-- $1 bucket id, $2 version id, $3 facts.
UPDATE versions SET facts = $3 WHERE bucket_id = $1 AND version_id = $2;
