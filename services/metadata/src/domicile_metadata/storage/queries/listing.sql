-- Statements of listings. Their cost is that of the page: each step is one descent of an index, and a common prefix is one step, however
-- many keys lie below it. Keys are UTF-8, where the byte FF never occurs: prefix || FF lies behind everything that begins with prefix.

-- name: walk_objects
-- Up to $5 keys and common prefixes of current versions, in byte order. After a key the walk goes on at the next possible one (key || 00).
-- $1 bucket id, $2 prefix, $3 delimiter ('' for none), $4 where to start (inclusive, not before the prefix).
WITH RECURSIVE walk AS (
    SELECT 0 AS step, NULL::bytea AS entry, false AS is_prefix, NULL::uuid AS version_id, $4::bytea AS start
    UNION ALL
    SELECT walk.step + 1, rolled.entry, found.at > 0, next.version_id, rolled.entry || CASE WHEN found.at > 0 THEN '\xff'::bytea ELSE '\x00' END
      FROM walk
     CROSS JOIN LATERAL (
           SELECT key, version_id
             FROM objects
            WHERE bucket_id = $1
              AND key >= walk.start
              AND key < $2::bytea || '\xff'
            ORDER BY key
            LIMIT 1
           ) AS next
     CROSS JOIN LATERAL (
           SELECT CASE WHEN $3::bytea = '' THEN 0 ELSE position($3::bytea IN substring(next.key FROM length($2::bytea) + 1)) END AS at
           ) AS found
     CROSS JOIN LATERAL (
           SELECT CASE WHEN found.at = 0 THEN next.key
                       ELSE substring(next.key FOR length($2::bytea) + found.at - 1 + length($3::bytea)) END AS entry
           ) AS rolled
     WHERE walk.step < $5
)
SELECT walk.entry, walk.is_prefix, versions.size, versions.etag, versions.committed_at, versions.storage_class, versions.digest
  FROM walk
  LEFT JOIN versions ON NOT walk.is_prefix AND versions.bucket_id = $1 AND versions.version_id = walk.version_id
 WHERE walk.step > 0
 ORDER BY walk.step;

-- name: scan_objects
-- The same without a delimiter, where one range of the index holds the page.
-- $1 bucket id, $2 prefix, $3 where to start (inclusive, not before the prefix), $4 limit.
SELECT objects.key AS entry, false AS is_prefix, versions.size, versions.etag, versions.committed_at, versions.storage_class,
       versions.digest
  FROM objects
  JOIN versions ON versions.bucket_id = $1 AND versions.version_id = objects.version_id
 WHERE objects.bucket_id = $1
   AND objects.key >= $3::bytea
   AND objects.key < $2::bytea || '\xff'
 ORDER BY objects.key
 LIMIT $4;

-- name: find_version_mark
-- The place of a version among those of its key, for a page to begin behind it. One that is gone by now is taken to have been newer than
-- the versions with a lower id, which were begun before it. $1 bucket id, $2 key, $3 version id as S3 names it, or as it is.
SELECT coalesce(
       (SELECT seq FROM versions WHERE bucket_id = $1 AND key = $2 AND is_null AND $3::text = 'null' ORDER BY seq DESC LIMIT 1),
       (SELECT seq FROM versions WHERE bucket_id = $1 AND key = $2 AND version_id = nullif($3::text, 'null')::uuid),
       (SELECT max(seq) + 1 FROM versions WHERE bucket_id = $1 AND key = $2 AND version_id < nullif($3::text, 'null')::uuid),
       0);

-- name: walk_versions
-- Up to $7 versions and common prefixes: keys in byte order, versions of a key newest first. After a version the walk goes on with the
-- next older one of its key, and when there is none with the newest one of the next key. $1 bucket id, $2 prefix, $3 delimiter ('' for
-- none), $4 key of which versions older than $5 come first, $6 where to start otherwise (inclusive, not before the prefix).
WITH RECURSIVE walk AS (
    SELECT 0 AS step, NULL::bytea AS entry, false AS is_prefix, NULL::uuid AS version_id, false AS is_latest,
           $4::bytea AS key, $5::bigint AS seq, $6::bytea AS start
    UNION ALL
    SELECT walk.step + 1, rolled.entry, found.at > 0, next.version_id, next.is_latest,
           CASE WHEN found.at = 0 THEN next.key END, next.seq,
           rolled.entry || CASE WHEN found.at > 0 THEN '\xff'::bytea ELSE '\x00' END
      FROM walk
     CROSS JOIN LATERAL (
           SELECT *
             FROM ((SELECT 1 AS turn, key, seq, version_id, false AS is_latest
                      FROM versions
                     WHERE bucket_id = $1
                       AND versions.key = walk.key
                       AND versions.seq < walk.seq
                     ORDER BY versions.seq DESC
                     LIMIT 1)
                   UNION ALL
                   (SELECT 2, key, seq, version_id, true
                      FROM versions
                     WHERE bucket_id = $1
                       AND versions.key >= walk.start
                       AND versions.key < $2::bytea || '\xff'
                     ORDER BY versions.key, versions.seq DESC
                     LIMIT 1)) AS candidates
            ORDER BY turn
            LIMIT 1
           ) AS next
     CROSS JOIN LATERAL (
           SELECT CASE WHEN $3::bytea = '' THEN 0 ELSE position($3::bytea IN substring(next.key FROM length($2::bytea) + 1)) END AS at
           ) AS found
     CROSS JOIN LATERAL (
           SELECT CASE WHEN found.at = 0 THEN next.key
                       ELSE substring(next.key FOR length($2::bytea) + found.at - 1 + length($3::bytea)) END AS entry
           ) AS rolled
     WHERE walk.step < $7
)
SELECT walk.entry, walk.is_prefix, versions.size, versions.etag, versions.committed_at, versions.storage_class, versions.digest,
       versions.version_id, versions.is_null, versions.is_delete_marker,
       walk.is_latest OR NOT EXISTS (
           SELECT FROM versions AS newer
            WHERE newer.bucket_id = $1 AND newer.key = walk.key AND newer.seq > walk.seq) AS is_latest
  FROM walk
  LEFT JOIN versions ON NOT walk.is_prefix AND versions.bucket_id = $1 AND versions.version_id = walk.version_id
 WHERE walk.step > 0
 ORDER BY walk.step;

-- name: bucket_exists
-- $1 bucket id.
SELECT EXISTS (SELECT FROM buckets WHERE bucket_id = $1);

-- name: walk_uploads
-- Up to $6 uploads and common prefixes, by key and upload id. After an upload the walk goes on behind it, after a common prefix behind
-- all below it. $1 bucket id, $2 prefix, $3 delimiter ('' for none), $4 and $5 key and upload id to start behind.
WITH RECURSIVE walk AS (
    SELECT 0 AS step, NULL::bytea AS entry, false AS is_prefix, $4::bytea AS behind_key, $5::uuid AS behind_id
    UNION ALL
    SELECT walk.step + 1, rolled.entry, found.at > 0, rolled.entry || CASE WHEN found.at > 0 THEN '\xff'::bytea ELSE '' END,
           next.version_id
      FROM walk
     CROSS JOIN LATERAL (
           SELECT key, version_id
             FROM intents
            WHERE bucket_id = $1
              AND is_upload
              AND (key, version_id) > (walk.behind_key, walk.behind_id)
              AND key < $2::bytea || '\xff'
              AND deadline > now()
            ORDER BY key, version_id
            LIMIT 1
           ) AS next
     CROSS JOIN LATERAL (
           SELECT CASE WHEN $3::bytea = '' THEN 0 ELSE position($3::bytea IN substring(next.key FROM length($2::bytea) + 1)) END AS at
           ) AS found
     CROSS JOIN LATERAL (
           SELECT CASE WHEN found.at = 0 THEN next.key
                       ELSE substring(next.key FOR length($2::bytea) + found.at - 1 + length($3::bytea)) END AS entry
           ) AS rolled
     WHERE walk.step < $6
)
SELECT walk.entry, walk.is_prefix, intents.version_id, intents.created_at, intents.facts, intents.checksum_algorithm, intents.checksum_type,
       intents.initiator
  FROM walk
  LEFT JOIN intents ON NOT walk.is_prefix AND intents.bucket_id = $1 AND intents.version_id = walk.behind_id
 WHERE walk.step > 0
 ORDER BY walk.step;
