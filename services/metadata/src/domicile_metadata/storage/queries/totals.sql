-- Statements that count how much is where, and show it.

-- name: find_bucket_to_count
-- One that was never counted, else the one that was counted first, if it is due. Counting what takes long is done less often.
-- $1 seconds, $2 how many times as long as the counting took must lie between.
(SELECT buckets.bucket_id, 0 AS turn, NULL::timestamptz AS counted_at
   FROM buckets
   LEFT JOIN bucket_counts USING (bucket_id)
  WHERE bucket_counts.bucket_id IS NULL
  LIMIT 1)
UNION ALL
(SELECT bucket_id, 1, counted_at
   FROM bucket_counts
  WHERE counted_at < now() - make_interval(secs => greatest($1::float8, seconds * $2::float8))
  ORDER BY counted_at
  LIMIT 1)
ORDER BY turn, counted_at
LIMIT 1;

-- name: count_versions
-- Those of a page. $1 bucket id, $2 exclusive start, $3 end.
SELECT count(*) AS versions, coalesce(sum(size), 0)::bigint AS bytes
  FROM versions
 WHERE bucket_id = $1 AND version_id > $2 AND version_id <= $3 AND NOT is_delete_marker;

-- name: count_copies
-- The good copies of the versions of a page, by backend. $1 bucket id, $2 exclusive start, $3 end.
SELECT backend_id, count(*) AS copies, count(*) FILTER (WHERE state = 'verified') AS verified, sum(versions.size)::bigint AS bytes
  FROM versions
  JOIN replicas USING (bucket_id, version_id)
 WHERE bucket_id = $1 AND version_id > $2 AND version_id <= $3 AND NOT is_delete_marker AND state IN ('stored', 'verified')
 GROUP BY backend_id;

-- name: put_count
-- Unless the bucket is gone. $1 bucket id, $2 versions, $3 bytes, $4 seconds.
INSERT INTO bucket_counts (bucket_id, versions, bytes, counted_at, seconds)
SELECT bucket_id, $2, $3, now(), $4 FROM buckets WHERE bucket_id = $1 FOR KEY SHARE
    ON CONFLICT (bucket_id) DO UPDATE
   SET versions = excluded.versions, bytes = excluded.bytes, counted_at = excluded.counted_at, seconds = excluded.seconds;

-- name: delete_totals
-- $1 bucket id.
DELETE FROM bucket_totals WHERE bucket_id = $1;

-- name: insert_totals
-- $1 bucket id, $2 backend ids, $3 copies, $4 verified ones, $5 bytes.
INSERT INTO bucket_totals (bucket_id, backend_id, copies, verified, bytes)
SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[]);

-- name: sum_buckets
-- $1 tenant or NULL.
SELECT count(*) AS buckets, count(DISTINCT tenant_id) AS tenants, coalesce(sum(versions), 0)::bigint AS versions,
       coalesce(sum(bytes), 0)::bigint AS bytes, min(counted_at) AS counted_at, count(*) FILTER (WHERE counted_at IS NULL) AS uncounted
  FROM buckets
  LEFT JOIN bucket_counts USING (bucket_id)
 WHERE tenant_id = $1 OR $1::text IS NULL;

-- name: sum_backends
-- All backends. $1 tenant or NULL.
SELECT backend_id, provider, country, jurisdictions, state, coalesce(copies, 0)::bigint AS copies, coalesce(verified, 0)::bigint AS verified,
       coalesce(bytes, 0)::bigint AS bytes
  FROM backends
  LEFT JOIN (SELECT backend_id, sum(copies) AS copies, sum(verified) AS verified, sum(bytes) AS bytes
               FROM bucket_totals
               JOIN buckets USING (bucket_id)
              WHERE tenant_id = $1 OR $1::text IS NULL
              GROUP BY backend_id) AS held USING (backend_id)
 ORDER BY backend_id;

-- name: browse_buckets
-- With what was counted. $1 tenant or NULL, $2 bucket name or NULL, $3 and $4 tenant and name to start behind, $5 limit.
SELECT tenant_id, name AS bucket, bucket_id, created_at, location, layout, versioning, object_lock, countries, jurisdictions,
       versions, bytes, counted_at,
       (SELECT coalesce(json_agg(json_build_object('backend_id', backend_id, 'copies', copies, 'verified', verified, 'bytes', bytes)
                                 ORDER BY backend_id), '[]')
          FROM bucket_totals WHERE bucket_totals.bucket_id = buckets.bucket_id)::text AS backends
  FROM buckets
  LEFT JOIN bucket_counts USING (bucket_id)
 WHERE (tenant_id, name) > ($3::text, $4::text)
   AND (tenant_id = $1 OR $1::text IS NULL)
   AND (name = $2 OR $2::text IS NULL)
 ORDER BY tenant_id, name
 LIMIT $5;
