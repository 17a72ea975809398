-- Statements that bring what exists in line with policies and backends.

-- name: raise_epochs
-- From now on no write begins that was decided before, and all versions are to be compared. $1 bucket ids (NULL: every bucket), $2 why.
WITH homes AS MATERIALIZED (
    SELECT bucket_id FROM buckets WHERE $1::uuid[] IS NULL OR bucket_id = ANY ($1) ORDER BY bucket_id FOR NO KEY UPDATE
), raised AS (
    UPDATE buckets SET epoch = epoch + 1 FROM homes WHERE buckets.bucket_id = homes.bucket_id RETURNING buckets.bucket_id, epoch
)
INSERT INTO rearrangements (bucket_id, epoch, cause)
SELECT bucket_id, epoch, $2 FROM raised
    ON CONFLICT (bucket_id) DO UPDATE
   SET epoch = excluded.epoch, cause = excluded.cause, requested_at = now(), finished_at = NULL, compared_to = DEFAULT, compared = 0,
       changed = 0;

-- name: list_intents_outside
-- Writes that are to go where their buckets' locks do not allow it any more. One that is in somebody's hands is left out, since whoever
-- commits it may wait for us: its replicas are refused, or the comparison that follows ends it. $1 bucket ids (NULL: every bucket).
SELECT bucket_id, version_id
  FROM intents
 WHERE ($1::uuid[] IS NULL OR bucket_id = ANY ($1))
   AND is_intent_outside(bucket_id, decision)
 ORDER BY bucket_id, version_id
   FOR UPDATE OF intents SKIP LOCKED;

-- name: has_intents_outside
-- $1 bucket id.
SELECT EXISTS (SELECT FROM intents WHERE bucket_id = $1 AND is_intent_outside(bucket_id, decision));

-- name: await_intents
-- The other writes that began before: what becomes of them is compared as well. $1 bucket ids (NULL: every bucket).
INSERT INTO unsettled_versions (bucket_id, version_id, due_at)
SELECT bucket_id, version_id, deadline
  FROM intents
 WHERE $1::uuid[] IS NULL OR bucket_id = ANY ($1)
    ON CONFLICT DO NOTHING;

-- name: reconsider_refused
-- Where no arrangement was possible, there may be one now.
WITH refused AS MATERIALIZED (
    SELECT bucket_id, version_id FROM unsettled_versions WHERE refusal IS NOT NULL ORDER BY bucket_id, version_id FOR UPDATE
)
UPDATE unsettled_versions
   SET due_at = now()
  FROM refused
 WHERE unsettled_versions.bucket_id = refused.bucket_id AND unsettled_versions.version_id = refused.version_id;

-- name: list_due_versions
-- $1 limit.
SELECT bucket_id, version_id FROM unsettled_versions WHERE due_at <= now() ORDER BY due_at LIMIT $1;

-- name: find_open_rearrangement
-- The oldest.
SELECT bucket_id, epoch, compared_to
  FROM rearrangements
 WHERE finished_at IS NULL
 ORDER BY requested_at, bucket_id
 LIMIT 1;

-- name: list_version_ids
-- A page of a bucket. $1 bucket id, $2 exclusive start, $3 limit.
SELECT version_id FROM versions WHERE bucket_id = $1 AND version_id > $2 ORDER BY version_id LIMIT $3;

-- name: read_copies
-- What is known of versions: their replicas, each as an array of backend id, state and (if it is owed) its stamp; how many copies they ask
-- for themselves; and where a copy was removed before. key is NULL where there is no version (or a delete marker), deadline where there is
-- no intent. One row for each item. $1 bucket ids, $2 version ids.
SELECT asked.bucket_id, asked.version_id, versions.key, versions.storage_class, versions.facts -> 'tags' ->> 'replica-count' AS copies_asked_for,
       ARRAY(SELECT ARRAY[backend_id, state, CASE WHEN NOT stamped THEN 'stamp' END]
               FROM replicas
              WHERE replicas.bucket_id = asked.bucket_id AND replicas.version_id = asked.version_id
              ORDER BY backend_id) AS copies,
       ARRAY(SELECT backend_id
               FROM removals
              WHERE removals.bucket_id = asked.bucket_id AND removals.version_id = asked.version_id
              UNION
             SELECT backend_id
               FROM dropped_jobs
              WHERE dropped_jobs.bucket_id = asked.bucket_id AND dropped_jobs.version_id = asked.version_id) AS removed_from,
       (SELECT deadline FROM intents WHERE intents.bucket_id = asked.bucket_id AND intents.version_id = asked.version_id) AS deadline,
       (SELECT least(due_at, now() + interval '1 year')
          FROM unsettled_versions
         WHERE unsettled_versions.bucket_id = asked.bucket_id AND unsettled_versions.version_id = asked.version_id) AS due_at
  FROM unnest($1::uuid[], $2::uuid[]) AS asked (bucket_id, version_id)
  LEFT JOIN versions ON versions.bucket_id = asked.bucket_id AND versions.version_id = asked.version_id AND NOT is_delete_marker;

-- name: hold_versions
-- Those that nobody is changing: they stay as they are until the transaction ends. So do their keys: whoever removes one of these versions
-- meanwhile waits before its statement begins, and so sees the copies that are owed from now on. $1 bucket ids, $2 version ids.
WITH held AS MATERIALIZED (
    SELECT versions.bucket_id, versions.version_id
      FROM versions
      JOIN unnest($1::uuid[], $2::uuid[]) AS asked (bucket_id, version_id)
           ON versions.bucket_id = asked.bucket_id AND versions.version_id = asked.version_id
     WHERE pg_try_advisory_xact_lock(key_lock(versions.bucket_id, versions.key))
)
SELECT versions.bucket_id, versions.version_id
  FROM versions
  JOIN held USING (bucket_id, version_id)
 ORDER BY versions.bucket_id, versions.version_id
   FOR NO KEY UPDATE OF versions SKIP LOCKED;

-- name: hold_replicas
-- All of these versions, in the order in which everybody takes them. $1 bucket ids, $2 version ids.
SELECT replicas.backend_id
  FROM replicas
  JOIN unnest($1::uuid[], $2::uuid[]) AS asked (bucket_id, version_id)
       ON replicas.bucket_id = asked.bucket_id AND replicas.version_id = asked.version_id
 ORDER BY replicas.bucket_id, replicas.version_id, replicas.backend_id
   FOR UPDATE OF replicas;

-- name: hold_unsettled
-- What is to be looked at again of these, in the order in which everybody takes them. $1 bucket ids, $2 version ids.
SELECT unsettled_versions.due_at
  FROM unsettled_versions
  JOIN unnest($1::uuid[], $2::uuid[]) AS asked (bucket_id, version_id)
       ON unsettled_versions.bucket_id = asked.bucket_id AND unsettled_versions.version_id = asked.version_id
 ORDER BY unsettled_versions.bucket_id, unsettled_versions.version_id
   FOR UPDATE OF unsettled_versions;

-- name: want_replicas
-- Copies that are owed from now on, as backfill. $1 bucket ids, $2 version ids, $3 backend ids, $4 namespaces, $5 blob keys.
INSERT INTO replicas (bucket_id, version_id, backend_id, namespace, blob_key, state, next_attempt_at, is_backfill)
SELECT bucket_id, version_id, backend_id, namespace, blob_key, 'wanted', now(), true
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) AS row (bucket_id, version_id, backend_id, namespace, blob_key);

-- name: unwant_replicas
-- Copies that are to be removed. $1 bucket ids, $2 version ids, $3 backend ids, $4 seconds until then.
UPDATE replicas
   SET state = 'deleting', attempt = 0, parked_reason = NULL, changed_at = clock_timestamp(),
       next_attempt_at = now() + make_interval(secs => $4::float8)
  FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS row (bucket_id, version_id, backend_id)
 WHERE replicas.bucket_id = row.bucket_id
   AND replicas.version_id = row.version_id
   AND replicas.backend_id = row.backend_id;

-- name: redecide_versions
-- Where they are wanted now, and why. $1 bucket ids, $2 version ids, $3 what changes of their decisions.
UPDATE versions
   SET decision = decision || row.changes
  FROM unnest($1::uuid[], $2::uuid[], $3::jsonb[]) AS row (bucket_id, version_id, changes)
 WHERE versions.bucket_id = row.bucket_id
   AND versions.version_id = row.version_id;

-- name: unsettle_versions
-- They are looked at again then, or (NULL) when a worker has reported. $1 bucket ids, $2 version ids, $3 times, $4 refusals.
INSERT INTO unsettled_versions (bucket_id, version_id, due_at, refusal)
SELECT bucket_id, version_id, coalesce(due_at, 'infinity'), refusal
  FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[]) AS row (bucket_id, version_id, due_at, refusal)
    ON CONFLICT (bucket_id, version_id) DO UPDATE SET due_at = excluded.due_at, refusal = excluded.refusal;

-- name: postpone_versions
-- Those that nobody has made due meanwhile. $1 bucket ids, $2 version ids, $3 when they are due, $4 when they shall be.
UPDATE unsettled_versions
   SET due_at = row.later
  FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[]) AS row (bucket_id, version_id, due_at, later)
 WHERE unsettled_versions.bucket_id = row.bucket_id
   AND unsettled_versions.version_id = row.version_id
   AND unsettled_versions.due_at = row.due_at;

-- name: settle_versions
-- $1 bucket ids, $2 version ids.
DELETE FROM unsettled_versions
 USING unnest($1::uuid[], $2::uuid[]) AS row (bucket_id, version_id)
 WHERE unsettled_versions.bucket_id = row.bucket_id
   AND unsettled_versions.version_id = row.version_id;

-- name: advance_rearrangement
-- Unless it began anew meanwhile. $1 bucket id, $2 epoch, $3 the last version that was compared (NULL: all were), $4 how many of them,
-- $5 how many were changed.
UPDATE rearrangements
   SET compared_to = coalesce($3, compared_to), compared = compared + $4, changed = changed + $5,
       finished_at = CASE WHEN $3::uuid IS NULL THEN now() END
 WHERE bucket_id = $1 AND epoch = $2;
