-- After the insert, not before it (0162_pre_retired_namespaces.sql): an insert may have waited for the very transaction that took the name out of
-- use, and sees only then what that has left.
CREATE OR REPLACE FUNCTION refuse_retired_namespace() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM namespaces
     USING retired_namespaces AS retired
     WHERE retired.backend_id = NEW.backend_id AND retired.namespace = NEW.namespace
       AND namespaces.backend_id = NEW.backend_id AND namespaces.namespace = NEW.namespace;
    RETURN NULL; -- as with a name that another bucket has: the next one is tried
END
$$;
DROP TRIGGER namespaces_are_not_used_again ON namespaces;
CREATE TRIGGER namespaces_are_not_used_again AFTER INSERT ON namespaces
    FOR EACH ROW EXECUTE FUNCTION refuse_retired_namespace();
