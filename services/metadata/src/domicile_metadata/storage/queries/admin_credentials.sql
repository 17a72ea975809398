-- Statements of access keys, for the admin API.

-- name: insert_credential
-- No row when the access key is taken. $1 access key, $2 tenant, $3 sealed secret, $4 access, $5 expiry or NULL.
INSERT INTO credentials (access_key, tenant_id, sealed_secret, access, expires_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (access_key) DO NOTHING
RETURNING access_key, tenant_id, access, state, created_at, expires_at;

-- name: lock_credential
-- With its sealed secret; unchanged until the transaction ends. $1 access key.
SELECT access_key, tenant_id, access, state, created_at, expires_at, sealed_secret
  FROM credentials
 WHERE access_key = $1
   FOR UPDATE;

-- name: list_credentials
-- A page by access key, without secrets. $1 tenant or NULL, $2 exclusive start, $3 limit.
SELECT access_key, tenant_id, access, state, created_at, expires_at
  FROM credentials
 WHERE (tenant_id = $1 OR $1::text IS NULL)
   AND access_key > $2
 ORDER BY access_key
 LIMIT $3;

-- name: set_credential_state
-- $1 access key, $2 state.
UPDATE credentials
   SET state = $2
 WHERE access_key = $1
RETURNING access_key, tenant_id, access, state, created_at, expires_at;

-- name: expire_credential
-- Never later than it expires already. $1 access key, $2 instant.
UPDATE credentials SET expires_at = least(expires_at, $2) WHERE access_key = $1;

-- name: list_sealed_credentials
-- What may have to be sealed anew, a page by access key. $1 exclusive start, $2 limit.
SELECT access_key, sealed_secret FROM credentials WHERE access_key > $1 ORDER BY access_key LIMIT $2;

-- name: reseal_credential
-- Unless it was changed meanwhile. $1 access key, $2 sealed secret before, $3 after.
UPDATE credentials SET sealed_secret = $3 WHERE access_key = $1 AND sealed_secret = $2;
