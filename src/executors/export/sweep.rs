//! Removes archives that can no longer be downloaded, and what runs left behind that never made one.

use crate::assets::exports;
use crate::executors::{Context, Failure, Workshop};

/// Says how many runs' files were removed: none while the clock is doubted. The row goes after the files: what is interrupted is done by the next sweep.
pub async fn remove_expired(context: &Context, workshop: &Workshop) -> Result<usize, Failure> {
    let now = context.clock.now();
    if is_held(context).await? {
        return Ok(0);
    }
    let (mount, root) = (workshop.export_mount(), workshop.settings.export_root.clone());
    let kept = mount.work(move |_| exports::runs(&root)).await??;
    let spent = context.reads().spent_exports(&kept, now).await?;
    for (done, run) in spent.iter().enumerate() {
        if is_held(context).await? {
            return Ok(done);
        }
        let (root, run) = (workshop.settings.export_root.clone(), *run);
        mount.work(move |_| exports::remove(&root, run)).await??;
        context.forget_export(run).await?;
    }
    Ok(spent.len())
}

/// A database that is older than the files knows nothing of later runs, whose archives are not spent; nor are they by a clock that may be
/// wrong.
async fn is_held(context: &Context) -> Result<bool, Failure> {
    let (reads, now) = (context.reads(), context.clock.now());
    Ok(reads.restored().await?.is_some() || reads.clock_doubt(now).await?.is_some())
}
