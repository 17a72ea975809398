-- Statements of sessions of people who have signed in.

-- name: insert_session
-- No row when the login was used before. $1 token's hash, $2 access key or NULL, $3 proof, $4 login or NULL, $5 expiry,
-- $6 id of the token that it began with, or NULL.
INSERT INTO sessions (token_hash, access_key, proof, login, expires_at, token_id) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (login) DO NOTHING
RETURNING true;

-- name: find_session
-- One that goes on, with its tenant if that and its key or token are active. $1 token's hash, $2 now.
SELECT sessions.proof, sessions.expires_at, sessions.access_key, tenants.tenant_id, credentials.access, sessions.token_id, tokens.role
  FROM sessions
  LEFT JOIN credentials ON credentials.access_key = sessions.access_key
                       AND credentials.state = 'active'
                       AND (credentials.expires_at IS NULL OR credentials.expires_at > $2)
  LEFT JOIN tokens ON tokens.token_id = sessions.token_id AND tokens.revoked_at IS NULL AND tokens.expires_at > $2
  LEFT JOIN tenants ON tenants.tenant_id = coalesce(credentials.tenant_id, tokens.tenant_id) AND tenants.state = 'active'
 WHERE sessions.token_hash = $1
   AND NOT ended
   AND sessions.expires_at > $2
   AND (sessions.access_key IS NULL OR tenants.tenant_id IS NOT NULL)
   AND (sessions.token_id IS NULL OR tokens.role IN ('operator', 'auditor') OR tenants.tenant_id IS NOT NULL);

-- name: end_session
-- $1 token's hash.
UPDATE sessions SET ended = true WHERE token_hash = $1;

-- name: delete_expired_sessions
-- $1 now.
DELETE FROM sessions WHERE expires_at <= $1;
