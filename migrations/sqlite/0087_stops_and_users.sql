-- A job with very many runs is stopped, or deleted, some runs at a time, so that nobody waits for it. What is left to do
-- stands here from the first of these transactions on: it goes on after a crash, and none of these runs begins meanwhile.
CREATE TABLE stop_order (
    id         INTEGER PRIMARY KEY,                    -- in the order of asking
    company_id INTEGER NOT NULL,                       -- whose runs
    job_name   TEXT    NOT NULL,                       -- of jobs of this name
    job_id     INTEGER,                                -- of this one alone; NULL: of all that have the name
    deletes    INTEGER NOT NULL,                       -- 1: their jobs are deleted too
    after_id   INTEGER NOT NULL,                       -- runs up to this one are done with
    up_to_id   INTEGER NOT NULL,                       -- the newest run that is meant
    asked_at   INTEGER NOT NULL,                       -- when somebody asked
    asked_by   INTEGER NOT NULL                        -- the account that asked
);
CREATE INDEX stop_order_by_name ON stop_order(company_id, job_name);

-- The logs of a user, who is responsible for few of very many runs, or has left long ago.
ALTER TABLE instance ADD COLUMN account_id INTEGER NOT NULL DEFAULT 0; -- the responsible user, copied from the job
ALTER TABLE instance ADD COLUMN submitter_id INTEGER;                  -- who submitted the job, if that is another user
UPDATE instance SET (account_id, submitter_id) =
    (SELECT j.account_id, nullif(j.submitter_id, j.account_id) FROM job j WHERE j.id = instance.job_id);
CREATE INDEX instance_by_account ON instance(account_id, company_id, (coalesce(started_at, created_at)), id);
CREATE INDEX instance_by_submitter ON instance(submitter_id, company_id, (coalesce(started_at, created_at)), id)
    WHERE submitter_id IS NOT NULL;
DROP INDEX job_by_submitter;

-- With the kind, so that those of some kinds are found among all that have a name without looking at each.
DROP INDEX instance_by_name;
CREATE INDEX instance_by_name ON instance(company_id, job_name, id, kind);
