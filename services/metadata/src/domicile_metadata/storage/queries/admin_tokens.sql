-- Statements of tokens of the admin API.

-- name: insert_token
-- $1 token id, $2 token's hash, $3 proof, $4 name, $5 role, $6 tenant (NULL: none), $7 now, $8 expiry.
INSERT INTO tokens (token_id, token_hash, proof, name, role, tenant_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
RETURNING token_id, name, role, tenant_id, created_at, expires_at, last_used_at, revoked_at;

-- name: list_tokens
-- A page by id, of one tenant or ($3 NULL) all. $1 exclusive start, $2 limit.
SELECT token_id, name, role, tenant_id, created_at, expires_at, last_used_at, revoked_at
  FROM tokens
 WHERE token_id > $1
   AND (tenant_id = $3 OR $3::text IS NULL)
 ORDER BY token_id
 LIMIT $2;

-- name: find_token
-- One that goes on; a tenant's goes on with the tenant. $1 token's hash, $2 now.
SELECT token_id, token_hash, proof, role, tokens.tenant_id, expires_at, last_used_at
  FROM tokens
  LEFT JOIN tenants ON tenants.tenant_id = tokens.tenant_id
 WHERE token_hash = $1
   AND revoked_at IS NULL
   AND expires_at > $2
   AND (tokens.tenant_id IS NULL OR tenants.state = 'active');

-- name: note_token_use
-- $1 token id, $2 now, $3 proof.
UPDATE tokens SET last_used_at = greatest(last_used_at, $2), proof = $3 WHERE token_id = $1;

-- name: revoke_token
-- No row when there is none such, of this tenant or ($3 NULL) of anybody. $1 token id, $2 now.
UPDATE tokens
   SET revoked_at = coalesce(revoked_at, $2)
 WHERE token_id = $1
   AND (tenant_id = $3 OR $3::text IS NULL)
RETURNING token_id, name, role, tenant_id, created_at, expires_at, last_used_at, revoked_at;
