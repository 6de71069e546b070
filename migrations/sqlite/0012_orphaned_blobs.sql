-- Files in the blob store that no row named when Cleanup looked, and since when. One that is still here a day later goes.
CREATE TABLE orphaned_blob (
    blob     TEXT PRIMARY KEY,                         -- SHA-256, its name in the blob store
    since_at INTEGER NOT NULL                          -- when it was first seen so
) WITHOUT ROWID;

-- Cleanup asks of every file whether anything names it.
CREATE INDEX asset_by_blob ON asset(blob);
CREATE INDEX derived_by_blob ON derived(blob);
CREATE INDEX derived_by_source ON derived(source_blob);
CREATE INDEX publication_by_blob ON publication(blob);
