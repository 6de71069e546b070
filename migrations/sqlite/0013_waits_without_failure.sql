-- A run also waits for its next attempt when none has failed: for room on the disk.
DROP INDEX instance_retry;
CREATE INDEX instance_retry ON instance(not_before_at) WHERE state = 'WaitingCoordinator' AND attempt > 0;
