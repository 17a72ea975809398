-- What adoptions and exports keep beside their tasks.

-- What a task has to say about single objects: one row for each key.
CREATE TABLE task_findings (
    task_id uuid NOT NULL REFERENCES tasks ON DELETE CASCADE,
    key     bytea NOT NULL,
    kind    text NOT NULL,
    reason  text NOT NULL,
    PRIMARY KEY (task_id, key)
);

-- A secret that an operator gave for one task, sealed; forgotten when the task ends, however that comes about.
CREATE TABLE task_secrets (
    task_id       uuid PRIMARY KEY REFERENCES tasks ON DELETE CASCADE,
    sealed_secret text NOT NULL
);
CREATE FUNCTION forget_task_secret() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM task_secrets WHERE task_id = NEW.task_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER tasks_ended AFTER UPDATE OF state ON tasks
    FOR EACH ROW WHEN (NEW.state IN ('done', 'failed', 'cancelled')) EXECUTE FUNCTION forget_task_secret();
