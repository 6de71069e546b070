//! Removes archives that can no longer be downloaded, and what runs left behind that never made one.

use chrono::{DateTime, Utc};

use crate::assets::exports;
use crate::executors::{Failure, Workshop};
use crate::store::Store;

/// Says how many runs' files were removed: none while the clock is doubted. The row goes after the files: what is interrupted is done by the next sweep.
pub async fn remove_expired(store: &Store, workshop: &Workshop, now: DateTime<Utc>) -> Result<usize, Failure> {
    if is_held(store, now).await? {
        return Ok(0);
    }
    let (mount, root) = (workshop.export_mount(), workshop.settings.export_root.clone());
    let kept = mount.work(move |_| exports::runs(&root)).await??;
    let spent = store.spent_exports(&kept, now).await?;
    for (done, run) in spent.iter().enumerate() {
        if is_held(store, now).await? {
            return Ok(done);
        }
        let (root, run) = (workshop.settings.export_root.clone(), *run);
        mount.work(move |_| exports::remove(&root, run)).await??;
        store.forget_export(run).await?;
    }
    Ok(spent.len())
}

/// A database that is older than the files knows nothing of later runs, whose archives are not spent; nor are they by a clock that may be
/// wrong.
async fn is_held(store: &Store, now: DateTime<Utc>) -> Result<bool, Failure> {
    Ok(store.restored().await?.is_some() || store.clock_doubt(now).await?.is_some())
}
