-- Physical buckets that are out of use for good, since their logical bucket is gone with everything in them (docs/adr/0052). Whoever makes a
-- bucket of that name again gets another physical name: so whoever removes one of these, however late, harms nobody.
-- removed_at: when it was gone at its backend. NULL: it is still to be removed.
CREATE TABLE retired_namespaces (
    backend_id text NOT NULL REFERENCES backends,
    namespace  text NOT NULL,
    tenant_id  text NOT NULL REFERENCES tenants,
    bucket     text NOT NULL,
    counter    integer NOT NULL,
    created_at timestamptz NOT NULL,
    retired_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz,
    PRIMARY KEY (backend_id, namespace)
);
CREATE INDEX retired_namespaces_by_bucket ON retired_namespaces (tenant_id, bucket);

CREATE FUNCTION refuse_retired_namespace() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM retired_namespaces WHERE backend_id = NEW.backend_id AND namespace = NEW.namespace) THEN
        RETURN NULL; -- as a name that another bucket has: the next one is tried
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER namespaces_are_not_used_again BEFORE INSERT ON namespaces
    FOR EACH ROW EXECUTE FUNCTION refuse_retired_namespace();

-- All names, those that are out of use among them.
CREATE VIEW physical_names AS
SELECT tenant_id, bucket, backend_id, counter, namespace, created_at, false AS is_retired, NULL::timestamptz AS removed_at FROM namespaces
 UNION ALL
SELECT tenant_id, bucket, backend_id, counter, namespace, created_at, true, removed_at FROM retired_namespaces;
