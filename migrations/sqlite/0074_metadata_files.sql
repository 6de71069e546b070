-- Copies of metadata files that upload jobs read, so that every attempt of a run reads the same rows.
CREATE TABLE metadata_file (
    instance_id INTEGER NOT NULL REFERENCES instance(id) ON DELETE CASCADE, -- which run
    path        TEXT    NOT NULL,                      -- in the directory of the job
    blob        TEXT    NOT NULL,                      -- SHA-256 of the copy, its name in the blob store
    PRIMARY KEY (instance_id, path)
) WITHOUT ROWID;
CREATE INDEX metadata_file_by_blob ON metadata_file(blob);
