-- A one-shot whose time comes while its company is expired waits, in the trigger state Blocked, until the company is open
-- again. It does not stand among the triggers that are due, however many wait so.
DROP INDEX job_due;
CREATE INDEX job_due ON job(next_fire_at) WHERE next_fire_at IS NOT NULL AND trigger_state = 'Normal' AND deleted_at IS NULL;
CREATE INDEX job_held ON job(company_id) WHERE trigger_state = 'Blocked';
CREATE TRIGGER company_opened AFTER UPDATE OF expires_at ON company
    BEGIN UPDATE job SET trigger_state = 'Normal'
        WHERE company_id = NEW.id AND trigger_state = 'Blocked'; END;
