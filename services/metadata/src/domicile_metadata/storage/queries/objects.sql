-- Statements of objects: keys and their versions.

-- name: locate_objects
-- The current version of each key with its readable replicas, those that were verified and cost least first; all in one round trip,
-- since every GET waits for it. One row for each item, in order; bucket_id is NULL when there is no such bucket, version_id when the
-- key has no version. $1 bucket ids, $2 keys.
SELECT buckets.bucket_id, objects.version_id, versions.committed_at, versions.facts, versions.digest, versions.is_null,
       versions.is_delete_marker, readable.backend_ids, readable.namespaces, readable.blob_keys, readable.verified
  FROM unnest($1::uuid[], $2::bytea[]) WITH ORDINALITY AS asked (bucket_id, key, position)
  LEFT JOIN buckets ON buckets.bucket_id = asked.bucket_id
  LEFT JOIN objects ON objects.bucket_id = asked.bucket_id AND objects.key = asked.key
  LEFT JOIN versions ON versions.bucket_id = objects.bucket_id AND versions.version_id = objects.version_id
  LEFT JOIN LATERAL (
       SELECT array_agg(backend_id) AS backend_ids, array_agg(namespace) AS namespaces, array_agg(blob_key) AS blob_keys,
              array_agg(is_verified) AS verified
         FROM (SELECT backend_id, namespace, blob_key, replicas.state = 'verified' AS is_verified
                 FROM replicas
                 JOIN backends USING (backend_id)
                WHERE replicas.bucket_id = versions.bucket_id
                  AND replicas.version_id = versions.version_id
                  AND replicas.state IN ('stored', 'verified')
                  AND backends.state <> 'disabled'
                  AND is_inside_lock(buckets.countries, buckets.jurisdictions, backends.country, backends.jurisdictions)
                ORDER BY is_verified DESC, cost, backend_id) AS in_order
       ) AS readable ON true
 ORDER BY asked.position;

-- name: locate_versions
-- The same for versions that are asked for by their S3 version id. $1 bucket ids, $2 keys, $3 version ids (NULL: the null version).
SELECT buckets.bucket_id, versions.version_id, versions.committed_at, versions.facts, versions.digest, versions.is_null,
       versions.is_delete_marker, readable.backend_ids, readable.namespaces, readable.blob_keys, readable.verified
  FROM unnest($1::uuid[], $2::bytea[], $3::uuid[]) WITH ORDINALITY AS asked (bucket_id, key, version_id, position)
  LEFT JOIN buckets ON buckets.bucket_id = asked.bucket_id
  LEFT JOIN LATERAL (
       SELECT *
         FROM versions
        WHERE versions.bucket_id = asked.bucket_id
          AND versions.key = asked.key
          AND CASE WHEN asked.version_id IS NULL THEN is_null ELSE versions.version_id = asked.version_id AND NOT is_null END
        LIMIT 1
       ) AS versions ON true
  LEFT JOIN LATERAL (
       SELECT array_agg(backend_id) AS backend_ids, array_agg(namespace) AS namespaces, array_agg(blob_key) AS blob_keys,
              array_agg(is_verified) AS verified
         FROM (SELECT backend_id, namespace, blob_key, replicas.state = 'verified' AS is_verified
                 FROM replicas
                 JOIN backends USING (backend_id)
                WHERE replicas.bucket_id = versions.bucket_id
                  AND replicas.version_id = versions.version_id
                  AND replicas.state IN ('stored', 'verified')
                  AND backends.state <> 'disabled'
                  AND is_inside_lock(buckets.countries, buckets.jurisdictions, backends.country, backends.jurisdictions)
                ORDER BY is_verified DESC, cost, backend_id) AS in_order
       ) AS readable ON true
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
