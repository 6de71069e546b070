//! Whether every file that assets have is in the blob store, as long as it should be and, if all bytes are read, the same.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Error, Examination, Message, Section, off_thread};
use crate::assets::blobs::{BlobError, Blobs};
use crate::assets::published;
use crate::model::asset::DerivedRole;
use crate::model::damage::{Damage, FileOwner, FileRole, Maker};
use crate::model::id::AssetId;
use crate::store::files::NamedFile;
use crate::store::publishing::Side;

/// Files looked at between two questions to the database.
const PAGE: i64 = 500;

pub(super) async fn look(exam: &mut Examination<'_>) -> Result<(), Error> {
    let totals = exam.services.store().file_totals().await?;
    let (mut after, mut files, mut bytes) = (String::new(), 0, 0);
    loop {
        let page = exam.services.store().named_files(&after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.blob);
        files += page.len() as u64;
        let seen = bytes;
        bytes += page.iter().filter_map(|file| file.bytes).sum::<u64>();
        for (blob, damage) in damaged(exam, page, seen, totals.bytes).await? {
            judge(exam, &blob, &damage).await?;
        }
    }
    exam.looked(Section::Blobs, Message::new("doctor-blobs").with("count", files).with("bytes", bytes));
    let orphans = orphans(exam).await?;
    if orphans > 0 && exam.is_older().await? {
        let message = Message::new("doctor-orphans-newer").with("count", orphans);
        exam.noticed(Section::Blobs, message, Message::new("remedy-orphans-newer"));
    } else if orphans > 0 {
        // That is no difference: what was replaced, or broke off, waits for Cleanup.
        exam.looked(Section::Blobs, Message::new("doctor-orphans").with("count", orphans));
    }
    Ok(())
}

/// How many files nothing refers to.
async fn orphans(exam: &Examination<'_>) -> Result<u64, Error> {
    let mut count = 0;
    for first in 0..=u8::MAX {
        let store = exam.places.blobs.clone();
        let listed = off_thread(move || store.list(&format!("{first:02x}"))).await?;
        count += exam.services.store().unnamed_blobs(&listed).await?.len() as u64;
    }
    Ok(count)
}

/// Those of the files that are not as they should be.
async fn damaged(
    exam: &Examination<'_>,
    page: Vec<NamedFile>,
    mut seen: u64,
    total: u64,
) -> Result<Vec<(String, Damage)>, Error> {
    let (store, verify, watch) = (exam.places.blobs.clone(), exam.order.verify, Arc::clone(&exam.watch));
    off_thread(move || {
        let mut damaged = Vec::new();
        for NamedFile { blob, bytes } in page {
            let damage = store.inspect(&blob, bytes, verify, &|| false)?;
            seen += bytes.unwrap_or(0);
            watch.at(seen, total);
            damaged.extend(damage.map(|damage| (blob, damage)));
        }
        Ok(damaged)
    })
    .await
}

/// A daemon beside us replaces files and forgets rows: what is still so, is so.
async fn judge(exam: &mut Examination<'_>, blob: &str, first: &Damage) -> Result<(), Error> {
    let owners = exam.services.store().file_owners(blob).await?;
    let (store, name) = (exam.places.blobs.clone(), blob.to_owned());
    let (bytes, verify) = match first {
        Damage::Size { expected, .. } => (Some(*expected), false),
        Damage::Changed => (None, true),
        Damage::Gone | Damage::Unreadable { .. } => (None, exam.order.verify),
    };
    let damage = off_thread(move || store.inspect(&name, bytes, verify, &|| false)).await?;
    let Some(damage) = damage else { return Ok(()) };
    let mut to_forget: Vec<&FileOwner> = owners.iter().filter(|owner| is_forgotten(owner)).collect();
    let unsound = unsound_masters(exam, &to_forget).await?;
    to_forget.retain(|owner| !unsound.contains(&owner.asset));
    let copy = match damage {
        Damage::Unreadable { .. } => None,
        Damage::Gone | Damage::Size { .. } | Damage::Changed => published_copy(exam, blob).await?,
    };
    let is_put_back = match &copy {
        Some(copy) if exam.order.repair => put_back(exam, blob, copy).await?,
        _ => false,
    };
    if exam.order.repair && !is_put_back {
        forget(exam, blob, &to_forget).await?;
    }
    for owner in &owners {
        let message = damage.message(owner, blob);
        if is_put_back {
            exam.repaired(Section::Blobs, message, Message::new("remedy-was-copied-back"));
        } else if copy.is_some() && !is_forgotten(owner) && owner.maker != Maker::Publish {
            exam.found(Section::Blobs, message, Message::new("remedy-copy-back"));
        } else if is_forgotten(owner) && unsound.contains(&owner.asset) {
            exam.found(Section::Blobs, message, Message::new("remedy-master-first"));
        } else if exam.order.repair && is_forgotten(owner) {
            exam.repaired(Section::Blobs, message, remade(owner, "remedy-forgotten"));
        } else {
            exam.found(Section::Blobs, message, remedy(owner, blob));
        }
    }
    Ok(())
}

/// Whether an asset that lacks this file gets it again: from optimizeImagesJob or ripPdfsJob. Nobody makes the picture of a
/// film again that lacks one, and who lacks a playlist would be published without one.
const fn is_forgotten(owner: &FileOwner) -> bool {
    matches!(owner.role, FileRole::Derived(DerivedRole::Pyramid | DerivedRole::Thumbnail | DerivedRole::Mask))
        && matches!(owner.maker, Maker::Optimize | Maker::RipPdfs)
}

/// A published file that has the right content. It is read.
async fn published_copy(exam: &Examination<'_>, blob: &str) -> Result<Option<PathBuf>, Error> {
    let named = exam.services.store().published_as(blob).await?;
    if named.is_empty() {
        return Ok(None);
    }
    let sites = exam.services.store().publish_sites().await?;
    let mut paths = Vec::new();
    for (context, name) in named {
        let Some(site) = sites.iter().find(|site| site.state.id == context) else { continue };
        let folder = exam.places.publish_root.join(published::folder(site.kind));
        paths.extend(
            Side::ALL.iter().map(|side| published::hidden(&folder, &site.root_path, side.letter()).join(&name)),
        );
    }
    let blob = blob.to_owned();
    let is_right = move |path: &PathBuf| {
        let read = |path: &PathBuf| Blobs::digest(&mut File::open(path).ok()?, &|| false).ok();
        path.is_file() && read(path).is_some_and(|found| found.id == blob)
    };
    off_thread(move || Ok(paths.into_iter().find(is_right))).await
}

/// Stores what is published once more. False if it is not what it was a moment ago.
async fn put_back(exam: &Examination<'_>, blob: &str, copy: &Path) -> Result<bool, Error> {
    let (root, blob, copy) = (exam.places.blobs.root().to_owned(), blob.to_owned(), copy.to_owned());
    off_thread(move || {
        // The folder may be what is gone.
        let blobs = Blobs::open(&root)?;
        let mut copy = File::open(copy).map_err(BlobError::Source)?;
        Ok(blobs.store(&mut copy, u64::MAX, &|| false)?.id == blob)
    })
    .await
}

/// Those whose masters are not what they should be: nothing can be made of them. They are read.
async fn unsound_masters(exam: &Examination<'_>, owners: &[&FileOwner]) -> Result<HashSet<AssetId>, Error> {
    let assets: Vec<AssetId> = owners.iter().map(|owner| owner.asset).collect();
    let masters = exam.services.store().masters_of(&assets).await?;
    let store = exam.places.blobs.clone();
    off_thread(move || {
        let mut unsound = HashSet::new();
        for (asset, NamedFile { blob, bytes }) in masters {
            if store.inspect(&blob, bytes, true, &|| false)?.is_some() {
                unsound.insert(asset);
            }
        }
        Ok(unsound)
    })
    .await
}

/// Has files made again by forgetting that they were made. The file itself goes with the next Cleanups, or is replaced.
async fn forget(exam: &Examination<'_>, blob: &str, owners: &[&FileOwner]) -> Result<(), Error> {
    let assets: Vec<AssetId> = owners.iter().map(|owner| owner.asset).collect();
    if !assets.is_empty() {
        exam.services.store().forget_derived(blob.to_owned(), assets).await?;
    }
    Ok(())
}

fn remedy(owner: &FileOwner, blob: &str) -> Message {
    match owner.maker {
        Maker::Nobody => Message::new("remedy-bring-master").with("blob", blob).with("start", &blob[..2]),
        Maker::Publish => Message::new("remedy-publish").with("company", owner.company_name.clone()),
        Maker::Optimize | Maker::RipPdfs | Maker::Reprocess if is_forgotten(owner) => remade(owner, "remedy-forget"),
        Maker::Optimize | Maker::RipPdfs | Maker::Reprocess => remade(owner, "remedy-make-again"),
    }
}

fn remade(owner: &FileOwner, code: &str) -> Message {
    Message::new(code).with("maker", owner.maker.as_str())
}
