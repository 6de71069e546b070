-- Very many instants in a row that had one fate, such as those that passed while a job of every second was paused: one row for
-- all of them. Slots are for single ones.
CREATE TABLE slot_range (
    job_id      INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE, -- which job
    first_at    INTEGER NOT NULL,                      -- the first of these instants
    last_at     INTEGER NOT NULL,                      -- the last one
    count       INTEGER NOT NULL,                      -- how many there are
    disposition TEXT    NOT NULL CHECK (disposition IN ('coalesced', 'skipped')), -- what became of each
    reason      TEXT    NOT NULL,                      -- message code that says why
    decided_at  INTEGER NOT NULL,                      -- when it was decided
    PRIMARY KEY (job_id, first_at)
) WITHOUT ROWID;
CREATE INDEX slot_range_by_end ON slot_range(last_at);

DROP VIEW slot_overview;
-- For people with sqlite3: what became of every expected firing.
CREATE VIEW slot_overview AS
SELECT c.name AS company, j.name AS job,
       datetime((s.due_at + (SELECT millis FROM zone_offset WHERE from_at <= s.due_at
                             ORDER BY from_at DESC LIMIT 1)) / 1000, 'unixepoch') AS due,
       CASE WHEN s.instants > 1
            THEN datetime((s.last_at + (SELECT millis FROM zone_offset WHERE from_at <= s.last_at
                                        ORDER BY from_at DESC LIMIT 1)) / 1000, 'unixepoch') END AS until,
       s.instants, s.disposition, s.reason, i.run_name AS run,
       datetime((s.decided_at + (SELECT millis FROM zone_offset WHERE from_at <= s.decided_at
                                 ORDER BY from_at DESC LIMIT 1)) / 1000, 'unixepoch') AS decided
FROM (SELECT job_id, due_at, due_at AS last_at, 1 AS instants, disposition, reason, instance_id, decided_at FROM slot
      UNION ALL
      SELECT job_id, first_at, last_at, count, disposition, reason, NULL, decided_at FROM slot_range) s
JOIN job j ON j.id = s.job_id
JOIN company c ON c.id = j.company_id
LEFT JOIN instance i ON i.id = s.instance_id
ORDER BY s.due_at DESC;

-- A run whose key another one has does not stand among those that a claim looks at: it is found by its key when that is freed.
-- Of the runs of a key that are ready one at a time is not blocked, the one that came first.
ALTER TABLE instance ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0; -- 1: it waits until exclusive_key is freed; set and taken away by triggers
UPDATE instance SET blocked = 1
    WHERE state = 'WaitingCoordinator' AND exclusive_key IS NOT NULL AND attempt = 0
      AND id NOT IN (SELECT min(id) FROM instance WHERE state <> 'Done' AND exclusive_key IS NOT NULL GROUP BY exclusive_key);
CREATE INDEX instance_ready ON instance(company_id, id) WHERE state = 'WaitingCoordinator' AND blocked = 0;
CREATE INDEX instance_blocked ON instance(exclusive_key, id) WHERE state = 'WaitingCoordinator' AND blocked = 1;
CREATE INDEX instance_by_key ON instance(exclusive_key, id) WHERE exclusive_key IS NOT NULL AND state <> 'Done' AND blocked = 0;
CREATE TRIGGER run_blocked AFTER INSERT ON instance
    WHEN NEW.exclusive_key IS NOT NULL AND NEW.state = 'WaitingCoordinator' AND EXISTS (
        SELECT 1 FROM instance k INDEXED BY instance_by_key
        WHERE k.exclusive_key = NEW.exclusive_key AND k.state <> 'Done' AND k.blocked = 0 AND k.id <> NEW.id
          -- One that waits for its next attempt holds up nobody.
          AND (k.state IN ('Running', 'Stopping') OR k.not_before_at <= NEW.created_at))
    BEGIN UPDATE instance SET blocked = 1 WHERE id = NEW.id; END;
CREATE TRIGGER run_key_freed AFTER UPDATE OF state ON instance
    WHEN OLD.exclusive_key IS NOT NULL AND OLD.blocked = 0 AND NEW.state <> OLD.state
     AND NEW.state NOT IN ('Running', 'Stopping')
    BEGIN UPDATE instance SET blocked = 0 WHERE id = (
        SELECT b.id FROM instance b INDEXED BY instance_blocked
        WHERE b.exclusive_key = OLD.exclusive_key AND b.state = 'WaitingCoordinator' AND b.blocked = 1
        ORDER BY b.id LIMIT 1); END;
