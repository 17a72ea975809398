-- Statements of intents: what may have bytes at a backend without being a version yet. And of their commit.

-- name: insert_intents
-- Those that were decided in the present epoch of their bucket; answers which. FOR SHARE: whoever raises the epoch sees those that came
-- before, and none comes after. Parallel arrays: $1 bucket ids, $2 version ids, $3 keys, $4 decisions, $5 blobs, $6 facts, $7 uploads or
-- not, $8 traces, $9 seconds to live, $10 locks (NULL: none was asked for), $11 epochs. The foreign key refuses those of buckets that are gone.
WITH homes AS MATERIALIZED (
    SELECT bucket_id, epoch FROM buckets WHERE bucket_id = ANY ($1::uuid[]) ORDER BY bucket_id FOR SHARE
)
INSERT INTO intents (bucket_id, version_id, key, decision, blobs, facts, is_upload, trace, deadline, lock)
SELECT planned.bucket_id, version_id, key, decision, blobs, facts, is_upload, trace, now() + make_interval(secs => seconds), lock
  FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::jsonb[], $5::jsonb[], $6::json[], $7::boolean[], $8::text[], $9::float8[],
              $10::json[], $11::bigint[])
       AS planned (bucket_id, version_id, key, decision, blobs, facts, is_upload, trace, seconds, lock, epoch)
  LEFT JOIN homes USING (bucket_id)
 WHERE homes.epoch IS NULL OR homes.epoch = planned.epoch
RETURNING version_id, deadline;

-- name: renew_intents
-- Those that are live. $1 bucket ids, $2 version ids, $3 seconds that a write lives on, $4 seconds of an upload.
UPDATE intents
   SET deadline = greatest(deadline, now() + make_interval(secs => CASE WHEN is_upload THEN $4::float8 ELSE $3::float8 END))
  FROM unnest($1::uuid[], $2::uuid[]) AS asked (bucket_id, version_id)
 WHERE intents.bucket_id = asked.bucket_id
   AND intents.version_id = asked.version_id
RETURNING intents.version_id;

-- name: end_intents
-- Ends intents and owes the removal of what they may have left at the backends that were to be written. One row for each that was there.
-- $1 bucket ids, $2 version ids, $3 seconds until the removal is due.
WITH ended AS (
    DELETE FROM intents
     USING unnest($1::uuid[], $2::uuid[]) AS asked (bucket_id, version_id)
     WHERE intents.bucket_id = asked.bucket_id
       AND intents.version_id = asked.version_id
    RETURNING intents.bucket_id, intents.version_id, key, decision, blobs, trace
), owed AS (
    INSERT INTO replicas (bucket_id, version_id, backend_id, namespace, blob_key, state, next_attempt_at, trace, key)
    SELECT ended.bucket_id, ended.version_id, blob.backend_id, blob.namespace, blob.blob_key, 'deleting',
           now() + make_interval(secs => $3::float8), ended.trace, ended.key
      FROM ended, jsonb_to_recordset(ended.blobs) AS blob (backend_id text, namespace text, blob_key text)
     WHERE ended.decision -> 'write' ? blob.backend_id
        ON CONFLICT (bucket_id, version_id, backend_id) DO NOTHING
)
SELECT version_id FROM ended;

-- name: find_committed
-- Those that are versions now. $1 bucket ids, $2 version ids.
SELECT version_id FROM versions JOIN unnest($1::uuid[], $2::uuid[]) AS asked (bucket_id, version_id) USING (bucket_id, version_id);

-- name: remove_late_blobs
-- Owes the removal of blobs that were written although their intents had ended, perhaps after an earlier removal was confirmed.
-- A version that was committed keeps its blobs. $1 bucket ids, $2 version ids, $3 backend ids, $4 namespaces, $5 blob keys,
-- $6 seconds until the removal is due. Their key is known from that earlier removal.
INSERT INTO replicas (bucket_id, version_id, backend_id, namespace, blob_key, state, next_attempt_at, key)
SELECT late.bucket_id, late.version_id, late.backend_id, namespace, blob_key, 'deleting', now() + make_interval(secs => $6::float8),
       (SELECT key FROM removals WHERE removals.bucket_id = late.bucket_id AND removals.version_id = late.version_id LIMIT 1)
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) AS late (bucket_id, version_id, backend_id, namespace, blob_key)
  JOIN backends USING (backend_id)
 WHERE NOT EXISTS (SELECT FROM versions WHERE versions.bucket_id = late.bucket_id AND versions.version_id = late.version_id)
    ON CONFLICT (bucket_id, version_id, backend_id) DO NOTHING;

-- name: list_intents
-- All of a bucket, in the order in which a commit would take them. $1 bucket id.
SELECT version_id FROM intents WHERE bucket_id = $1 ORDER BY version_id;

-- name: take_intents
-- Step 1 of a commit: ends the intents that are still there, and from now until the transaction ends nobody else changes their keys.
-- Everybody takes locks in this order, so that nobody waits in a circle: buckets by id, intents, keys by lock.
-- $1 bucket ids, $2 version ids.
WITH homes AS MATERIALIZED (
    SELECT bucket_id, versioning, default_retention_mode, default_retention_days, default_retention_years,
           (SELECT limits.tenant_id FROM limits
             WHERE limits.tenant_id = buckets.tenant_id AND num_nonnulls(limits.bytes, limits.objects) > 0) AS has_quota
      FROM buckets
     WHERE bucket_id = ANY ($1::uuid[])
     ORDER BY bucket_id
       FOR KEY SHARE
), taken AS (
    DELETE FROM intents
     USING homes, unnest($1::uuid[], $2::uuid[]) AS asked (bucket_id, version_id)
     WHERE homes.bucket_id = asked.bucket_id
       AND intents.bucket_id = asked.bucket_id
       AND intents.version_id = asked.version_id
    RETURNING intents.bucket_id, intents.version_id, key, decision, blobs, facts, is_upload, chosen_parts, trace, lock, versioning,
              default_retention_mode, default_retention_days, default_retention_years, has_quota, key_lock(intents.bucket_id, key) AS key_lock
)
SELECT *, pg_advisory_xact_lock(key_lock) FROM (SELECT * FROM taken ORDER BY key_lock) AS in_order;

-- name: find_current_etags
-- Step 2 of a commit, where conditions are to be decided: what the keys hold now. $1 bucket ids, $2 keys.
SELECT objects.bucket_id, objects.key, versions.etag
  FROM unnest($1::uuid[], $2::bytea[]) AS asked (bucket_id, key)
  JOIN objects USING (bucket_id, key)
  JOIN versions ON versions.bucket_id = objects.bucket_id AND versions.version_id = objects.version_id
 WHERE NOT is_delete_marker;

-- name: record
-- Step 3 of a commit. New versions, in the order of the arrays; the last one of each key becomes its current version. A null version replaces
-- the null version before it, whose blobs are removed $13 seconds later. And replicas (of new versions, and those to be removed of refused
-- ones), with a message for each that is owed now. Answers when each version was committed.
-- Versions: $1 bucket ids, $2 version ids, $3 keys, $4 sizes, $5 etags, $6 storage classes, $7 digests, $8 facts, $9 decisions, $10 null or
-- not, $11 the last of its key or not, $12 traces, $24 lock modes, $25 until when, $26 legal holds
-- (NULL: no lock). Replicas: $14 bucket ids, $15 version ids, $16 backend ids, $17 namespaces, $18 blob keys,
-- $19 states, $20 stamped or not, $21 traces, $22 seconds until it is due (NULL: nothing is owed), $23 with a message or not, $27 keys of
-- those to be removed. What waits to see what became of a write looks now.
WITH incoming AS MATERIALIZED (
    SELECT *
      FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bigint[], $5::text[], $6::text[], $7::json[], $8::json[], $9::jsonb[],
                  $10::boolean[], $11::boolean[], $12::text[], $24::text[], $25::timestamptz[], $26::boolean[])
           WITH ORDINALITY AS row (bucket_id, version_id, key, size, etag, storage_class, digest, facts, decision,
                                   is_null, is_last, trace, lock_mode, lock_until, legal_hold, position)
), recorded AS (
    INSERT INTO versions (bucket_id, version_id, key, size, etag, storage_class, digest, facts, decision, is_null, trace,
                          lock_mode, lock_until, legal_hold)
    SELECT bucket_id, version_id, key, size, etag, storage_class, digest, facts, decision, is_null, trace,
           lock_mode, lock_until, legal_hold
      FROM incoming
     ORDER BY position
    RETURNING version_id, committed_at
), pointed AS (
    INSERT INTO objects (bucket_id, key, version_id)
    SELECT bucket_id, key, version_id
      FROM incoming
     WHERE is_last
        ON CONFLICT (bucket_id, key) DO UPDATE SET version_id = excluded.version_id
), replaced AS (
    DELETE FROM versions
     USING incoming
     WHERE versions.bucket_id = incoming.bucket_id
       AND versions.key = incoming.key
       AND versions.is_null
       AND incoming.is_null
    RETURNING versions.bucket_id, versions.version_id, versions.key
), unneeded AS (
    SELECT bucket_id, version_id, backend_id, replaced.key
      FROM replaced
      JOIN replicas USING (bucket_id, version_id)
     ORDER BY bucket_id, version_id, backend_id
       FOR UPDATE OF replicas
), removed AS (
    UPDATE replicas
       SET state = 'deleting', attempt = 0, parked_reason = NULL, changed_at = clock_timestamp(), key = unneeded.key,
           next_attempt_at = now() + make_interval(secs => $13::float8)
      FROM unneeded
     WHERE replicas.bucket_id = unneeded.bucket_id
       AND replicas.version_id = unneeded.version_id
       AND replicas.backend_id = unneeded.backend_id
), placed AS MATERIALIZED (
    SELECT *
      FROM unnest($14::uuid[], $15::uuid[], $16::text[], $17::text[], $18::text[], $19::text[], $20::boolean[], $21::text[],
                  $22::float8[], $23::boolean[], $27::bytea[])
           AS row (bucket_id, version_id, backend_id, namespace, blob_key, state, stamped, trace, due_seconds, is_announced, key)
), kept AS (
    INSERT INTO replicas (bucket_id, version_id, backend_id, namespace, blob_key, state, stamped, trace, next_attempt_at, key, size)
    SELECT placed.bucket_id, version_id, backend_id, namespace, blob_key, state, stamped, placed.trace,
           now() + make_interval(secs => due_seconds), placed.key, incoming.size
      FROM placed
      LEFT JOIN incoming USING (version_id)
     ORDER BY placed.bucket_id, version_id, backend_id  -- each locks its bucket's row, as whoever changes policies does
), announced AS (
    INSERT INTO outbox (routing_key, payload)
    SELECT 'replicate.' || backend_id,
           jsonb_build_object(
               'bucket_id', replace(bucket_id::text, '-', ''),
               'version_id', replace(version_id::text, '-', ''),
               'backend_id', backend_id,
               'trace', trace,
               'attempt', 0,
               'since', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
      FROM placed
     WHERE is_announced
), awaited AS (
    UPDATE unsettled_versions
       SET due_at = now()
      FROM incoming
     WHERE unsettled_versions.bucket_id = incoming.bucket_id
       AND unsettled_versions.version_id = incoming.version_id
)
SELECT version_id, committed_at FROM recorded;
