-- HTTP uploads: a run that is in state WaitingClient takes further posts until its not_before_at, and then goes on with
-- what it has.
ALTER TABLE instance ADD COLUMN client_address TEXT; -- IP address that all posts of an HTTP upload must come from
CREATE INDEX instance_client ON instance(not_before_at) WHERE state = 'WaitingClient';

-- A file that was posted, and lies in the blob store until its run files it.
CREATE TABLE posted_file (
    instance_id INTEGER NOT NULL REFERENCES instance(id) ON DELETE CASCADE, -- of which run
    number      INTEGER NOT NULL,                      -- in the order of posting, from 1
    path        TEXT    NOT NULL,                      -- folder below the company root and file name, as posted
    blob        TEXT    NOT NULL,                      -- SHA-256, its name in the blob store
    bytes       INTEGER NOT NULL,                      -- size
    posted_at   INTEGER NOT NULL,                      -- when the post was answered
    PRIMARY KEY (instance_id, number)
) WITHOUT ROWID;
CREATE INDEX posted_file_by_blob ON posted_file(blob);
