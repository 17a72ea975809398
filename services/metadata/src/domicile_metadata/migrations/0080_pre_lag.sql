-- Lag as a promise: what is owed is counted by backend and bucket, from indexes that hold nothing but what is owed.

-- Bytes, of a copy that is or was owed; so that they can be summed up without looking at versions.
ALTER TABLE replicas ADD COLUMN size bigint;

CREATE FUNCTION note_size_of_debt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.size := (SELECT size FROM versions WHERE versions.bucket_id = NEW.bucket_id AND versions.version_id = NEW.version_id);
    RETURN NEW;
END
$$;
CREATE TRIGGER replicas_size BEFORE INSERT OR UPDATE OF state ON replicas
    FOR EACH ROW WHEN (NEW.size IS NULL AND NEW.state IN ('wanted', 'lost')) EXECUTE FUNCTION note_size_of_debt();

-- The innermost level that says something counts; NULL when none does.
CREATE FUNCTION rpo_seconds(tenant_id text, bucket_id uuid) RETURNS float8 LANGUAGE sql STABLE AS $$
    SELECT (document ->> 'rpo_seconds')::float8
      FROM (VALUES (1, 'default', ''), (2, 'tenant', tenant_id), (3, 'bucket', replace(bucket_id::text, '-', '')))
           AS wanted (depth, level, subject)
     CROSS JOIN LATERAL (
           SELECT document
             FROM policies
            WHERE policies.level = wanted.level AND policies.subject = wanted.subject
            ORDER BY policy_version DESC
            LIMIT 1) AS current
     WHERE document ->> 'rpo_seconds' IS NOT NULL
     ORDER BY depth DESC
     LIMIT 1
$$;

-- Copies that are owed: how many, since when the oldest, and how many for longer than the bucket's policy promises (late).
CREATE VIEW owed_copies AS
SELECT owed.*, buckets.tenant_id, buckets.name AS bucket, promise.rpo_seconds,
       CASE WHEN oldest < now() - make_interval(secs => promise.rpo_seconds) THEN
            (SELECT count(*)
               FROM replicas AS late
              WHERE late.backend_id = owed.backend_id
                AND late.bucket_id = owed.bucket_id
                AND late.state IN ('wanted', 'lost')
                AND late.changed_at < now() - make_interval(secs => promise.rpo_seconds))
            ELSE 0 END AS late
  FROM (SELECT backend_id, bucket_id, count(*) AS copies, coalesce(sum(size), 0)::bigint AS bytes, min(changed_at) AS oldest,
               count(*) FILTER (WHERE attempt > 0) AS retried
          FROM replicas
         WHERE state IN ('wanted', 'lost')
         GROUP BY backend_id, bucket_id) AS owed
  JOIN buckets USING (bucket_id)
 CROSS JOIN LATERAL (SELECT rpo_seconds(buckets.tenant_id, buckets.bucket_id) AS rpo_seconds) AS promise;
