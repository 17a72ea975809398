-- Statements of adoption: objects of providers' buckets that become versions where they are.

-- name: find_adopter
-- The bucket that has adopted a provider's bucket. $1 backend id, $2 the provider's bucket.
SELECT bucket_id FROM adopted_namespaces WHERE backend_id = $1 AND namespace = $2;

-- name: claim_namespace
-- From now on it is this bucket's, unless it is another's; then there is no row. Answers the time. $1 bucket id, $2 backend id, $3 the
-- provider's bucket.
INSERT INTO adopted_namespaces (bucket_id, backend_id, namespace)
VALUES ($1, $2, $3)
    ON CONFLICT (backend_id, namespace) DO UPDATE SET bucket_id = excluded.bucket_id
 WHERE adopted_namespaces.bucket_id = excluded.bucket_id
RETURNING now();

-- name: hold_epoch
-- What the bucket's policy and the backends ask for stays until the transaction ends. $1 bucket id.
SELECT versioning FROM buckets WHERE bucket_id = $1 FOR SHARE;

-- name: compare_places
-- What the record has at the places of listed objects, and under their keys. One row for each, in order. $1 bucket id, $2 backend id,
-- $3 the provider's bucket, $4 keys.
SELECT place.etag AS place_etag, place.adopted_at, coalesce(place.is_leaving, false) AS is_leaving,
       newest.version_id, newest.etag, newest.size, newest.is_delete_marker, coalesce(newest.is_here, false) AS is_here
  FROM unnest($4::text[]) WITH ORDINALITY AS asked (key, position)
  LEFT JOIN LATERAL (
       SELECT max(adopted_etag) FILTER (WHERE state <> 'deleting') AS etag,
              max(created_at) FILTER (WHERE state <> 'deleting') AS adopted_at,
              bool_or(state = 'deleting') AS is_leaving
         FROM replicas
        WHERE adopted_etag IS NOT NULL AND backend_id = $2 AND namespace = $3 AND blob_key = asked.key) AS place ON true
  LEFT JOIN LATERAL (
       SELECT version_id, etag, size, is_delete_marker,
              EXISTS (SELECT FROM replicas
                       WHERE replicas.bucket_id = versions.bucket_id
                         AND replicas.version_id = versions.version_id
                         AND replicas.backend_id = $2
                         AND replicas.namespace = $3
                         AND replicas.blob_key = asked.key) AS is_here
         FROM versions
        WHERE versions.bucket_id = $1 AND versions.key = convert_to(asked.key, 'UTF8')
        ORDER BY seq DESC
        LIMIT 1) AS newest ON true
 ORDER BY asked.position;

-- name: note_adopted_seen
-- $1 backend id, $2 the provider's bucket, $3 keys.
UPDATE replicas
   SET seen_at = now()
 WHERE adopted_etag IS NOT NULL AND backend_id = $1 AND namespace = $2 AND blob_key = ANY ($3::text[]) AND state <> 'deleting';

-- name: adopt
-- New versions whose bytes are where they were, each the newest of its key. They take the place over from what was adopted there before:
-- that one's blob is gone, so its row goes with its version, or becomes a copy that is owed. $1 bucket id, $2 backend id, $3 the
-- provider's bucket, $4 the bucket's own namespace there, $5 null or not, $6 seconds until other blobs of replaced versions are removed.
-- Parallel arrays: $7 version ids, $8 keys, $9 sizes, $10 etags, $11 storage classes, $12 digests, $13 facts, $14 decisions, $15 times.
-- $16 trace.
WITH incoming AS MATERIALIZED (
    SELECT *
      FROM unnest($7::uuid[], $8::text[], $9::bigint[], $10::text[], $11::text[], $12::json[], $13::json[], $14::jsonb[],
                  $15::timestamptz[])
           WITH ORDINALITY AS row (version_id, blob_key, size, etag, storage_class, digest, facts, decision, modified_at, position)
), recorded AS (
    INSERT INTO versions (bucket_id, version_id, key, committed_at, size, etag, storage_class, digest, facts, decision, is_null, trace)
    SELECT $1, version_id, convert_to(blob_key, 'UTF8'), modified_at, size, etag, storage_class, digest, facts, decision, $5, $16
      FROM incoming
     ORDER BY position
), pointed AS (
    INSERT INTO objects (bucket_id, key, version_id)
    SELECT $1, convert_to(blob_key, 'UTF8'), version_id FROM incoming
        ON CONFLICT (bucket_id, key) DO UPDATE SET version_id = excluded.version_id
), replaced AS (
    DELETE FROM versions
     USING incoming
     WHERE versions.bucket_id = $1
       AND versions.key = convert_to(incoming.blob_key, 'UTF8')
       AND versions.is_null
       AND $5
    RETURNING versions.version_id, versions.key
), before AS MATERIALIZED (
    SELECT replicas.version_id, replicas.backend_id, replaced.key,
           replicas.backend_id = $2 AND replicas.namespace = $3 AS is_here
      FROM replicas
      LEFT JOIN replaced USING (version_id)
     WHERE replicas.bucket_id = $1
       AND (replaced.version_id IS NOT NULL
            OR (replicas.adopted_etag IS NOT NULL AND replicas.backend_id = $2 AND replicas.namespace = $3
                AND replicas.blob_key = ANY ($8::text[]) AND replicas.state <> 'deleting'))
     ORDER BY replicas.version_id, replicas.backend_id
       FOR UPDATE OF replicas
), taken_over AS (
    DELETE FROM replicas
     USING before
     WHERE replicas.bucket_id = $1
       AND replicas.version_id = before.version_id
       AND replicas.backend_id = before.backend_id
       AND before.key IS NOT NULL
       AND before.is_here
), changed AS (
    UPDATE replicas
       SET state = CASE WHEN before.is_here THEN 'lost' ELSE 'deleting' END,
           attempt = 0, parked_reason = NULL, changed_at = clock_timestamp(), is_backfill = true, key = before.key,
           next_attempt_at = now() + CASE WHEN before.is_here THEN interval '0' ELSE make_interval(secs => $6::float8) END
      FROM before
     WHERE replicas.bucket_id = $1
       AND replicas.version_id = before.version_id
       AND replicas.backend_id = before.backend_id
       AND (before.key IS NULL) = before.is_here
)
INSERT INTO replicas (bucket_id, version_id, backend_id, namespace, blob_key, state, stamped, next_attempt_at, is_backfill, trace, adopted_etag,
                      home)
SELECT $1, version_id, $2, $3, blob_key, 'stored', false, now(), true, $16, etag, $4 FROM incoming;

-- name: find_vanished
-- What was adopted before and is not listed any more. $1 bucket id, $2 backend id, $3 the provider's bucket, $4 prefix, $5 since when,
-- $6 exclusive start, $7 limit.
SELECT blob_key
  FROM replicas
 WHERE adopted_etag IS NOT NULL
   AND backend_id = $2
   AND namespace = $3
   AND blob_key > $6
   AND starts_with(blob_key, $4)
   AND bucket_id = $1
   AND state IN ('stored', 'verified')
   AND greatest(created_at, seen_at) < $5
 ORDER BY blob_key
 LIMIT $7;
