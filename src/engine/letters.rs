//! Mails about runs: put together from what the database says when they are sent.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::notifier::{Letters, Undelivered};
use crate::mail::{
    Counters, Ending, Finish, JobReference, JobReport, MailTransport, OutgoingMail, Problem, ResultPlace, Severity,
    Stage, compose,
};
use crate::model::handle;
use crate::model::job::JobSpec;
use crate::model::log::{self, LogType, Message};
use crate::model::outcome::Outcome;
use crate::store::exports::Export;
use crate::store::jobs::outbox::{Moment, Outgoing};
use crate::store::jobs::query::{Detail, DetailFilter, Run};
use crate::store::{Store, StoreError};

/// Problems read for a mail, the worst first; the composer shows the first of them and counts the rest.
const PROBLEMS: u32 = 50;

/// Composes and sends.
pub struct JobLetters {
    pub store: Store,
    pub transport: Arc<dyn MailTransport>,
    pub max_attempts: i64,
    /// Where a reader can look a job up, without a slash at the end.
    pub console_url: Option<String>,
    /// How clients reach this server, without a slash at the end.
    pub public_url: Option<String>,
    /// What the readers of mails about publishes are told the tree is.
    pub publish_root: std::path::PathBuf,
}

#[async_trait]
impl Letters for JobLetters {
    async fn send(&self, message: &Outgoing) -> Result<(), Undelivered> {
        let mail = self.write(message).await.map_err(|error| Undelivered::Transient(error.to_string()))?;
        let Some(mail) = mail else { return Err(Undelivered::Permanent("the run it is about is gone".to_owned())) };
        match self.transport.send(&mail).await {
            Ok(receipt) => {
                tracing::info!(to = %message.recipient, ?receipt, "a mail is on its way");
                Ok(())
            }
            Err(error) if error.is_transient() => Err(Undelivered::Transient(error.to_string())),
            Err(error) => Err(Undelivered::Permanent(error.to_string())),
        }
    }
}

impl JobLetters {
    async fn write(&self, message: &Outgoing) -> Result<Option<OutgoingMail>, StoreError> {
        let Some(run) = self.store.run(message.instance).await? else { return Ok(None) };
        let locale = run.locale.as_deref().unwrap_or("en").to_owned();
        let report = self.report(&run);
        let mail = match message.moment {
            Moment::Begin => compose(&report, Stage::Begin, &locale, self.store.zone()),
            Moment::End => compose(&report, Stage::End(&self.finish(&run).await?), &locale, self.store.zone()),
        };
        Ok(Some(OutgoingMail {
            id: message.id,
            date: message.created_at,
            to: message.recipient.clone(),
            mail,
            job: JobReference { id: run.id.0, handle: handle::run(run.company, &run.run_name, run.id) },
            answers: match message.moment {
                Moment::Begin => None,
                Moment::End => self.store.begin_mail(message.instance, &message.recipient).await?,
            },
        }))
    }

    fn report(&self, run: &Run) -> JobReport {
        JobReport {
            id: run.id.0,
            name: run.job_name.clone(),
            run: run.run_name.clone(),
            kind: run.kind.type_name().to_owned(),
            company: run.company_name.clone(),
            description: run.description.clone(),
            email_setting: run.spec.email_setting().to_string(),
            started: run.started_at.unwrap_or(run.created_at),
            attempt: count(run.attempt),
            attempts: count(self.max_attempts),
            link: self.console_url.as_ref().map(|url| format!("{url}/jobs/{}", run.id)),
        }
    }

    async fn finish(&self, run: &Run) -> Result<Finish, StoreError> {
        let severe = DetailFilter::severe(log::Severity::Warning);
        let problems = DetailFilter { limit: PROBLEMS, worst_first: true, ..severe };
        let problems = self.store.details(run.id, &problems).await?;
        Ok(Finish {
            at: run.finished_at.unwrap_or(run.created_at),
            ending: self.ending(run).await?,
            follow_up: follow_up_not_submitted(run),
            counters: Counters { removed: self.store.removed_lines(run.id).await?, ..counters(run) },
            problems: problems.into_iter().filter_map(problem).collect(),
            results: self.results(run).await?,
        })
    }

    async fn ending(&self, run: &Run) -> Result<Ending, StoreError> {
        Ok(match run.outcome {
            Some(Outcome::Succeeded) | None => Ending::Finished,
            Some(Outcome::Stopped) => {
                let by = self.store.stopped_by(run.id).await?;
                let [done, items] = [run.items_done, run.items_total].map(|number| u64::try_from(number).unwrap_or(0));
                Ending::Stopped {
                    by: by.unwrap_or_else(|| "an administrator".to_owned()),
                    done,
                    items: items.max(done),
                }
            }
            Some(Outcome::Failed) => {
                let fatal = run.fatal_error.clone().unwrap_or_else(|| Message::new("reason-internal"));
                Ending::Failed { reason: reason_of(fatal) }
            }
        })
    }

    /// Never at the address that the job was sent to, which is what its client said it was: who gets the mail would follow it.
    fn download(&self, export: Export) -> ResultPlace {
        let until = export.expires_at;
        let path = export.address.rsplit_once("/Exports/").map_or("", |(_, path)| path);
        match &self.public_url {
            Some(url) => ResultPlace::Download { address: format!("{url}/Exports/{path}"), until },
            None => ResultPlace::DownloadPath { path: format!("/Exports/{path}"), until },
        }
    }

    async fn results(&self, run: &Run) -> Result<Vec<ResultPlace>, StoreError> {
        let root = &run.company_root;
        Ok(match &run.spec {
            JobSpec::UploadDirectory(job) => {
                let folder = handle::strip_root(root, job.dest_folder.as_deref().unwrap_or_default());
                vec![ResultPlace::Folder(handle::folder_path(root, folder))]
            }
            JobSpec::UploadUrls(_) | JobSpec::UploadPost(_) => vec![ResultPlace::Folder(handle::folder_path(root, ""))],
            JobSpec::ImageServingPublish(_) => {
                let tree = self.publish_root.join("image-serving").join(root);
                vec![ResultPlace::Published(tree.display().to_string())]
            }
            JobSpec::Export(_) => {
                let export = self.store.export(run.id).await?;
                export.into_iter().map(|export| self.download(export)).collect()
            }
            _ => Vec::new(),
        })
    }
}

fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

fn counters(run: &Run) -> Counters {
    let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
    let counted = &run.counters;
    let success = counted.success.max(counted.transfer_success);
    // A publish counts what it could not send as both.
    let errors = counted.error.max(counted.transfer_error);
    Counters {
        success: unsigned(success),
        updated: unsigned(counted.update),
        parts: unsigned(counted.part),
        failed_parts: unsigned(counted.part_error),
        duplicates: unsigned(counted.duplicate - counted.left_out),
        left_out: unsigned(counted.left_out),
        warnings: unsigned(counted.warning.max(counted.transfer_warning)),
        removed: 0,
        errors: unsigned(errors),
        total: unsigned(counted.files()),
    }
}

/// The type of the follow-up job that a run has not submitted because it did not come to its end.
fn follow_up_not_submitted(run: &Run) -> Option<String> {
    let did_not_end_well = matches!(run.outcome, Some(Outcome::Stopped | Outcome::Failed));
    run.spec.follow_up().filter(|_| did_not_end_well).map(|spec| spec.kind().type_name().to_owned())
}

fn problem(line: Detail) -> Option<Problem> {
    let severity = match log::Severity::of(line.log_type, &line.message.code)? {
        log::Severity::Error => Severity::Error,
        log::Severity::Warning => Severity::Warning,
    };
    // Why the job failed as a whole is said at the head of the mail.
    (line.log_type != LogType::FatalError).then_some(Problem { severity, message: line.message })
}

/// The part of a fatal message that completes "failed because": its reason, or the whole of it.
fn reason_of(fatal: Message) -> Message {
    if fatal.code.starts_with("reason-") {
        return fatal;
    }
    match fatal.params.get("reason").cloned().map(serde_json::from_value::<Message>) {
        Some(Ok(reason)) => reason,
        _ => Message::new("reason-other").with("detail", Value::from(fatal)),
    }
}
