-- Statements that show where things are, to operators and to owners.

-- name: list_bucket_namespaces
-- $1 tenant, $2 bucket name or NULL.
SELECT tenant_id, bucket, backend_id, provider, counter, namespace, namespaces.created_at
  FROM namespaces
  JOIN backends USING (backend_id)
 WHERE tenant_id = $1
   AND (bucket = $2 OR $2::text IS NULL)
 ORDER BY bucket, backend_id;

-- name: find_namespace
-- Whose physical name this is, or was. $1 namespace.
SELECT tenant_id, bucket, backend_id, provider, counter, namespace, names.created_at
  FROM backends
  JOIN physical_names AS names USING (backend_id)
 WHERE namespace = $1
 ORDER BY backend_id;

-- name: find_current_version
-- $1 tenant, $2 bucket name, $3 key.
SELECT versions.bucket_id, versions.version_id, versions.committed_at, versions.size, versions.etag, versions.decision::text AS decision
  FROM buckets
  JOIN objects USING (bucket_id)
  JOIN versions USING (bucket_id, version_id)
 WHERE tenant_id = $1 AND name = $2 AND objects.key = $3;

-- name: find_placements
-- Why versions were placed as they were, and where their copies are, in whatever state: a row for each copy, in the order of the items, and
-- by backend. None for what is no version. $1 bucket ids, $2 version ids.
SELECT position, decision ->> 'reason' AS reason, backend_id, provider, country, replicas.state, changed_at,
       CASE WHEN replicas.state = 'verified' THEN coalesce(verified_at, changed_at) ELSE verified_at END AS verified_at
  FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS asked (bucket_id, version_id, position)
  JOIN versions USING (bucket_id, version_id)
  LEFT JOIN (replicas JOIN backends USING (backend_id)) USING (bucket_id, version_id)
 WHERE decision ->> 'reason' IS NOT NULL
 ORDER BY position, backend_id;

-- name: find_version_id
-- One version of a key by its id, or (NULL) its current one. $1 tenant, $2 bucket name, $3 key, $4 version id.
SELECT versions.bucket_id, versions.version_id
  FROM buckets
  JOIN versions USING (bucket_id)
 WHERE tenant_id = $1
   AND name = $2
   AND versions.key = $3
   AND versions.version_id = coalesce($4, (SELECT version_id FROM objects WHERE objects.bucket_id = buckets.bucket_id AND objects.key = $3));

-- name: list_replicas
-- Where a version is, in whatever state. $1 bucket id, $2 version id.
SELECT backend_id, provider, country, replicas.state, changed_at, stamped, attempt, next_attempt_at, parked_reason, namespace, blob_key,
       CASE WHEN replicas.state = 'verified' THEN coalesce(verified_at, changed_at) ELSE verified_at END AS verified_at
  FROM replicas
  JOIN backends USING (backend_id)
 WHERE bucket_id = $1 AND version_id = $2
 ORDER BY backend_id;
