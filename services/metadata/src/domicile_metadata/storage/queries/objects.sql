-- Statements of objects: keys and their versions.

-- name: locate_objects
-- The current version of each key with its readable replicas, those that were verified and cost least first, each as an array of backend
-- id, namespace, blob key, state, cost and the ETag of an adopted one; all in one round trip, since every GET waits for it. One row for each item, in order; bucket_id is
-- NULL when there is no such bucket, version_id when the key has no version. A key without a pointer may have a delete marker as its
-- newest version: only then is that looked up. Each LIMIT 1 makes sure that the table is looked up by its key, also when the plan was
-- made while it held next to nothing. $1 bucket ids, $2 keys.
SELECT home.bucket_id, version.version_id, version.committed_at, version.facts, version.digest, version.is_null, version.is_delete_marker,
       version.lock_mode, version.lock_until, version.legal_hold,
       ARRAY(SELECT ARRAY[backend_id, namespace, blob_key, replicas.state, backends.cost::text, coalesce(adopted_etag, '')]
               FROM replicas
               JOIN backends USING (backend_id)
              WHERE replicas.bucket_id = asked.bucket_id
                AND replicas.version_id = version.version_id
                AND replicas.state IN ('stored', 'verified')
                AND backends.state NOT IN ('disabled', 'lost')
                AND is_inside_lock(home.countries, home.jurisdictions, backends.country, backends.jurisdictions)
              ORDER BY replicas.state = 'verified' DESC, cost, backend_id) AS readable
  FROM unnest($1::uuid[], $2::bytea[]) WITH ORDINALITY AS asked (bucket_id, key, position)
  LEFT JOIN LATERAL (
       SELECT * FROM buckets WHERE buckets.bucket_id = asked.bucket_id LIMIT 1) AS home ON true
  LEFT JOIN LATERAL (
       SELECT * FROM objects WHERE objects.bucket_id = asked.bucket_id AND objects.key = asked.key LIMIT 1) AS pointer ON true
  LEFT JOIN LATERAL (
       SELECT *
         FROM versions
        WHERE versions.bucket_id = asked.bucket_id
          AND versions.version_id = coalesce(
              pointer.version_id,
              (SELECT newest.version_id
                 FROM versions AS newest
                WHERE newest.bucket_id = asked.bucket_id AND newest.key = asked.key
                ORDER BY newest.seq DESC
                LIMIT 1))
        LIMIT 1) AS version ON true
 ORDER BY asked.position;

-- name: locate_versions
-- The same for versions that are asked for by their S3 version id. $1 bucket ids, $2 keys, $3 version ids (NULL: the null version).
SELECT home.bucket_id, version.version_id, version.committed_at, version.facts, version.digest, version.is_null, version.is_delete_marker,
       version.lock_mode, version.lock_until, version.legal_hold,
       ARRAY(SELECT ARRAY[backend_id, namespace, blob_key, replicas.state, backends.cost::text, coalesce(adopted_etag, '')]
               FROM replicas
               JOIN backends USING (backend_id)
              WHERE replicas.bucket_id = asked.bucket_id
                AND replicas.version_id = version.version_id
                AND replicas.state IN ('stored', 'verified')
                AND backends.state NOT IN ('disabled', 'lost')
                AND is_inside_lock(home.countries, home.jurisdictions, backends.country, backends.jurisdictions)
              ORDER BY replicas.state = 'verified' DESC, cost, backend_id) AS readable
  FROM unnest($1::uuid[], $2::bytea[], $3::uuid[]) WITH ORDINALITY AS asked (bucket_id, key, version_id, position)
  LEFT JOIN LATERAL (
       SELECT * FROM buckets WHERE buckets.bucket_id = asked.bucket_id LIMIT 1) AS home ON true
  LEFT JOIN LATERAL (
       (SELECT *
          FROM versions
         WHERE versions.bucket_id = asked.bucket_id
           AND versions.version_id = asked.version_id
           AND versions.key = asked.key
           AND NOT is_null
         LIMIT 1)
       UNION ALL
       (SELECT *
          FROM versions
         WHERE asked.version_id IS NULL
           AND versions.bucket_id = asked.bucket_id
           AND versions.key = asked.key
           AND is_null
         LIMIT 1)
       ) AS version ON true
 ORDER BY asked.position;

-- name: lock_keys
-- Nobody else changes these keys' versions until the transaction ends. Locks are taken in the same order as by take_intents.
-- One row for each bucket that exists, with its versioning. $1 bucket ids, $2 keys.
WITH homes AS MATERIALIZED (
    SELECT bucket_id, versioning FROM buckets WHERE bucket_id = ANY ($1::uuid[]) ORDER BY bucket_id FOR KEY SHARE
), held AS MATERIALIZED (
    SELECT bucket_id, pg_advisory_xact_lock(lock)
      FROM (SELECT DISTINCT homes.bucket_id, key_lock(homes.bucket_id, asked.key) AS lock
              FROM homes
              JOIN unnest($1::uuid[], $2::bytea[]) AS asked (bucket_id, key) ON asked.bucket_id = homes.bucket_id
             ORDER BY lock) AS in_order
)
SELECT homes.bucket_id, homes.versioning, (SELECT count(*) FROM held) FROM homes;

-- name: find_held
-- What deletions with conditions are decided by: the named versions ($3; 'null': the null version), or (NULL) the newest ones. One row
-- for each that exists. $1 bucket ids, $2 keys.
SELECT asked.position, version.etag, version.committed_at, version.size, version.is_delete_marker
  FROM unnest($1::uuid[], $2::bytea[], $3::text[]) WITH ORDINALITY AS asked (bucket_id, key, version_id, position)
 CROSS JOIN LATERAL (
       SELECT *
         FROM versions
        WHERE versions.bucket_id = asked.bucket_id
          AND versions.key = asked.key
          AND CASE WHEN asked.version_id IS NULL THEN true
                   WHEN asked.version_id = 'null' THEN is_null
                   ELSE versions.version_id = asked.version_id::uuid AND NOT is_null END
        ORDER BY seq DESC
        LIMIT 1) AS version;

-- name: allow_bypass
-- From now until the transaction ends, retention in GOVERNANCE mode binds nobody.
SELECT set_config('domicile.bypass_governance', 'on', true);

-- name: erase_versions
-- Removes versions for good, unless they are locked; a key's current version becomes the newest that is left. Their blobs are removed $5
-- seconds later. One row for each that was found. $1 bucket ids, $2 keys, $3 version ids (NULL: the null version), $4 whether the
-- caller bypasses GOVERNANCE, $6 traces of the deletions.
WITH asked AS MATERIALIZED (
    SELECT *
      FROM unnest($1::uuid[], $2::bytea[], $3::uuid[], $4::boolean[], $6::text[]) WITH ORDINALITY
           AS row (bucket_id, key, version_id, bypasses, trace, position)
), found AS MATERIALIZED (
    SELECT asked.position, asked.trace, versions.bucket_id, versions.version_id, is_delete_marker,
           is_locked(lock_mode, lock_until, legal_hold, asked.bypasses) AS is_locked
      FROM asked
      JOIN versions ON versions.bucket_id = asked.bucket_id AND versions.version_id = asked.version_id AND versions.key = asked.key
     WHERE NOT is_null
     UNION ALL
    SELECT asked.position, asked.trace, versions.bucket_id, versions.version_id, is_delete_marker,
           is_locked(lock_mode, lock_until, legal_hold, asked.bypasses)
      FROM asked
      JOIN versions ON versions.bucket_id = asked.bucket_id AND versions.key = asked.key
     WHERE asked.version_id IS NULL AND is_null
), removed AS (
    DELETE FROM versions
     USING found
     WHERE versions.bucket_id = found.bucket_id
       AND versions.version_id = found.version_id
       AND NOT found.is_locked
    RETURNING versions.bucket_id, versions.version_id, versions.key, found.trace
), remaining AS MATERIALIZED (
    SELECT touched.bucket_id, touched.key, newest.version_id, newest.is_delete_marker
      FROM (SELECT DISTINCT bucket_id, key FROM removed) AS touched
      LEFT JOIN LATERAL (
           SELECT version_id, is_delete_marker
             FROM versions
            WHERE versions.bucket_id = touched.bucket_id
              AND versions.key = touched.key
              AND versions.version_id NOT IN (SELECT version_id FROM removed)
            ORDER BY seq DESC
            LIMIT 1) AS newest ON true
), unpointed AS (
    DELETE FROM objects
     USING remaining
     WHERE objects.bucket_id = remaining.bucket_id
       AND objects.key = remaining.key
       AND remaining.is_delete_marker IS NOT false
), pointed AS (
    INSERT INTO objects (bucket_id, key, version_id)
    SELECT bucket_id, key, version_id FROM remaining WHERE NOT is_delete_marker
        ON CONFLICT (bucket_id, key) DO UPDATE SET version_id = excluded.version_id
), unneeded AS (
    SELECT bucket_id, version_id, backend_id, removed.key, removed.trace
      FROM removed
      JOIN replicas USING (bucket_id, version_id)
     ORDER BY bucket_id, version_id, backend_id
       FOR UPDATE OF replicas
), unwanted AS (
    UPDATE replicas
       SET state = 'deleting', attempt = 0, parked_reason = NULL, changed_at = clock_timestamp(), key = unneeded.key,
           trace = unneeded.trace, next_attempt_at = now() + make_interval(secs => $5::float8)
      FROM unneeded
     WHERE replicas.bucket_id = unneeded.bucket_id
       AND replicas.version_id = unneeded.version_id
       AND replicas.backend_id = unneeded.backend_id
)
SELECT position, is_delete_marker, is_locked FROM found;

-- name: mark_deleted
-- Delete markers, each the newest version of its key. $1 bucket ids, $2 version ids, $3 keys, $4 null or not, $5 traces.
WITH incoming AS MATERIALIZED (
    SELECT *
      FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::boolean[], $5::text[]) WITH ORDINALITY
           AS row (bucket_id, version_id, key, is_null, trace, position)
), recorded AS (
    INSERT INTO versions (bucket_id, version_id, key, size, etag, storage_class, digest, facts, decision, is_null, is_delete_marker, trace)
    SELECT bucket_id, version_id, key, 0, '', 'STANDARD', '{"size":0,"md5":""}', '{}', '{}', is_null, true, trace
      FROM incoming
     ORDER BY position
)
DELETE FROM objects
 USING incoming
 WHERE objects.bucket_id = incoming.bucket_id
   AND objects.key = incoming.key;

-- name: hold_version
-- One version, to be changed. $1 bucket id, $2 key, $3 version id as S3 names it (NULL: the newest).
SELECT versions.version_id, committed_at, facts, digest, is_null, is_delete_marker, lock_mode, lock_until, legal_hold, object_lock
  FROM versions
  JOIN buckets USING (bucket_id)
 WHERE versions.bucket_id = $1
   AND versions.key = $2
   AND CASE WHEN $3::text IS NULL THEN true
            WHEN $3::text = 'null' THEN is_null
            ELSE versions.version_id = $3::text::uuid AND NOT is_null END
 ORDER BY seq DESC
 LIMIT 1;

-- name: change_version
-- Its tags (in facts) and its lock. A sidecar is owed at every backend that has the blob, since the stamp there says what was before; and
-- whoever is writing one there now is told that it is not enough.
-- $1 bucket id, $2 version id, $3 facts, $4 mode, $5 until, $6 legal hold.
WITH changed AS (
    UPDATE versions
       SET facts = $3, lock_mode = $4, lock_until = $5, legal_hold = $6
     WHERE bucket_id = $1 AND version_id = $2
    RETURNING bucket_id, version_id
), held AS (
    SELECT bucket_id, version_id, backend_id, state IN ('stored', 'verified') AS has_blob
      FROM changed
      JOIN replicas USING (bucket_id, version_id)
     WHERE state <> 'deleting'
     ORDER BY backend_id
       FOR UPDATE OF replicas
)
UPDATE replicas
   SET revision = revision + 1, stamped = stamped AND NOT has_blob,
       attempt = CASE WHEN has_blob THEN 0 ELSE attempt END,
       parked_reason = CASE WHEN has_blob THEN NULL ELSE parked_reason END,
       next_attempt_at = CASE WHEN has_blob THEN now() ELSE next_attempt_at END
  FROM held
 WHERE replicas.bucket_id = held.bucket_id
   AND replicas.version_id = held.version_id
   AND replicas.backend_id = held.backend_id;

-- name: find_facts
-- What is kept of a version beside its bytes. $1 bucket id, $2 version id, $3 key.
SELECT facts FROM versions WHERE bucket_id = $1 AND version_id = $2 AND key = $3 AND NOT is_delete_marker;

-- name: put_facts
-- $1 bucket id, $2 version id, $3 facts.
UPDATE versions SET facts = $3 WHERE bucket_id = $1 AND version_id = $2;
