-- Statements of the sweeper.

-- name: sweep_intents
-- Ends intents past their deadline and owes the removal of what they may have left: the blob at each backend that was to be written.
-- A replica row that exists already belongs to a version and is left alone. $1 limit; answers how many intents ended.
WITH expired AS (
    SELECT bucket_id, version_id, key, decision, blobs, trace
      FROM intents
     WHERE deadline < now()
     ORDER BY deadline
     LIMIT $1
       FOR UPDATE SKIP LOCKED
), owed AS (
    INSERT INTO replicas (bucket_id, version_id, backend_id, namespace, blob_key, state, next_attempt_at, trace, key)
    SELECT expired.bucket_id, expired.version_id, blob.backend_id, blob.namespace, blob.blob_key, 'deleting', now(), expired.trace,
           expired.key
      FROM expired, jsonb_to_recordset(expired.blobs) AS blob (backend_id text, namespace text, blob_key text)
     WHERE expired.decision -> 'write' ? blob.backend_id
    ON CONFLICT (bucket_id, version_id, backend_id) DO NOTHING
)
DELETE FROM intents
 USING expired
 WHERE intents.bucket_id = expired.bucket_id
   AND intents.version_id = expired.version_id;
