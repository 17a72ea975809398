-- Fresh writes go before everything else that is owed (docs/adr/0017-lanes.md).

-- is_backfill: the copy is owed by something else than a write: a change of policy or backends, a scrub's finding, an adopted bucket.
ALTER TABLE replicas ADD COLUMN is_backfill boolean NOT NULL DEFAULT false;

-- In which order replicas are worked on: fresh at once; removal before backfill, both as the workers have room for them.
CREATE FUNCTION lane(state text, is_backfill boolean) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN state = 'deleting' THEN 'removal' WHEN is_backfill THEN 'backfill' ELSE 'fresh' END;

-- What is owed, by backend and lane: the reconciler walks only this.
CREATE INDEX replicas_due ON replicas (backend_id, lane(state, is_backfill), next_attempt_at)
    WHERE parked_reason IS NULL AND (state IN ('wanted', 'lost', 'deleting') OR NOT stamped);

-- Messages for the queue backfill.<backend>; the relays take them last.
ALTER TABLE outbox ADD COLUMN is_backfill boolean NOT NULL DEFAULT false;
CREATE INDEX outbox_by_lane ON outbox (is_backfill, available_at, id);

-- paused: workers leave the backend alone until it is resumed. The others limit what all workers together do there, NULL: no limit.
ALTER TABLE backends
    ADD COLUMN paused              boolean NOT NULL DEFAULT false,
    ADD COLUMN job_limit           integer CHECK (job_limit > 0),
    ADD COLUMN bytes_per_second    bigint CHECK (bytes_per_second > 0),
    ADD COLUMN requests_per_second float8 CHECK (requests_per_second > 0);

CREATE OR REPLACE VIEW backend_list AS
SELECT coalesce(json_agg(backend), '[]')::text AS backends
  FROM (SELECT backend_id, provider, endpoint, country, jurisdictions, access_key, sealed_secret, region, addressing, quirks, state, cost,
               paused, job_limit, bytes_per_second, requests_per_second
          FROM backends
         ORDER BY backend_id) AS backend;
