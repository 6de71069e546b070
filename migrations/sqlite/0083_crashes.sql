-- What a run had committed when it was claimed last: an attempt that came further than that is no sign of a run that ends
-- its daemon.
ALTER TABLE instance ADD COLUMN items_at_claim INTEGER NOT NULL DEFAULT 0; -- items_done when the last attempt began

-- Files that ended the daemon while nothing else was in work. They are not tried again until an operator says so.
CREATE TABLE condemned_file (
    content      TEXT    PRIMARY KEY,                  -- its SHA-256: whatever its name, and whosever it is
    file         TEXT    NOT NULL,                     -- what it was called where it was last in work
    company_id   INTEGER NOT NULL,                     -- whose job that was
    instance_id  INTEGER NOT NULL,                     -- and which run of it
    condemned_at INTEGER NOT NULL                      -- the start of the daemon that found it out
) WITHOUT ROWID;
