-- Statements of long tasks.

-- name: insert_task
-- $1 task id, $2 kind, $3 parameters.
INSERT INTO tasks (task_id, kind, parameters)
VALUES ($1, $2, $3::json)
RETURNING task_id, kind, parameters::text, state, progress::text, error, holder, not_before, created_at, started_at, finished_at;

-- name: list_tasks
-- Newest first. $1 task id or NULL: those before it; $2 kind or NULL, $3 state or NULL, $4 limit.
SELECT task_id, kind, parameters::text, state, progress::text, error, holder, not_before, created_at, started_at, finished_at
  FROM tasks
 WHERE ($1::uuid IS NULL OR task_id < $1)
   AND ($2::text IS NULL OR kind = $2)
   AND ($3::text IS NULL OR state = $3)
 ORDER BY task_id DESC
 LIMIT $4;

-- name: find_task
-- $1 task id.
SELECT task_id, kind, parameters::text, state, progress::text, error, holder, not_before, created_at, started_at, finished_at
  FROM tasks
 WHERE task_id = $1;

-- name: claim_task
-- The oldest that is due and in nobody's hands, or that this worker has already. $1 kinds, $2 worker, $3 seconds of the lease.
UPDATE tasks
   SET state = 'running', holder = $2, lease_until = now() + make_interval(secs => $3::float8), started_at = coalesce(started_at, now())
 WHERE task_id = (
       SELECT task_id
         FROM tasks
        WHERE kind = ANY ($1::text[])
          AND (state = 'waiting' AND not_before <= now() OR state = 'running' AND (lease_until < now() OR holder = $2))
        ORDER BY holder = $2 DESC NULLS LAST, created_at, task_id
        LIMIT 1
          FOR UPDATE SKIP LOCKED)
RETURNING task_id, kind, parameters::text, cursor::text, progress::text;

-- name: lock_task
-- Nobody else changes it until the transaction ends. $1 task id.
SELECT state, holder, attempt, error FROM tasks WHERE task_id = $1 FOR UPDATE;

-- name: update_task
-- $1 task id, $2 state, $3 holder, $4 failures, $5 the last one, $6 seconds of the lease, $7 seconds until it may be taken (NULL: as it was),
-- $8 cursor, $9 progress (NULL: as they were), $10 finished or not.
UPDATE tasks
   SET state = $2, holder = $3, attempt = $4, error = $5, lease_until = now() + make_interval(secs => $6::float8),
       not_before = coalesce(now() + make_interval(secs => $7::float8), not_before),
       cursor = coalesce($8::json, cursor), progress = coalesce($9::json, progress),
       finished_at = CASE WHEN $10 THEN now() END
 WHERE task_id = $1;
