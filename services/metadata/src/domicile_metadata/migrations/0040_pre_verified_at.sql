-- When a replica's bytes were last compared with the record. NULL: not since it came into its state (changed_at).
ALTER TABLE replicas ADD COLUMN verified_at timestamptz;
