-- Long tasks: work of operators that replicators carry out, in pieces, each of which moves the cursor (docs/adr/0013).
-- json: parameters and cursors are only stored and handed on. attempt: failures since the cursor moved last. error: of the last one.
-- not_before: when it may be taken (again). lease_until: until then it is its holder's.
CREATE TABLE tasks (
    task_id     uuid PRIMARY KEY,
    kind        text NOT NULL,
    parameters  json NOT NULL,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'paused', 'done', 'failed', 'cancelled')),
    cursor      json NOT NULL DEFAULT '{}',
    progress    json NOT NULL DEFAULT '{}',
    attempt     integer NOT NULL DEFAULT 0,
    error       text,
    holder      text,
    lease_until timestamptz,
    not_before  timestamptz NOT NULL DEFAULT now(),
    created_at  timestamptz NOT NULL DEFAULT now(),
    started_at  timestamptz,
    finished_at timestamptz
);
CREATE INDEX tasks_open ON tasks (created_at, task_id) WHERE state IN ('waiting', 'running');
