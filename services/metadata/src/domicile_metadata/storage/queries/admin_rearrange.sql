-- Statements that show what a change of policy or of a backend would do, and how far it has got, for the admin API.

-- name: list_bucket_ids
-- $1 tenant or NULL, $2 bucket name or NULL.
SELECT bucket_id
  FROM buckets
 WHERE (tenant_id = $1 OR $1::text IS NULL)
   AND (name = $2 OR $2::text IS NULL)
 ORDER BY bucket_id;

-- name: find_page_end
-- The last version of a page. $1 bucket id, $2 exclusive start, $3 how many versions.
SELECT version_id
  FROM (SELECT version_id FROM versions WHERE bucket_id = $1 AND version_id > $2 ORDER BY version_id LIMIT $3) AS page
 ORDER BY version_id DESC
 LIMIT 1;

-- name: count_arrangements
-- The versions of a page by where their copies are and how many they ask for (as in read_copies): how many, and their bytes.
-- $1 bucket id, $2 exclusive start, $3 end.
SELECT storage_class, copies_asked_for, copies, count(*) AS objects, sum(size)::bigint AS bytes
  FROM (SELECT storage_class, facts -> 'tags' ->> 'replica-count' AS copies_asked_for, size,
               ARRAY(SELECT ARRAY[backend_id, state, CASE WHEN NOT stamped THEN 'stamp' END]
                       FROM replicas
                      WHERE replicas.bucket_id = versions.bucket_id AND replicas.version_id = versions.version_id
                      ORDER BY backend_id) AS copies
          FROM versions
         WHERE bucket_id = $1 AND version_id > $2 AND version_id <= $3 AND NOT is_delete_marker) AS page
 GROUP BY storage_class, copies_asked_for, copies;

-- name: list_rearrangements
-- Buckets whose versions were compared, those that were asked for last first. waiting: versions, and writes that had begun before, that are
-- still to be looked at. $1 tenant or NULL, $2 bucket name or NULL, $3 whether only unfinished ones, $4 limit.
SELECT tenant_id, name AS bucket, cause, requested_at, finished_at, compared, changed, waiting
  FROM (SELECT tenant_id, name, cause, requested_at, finished_at, compared, changed,
               (SELECT count(*)
                  FROM unsettled_versions
                 WHERE unsettled_versions.bucket_id = rearrangements.bucket_id AND refusal IS NULL) AS waiting
          FROM rearrangements
          JOIN buckets USING (bucket_id)
         WHERE (tenant_id = $1 OR $1::text IS NULL)
           AND (name = $2 OR $2::text IS NULL)) AS asked_for
 WHERE NOT $3 OR finished_at IS NULL OR waiting > 0
 ORDER BY requested_at DESC, tenant_id, name
 LIMIT $4;

-- name: count_refusals
-- Why versions are not where their policy wants them: how many, and one of them. $1 tenant or NULL, $2 bucket name or NULL.
SELECT tenant_id, name AS bucket, refusal AS reason, count(*) AS objects, (array_agg(version_id ORDER BY version_id))[1] AS example
  FROM unsettled_versions
  JOIN buckets USING (bucket_id)
 WHERE refusal IS NOT NULL
   AND (tenant_id = $1 OR $1::text IS NULL)
   AND (name = $2 OR $2::text IS NULL)
 GROUP BY tenant_id, name, refusal
 ORDER BY tenant_id, name, refusal;
