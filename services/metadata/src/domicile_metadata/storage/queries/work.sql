-- Statements of what workers ask and report.

-- name: find_work
-- What one replica is and should be, with everything that work on it needs. One row for each item, in order; state is NULL when there is
-- no such replica. A copy that lies outside the lock is a source as well, after all others: it is moved away from there. So is, while there is no
-- good one, a copy that is to be removed; is_last: such a one. $1 bucket ids, $2 version ids, $3 backend ids.
SELECT replicas.state, replicas.namespace, replicas.blob_key, replicas.stamped, replicas.attempt, replicas.adopted_etag, replicas.home, replicas.revision,
       replicas.fence,
       replicas.state = 'deleting' AND versions.version_id IS NOT NULL
       AND NOT EXISTS (SELECT
                         FROM replicas AS other
                         JOIN backends AS at USING (backend_id)
                        WHERE other.bucket_id = asked.bucket_id
                          AND other.version_id = asked.version_id
                          AND other.backend_id <> asked.backend_id
                          AND other.state IN ('stored', 'verified')
                          AND at.state <> 'lost') AS is_last,
       backends.state AS backend_state,
       is_inside_lock(buckets.countries, buckets.jurisdictions, backends.country, backends.jurisdictions) AS is_inside,
       buckets.tenant_id, buckets.name, buckets.countries, buckets.jurisdictions,
       versions.key, versions.committed_at, versions.facts, versions.digest, versions.is_null, versions.is_delete_marker,
       versions.lock_mode, versions.lock_until, versions.legal_hold,
       (versions.decision ->> 'policy_version')::bigint AS policy_version,
       sources.backend_ids, sources.namespaces, sources.blob_keys
  FROM unnest($1::uuid[], $2::uuid[], $3::text[]) WITH ORDINALITY AS asked (bucket_id, version_id, backend_id, position)
  LEFT JOIN replicas ON replicas.bucket_id = asked.bucket_id
                    AND replicas.version_id = asked.version_id
                    AND replicas.backend_id = asked.backend_id
  LEFT JOIN backends ON backends.backend_id = replicas.backend_id
  LEFT JOIN buckets ON buckets.bucket_id = replicas.bucket_id
  LEFT JOIN versions ON versions.bucket_id = replicas.bucket_id AND versions.version_id = replicas.version_id
  LEFT JOIN LATERAL (
       SELECT array_agg(backend_id) AS backend_ids, array_agg(namespace) AS namespaces, array_agg(blob_key) AS blob_keys
         FROM (SELECT backend_id, other.namespace, other.blob_key, other.state <> 'deleting' AS is_good,
                      bool_or(other.state <> 'deleting') OVER () AS some_are_good
                 FROM replicas AS other
                 JOIN backends AS at USING (backend_id)
                WHERE other.bucket_id = asked.bucket_id
                  AND other.version_id = asked.version_id
                  AND other.backend_id <> asked.backend_id
                  AND other.state IN ('stored', 'verified', 'deleting')
                  AND at.state NOT IN ('disabled', 'lost')
                ORDER BY is_inside_lock(buckets.countries, buckets.jurisdictions, at.country, at.jurisdictions) DESC,
                         other.state = 'verified' DESC, cost, backend_id) AS in_order
        WHERE is_good OR NOT some_are_good) AS sources ON replicas.state IN ('wanted', 'lost')
 ORDER BY asked.position;

-- name: learn_digests
-- What copies have found out about bytes that nobody had read before, unless another one was first; the entity tag never changes by it.
-- Answers the CRC that counts from now on. $1 bucket ids, $2 version ids, $3 digests.
WITH reported AS MATERIALIZED (
    SELECT bucket_id, version_id, row.digest
      FROM unnest($1::uuid[], $2::uuid[], $3::json[]) AS row (bucket_id, version_id, digest)
      JOIN versions USING (bucket_id, version_id)
     ORDER BY bucket_id, version_id
       FOR NO KEY UPDATE OF versions
)
UPDATE versions
   SET digest = CASE WHEN versions.digest ->> 'crc' IS NULL THEN reported.digest ELSE versions.digest END
  FROM reported
 WHERE versions.bucket_id = reported.bucket_id
   AND versions.version_id = reported.version_id
RETURNING versions.bucket_id, versions.version_id, versions.digest ->> 'crc' AS crc;

-- name: lock_replicas
-- The replicas that reports are about, until the transaction ends. $1 bucket ids, $2 version ids, $3 backend ids.
SELECT bucket_id, version_id, backend_id, blob_key, replicas.state, stamped, attempt, parked_reason, looks, revision, fence,
       extract(epoch FROM next_attempt_at - now())::float8 AS due_seconds,
       extract(epoch FROM clock_timestamp() - changed_at)::float8 AS age_seconds,
       backends.state = 'active'
       AND is_inside_lock(buckets.countries, buckets.jurisdictions, backends.country, backends.jurisdictions) IS TRUE AS is_writable
  FROM replicas
  JOIN (SELECT DISTINCT * FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS row (bucket_id, version_id, backend_id)) AS reported
       USING (bucket_id, version_id, backend_id)
  JOIN backends USING (backend_id)
  LEFT JOIN buckets USING (bucket_id)
 ORDER BY bucket_id, version_id, backend_id
   FOR UPDATE OF replicas;

-- name: update_replicas
-- $1 bucket ids, $2 version ids, $3 backend ids, $4 states, $5 stamped or not, $6 attempts, $7 seconds until the next one (NULL: nothing is
-- owed, or it is parked), $8 reasons for parking (NULL: not parked), $9 whether its bytes have been verified just now, $10 error classes
-- (NULL: nothing has failed), $11 why, $12 how many looks a removal still needs, $13 fencing tokens. Versions that wait for a copy to be verified are looked at again.
WITH changed AS (
    UPDATE replicas
       SET verified_at = CASE WHEN row.is_verified THEN clock_timestamp() ELSE verified_at END,
           state = row.state, stamped = row.stamped, attempt = row.attempt, parked_reason = row.parked_reason,
           is_backfill = is_backfill AND row.state <> 'verified', looks = row.looks,
           fence = row.fence,
           failures = CASE WHEN row.state = 'verified' AND row.stamped THEN NULL
                           WHEN row.error_class IS NULL THEN failures
                           ELSE CASE WHEN jsonb_array_length(failures) >= 10 THEN failures - 0 ELSE coalesce(failures, '[]') END
                                || jsonb_build_object('at', now(), 'error_class', row.error_class, 'reason', row.reason,
                                                      'next_attempt_at', now() + make_interval(secs => row.due_seconds)) END,
           next_attempt_at = now() + make_interval(secs => row.due_seconds),
           changed_at = CASE WHEN (replicas.state, replicas.looks) = (row.state, row.looks) THEN changed_at ELSE clock_timestamp() END
      FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::boolean[], $6::integer[], $7::float8[], $8::text[],
                  $9::boolean[], $10::text[], $11::text[], $12::smallint[], $13::integer[])
           AS row (bucket_id, version_id, backend_id, state, stamped, attempt, due_seconds, parked_reason, is_verified, error_class, reason,
                   looks, fence)
     WHERE replicas.bucket_id = row.bucket_id
       AND replicas.version_id = row.version_id
       AND replicas.backend_id = row.backend_id
    RETURNING replicas.bucket_id, replicas.version_id, replicas.state, replicas.stamped
)
UPDATE unsettled_versions
   SET due_at = now()
  FROM changed
 WHERE unsettled_versions.bucket_id = changed.bucket_id
   AND unsettled_versions.version_id = changed.version_id
   AND changed.state = 'verified'
   AND changed.stamped;

-- name: remove_late_copies
-- Owes the removal of blobs that were removed before, and that somebody has been writing to all the same. Nothing is owed for a blob whose
-- removal is not on record: the record may be an older one. $1 bucket ids, $2 version ids, $3 backend ids, $4 namespaces, $5 blob keys.
INSERT INTO replicas (bucket_id, version_id, backend_id, namespace, blob_key, state, next_attempt_at, key)
SELECT DISTINCT ON (bucket_id, version_id, backend_id)
       bucket_id, version_id, backend_id, namespace, blob_key, 'deleting', now(), removals.key
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) AS late (bucket_id, version_id, backend_id, namespace, blob_key)
  JOIN removals USING (bucket_id, version_id, backend_id, namespace, blob_key)
 ORDER BY bucket_id, version_id, backend_id
    ON CONFLICT (bucket_id, version_id, backend_id) DO NOTHING;

-- name: close_replicas
-- Takes replicas whose blobs are gone from the record, and notes each removal. Versions that wait for it are looked at again.
-- $1 bucket ids, $2 version ids, $3 backend ids, $4 whether the backends gave a definite 404 (otherwise they are lost).
WITH closed AS (
    DELETE FROM replicas
     USING unnest($1::uuid[], $2::uuid[], $3::text[]) AS row (bucket_id, version_id, backend_id)
     WHERE replicas.bucket_id = row.bucket_id
       AND replicas.version_id = row.version_id
       AND replicas.backend_id = row.backend_id
    RETURNING replicas.*
), woken AS (
    UPDATE unsettled_versions
       SET due_at = now()
      FROM closed
     WHERE unsettled_versions.bucket_id = closed.bucket_id
       AND unsettled_versions.version_id = closed.version_id
)
INSERT INTO removals (tenant_id, bucket_id, bucket, key, version_id, backend_id, provider, country, namespace, blob_key, is_confirmed)
SELECT coalesce(home.tenant_id, ''), closed.bucket_id, coalesce(home.name, ''), coalesce(closed.key, versions.key), closed.version_id,
       backend_id, provider, country, closed.namespace, closed.blob_key, $4
  FROM closed
  JOIN backends USING (backend_id)
  LEFT JOIN versions ON versions.bucket_id = closed.bucket_id AND versions.version_id = closed.version_id
  LEFT JOIN LATERAL (
       SELECT tenant_id, name FROM buckets WHERE buckets.bucket_id = closed.bucket_id
        UNION ALL
       SELECT tenant_id, name FROM former_buckets WHERE former_buckets.bucket_id = closed.bucket_id
        LIMIT 1) AS home ON true;
