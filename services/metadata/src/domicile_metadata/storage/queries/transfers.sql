-- Statements of what adoptions and exports keep beside their tasks.

-- name: note_findings
-- $1 task id, $2 keys, $3 kinds, $4 reasons.
INSERT INTO task_findings (task_id, key, kind, reason)
SELECT tasks.task_id, row.key, row.kind, row.reason
  FROM tasks, unnest($2::bytea[], $3::text[], $4::text[]) AS row (key, kind, reason)
 WHERE tasks.task_id = $1
    ON CONFLICT (task_id, key) DO UPDATE SET kind = excluded.kind, reason = excluded.reason;

-- name: list_findings
-- $1 task id, $2 exclusive start, $3 limit.
SELECT key, kind, reason FROM task_findings WHERE task_id = $1 AND key > $2 ORDER BY key LIMIT $3;

-- name: keep_task_secret
-- $1 task id, $2 sealed.
INSERT INTO task_secrets (task_id, sealed_secret) VALUES ($1, $2);

-- name: find_task_secret
-- The parameters and the secret of a task that is in a worker's hands. $1 task id, $2 worker.
SELECT parameters::text, sealed_secret FROM tasks JOIN task_secrets USING (task_id) WHERE task_id = $1 AND holder = $2 AND state = 'running';

-- name: list_task_secrets
-- $1 exclusive start, $2 limit.
SELECT task_id, sealed_secret FROM task_secrets WHERE task_id > $1 ORDER BY task_id LIMIT $2;

-- name: reseal_task_secret
-- Unless it has changed meanwhile. $1 task id, $2 as it was, $3 as it shall be.
UPDATE task_secrets SET sealed_secret = $3 WHERE task_id = $1 AND sealed_secret = $2;

-- name: count_adopted_copies
-- What is owed besides for the objects adopted from a provider's bucket; a million of them are counted at most. $1 backend id, $2 the
-- provider's bucket.
SELECT count(*) FILTER (WHERE state IN ('wanted', 'lost') AND parked_reason IS NULL) AS copies_owed,
       count(*) FILTER (WHERE state IN ('wanted', 'lost') AND parked_reason IS NOT NULL) AS copies_parked,
       count(*) FILTER (WHERE state = 'verified') AS copies_verified
  FROM (SELECT copy.state, copy.parked_reason
          FROM replicas AS adopted
          JOIN replicas AS copy USING (bucket_id, version_id)
         WHERE adopted.adopted_etag IS NOT NULL
           AND adopted.backend_id = $1
           AND adopted.namespace = $2
           AND copy.backend_id <> adopted.backend_id
         LIMIT 1000000) AS counted;
