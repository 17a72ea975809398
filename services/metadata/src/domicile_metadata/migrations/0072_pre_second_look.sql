-- Whoever was writing a blob when its removal was asked for may still finish it, after the removal was confirmed, and die before anybody hears
-- of it. So what may have a writer at work is removed and confirmed twice, the second time when every writer has noticed or is gone.

-- looks: how many definite 404s a removal still needs, but that one is needed in any case: 2, then 1 (after a while), or 0.
ALTER TABLE replicas ADD COLUMN looks smallint NOT NULL DEFAULT 0;

CREATE FUNCTION note_writer_at_work() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.looks := 2;
    RETURN NEW;
END
$$;
-- A row that begins as a removal is of a write that ended; a copy that was owed may be under way.
CREATE TRIGGER replicas_of_ended_writes BEFORE INSERT ON replicas
    FOR EACH ROW WHEN (NEW.state = 'deleting') EXECUTE FUNCTION note_writer_at_work();
CREATE TRIGGER replicas_of_ended_copies BEFORE UPDATE OF state ON replicas
    FOR EACH ROW WHEN (NEW.state = 'deleting' AND OLD.state IN ('wanted', 'lost')) EXECUTE FUNCTION note_writer_at_work();
