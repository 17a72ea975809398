-- A copy that came to lie outside its bucket's lock stays where it is until it has been moved, and may be read and believed meanwhile: what
-- is on record as being there does not come about there anew. Everything else is refused as before (0001_pre_core.sql).
CREATE OR REPLACE FUNCTION refuse_replica_outside_lock() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    inside boolean;
BEGIN
    IF NEW.state = 'deleting' THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF OLD.state IN ('stored', 'verified') AND NEW.state IN ('stored', 'verified')
           AND (OLD.bucket_id, OLD.backend_id) = (NEW.bucket_id, NEW.backend_id) THEN
            RETURN NEW;
        END IF;
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
