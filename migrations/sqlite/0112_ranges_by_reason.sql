DROP VIEW slot_overview;
-- Ranges of instants that begin alike may have been left out for several reasons: one row for each.
CREATE TABLE slot_range_by_reason (
    job_id      INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE, -- which job
    first_at    INTEGER NOT NULL,                      -- the first of these instants
    last_at     INTEGER NOT NULL,                      -- the last one
    count       INTEGER NOT NULL,                      -- how many there are
    disposition TEXT    NOT NULL CHECK (disposition IN ('coalesced', 'skipped')), -- what became of each
    reason      TEXT    NOT NULL,                      -- message code that says why
    decided_at  INTEGER NOT NULL,                      -- when it was decided
    PRIMARY KEY (job_id, first_at, reason)
) WITHOUT ROWID;
INSERT INTO slot_range_by_reason
    SELECT job_id, first_at, last_at, count, disposition, reason, decided_at FROM slot_range;
DROP TABLE slot_range;
ALTER TABLE slot_range_by_reason RENAME TO slot_range;
CREATE INDEX slot_range_by_end ON slot_range(last_at);
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
