-- How backends look to the proxies, each of which says so every few seconds. Rows of processes that are gone are deleted after a while.
CREATE TABLE backend_health (
    backend_id text NOT NULL REFERENCES backends,
    observer   text NOT NULL,
    is_avoided boolean NOT NULL,
    seconds    float8 NOT NULL,
    seen_at    timestamptz NOT NULL,
    PRIMARY KEY (backend_id, observer)
);
