-- Whether a write is to go where its bucket's lock does not allow it (any more).
CREATE FUNCTION is_intent_outside(bucket_id uuid, decision jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT
                     FROM buckets, backends
                    WHERE buckets.bucket_id = is_intent_outside.bucket_id
                      AND is_intent_outside.decision -> 'wanted' ? backends.backend_id
                      AND NOT is_inside_lock(buckets.countries, buckets.jurisdictions, backends.country, backends.jurisdictions))
$$;
