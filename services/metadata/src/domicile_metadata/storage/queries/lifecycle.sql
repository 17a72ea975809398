-- Statements of the lifecycle worker. Each scan is a page of an index, in order.

-- name: list_ruled_buckets
-- Buckets with lifecycle rules. $1 exclusive start, $2 limit.
SELECT bucket_id, document
  FROM bucket_settings
 WHERE setting = 'lifecycle' AND bucket_id > $1
 ORDER BY bucket_id
 LIMIT $2;

-- name: scan_current
-- A page of current versions. $1 bucket id, $2 prefix, $3 exclusive start, $4 limit.
SELECT objects.key, versions.version_id, versions.is_null, versions.committed_at, versions.size, versions.facts
  FROM objects
  JOIN versions ON versions.bucket_id = objects.bucket_id AND versions.version_id = objects.version_id
 WHERE objects.bucket_id = $1
   AND objects.key > $3
   AND objects.key >= $2
   AND objects.key < $2::bytea || '\xff'
 ORDER BY objects.key
 LIMIT $4;

-- name: scan_versions
-- A page of all versions, newest first within a key. successor_at: since when it is noncurrent, NULL for the newest; newer: how many
-- noncurrent versions are newer, counted up to $6; is_oldest: nothing older is left.
-- $1 bucket id, $2 prefix, $3 and $4 key and seq to start behind, $5 limit, $6 as said.
SELECT versions.key, versions.seq, versions.version_id, versions.is_null, versions.is_delete_marker, versions.committed_at, versions.size,
       versions.facts, successor.committed_at AS successor_at,
       (SELECT count(*)
          FROM (SELECT FROM versions AS other
                 WHERE other.bucket_id = $1 AND other.key = versions.key AND other.seq > versions.seq
                 ORDER BY other.seq
                 LIMIT $6 + 1) AS counted) - 1 AS newer,
       NOT EXISTS (SELECT FROM versions AS other
                    WHERE other.bucket_id = $1 AND other.key = versions.key AND other.seq < versions.seq) AS is_oldest
  FROM versions
  LEFT JOIN LATERAL (
       SELECT committed_at
         FROM versions AS other
        WHERE other.bucket_id = $1 AND other.key = versions.key AND other.seq > versions.seq
        ORDER BY other.seq
        LIMIT 1) AS successor ON true
 WHERE versions.bucket_id = $1
   AND versions.key >= $3
   AND (versions.key > $3 OR versions.seq < $4)
   AND versions.key >= $2
   AND versions.key < $2::bytea || '\xff'
 ORDER BY versions.key, versions.seq DESC
 LIMIT $5;

-- name: list_old_uploads
-- Uploads that were begun then or before. $1 bucket id, $2 prefix, $3 time, $4 limit.
SELECT version_id
  FROM intents
 WHERE bucket_id = $1
   AND is_upload
   AND key >= $2
   AND key < $2::bytea || '\xff'
   AND created_at <= $3
 LIMIT $4;

-- name: find_still_current
-- Those that are. $1 bucket id, $2 keys, $3 version ids.
SELECT asked.version_id
  FROM unnest($2::bytea[], $3::uuid[]) AS asked (key, version_id)
  JOIN objects ON objects.bucket_id = $1 AND objects.key = asked.key AND objects.version_id = asked.version_id;

-- name: find_still_old
-- Those that are still there with a newer version, or are a delete marker on its own. $1 bucket id, $2 keys, $3 version ids.
SELECT asked.version_id
  FROM unnest($2::bytea[], $3::uuid[]) AS asked (key, version_id)
  JOIN versions ON versions.bucket_id = $1 AND versions.version_id = asked.version_id AND versions.key = asked.key
 WHERE EXISTS (SELECT FROM versions AS other WHERE other.bucket_id = $1 AND other.key = asked.key AND other.seq > versions.seq)
    OR (versions.is_delete_marker
        AND NOT EXISTS (SELECT FROM versions AS other
                         WHERE other.bucket_id = $1 AND other.key = asked.key AND other.seq <> versions.seq));
