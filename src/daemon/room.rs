//! Says in the daemon's own log that a disk is full, and that it has room again: once each. Jobs and requests that meet it say so
//! themselves, whenever they do.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use chrono::TimeDelta;

use crate::assets::room::Disk;
use crate::clock::{self, SharedClock};
use crate::service::jobs::Disks;

const EVERY: TimeDelta = TimeDelta::seconds(30);

/// Looks until the returned future is dropped.
pub(super) async fn watch(disks: Disks, clock: SharedClock) {
    let mut known = Known::default();
    loop {
        for news in known.heed(disks.look().await) {
            match news {
                News::Bad(what) => tracing::warn!("{what}"),
                News::Good(what) => tracing::info!("{what}"),
            }
        }
        clock::sleep(&*clock, EVERY).await;
    }
}

#[derive(Debug, PartialEq)]
enum News {
    Bad(String),
    Good(String),
}

/// What was said before.
#[derive(Debug, Default)]
struct Known {
    /// Where full disks are mounted.
    full: BTreeSet<PathBuf>,
    is_unseen: bool,
}

impl Known {
    fn heed(&mut self, looked: io::Result<Vec<Disk>>) -> Vec<News> {
        let was_unseen = std::mem::replace(&mut self.is_unseen, looked.is_err());
        let disks = match looked {
            Ok(disks) => disks,
            Err(_) if was_unseen => return Vec::new(),
            Err(error) => return vec![News::Bad(format!("whether there is room to write cannot be seen: {error}"))],
        };
        let mut news = Vec::new();
        if was_unseen {
            news.push(News::Good("whether there is room to write can be seen again".to_owned()));
        }
        for disk in disks {
            let mount = disk.mount.display();
            match disk.shortage() {
                Some(shortage) if self.full.insert(disk.mount.clone()) => news.push(News::Bad(format!(
                    "{shortage} ({mount}): a job that cannot write waits, and what cannot be written down is refused, until there is room; \
                     nothing is lost"
                ))),
                None if disk.has_ample_room() && self.full.remove(&disk.mount) => {
                    news.push(News::Good(format!("there is room again on {mount}: {} MiB are free", disk.free >> 20)));
                }
                Some(_) | None => {}
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::room::{NEEDED, Use};

    fn disk(mount: &str, free: u64) -> Disk {
        Disk { uses: vec![Use::Database, Use::Files], mount: mount.into(), free, files: None }
    }

    #[test]
    fn a_disk_that_is_full_is_told_once_and_so_is_its_end() {
        let mut known = Known::default();
        assert_eq!(known.heed(Ok(vec![disk("/a", 1 << 40), disk("/b", 1 << 40)])), []);
        let told = known.heed(Ok(vec![disk("/a", 3 << 20), disk("/b", 1 << 40)]));
        let [News::Bad(what)] = told.as_slice() else { panic!("{told:?}") };
        assert!(
            what.starts_with("only 3 MiB are free on the disk of the database, stored files (/a): a job that"),
            "{what}"
        );
        // At the brink it is the same shortage.
        for free in [0, NEEDED, NEEDED - 1, NEEDED + 1, NEEDED - 1] {
            assert_eq!(known.heed(Ok(vec![disk("/a", free), disk("/b", 1 << 40)])), [], "{free}");
        }
        let told = known.heed(Ok(vec![disk("/a", 1 << 30), disk("/b", 0)]));
        assert_eq!(told[0], News::Good("there is room again on /a: 1024 MiB are free".to_owned()));
        assert!(matches!(&told[1..], [News::Bad(what)] if what.contains("(/b)")), "{told:?}");
        let lacks_files = Disk { files: Some(7), ..disk("/a", 1 << 40) };
        let told = known.heed(Ok(vec![lacks_files]));
        assert!(matches!(&told[..], [News::Bad(what)] if what.starts_with("hardly any more files fit")), "{told:?}");
    }

    #[test]
    fn a_disk_that_does_not_answer_is_told_once_and_so_is_its_end() {
        let mut known = Known::default();
        let silent = || Err(io::Error::new(io::ErrorKind::TimedOut, "no answer"));
        let bad = "whether there is room to write cannot be seen: no answer";
        assert_eq!(known.heed(silent()), [News::Bad(bad.to_owned())]);
        assert_eq!(known.heed(silent()), []);
        let good = "whether there is room to write can be seen again";
        assert_eq!(known.heed(Ok(vec![disk("/a", 1 << 40)])), [News::Good(good.to_owned())]);
        assert_eq!(known.heed(Ok(vec![disk("/a", 1 << 40)])), []);
    }
}
