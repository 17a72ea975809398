-- Statements of the workbench for jobs.

-- name: count_jobs
-- How many replicas each backend is owed, and how many are parked.
SELECT backend_id, count(*) FILTER (WHERE parked_reason IS NULL) AS owed, count(*) FILTER (WHERE parked_reason IS NOT NULL) AS parked
  FROM jobs
 GROUP BY backend_id
 ORDER BY backend_id;

-- name: list_jobs
-- A page, oldest first. Filters, NULL for any: $1 parked or not, $2 backend, $3 tenant, $4 bucket name, $5 action, $6 error class, $7 bucket
-- id, $8 version id. $9 limit. Exclusive start: $10 since when, $11 bucket id, $12 version id, $13 backend.
SELECT bucket_id, version_id, backend_id, tenant_id, bucket, coalesce(jobs.key, versions.key) AS key, action, lane, state, stamped, attempt,
       changed_at, next_attempt_at, parked_reason, error_class, namespace, blob_key, coalesce(failures, '[]')::text AS failures
  FROM jobs
  JOIN homes USING (bucket_id)
  LEFT JOIN versions USING (bucket_id, version_id)
 WHERE ($1::boolean IS NULL OR (parked_reason IS NOT NULL) = $1)
   AND ($2::text IS NULL OR backend_id = $2)
   AND ($3::text IS NULL OR tenant_id = $3)
   AND ($4::text IS NULL OR bucket = $4)
   AND ($5::text IS NULL OR action = $5)
   AND ($6::text IS NULL OR error_class = $6)
   AND ($7::uuid IS NULL OR bucket_id = $7)
   AND ($8::uuid IS NULL OR version_id = $8)
   AND ($10::timestamptz IS NULL OR (changed_at, bucket_id, version_id, backend_id) > ($10, $11::uuid, $12::uuid, $13::text))
 ORDER BY changed_at, bucket_id, version_id, backend_id
 LIMIT $9;

-- name: hold_parked
-- Those of these replicas that are parked, until the transaction ends; with how many other good copies their version has.
-- $1 bucket ids, $2 version ids, $3 backend ids.
SELECT replicas.bucket_id, replicas.version_id, replicas.backend_id,
       CASE WHEN state = 'deleting' THEN 'remove' WHEN state IN ('wanted', 'lost') THEN 'copy' ELSE 'stamp' END AS action,
       (SELECT count(*)
          FROM replicas AS other
          JOIN backends USING (backend_id)
         WHERE other.bucket_id = replicas.bucket_id
           AND other.version_id = replicas.version_id
           AND other.backend_id <> replicas.backend_id
           AND other.state IN ('stored', 'verified')
           AND backends.state <> 'lost') AS others
  FROM replicas
  JOIN unnest($1::uuid[], $2::uuid[], $3::text[]) AS asked (bucket_id, version_id, backend_id) USING (bucket_id, version_id, backend_id)
 WHERE parked_reason IS NOT NULL
 ORDER BY replicas.bucket_id, replicas.version_id, replicas.backend_id
   FOR UPDATE OF replicas;

-- name: replay_parked
-- Parked replicas begin anew, and are seen by the reconciler. $1 bucket ids, $2 version ids, $3 backend ids.
UPDATE replicas
   SET parked_reason = NULL, attempt = 0, next_attempt_at = now()
  FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS row (bucket_id, version_id, backend_id)
 WHERE replicas.bucket_id = row.bucket_id
   AND replicas.version_id = row.version_id
   AND replicas.backend_id = row.backend_id;

-- name: note_drops
-- Before they are carried out. $1 bucket ids, $2 version ids, $3 backend ids, $4 the operator's reason.
INSERT INTO dropped_jobs
       (action, reason, parked_reason, tenant_id, bucket_id, bucket, key, version_id, backend_id, provider, country, namespace, blob_key)
SELECT action, $4, parked_reason, tenant_id, bucket_id, bucket, coalesce(jobs.key, versions.key), version_id, backend_id, provider, country,
       namespace, blob_key
  FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS dropped (bucket_id, version_id, backend_id)
  JOIN jobs USING (bucket_id, version_id, backend_id)
  JOIN homes USING (bucket_id)
  JOIN backends USING (backend_id)
  LEFT JOIN versions USING (bucket_id, version_id);

-- name: forget_removals
-- The blobs stay. Versions that wait for them are looked at again. $1 bucket ids, $2 version ids, $3 backend ids.
WITH forgotten AS (
    DELETE FROM replicas
     USING unnest($1::uuid[], $2::uuid[], $3::text[]) AS row (bucket_id, version_id, backend_id)
     WHERE replicas.bucket_id = row.bucket_id
       AND replicas.version_id = row.version_id
       AND replicas.backend_id = row.backend_id
    RETURNING replicas.bucket_id, replicas.version_id
)
UPDATE unsettled_versions
   SET due_at = now()
  FROM forgotten
 WHERE unsettled_versions.bucket_id = forgotten.bucket_id
   AND unsettled_versions.version_id = forgotten.version_id;

-- name: list_drops
-- A page, latest first. $1 tenant or NULL, $2 bucket name or NULL, $3 exclusive end, $4 limit.
SELECT drop_id, dropped_at, action, reason, parked_reason, tenant_id, bucket_id, bucket, key, version_id, backend_id, namespace, blob_key
  FROM dropped_jobs
 WHERE ($1::text IS NULL OR tenant_id = $1)
   AND ($2::text IS NULL OR bucket = $2)
   AND drop_id < $3
 ORDER BY drop_id DESC
 LIMIT $4;

-- name: count_parked
-- By backend, of all that are registered.
SELECT backends.backend_id, count(replicas.backend_id) AS parked
  FROM backends
  LEFT JOIN replicas ON replicas.backend_id = backends.backend_id AND parked_reason IS NOT NULL
 GROUP BY backends.backend_id;

-- name: find_parked
-- Which of these are parked. $1 bucket ids, $2 version ids, $3 backend ids.
SELECT bucket_id, version_id, backend_id
  FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS asked (bucket_id, version_id, backend_id)
  JOIN replicas USING (bucket_id, version_id, backend_id)
 WHERE parked_reason IS NOT NULL;
