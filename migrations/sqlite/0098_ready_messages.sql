-- A message is ready, or waits for its next try. A look at the outbox goes from company to company and from host to host among
-- those that are ready, and passes none that waits: with ten thousand hosts to be tried again later it took a second.
ALTER TABLE outbox ADD COLUMN ready INTEGER NOT NULL DEFAULT 1; -- of pending ones, 0: waits for next_try_at
UPDATE outbox SET ready = 0 WHERE state = 'Pending' AND attempts > 0;
DROP INDEX outbox_due;
CREATE INDEX outbox_ready ON outbox(channel, company_id, host, next_try_at, id) WHERE state = 'Pending' AND ready = 1;
CREATE INDEX outbox_waiting ON outbox(channel, next_try_at, id) WHERE state = 'Pending' AND ready = 0;
CREATE INDEX outbox_pending ON outbox(channel, created_at) WHERE state = 'Pending';
