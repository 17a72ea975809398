-- has_copies: a rebuild has found copies in it beside a later name of its bucket (docs/adr/0047). Nothing new is written there, but what is in it
-- counts, and it is not removed before that is gone.
ALTER TABLE retired_namespaces ADD COLUMN has_copies boolean NOT NULL DEFAULT false;

CREATE OR REPLACE VIEW physical_names AS
SELECT tenant_id, bucket, backend_id, counter, namespace, created_at, false AS is_retired, NULL::timestamptz AS removed_at, true AS has_copies
  FROM namespaces
 UNION ALL
SELECT tenant_id, bucket, backend_id, counter, namespace, created_at, true, removed_at, has_copies FROM retired_namespaces;
