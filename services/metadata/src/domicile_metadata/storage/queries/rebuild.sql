-- Statements of rebuilds: versions and replicas from the stamps of blobs.

-- name: find_home
-- Whose physical bucket this is, if that is on record. $1 backend id, $2 namespace. Writes to the bucket wait until the transaction ends.
SELECT buckets.bucket_id, buckets.tenant_id, buckets.name,
       is_inside_lock(buckets.countries, buckets.jurisdictions, backends.country, backends.jurisdictions) AS is_inside
  FROM physical_names AS names
  JOIN backends USING (backend_id)
  JOIN buckets ON buckets.tenant_id = names.tenant_id AND buckets.name = names.bucket
 WHERE backend_id = $1 AND namespace = $2 AND has_copies
   FOR UPDATE OF buckets;

-- name: restore_namespace
-- Of the physical names of a bucket at a backend that with the highest counter is in use; the others keep what is in them. $1 tenant, $2 bucket
-- name, $3 backend id, $4 counter, $5 name.
WITH known AS MATERIALIZED (
    SELECT counter, namespace, created_at FROM namespaces WHERE tenant_id = $1 AND bucket = $2 AND backend_id = $3 FOR UPDATE
), earlier AS (
    INSERT INTO retired_namespaces (backend_id, namespace, tenant_id, bucket, counter, created_at, has_copies)
    SELECT $3, CASE WHEN counter < $4 THEN namespace ELSE $5 END, $1, $2, least(counter, $4), created_at, true
      FROM known
     WHERE counter <> $4
        ON CONFLICT DO NOTHING
)
INSERT INTO namespaces (tenant_id, bucket, backend_id, counter, namespace)
VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (tenant_id, bucket, backend_id) DO UPDATE SET counter = excluded.counter, namespace = excluded.namespace
 WHERE namespaces.counter < excluded.counter;

-- name: pass_all_restored
-- Restored versions are ordered by the microseconds of their commit (or of their beginning, where the stamp was written before the commit); what
-- is written from now on comes after all of them.
SELECT setval(pg_get_serial_sequence('versions', 'seq'),
              greatest(nextval(pg_get_serial_sequence('versions', 'seq')), (extract(epoch FROM clock_timestamp()) * 1e6)::bigint));

-- name: restore_versions
-- Those that were not removed since; what a write under way has stored is its commit's affair. $1 bucket id, $2 version ids, $3 keys, $4 sizes, $5 etags, $6 storage classes, $7 digests, $8 facts,
-- $9 decisions, $10 null or not, $11 times of their commits, $12 lock modes, $13 until when, $14 legal holds.
INSERT INTO versions (bucket_id, version_id, key, seq, committed_at, size, etag, storage_class, digest, facts, decision, is_null,
                      lock_mode, lock_until, legal_hold)
OVERRIDING SYSTEM VALUE
SELECT $1, version_id, key, (extract(epoch FROM committed_at) * 1e6)::bigint, committed_at, size, etag, storage_class, digest, facts,
       decision, is_null, lock_mode, lock_until, legal_hold
  FROM unnest($2::uuid[], $3::bytea[], $4::bigint[], $5::text[], $6::text[], $7::json[], $8::json[], $9::jsonb[], $10::boolean[],
              $11::timestamptz[], $12::text[], $13::timestamptz[], $14::boolean[])
       AS row (version_id, key, size, etag, storage_class, digest, facts, decision, is_null, committed_at, lock_mode, lock_until, legal_hold)
 WHERE NOT EXISTS (SELECT FROM removals WHERE removals.bucket_id = $1 AND removals.version_id = row.version_id)
   AND NOT EXISTS (SELECT
                     FROM replicas
                    WHERE replicas.bucket_id = $1 AND replicas.version_id = row.version_id AND replicas.state = 'deleting')
   AND NOT EXISTS (SELECT FROM intents WHERE intents.bucket_id = $1 AND intents.version_id = row.version_id)
    ON CONFLICT DO NOTHING;

-- name: restore_copies
-- Of versions that are there: believed to be there, not yet to be right. $1 bucket id, $2 version ids, $3 blob keys, $4 backend id,
-- $5 namespace.
WITH found AS (
    SELECT row.version_id, row.blob_key
      FROM unnest($2::uuid[], $3::text[]) AS row (version_id, blob_key)
      JOIN versions ON versions.bucket_id = $1 AND versions.version_id = row.version_id
), kept AS (
    INSERT INTO replicas (bucket_id, version_id, backend_id, namespace, blob_key, state)
    SELECT $1, version_id, $4, $5, blob_key, 'stored' FROM found
        ON CONFLICT DO NOTHING
)
UPDATE versions
   SET decision = jsonb_set(decision, '{wanted}', decision -> 'wanted' || to_jsonb($4::text))
  FROM found
 WHERE versions.bucket_id = $1
   AND versions.version_id = found.version_id
   AND NOT decision -> 'wanted' ? $4;

-- name: drop_replaced_nulls
-- Of the null versions of a key only the last counts: the others had been replaced. $1 bucket id, $2 keys, $3 seconds until their removal.
WITH replaced AS (
    DELETE FROM versions
     WHERE bucket_id = $1
       AND key = ANY ($2::bytea[])
       AND is_null
       AND EXISTS (SELECT
                     FROM versions AS newer
                    WHERE newer.bucket_id = $1 AND newer.key = versions.key AND newer.is_null
                      AND (newer.seq, newer.version_id) > (versions.seq, versions.version_id))
       AND NOT is_locked(lock_mode, lock_until, legal_hold, false)
    RETURNING version_id, key
)
UPDATE replicas
   SET state = 'deleting', attempt = 0, parked_reason = NULL, changed_at = clock_timestamp(), key = replaced.key,
       next_attempt_at = now() + make_interval(secs => $3::float8)
  FROM replaced
 WHERE replicas.bucket_id = $1 AND replicas.version_id = replaced.version_id;

-- name: point_at_newest
-- $1 bucket id, $2 keys.
INSERT INTO objects (bucket_id, key, version_id)
SELECT $1, newest.key, newest.version_id
  FROM (SELECT DISTINCT ON (key) key, version_id, is_delete_marker
          FROM versions
         WHERE bucket_id = $1 AND key = ANY ($2::bytea[])
         ORDER BY key, seq DESC, version_id DESC) AS newest
 WHERE NOT is_delete_marker
    ON CONFLICT (bucket_id, key) DO UPDATE SET version_id = excluded.version_id;

-- name: restore_settings
-- What its versions show of a bucket. $1 bucket id, $2 whether one has an id of its own, $3 whether one is locked.
UPDATE buckets
   SET versioning = CASE WHEN versioning = 'off' AND $2 THEN 'enabled' ELSE versioning END,
       object_lock = object_lock OR $3
 WHERE bucket_id = $1;
