-- What fell due while its company had expired runs late when that is open again, whatever is to become of other firings that were missed.
ALTER TABLE job ADD COLUMN held_fire_at INTEGER; -- fire time that came while its company had expired
UPDATE job SET held_fire_at = next_fire_at WHERE trigger_state = 'Blocked';

-- Schedules that have come to their end: after a time when the clock was ahead, or in another zone, some of them go on.
CREATE INDEX job_ended ON job(id) WHERE trigger_kind = 'exec_schedule' AND trigger_state = 'Complete' AND deleted_at IS NULL;
