//! Jobs of the server's own, in company 0: they are there from the first start on, and look like any other job.

use super::{Error, Services};
use crate::model::id::CompanyId;
use crate::model::job::{CleanupJob, JobSpec};
use crate::model::schedule::Schedule;
use crate::model::trigger::Trigger;
use crate::store::jobs::submit::{NewJob, SubmitError};

/// The job that removes what has been kept long enough.
const CLEANUP: &str = "Cleanup";

impl Services {
    /// Sees to it that Cleanup is scheduled as the configuration says. It belongs to the first administrator; while there is
    /// none there is nothing to clean either.
    pub async fn keep_cleanup(&self, text: &str) -> Result<(), Error> {
        let schedule =
            Schedule::parse(text).map_err(|error| Error::Internal(format!("the schedule of Cleanup: {error}")))?;
        let now = self.clock.now();
        let Some(next) = schedule.next_after(now, self.store.zone()) else { return Ok(()) };
        if let Some(job) = self.store.built_in(CLEANUP).await? {
            if job.exec_schedule.as_deref() != Some(text) {
                self.store.reschedule_built_in(job.job, text.to_owned(), next).await?;
            }
            return Ok(());
        }
        let Some(account) = self.store.server_account().await? else { return Ok(()) };
        let job = NewJob {
            company: CompanyId::SYSTEM,
            name: CLEANUP.to_owned(),
            spec: JobSpec::Cleanup(CleanupJob {}),
            responsible: account,
            submitter: account,
            locale: None,
            description: None,
            client: None,
            address: None,
            created_at: now,
            trigger: Trigger::ExecSchedule(schedule),
            next_fire_at: Some(next),
            run: None,
            parent: None,
        };
        match self.store.submit(job).await {
            Ok(_) | Err(SubmitError::NameTaken(_)) => Ok(()),
            Err(SubmitError::Store(error)) => Err(error.into()),
        }
    }
}
