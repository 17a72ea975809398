-- Who has signed in at the discovery service. A token is random; only its SHA-256 is here.
CREATE TABLE sessions (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    access_key text REFERENCES credentials ON DELETE CASCADE, -- NULL: an operator
    proof      bytea NOT NULL,                                -- made with the admin key: without it no row makes a session
    login      bytea UNIQUE,                                  -- SHA-256 of the signature that a tenant signed in with: it serves once
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended      boolean NOT NULL DEFAULT false                 -- kept until it expires, so that its login cannot be used again
);
CREATE INDEX sessions_expired ON sessions (expires_at);
CREATE INDEX sessions_by_credential ON sessions (access_key) WHERE access_key IS NOT NULL;
