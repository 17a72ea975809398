-- What probes have found out about backends (docs/adr/0036): the latest, by which proxies and replicators go.
ALTER TABLE backends ADD COLUMN capabilities json NOT NULL DEFAULT '{}';

-- A row for each time that it was found otherwise than before. seen_at: when it was last found so. changed: names of what was known and had changed.
-- notes: check -> why it could not be carried out, the last time.
CREATE TABLE probes (
    backend_id   text NOT NULL REFERENCES backends,
    found_at     timestamptz NOT NULL DEFAULT now(),
    seen_at      timestamptz NOT NULL DEFAULT now(),
    capabilities json NOT NULL,
    changed      text[] NOT NULL,
    notes        json NOT NULL,
    PRIMARY KEY (backend_id, found_at)
);

-- One probe of a backend at a time: they use the same buckets.
CREATE UNIQUE INDEX tasks_one_probe ON tasks ((parameters ->> 'backend_id'))
 WHERE kind = 'probe' AND state IN ('waiting', 'running', 'paused');
