-- Statements of backends, for the admin API.

-- name: stop_replica_changes
-- Waits for all transactions that changed replicas and holds new ones off. Taken when a backend's place changes, since the check of replicas
-- against their buckets' locks reads the backend's row without locking it; and before the epochs of all buckets are raised, since whoever
-- changes a replica holds its bucket's row. So it waits for those as well that hold replicas which they have not changed yet.
LOCK TABLE replicas IN EXCLUSIVE MODE;

-- name: expect_replica_changes
-- Whoever will change replicas and locks the rows of their buckets before says so first: then it comes as a whole before a change of a backend,
-- or after it, while otherwise each of the two might wait for what the other one has.
LOCK TABLE replicas IN ROW EXCLUSIVE MODE;

-- name: lock_backends
-- In the order of model.Backend. Replicas may come about there meanwhile.
SELECT backend_id, provider, endpoint, country, jurisdictions, access_key, sealed_secret, region, addressing, quirks, state, cost,
       paused, job_limit, bytes_per_second, requests_per_second, capabilities::text
  FROM backends
 ORDER BY backend_id
   FOR NO KEY UPDATE;

-- name: upsert_backend
-- In the order of model.Backend.
INSERT INTO backends
       (backend_id, provider, endpoint, country, jurisdictions, access_key, sealed_secret, region, addressing, quirks, state, cost,
        paused, job_limit, bytes_per_second, requests_per_second, capabilities)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17::json)
    ON CONFLICT (backend_id) DO UPDATE
   SET provider = $2, endpoint = $3, country = $4, jurisdictions = $5, access_key = $6, sealed_secret = $7, region = $8,
       addressing = $9, quirks = $10, state = $11, cost = $12, paused = $13, job_limit = $14, bytes_per_second = $15, requests_per_second = $16,
       capabilities = $17::json;

-- name: replay_all_parked
-- What was given up for now at a backend begins anew, and is seen by the reconciler. $1 backend.
UPDATE replicas SET parked_reason = NULL, attempt = 0, next_attempt_at = now() WHERE backend_id = $1 AND parked_reason IS NOT NULL;

-- name: reseal_backend
-- Unless it was changed meanwhile. $1 backend, $2 sealed secret before, $3 after.
UPDATE backends SET sealed_secret = $3 WHERE backend_id = $1 AND sealed_secret = $2;
