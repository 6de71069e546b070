//! Whether every published file is there, is what was published, and is no stored file; and whether manifests say so.
//!
//! What was not touched since it was last found to be right is believed, unless all bytes are to be read. Both trees of a
//! context are looked at: readers see the other one after the next publish.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::SecondsFormat;

use super::{Error, Examination, Message, Places, Section, Services, off_thread};
use crate::assets::blobs::{BlobError, Blobs, sync_folder};
use crate::assets::manifest::{Closing, Manifest, Reading};
use crate::assets::published::{self, Expected, Look, TEMPORARY};
use crate::store::publishing::{Publication, Side, Site};

/// Findings of one sort that are told one by one; beyond them they are counted.
const MOST_TOLD: usize = 100;

/// How often a context is looked at anew because it was being published meanwhile.
const MOST_LOOKS: usize = 3;

pub(super) async fn look(exam: &mut Examination<'_>) -> Result<(), Error> {
    if exam.order.repair {
        let blobs = exam.places.blobs.clone();
        off_thread(move || blobs.make_read_only()).await?;
    }
    let (mut files, mut bytes, mut later) = (0, 0, 0_u64);
    let (is_older, is_behind) = (exam.is_older().await?, exam.is_behind().await?);
    let unlooked = exam.services.ahead(&exam.places.beside()).await?.unlooked_trees;
    for site in exam.services.store().publish_sites().await? {
        let trees = Trees::of(exam, &site);
        if unlooked.contains(&site.state.id) {
            // Who would look at its files would wait for them.
            continue;
        }
        let is_anew = Side::ALL.iter().all(|side| site.state.seq_of(*side) == 0);
        if is_behind || is_older && is_anew {
            // They were written after the backup: that they differ from it is no fault of theirs.
            later += u64::from(Side::ALL.iter().any(|side| trees.tree(*side).is_dir()));
            continue;
        }
        let looked = look_at(exam, site).await?;
        files += looked.files;
        bytes += looked.bytes;
    }
    if later > 0 {
        exam.looked(Section::Trees, Message::new("doctor-trees-anew").with("count", later));
    }
    if !unlooked.is_empty() {
        let message = Message::new("doctor-trees-unlooked").with("count", unlooked.len());
        exam.found(Section::Trees, message, Message::new("remedy-unlooked"));
    }
    if later == 0 && unlooked.is_empty() || files > 0 {
        exam.looked(Section::Trees, Message::new("doctor-trees").with("count", files).with("bytes", bytes));
    }
    Ok(())
}

/// The files and bytes of links to blobs in trees that were not parted yet.
pub(super) async fn links(services: &Services, places: &Places) -> Result<(u64, u64), Error> {
    let (mut files, mut bytes) = (0, 0);
    for site in services.store().publish_sites().await?.into_iter().filter(|site| !site.state.owns_files) {
        let rows = services.store().publications_present(site.state.id).await?;
        let folder = places.publish_root.join(published::folder(site.kind));
        let (trees, blobs) = (Trees { folder, company: site.root_path.clone() }, places.blobs.clone());
        let (more, size) = off_thread(move || {
            let is_link = |row: &&Publication| {
                let is_at =
                    |side: &Side, blob: &Path| published::is_same_file(&trees.tree(*side).join(&row.file_name), blob);
                blobs.path(&row.blob).is_ok_and(|blob| Side::ALL.iter().any(|side| is_at(side, &blob)))
            };
            let links = rows.iter().filter(|row| !row.blob.is_empty()).filter(is_link);
            Ok(links.fold((0, 0), |(files, bytes), row| (files + 1, bytes + row.bytes)))
        })
        .await?;
        files += more;
        bytes += size;
    }
    Ok((files, bytes))
}

/// What is wrong with a published file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Gone,
    Changed,
}

#[derive(Debug, Default)]
struct Seen {
    files: u64,
    bytes: u64,
    /// With the sides that have them so.
    wrong: Vec<(Publication, Wrong, Vec<Side>)>,
    linked: (u64, u64),
    strangers: Vec<String>,
    /// Sides whose manifest does not say what the rows say.
    manifests: Vec<Side>,
}

impl Seen {
    fn is_sound(&self) -> bool {
        self.wrong.is_empty() && self.strangers.is_empty() && self.linked.0 == 0 && self.manifests.is_empty()
    }
}

/// A daemon beside us publishes: only what two looks find while nothing changed is so.
async fn look_at(exam: &mut Examination<'_>, mut site: Site) -> Result<Seen, Error> {
    let store = exam.services.store();
    let mut seen = compare(exam, &site).await?;
    for _ in 1..MOST_LOOKS {
        if seen.is_sound() {
            break;
        }
        let now = store.publish_sites().await?.into_iter().find(|now| now.state.id == site.state.id);
        let Some(now) = now else { return Ok(Seen::default()) };
        if now == site && !now.is_being_published() {
            break;
        }
        site = now;
        seen = compare(exam, &site).await?;
    }
    judge(exam, &site, &seen).await?;
    Ok(seen)
}

/// The trees of a site.
#[derive(Debug, Clone)]
struct Trees {
    folder: PathBuf,
    company: String,
}

impl Trees {
    fn of(exam: &Examination<'_>, site: &Site) -> Self {
        let folder = exam.places.publish_root.join(published::folder(site.kind));
        Self { folder, company: site.root_path.clone() }
    }

    fn tree(&self, side: Side) -> PathBuf {
        published::hidden(&self.folder, &self.company, side.letter())
    }

    /// Whether readers see this one.
    fn are_read(&self, side: Side) -> bool {
        let target = fs::read_link(self.folder.join(&self.company)).ok();
        target.is_some_and(|target| self.tree(side).file_name() == Some(target.as_os_str()))
    }
}

async fn compare(exam: &Examination<'_>, site: &Site) -> Result<Seen, Error> {
    let rows = exam.services.store().publications_after(site.state.id, 0).await?;
    let (trees, site) = (Trees::of(exam, site), site.clone());
    let (blobs, verify, watch) = (exam.places.blobs.clone(), exam.order.verify, Arc::clone(&exam.watch));
    off_thread(move || {
        let mut seen = Seen::default();
        let total = rows.iter().filter(|row| row.present).map(|row| row.bytes).sum();
        for row in rows.iter().filter(|row| row.present && !row.blob.is_empty()) {
            look_at_file(&mut seen, &trees, &site, row, &blobs, verify)?;
            watch.at(seen.bytes, total);
        }
        for side in Side::ALL.iter().copied().filter(|side| site.state.seq_of(*side) > 0) {
            // What left later than the publish that it holds may still be there.
            let may_be = |row: &&Publication| row.present || row.seq > site.state.seq_of(side);
            let names: HashSet<&str> = rows.iter().filter(may_be).map(|row| row.file_name.as_str()).collect();
            find_strangers(&mut seen, &trees.tree(side), &site, &names)?;
            if !is_manifest_right(&trees, side, &site, &rows)? {
                seen.manifests.push(side);
            }
        }
        seen.strangers.sort();
        seen.strangers.dedup();
        Ok(seen)
    })
    .await
}

/// A tree has heard only of rows up to its own publish.
fn look_at_file(
    seen: &mut Seen,
    trees: &Trees,
    site: &Site,
    row: &Publication,
    blobs: &Blobs,
    verify: bool,
) -> Result<(), BlobError> {
    let blob = match blobs.path(&row.blob) {
        Ok(path) => path,
        // That is for whoever looks at blobs to say.
        Err(_) => return Ok(()),
    };
    let stamp = row.stamp.as_deref().filter(|_| !verify);
    let expected = Expected { blob: &blob, sha256: &row.blob, bytes: row.bytes, stamp };
    let (mut wrong, mut is_linked) = (Vec::new(), false);
    let mut before: Option<(PathBuf, Look)> = None;
    let sides = Side::ALL.iter().copied().filter(|side| row.seq <= site.state.seq_of(*side));
    for side in sides {
        let path = trees.tree(side).join(&row.file_name);
        let look = match &before {
            // Both have the same file.
            Some((other, look)) if published::is_same_file(&path, other) => *look,
            _ => published::look(&path, expected, &|| false)?,
        };
        match look {
            Look::Right(_) => {}
            Look::Blob => is_linked = true,
            Look::Nothing => wrong.push((Wrong::Gone, side)),
            Look::Changed => wrong.push((Wrong::Changed, side)),
        }
        before = Some((path, look));
    }
    if before.is_some() {
        seen.files += 1;
        seen.bytes += row.bytes;
    }
    if is_linked {
        seen.linked = (seen.linked.0 + 1, seen.linked.1 + row.bytes);
    }
    if let Some((first, _)) = wrong.first() {
        seen.wrong.push((row.clone(), *first, wrong.iter().map(|(_, side)| *side).collect()));
    }
    Ok(())
}

fn find_strangers(seen: &mut Seen, tree: &Path, site: &Site, names: &HashSet<&str>) -> Result<(), BlobError> {
    if !tree.is_dir() {
        return Ok(());
    }
    let (manifest, guest) = (published::manifest(site.kind), published::guest(site.kind));
    published::walk(tree, &|| false, &mut |_, name, found| {
        if !found.is_dir() && !names.contains(name) && !published::is_ours(name, manifest, guest) {
            seen.strangers.push(name.to_owned());
        }
        Ok::<_, BlobError>(true)
    })
}

fn is_manifest_right(trees: &Trees, side: Side, site: &Site, rows: &[Publication]) -> Result<bool, BlobError> {
    let (tree, held) = (trees.tree(side), site.state.seq_of(side));
    let reading = read_manifest(&tree, site)?;
    let later = later(rows, held);
    let may_break_off = !trees.are_read(side);
    let publishes = held..=site.state.publish_seq;
    Ok(reading.agrees(rows.iter().map(Publication::entry), |name| later.contains(name), &publishes, may_break_off))
}

fn read_manifest(tree: &Path, site: &Site) -> Result<Reading, BlobError> {
    Manifest::of(tree, published::manifest(site.kind)).read().map_err(BlobError::doing("read the manifest in", tree))
}

/// Names that a tree which holds a publish has heard less of than the rows know.
fn later(rows: &[Publication], held: i64) -> HashSet<&str> {
    rows.iter().filter(|row| row.seq > held).map(|row| row.file_name.as_str()).collect()
}

/// Writes the manifest of a tree again.
async fn write_manifest(exam: &Examination<'_>, site: &Site, side: Side) -> Result<(), Error> {
    let rows = exam.services.store().publications_after(site.state.id, 0).await?;
    let at = exam.services.clock().now().to_rfc3339_opts(SecondsFormat::Millis, true);
    let (tree, site, held) = (Trees::of(exam, site).tree(side), site.clone(), site.state.seq_of(side));
    off_thread(move || {
        fs::create_dir_all(&tree).map_err(BlobError::doing("make the folder", &tree))?;
        let later = later(&rows, held);
        let reading = read_manifest(&tree, &site)?;
        let kept = reading.lines_of(|name| later.contains(name));
        let known = rows.iter().map(Publication::entry).filter(|entry| !later.contains(entry.name));
        let closing = Closing { publish: held, run: reading.run(), at: &at };
        let written = Manifest::of(&tree, published::manifest(site.kind)).write_with(known, &kept, closing);
        written.map_err(BlobError::doing("write the manifest in", &tree))?;
        sync_folder(&tree)
    })
    .await
}

async fn judge(exam: &mut Examination<'_>, site: &Site, seen: &Seen) -> Result<(), Error> {
    let say =
        |code: &str| Message::new(code).with("context", site.state.name.clone()).with("company", site.company.clone());
    if seen.linked.0 > 0 {
        let message = say("doctor-published-linked").with("count", seen.linked.0).with("bytes", seen.linked.1);
        if exam.order.repair {
            part(exam, site).await?;
            exam.repaired(Section::Trees, message, Message::new("remedy-parted"));
        } else {
            exam.found(Section::Trees, message, Message::new("remedy-part"));
        }
    }
    let mut mended = 0;
    for (number, (row, wrong, sides)) in seen.wrong.iter().enumerate() {
        let back = if exam.order.repair { Some(put_back(exam, site, row, sides).await?) } else { None };
        mended += usize::from(back == Some(PutBack::Done));
        if number >= MOST_TOLD {
            continue;
        }
        let message = say(match wrong {
            Wrong::Gone => "doctor-published-gone",
            Wrong::Changed => "doctor-published-changed",
        });
        let message = message.with("file", row.file_name.clone());
        match back {
            Some(PutBack::Done) => exam.repaired(Section::Trees, message, Message::new("remedy-was-put-back")),
            Some(PutBack::NoBlob) => exam.found(Section::Trees, message, Message::new("remedy-no-blob")),
            Some(PutBack::InTheWay) => exam.found(Section::Trees, message, Message::new("remedy-stranger")),
            None => exam.found(Section::Trees, message, Message::new("remedy-put-back")),
        }
    }
    let more = seen.wrong.len().saturating_sub(MOST_TOLD);
    if more > 0 {
        let message = say("doctor-published-more").with("count", more);
        if mended == seen.wrong.len() {
            exam.repaired(Section::Trees, message, Message::new("remedy-was-put-back"));
        } else {
            exam.found(Section::Trees, message, Message::new("remedy-put-back"));
        }
    }
    if !seen.manifests.is_empty() {
        let message = say("doctor-manifest-changed");
        if exam.order.repair {
            for side in &seen.manifests {
                write_manifest(exam, site, *side).await?;
            }
            exam.repaired(Section::Trees, message, Message::new("remedy-manifest-written"));
        } else {
            exam.found(Section::Trees, message, Message::new("remedy-write-manifest"));
        }
    }
    for name in seen.strangers.iter().take(MOST_TOLD) {
        let message = say("doctor-published-stranger").with("file", name.clone());
        exam.found(Section::Trees, message, Message::new("remedy-stranger"));
    }
    let more = seen.strangers.len().saturating_sub(MOST_TOLD);
    if more > 0 {
        let message = say("doctor-published-more").with("count", more);
        exam.found(Section::Trees, message, Message::new("remedy-stranger"));
    }
    Ok(())
}

async fn part(exam: &Examination<'_>, site: &Site) -> Result<(), Error> {
    let trees = Trees::of(exam, site);
    off_thread(move || published::part([&trees.tree(Side::A), &trees.tree(Side::B)], &|| false).map(drop)).await
}

/// What came of putting a published file back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PutBack {
    Done,
    /// Its blob is no more what it should be either.
    NoBlob,
    /// A folder is in its place, or a file in that of its folder. Whoever put it there may need it.
    InTheWay,
}

/// Puts the content of a published file back from its blob.
async fn put_back(exam: &Examination<'_>, site: &Site, row: &Publication, sides: &[Side]) -> Result<PutBack, Error> {
    let (trees, blobs, row, sides) = (Trees::of(exam, site), exam.places.blobs.clone(), row.clone(), sides.to_vec());
    off_thread(move || {
        let folders = Path::new(&row.file_name).ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
        let is_other = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| !found.is_dir());
        for tree in sides.iter().map(|side| trees.tree(*side)) {
            let is_folder = fs::symlink_metadata(tree.join(&row.file_name)).is_ok_and(|found| found.is_dir());
            if is_folder || folders.clone().any(|folder| is_other(&tree.join(folder))) {
                return Ok(PutBack::InTheWay);
            }
        }
        let mut first: Option<PathBuf> = None;
        for side in sides {
            let tree = trees.tree(side);
            let (path, temporary) = (tree.join(&row.file_name), tree.join(TEMPORARY));
            let folder = path.parent().unwrap_or(&tree).to_owned();
            fs::create_dir_all(&folder).map_err(BlobError::doing("make the folder", &folder))?;
            match &first {
                Some(first) => published::replace_by_link(first, &temporary, &path)?,
                None => {
                    published::remove_file(&temporary)?;
                    match blobs.hand_out(&row.blob, &temporary, &|| false) {
                        Err(error) if error.is_of_file() => return Ok(PutBack::NoBlob),
                        handed_out => handed_out?,
                    }
                    fs::rename(&temporary, &path).map_err(BlobError::doing("write", &path))?;
                }
            }
            sync_folder(&folder)?;
            first = Some(path);
        }
        Ok(PutBack::Done)
    })
    .await
}
