-- outside a transaction: the tables are large, and stay in use meanwhile.
UPDATE replicas
   SET size = versions.size
  FROM versions
 WHERE versions.bucket_id = replicas.bucket_id
   AND versions.version_id = replicas.version_id
   AND replicas.state IN ('wanted', 'lost')
   AND replicas.size IS NULL;
DROP INDEX IF EXISTS replicas_owed_copies;
CREATE INDEX CONCURRENTLY replicas_owed_copies ON replicas (backend_id, bucket_id, changed_at) INCLUDE (size, attempt)
    WHERE state IN ('wanted', 'lost');
DROP INDEX IF EXISTS replicas_owed_removals;
CREATE INDEX CONCURRENTLY replicas_owed_removals ON replicas (backend_id, changed_at) WHERE state = 'deleting';
