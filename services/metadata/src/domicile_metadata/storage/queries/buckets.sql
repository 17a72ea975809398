-- Statements of logical buckets.

-- name: find_bucket_by_name
-- With all backends. $1 tenant, $2 name.
SELECT * FROM described_buckets CROSS JOIN backend_list WHERE tenant_id = $1 AND name = $2;

-- name: find_described_bucket
-- A bucket with its owner and its settings (an object by setting). $1 tenant, $2 name.
SELECT described_buckets.*, backend_list.*, tenants.name AS owner_name, tenants.canonical_id AS owner_id, tenants.state AS owner_state, rates,
       (SELECT json_object_agg(setting, document) FROM bucket_settings WHERE bucket_settings.bucket_id = described_buckets.bucket_id)
       AS settings
  FROM described_buckets
  JOIN tenants USING (tenant_id)
  LEFT JOIN rates USING (tenant_id)
 CROSS JOIN backend_list
 WHERE described_buckets.tenant_id = $1 AND described_buckets.name = $2;

-- name: find_namesakes
-- The same for every tenant's bucket of this name, as far as its owner is active. $1 name, $2 limit.
SELECT described_buckets.*, backend_list.*, tenants.name AS owner_name, tenants.canonical_id AS owner_id, tenants.state AS owner_state, rates,
       (SELECT json_object_agg(setting, document) FROM bucket_settings WHERE bucket_settings.bucket_id = described_buckets.bucket_id)
       AS settings
  FROM described_buckets
  JOIN tenants USING (tenant_id)
  LEFT JOIN rates USING (tenant_id)
 CROSS JOIN backend_list
 WHERE described_buckets.name = $1 AND tenants.state = 'active'
 LIMIT $2;

-- name: find_cors
-- The rules for web pages of every bucket of this name that has some, as far as its owner is active. $1 name, $2 limit.
SELECT document
  FROM buckets
  JOIN bucket_settings USING (bucket_id)
  JOIN tenants USING (tenant_id)
 WHERE buckets.name = $1 AND setting = 'cors' AND state = 'active'
 LIMIT $2;

-- name: lock_name
-- Nobody else makes a bucket of this name until the transaction ends. $1 name.
SELECT pg_advisory_xact_lock(hashtextextended($1, 0));

-- name: is_name_taken
-- Whether another tenant has a bucket of this name. $1 name, $2 tenant.
SELECT EXISTS (SELECT FROM buckets WHERE name = $1 AND tenant_id <> $2);

-- name: find_name_used_twice
-- One, if there is any.
SELECT name FROM buckets GROUP BY name HAVING count(*) > 1 LIMIT 1;

-- name: lock_bucket_by_id
-- Holds off other changes of its settings, but no reads nor writes of objects, until the transaction ends. $1 bucket id.
SELECT tenant_id, name FROM buckets WHERE bucket_id = $1 FOR NO KEY UPDATE;

-- name: put_setting
-- $1 bucket id, $2 setting, $3 document.
INSERT INTO bucket_settings (bucket_id, setting, document) VALUES ($1, $2, $3)
    ON CONFLICT (bucket_id, setting) DO UPDATE SET document = excluded.document, changed_at = now();

-- name: delete_settings
-- $1 bucket id, $2 settings.
DELETE FROM bucket_settings WHERE bucket_id = $1 AND setting = ANY ($2::text[]);

-- name: find_setting
-- $1 bucket id, $2 setting.
SELECT document FROM bucket_settings WHERE bucket_id = $1 AND setting = $2;

-- name: find_buckets_by_id
-- Those that exist, with all backends. $1 bucket ids.
SELECT described_buckets.*, backend_list.*,
       EXISTS (SELECT FROM limits
                WHERE limits.tenant_id = described_buckets.tenant_id AND num_nonnulls(limits.bytes, limits.objects) > 0) AS has_quota
  FROM described_buckets
 CROSS JOIN backend_list
 WHERE bucket_id = ANY ($1::uuid[]);

-- name: find_outer_policies
-- The policy levels above a new bucket, outermost first. $1 tenant.
SELECT DISTINCT ON (level) policy_version, document::text AS document
  FROM policies
 WHERE (level, subject) IN (('default', ''), ('tenant', $1))
 ORDER BY level, policy_version DESC;

-- name: count_buckets
-- How many buckets a tenant has, counted up to a limit. $1 tenant, $2 limit.
SELECT count(*) FROM (SELECT FROM buckets WHERE tenant_id = $1 LIMIT $2) AS counted;

-- name: insert_bucket
-- $1 bucket id, $2 tenant, $3 name, $4 location, $5 countries, $6 jurisdictions, $7 layout, $8 with object lock or not.
INSERT INTO buckets (bucket_id, tenant_id, name, location, countries, jurisdictions, layout, object_lock, versioning)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN $8 THEN 'enabled' ELSE 'off' END);

-- name: put_versioning
-- Answers whose bucket it is. $1 bucket id, $2 versioning.
UPDATE buckets SET versioning = $2 WHERE bucket_id = $1 RETURNING tenant_id, name;

-- name: put_lock_configuration
-- Answers whose bucket it is. $1 bucket id, $2 mode (NULL: no default retention), $3 days, $4 years.
UPDATE buckets
   SET object_lock = true, default_retention_mode = $2, default_retention_days = $3, default_retention_years = $4
 WHERE bucket_id = $1
RETURNING tenant_id, name;

-- name: find_bucket_tags
-- $1 bucket id.
SELECT tags FROM buckets WHERE bucket_id = $1;

-- name: put_bucket_tags
-- $1 bucket id, $2 tags (NULL: none).
UPDATE buckets SET tags = $2 WHERE bucket_id = $1;

-- name: insert_bucket_policy
-- The version that it got. $1 bucket id as text, $2 document.
INSERT INTO policies (level, subject, document) VALUES ('bucket', $1, $2) RETURNING policy_version;

-- name: insert_namespaces
-- Proposes physical names; one that another bucket has at the backend is left out, as is one for a backend that has its name already.
-- $1 tenant, $2 bucket name, $3 backend ids, $4 counter, $5 names.
INSERT INTO namespaces (tenant_id, bucket, backend_id, counter, namespace)
SELECT $1, $2, proposed.backend_id, $4, proposed.namespace
  FROM unnest($3::text[], $5::text[]) AS proposed (backend_id, namespace)
    ON CONFLICT DO NOTHING;

-- name: list_namespaces
-- $1 tenant, $2 bucket name.
SELECT backend_id, namespace FROM namespaces WHERE tenant_id = $1 AND bucket = $2;

-- name: lock_bucket
-- Holds new intents, versions and replicas of the bucket off until the transaction ends. $1 tenant, $2 name.
SELECT bucket_id FROM buckets WHERE tenant_id = $1 AND name = $2 FOR UPDATE;

-- name: is_bucket_used
-- Whether versions are left. $1 bucket id.
SELECT EXISTS (SELECT FROM versions WHERE bucket_id = $1);

-- name: delete_bucket
-- Whose it was is kept for the removals that it still owes. $1 bucket id.
WITH deleted AS (
    DELETE FROM buckets WHERE bucket_id = $1 RETURNING bucket_id, tenant_id, name
)
INSERT INTO former_buckets (bucket_id, tenant_id, name) SELECT * FROM deleted;

-- name: list_buckets
-- A page of a tenant's buckets by name. $1 tenant, $2 prefix, $3 exclusive start, $4 limit. Names are ASCII, so U+10FFFF sorts behind all.
SELECT name, created_at, location
  FROM buckets
 WHERE tenant_id = $1
   AND name >= $2
   AND name < $2 || U&'\+10FFFF'
   AND name > $3
 ORDER BY name
 LIMIT $4;

-- name: insert_invalidation
-- $1 events.Invalidation.
INSERT INTO outbox (routing_key, payload) VALUES ('invalidate', $1);
