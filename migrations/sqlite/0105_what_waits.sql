-- A claim asks for each kind that has a free place, so that what waits for a place of its kind costs nothing.
DROP INDEX instance_ready;
CREATE INDEX instance_ready ON instance(company_id, kind, id) WHERE state = 'WaitingCoordinator' AND blocked = 0;

-- What left a context and is not forgotten yet, a page at a time.
CREATE INDEX publication_gone ON publication(context_id, seq) WHERE present = 0;

-- Cleanup looks for few among very many.
CREATE INDEX asset_in_trash ON asset(id, trashed_at) WHERE trash_state = 'InTrash';
CREATE INDEX asset_given_up ON asset(id) WHERE trash_state = 'InEmptiedTrash';

-- Schedules that wait, among the jobs of all time: they are looked at every hour.
CREATE INDEX job_scheduled ON job(next_fire_at) WHERE trigger_kind = 'exec_schedule' AND next_fire_at IS NOT NULL AND deleted_at IS NULL;
