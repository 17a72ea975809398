-- Statements of tenants, for the admin API.

-- name: insert_tenant
-- No row when the id is taken. $1 tenant, $2 name, $3 canonical id.
INSERT INTO tenants (tenant_id, name, canonical_id) VALUES ($1, $2, $3)
    ON CONFLICT (tenant_id) DO NOTHING
RETURNING tenant_id, name, canonical_id, state, created_at;

-- name: list_tenants
-- A page by id. $1 exclusive start, $2 limit.
SELECT tenant_id, name, canonical_id, state, created_at
  FROM tenants
 WHERE tenant_id > $1
 ORDER BY tenant_id
 LIMIT $2;

-- name: find_tenant
-- Its row stays until the transaction ends. $1 tenant.
SELECT tenant_id, name, canonical_id, state, created_at FROM tenants WHERE tenant_id = $1 FOR KEY SHARE;

-- name: update_tenant
-- NULL leaves a column as it is. $1 tenant, $2 name, $3 state.
UPDATE tenants
   SET name = coalesce($2, name), state = coalesce($3, state)
 WHERE tenant_id = $1
RETURNING tenant_id, name, canonical_id, state, created_at;

-- name: lock_tenants
-- Holds off new buckets until the transaction ends (their foreign key needs the row). $1 tenant, or NULL for all of them.
SELECT tenant_id FROM tenants WHERE tenant_id = $1 OR $1::text IS NULL ORDER BY tenant_id FOR UPDATE;
