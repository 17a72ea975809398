-- Statements of what tenants may use and do use.

-- name: find_limits
-- $1 tenant.
SELECT bytes, objects, buckets, requests_per_second, bytes_per_second, concurrent_requests FROM limits WHERE tenant_id = $1;

-- name: put_limits
-- $1 tenant, $2 bytes, $3 objects, $4 buckets, $5 requests a second, $6 bytes a second, $7 concurrent requests.
INSERT INTO limits (tenant_id, bytes, objects, buckets, requests_per_second, bytes_per_second, concurrent_requests)
VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (tenant_id) DO UPDATE
   SET bytes = excluded.bytes, objects = excluded.objects, buckets = excluded.buckets, requests_per_second = excluded.requests_per_second,
       bytes_per_second = excluded.bytes_per_second, concurrent_requests = excluded.concurrent_requests;

-- name: find_usage
-- $1 tenant.
SELECT coalesce(max(current_usage.bytes), 0), coalesce(max(current_usage.objects), 0),
       (SELECT count(*) FROM buckets WHERE tenant_id = $1)
  FROM current_usage
 WHERE tenant_id = $1;

-- name: find_quota
-- The owner of a bucket, if it has a quota of bytes or objects. $1 bucket id.
SELECT tenant_id
  FROM buckets
  JOIN limits USING (tenant_id)
 WHERE bucket_id = $1 AND num_nonnulls(limits.bytes, limits.objects) > 0;

-- name: hold_quotas
-- Until the transaction ends nobody else passes here for these tenants, and whoever waits sees afterwards what this one has used. In the
-- order of the locks, so that nobody waits in a circle. $1 tenants.
SELECT pg_advisory_xact_lock(lock)
  FROM (SELECT DISTINCT hashtextextended('quota ' || tenant_id, 0) AS lock FROM unnest($1::text[]) AS held (tenant_id) ORDER BY lock) AS in_order;

-- name: find_rooms
-- The quotas of tenants, what they use, and what of that this transaction has added so far. $1 tenants.
SELECT limits.tenant_id, limits.bytes, limits.objects, coalesce(used.bytes, 0) AS used_bytes, coalesce(used.objects, 0) AS used_objects,
       coalesce(own.bytes, 0)::bigint AS own_bytes, coalesce(own.objects, 0)::bigint AS own_objects
  FROM limits
  LEFT JOIN (SELECT * FROM current_usage WHERE tenant_id = ANY ($1::text[])) AS used USING (tenant_id)
  LEFT JOIN (SELECT tenant_id, sum(bytes) AS bytes, sum(objects) AS objects
               FROM usage_changes
              WHERE tenant_id = ANY ($1::text[]) AND xmin = pg_current_xact_id()::xid
              GROUP BY tenant_id) AS own USING (tenant_id)
 WHERE limits.tenant_id = ANY ($1::text[]);

-- name: find_replaced
-- The size of the null version that a write to this key would replace. $1 bucket id, $2 key.
SELECT size
  FROM versions
  JOIN buckets USING (bucket_id)
 WHERE versions.bucket_id = $1 AND key = $2 AND is_null AND NOT is_delete_marker AND versioning <> 'enabled'
 LIMIT 1;

-- name: fold_usage
WITH folded AS (
    DELETE FROM usage_changes RETURNING tenant_id, bytes, objects
)
INSERT INTO usage (tenant_id, bytes, objects)
SELECT tenant_id, sum(bytes), sum(objects) FROM folded GROUP BY tenant_id
    ON CONFLICT (tenant_id) DO UPDATE SET bytes = usage.bytes + excluded.bytes, objects = usage.objects + excluded.objects;
