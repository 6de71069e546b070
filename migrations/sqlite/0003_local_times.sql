-- The views show times in the zone of the server, which is the configured one and not that of whoever runs sqlite3.

-- How far the server's zone is from UTC. The daemon writes the rows at its start.
CREATE TABLE zone_offset (
    from_at INTEGER PRIMARY KEY,                       -- from this instant on
    millis  INTEGER NOT NULL                           -- local time less UTC, in milliseconds
);

DROP VIEW job_overview;
DROP VIEW schedule_overview;
DROP VIEW slot_overview;

-- For people with sqlite3: every run, newest first.
CREATE VIEW job_overview AS
SELECT i.id AS run, c.name AS company, j.name AS job, i.run_name, i.kind, i.state, i.outcome,
       a.email AS responsible, i.attempt, i.items_done || '/' || i.items_total AS items,
       i.success_count AS ok, i.update_count AS updated, i.duplicate_count AS duplicates,
       i.warning_count AS warnings, i.error_count AS errors,
       datetime((i.due_at + (SELECT millis FROM zone_offset WHERE from_at <= i.due_at
                             ORDER BY from_at DESC LIMIT 1)) / 1000, 'unixepoch') AS due,
       datetime((i.started_at + (SELECT millis FROM zone_offset WHERE from_at <= i.started_at
                                 ORDER BY from_at DESC LIMIT 1)) / 1000, 'unixepoch') AS started,
       datetime((i.finished_at + (SELECT millis FROM zone_offset WHERE from_at <= i.finished_at
                                  ORDER BY from_at DESC LIMIT 1)) / 1000, 'unixepoch') AS finished,
       round((coalesce(i.finished_at, i.progress_at, i.started_at) - i.started_at) / 1000.0, 1) AS seconds
FROM instance i
JOIN job j ON j.id = i.job_id
JOIN company c ON c.id = i.company_id
JOIN account a ON a.id = j.account_id
ORDER BY i.id DESC;

-- For people with sqlite3: every order that will fire again, or could.
CREATE VIEW schedule_overview AS
SELECT j.id AS job_id, c.name AS company, j.name AS job, j.kind, j.trigger_state AS state,
       coalesce(j.exec_schedule, 'once') AS schedule,
       datetime((j.next_fire_at + (SELECT millis FROM zone_offset WHERE from_at <= j.next_fire_at
                                   ORDER BY from_at DESC LIMIT 1)) / 1000, 'unixepoch') AS next_fire,
       datetime((j.last_fire_at + (SELECT millis FROM zone_offset WHERE from_at <= j.last_fire_at
                                   ORDER BY from_at DESC LIMIT 1)) / 1000, 'unixepoch') AS last_fire,
       a.email AS responsible
FROM job j
JOIN company c ON c.id = j.company_id
JOIN account a ON a.id = j.account_id
WHERE j.deleted_at IS NULL AND j.trigger_kind <> 'at_once' AND j.trigger_state <> 'Complete'
ORDER BY j.next_fire_at;

-- For people with sqlite3: what became of every expected firing.
CREATE VIEW slot_overview AS
SELECT c.name AS company, j.name AS job,
       datetime((s.due_at + (SELECT millis FROM zone_offset WHERE from_at <= s.due_at
                             ORDER BY from_at DESC LIMIT 1)) / 1000, 'unixepoch') AS due,
       s.disposition, s.reason, i.run_name AS run,
       datetime((s.decided_at + (SELECT millis FROM zone_offset WHERE from_at <= s.decided_at
                                 ORDER BY from_at DESC LIMIT 1)) / 1000, 'unixepoch') AS decided
FROM slot s
JOIN job j ON j.id = s.job_id
JOIN company c ON c.id = j.company_id
LEFT JOIN instance i ON i.id = s.instance_id
ORDER BY s.due_at DESC;
