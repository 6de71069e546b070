-- Exports: archives that wait to be downloaded, and the address at which their submitters know this server.

ALTER TABLE job ADD COLUMN address TEXT; -- this server as whoever submitted the job addressed it, such as https://ips.example.com; NULL: not over HTTP

-- An archive made by an exportJob. The row goes when the file has gone.
CREATE TABLE export (
    instance_id INTEGER PRIMARY KEY,                   -- the run that made it; it may be forgotten before the archive is
    token       TEXT    NOT NULL,                      -- the part of the address that nobody can guess, and the name of the file
    address     TEXT    NOT NULL,                      -- where it can be downloaded
    bytes       INTEGER NOT NULL,                      -- its size
    created_at  INTEGER NOT NULL,                      -- when it was made
    expires_at  INTEGER NOT NULL                       -- it is not handed out after this
);
CREATE INDEX export_by_expiry ON export(expires_at);
