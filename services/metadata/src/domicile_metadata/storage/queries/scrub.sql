-- Statements of scrubs.

-- name: find_time
SELECT now();

-- name: list_physical_buckets
-- Physical buckets at a backend, by name; those that were removed for some more days, since a late writer may have made them again.
-- $1 backend id, $2 tenant or NULL, $3 bucket or NULL, $4 exclusive start, $5 limit.
SELECT names.tenant_id, names.bucket, names.namespace, counter, provider, buckets.bucket_id
  FROM physical_names AS names
  JOIN backends USING (backend_id)
  LEFT JOIN buckets ON NOT is_retired AND buckets.tenant_id = names.tenant_id AND buckets.name = names.bucket
 WHERE backend_id = $1
   AND ($2::text IS NULL OR names.tenant_id = $2)
   AND ($3::text IS NULL OR names.bucket = $3)
   AND namespace > $4
   AND coalesce(removed_at > now() - interval '7 days', true)
 ORDER BY namespace
 LIMIT $5;

-- name: list_buckets_of_namespace
-- The bucket that has this physical name at a backend, and those that had it before. $1 backend id, $2 namespace.
SELECT buckets.bucket_id
  FROM physical_names AS names
  JOIN buckets ON buckets.tenant_id = names.tenant_id AND buckets.name = names.bucket
 WHERE names.backend_id = $1 AND names.namespace = $2 AND names.has_copies
 UNION ALL
SELECT former_buckets.bucket_id
  FROM physical_names AS names
  JOIN former_buckets ON former_buckets.tenant_id = names.tenant_id AND former_buckets.name = names.bucket
 WHERE names.backend_id = $1 AND names.namespace = $2;

-- name: find_listed
-- What is on record of versions at a backend; no row for those of which there is nothing. written_to: blob keys of writes that have begun.
-- removed: blob keys that were removed. $1 backend id, $2 bucket ids, $3 version ids.
SELECT asked.version_id, homes.bucket_id, replicas.state, replicas.blob_key, replicas.changed_at < now() - interval '1 hour' AS is_at_rest,
       versions.digest::text,
       ARRAY(SELECT blob.blob_key
               FROM intents, jsonb_to_recordset(intents.blobs) AS blob (backend_id text, blob_key text)
              WHERE intents.bucket_id = homes.bucket_id AND intents.version_id = asked.version_id AND blob.backend_id = $1) AS written_to,
       ARRAY(SELECT removals.blob_key
               FROM removals
              WHERE removals.bucket_id = homes.bucket_id AND removals.version_id = asked.version_id AND removals.backend_id = $1) AS removed
  FROM (SELECT DISTINCT version_id FROM unnest($3::uuid[]) AS row (version_id)) AS asked
 CROSS JOIN unnest($2::uuid[]) AS homes (bucket_id)
  LEFT JOIN replicas ON replicas.bucket_id = homes.bucket_id AND replicas.version_id = asked.version_id AND replicas.backend_id = $1
  LEFT JOIN versions ON versions.bucket_id = homes.bucket_id AND versions.version_id = asked.version_id;

-- name: note_scrubbed
-- $1 task id, $2 bucket ids, $3 version ids. Nothing once the task is gone.
INSERT INTO scrub_seen (task_id, bucket_id, version_id)
SELECT task_id, bucket_id, version_id
  FROM tasks, unnest($2::uuid[], $3::uuid[]) AS row (bucket_id, version_id)
 WHERE task_id = $1
    ON CONFLICT DO NOTHING;

-- name: list_copies
-- A page of the copies of a bucket, of which those are good that are at this backend. Adopted objects are watched by whoever adopts them. is_seen: the task has met it, or it has come into
-- its state since then. age: seconds since it was verified (NULL: never). $1 bucket id, $2 version id and $3 backend id: exclusive start,
-- $4 limit, $5 task id, $6 since when, $7 backend id.
SELECT page.version_id, page.backend_id, page.namespace, page.blob_key,
       page.backend_id = $7 AND page.state IN ('stored', 'verified') AND page.adopted_etag IS NULL AS is_good, versions.digest::text,
       page.changed_at >= $6 OR EXISTS (SELECT
                                          FROM scrub_seen
                                         WHERE task_id = $5 AND scrub_seen.bucket_id = $1 AND scrub_seen.version_id = page.version_id) AS is_seen,
       extract(epoch FROM now() - CASE WHEN page.state = 'verified' THEN coalesce(verified_at, changed_at) ELSE verified_at END)::float8 AS age,
       NOT versions.decision -> 'wanted' ? page.backend_id
       AND NOT EXISTS (SELECT FROM unsettled_versions WHERE unsettled_versions.bucket_id = $1 AND unsettled_versions.version_id = page.version_id)
       AS is_misplaced
  FROM (SELECT * FROM replicas
         WHERE bucket_id = $1 AND (version_id, backend_id) > ($2, $3)
         ORDER BY version_id, backend_id
         LIMIT $4) AS page
  LEFT JOIN versions ON versions.bucket_id = $1 AND versions.version_id = page.version_id
 ORDER BY page.version_id, page.backend_id;

-- name: lock_readable
-- The good copies of versions where workers may look and write. $1 bucket ids, $2 version ids.
SELECT version_id, backend_id, namespace, blob_key
  FROM replicas
  JOIN unnest($1::uuid[], $2::uuid[]) AS asked (bucket_id, version_id) USING (bucket_id, version_id)
  JOIN backends USING (backend_id)
  JOIN buckets USING (bucket_id)
 WHERE replicas.state IN ('stored', 'verified')
   AND backends.state = 'active'
   AND is_inside_lock(buckets.countries, buckets.jurisdictions, backends.country, backends.jurisdictions)
 ORDER BY bucket_id, version_id, backend_id
   FOR UPDATE OF replicas;

-- name: lose_copies
-- Good copies that have turned out not to be: they are made anew, from others. Those outside their lock are left to be moved.
-- $1 bucket ids, $2 version ids, $3 backend ids, $4 blob keys.
WITH held AS (
    SELECT replicas.bucket_id, replicas.version_id, replicas.backend_id
      FROM replicas
      JOIN unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS row (bucket_id, version_id, backend_id, blob_key)
           USING (bucket_id, version_id, backend_id, blob_key)
      JOIN backends USING (backend_id)
      JOIN buckets USING (bucket_id)
     WHERE replicas.state IN ('stored', 'verified')
       AND is_inside_lock(buckets.countries, buckets.jurisdictions, backends.country, backends.jurisdictions)
     ORDER BY replicas.bucket_id, replicas.version_id, replicas.backend_id
       FOR UPDATE OF replicas
)
UPDATE replicas
   SET state = 'lost', attempt = 0, parked_reason = NULL, next_attempt_at = now(), changed_at = clock_timestamp(), fence = fence + 1
  FROM held
 WHERE replicas.bucket_id = held.bucket_id
   AND replicas.version_id = held.version_id
   AND replicas.backend_id = held.backend_id;

-- name: verify_copies
-- Their bytes were compared with the record just now. Versions that wait for that are looked at again.
-- $1 bucket ids, $2 version ids, $3 backend ids, $4 blob keys.
WITH held AS (
    SELECT replicas.bucket_id, replicas.version_id, replicas.backend_id
      FROM replicas
      JOIN unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS row (bucket_id, version_id, backend_id, blob_key)
           USING (bucket_id, version_id, backend_id, blob_key)
     WHERE replicas.state IN ('stored', 'verified')
     ORDER BY replicas.bucket_id, replicas.version_id, replicas.backend_id
       FOR UPDATE OF replicas
), verified AS (
    UPDATE replicas
       SET state = 'verified', verified_at = clock_timestamp(),
           changed_at = CASE WHEN state = 'verified' THEN changed_at ELSE clock_timestamp() END
      FROM held
     WHERE replicas.bucket_id = held.bucket_id
       AND replicas.version_id = held.version_id
       AND replicas.backend_id = held.backend_id
    RETURNING replicas.bucket_id, replicas.version_id
)
UPDATE unsettled_versions
   SET due_at = now()
  FROM verified
 WHERE unsettled_versions.bucket_id = verified.bucket_id AND unsettled_versions.version_id = verified.version_id;

-- name: look_at_versions
-- They are compared with their policy again. $1 bucket ids, $2 version ids.
INSERT INTO unsettled_versions (bucket_id, version_id, due_at)
SELECT bucket_id, version_id, now()
  FROM unnest($1::uuid[], $2::uuid[]) AS row (bucket_id, version_id)
  JOIN versions USING (bucket_id, version_id)
    ON CONFLICT (bucket_id, version_id) DO UPDATE SET due_at = now();

-- name: record_findings
-- What was found before and is not over is found once more. $1 task id, $2 kinds, $3 backend ids, $4 namespaces, $5 blob keys, $6 bucket ids,
-- $7 version ids (NULL: not known), $8 details, $9 what was done.
INSERT INTO findings (task_id, kind, backend_id, namespace, blob_key, tenant_id, bucket, bucket_id, version_id, detail, done, resolved_at)
SELECT $1, row.kind, row.backend_id, row.namespace, row.blob_key, names.tenant_id, names.bucket, row.bucket_id, row.version_id,
       row.detail, row.done, CASE WHEN row.done = 'removed' THEN now() END
  FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::text[], $9::text[])
       AS row (kind, backend_id, namespace, blob_key, bucket_id, version_id, detail, done)
  JOIN backends USING (backend_id)
  LEFT JOIN physical_names AS names ON names.backend_id = row.backend_id AND names.namespace = row.namespace
    ON CONFLICT (backend_id, namespace, blob_key, kind) WHERE resolved_at IS NULL
    DO UPDATE SET seen_at = now(), task_id = excluded.task_id, detail = excluded.detail, done = excluded.done;

-- name: close_removed
-- What was found before and has been removed now. $1 kinds, $2 backend ids, $3 namespaces, $4 blob keys.
UPDATE findings
   SET resolved_at = now(), done = 'removed'
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS row (kind, backend_id, namespace, blob_key)
 WHERE resolved_at IS NULL
   AND findings.backend_id = row.backend_id AND findings.namespace = row.namespace AND findings.blob_key = row.blob_key
   AND findings.kind = row.kind;

-- name: record_removals
-- Blobs of versions that a worker has removed without a replica. $1 bucket ids, $2 version ids, $3 backend ids, $4 namespaces, $5 blob keys.
INSERT INTO removals (tenant_id, bucket_id, bucket, key, version_id, backend_id, provider, country, namespace, blob_key, is_confirmed)
SELECT coalesce(names.tenant_id, ''), row.bucket_id, coalesce(names.bucket, ''), NULL, row.version_id, backend_id, provider, country,
       row.namespace, row.blob_key, true
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) AS row (bucket_id, version_id, backend_id, namespace, blob_key)
  JOIN backends USING (backend_id)
  LEFT JOIN physical_names AS names USING (backend_id, namespace);

-- name: forget_seen
-- $1 task id, $2 bucket id.
DELETE FROM scrub_seen WHERE task_id = $1 AND bucket_id = $2;

-- name: resolve_not_found_again
-- $1 backend id, $2 namespace, $3 since when.
UPDATE findings
   SET resolved_at = now()
 WHERE resolved_at IS NULL AND backend_id = $1 AND namespace = $2 AND seen_at < $3 AND kind IN ('unknown', 'foreign', 'upload');

-- name: resolve_findings
-- Copies that are good again, gone, or on their way out.
UPDATE findings
   SET resolved_at = now()
 WHERE resolved_at IS NULL
   AND kind IN ('missing', 'corrupt', 'unreadable', 'misplaced')
   AND NOT EXISTS (SELECT
                     FROM replicas
                    WHERE replicas.bucket_id = findings.bucket_id
                      AND replicas.version_id = findings.version_id
                      AND replicas.backend_id = findings.backend_id
                      AND replicas.blob_key = findings.blob_key
                      AND CASE findings.kind WHEN 'misplaced' THEN replicas.state <> 'deleting'
                                             WHEN 'unreadable' THEN coalesce(replicas.verified_at, '-infinity') < findings.seen_at
                                             ELSE replicas.state = 'lost' END);

-- name: forget_seen_by_finished
-- What a scrub that was cancelled has left.
DELETE FROM scrub_seen USING tasks WHERE tasks.task_id = scrub_seen.task_id AND tasks.state IN ('done', 'failed', 'cancelled');

-- name: count_open_findings
SELECT kind, count(*) FROM findings WHERE resolved_at IS NULL GROUP BY kind;

-- name: list_scrub_findings
-- Newest first. $1 before which finding (0: all), $2 backend id or NULL, $3 kind or NULL, $4 only those that are not over, $5 limit.
SELECT finding_id, kind, task_id, backend_id, namespace, blob_key, tenant_id, bucket, bucket_id, version_id, detail, done, found_at, seen_at,
       resolved_at
  FROM findings
 WHERE ($1::bigint = 0 OR finding_id < $1)
   AND ($2::text IS NULL OR backend_id = $2)
   AND ($3::text IS NULL OR kind = $3)
   AND (NOT $4 OR resolved_at IS NULL)
 ORDER BY finding_id DESC
 LIMIT $5;

-- name: list_due_scrubs
-- Backends that have not been scrubbed for so long, and are not being scrubbed. None before a rebuild has been done: until then the record
-- may take what it does not know any more for something that was removed. $1 depths, $2 seconds for each.
SELECT backend_id, depth
  FROM backends
 CROSS JOIN unnest($1::text[], $2::float8[]) AS wanted (depth, seconds)
 WHERE backends.state NOT IN ('disabled', 'lost')
   AND backends.created_at < now() - make_interval(secs => seconds)
   AND NOT EXISTS (SELECT FROM tasks WHERE kind = 'rebuild' AND state NOT IN ('done', 'cancelled'))
   AND NOT EXISTS (SELECT
                     FROM tasks
                    WHERE kind = 'scrub'
                      AND parameters ->> 'backend_id' = backend_id
                      AND parameters ->> 'tenant' IS NULL
                      AND coalesce(parameters ->> 'depth', 'light') = depth
                      AND (finished_at IS NULL OR finished_at > now() - make_interval(secs => seconds)))
 ORDER BY backend_id, depth;
