-- Statements of what backends were owed, over time.

-- name: note_lag
-- The worst of a minute is kept. Parallel arrays: $1 backend ids, $2 copies, $3 bytes, $4 oldest in seconds, $5 late, $6 parked, $7 removals.
INSERT INTO lag_history AS known (at, backend_id, copies, bytes, oldest_seconds, late, parked, removals)
SELECT date_trunc('minute', now()), * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::float8[], $5::bigint[], $6::bigint[], $7::bigint[])
    ON CONFLICT (at, backend_id) DO UPDATE
   SET copies = greatest(known.copies, excluded.copies), bytes = greatest(known.bytes, excluded.bytes),
       oldest_seconds = greatest(known.oldest_seconds, excluded.oldest_seconds), late = greatest(known.late, excluded.late),
       parked = greatest(known.parked, excluded.parked), removals = greatest(known.removals, excluded.removals);

-- name: forget_lag
-- $1 days.
DELETE FROM lag_history WHERE at < now() - make_interval(days => $1);

-- name: list_lag
-- The worst of each step, by time. $1 hours, $2 seconds of a step, $3 backend or NULL.
SELECT date_bin(make_interval(secs => $2), at, 'epoch') AS step, backend_id, max(copies) AS copies, max(bytes) AS bytes,
       max(oldest_seconds) AS oldest_seconds, max(late) AS late, max(parked) AS parked, max(removals) AS removals
  FROM lag_history
 WHERE at > now() - make_interval(hours => $1)
   AND (backend_id = $3 OR $3::text IS NULL)
 GROUP BY step, backend_id
 ORDER BY step, backend_id;
