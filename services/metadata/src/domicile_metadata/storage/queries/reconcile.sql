-- Statements of the reconciler.

-- name: enqueue_overdue
-- Makes a message for every replica that is owed and due, oldest first. $1 limit, $2 seconds until an unreported one is due again.
-- A replica that has been in the same state for long waits as long again, an hour at most: its message is probably in a long queue, and
-- a second one in the same queue helps nobody. So a backlog makes few duplicates, and a lost message costs at most the age of the debt.
-- Nobody works for a backend that is lost.
WITH due AS (
    SELECT bucket_id, version_id, backend_id
      FROM replicas
     WHERE next_attempt_at <= now()
       AND parked_reason IS NULL
       AND (state IN ('wanted', 'lost', 'deleting') OR NOT stamped)
     ORDER BY next_attempt_at
     LIMIT $1
       FOR UPDATE SKIP LOCKED
), pushed AS (
    UPDATE replicas
       SET next_attempt_at = now() + greatest(make_interval(secs => $2::float8), least(now() - replicas.changed_at, interval '1 hour'))
      FROM due
     WHERE replicas.bucket_id = due.bucket_id
       AND replicas.version_id = due.version_id
       AND replicas.backend_id = due.backend_id
    RETURNING replicas.bucket_id, replicas.version_id, replicas.backend_id, replicas.trace
)
INSERT INTO outbox (routing_key, payload)
SELECT 'replicate.' || backend_id,
       jsonb_build_object(
           'bucket_id', replace(bucket_id::text, '-', ''),
           'version_id', replace(version_id::text, '-', ''),
           'backend_id', backend_id,
           'trace', trace)
  FROM pushed
  JOIN backends USING (backend_id)
 WHERE backends.state <> 'lost';

-- name: find_due_at_lost
-- Removals that are due where nothing can be removed nor looked at any more. $1 limit.
SELECT bucket_id, version_id, backend_id
  FROM replicas
 WHERE next_attempt_at <= now()
   AND parked_reason IS NULL
   AND (state IN ('wanted', 'lost', 'deleting') OR NOT stamped)
   AND state = 'deleting'
   AND backend_id = ANY (ARRAY(SELECT backend_id FROM backends WHERE state = 'lost'))
 ORDER BY next_attempt_at
 LIMIT $1
   FOR UPDATE SKIP LOCKED;
