//! What the marks of files in work tell of how the process before this one ended.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::StartError;
use crate::assets::marks::{Mark, Marked, Marks};
use crate::model::id::{CompanyId, InstanceId};
use crate::store::Store;
use crate::store::condemned::CondemnedFile;

/// The marks of files in work, and whether one of them tells what ended the process before this one: such a file is condemned.
pub async fn take_stock(data: &Path, store: &Store, now: DateTime<Utc>) -> Result<(Marks, bool), StartError> {
    let (marks, left) = Marks::open(&super::marks(data))?;
    if left.suspects > 0 {
        tracing::warn!(
            files = left.suspects,
            "files were in work when the daemon ended before it had finished them; each is tried alone"
        );
    }
    if left.let_go > 0 {
        tracing::warn!(files = left.let_go, "so many files were in work when daemons ended that the oldest are let go");
    }
    for culprit in &left.culprits {
        let file = condemned(culprit, now);
        tracing::error!(
            content = file.content, file = file.file, company = %file.company, run = %file.run,
            "the daemon ended again while it worked on this file alone; it is not tried again before: prepress doctor --clear"
        );
        store.condemn_file(file).await?;
    }
    marks.forget(&left.culprits)?;
    Ok((marks, !left.culprits.is_empty()))
}

fn condemned(culprit: &Marked, at: DateTime<Utc>) -> CondemnedFile {
    let content = culprit.work.content.clone();
    match &culprit.mark {
        Some(Mark { file, company, run }) => {
            CondemnedFile { content, file: file.clone(), company: *company, run: *run, at }
        }
        None => CondemnedFile { content, file: String::new(), company: CompanyId::SYSTEM, run: InstanceId(0), at },
    }
}
