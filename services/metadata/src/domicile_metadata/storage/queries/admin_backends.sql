-- Statements of backends, for the admin API.

-- name: stop_replica_changes
-- Waits for all transactions that changed replicas and holds new ones off. Only taken when a backend's place changes: the check of
-- replicas against their buckets' locks reads the backend's row without locking it.
LOCK TABLE replicas IN SHARE ROW EXCLUSIVE MODE;

-- name: lock_backend
-- In the order of model.Backend. $1 backend.
SELECT backend_id, provider, endpoint, country, jurisdictions, access_key, sealed_secret, region, addressing, quirks, state, cost
  FROM backends
 WHERE backend_id = $1
   FOR UPDATE;

-- name: upsert_backend
-- In the order of model.Backend.
INSERT INTO backends
       (backend_id, provider, endpoint, country, jurisdictions, access_key, sealed_secret, region, addressing, quirks, state, cost)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (backend_id) DO UPDATE
   SET provider = $2, endpoint = $3, country = $4, jurisdictions = $5, access_key = $6, sealed_secret = $7, region = $8,
       addressing = $9, quirks = $10, state = $11, cost = $12;

-- name: find_bucket_misplaced_at
-- A bucket that has (or is being written) something at a backend and would not allow it there. $1 backend, $2 its country to be,
-- $3 its jurisdictions to be.
SELECT tenant_id, name
  FROM buckets
 WHERE (NOT $2 = ANY (countries) OR NOT $3::text[] <@ jurisdictions)
   AND (EXISTS (SELECT FROM replicas
                 WHERE replicas.bucket_id = buckets.bucket_id AND replicas.backend_id = $1 AND replicas.state <> 'deleting')
        OR EXISTS (SELECT FROM intents WHERE intents.bucket_id = buckets.bucket_id AND intents.decision -> 'write' ? $1))
 ORDER BY tenant_id, name
 LIMIT 1;

-- name: reseal_backend
-- Unless it was changed meanwhile. $1 backend, $2 sealed secret before, $3 after.
UPDATE backends SET sealed_secret = $3 WHERE backend_id = $1 AND sealed_secret = $2;
