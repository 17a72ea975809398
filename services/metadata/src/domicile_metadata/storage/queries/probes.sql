-- Statements of probes.

-- name: begin_probe
-- Unless one is open. $1 task id, $2 parameters.
INSERT INTO tasks (task_id, kind, parameters)
VALUES ($1, 'probe', $2::json)
    ON CONFLICT ((parameters ->> 'backend_id')) WHERE kind = 'probe' AND state IN ('waiting', 'running', 'paused') DO NOTHING;

-- name: list_due_probes
-- Backends in use of which nothing is known, or what is known is old; not those for which a probe was begun lately, whatever became of it.
-- $1 seconds from one probe to the next, $2 from one that failed to the next.
SELECT backend_id
  FROM backends
 WHERE state NOT IN ('disabled', 'lost')
   AND (capabilities::text = '{}' OR NOT EXISTS (
           SELECT FROM probes WHERE probes.backend_id = backends.backend_id AND seen_at > now() - make_interval(secs => $1::float8)))
   AND NOT EXISTS (
           SELECT FROM tasks
            WHERE kind = 'probe'
              AND parameters ->> 'backend_id' = backends.backend_id
              AND created_at > now() - make_interval(secs => $2::float8))
 ORDER BY backend_id;

-- name: see_again
-- The latest was found once more. $1 backend, $2 notes.
UPDATE probes
   SET seen_at = now(), notes = $2::json
 WHERE backend_id = $1
   AND found_at = (SELECT max(found_at) FROM probes WHERE backend_id = $1);

-- name: insert_probe
-- $1 backend, $2 capabilities, $3 names of those that changed, $4 notes.
INSERT INTO probes (backend_id, capabilities, changed, notes) VALUES ($1, $2::json, $3::text[], $4::json);

-- name: list_probes
-- The latest first. $1 backend, $2 how many.
SELECT found_at, seen_at, capabilities::text, changed, notes::text
  FROM probes
 WHERE backend_id = $1
 ORDER BY found_at DESC
 LIMIT $2;
