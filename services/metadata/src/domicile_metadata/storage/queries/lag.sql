-- Statements that measure what is owed. They read nothing but indexes of what is owed.

-- name: measure_backends
-- What each backend is owed. Ages in seconds.
SELECT backends.backend_id, coalesce(owed.copies, 0)::bigint AS copies, coalesce(owed.bytes, 0)::bigint AS bytes,
       coalesce(extract(epoch FROM now() - owed.oldest), 0)::float8 AS oldest_seconds, coalesce(owed.retried, 0)::bigint AS retried,
       coalesce(owed.late, 0)::bigint AS late, coalesce(parked.jobs, 0) AS parked, coalesce(removals.blobs, 0) AS removals,
       coalesce(extract(epoch FROM now() - removals.oldest), 0)::float8 AS oldest_removal_seconds
  FROM backends
  LEFT JOIN (SELECT backend_id, sum(copies) AS copies, sum(bytes) AS bytes, min(oldest) AS oldest, sum(retried) AS retried, sum(late) AS late
               FROM owed_copies GROUP BY backend_id) AS owed USING (backend_id)
  LEFT JOIN (SELECT backend_id, count(*) AS jobs
               FROM replicas WHERE parked_reason IS NOT NULL GROUP BY backend_id) AS parked USING (backend_id)
  LEFT JOIN (SELECT backend_id, count(*) AS blobs, min(changed_at) AS oldest
               FROM replicas WHERE state = 'deleting' GROUP BY backend_id) AS removals USING (backend_id)
 ORDER BY backends.backend_id;

-- name: measure_outbox
-- Messages that are due, and for how many seconds the oldest.
SELECT count(*) AS messages, coalesce(extract(epoch FROM now() - min(available_at)), 0)::float8 AS oldest_seconds
  FROM outbox
 WHERE available_at <= now();

-- name: list_owing_buckets
-- Those that are furthest behind first. $1 tenant or NULL, $2 bucket name or NULL, $3 limit.
SELECT tenant_id, bucket, sum(copies)::bigint AS copies, sum(bytes)::bigint AS bytes,
       extract(epoch FROM now() - min(oldest))::float8 AS oldest_seconds, rpo_seconds, sum(late)::bigint AS late
  FROM owed_copies
 WHERE (tenant_id = $1 OR $1::text IS NULL)
   AND (bucket = $2 OR $2::text IS NULL)
 GROUP BY tenant_id, bucket, rpo_seconds
 ORDER BY late DESC, oldest_seconds DESC, tenant_id, bucket
 LIMIT $3;

-- name: measure_recent_copies
-- How long the copies of a bucket's newest versions took from the commit until they were verified, without those that the client's own bytes
-- made. $1 tenant, $2 bucket name, $3 how many versions. No row for an unknown bucket.
SELECT rpo_seconds(buckets.tenant_id, buckets.bucket_id) AS rpo_seconds, count(seconds) AS copies,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50, percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds) AS p99
  FROM buckets
  LEFT JOIN LATERAL (
       SELECT extract(epoch FROM replicas.changed_at - newest.committed_at)::float8 AS seconds
         FROM (SELECT version_id, committed_at, decision
                 FROM versions WHERE versions.bucket_id = buckets.bucket_id ORDER BY version_id DESC LIMIT $3) AS newest
         JOIN replicas ON replicas.bucket_id = buckets.bucket_id AND replicas.version_id = newest.version_id
        WHERE replicas.state = 'verified' AND NOT newest.decision -> 'write' ? replicas.backend_id) AS recent ON true
 WHERE tenant_id = $1 AND name = $2
 GROUP BY buckets.tenant_id, buckets.bucket_id;
