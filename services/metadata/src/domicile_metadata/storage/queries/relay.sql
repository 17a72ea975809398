-- Statements of the outbox.

-- name: take_outbox
-- The oldest due messages, backfill last, locked until the transaction ends; those that another relay has in hand are left out, and so are
-- those for some queues. $1 limit, $2 routing keys of these queues, $3 whether they are for backfill.
SELECT id, routing_key, payload::text AS body, coalesce(payload ->> 'trace', '') AS trace, is_backfill
  FROM outbox
 WHERE available_at <= now()
   AND NOT EXISTS (SELECT FROM unnest($2::text[], $3::boolean[]) AS aside (routing_key, is_backfill)
                    WHERE aside.routing_key = outbox.routing_key AND aside.is_backfill = outbox.is_backfill)
 ORDER BY is_backfill, available_at, id
 LIMIT $1
   FOR UPDATE SKIP LOCKED;

-- name: delete_outbox
-- The broker has these messages. $1 ids.
DELETE FROM outbox WHERE id = ANY ($1::bigint[]);

-- name: postpone_outbox
-- No queue takes these messages: let the others pass. $1 ids, $2 seconds.
UPDATE outbox SET available_at = now() + make_interval(secs => $2::float8) WHERE id = ANY ($1::bigint[]);

-- name: list_backend_ids
-- Every backend that may have a queue.
SELECT backend_id FROM backends ORDER BY backend_id;
