//! Files in the blob store that nothing names.
//!
//! 1. *Look*: each folder is listed, and the database notes which of its files nothing names, and since when.
//! 2. *Ask*: are there unusually many? Files whose row got another one do not count: they are to be expected. Many others
//!    mean that something else is wrong than that they are not needed, such as a database that lost its rows. Then none is
//!    removed, and a warning says so.
//! 3. *Sweep*: what has been like that for a day goes. Whoever stores the same content meanwhile makes the file a fresh
//!    one, and a fresh file stays.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Break, Cleanup, GRACE, ask, folders, held, removed, warning};
use crate::assets::blobs::BlobError;
use crate::executors::{Context, Failure, Item};
use crate::model::log::Message;
use crate::store::cleanup::CleanupStep;
use crate::store::effect::{Applied, Effect};
use crate::store::jobs::attempt::ItemReport;

/// So many orphans are never unusual, however small the store is.
const FEW: u64 = 20;

/// What was found in a folder.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Seen {
    files: u64,
    orphans: u64,
    /// Orphans that were not replaced by another file.
    unexpected: u64,
}

const LOOKED: &str = "orphans ";
const SWEPT: &str = "blobs ";
const GONE: &str = "gone ";

/// What went of a folder.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Gone {
    files: u64,
    bytes: u64,
}

impl Cleanup {
    pub(super) async fn sweep_blobs(&self, context: &Context) -> Result<(), Break> {
        let before = context.clock.now() - GRACE;
        let seen = self.look(context).await?;
        if seen.orphans == 0 {
            return Ok(());
        }
        let most = self.workshop.settings.max_orphans;
        if seen.unexpected >= FEW && seen.unexpected * 100 > seen.files * u64::from(most) {
            let message = Message::new("cleanup-unusual")
                .with("count", seen.unexpected)
                .with("files", seen.files)
                .with("percent", seen.unexpected * 100 / seen.files.max(1))
                .with("most", most);
            context.commit(Item("unusual".to_owned()), Effect::Nothing, move |_| warning(message)).await?;
            return Ok(());
        }
        self.sweep(context, before).await
    }

    /// What all folders hold. Those that an earlier attempt looked at are not looked at again.
    async fn look(&self, context: &Context) -> Result<Seen, Failure> {
        let done = context.done_below(LOOKED).await?;
        let mut sum = Seen::default();
        for prefix in folders() {
            context.checkpoint()?;
            let seen = match done.get(&prefix) {
                Some(seen) => serde_json::from_value(seen.clone()).unwrap_or_default(),
                None => self.look_into(context, prefix).await?,
            };
            sum.files += seen.files;
            sum.orphans += seen.orphans;
            sum.unexpected += seen.unexpected;
        }
        Ok(sum)
    }

    async fn look_into(&self, context: &Context, prefix: String) -> Result<Seen, Failure> {
        let (blobs, folder) = (self.workshop.blobs.clone(), prefix.clone());
        let listed = self.workshop.work(move |_| blobs.list(&folder)).await??;
        let unnamed = context.reads().unnamed_blobs(&listed).await?;
        let files = listed.len() as u64;
        let item = Item(format!("{LOOKED}{prefix}"));
        let step = CleanupStep::NoteOrphans { prefix, blobs: unnamed };
        let seen = move |applied: &Applied| match applied {
            Applied::OrphansNoted { all, unexpected } => Seen { files, orphans: *all, unexpected: *unexpected },
            _ => Seen { files, ..Seen::default() },
        };
        let report = move |applied: &Applied| ItemReport { result: json!(seen(applied)), ..ItemReport::default() };
        let applied = context.commit(item, Effect::Cleanup(step), report).await?;
        Ok(applied.as_ref().map(seen).unwrap_or_default())
    }

    async fn sweep(&self, context: &Context, before: DateTime<Utc>) -> Result<(), Break> {
        let done = context.done_below(SWEPT).await?;
        let mut swept = Ok(());
        for prefix in folders().filter(|prefix| !done.contains_key(prefix)) {
            context.checkpoint()?;
            swept = self.sweep_folder(context, prefix, before).await;
            if swept.is_err() {
                break;
            }
        }
        if let Err(Break::Failed(failure)) = swept {
            return Err(Break::Failed(failure));
        }
        // Of all attempts: what went in one that broke off is told by the one that comes to the end, once.
        let gone = context.done_below(GONE).await?;
        let gone = gone.into_values().map(|gone| serde_json::from_value::<Gone>(gone).unwrap_or_default());
        let Gone { files, bytes } = gone
            .fold(Gone::default(), |sum, gone| Gone { files: sum.files + gone.files, bytes: sum.bytes + gone.bytes });
        if files > 0 {
            let report = removed(files, Message::new("cleanup-blobs").with("count", files).with("bytes", bytes));
            context.commit(Item("swept".to_owned()), Effect::Nothing, move |_| report).await?;
        }
        swept
    }

    /// The database says which files have had no name for a day; they are removed after that is written, and looked for
    /// again tomorrow if this breaks off in between.
    /// `before` is of the time before the first look: a clock that jumps meanwhile makes nothing old that this has just found.
    async fn sweep_folder(&self, context: &Context, prefix: String, before: DateTime<Utc>) -> Result<(), Break> {
        ask(context).await?;
        let (item, told) = (Item(format!("{SWEPT}{prefix}")), Item(format!("{GONE}{prefix}")));
        let step = CleanupStep::FindOrphans { prefix, before };
        let found = context.commit(item, Effect::Cleanup(step), |_| ItemReport::default()).await?;
        let orphans = match found {
            Some(Applied::Orphans(orphans)) => orphans,
            Some(Applied::Held) => return Err(held()),
            _ => return Ok(()),
        };
        let blobs = self.workshop.blobs.clone();
        let gone = self.workshop.work(move |_| {
            let mut gone = Gone::default();
            for orphan in &orphans {
                if let Some(size) = blobs.remove(orphan, before.into())? {
                    gone.files += 1;
                    gone.bytes += size;
                }
            }
            Ok::<_, BlobError>(gone)
        });
        let gone = gone.await??;
        if gone.files > 0 {
            let report = ItemReport { result: json!(gone), ..ItemReport::default() };
            context.commit(told, Effect::Nothing, move |_| report).await?;
        }
        Ok(())
    }
}
