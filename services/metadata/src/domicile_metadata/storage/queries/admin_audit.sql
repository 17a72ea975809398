-- Statements of the audit log. Nothing here changes a row.

-- name: lock_audit
-- From now until the transaction ends nobody else adds to the log: each row needs the hash of the one before. $1 any fixed number.
SELECT pg_advisory_xact_lock($1);

-- name: find_last_audit
-- A statement of its own: what it sees is what was there when the lock was had.
SELECT seq, encode(hash, 'hex') FROM audit ORDER BY seq DESC LIMIT 1;

-- name: insert_audit
INSERT INTO audit (at, kind, actor, role, tenant_id, action, target, status, code, request_id, seq, previous, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, decode($12, 'hex'), decode($13, 'hex'));

-- name: list_audit
-- A page, newest first. NULL asks for everything. $1 older than this number, $2 limit, $3 tenant, $4 actor, $5 role, $6 part of action or
-- target, $7 since, $8 until, $9 refused (true), done (false).
SELECT at, kind, actor, role, tenant_id, action, target, status, code, request_id, seq, encode(previous, 'hex'), encode(hash, 'hex')
  FROM audit
 WHERE seq < $1
   AND (tenant_id = $3 OR $3::text IS NULL)
   AND (actor = $4 OR $4::text IS NULL)
   AND (role = $5 OR $5::text IS NULL)
   AND (strpos(action || ' ' || target, $6) > 0 OR $6::text IS NULL)
   AND (at >= $7 OR $7::timestamptz IS NULL)
   AND (at < $8 OR $8::timestamptz IS NULL)
   AND ((code <> '') = $9 OR $9::boolean IS NULL)
 ORDER BY seq DESC
 LIMIT $2;

-- name: walk_audit
-- A page in order, of what was about one tenant or ($3 NULL) anybody. $1 exclusive start, $2 limit.
SELECT at, kind, actor, role, tenant_id, action, target, status, code, request_id, seq, encode(previous, 'hex'), encode(hash, 'hex')
  FROM audit
 WHERE seq > $1
   AND (tenant_id = $3 OR $3::text IS NULL)
 ORDER BY seq
 LIMIT $2;
