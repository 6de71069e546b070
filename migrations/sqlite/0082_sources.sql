-- Which file the master of an asset is where it came from. Two files whose names are one once they are cleaned are told apart by
-- it, the next time as well.
ALTER TABLE asset ADD COLUMN source_path TEXT; -- folder and name of the file below the company root, not cleaned; NULL: not noted, or renamed since
ALTER TABLE asset ADD COLUMN source_run INTEGER; -- the run that filed it
ALTER TABLE asset ADD COLUMN source_at INTEGER; -- when it came

-- What becomes of a file whose name an asset with other content has, and which may not replace it.
ALTER TABLE company ADD COLUMN same_name TEXT CHECK (same_name IN ('skip', 'number')); -- NULL: as the configuration says

-- Files that are lost to readers, unlike those that were there already.
ALTER TABLE instance ADD COLUMN left_out_count INTEGER NOT NULL DEFAULT 0; -- duplicates whose content differs from that of the asset that has their name; counted in duplicate_count as well

DROP VIEW job_overview;

-- For people with sqlite3: every run, newest first.
CREATE VIEW job_overview AS
SELECT i.id AS run, c.name AS company, j.name AS job, i.run_name, i.kind, i.state, i.outcome,
       a.email AS responsible, i.attempt, i.items_done || '/' || i.items_total AS items,
       i.success_count AS ok, i.update_count AS updated, i.duplicate_count - i.left_out_count AS duplicates,
       i.left_out_count AS left_out, i.warning_count AS warnings, i.error_count AS errors,
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
