-- Prepress, first schema.
--
-- Every instant is an INTEGER of UTC milliseconds since 1970-01-01 (column names end in _at); the views at the end
-- show them in the server's local time. Rows of company 0 belong to the daemon itself.

-- A tenant.
CREATE TABLE company (
    id                   INTEGER PRIMARY KEY,          -- number in the handle c|<id>
    name                 TEXT    NOT NULL UNIQUE,      -- what getCompanyInfo finds it by
    root_path            TEXT    NOT NULL UNIQUE,      -- name of its root folder, first part of every folder path and of its published tree
    created_at           INTEGER NOT NULL,             -- when it was added
    expires_at           INTEGER,                      -- from then on every request for it is refused; NULL: never
    overwrite_mode       TEXT    NOT NULL DEFAULT 'OverwriteFullName', -- AssetOverwriteModes: what overwrite=true replaces
    retain_publish_state INTEGER NOT NULL DEFAULT 1,   -- 1: an overwritten asset keeps its mark unless the job says otherwise
    settings             TEXT    NOT NULL DEFAULT '{}',-- JSON: the other CompanySettings fields, as setCompanySettings gave them
    change_seq           INTEGER NOT NULL DEFAULT 0    -- rises with every change of one of its assets; an incremental publish reads from where the last one stopped
);

-- A person with an email address.
CREATE TABLE account (
    id                  INTEGER PRIMARY KEY,           -- number in the handle u|<id>|<email>
    email               TEXT    NOT NULL UNIQUE COLLATE NOCASE, -- login and mail address
    first_name          TEXT    NOT NULL DEFAULT '',   -- given name
    last_name           TEXT    NOT NULL DEFAULT '',   -- family name
    password_hash       TEXT    NOT NULL,              -- argon2id, PHC string
    is_valid            INTEGER NOT NULL DEFAULT 1,    -- 0: may not log in
    is_ips_admin        INTEGER NOT NULL DEFAULT 0,    -- 1: administrator of the whole server, in every company
    locale              TEXT,                          -- language for mail when a job names none, xx or xx-YY
    created_at          INTEGER NOT NULL,              -- when it was added
    password_changed_at INTEGER NOT NULL,              -- when the password was last set
    password_expires_at INTEGER                        -- from then on the password is refused; NULL: never
);

-- What an account may do in a company.
CREATE TABLE membership (
    company_id INTEGER NOT NULL REFERENCES company(id) ON DELETE CASCADE, -- where
    account_id INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE, -- who
    role       TEXT    NOT NULL,                       -- UserRoles constant
    is_active  INTEGER NOT NULL DEFAULT 1,             -- 0: as if it were not there
    PRIMARY KEY (company_id, account_id)
) WITHOUT ROWID;
CREATE INDEX membership_by_account ON membership(account_id);

-- What submitJob created: the order, with the trigger that says when it fires.
CREATE TABLE job (
    id             INTEGER PRIMARY KEY,                -- our number; clients see j|<company>|<name>||
    company_id     INTEGER NOT NULL REFERENCES company(id), -- whose
    name           TEXT    NOT NULL,                   -- jobName as submitted (originalName)
    kind           TEXT    NOT NULL,                   -- job element of submitJob
    spec           TEXT    NOT NULL,                   -- JSON of that element, as validated
    account_id     INTEGER NOT NULL REFERENCES account(id), -- the responsible user: mail goes there
    submitter_id   INTEGER NOT NULL REFERENCES account(id), -- the caller
    locale         TEXT,                               -- language of mail and log text, xx or xx-YY
    description    TEXT,                               -- free text, handed back as it came
    created_at     INTEGER NOT NULL,                   -- when it was submitted
    client         TEXT,                               -- address or name of the submitting program
    trigger_kind   TEXT    NOT NULL CHECK (trigger_kind IN ('at_once', 'exec_time', 'exec_schedule')), -- when it fires
    exec_schedule  TEXT,                               -- cron string in the server's local time, for exec_schedule
    trigger_state  TEXT    NOT NULL CHECK (trigger_state IN ('Normal', 'Paused', 'Blocked', 'Complete', 'Error', 'None')), -- JobTriggerStates
    next_fire_at   INTEGER,                            -- next instant it is due; NULL: never again
    last_fire_at   INTEGER,                            -- last instant it was due
    parent_id      INTEGER,                            -- the instance that this is the follow-up of
    deleted_at     INTEGER                             -- removed by deleteJob; kept because its logs name it
);
-- One waiting order of a name in a company, so that the handle j|<company>|<name>|| means one thing.
CREATE UNIQUE INDEX job_scheduled_name ON job(company_id, name)
    WHERE trigger_kind <> 'at_once' AND deleted_at IS NULL AND trigger_state <> 'Complete';
CREATE INDEX job_due ON job(next_fire_at) WHERE next_fire_at IS NOT NULL AND trigger_state IN ('Normal', 'Blocked') AND deleted_at IS NULL;
CREATE INDEX job_by_name ON job(company_id, name, id);
CREATE INDEX job_by_parent ON job(parent_id) WHERE parent_id IS NOT NULL;

-- One firing of a job: the active job and, when done, the head of its log.
CREATE TABLE instance (
    id               INTEGER PRIMARY KEY,              -- run number, last part of j|<company>||<run name>|<run number>
    job_id           INTEGER NOT NULL REFERENCES job(id), -- what it is a run of
    company_id       INTEGER NOT NULL,                 -- copied from the job, for the indexes below
    kind             TEXT    NOT NULL,                 -- copied from the job, for the dispatcher
    run_name         TEXT    NOT NULL,                 -- <jobName>_yyyy-MM-dd-HH:mm:ss.SSS in the server's local time
    state            TEXT    NOT NULL CHECK (state IN ('New', 'WaitingClient', 'WaitingCoordinator', 'Running', 'Stopping', 'Done')), -- ActiveJobStates
    due_at           INTEGER NOT NULL,                 -- when it should have started
    created_at       INTEGER NOT NULL,                 -- when the row was written
    not_before_at    INTEGER NOT NULL,                 -- not claimed before this instant (retry with backoff)
    started_at       INTEGER,                          -- first claim
    finished_at      INTEGER,                          -- when it became Done
    outcome          TEXT    CHECK (outcome IN ('Succeeded', 'Failed', 'Stopped')), -- how it ended; set exactly when Done
    attempt          INTEGER NOT NULL DEFAULT 0,       -- attempts begun; also the fence: every write of an attempt names its own number
    failures         INTEGER NOT NULL DEFAULT 0,       -- attempts that ended in an error or an expired lease
    exclusive_key    TEXT,                             -- never runs while another instance with this key does
    lease_owner      TEXT,                             -- the daemon process that runs it
    lease_expires_at INTEGER,                          -- after this the attempt is given up for dead
    stop_asked_at    INTEGER,                          -- stopJob or deleteJob came
    stop_asked_by    INTEGER,                          -- the account that asked
    items_total      INTEGER NOT NULL DEFAULT 0,       -- units of work found
    items_done       INTEGER NOT NULL DEFAULT 0,       -- units of work committed
    progress_code    TEXT,                             -- message code of what it does now
    progress_params  TEXT    NOT NULL DEFAULT '{}',    -- JSON parameters of that message
    progress_items   TEXT    NOT NULL DEFAULT '[]',    -- JSON: items being worked on, [{name, fraction}]
    progress_at      INTEGER,                          -- when progress was last written
    success_count    INTEGER NOT NULL DEFAULT 0,       -- fileSuccessCount
    error_count      INTEGER NOT NULL DEFAULT 0,       -- fileErrorCount
    warning_count    INTEGER NOT NULL DEFAULT 0,       -- fileWarningCount
    duplicate_count  INTEGER NOT NULL DEFAULT 0,       -- fileDuplicateCount
    update_count     INTEGER NOT NULL DEFAULT 0,       -- fileUpdateCount: overwritten, not counted as success
    file_count       INTEGER NOT NULL DEFAULT 0,       -- totalFileCount
    transfer_success_count INTEGER NOT NULL DEFAULT 0, -- transferSuccessCount: files brought to a publish tree
    transfer_error_count   INTEGER NOT NULL DEFAULT 0, -- transferErrorCount
    transfer_warning_count INTEGER NOT NULL DEFAULT 0, -- transferWarningCount
    fatal_error      TEXT,                             -- JSON {code, params}: why it failed as a whole
    UNIQUE (company_id, run_name)
);
CREATE INDEX instance_waiting ON instance(company_id, id) WHERE state = 'WaitingCoordinator';
CREATE INDEX instance_retry ON instance(not_before_at) WHERE state = 'WaitingCoordinator' AND failures > 0;
CREATE INDEX instance_running ON instance(lease_expires_at) WHERE state IN ('Running', 'Stopping');
CREATE INDEX instance_active ON instance(company_id, id) WHERE state <> 'Done';
CREATE INDEX instance_open ON instance(job_id, id) WHERE state <> 'Done';
CREATE INDEX instance_by_job ON instance(job_id, id);
CREATE INDEX instance_log ON instance(company_id, (coalesce(started_at, created_at)), id);
CREATE INDEX instance_finished ON instance(finished_at) WHERE state = 'Done';

-- Every instant a job was due, and what became of it. The key is also what keeps a firing from happening twice.
CREATE TABLE slot (
    job_id      INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE, -- which job
    due_at      INTEGER NOT NULL,                      -- the expected instant
    disposition TEXT    NOT NULL CHECK (disposition IN ('fired', 'late', 'coalesced', 'skipped')), -- what became of it
    reason      TEXT,                                  -- message code that says why, unless it fired in time
    params      TEXT    NOT NULL DEFAULT '{}',         -- JSON parameters of that message
    instance_id INTEGER,                               -- the run that it led to, or was merged into, or was skipped for
    decided_at  INTEGER NOT NULL,                      -- when the scheduler decided
    PRIMARY KEY (job_id, due_at)
) WITHOUT ROWID;

-- Checkpoints: a unit of work (a file, a URL, a page, an asset) whose result is committed. A later attempt skips it.
CREATE TABLE item (
    instance_id INTEGER NOT NULL REFERENCES instance(id) ON DELETE CASCADE, -- which run
    key         TEXT    NOT NULL,                      -- what, unique in the run: a path, a URL, an asset id
    result      TEXT    NOT NULL DEFAULT 'null',       -- JSON, for the executor's own later stages
    done_at     INTEGER NOT NULL,                      -- when it was committed
    PRIMARY KEY (instance_id, key)
) WITHOUT ROWID;

-- A line of a job log, put into words only when it is read.
CREATE TABLE log_detail (
    id          INTEGER PRIMARY KEY,                   -- order of writing
    instance_id INTEGER NOT NULL REFERENCES instance(id) ON DELETE CASCADE, -- which run
    logged_at   INTEGER NOT NULL,                      -- when
    log_type    TEXT    NOT NULL,                      -- JobLogTypes constant
    code        TEXT    NOT NULL,                      -- message code
    params      TEXT    NOT NULL DEFAULT '{}',         -- JSON parameters of the message
    asset_id    INTEGER,                               -- the asset it is about
    asset_name  TEXT,                                  -- its name then
    asset_type  TEXT                                   -- JobLogFileTypes constant
);
CREATE INDEX log_detail_by_instance ON log_detail(instance_id, id);
CREATE INDEX log_detail_by_asset ON log_detail(asset_id, id) WHERE asset_id IS NOT NULL;

-- What the world outside must hear: mail and completion URLs, written with the state they speak of.
CREATE TABLE outbox (
    id           INTEGER PRIMARY KEY,                  -- also in the Message-ID, so that a mail sent twice is seen as one
    instance_id  INTEGER NOT NULL REFERENCES instance(id) ON DELETE CASCADE, -- what it is about
    channel      TEXT    NOT NULL CHECK (channel IN ('mail', 'url')), -- how
    moment       TEXT    NOT NULL CHECK (moment IN ('begin', 'end')), -- which event
    recipient    TEXT    NOT NULL,                     -- email address or URL
    state        TEXT    NOT NULL DEFAULT 'Pending' CHECK (state IN ('Pending', 'Delivered', 'GivenUp')), -- how far it is
    attempts     INTEGER NOT NULL DEFAULT 0,           -- deliveries tried
    next_try_at  INTEGER NOT NULL,                     -- not before this
    last_error   TEXT,                                 -- what the last try said
    created_at   INTEGER NOT NULL,                     -- when it was written
    finished_at  INTEGER,                              -- delivered or given up
    UNIQUE (instance_id, channel, moment, recipient)
);
CREATE INDEX outbox_due ON outbox(channel, next_try_at) WHERE state = 'Pending';

-- A folder of a company, without the root folder in front; the root itself is the empty path.
CREATE TABLE folder (
    id          INTEGER PRIMARY KEY,                   -- our number; clients see f|<company root>/<path>/
    company_id  INTEGER NOT NULL REFERENCES company(id) ON DELETE CASCADE, -- whose
    path        TEXT    NOT NULL,                      -- A/B, no slash at either end
    created_at  INTEGER NOT NULL,                      -- when it was made
    modified_at INTEGER NOT NULL,                      -- last change of what it holds
    deleted_at  INTEGER,                               -- removed by deleteFolder; kept while assets in the trash lie in it
    UNIQUE (company_id, path)
);

-- A master file with an id (name) unique in its company.
CREATE TABLE asset (
    id          INTEGER PRIMARY KEY,                   -- number in the handle a|<id>
    company_id  INTEGER NOT NULL REFERENCES company(id) ON DELETE CASCADE, -- whose
    folder_id   INTEGER NOT NULL REFERENCES folder(id), -- where
    name        TEXT    NOT NULL,                      -- asset id: file name without extension, cleaned
    asset_type  TEXT    NOT NULL,                      -- AssetTypes constant, from the content
    file_name   TEXT    NOT NULL,                      -- name of the master file, cleaned, with extension
    blob        TEXT    NOT NULL,                      -- SHA-256 of the master file, its name in the blob store
    bytes       INTEGER NOT NULL,                      -- size of the master file
    width       INTEGER,                               -- pixels, after EXIF orientation
    height      INTEGER,                               -- pixels
    info        TEXT    NOT NULL DEFAULT '{}',         -- JSON: what the probe found (resolution, colour model, profile name, …)
    trash_state TEXT    NOT NULL DEFAULT 'NotInTrash' CHECK (trash_state IN ('NotInTrash', 'InTrash', 'InEmptiedTrash')), -- TrashState
    trashed_at  INTEGER,                               -- when it went there
    created_at  INTEGER NOT NULL,                      -- first upload
    created_by  INTEGER NOT NULL,                      -- account
    modified_at INTEGER NOT NULL,                      -- last change
    modified_by INTEGER NOT NULL,                      -- account
    change_seq  INTEGER NOT NULL,                      -- company.change_seq of its last change that a publish must look at
    UNIQUE (company_id, name)
);
CREATE INDEX asset_by_change ON asset(company_id, change_seq);
CREATE INDEX asset_by_folder ON asset(folder_id, name);

-- A file made from a master: all of them can be made again.
CREATE TABLE derived (
    asset_id    INTEGER NOT NULL REFERENCES asset(id) ON DELETE CASCADE, -- from which asset
    role        TEXT    NOT NULL,                      -- Pyramid, Thumbnail, Mask
    blob        TEXT    NOT NULL,                      -- SHA-256, its name in the blob store
    bytes       INTEGER NOT NULL,                      -- size
    width       INTEGER NOT NULL,                      -- pixels
    height      INTEGER NOT NULL,                      -- pixels
    source_blob TEXT    NOT NULL,                      -- master it was made from: another one now means stale
    recipe      TEXT    NOT NULL,                      -- how it was made (options and version): another one now means stale
    made_at     INTEGER NOT NULL,                      -- when
    PRIMARY KEY (asset_id, role)
) WITHOUT ROWID;

-- A place that published files go to.
CREATE TABLE publish_context (
    id          INTEGER PRIMARY KEY,                   -- number in the handle pc|<id>
    company_id  INTEGER NOT NULL REFERENCES company(id) ON DELETE CASCADE, -- whose
    kind        TEXT    NOT NULL,                      -- PublishContext constant
    name        TEXT    NOT NULL,                      -- for people
    scanned_seq INTEGER NOT NULL DEFAULT 0,            -- company.change_seq up to which the last publish looked
    publish_seq INTEGER NOT NULL DEFAULT 0,            -- rises with every change of what is published
    file_count  INTEGER NOT NULL DEFAULT 0,            -- files that publication says are present
    live_side   TEXT    CHECK (live_side IN ('a', 'b')), -- which of the two trees the readers see; NULL: never published
    side_a_seq  INTEGER NOT NULL DEFAULT 0,            -- publish_seq that tree a holds
    side_b_seq  INTEGER NOT NULL DEFAULT 0,            -- publish_seq that tree b holds
    last_publish_at INTEGER,                           -- when readers last saw something new
    UNIQUE (company_id, kind)
);

-- The mark of an asset in a context.
CREATE TABLE publish_mark (
    asset_id   INTEGER NOT NULL REFERENCES asset(id) ON DELETE CASCADE, -- which asset
    context_id INTEGER NOT NULL REFERENCES publish_context(id) ON DELETE CASCADE, -- where to
    marked     INTEGER NOT NULL,                       -- 1: MarkedForPublish
    forced_seq INTEGER NOT NULL DEFAULT 0,             -- company.change_seq of the last forceRepublishAssets
    PRIMARY KEY (asset_id, context_id)
) WITHOUT ROWID;

-- What a context publishes, and until both trees know, what it no longer does.
CREATE TABLE publication (
    context_id   INTEGER NOT NULL REFERENCES publish_context(id) ON DELETE CASCADE, -- where
    file_name    TEXT    NOT NULL,                     -- name in the tree
    asset_id     INTEGER NOT NULL,                     -- of which asset
    blob         TEXT    NOT NULL,                     -- its content
    bytes        INTEGER NOT NULL,                     -- its size
    present      INTEGER NOT NULL,                     -- 0: leaves the trees
    seq          INTEGER NOT NULL,                     -- publish_context.publish_seq of its last change
    published_at INTEGER NOT NULL,                     -- when that was
    PRIMARY KEY (context_id, file_name)
) WITHOUT ROWID;
CREATE INDEX publication_by_seq ON publication(context_id, seq);
CREATE INDEX publication_by_asset ON publication(asset_id, context_id);

-- Facts about the database itself.
CREATE TABLE system (
    key   TEXT PRIMARY KEY,                            -- what
    value TEXT NOT NULL                                -- its value
) WITHOUT ROWID;

INSERT INTO company(id, name, root_path, created_at) VALUES (0, 'prepress', 'prepress', 0);

-- For people with sqlite3: every run, newest first.
CREATE VIEW job_overview AS
SELECT i.id AS run, c.name AS company, j.name AS job, i.run_name, i.kind, i.state, i.outcome,
       a.email AS responsible, i.attempt, i.items_done || '/' || i.items_total AS items,
       i.success_count AS ok, i.update_count AS updated, i.duplicate_count AS duplicates,
       i.warning_count AS warnings, i.error_count AS errors,
       datetime(i.due_at / 1000, 'unixepoch', 'localtime') AS due,
       datetime(i.started_at / 1000, 'unixepoch', 'localtime') AS started,
       datetime(i.finished_at / 1000, 'unixepoch', 'localtime') AS finished,
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
       datetime(j.next_fire_at / 1000, 'unixepoch', 'localtime') AS next_fire,
       datetime(j.last_fire_at / 1000, 'unixepoch', 'localtime') AS last_fire,
       a.email AS responsible
FROM job j
JOIN company c ON c.id = j.company_id
JOIN account a ON a.id = j.account_id
WHERE j.deleted_at IS NULL AND j.trigger_kind <> 'at_once' AND j.trigger_state <> 'Complete'
ORDER BY j.next_fire_at;

-- For people with sqlite3: what became of every expected firing.
CREATE VIEW slot_overview AS
SELECT c.name AS company, j.name AS job, datetime(s.due_at / 1000, 'unixepoch', 'localtime') AS due,
       s.disposition, s.reason, i.run_name AS run,
       datetime(s.decided_at / 1000, 'unixepoch', 'localtime') AS decided
FROM slot s
JOIN job j ON j.id = s.job_id
JOIN company c ON c.id = j.company_id
LEFT JOIN instance i ON i.id = s.instance_id
ORDER BY s.due_at DESC;
