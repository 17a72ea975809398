-- Statements of erasure certificates. Everywhere, the subject is: $1 tenant, $2 bucket name (NULL: all), $3 key (NULL: any), $4 prefix (NULL: any).

-- name: hold_snapshot
-- All statements of this transaction see the same record.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- name: count_erasure
-- What is left of a subject, and what is not known of it.
SELECT (SELECT ARRAY[count(*) FILTER (WHERE NOT is_delete_marker), count(*) FILTER (WHERE is_delete_marker),
                     coalesce(sum(size), 0)::bigint]
          FROM versions
          JOIN buckets USING (bucket_id)
         WHERE tenant_id = $1 AND ($2::text IS NULL OR name = $2)
           AND ($3::bytea IS NULL OR key = $3) AND ($4::bytea IS NULL OR substring(key FOR length($4)) = $4)) AS present,
       (SELECT count(*)
          FROM intents
          JOIN buckets USING (bucket_id)
         WHERE tenant_id = $1 AND ($2::text IS NULL OR name = $2)
           AND ($3::bytea IS NULL OR key = $3) AND ($4::bytea IS NULL OR substring(key FOR length($4)) = $4)) AS unfinished,
       (SELECT count(*)
          FROM removals
         WHERE tenant_id = $1 AND ($2::text IS NULL OR bucket = $2) AND NOT is_confirmed
           AND ($3::bytea IS NULL OR key = $3) AND ($4::bytea IS NULL OR substring(key FOR length($4)) = $4)) AS unconfirmed,
       (SELECT count(*)
          FROM removals
         WHERE tenant_id = $1 AND ($2::text IS NULL OR bucket = $2) AND key IS NULL AND num_nonnulls($3, $4) > 0)
     + (SELECT count(*)
          FROM jobs
          JOIN homes USING (bucket_id)
          LEFT JOIN versions USING (bucket_id, version_id)
         WHERE action = 'remove' AND tenant_id = $1 AND ($2::text IS NULL OR bucket = $2)
           AND jobs.key IS NULL AND versions.key IS NULL AND num_nonnulls($3, $4) > 0) AS unattributed,
       (SELECT count(*)
          FROM findings
         WHERE tenant_id = $1 AND ($2::text IS NULL OR bucket = $2) AND resolved_at IS NULL
           AND kind IN ('unknown', 'orphaned', 'upload')) AS unexplained;

-- name: list_erased
-- A page of what is gone. $5 exclusive start, $6 limit.
SELECT removal_id, removed_at, bucket, key, version_id, backend_id, provider, country, namespace, blob_key, is_confirmed
  FROM removals
 WHERE tenant_id = $1 AND ($2::text IS NULL OR bucket = $2)
   AND ($3::bytea IS NULL OR key = $3) AND ($4::bytea IS NULL OR substring(key FOR length($4)) = $4)
   AND removal_id > $5
 ORDER BY removal_id
 LIMIT $6;

-- name: list_owed_removals
-- $5 limit.
SELECT bucket, coalesce(jobs.key, versions.key) AS key, version_id, backend_id, provider, country, namespace, blob_key,
       jobs.changed_at AS since, next_attempt_at, coalesce(parked_reason, '') AS parked_reason
  FROM jobs
  JOIN homes USING (bucket_id)
  JOIN backends USING (backend_id)
  LEFT JOIN versions USING (bucket_id, version_id)
 WHERE action = 'remove'
   AND tenant_id = $1 AND ($2::text IS NULL OR bucket = $2)
   AND ($3::bytea IS NULL OR coalesce(jobs.key, versions.key) = $3)
   AND ($4::bytea IS NULL OR substring(coalesce(jobs.key, versions.key) FOR length($4)) = $4)
 ORDER BY jobs.changed_at, bucket_id, version_id, backend_id
 LIMIT $5;

-- name: list_left
-- Blobs whose removal an operator has given up, and which were not removed later. $5 limit.
SELECT bucket, key, version_id, backend_id, provider, country, namespace, blob_key, dropped_at, reason
  FROM dropped_jobs
 WHERE action = 'remove'
   AND tenant_id = $1 AND ($2::text IS NULL OR bucket = $2)
   AND ($3::bytea IS NULL OR key = $3) AND ($4::bytea IS NULL OR substring(key FOR length($4)) = $4)
   AND NOT EXISTS (SELECT FROM removals
                    WHERE removals.bucket_id = dropped_jobs.bucket_id
                      AND removals.version_id = dropped_jobs.version_id
                      AND removals.backend_id = dropped_jobs.backend_id
                      AND removals.blob_key = dropped_jobs.blob_key
                      AND removals.removed_at > dropped_jobs.dropped_at)
 ORDER BY drop_id
 LIMIT $5;
