//! Publishes that wait for their next attempt while others pass them: what one of them withdrew stays withdrawn, and what
//! readers saw is in a log.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use chrono::TimeDelta;
use prepress::assets::blobs::Blobs;
use prepress::clock::Clock;
use prepress::executors::{Failure, Item, Registry};
use prepress::model::asset::{ContextKind, PublishState};
use prepress::model::id::{AssetId, ContextId};
use prepress::model::kind::JobKind;
use prepress::store::assets::Contexts;
use prepress::store::effect::Effect;
use prepress::store::jobs::Fence;
use prepress::store::jobs::attempt::{ItemReport, Release};
use prepress::store::jobs::claim::Claimed;
use prepress::store::jobs::finish::Ending;
use prepress::store::publishing::{ContextState, PublishStep, Side};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::publish::{asset, change, manifest, mark, upload};
use crate::world::{World, directory, read, words};

/// A kind of publish, and where it puts things.
#[derive(Debug, Clone, Copy)]
struct Place {
    kind: JobKind,
    context: ContextKind,
    folder: &'static str,
    manifest: &'static str,
}

const SERVING: Place = Place {
    kind: JobKind::ImageServingPublish,
    context: ContextKind::ImageServing,
    folder: "image-serving",
    manifest: "manifest.jsonl",
};

const PLAIN: Place = Place {
    kind: JobKind::ServerDirectoryPublish,
    context: ContextKind::ServerDirectory,
    folder: "server-directory",
    manifest: ".manifest.jsonl",
};

impl Place {
    fn order(self, publish_type: &str) -> Value {
        match self.kind {
            JobKind::ImageServingPublish => json!({ "publishType": publish_type, "emailSetting": "None" }),
            _ => json!({ "emailSetting": "None" }),
        }
    }

    /// Where a text lies in the trees.
    fn name_of(self, asset: &str) -> String {
        if self.kind == JobKind::ImageServingPublish { format!("content/{asset}.txt") } else { format!("{asset}.txt") }
    }
}

impl World {
    /// Any item whose key begins so cannot be committed: what was done for it is left as it is, as by a crash.
    async fn break_at(&self, key: Option<&str>) {
        self.execute("CREATE TABLE IF NOT EXISTS crash (key TEXT)").await;
        self.execute(
            "CREATE TRIGGER IF NOT EXISTS crash_here BEFORE INSERT ON item
             WHEN EXISTS (SELECT 1 FROM crash WHERE substr(NEW.key, 1, length(crash.key)) = crash.key)
             BEGIN SELECT RAISE(ABORT, 'crash'); END",
        )
        .await;
        self.execute("DELETE FROM crash").await;
        if let Some(key) = key {
            self.execute(format!("INSERT INTO crash VALUES ('{key}')")).await;
        }
    }

    /// Carries out what waits until an item cannot be committed; the run then waits for its next attempt, for an hour.
    /// Whether it ended.
    async fn attempt(&self, claimed: &Claimed, breaks_at: Option<&str>) -> bool {
        self.break_at(breaks_at).await;
        let context = self.context(claimed, CancellationToken::new());
        let result = self.registry().executor(&claimed.spec).run(&context).await;
        self.break_at(None).await;
        let now = self.clock.now();
        match result {
            Ok(()) => self.store.finish_attempt(claimed.fence, Ending::succeeded(), now).await.unwrap(),
            Err(Failure::Transient(reason)) => {
                assert!(breaks_at.is_some(), "{}", words(&reason));
                let release = Release::Retry { reason, not_before: now + TimeDelta::hours(1) };
                self.store.release_attempt(claimed.fence, release, now).await.unwrap();
                return false;
            }
            Err(failure) => panic!("{failure:?}"),
        }
        true
    }

    /// Submits a publish and begins it. None if it ended.
    async fn begin(&self, place: Place, publish_type: &str, breaks_at: Option<&str>) -> Option<Fence> {
        self.submit(place.kind, place.order(publish_type)).await;
        let claimed = self.claim().await;
        (!self.attempt(&claimed, breaks_at).await).then_some(claimed.fence)
    }

    /// Another attempt of a run that waits. Whether it ended.
    async fn again(&self, waiting: Fence, breaks_at: Option<&str>) -> bool {
        self.execute(format!("UPDATE instance SET not_before_at = 0 WHERE id = {}", waiting.instance.0)).await;
        let claimed = self.claim().await;
        assert_eq!(claimed.fence.instance, waiting.instance);
        self.attempt(&claimed, breaks_at).await
    }

    /// Ends a run that waits, as a stop does.
    async fn stop(&self, waiting: Fence) {
        let now = self.clock.now().timestamp_millis();
        self.execute(format!(
            "UPDATE instance SET state = 'Done', outcome = 'Stopped', finished_at = {now} WHERE id = {}",
            waiting.instance.0
        ))
        .await;
    }

    async fn state(&self, place: Place) -> ContextState {
        self.store.context_state(self.company, place.context, None).await.unwrap().unwrap()
    }

    fn tree_of(&self, place: Place, side: Side) -> PathBuf {
        self.settings.publish_root.join(place.folder).join(format!(".Acme.{}", side.letter()))
    }

    fn live_side(&self, place: Place) -> Option<Side> {
        let target = fs::read_link(self.tree(place.folder)).ok()?;
        Side::ALL.iter().copied().find(|side| self.tree_of(place, *side).file_name() == Some(target.as_os_str()))
    }

    /// Published files of a side, each with the hash of its content.
    fn files_of(&self, place: Place, side: Side) -> BTreeMap<String, String> {
        let (root, mut found) = (self.tree_of(place, side), BTreeMap::new());
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                if path.is_dir() {
                    folders.push(path);
                } else if name != place.manifest {
                    found.insert(name, Blobs::id_of(&read(&path)));
                }
            }
        }
        found
    }

    /// Both sides and their manifests have what the rows say that they hold, and nothing else.
    async fn check_sides(&self, place: Place, when: &str) {
        let state = self.state(place).await;
        let rows = self.store.publications_after(state.id, 0).await.unwrap();
        let present = rows.iter().filter(|row| row.present).count() as i64;
        assert_eq!(state.file_count, present, "{when}: files are counted");
        for side in [Side::A, Side::B].into_iter().filter(|side| state.seq_of(*side) > 0) {
            let held = state.seq_of(side);
            let later: BTreeSet<&str> =
                rows.iter().filter(|row| row.seq > held).map(|row| row.file_name.as_str()).collect();
            let expected: BTreeMap<String, String> = rows
                .iter()
                .filter(|row| row.present && row.seq <= held)
                .map(|row| (row.file_name.clone(), row.blob.clone()))
                .collect();
            let mut found = self.files_of(place, side);
            found.retain(|name, _| !later.contains(name.as_str()));
            assert_eq!(found, expected, "{when}: {} side {side:?}, which holds {held}", place.folder);
            let listed = manifest(self.tree_of(place, side).join(place.manifest));
            let listed: BTreeMap<String, String> = listed
                .into_iter()
                .filter(|(name, _)| !later.contains(name.as_str()))
                .map(|(name, line)| (name, line["sha256"].as_str().unwrap().to_owned()))
                .collect();
            assert_eq!(listed, expected, "{when}: manifest of {} side {side:?}", place.folder);
        }
    }

    /// What the lines of all publishes to a context come to: names that readers were given and that did not leave.
    async fn told(&self, place: Place) -> BTreeSet<String> {
        let lines = self
            .query(
                "SELECT code, json_text(params, 'file'), json_text(params, 'context') FROM log_detail
                 WHERE code IN ('publish-success', 'publish-removed') ORDER BY id",
            )
            .await;
        let mut told = BTreeSet::new();
        for line in lines.iter().filter(|line| line[2] == self.context_name(place)) {
            let file = line[1].as_str().unwrap().to_owned();
            if line[0] == "publish-success" {
                told.insert(file)
            } else {
                told.remove(&file)
            };
        }
        told
    }

    fn context_name(&self, place: Place) -> &'static str {
        place.context.as_str()
    }
}

/// Numbers that look random, and are the same each time (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % count as u64) as usize
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_left_while_a_publish_waited_stays_away() {
    for breaks_at in ["/recorded:", "/staged", "/switched"] {
        let world = World::new().await;
        let texts = ["a", "b", "c"];
        texts.iter().for_each(|name| world.put(&format!("in/{name}.txt"), name.as_bytes()));
        world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
        for name in ["b", "c"] {
            mark(&world, name, PublishState::NotMarkedForPublish).await;
        }
        assert_eq!(world.begin(SERVING, "Incremental", None).await, None);
        mark(&world, "b", PublishState::MarkedForPublish).await;
        let waiting = world.begin(SERVING, "Incremental", Some(breaks_at)).await.unwrap();
        mark(&world, "c", PublishState::MarkedForPublish).await;
        assert_eq!(world.begin(SERVING, "Incremental", None).await, None);
        mark(&world, "c", PublishState::NotMarkedForPublish).await;
        mark(&world, "a", PublishState::NotMarkedForPublish).await;
        assert!(world.again(waiting, None).await);
        let lines = world.lines(waiting).await;
        assert!(lines.iter().any(|line| line.code == "publish-begun-anew"), "{breaks_at}: {lines:?}");
        for round in 0..3 {
            assert_eq!(world.published_names(), ["content/b.txt"], "{breaks_at}, {round}");
            world.check_sides(SERVING, breaks_at).await;
            // Something changes, so that readers are switched to the other side.
            world.put("in/b.txt", &[b'b', round]);
            let mut order = directory("in");
            order["overwrite"] = json!(true);
            order["readyForPublish"] = json!(false);
            world.run(JobKind::UploadDirectory, order).await.succeeded();
            assert_eq!(world.begin(SERVING, "Incremental", None).await, None);
        }
        assert_eq!(world.told(SERVING).await, BTreeSet::from(["content/b.txt".to_owned()]), "{breaks_at}");
    }
}

/// What is written down after a tree was staged would never come to it, also when nobody passes.
/// What files are like is noted in pages. An attempt that ends between them leaves the rest to the next one, and that has other
/// pages.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_files_are_like_is_noted_of_all_of_them_wherever_an_attempt_ends() {
    const FILES: usize = 1100;
    let world = World::new().await;
    (0..FILES).for_each(|number| world.put(&format!("in/{number}.txt"), number.to_string().as_bytes()));
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    let waiting = world.begin(SERVING, "Incremental", Some("/staged/seen:1.1")).await.unwrap();
    let noted = "SELECT count(*) FROM publication WHERE stamp IS NOT NULL";
    assert_eq!(world.query(noted).await[0][0], 500, "a page of them");
    assert!(world.again(waiting, None).await);
    assert_eq!(world.query(noted).await[0][0], FILES);
    world.check_sides(SERVING, "noted").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_after_staging_is_for_the_next_publish() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1)]).await;
    assert_eq!(world.begin(SERVING, "Incremental", None).await, None);
    upload(&world, &[("b.jpg", 2)]).await;
    let waiting = world.begin(SERVING, "Incremental", Some("/switched")).await.unwrap();
    upload(&world, &[("c.jpg", 3)]).await;
    assert!(world.again(waiting, None).await);
    world.check_sides(SERVING, "continued").await;
    assert_eq!(world.published_names(), ["a.tif", "b.tif"]);
    for names in [vec!["a.tif", "b.tif", "c.tif"], vec!["a.tif", "b.tif", "c.tif", "d.tif"]] {
        assert_eq!(world.begin(SERVING, "Incremental", None).await, None);
        assert_eq!(world.published_names(), names);
        world.check_sides(SERVING, "published").await;
        upload(&world, &[("d.jpg", 4)]).await;
    }
    // Behind the executor's back the transaction itself refuses.
    let state = world.state(SERVING).await;
    world.submit(JobKind::ImageServingPublish, SERVING.order("Incremental")).await;
    let claimed = world.claim().await;
    let context = world.context(&claimed, CancellationToken::new());
    for seq in [state.publish_seq, state.publish_seq - 1] {
        let step = PublishStep::Record { context: state.id, seq, wanted: Vec::new(), refused: Vec::new() };
        let refused = context.commit(Item("x".into()), Effect::Publish(step), |_| ItemReport::default()).await;
        let Err(Failure::Transient(reason)) = refused else { panic!("{refused:?}") };
        assert!(words(&reason).contains("another publish of the context has begun since"), "{}", words(&reason));
        assert!(context.done_items().await.unwrap().is_empty(), "nothing was written");
    }
    let step = PublishStep::Staged {
        context: state.id,
        seq: state.publish_seq - 1,
        side: Side::A,
        seen: Vec::new(),
        withdrawn: Vec::new(),
    };
    let refused = context.commit(Item("x".into()), Effect::Publish(step), |_| ItemReport::default()).await;
    assert!(matches!(refused, Err(Failure::Transient(_))), "{refused:?}");
    assert_eq!(world.state(SERVING).await, state);
}

/// Readers are given more than one page of assets: the history has all of them, wherever the publish ends, and whoever goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_of_many_assets_is_noted_in_pages() {
    const MORE: i64 = 520;
    for is_killed in [false, true] {
        let world = World::new().await;
        world.put("in/a.txt", b"The same for all.");
        world.run(JobKind::UploadDirectory, crate::world::directory("in")).await.succeeded();
        for sql in [
            format!("WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {MORE})
                     INSERT INTO asset (company_id, folder_id, name, asset_type, file_name, blob, bytes, created_at, created_by,
                                        modified_at, modified_by, change_seq)
                     SELECT a.company_id, a.folder_id, 'more-' || n, a.asset_type, 'more-' || n || '.txt', a.blob, a.bytes, 0,
                            a.created_by, 0, a.modified_by, a.change_seq
                     FROM n JOIN asset a ON a.name = 'a'"),
            "INSERT INTO publish_mark (asset_id, context_id, marked)
             SELECT m.id, k.context_id, 1 FROM asset m JOIN asset a ON a.name = 'a'
             JOIN publish_mark k ON k.asset_id = a.id WHERE m.name LIKE 'more-%'"
                .to_owned(),
        ] {
            world.execute(sql).await;
        }
        let noted = async || world.query("SELECT count(*), count(DISTINCT published_at) FROM publish_history").await;
        let waiting = world.begin(SERVING, "Full", Some("/given:now:0000000001")).await.unwrap();
        assert_eq!(world.published_names().len() as i64, MORE + 1, "readers see it");
        assert_eq!(noted().await, [[json!(500), json!(1)]], "a page of it");
        if is_killed {
            world.stop(waiting).await;
            let done = world.run(JobKind::ImageServingPublish, SERVING.order("Incremental")).await.succeeded();
            assert!(done.codes().contains(&"publish-found-shown"), "{}", done.text());
            assert_eq!(done.items.iter().filter(|item| item.starts_with("/given:found:")).count(), 2);
        } else {
            assert!(world.again(waiting, None).await);
        }
        assert_eq!(noted().await[0][0], json!(MORE + 1), "killed: {is_killed}");
        let done = world.run(JobKind::ImageServingPublish, SERVING.order("Incremental")).await.succeeded();
        assert_eq!(done.codes(), ["publish-nothing"], "{}", done.text());
    }
}

/// The link is switched, and the run is stopped before it says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_readers_saw_of_a_publish_that_was_killed_is_told_by_the_next() {
    for breaks_at in ["/given:now:", "/switched", "/lines:published:", "/lines:removed:", "/told"] {
        let world = World::new().await;
        upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
        assert_eq!(world.begin(SERVING, "Incremental", None).await, None);
        upload(&world, &[("c.jpg", 3)]).await;
        mark(&world, "b", PublishState::NotMarkedForPublish).await;
        let killed = world.begin(SERVING, "Incremental", Some(breaks_at)).await.unwrap();
        world.stop(killed).await;
        assert_eq!(world.published_names(), ["a.tif", "c.tif"], "readers see it");
        // Nothing changes before the next one, or something does.
        let (names, changed) = if breaks_at == "/told" {
            upload(&world, &[("d.jpg", 4)]).await;
            (vec!["a.tif", "c.tif", "d.tif"], true)
        } else {
            (vec!["a.tif", "c.tif"], false)
        };
        let done = world.run(JobKind::ImageServingPublish, SERVING.order("Incremental")).await.succeeded();
        let text = done.text();
        let of = |code: &str| -> BTreeSet<&str> {
            let lines = done.lines.iter().filter(|line| line.code == code);
            lines.map(|line| line.params["file"].as_str().unwrap()).collect()
        };
        let published = if changed { BTreeSet::from(["c.tif", "d.tif"]) } else { BTreeSet::from(["c.tif"]) };
        assert_eq!(of("publish-success"), published, "{breaks_at}: {text}");
        assert_eq!(of("publish-removed"), BTreeSet::from(["b.tif"]), "{breaks_at}: {text}");
        assert_eq!(
            done.codes().contains(&"publish-found-shown"),
            ["/given:now:", "/switched"].contains(&breaks_at),
            "{text}"
        );
        assert_eq!(done.counters.success, published.len() as i64, "{text}");
        assert_eq!(world.published_names(), names);
        let c = asset(&world, "c").await;
        assert_eq!(world.store.publish_history(c).await.unwrap().len(), 1, "{breaks_at}");
        assert_eq!(world.told(SERVING).await.into_iter().collect::<Vec<_>>(), names, "{breaks_at}");
        let done = world.run(JobKind::ImageServingPublish, SERVING.order("Incremental")).await.succeeded();
        assert_eq!(done.codes(), ["publish-nothing"], "{breaks_at}: {}", done.text());
        let left = world.query("SELECT count(*) FROM publication WHERE present = 0").await;
        assert!(changed || left == [[json!(1)]], "it stays until the other side knows");
    }
}

/// A publish that readers see already goes on telling, and says where the rest is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_passed_while_it_tells_does_not_publish_again() {
    for publish_type in ["Incremental", "Full"] {
        let world = World::new().await;
        upload(&world, &[("a.jpg", 1)]).await;
        let waiting = world.begin(SERVING, publish_type, Some("/told")).await.unwrap();
        upload(&world, &[("b.jpg", 2)]).await;
        assert_eq!(world.begin(SERVING, "Incremental", None).await, None);
        let before = world.state(SERVING).await;
        assert!(world.again(waiting, None).await);
        assert_eq!(world.state(SERVING).await, before, "it takes no new number");
        let lines = world.lines(waiting).await;
        let count = |code: &str| lines.iter().filter(|line| line.code == code).count();
        assert_eq!((count("publish-success"), count("publish-told")), (1, 1), "{lines:?}");
        world.check_sides(SERVING, publish_type).await;
    }
}

/// What an earlier attempt made is stale again when the next one looks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_made_and_is_stale_again_is_made_again() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    world.execute("DELETE FROM derived").await;
    let waiting = world.begin(SERVING, "Incremental", Some("/recorded:")).await.unwrap();
    assert_eq!(world.query("SELECT count(*) FROM derived WHERE role = 'Pyramid'").await, [[json!(2)]], "it was made");
    world.execute("UPDATE derived SET recipe = 'of other settings'").await;
    assert!(world.again(waiting, None).await);
    assert_eq!(world.published_names(), ["a.tif", "b.tif"]);
    // The same for one that is refused: it is refused once.
    upload(&world, &[("c.jpg", 3)]).await;
    world.execute("DELETE FROM derived WHERE asset_id = (SELECT id FROM asset WHERE name = 'c')").await;
    let master = world.query("SELECT blob FROM asset WHERE name = 'c'").await;
    let path = world.blobs.path(master[0][0].as_str().unwrap()).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "damaged").unwrap();
    let waiting = world.begin(SERVING, "Incremental", Some("/recorded:")).await.unwrap();
    assert!(world.again(waiting, None).await);
    let lines = world.lines(waiting).await;
    assert_eq!(lines.iter().filter(|line| line.code == "publish-error").count(), 1, "{lines:?}");
}

/// Somebody changes it whenever it is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_as_often_as_it_is_made_has_a_line_and_is_tried_again() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    world.execute("DELETE FROM derived WHERE asset_id = (SELECT id FROM asset WHERE name = 'b')").await;
    for event in ["INSERT", "UPDATE"] {
        world
            .execute(format!(
                "CREATE TRIGGER stale_{event} AFTER {event} ON derived BEGIN
                     UPDATE derived SET recipe = 'old' WHERE asset_id = NEW.asset_id; END"
            ))
            .await;
    }
    let done = world.run(JobKind::ImageServingPublish, SERVING.order("Full")).await.succeeded();
    assert_eq!(world.published_names(), ["a.tif"]);
    let errors = done.of_type("ImageServingPublishError");
    assert_eq!(errors.len(), 1, "{}", done.text());
    assert_eq!(errors[0].params["reason"]["code"], "reason-changed-meanwhile", "{}", done.text());
    assert_eq!(done.counters.error, 1);
    for event in ["INSERT", "UPDATE"] {
        world.execute(format!("DROP TRIGGER stale_{event}")).await;
    }
    assert_eq!(world.begin(SERVING, "Incremental", None).await, None);
    assert_eq!(world.published_names(), ["a.tif", "b.tif"]);
}

/// Errors of an attempt that was passed are looked for again: they count once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_found_before_a_publish_began_anew_count_once() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    let master = world.query("SELECT blob FROM asset WHERE name = 'b'").await;
    world.execute("DELETE FROM derived WHERE asset_id = (SELECT id FROM asset WHERE name = 'b')").await;
    let path = world.blobs.path(master[0][0].as_str().unwrap()).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "damaged").unwrap();
    let waiting = world.begin(SERVING, "Full", Some("/staged")).await.unwrap();
    assert_eq!(world.begin(SERVING, "Full", None).await, None);
    assert!(world.again(waiting, None).await);
    let counted = world
        .query("SELECT error_count, transfer_error_count, success_count, items_done = (SELECT count(*) FROM item i WHERE i.instance_id = instance.id) FROM instance ORDER BY id DESC LIMIT 2")
        .await;
    for counted in counted {
        assert_eq!(counted, [json!(1), json!(1), json!(1), json!(1)]);
    }
}

/// How many short stories of two contexts are told.
const STORIES: usize = 100;

/// Where an attempt may end: before one of its commits, with all done that belongs to it.
const ENDS: [Option<&str>; 14] = [
    Some("/begin"),
    Some("/recorded:"),
    Some("/staged"),
    Some("/staged"),
    Some("/switched"),
    Some("/switched"),
    Some("/given:found:"),
    Some("/given:now:"),
    Some("/shown"),
    Some("/lines:"),
    Some("/told"),
    Some("/unchanged"),
    None,
    None,
];

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// What may become of a company, one thing after the other.
struct Story {
    world: World,
    chance: Chance,
    assets: BTreeMap<&'static str, AssetId>,
    trashed: BTreeSet<&'static str>,
    contexts: [(Place, ContextId); 2],
    /// Runs that wait for another attempt.
    waiting: Vec<(Fence, JobKind)>,
    told: Vec<String>,
}

impl Story {
    async fn new(seed: u64) -> Self {
        let world = World::new().await;
        let contexts = [SERVING, PLAIN];
        let contexts =
            [(contexts[0], world.state(contexts[0]).await.id), (contexts[1], world.state(contexts[1]).await.id)];
        let mut story = Self {
            world,
            chance: Chance(seed),
            assets: BTreeMap::new(),
            trashed: BTreeSet::new(),
            contexts,
            waiting: Vec::new(),
            told: Vec::new(),
        };
        NAMES.iter().for_each(|name| story.world.put(&format!("in/{name}.txt"), name.as_bytes()));
        story.world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
        for name in NAMES {
            story.assets.insert(name, asset(&story.world, name).await);
        }
        story
    }

    async fn step(&mut self) {
        let name = self.chance.of(&NAMES);
        let (place, context) = self.chance.of(&self.contexts);
        let end = self.chance.of(&ENDS);
        let id = self.assets[name];
        match self.chance.below(10) {
            0..3 => {
                let publish_type = self.chance.of(&["Incremental", "Incremental", "Full"]);
                self.told.push(format!("{publish_type} publish to {} until {end:?}", place.folder));
                let waiting = self.world.begin(place, publish_type, end).await;
                self.waiting.extend(waiting.map(|fence| (fence, place.kind)));
            }
            3..5 if !self.waiting.is_empty() => {
                let at = self.chance.below(self.waiting.len());
                let (fence, _) = self.waiting[at];
                self.told.push(format!("run {} again until {end:?}", fence.instance));
                if self.world.again(fence, end).await {
                    self.waiting.remove(at);
                }
            }
            5 if !self.waiting.is_empty() => {
                let at = self.chance.below(self.waiting.len());
                let (fence, _) = self.waiting.remove(at);
                self.told.push(format!("run {} is stopped", fence.instance));
                self.world.stop(fence).await;
            }
            6 if self.trashed.contains(name) => {
                self.told.push(format!("{name} is restored"));
                self.world.store.restore_assets(change(&self.world), vec![id]).await.unwrap();
                self.trashed.remove(name);
            }
            6 => {
                self.told.push(format!("{name} is deleted"));
                self.world.store.trash_assets(change(&self.world), vec![id]).await.unwrap();
                self.trashed.insert(name);
            }
            7 if !self.trashed.contains(name) => {
                self.told.push(format!("{name} is replaced"));
                let text = format!("{name} {}", self.told.len());
                fs::remove_dir_all(self.world.ingest("in")).unwrap();
                self.world.put(&format!("in/{name}.txt"), text.as_bytes());
                let mut order = directory("in");
                order["overwrite"] = json!(true);
                order["readyForPublish"] = json!(false);
                self.world.run(JobKind::UploadDirectory, order).await.succeeded();
            }
            _ => {
                let state = self.chance.of(&[PublishState::MarkedForPublish, PublishState::NotMarkedForPublish]);
                self.told.push(format!("{name} is {state:?} in {}", place.folder));
                let states = vec![(id, state)];
                let contexts = Contexts::These(vec![context]);
                self.world.store.set_publish_states(change(&self.world), states, contexts).await.unwrap();
            }
        }
    }

    /// All that waits comes to its end, and what changed meanwhile is published: then everything says the same.
    async fn come_to_rest(&mut self) {
        for (fence, _) in std::mem::take(&mut self.waiting) {
            assert!(self.world.again(fence, None).await, "{:#?}", self.told);
        }
        for (place, _) in self.contexts {
            let when = format!("{:#?}", self.told);
            self.world.check_sides(place, &when).await;
            assert_eq!(self.world.begin(place, "Incremental", None).await, None);
            self.world.check_sides(place, &when).await;
            self.check_shown(place, &when).await;
        }
        self.told.clear();
    }

    async fn check_shown(&self, place: Place, when: &str) {
        let rows = self
            .world
            .query(
                "SELECT a.name, a.blob, c.kind FROM asset a JOIN publish_mark m ON m.asset_id = a.id AND m.marked = 1
                 JOIN publish_context c ON c.id = m.context_id WHERE a.trash_state = 'NotInTrash'",
            )
            .await;
        let marked = rows.iter().filter(|row| row[2] == place.context.as_str());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let expected: BTreeMap<String, String> =
            marked.map(|row| (place.name_of(&text(&row[0])), text(&row[1]))).collect();
        let live = self.world.live_side(place);
        let found = live.map(|side| self.world.files_of(place, side)).unwrap_or_default();
        assert_eq!(found, expected, "{when}: readers of {}", place.folder);
        let state = self.world.state(place).await;
        if let Some(live) = live {
            let seq = state.seq_of(live);
            assert_eq!((state.shown_seq, state.told_seq), (seq, seq), "{when}: {}", place.folder);
        }
        let told: BTreeSet<String> = self.world.told(place).await;
        assert_eq!(told, expected.into_keys().collect(), "{when}: logs of {}", place.folder);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_passes_what_both_sides_say_the_same_as_the_rows() {
    let mut story = Story::new(0x5eed_cafe).await;
    for _ in 0..STORIES {
        for _ in 0..3 + story.chance.below(4) {
            story.step().await;
        }
        story.come_to_rest().await;
    }
}
