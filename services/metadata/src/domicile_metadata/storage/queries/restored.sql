-- Statements of a record that was restored from a backup (docs/adr/0043).

-- name: is_away_from_home
-- Whether this record was served from another database before. The system identifier is the cluster's, made by initdb.
SELECT home <> system_identifier || '/' || oid
  FROM record_home, pg_control_system(), pg_database
 WHERE datname = current_database();

-- name: settle
-- This database is its home from now on.
INSERT INTO record_home (home)
SELECT system_identifier || '/' || oid FROM pg_control_system(), pg_database WHERE datname = current_database()
    ON CONFLICT (one) DO UPDATE SET home = excluded.home;

-- name: forget_intents
-- Writes that were under way when the backup was made: some have been committed since, and would be swept away. What others have left is found
-- by the rebuild, or by a scrub.
DELETE FROM intents;

-- name: forget_unwanted_copies
-- Removals of copies whose version is there: since the backup such a copy may have become the one that counts. A rebuild takes up those that are there.
DELETE FROM replicas
 WHERE state = 'deleting'
   AND EXISTS (SELECT FROM versions WHERE versions.bucket_id = replicas.bucket_id AND versions.version_id = replicas.version_id);

-- name: doubt_copies
-- Nobody knows what has become of them since: they are looked for where they were, and nothing is removed because of them. Those outside of their
-- bucket's lock are on their way out and count for nothing.
UPDATE replicas
   SET state = 'stored', verified_at = NULL
  FROM buckets, backends
 WHERE replicas.state = 'verified'
   AND buckets.bucket_id = replicas.bucket_id
   AND backends.backend_id = replicas.backend_id
   AND is_inside_lock(buckets.countries, buckets.jurisdictions, backends.country, backends.jurisdictions);

-- name: cancel_tasks
-- They have gone on, or ended, since.
UPDATE tasks SET state = 'cancelled', holder = NULL, finished_at = now() WHERE state IN ('waiting', 'running', 'paused');

-- name: forget_leases
-- Whoever held them is not there any more.
DELETE FROM leases;
