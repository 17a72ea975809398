-- The record. Hot tables are keyed by bucket_id first, so that they can be partitioned without a change of code.
-- Keys are bytea: S3 sorts by UTF-8 bytes, and so does bytea. Version ids are uuid (v7: they sort by time).
-- Ids that are uuid here travel as 32 hex digits; so does a bucket id that is the subject of a policy.
-- json (not jsonb) columns are only stored and handed on: their text goes through unread.

CREATE TABLE tenants (
    tenant_id    text PRIMARY KEY CHECK (tenant_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name         text NOT NULL,
    canonical_id text NOT NULL UNIQUE,
    state        text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE credentials (
    access_key    text PRIMARY KEY,
    tenant_id     text NOT NULL REFERENCES tenants,
    sealed_secret text NOT NULL,
    access        text NOT NULL CHECK (access IN ('full', 'read')),
    state         text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz
);
CREATE INDEX credentials_by_tenant ON credentials (tenant_id);

CREATE TABLE backends (
    backend_id    text PRIMARY KEY CHECK (backend_id ~ '^[a-z0-9][a-z0-9-]{0,30}$'),
    provider      text NOT NULL,
    endpoint      text NOT NULL,
    country       text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    jurisdictions text[] NOT NULL CHECK (cardinality(jurisdictions) > 0),
    access_key    text NOT NULL,
    sealed_secret text NOT NULL,
    region        text NOT NULL,
    addressing    text NOT NULL CHECK (addressing IN ('path', 'virtual')),
    quirks        text NOT NULL,
    state         text NOT NULL CHECK (state IN ('active', 'readonly', 'draining', 'disabled')),
    cost          integer NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now()
);

-- Append-only; the current policy of a subject is its row with the highest policy_version.
-- subject: '' for the installation default, a tenant id, or a bucket id as 32 hex digits.
CREATE TABLE policies (
    policy_version bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    level          text NOT NULL CHECK (level IN ('default', 'tenant', 'bucket')),
    subject        text NOT NULL,
    document       jsonb NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX policies_by_subject ON policies (level, subject, policy_version DESC);

-- countries/jurisdictions: the effective lock, expanded; NULL means that no level sets one. Kept here so that
-- PostgreSQL itself can refuse a replica outside it.
CREATE TABLE buckets (
    bucket_id     uuid PRIMARY KEY,
    tenant_id     text NOT NULL REFERENCES tenants,
    name          text COLLATE "C" NOT NULL,
    location      text NOT NULL,
    countries     text[],
    jurisdictions text[],
    layout        text NOT NULL DEFAULT 'readable' CHECK (layout IN ('readable', 'opaque')),
    versioning    text NOT NULL DEFAULT 'off' CHECK (versioning IN ('off', 'enabled', 'suspended')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT buckets_name_taken UNIQUE (tenant_id, name)
);

-- The mapping from logical to physical names. It outlives the bucket: the same name always maps to the same namespace.
CREATE TABLE namespaces (
    tenant_id  text NOT NULL REFERENCES tenants,
    bucket     text NOT NULL,
    backend_id text NOT NULL REFERENCES backends,
    counter    integer NOT NULL,
    namespace  text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, bucket, backend_id),
    CONSTRAINT namespaces_collision UNIQUE (backend_id, namespace)
);

-- Whether a lock admits a backend's country and jurisdictions; a part of the lock that is NULL admits all.
CREATE FUNCTION is_inside_lock(countries text[], jurisdictions text[], country text, operator text[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    RETURN (countries IS NULL OR country = ANY (countries)) AND (jurisdictions IS NULL OR operator <@ jurisdictions);

-- The advisory lock that whoever changes a key's current version holds: two keys may share one, which only costs waiting.
CREATE FUNCTION key_lock(bucket_id uuid, key bytea) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    RETURN hashtextextended(encode(key, 'escape'), uuid_hash_extended(bucket_id, 0));

-- A bucket as the services know it: with its policy levels (outermost first, parallel arrays) and its namespaces (pairs).
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

-- All backends in one row, as a JSON array of model.Backend.
CREATE VIEW backend_list AS
SELECT coalesce(json_agg(backend), '[]')::text AS backends
  FROM (SELECT backend_id, provider, endpoint, country, jurisdictions, access_key, sealed_secret, region, addressing, quirks, state, cost
          FROM backends
         ORDER BY backend_id) AS backend;

-- Intents and uploads: what may have bytes at a backend without being a version yet.
CREATE TABLE intents (
    bucket_id          uuid NOT NULL REFERENCES buckets,
    version_id         uuid NOT NULL,
    key                bytea NOT NULL,
    decision           jsonb NOT NULL,
    blobs              jsonb NOT NULL,
    facts              json NOT NULL,
    is_upload          boolean NOT NULL,
    uploads            jsonb NOT NULL DEFAULT '{}',
    checksum_algorithm text NOT NULL DEFAULT '',
    checksum_type      text NOT NULL DEFAULT '',
    chosen_parts       json,
    trace              text NOT NULL DEFAULT '',
    created_at         timestamptz NOT NULL DEFAULT now(),
    deadline           timestamptz NOT NULL,
    PRIMARY KEY (bucket_id, version_id)
);
CREATE INDEX intents_by_deadline ON intents (deadline);
CREATE INDEX uploads_by_key ON intents (bucket_id, key, version_id) WHERE is_upload;

CREATE TABLE parts (
    bucket_id  uuid NOT NULL,
    upload_id  uuid NOT NULL,
    number     integer NOT NULL CHECK (number BETWEEN 1 AND 10000),
    size       bigint NOT NULL,
    etag       text NOT NULL,
    checksums  jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bucket_id, upload_id, number),
    FOREIGN KEY (bucket_id, upload_id) REFERENCES intents ON DELETE CASCADE
);

-- seq orders the versions of a key by commit: last commit wins.
CREATE TABLE versions (
    bucket_id        uuid NOT NULL REFERENCES buckets,
    version_id       uuid NOT NULL,
    key              bytea NOT NULL,
    seq              bigint GENERATED ALWAYS AS IDENTITY,
    committed_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    size             bigint NOT NULL,
    etag             text NOT NULL,
    storage_class    text NOT NULL,
    digest           json NOT NULL,
    facts            json NOT NULL,
    decision         jsonb NOT NULL,
    is_null          boolean NOT NULL,
    is_delete_marker boolean NOT NULL DEFAULT false,
    trace            text NOT NULL DEFAULT '',
    PRIMARY KEY (bucket_id, version_id)
);
CREATE INDEX versions_by_key ON versions (bucket_id, key, seq DESC);

-- The current version of each key that has one: what ListObjects walks. No foreign key to versions: both rows only change together,
-- under key_lock, and checking the removal of a version would need an index by version.
CREATE TABLE objects (
    bucket_id  uuid NOT NULL,
    key        bytea NOT NULL,
    version_id uuid NOT NULL,
    PRIMARY KEY (bucket_id, key)
);

-- A replica outlives its version while its blob is being removed, so it carries all that a removal needs.
CREATE TABLE replicas (
    bucket_id       uuid NOT NULL,
    version_id      uuid NOT NULL,
    backend_id      text NOT NULL REFERENCES backends,
    namespace       text NOT NULL,
    blob_key        text NOT NULL,
    state           text NOT NULL CHECK (state IN ('wanted', 'stored', 'verified', 'lost', 'deleting')),
    stamped         boolean NOT NULL DEFAULT true,
    attempt         integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    parked_reason   text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    changed_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    trace           text NOT NULL DEFAULT '',
    PRIMARY KEY (bucket_id, version_id, backend_id)
);
-- What is owed: the reconciler walks only this.
CREATE INDEX replicas_owed ON replicas (next_attempt_at)
    WHERE parked_reason IS NULL AND (state IN ('wanted', 'lost', 'deleting') OR NOT stamped);
CREATE INDEX replicas_parked ON replicas (backend_id) WHERE parked_reason IS NOT NULL;

-- routing_key 'replicate.<backend id>' with an events.Job, or 'invalidate' with an events.Invalidation.
CREATE TABLE outbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    routing_key  text NOT NULL,
    payload      jsonb NOT NULL,
    available_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_due ON outbox (available_at, id);

-- Whoever owes a message wakes the relays when the transaction commits.
CREATE FUNCTION wake_relays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM owed) THEN
        PERFORM pg_notify('outbox', '');
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER outbox_filled AFTER INSERT ON outbox REFERENCING NEW TABLE AS owed
    FOR EACH STATEMENT EXECUTE FUNCTION wake_relays();

-- Rows of these two live for seconds: clean up by count, not by share of the table.
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
ALTER TABLE intents SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

CREATE TABLE leases (
    name       text PRIMARY KEY,
    holder     text NOT NULL,
    expires_at timestamptz NOT NULL
);

-- Residency, enforced by the database itself: no replica may be wanted, stored or verified outside its bucket's lock.
-- Removing one that is outside must stay possible. FOR SHARE: a change of the lock waits for the writes that it did not yet bind,
-- and then sees their replicas.
CREATE FUNCTION refuse_replica_outside_lock() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    inside boolean;
BEGIN
    IF NEW.state = 'deleting' THEN
        RETURN NEW;
    END IF;
    SELECT is_inside_lock(bucket.countries, bucket.jurisdictions, backend.country, backend.jurisdictions)
      INTO inside
      FROM buckets bucket, backends backend
     WHERE bucket.bucket_id = NEW.bucket_id AND backend.backend_id = NEW.backend_id
       FOR SHARE OF bucket;
    IF inside IS NOT TRUE THEN
        RAISE EXCEPTION 'backend % is outside the lock of bucket %', NEW.backend_id, NEW.bucket_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'replicas_inside_lock', TABLE = 'replicas';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER replicas_inside_lock BEFORE INSERT OR UPDATE OF state, backend_id, bucket_id ON replicas
    FOR EACH ROW EXECUTE FUNCTION refuse_replica_outside_lock();
