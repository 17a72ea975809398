-- Statements of policies, for the admin API.

-- name: find_policy
-- The current row of one level. $1 level, $2 subject.
SELECT policy_version, document::text AS document
  FROM policies
 WHERE level = $1 AND subject = $2
 ORDER BY policy_version DESC
 LIMIT 1;

-- name: insert_policy
-- Its version. $1 level, $2 subject, $3 document.
INSERT INTO policies (level, subject, document) VALUES ($1, $2, $3) RETURNING policy_version;

-- name: list_tenant_policies
-- The current policy of each tenant that has one.
SELECT DISTINCT ON (subject) subject AS tenant_id, document::text AS document
  FROM policies
 WHERE level = 'tenant'
 ORDER BY subject, policy_version DESC;

-- name: lock_buckets
-- Holds writes to these buckets off until the transaction ends, and waits for those under way. $1 tenant, or NULL for everybody's;
-- $2 bucket name, or NULL for all.
SELECT bucket_id
  FROM buckets
 WHERE (tenant_id = $1 OR $1::text IS NULL)
   AND (name = $2 OR $2::text IS NULL)
 ORDER BY bucket_id
   FOR UPDATE;

-- name: bind_bucket
-- $1 bucket id, $2 countries, $3 jurisdictions (NULL: no lock), $4 layout.
UPDATE buckets SET countries = $2, jurisdictions = $3, layout = $4 WHERE bucket_id = $1;

-- name: list_bucket_levels
-- Policy levels of buckets, those that are alike together: how many buckets, and the names of some. $1 how many names, $2 tenant or NULL.
SELECT policies, count(*) AS buckets, (array_agg(tenant_id || '/' || name ORDER BY tenant_id, name))[1:$1] AS names
  FROM described_buckets
 WHERE tenant_id = $2 OR $2::text IS NULL
 GROUP BY policies
 ORDER BY names;
