-- Objects that were in a provider's bucket before Domicile, and stay there (docs/adr/0015-adopted-objects-stay.md).

-- adopted_etag: what the provider said when the blob was adopted; NULL for blobs that Domicile has written. Others may write to where it is,
-- so what has another one is not ours. home: the bucket's own namespace at that backend, where the stamp is kept. seen_at: when a listing
-- last showed it.
ALTER TABLE replicas
    ADD COLUMN adopted_etag text,
    ADD COLUMN home         text,
    ADD COLUMN seen_at      timestamptz,
    ADD CONSTRAINT replicas_adopted_whole CHECK ((adopted_etag IS NULL) = (home IS NULL));
CREATE INDEX replicas_adopted ON replicas (backend_id, namespace, blob_key) WHERE adopted_etag IS NOT NULL;

-- A provider's bucket belongs to one logical bucket: two that remove each other's blobs would both lose.
CREATE TABLE adopted_namespaces (
    backend_id text NOT NULL REFERENCES backends,
    namespace  text NOT NULL,
    bucket_id  uuid NOT NULL REFERENCES buckets ON DELETE CASCADE,
    adopted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (backend_id, namespace)
);

-- What is at the place of an adopted blob that was lost may be somebody else's by now: the copy is made anew where only Domicile writes.
CREATE FUNCTION make_lost_at_home() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.namespace := OLD.home;
    NEW.blob_key := replace(OLD.version_id::text, '-', '') || '~r0';
    NEW.adopted_etag := NULL;
    NEW.home := NULL;
    NEW.stamped := true;
    RETURN NEW;
END
$$;
CREATE TRIGGER adopted_replicas_lost BEFORE UPDATE OF state ON replicas
    FOR EACH ROW WHEN (OLD.adopted_etag IS NOT NULL AND NEW.state IN ('wanted', 'lost')) EXECUTE FUNCTION make_lost_at_home();
