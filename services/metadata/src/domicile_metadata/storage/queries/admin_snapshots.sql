-- Statements of snapshots. Whose they are is part of each question: $2 says whether the caller is an operator, $3 which tenant it is.

-- name: insert_snapshot
-- $1 id, $2 tenant or NULL, $3 title, $4 endpoint, $5 keys, $6 now.
INSERT INTO snapshots (snapshot_id, tenant_id, title, endpoint, keys, created_at) VALUES ($1, $2, $3, $4, $5, $6)
RETURNING snapshot_id, tenant_id, title, endpoint, keys, created_at, finished_at, truncated, objects, bytes, stored, pieces;

-- name: count_snapshots
-- Of one tenant, or of the operators when it is NULL. $1 tenant.
SELECT count(*) FROM snapshots WHERE tenant_id = $1 OR ($1::text IS NULL AND tenant_id IS NULL);

-- name: list_snapshots
-- A page of everybody's, the newest first. $1 exclusive end, $2 limit.
SELECT snapshot_id, tenant_id, title, endpoint, keys, created_at, finished_at, truncated, objects, bytes, stored, pieces
  FROM snapshots
 WHERE snapshot_id < $1
 ORDER BY snapshot_id DESC
 LIMIT $2;

-- name: list_tenant_snapshots
-- A page of one tenant's, the newest first. $1 exclusive end, $2 limit, $3 tenant.
SELECT snapshot_id, tenant_id, title, endpoint, keys, created_at, finished_at, truncated, objects, bytes, stored, pieces
  FROM snapshots
 WHERE tenant_id = $3
   AND snapshot_id < $1
 ORDER BY snapshot_id DESC
 LIMIT $2;

-- name: find_snapshot
-- $1 id, $2 operator, $3 tenant.
SELECT snapshot_id, tenant_id, title, endpoint, keys, created_at, finished_at, truncated, objects, bytes, stored, pieces
  FROM snapshots
 WHERE snapshot_id = $1
   AND ($2 OR tenant_id = $3);

-- name: lock_snapshot
-- Its pieces come one after the other. $1 id, $2 operator, $3 tenant.
SELECT snapshot_id, tenant_id, title, endpoint, keys, created_at, finished_at, truncated, objects, bytes, stored, pieces
  FROM snapshots
 WHERE snapshot_id = $1
   AND ($2 OR tenant_id = $3)
   FOR UPDATE;

-- name: snapshot_totals
-- $1 id.
SELECT bucket, storage_class, objects, bytes FROM snapshot_totals WHERE snapshot_id = $1 ORDER BY bucket, storage_class;

-- name: sent_piece
-- $1 id, $2 number.
SELECT sent FROM snapshot_pieces WHERE snapshot_id = $1 AND number = $2;

-- name: insert_piece
-- $1 id, $2 number, $3 SHA-256 of what was sent, $4 content.
INSERT INTO snapshot_pieces (snapshot_id, number, sent, content) VALUES ($1, $2, $3, $4);

-- name: add_totals
-- $1 id, $2 buckets, $3 storage classes, $4 objects, $5 bytes.
INSERT INTO snapshot_totals (snapshot_id, bucket, storage_class, objects, bytes)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[])
    ON CONFLICT (snapshot_id, bucket, storage_class) DO UPDATE
   SET objects = snapshot_totals.objects + excluded.objects, bytes = snapshot_totals.bytes + excluded.bytes;

-- name: add_to_snapshot
-- $1 id, $2 objects, $3 bytes, $4 stored, $5 pieces, $6 truncated.
UPDATE snapshots
   SET objects = objects + $2, bytes = bytes + $3, stored = stored + $4, pieces = pieces + $5, truncated = truncated OR $6
 WHERE snapshot_id = $1
RETURNING snapshot_id, tenant_id, title, endpoint, keys, created_at, finished_at, truncated, objects, bytes, stored, pieces;

-- name: finish_snapshot
-- Doing it again changes nothing. $1 id, $2 now, $3 truncated.
UPDATE snapshots
   SET finished_at = coalesce(finished_at, $2), truncated = truncated OR ($3 AND finished_at IS NULL)
 WHERE snapshot_id = $1
RETURNING snapshot_id, tenant_id, title, endpoint, keys, created_at, finished_at, truncated, objects, bytes, stored, pieces;

-- name: piece_numbers
-- $1 id.
SELECT number FROM snapshot_pieces WHERE snapshot_id = $1 ORDER BY number;

-- name: piece_content
-- $1 id, $2 number.
SELECT content FROM snapshot_pieces WHERE snapshot_id = $1 AND number = $2;

-- name: delete_snapshot
-- $1 id, $2 operator, $3 tenant.
DELETE FROM snapshots WHERE snapshot_id = $1 AND ($2 OR tenant_id = $3);
