-- Statements of how backends look to those who talk to them.

-- name: note_health
-- $1 observer; parallel arrays, in the order of the backends: $2 backend ids, $3 whether they are avoided, $4 seconds.
INSERT INTO backend_health (backend_id, observer, is_avoided, seconds, seen_at)
SELECT backend_id, $1, is_avoided, seconds, now()
  FROM unnest($2::text[], $3::boolean[], $4::float8[]) AS seen (backend_id, is_avoided, seconds)
  JOIN backends USING (backend_id)
 ORDER BY backend_id
    ON CONFLICT (backend_id, observer) DO UPDATE
   SET is_avoided = excluded.is_avoided, seconds = excluded.seconds, seen_at = excluded.seen_at;

-- name: forget_health
-- Of processes that have said nothing for an hour.
DELETE FROM backend_health WHERE seen_at < now() - interval '1 hour';

-- name: show_health
-- Each backend, as proxies see it that have said something lately; and how the last job there failed that waits to be tried again.
-- $1 seconds.
SELECT backends.backend_id, seen.proxies, seen.avoiding, seen.seconds, failed.failure
  FROM backends
 CROSS JOIN LATERAL (
       SELECT count(*) AS proxies, count(*) FILTER (WHERE is_avoided) AS avoiding, avg(seconds) FILTER (WHERE seconds > 0) AS seconds
         FROM backend_health
        WHERE backend_health.backend_id = backends.backend_id
          AND seen_at > now() - make_interval(secs => $1)) AS seen
  LEFT JOIN LATERAL (
       SELECT failures -> -1 AS failure
         FROM (VALUES ('fresh'), ('removal'), ('backfill')) AS lanes (lane)
        CROSS JOIN LATERAL (
              SELECT failures
                FROM replicas
               WHERE replicas.backend_id = backends.backend_id
                 AND lane(state, is_backfill) = lanes.lane
                 AND parked_reason IS NULL
                 AND (state IN ('wanted', 'lost', 'deleting') OR NOT stamped)
                 AND next_attempt_at > now()
                 AND attempt > 0
               ORDER BY next_attempt_at DESC
               LIMIT 1) AS latest
        ORDER BY failures -> -1 ->> 'at' DESC
        LIMIT 1) AS failed ON true
 ORDER BY backends.backend_id;
