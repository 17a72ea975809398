-- Statements of access keys and backends, as proxies and workers look them up.

-- name: find_live_credential
-- An access key with its owner, if both are active and it has not expired. $1 access key.
SELECT access_key, sealed_secret, access, expires_at, tenants.tenant_id, tenants.name, tenants.canonical_id, rates
  FROM credentials
  JOIN tenants USING (tenant_id)
  LEFT JOIN rates USING (tenant_id)
 WHERE access_key = $1
   AND credentials.state = 'active'
   AND tenants.state = 'active'
   AND (expires_at IS NULL OR expires_at > now());

-- name: find_tenants_by_canonical_id
-- Those that exist. $1 canonical ids.
SELECT tenant_id, name, canonical_id, state FROM tenants WHERE canonical_id = ANY ($1::text[]);

-- name: list_all_backends
-- Every backend; the columns stand in the order of model.Backend.
SELECT backend_id, provider, endpoint, country, jurisdictions, access_key, sealed_secret, region, addressing, quirks, state, cost,
       paused, job_limit, bytes_per_second, requests_per_second, capabilities::text
  FROM backends
 ORDER BY backend_id;
