-- Took the place of: replicas_due, outbox_by_lane.
DROP INDEX replicas_owed;
DROP INDEX outbox_due;
