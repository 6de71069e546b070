-- Hosts take turns in the outbox as companies do: one that never answers holds up none of the others.
ALTER TABLE outbox ADD COLUMN host TEXT NOT NULL DEFAULT ''; -- where it goes, in small letters: host and port of a URL, domain of an address
UPDATE outbox SET host = lower(substr(recipient, instr(recipient, '@') + 1)) WHERE state = 'Pending' AND channel = 'mail';
UPDATE outbox SET host = lower(substr(recipient, instr(recipient, '://') + 3)) WHERE state = 'Pending' AND channel = 'url';
UPDATE outbox SET host = substr(host, 1, instr(host || '/', '/') - 1) WHERE state = 'Pending' AND channel = 'url';
UPDATE outbox SET host = substr(host, 1, instr(host || '?', '?') - 1) WHERE state = 'Pending' AND channel = 'url';
UPDATE outbox SET host = substr(host, instr(host, '@') + 1) WHERE state = 'Pending' AND channel = 'url';
DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox(channel, company_id, host, next_try_at, id) WHERE state = 'Pending';
