-- What was done through the admin API, and what was refused there: one row an action, never changed, never removed.
-- hash: SHA-256 over the row with the hash of the row before (domain/audit.py); seq has no gaps. So whatever is changed, removed or put
-- between shows. status, code: of the answer. tenant_id: whom it was about, where the request named a tenant.
CREATE TABLE audit (
    seq        bigint PRIMARY KEY,
    at         timestamptz NOT NULL,
    kind       text NOT NULL,
    actor      text NOT NULL,
    role       text NOT NULL,
    tenant_id  text,
    action     text NOT NULL,
    target     text NOT NULL,
    status     integer NOT NULL,
    code       text NOT NULL,
    request_id text NOT NULL,
    previous   bytea NOT NULL CHECK (length(previous) = 32),
    hash       bytea NOT NULL CHECK (length(hash) = 32)
);
CREATE INDEX audit_by_tenant ON audit (tenant_id, seq) WHERE tenant_id IS NOT NULL;
CREATE INDEX audit_by_actor ON audit (actor, seq);

CREATE FUNCTION refuse_rewriting_of_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only ever added to' USING ERRCODE = 'insufficient_privilege', TABLE = 'audit';
END
$$;
CREATE TRIGGER audit_is_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting_of_audit();

-- The owner as well: it would have to take the right back first, which is seen.
REVOKE ALL ON audit FROM PUBLIC;
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON audit FROM %I', current_user);
END
$$;
