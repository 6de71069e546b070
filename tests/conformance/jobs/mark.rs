//! The mark beside the stored files follows the database, and no more often than it must.

use std::os::unix::fs::MetadataExt;

use chrono::TimeDelta;
use prepress::assets::mark::{self, Found, Mark};
use prepress::service::mark::MarkKeeper;

use crate::support::{Daemon, Plan, Scripted, World, eventually, policy};

fn read(blobs: &std::path::Path) -> Option<Mark> {
    match mark::read(blobs) {
        Found::Mark(mark) => Some(mark),
        Found::Nothing => None,
        Found::Unreadable(why) => panic!("{why}"),
    }
}

#[tokio::test]
async fn it_is_written_when_numbers_have_changed_and_only_then() {
    let world = World::new().await;
    let blobs = world.dir.path().join("blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let keeper = MarkKeeper::new(world.store(), &blobs, "6f2e".to_owned());
    keeper.keep().await.unwrap();
    let inode = || std::fs::metadata(mark::path(&blobs)).unwrap().ino();
    let first = inode();
    keeper.keep().await.unwrap();
    assert_eq!(inode(), first, "nothing is new");
    let run = world.run_at_once(1, "upload").await;
    keeper.keep().await.unwrap();
    let mark = read(&blobs).unwrap();
    assert_eq!((mark.identity.as_str(), mark.numbers["run"]), ("6f2e", run.0));
    assert_ne!(inode(), first, "it is renamed into place");
    std::fs::remove_file(mark::path(&blobs)).unwrap();
    keeper.keep().await.unwrap();
    assert_eq!(read(&blobs), Some(mark), "whoever knows what it said writes it again");
}

#[tokio::test]
async fn a_daemon_writes_it_once_a_minute() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let blobs = world.dir.path().join("blobs");
    let run = world.run_at_once(1, "upload").await;
    world.until_done(run).await;
    eventually("the mark has seen the run", || async {
        world.advance(TimeDelta::seconds(61));
        read(&blobs).filter(|mark| mark.numbers["run"] == run.0)
    })
    .await;
    daemon.shut_down().await;
}

/// A database that learns of higher numbers than its own counts on from there, for every kind, and says so once.
#[tokio::test]
async fn numbers_that_files_have_seen_are_not_given_again() {
    let world = World::new().await;
    world.run_at_once(1, "upload").await;
    let store = world.store();
    let own = store.highest_numbers().await.unwrap();
    assert_eq!(store.catch_up(own.clone(), world.now()).await.unwrap(), None);
    let seen = own.iter().map(|(name, number)| (name.clone(), number + 100)).collect();
    let restored = store.catch_up(seen, world.now()).await.unwrap().expect("it is older");
    assert_eq!((restored.run, restored.seen_run), (own["run"], Some(own["run"] + 100)));
    let next = world.submit(1, "again", Plan::AtOnce).await;
    assert_eq!((next.job.0, next.run.unwrap().id.0), (own["job"] + 101, own["run"] + 101));
    let higher = store.highest_numbers().await.unwrap();
    assert!(own.iter().all(|(name, number)| higher[name] >= number + 100), "{own:?} {higher:?}");
    assert_eq!(store.catch_up(higher, world.now()).await.unwrap(), None, "it is known");
    assert_eq!(store.restored().await.unwrap(), Some(restored));
    store.settle_restoration().await.unwrap();
    assert_eq!(store.restored().await.unwrap(), None);
}
