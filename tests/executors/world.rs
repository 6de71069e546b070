//! A daemon small enough for a test: a store, a blob store, one company, and runs carried out one at a time.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use crate::database::{Database, options};
use chrono::{DateTime, TimeDelta, Utc};
use prepress::assets::blobs::Blobs;
use prepress::clock::{Clock, ManualClock, SharedClock};
use prepress::config::Config;
use prepress::executors::{Context, Failure, Item, ProgressBoard, Registry, RunInfo, Settings, Standard};
use prepress::model::asset::AssetType;
use prepress::model::id::{AccountId, AssetId, CompanyId};
use prepress::model::job::JobSpec;
use prepress::model::kind::JobKind;
use prepress::model::log::Message;
use prepress::model::outcome::Counters;
use prepress::model::trigger::Trigger;
use prepress::store::Store;
use prepress::store::accounts::NewAccount;
use prepress::store::assets::marking::Marking;
use prepress::store::assets::sets::{Member, NewSet};
use prepress::store::cleanup::CleanupStep;
use prepress::store::companies::NewCompany;
use prepress::store::effect::Effect;
use prepress::store::jobs::Fence;
use prepress::store::jobs::attempt::{ItemReport, Release};
use prepress::store::jobs::claim::{Claimed, FreeSlots, Lease};
use prepress::store::jobs::finish::Ending;
use prepress::store::jobs::submit::{NewJob, NewRun};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// A message in words.
pub fn words(message: &Message) -> String {
    prepress::words::text(&message.code, &message.params, "en")
}

pub struct World {
    pub folder: tempfile::TempDir,
    pub store: Store,
    pub blobs: Blobs,
    pub settings: Settings,
    pub clock: Arc<ManualClock>,
    pub company: CompanyId,
    pub account: AccountId,
    database: Database,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub log_type: String,
    pub code: String,
    pub params: Value,
    pub asset: Option<String>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Done {
    pub result: Result<(), Failure>,
    pub lines: Vec<Line>,
    pub counters: Counters,
    pub items: Vec<String>,
    pub attempts: usize,
}

impl Done {
    pub fn of_type(&self, log_type: &str) -> Vec<&Line> {
        self.lines.iter().filter(|line| line.log_type == log_type).collect()
    }

    pub fn codes(&self) -> Vec<&str> {
        self.lines.iter().map(|line| line.code.as_str()).collect()
    }

    /// Every line in words, for messages of failed assertions and for looking into.
    pub fn text(&self) -> String {
        let words = |line: &Line| {
            let params = line.params.as_object().unwrap().clone();
            format!("{}: {}", line.log_type, prepress::words::text(&line.code, &params, "en"))
        };
        self.lines.iter().map(words).collect::<Vec<_>>().join("\n")
    }

    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.result, Ok(()), "{}", self.text());
        self
    }
}

pub fn start() -> DateTime<Utc> {
    "2026-11-23T09:15:00Z".parse().unwrap()
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(options(folder.path(), chrono_tz::Tz::UTC)).await.unwrap();
        let company = NewCompany {
            id: Some(CompanyId(47)),
            name: "Acme".into(),
            root_path: "Acme".into(),
            expires_at: None,
            at: start(),
        };
        let company = store.add_company(company).await.unwrap().id;
        let account = NewAccount {
            email: "ann@acme.example".into(),
            first_name: String::new(),
            last_name: String::new(),
            password_hash: "x".into(),
            is_ips_admin: false,
            locale: None,
            password_expires_at: None,
            membership: None,
            at: start(),
        };
        let account = store.add_account(account).await.unwrap();
        let mut settings = Settings::new(&Config::default());
        settings.ingest_root = folder.path().join("ingest");
        settings.publish_root = folder.path().join("publish");
        settings.scratch = folder.path().join("scratch");
        settings.export_root = folder.path().join("exports");
        settings.binary = env!("CARGO_BIN_EXE_prepress").into();
        settings.media.jpeg_quality = 60;
        change(&mut settings);
        let blobs = Blobs::open(&folder.path().join("blobs")).unwrap();
        std::fs::create_dir_all(settings.ingest_root.join("Acme")).unwrap();
        let database = Database::of(folder.path()).await;
        Self { folder, store, blobs, settings, clock: ManualClock::at(start()), company, account, database }
    }

    pub fn ingest(&self, path: &str) -> PathBuf {
        self.settings.ingest_root.join("Acme").join(path)
    }

    /// Writes a file into the company's folder.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.ingest(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub fn published(&self) -> PathBuf {
        self.settings.publish_root.join("image-serving/Acme")
    }

    /// What readers open in a folder below the publish root.
    pub fn tree(&self, folder: &str) -> PathBuf {
        self.settings.publish_root.join(folder).join("Acme")
    }

    /// Paths of all files in a tree, without the manifest.
    pub fn paths_in(&self, folder: &str) -> Vec<String> {
        let (root, mut found) = (self.tree(folder), Vec::new());
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.retain(|path| !path.ends_with("manifest.jsonl"));
        found.sort();
        found
    }

    /// Makes a set, or gives the one that is there these members.
    pub async fn set(
        &self,
        folder: &str,
        name: &str,
        set_type: AssetType,
        members: Vec<Member>,
        ready: bool,
    ) -> AssetId {
        let set = NewSet {
            company: self.company,
            folder: folder.into(),
            name: name.into(),
            set_type,
            made_from: None,
            pixels: None,
            members,
            marking: Marking { ready: ready.then_some(true), preserve: Some(false) },
            by: self.account,
            at: self.clock.now(),
        };
        self.submit(JobKind::OptimizeImages, json!({ "emailSetting": "None" })).await;
        let claimed = self.claim().await;
        let context = self.context(&claimed, CancellationToken::new());
        let applied = context.commit(Item("set".into()), Effect::Set(Box::new(set)), |_| ItemReport::default()).await;
        self.finish(claimed.fence, Ok(()), 1).await;
        applied.unwrap().unwrap().asset().unwrap()
    }

    /// What Cleanup does to assets that were given up, in the middle of something else.
    pub async fn remove_assets(&self) {
        self.submit(JobKind::OptimizeImages, json!({ "emailSetting": "None" })).await;
        let claimed = self.claim().await;
        let context = self.context(&claimed, CancellationToken::new());
        let step = Effect::Cleanup(CleanupStep::RemoveAssets);
        context.commit(Item("remove".into()), step, |_| ItemReport::default()).await.unwrap();
        self.finish(claimed.fence, Ok(()), 1).await;
    }

    /// Names in the published tree, without what the publish adds.
    pub fn published_names(&self) -> Vec<String> {
        let list = |folder: PathBuf, prefix: &str| -> Vec<String> {
            let names = std::fs::read_dir(folder).into_iter().flatten();
            names.map(|entry| format!("{prefix}{}", entry.unwrap().file_name().to_string_lossy())).collect()
        };
        let mut names = list(self.published(), "");
        names.retain(|name| !["content", "manifest.jsonl", "search.jsonl"].contains(&name.as_str()));
        names.extend(list(self.published().join("content"), "content/"));
        names.sort();
        names
    }

    pub async fn query(&self, sql: &'static str) -> Vec<Vec<Value>> {
        self.database.rows(sql).await
    }

    /// Changes the database behind the program's back.
    pub async fn execute(&self, sql: impl Into<String>) {
        self.database.execute(&sql.into()).await;
    }

    pub async fn asset_names(&self) -> Vec<String> {
        let rows = self.query("SELECT name FROM asset ORDER BY name").await;
        rows.iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
    }

    pub async fn submit(&self, kind: JobKind, order: Value) {
        self.clock.advance(TimeDelta::seconds(1));
        let now = self.clock.now();
        let spec = JobSpec::parse(kind, &order).unwrap();
        let job = NewJob {
            company: self.company,
            name: kind.element().to_owned(),
            responsible: self.account,
            submitter: self.account,
            locale: None,
            description: None,
            client: None,
            address: None,
            created_at: now,
            trigger: Trigger::AtOnce,
            next_fire_at: None,
            run: Some(NewRun::at(now, spec.exclusive_key(self.company))),
            parent: None,
            spec,
        };
        self.store.submit(job).await.unwrap();
    }

    pub async fn claim(&self) -> Claimed {
        let free = FreeSlots { total: 1, by_kind: BTreeMap::new() };
        let lease = Lease { owner: "test".into(), expires_at: self.clock.now() + TimeDelta::minutes(1) };
        let now = self.clock.now();
        let claims = self.store.claim(free, CompanyId(0), move || (lease, now)).await.unwrap();
        claims.runs.into_iter().next().expect("a run waits")
    }

    pub fn context(&self, claimed: &Claimed, stop: CancellationToken) -> Context {
        let run = RunInfo {
            fence: claimed.fence,
            company: claimed.company,
            job_name: claimed.job_name.clone(),
            run_name: claimed.run_name.clone(),
            spec: claimed.spec.clone(),
            responsible: claimed.responsible,
            locale: None,
        };
        let clock: SharedClock = self.clock.clone();
        Context::new(run, self.store.clone(), clock, stop, ProgressBoard::default())
    }

    pub fn registry(&self) -> Standard {
        Standard::new(self.settings.clone(), self.blobs.clone())
    }

    async fn started(&self, kind: JobKind, order: Value) -> (Claimed, Context) {
        self.submit(kind, order).await;
        let claimed = self.claim().await;
        let context = self.context(&claimed, CancellationToken::new());
        (claimed, context)
    }

    /// Submits a job and carries it out.
    pub async fn run(&self, kind: JobKind, order: Value) -> Done {
        let (claimed, context) = self.started(kind, order).await;
        let result = self.registry().executor(&claimed.spec).run(&context).await;
        self.finish(claimed.fence, result, 1).await
    }

    /// The same, but at a moment of its work something else is done first. Whether it had not ended by then.
    pub async fn run_broken_off(
        &self,
        kind: JobKind,
        order: Value,
        moment: Moment,
        meanwhile: impl AsyncFnOnce(),
    ) -> (Done, bool) {
        let (claimed, context) = self.started(kind, order).await;
        let executor = self.registry().executor(&claimed.spec);
        let mut work = executor.run(&context);
        let (result, was_broken_off) = match self.until(moment, &mut work).await {
            Some(result) => (result, false),
            None => {
                meanwhile().await;
                (work.await, true)
            }
        };
        (self.finish(claimed.fence, result, 1).await, was_broken_off)
    }

    /// Submits a job that ends at a moment of its work, as one that is stopped.
    pub async fn stopped_at(&self, kind: JobKind, order: Value, moment: Moment) -> Done {
        let (claimed, context) = self.started(kind, order).await;
        let executor = self.registry().executor(&claimed.spec);
        let result = self.until(moment, executor.run(&context)).await.unwrap_or(Err(Failure::Interrupted));
        self.finish(claimed.fence, result, 1).await
    }

    /// The same, but the first attempt is dropped at a moment of its work, and something else is done before the second.
    /// Whether the first was dropped.
    pub async fn run_in_two(
        &self,
        kind: JobKind,
        order: Value,
        moment: Moment,
        meanwhile: impl AsyncFnOnce(),
    ) -> (Done, bool) {
        let (claimed, context) = self.started(kind, order).await;
        let executor = self.registry().executor(&claimed.spec);
        if let Some(result) = self.until(moment, executor.run(&context)).await {
            return (self.finish(claimed.fence, result, 1).await, false);
        }
        (self.second_half(claimed, meanwhile).await, true)
    }

    /// What a run knows of its items once it has found the parts of a file is what it has in the end, also after another attempt.
    pub async fn counts_its_items(&self, kind: JobKind, order: Value, found: &'static str) {
        let items = async || self.query("SELECT items_done, items_total FROM instance ORDER BY id DESC LIMIT 1").await;
        let known = std::cell::Cell::new(0);
        let meanwhile = async || {
            let found = items().await;
            let [done, total] = [0, 1].map(|at| found[0][at].as_i64().unwrap());
            assert!(done < total, "{done} of {total} items were done");
            known.set(total);
        };
        self.run_in_two(kind, order, Moment::Finds(found), meanwhile).await.0.succeeded();
        assert_eq!(items().await, [[json!(known.get()), json!(known.get())]]);
    }

    /// What comes of the work if it ends before the moment.
    async fn until<F: Future + Unpin>(&self, moment: Moment, work: F) -> Option<F::Output> {
        match moment {
            Moment::Waits(polls_left) => Crash { work, polls_left }.await,
            Moment::Finds(query) => tokio::select! {
                biased;
                _ = work => panic!("it ended before it was broken off: {query}"),
                () = async { while self.query(query).await.is_empty() {} } => None,
            },
        }
    }

    async fn second_half(&self, claimed: Claimed, meanwhile: impl AsyncFnOnce()) -> Done {
        self.store.release_attempt(claimed.fence, Release::Shutdown, self.clock.now()).await.unwrap();
        // The run itself waits behind what is done meanwhile.
        self.execute("UPDATE instance SET not_before_at = not_before_at + 3600000 WHERE state <> 'Done'").await;
        meanwhile().await;
        self.clock.advance(TimeDelta::hours(2));
        let claimed = self.claim().await;
        let context = self.context(&claimed, CancellationToken::new());
        let result = self.registry().executor(&claimed.spec).run(&context).await;
        self.finish(claimed.fence, result, 2).await
    }

    /// The same, but every attempt is dropped a little later than the one before: after each point at which it waits.
    pub async fn run_with_crashes(&self, kind: JobKind, order: Value) -> Done {
        self.run_with_crashes_after(1, kind, order).await
    }

    /// The same with longer and longer attempts: each waits so many times more than the one before.
    pub async fn run_with_crashes_after(&self, waits: usize, kind: JobKind, order: Value) -> Done {
        self.submit(kind, order).await;
        let mut attempts = 0;
        loop {
            let claimed = self.claim().await;
            let context = self.context(&claimed, CancellationToken::new());
            let executor = self.registry().executor(&claimed.spec);
            attempts += 1;
            let life = Crash { work: executor.run(&context), polls_left: attempts * waits };
            if let Some(result) = life.await {
                return self.finish(claimed.fence, result, attempts).await;
            }
            let released = self.store.release_attempt(claimed.fence, Release::Shutdown, self.clock.now()).await;
            released.unwrap();
            assert!(attempts < 5000, "the job makes no headway");
        }
    }

    pub async fn finish(&self, fence: Fence, result: Result<(), Failure>, attempts: usize) -> Done {
        let ending = match &result {
            Ok(()) => Ending::succeeded(),
            Err(Failure::Fatal(message) | Failure::Transient(message)) => Ending::failed(message.clone()),
            Err(Failure::Interrupted | Failure::DiskFull) => Ending::stopped(),
        };
        let lines = self.lines(fence).await;
        let counters = self.counters(fence).await;
        let items = format!("SELECT key FROM item WHERE instance_id = {} ORDER BY key", fence.instance);
        let items = self.database.texts(&items).await;
        self.store.finish_attempt(fence, ending, self.clock.now()).await.unwrap();
        Done { result, lines, counters, items, attempts }
    }

    /// What the executor wrote: without the lines that come with a claim or a release.
    pub async fn lines(&self, fence: Fence) -> Vec<Line> {
        let question = format!(
            "SELECT log_type, code, params, asset_name FROM log_detail WHERE instance_id = {}
             AND log_type NOT IN ('OriginalJobName', 'JobClient') AND code NOT LIKE 'begin-%-%load%'
             AND code NOT LIKE 'begin-%-publish' AND code NOT IN ('begin-optimize', 'begin-video-sitemap', 'shutdown-requeued', 'attempt-interrupted')
             ORDER BY id",
            fence.instance
        );
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let line = |row: &Vec<Value>| Line {
            log_type: text(&row[0]).unwrap(),
            code: text(&row[1]).unwrap(),
            params: serde_json::from_str(row[2].as_str().unwrap()).unwrap(),
            asset: text(&row[3]),
        };
        self.database
            .rows(&question)
            .await
            .iter()
            .map(line)
            .filter(|line| !line.code.starts_with("begin-upload"))
            .collect()
    }

    async fn counters(&self, fence: Fence) -> Counters {
        let question = format!(
            "SELECT success_count, error_count, warning_count, duplicate_count, left_out_count, update_count, part_count,
                    part_error_count, transfer_success_count, transfer_error_count, transfer_warning_count
             FROM instance WHERE id = {}",
            fence.instance
        );
        let row = self.database.row(&question).await;
        let counted: Vec<i64> = row.iter().map(|number| number.as_i64().unwrap()).collect();
        let [success, error, warning, duplicate, left_out, update, part, part_error, sent, unsent, warned] =
            counted[..]
        else {
            panic!("{counted:?}");
        };
        Counters {
            success,
            error,
            warning,
            duplicate,
            left_out,
            update,
            part,
            part_error,
            transfer_success: sent,
            transfer_error: unsent,
            transfer_warning: warned,
        }
    }
}

/// Lets a future live for so many polls.
struct Crash<F> {
    work: F,
    polls_left: usize,
}

impl<F: Future + Unpin> Future for Crash<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        if self.polls_left == 0 {
            return Poll::Ready(None);
        }
        self.polls_left -= 1;
        Pin::new(&mut self.work).poll(cx).map(Some)
    }
}

/// A JPEG whose pixels depend on `seed`.
pub fn jpeg(side: u32, seed: u8) -> Vec<u8> {
    let pixels: Vec<u8> = (0..side * side).flat_map(|at| [(at % side) as u8 ^ seed, (at / side) as u8, seed]).collect();
    let mut bytes = Vec::new();
    let side = u16::try_from(side).unwrap();
    jpeg_encoder::Encoder::new(&mut bytes, 90).encode(&pixels, side, side, jpeg_encoder::ColorType::Rgb).unwrap();
    bytes
}

pub fn png(side: u32, seed: u8) -> Vec<u8> {
    let picture = image::RgbaImage::from_fn(side, side, |x, y| image::Rgba([x as u8 ^ seed, y as u8, seed, x as u8]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

pub fn read(path: impl AsRef<Path>) -> Vec<u8> {
    let path = path.as_ref();
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An order with more fields.
pub fn with(mut order: Value, more: Value) -> Value {
    order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    order
}

pub fn directory(server_dir: &str) -> Value {
    json!({ "serverDir": server_dir, "includeSubfolders": true, "readyForPublish": true, "emailSetting": "None" })
}

/// When a job is broken off.
#[derive(Debug, Clone, Copy)]
pub enum Moment {
    /// After it has waited so many times, which differ from run to run.
    Waits(usize),
    /// As soon as a query finds something.
    Finds(&'static str),
}

/// Once something is there of which a test is about for certain, and then all along the work: close together at first, where
/// it is short on a fast machine.
pub fn moments(step: usize, sign: &'static str) -> impl Iterator<Item = Moment> {
    let waits = (1..50).step_by(step.div_ceil(3)).chain((50..400).step_by(step));
    std::iter::once(Moment::Finds(sign)).chain(waits.map(Moment::Waits))
}
