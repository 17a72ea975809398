-- Versioning, object lock and tags. The pointer in objects is there only while the newest version of a key is no delete marker, so that
-- ListObjects never walks over markers.

-- tags: NULL when the bucket has no set. default_retention_*: what new versions of a bucket with object lock get; days or years.
ALTER TABLE buckets
    ADD COLUMN tags                    json,
    ADD COLUMN object_lock             boolean NOT NULL DEFAULT false,
    ADD COLUMN default_retention_mode  text CHECK (default_retention_mode IN ('GOVERNANCE', 'COMPLIANCE')),
    ADD COLUMN default_retention_days  integer NOT NULL DEFAULT 0,
    ADD COLUMN default_retention_years integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT buckets_lock_needs_versioning CHECK (NOT object_lock OR versioning = 'enabled'),
    ADD CONSTRAINT buckets_retention_needs_lock CHECK (default_retention_mode IS NULL OR object_lock),
    ADD CONSTRAINT buckets_retention_is_possible CHECK (
        default_retention_mode IS NULL
        OR (default_retention_days BETWEEN 1 AND 36500 AND default_retention_years = 0)
        OR (default_retention_years BETWEEN 1 AND 100 AND default_retention_days = 0));

-- What the view shows of a bucket was fixed when it was made.
DROP VIEW described_buckets;
CREATE VIEW described_buckets AS
SELECT buckets.*, levels.policy_versions, levels.policies,
       ARRAY(SELECT ARRAY[backend_id, namespace] FROM namespaces
              WHERE namespaces.tenant_id = buckets.tenant_id AND namespaces.bucket = buckets.name) AS namespaces
  FROM buckets
 CROSS JOIN LATERAL (
       SELECT coalesce(array_agg(current.policy_version ORDER BY depth), '{}') AS policy_versions,
              coalesce(array_agg(current.document::text ORDER BY depth), '{}') AS policies
         FROM (VALUES (1, 'default', ''), (2, 'tenant', buckets.tenant_id), (3, 'bucket', replace(buckets.bucket_id::text, '-', '')))
              AS wanted (depth, level, subject)
        CROSS JOIN LATERAL (
              SELECT policy_version, document
                FROM policies
               WHERE policies.level = wanted.level AND policies.subject = wanted.subject
               ORDER BY policy_version DESC
               LIMIT 1) AS current
       ) AS levels;

-- What the client asked for; it becomes the version's at the commit.
ALTER TABLE intents ADD COLUMN lock json;

-- legal_hold: NULL when it was never set.
ALTER TABLE versions
    ADD COLUMN lock_mode  text CHECK (lock_mode IN ('GOVERNANCE', 'COMPLIANCE')),
    ADD COLUMN lock_until timestamptz,
    ADD COLUMN legal_hold boolean,
    ADD CONSTRAINT versions_lock_is_whole CHECK ((lock_mode IS NULL) = (lock_until IS NULL));

-- Whether a version with such a lock may not be deleted now. bypasses: whoever asks may set GOVERNANCE aside.
CREATE FUNCTION is_locked(lock_mode text, lock_until timestamptz, legal_hold boolean, bypasses boolean) RETURNS boolean
    LANGUAGE sql STABLE
    RETURN coalesce(legal_hold, false) OR coalesce(lock_until > now() AND (lock_mode = 'COMPLIANCE' OR NOT bypasses), false);

-- Whether this transaction may set GOVERNANCE aside: it says so with set_config('domicile.bypass_governance', 'on', true).
CREATE FUNCTION bypasses_governance() RETURNS boolean
    LANGUAGE sql STABLE
    RETURN coalesce(current_setting('domicile.bypass_governance', true), '') = 'on';

-- Object lock, enforced by the database itself, whichever statement it is that would delete a locked version or loosen its retention.
-- A retention may always be prolonged; what has run out binds nobody; a legal hold is set and lifted freely.
CREATE FUNCTION refuse_unlocking() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF NOT is_locked(OLD.lock_mode, OLD.lock_until, OLD.legal_hold, bypasses_governance()) THEN
            RETURN OLD;
        END IF;
    ELSIF (NEW.lock_mode = OLD.lock_mode AND NEW.lock_until >= OLD.lock_until)
          OR NOT is_locked(OLD.lock_mode, OLD.lock_until, false, bypasses_governance()) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'version % is locked', OLD.version_id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'versions_locked', TABLE = 'versions';
END
$$;
CREATE TRIGGER versions_locked BEFORE DELETE ON versions
    FOR EACH ROW WHEN (OLD.legal_hold OR OLD.lock_until IS NOT NULL) EXECUTE FUNCTION refuse_unlocking();
CREATE TRIGGER versions_stay_locked BEFORE UPDATE OF lock_mode, lock_until ON versions
    FOR EACH ROW WHEN (OLD.lock_until IS NOT NULL) EXECUTE FUNCTION refuse_unlocking();
