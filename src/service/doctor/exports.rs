//! Whether every archive that can be downloaded is the one that was made.

use super::{Error, Examination, Message, Section, off_thread};
use crate::assets::blobs::inspect_file;
use crate::assets::exports::archive_path;
use crate::model::damage::Damage;
use crate::store::exports::Export;

pub(super) async fn look(exam: &mut Examination<'_>) -> Result<(), Error> {
    let now = exam.services.clock().now();
    let exports = exam.services.store().exports_until(now).await?;
    let (count, mut bytes) = (exports.len(), 0);
    for export in exports {
        bytes += export.bytes;
        if let Some(damage) = inspect(exam, &export).await? {
            judge(exam, &export, &damage).await?;
        }
    }
    exam.looked(Section::Exports, Message::new("doctor-exports").with("count", count).with("bytes", bytes));
    Ok(())
}

async fn inspect(exam: &Examination<'_>, export: &Export) -> Result<Option<Damage>, Error> {
    let path = archive_path(&exam.places.export_root, export.run, &export.token);
    let (bytes, sha256) = (export.bytes, export.sha256.clone().filter(|_| exam.order.verify));
    off_thread(move || inspect_file(&path, Some(bytes), sha256.as_deref(), &|| false)).await
}

/// An archive that Cleanup has removed meanwhile has no row any more, or one that has expired.
async fn judge(exam: &mut Examination<'_>, export: &Export, damage: &Damage) -> Result<(), Error> {
    let store = exam.services.store();
    let now = exam.services.clock().now();
    if store.export(export.run).await?.is_none_or(|export| export.expires_at <= now) {
        return Ok(());
    }
    let message = damage.of_export(export.run);
    if exam.order.repair {
        store.expire_export(export.run, now).await?;
        exam.repaired(Section::Exports, message, Message::new("remedy-export-expired"));
    } else {
        exam.found(Section::Exports, message, Message::new("remedy-export"));
    }
    Ok(())
}
