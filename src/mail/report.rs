//! What a mail is about.

use chrono::{DateTime, Utc};

use crate::model::log::Message;

/// The job, as it is known from its first moment.
#[derive(Debug, Clone)]
pub struct JobReport {
    /// The number that `prepress jobs log` takes.
    pub id: i64,
    /// As submitted.
    pub name: String,
    /// The unique name of this run.
    pub run: String,
    /// A job type of the API.
    pub kind: String,
    pub company: String,
    pub description: Option<String>,
    /// The job's email setting, as the API names it.
    pub email_setting: String,
    pub started: DateTime<Utc>,
    pub attempt: u32,
    pub attempts: u32,
    /// The job in the console, if there is one to link to: http or https.
    pub link: Option<String>,
}

/// At which moment of the job the mail is written.
#[derive(Debug, Clone, Copy)]
pub enum Stage<'a> {
    Begin,
    End(&'a Finish),
}

#[derive(Debug, Clone)]
pub struct Finish {
    pub at: DateTime<Utc>,
    pub ending: Ending,
    /// The type of the follow-up job that was not submitted, because the job did not come to its end.
    pub follow_up: Option<String>,
    pub counters: Counters,
    /// The first ones, in the order they arose; the counters say how many there are in all.
    pub problems: Vec<Problem>,
    pub results: Vec<ResultPlace>,
}

#[derive(Debug, Clone)]
pub enum Ending {
    /// Ran to its end, with or without problems on the way.
    Finished,
    /// The reason is one of the `reason-` codes: a part of a sentence.
    Failed { reason: Message },
    Stopped {
        by: String,
        /// Items that were done, and that there are; 0 if nobody has counted them yet.
        done: u64,
        items: u64,
    },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    pub success: u64,
    pub updated: u64,
    /// Those of both that are no files, but pages, layers and renditions made of them.
    pub parts: u64,
    /// Those of the errors that are about such.
    pub failed_parts: u64,
    /// Files whose content is there already.
    pub duplicates: u64,
    /// Files that were left out because an asset with other content has their name.
    pub left_out: u64,
    pub warnings: u64,
    /// Files that are published no more.
    pub removed: u64,
    pub errors: u64,
    /// Files.
    pub total: u64,
}

impl Counters {
    pub fn processed(&self) -> u64 {
        self.success + self.updated
    }

    /// Those of them that came as files.
    pub fn files(&self) -> u64 {
        self.processed().saturating_sub(self.parts)
    }

    /// Files that are not where their owner believes them.
    pub fn failed(&self) -> u64 {
        self.errors + self.left_out
    }
}

/// The worse comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// A line of the job log that needs a person. A message that names a `file` (or `url`, or `asset`) and a `reason`, and nothing
/// else, is shown as that file with its reason below; any other one as its sentence.
#[derive(Debug, Clone)]
pub struct Problem {
    pub severity: Severity,
    pub message: Message,
}

#[derive(Debug, Clone)]
pub enum ResultPlace {
    /// A folder of assets, with the company root.
    Folder(String),
    /// A path of the publish tree.
    Published(String),
    Download {
        address: String,
        until: DateTime<Utc>,
    },
    /// The same where nobody has said under which address this server is reached.
    DownloadPath {
        path: String,
        until: DateTime<Utc>,
    },
}
