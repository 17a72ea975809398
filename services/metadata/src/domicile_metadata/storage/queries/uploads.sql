-- Statements of multipart uploads. An upload is an intent; one past its deadline is gone, even before the sweeper has come by.

-- name: register_upload
-- The backends' own upload ids. $1 bucket id, $2 upload id, $3 backend id → upload id, $4 checksum algorithm, $5 its type, $6 initiator.
UPDATE intents
   SET uploads = $3, checksum_algorithm = $4, checksum_type = $5, initiator = $6
 WHERE bucket_id = $1 AND version_id = $2 AND is_upload AND deadline > now();

-- name: find_upload
-- $1 bucket id, $2 upload id, $3 key.
SELECT created_at, facts, blobs, uploads, decision, checksum_algorithm, checksum_type, initiator
  FROM intents
 WHERE bucket_id = $1 AND version_id = $2 AND key = $3 AND is_upload AND deadline > now();

-- name: put_part
-- Records a part of a live upload, or replaces the one of its number. The deadline moves only when a tenth of the time is gone, so that
-- parts that are uploaded side by side do not wait for each other's row.
-- $1 bucket id, $2 upload id, $3 number, $4 size, $5 etag, $6 checksums, $7 our own CRC, $8 seconds that an upload lives after its last part.
WITH live AS (
    SELECT bucket_id, version_id FROM intents WHERE bucket_id = $1 AND version_id = $2 AND is_upload AND deadline > now()
), renewed AS (
    UPDATE intents
       SET deadline = now() + make_interval(secs => $8::float8)
      FROM live
     WHERE intents.bucket_id = live.bucket_id
       AND intents.version_id = live.version_id
       AND intents.deadline < now() + make_interval(secs => $8::float8 * 0.9)
)
INSERT INTO parts (bucket_id, upload_id, number, size, etag, checksums, crc)
SELECT bucket_id, version_id, $3, $4, $5, $6, $7 FROM live
    ON CONFLICT (bucket_id, upload_id, number) DO UPDATE
   SET size = excluded.size, etag = excluded.etag, checksums = excluded.checksums, crc = excluded.crc, created_at = now();

-- name: drop_upload_targets
-- An upload goes on without some of its backends, if enough are left. $1 bucket id, $2 upload id, $3 backend ids.
UPDATE intents
   SET uploads = uploads - $3::text[]
 WHERE bucket_id = $1
   AND version_id = $2
   AND is_upload
   AND deadline > now()
   AND chosen_parts IS NULL
   AND (SELECT count(*) FROM jsonb_object_keys(uploads - $3::text[])) >= (decision->>'quorum')::integer;

-- name: list_parts
-- $1 bucket id, $2 upload id, $3 exclusive start, $4 limit.
SELECT number, size, etag, created_at, checksums, crc
  FROM parts
 WHERE bucket_id = $1 AND upload_id = $2 AND number > $3
 ORDER BY number
 LIMIT $4;

-- name: choose_parts
-- Fixes the parts of the version: the same choice may be repeated, another one may not follow while something may come of this one.
-- $1 bucket id, $2 upload id, $3 parts.
UPDATE intents
   SET chosen_parts = $3, completions = completions + 1
 WHERE bucket_id = $1
   AND version_id = $2
   AND is_upload
   AND deadline > now()
   AND (chosen_parts IS NULL OR chosen_parts::text = $3::json::text);

-- name: reopen_upload
-- One of the completions that have chosen the parts has failed for good. After the last of them others may be chosen. $1 bucket id, $2 upload id.
UPDATE intents
   SET completions = completions - 1, chosen_parts = CASE WHEN completions > 1 THEN chosen_parts END
 WHERE bucket_id = $1 AND version_id = $2 AND is_upload AND completions > 0;
