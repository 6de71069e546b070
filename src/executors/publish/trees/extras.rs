//! What the trees have beside published files: search data, and the guest. Both are written anew without a look at what was there,
//! and each publish hands them on; so it is kept what was written, by which an edit of somebody else is seen before it goes.
//!
//! ```text
//! publish/video/.Acme.extras      {"sitemap.xml":["12 4711 1764500000.120000000 …"]}
//! ```
//!
//! While one is being written there are two of a name: whichever is there then, it is ours.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::{TreeError, Trees, doing};
use crate::assets::published::{SEARCH, TEMPORARY, create_afresh, is_same_file, open_file};
use crate::assets::stamp::Stamp;
use crate::store::publishing::Side;

/// Longest file of these that is read: it has a few stamps.
const LONGEST: u64 = 1 << 16;

/// The stamps of what was written, by its names.
#[derive(Debug, Default)]
pub(super) struct Extras(BTreeMap<String, Vec<String>>);

impl Extras {
    /// Whether somebody else has written what is at a path. What nothing is known of was written by an earlier version.
    fn is_altered(&self, path: &Path, name: &str) -> bool {
        let (Some(kept), Ok(found)) = (self.0.get(name), Stamp::at(path)) else { return false };
        !kept.iter().any(|kept| found.resembles(kept))
    }

    fn add(&mut self, name: &str, stamp: Stamp) {
        self.0.entry(name.to_owned()).or_default().push(stamp.to_string());
    }
}

impl Trees {
    pub(super) fn extras(&self) -> Extras {
        let read = || -> io::Result<Extras> {
            let file = open_file(&self.hidden("extras"))?.ok_or(io::ErrorKind::NotFound)?;
            Ok(Extras(serde_json::from_reader(file.take(LONGEST))?))
        };
        // Without it nothing is known, as after an earlier version.
        read().unwrap_or_default()
    }

    fn keep_extras(&self, extras: &Extras) -> Result<(), TreeError> {
        let (path, draft) = (self.hidden("extras"), self.hidden("extras~"));
        let text = serde_json::to_vec(&extras.0).map_err(|error| doing("write", &draft)(error.into()))?;
        let written = create_afresh(&draft).and_then(|mut file| file.write_all(&text));
        let written = written.and_then(|()| fs::rename(&draft, &path));
        written.map_err(doing("write", &path))
    }

    /// Names of those that somebody else has changed, and that a publish to this tree is about to write over.
    pub(super) fn altered(&self, side: Side, extras: &mut Extras, writes_search: bool) -> Vec<String> {
        let (tree, other) = (self.tree(side), self.tree(side.other()));
        let mut altered = Vec::new();
        for name in [Some(SEARCH), self.guest].into_iter().flatten() {
            let (own, current) = (tree.join(name), other.join(name));
            let mut is_altered = extras.is_altered(&own, name) && !is_same_file(&own, &current);
            if name == SEARCH && writes_search && extras.is_altered(&current, name) {
                is_altered = true;
                // The next publish to the other tree would say it once more.
                if let Ok(stamp) = Stamp::at(&current) {
                    extras.add(name, stamp);
                }
            }
            if is_altered {
                altered.push(name.to_owned());
            }
        }
        altered
    }

    /// Whether either tree has a file of this name that somebody else has changed.
    pub(super) fn is_altered(&self, extras: &Extras, name: &str) -> bool {
        Side::ALL.iter().any(|side| extras.is_altered(&self.tree(*side).join(name), name))
    }

    /// Writes one of them, all of it at once, and keeps what it is like before it is there.
    pub(super) fn write_extra(
        &self,
        tree: &Path,
        name: &str,
        mut content: impl Read,
        extras: &mut Extras,
    ) -> Result<(), TreeError> {
        let (path, temporary) = (tree.join(name), tree.join(TEMPORARY));
        let written = (|| {
            let mut file = create_afresh(&temporary)?;
            io::copy(&mut content, &mut file)?;
            file.flush()?;
            file.sync_all()?;
            Stamp::at(&temporary)
        })();
        let stamp = written.map_err(doing("write", &temporary))?;
        self.forget_extras(name, extras);
        extras.add(name, stamp);
        self.keep_extras(extras)?;
        fs::rename(&temporary, &path).map_err(doing("write", &path))
    }

    /// Forgets what neither tree has any more.
    fn forget_extras(&self, name: &str, extras: &mut Extras) {
        let paths: Vec<PathBuf> = Side::ALL.iter().map(|side| self.tree(*side).join(name)).collect();
        let there: Vec<Stamp> = paths.iter().filter_map(|path| Stamp::at(path).ok()).collect();
        if let Some(kept) = extras.0.get_mut(name) {
            kept.retain(|kept| there.iter().any(|found| found.resembles(kept)));
        }
    }
}
