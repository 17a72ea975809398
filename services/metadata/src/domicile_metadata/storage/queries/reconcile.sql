-- Statements of the reconciler.

-- name: list_served_backend_ids
-- Those that workers take jobs for.
SELECT backend_id FROM backends WHERE NOT paused AND state NOT IN ('disabled', 'lost') ORDER BY backend_id;

-- name: count_unrelayed_backfill
-- Messages for backfill queues that the relays have not moved there yet, by backend.
SELECT payload ->> 'backend_id' AS backend_id, count(*) AS messages FROM outbox WHERE is_backfill GROUP BY 1;

-- name: enqueue_due
-- Makes a message for every replica of one lane that is owed and due, oldest first: how many. $1 backend ids, $2 for each how many at most,
-- $3 lane, $4 seconds until an unreported one is due again.
-- A replica that has been in the same state for long waits as long again, an hour at most: its message is probably in a long queue, and
-- a second one in the same queue helps nobody. So a backlog makes few duplicates, and a lost message costs at most the age of the debt.
WITH due AS (
    SELECT owed.*
      FROM unnest($1::text[], $2::integer[]) AS room (backend_id, size)
     CROSS JOIN LATERAL (
           SELECT replicas.bucket_id, replicas.version_id, replicas.backend_id
             FROM replicas
            WHERE replicas.backend_id = room.backend_id
              AND lane(state, is_backfill) = $3
              AND next_attempt_at <= now()
              AND parked_reason IS NULL
              AND (state IN ('wanted', 'lost', 'deleting') OR NOT stamped)
            ORDER BY next_attempt_at
            LIMIT room.size
              FOR UPDATE SKIP LOCKED) AS owed
), pushed AS (
    UPDATE replicas
       SET next_attempt_at = now() + greatest(make_interval(secs => $4::float8), least(now() - replicas.changed_at, interval '1 hour'))
      FROM due
     WHERE replicas.bucket_id = due.bucket_id
       AND replicas.version_id = due.version_id
       AND replicas.backend_id = due.backend_id
    RETURNING replicas.bucket_id, replicas.version_id, replicas.backend_id, replicas.trace,
              replicas.attempt, replicas.changed_at
)
INSERT INTO outbox (routing_key, payload, is_backfill)
SELECT 'replicate.' || backend_id,
       jsonb_build_object(
           'bucket_id', replace(bucket_id::text, '-', ''),
           'version_id', replace(version_id::text, '-', ''),
           'backend_id', backend_id,
           'trace', trace,
           'attempt', attempt,
           'since', to_char(changed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
       $3 <> 'fresh'
  FROM pushed
RETURNING payload ->> 'backend_id' AS backend_id;

-- name: find_due_at_lost
-- Removals that are due where nothing can be removed nor looked at any more. $1 limit.
SELECT bucket_id, version_id, backend_id
  FROM replicas
 WHERE backend_id = ANY (ARRAY(SELECT backend_id FROM backends WHERE state = 'lost'))
   AND lane(state, is_backfill) = 'removal'
   AND next_attempt_at <= now()
   AND parked_reason IS NULL
   AND (state IN ('wanted', 'lost', 'deleting') OR NOT stamped)
 ORDER BY next_attempt_at
 LIMIT $1
   FOR UPDATE SKIP LOCKED;
