-- A stamp that was owed may be under way beside its blob, as a copy may (0072_pre_second_look.sql).
CREATE OR REPLACE TRIGGER replicas_of_ended_copies BEFORE UPDATE OF state ON replicas
    FOR EACH ROW WHEN (NEW.state = 'deleting' AND OLD.state <> 'deleting' AND (OLD.state IN ('wanted', 'lost') OR NOT OLD.stamped))
    EXECUTE FUNCTION note_writer_at_work();
