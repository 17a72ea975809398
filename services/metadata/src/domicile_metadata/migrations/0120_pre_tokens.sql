-- Tokens of the admin API, beside the admin key. A token is random; only its SHA-256 is here.
CREATE TABLE tokens (
    token_id     text PRIMARY KEY,                                             -- what lists and the audit log call it
    token_hash   bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    proof        bytea NOT NULL,                                               -- made with the admin key: without it no row makes a token
    name         text NOT NULL,
    role         text NOT NULL CHECK (role IN ('operator', 'auditor', 'tenant_admin')),
    tenant_id    text REFERENCES tenants,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    CHECK ((role = 'tenant_admin') = (tenant_id IS NOT NULL))
);
CREATE INDEX tokens_by_tenant ON tokens (tenant_id, token_id);

-- A session that was begun with a token ends with it.
ALTER TABLE sessions ADD COLUMN token_id text REFERENCES tokens;
