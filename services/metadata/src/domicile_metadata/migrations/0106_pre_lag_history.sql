-- What backends were owed, by the minute: the worst that was measured in it.
CREATE TABLE lag_history (
    at             timestamptz NOT NULL,
    backend_id     text NOT NULL REFERENCES backends,
    copies         bigint NOT NULL,
    bytes          bigint NOT NULL,
    oldest_seconds float8 NOT NULL,
    late           bigint NOT NULL,
    parked         bigint NOT NULL,
    removals       bigint NOT NULL,
    PRIMARY KEY (at, backend_id)
);
