-- Lists stay as fast as they are when there are a million runs: each way to look at them has an index that gives its rows
-- in their order, company by company. While a run works only those about its counters change.

-- The name by which clients ask for the runs of a job: the same name may have any number of jobs.
ALTER TABLE instance ADD COLUMN job_name TEXT NOT NULL DEFAULT ''; -- copied from the job
UPDATE instance SET job_name = (SELECT j.name FROM job j WHERE j.id = instance.job_id);

CREATE INDEX instance_by_name ON instance(company_id, job_name, id);
CREATE INDEX instance_active_by_name ON instance(company_id, job_name, id) WHERE state <> 'Done';
CREATE INDEX instance_unwell ON instance(company_id, outcome, id) WHERE outcome <> 'Succeeded';

-- An index of all runs of a company draws statements to itself that have a better one, of the few that wait: SQLite does
-- not know how few they are. So these are about company_id + 0, and only who says that uses them.
CREATE INDEX instance_by_company ON instance((company_id + 0), id);
CREATE INDEX instance_by_kind ON instance((company_id + 0), kind, id);
CREATE INDEX instance_by_successes ON instance((company_id + 0), success_count, id);
CREATE INDEX instance_by_errors ON instance((company_id + 0), error_count, id);
CREATE INDEX instance_by_warnings ON instance((company_id + 0), warning_count, id);

-- Jobs of a user: the responsible one, or another who submitted them.
CREATE INDEX job_by_account ON job((company_id + 0), account_id, id);
CREATE INDEX job_by_submitter ON job(company_id, submitter_id, id) WHERE submitter_id <> account_id;
