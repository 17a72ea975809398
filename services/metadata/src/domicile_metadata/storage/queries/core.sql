-- Statements that belong to no subject. In every file of this folder a statement begins with a line `-- name: <unique_name>`
-- and ends where the next one begins; the comment lines after the name say what it is for.

-- name: ping
-- Readiness: the database answers.
SELECT 1;

-- name: now
-- The time by which intents, leases and jobs are due.
SELECT now();

-- name: notify
-- Wakes the listeners of a channel when the transaction commits. $1 channel, $2 payload.
SELECT pg_notify($1, $2);
