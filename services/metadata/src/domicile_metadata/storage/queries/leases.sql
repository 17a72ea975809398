-- Statements of leases: what must run once at a time runs where the lease is held.

-- name: take_lease
-- Takes or renews a lease; no row when another holder has it. $1 name, $2 holder, $3 seconds.
INSERT INTO leases (name, holder, expires_at)
VALUES ($1, $2, now() + make_interval(secs => $3::float8))
ON CONFLICT (name) DO UPDATE
   SET holder = excluded.holder, expires_at = excluded.expires_at
 WHERE leases.holder = excluded.holder OR leases.expires_at < now()
RETURNING true;

-- name: release_lease
-- $1 name, $2 holder.
DELETE FROM leases WHERE name = $1 AND holder = $2;
