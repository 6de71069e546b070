//! Several daemons over one file, each of which may be slow, wrong about the time, or back from the dead: whatever they do
//! in whatever order, a run has one owner at a time, and what was decided stays.
//!
//! A model says what each operation must answer; a seeded generator chooses the operations.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use prepress::engine::Backoff;
use prepress::model::id::{AccountId, CompanyId, InstanceId};
use prepress::model::log::{LogLine, LogType, Message};
use prepress::model::outcome::{Counters, Outcome};
use prepress::model::state::State;
use prepress::store::Store;
use prepress::store::effect::Effect;
use prepress::store::jobs::Fence;
use prepress::store::jobs::attempt::{AttemptError, ItemReport, Planned, Progress, Release};
use prepress::store::jobs::claim::{FreeSlots, Lease};
use prepress::store::jobs::control::Stop;
use prepress::store::jobs::finish::Ending;
use prepress::store::jobs::rescue::{Lost, Patience, RescueFate};
use serde_json::json;

use crate::support::World;

const MAX_ATTEMPTS: i64 = 3;
const LEASE: TimeDelta = TimeDelta::seconds(60);
const SOMEBODY: AccountId = AccountId(1);
const RETRY: Backoff = Backoff { base: TimeDelta::seconds(20), max: TimeDelta::seconds(30) };

/// xorshift64*: the same choices for the same seed.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap() % bound
    }

    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// What must be true of a run.
#[derive(Debug, Clone)]
struct Expected {
    state: State,
    outcome: Option<Outcome>,
    attempt: i64,
    failures: i64,
    not_before: DateTime<Utc>,
    lease_until: DateTime<Utc>,
    items: BTreeSet<String>,
    items_at_claim: usize,
    /// Successes counted without an item.
    loose: i64,
}

impl Expected {
    const fn held(&self) -> bool {
        matches!(self.state, State::Running | State::Stopping)
    }

    fn end(&mut self, outcome: Outcome) {
        (self.state, self.outcome) = (State::Done, Some(outcome));
        self.failures += i64::from(outcome == Outcome::Failed);
    }
}

struct Model {
    world: World,
    daemons: Vec<Store>,
    runs: BTreeMap<InstanceId, Expected>,
    /// Every fence that was ever handed out, to whom does not matter: the dead come back.
    fences: Vec<Fence>,
    choices: Choices,
}

impl Model {
    async fn new(seed: u64) -> Self {
        let world = World::new().await;
        let mut daemons = Vec::new();
        for _ in 0..3 {
            daemons.push(world.open_again().await);
        }
        let mut runs = BTreeMap::new();
        for _ in 0..6 {
            let id = world.run_at_once(1, "contended").await;
            let now = world.now();
            runs.insert(
                id,
                Expected {
                    state: State::WaitingCoordinator,
                    outcome: None,
                    attempt: 0,
                    failures: 0,
                    not_before: now,
                    lease_until: now,
                    items: BTreeSet::new(),
                    items_at_claim: 0,
                    loose: 0,
                },
            );
        }
        let choices = Choices(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        Self { world, daemons, runs, fences: Vec::new(), choices }
    }

    fn daemon(&mut self) -> Store {
        let index = self.choices.below(self.daemons.len());
        self.daemons[index].clone()
    }

    /// The run of a fence, if the fence is good.
    fn holds(&mut self, fence: Fence) -> Option<&mut Expected> {
        self.runs.get_mut(&fence.instance).filter(|run| run.held() && run.attempt == fence.attempt)
    }

    async fn step(&mut self) {
        match self.choices.below(10) {
            0 | 1 => self.claim().await,
            2 => self.heartbeat().await,
            3 => self.rescue().await,
            4 => self.stop().await,
            5 => {
                let seconds = self.choices.of(&[1, 20, 61]);
                self.world.advance(TimeDelta::seconds(seconds));
            }
            _ if self.fences.is_empty() => self.claim().await,
            6 => self.finish().await,
            7 => self.release().await,
            8 => self.log().await,
            _ => self.commit().await,
        }
    }

    async fn claim(&mut self) {
        let (store, now) = (self.daemon(), self.world.now());
        let total = self.choices.of(&[1, 2, 6]);
        let lease = Lease { owner: format!("daemon-{total}"), expires_at: now + LEASE };
        let free = FreeSlots { total, ..FreeSlots::default() };
        let claims = store.claim(free, CompanyId::SYSTEM, move || (lease, now)).await.unwrap();
        let mut expected = Vec::new();
        let ready =
            self.runs.iter_mut().filter(|(_, run)| run.state == State::WaitingCoordinator && run.not_before <= now);
        for (id, run) in ready.take(total) {
            run.state = State::Running;
            run.attempt += 1;
            run.items_at_claim = run.items.len();
            run.lease_until = now + LEASE;
            expected.push(Fence { instance: *id, attempt: run.attempt });
        }
        let claimed: Vec<Fence> = claims.runs.iter().map(|run| run.fence).collect();
        assert_eq!(claimed, expected);
        let retry = self
            .runs
            .values()
            .filter(|run| run.state == State::WaitingCoordinator && run.not_before > now)
            .map(|run| run.not_before)
            .min();
        assert_eq!(claims.next_retry, retry);
        self.fences.extend(claimed);
    }

    async fn commit(&mut self) {
        let (store, now) = (self.daemon(), self.world.now());
        let fence = self.choices.of(&self.fences.clone());
        let key = format!("item {}", self.choices.below(4));
        let counters = Counters { success: 1, ..Counters::default() };
        let report = ItemReport { counters, ..ItemReport::default() };
        let result = store.commit_item(fence, key.clone(), Effect::Nothing, |_| report, now).await;
        match self.holds(fence) {
            None => assert!(matches!(result, Err(AttemptError::LeaseLost)), "{fence:?}: {result:?}"),
            Some(run) => assert_eq!(result.unwrap().is_some(), run.items.insert(key)),
        }
    }

    async fn log(&mut self) {
        let (store, now) = (self.daemon(), self.world.now());
        let fence = self.choices.of(&self.fences.clone());
        let line = LogLine::new(LogType::UploadSuccess, Message::new("upload-success"));
        let counters = Counters { success: 1, ..Counters::default() };
        let logged = store.log_lines(fence, vec![line], counters, now).await;
        let shown = store.show_progress(fence, Progress::default(), now).await;
        let planned = store.plan_items(fence, Planned::AtLeast(4)).await;
        let forgotten = store.forget_export(fence, fence.instance).await;
        let met = store.meet_trees(fence, Vec::new(), now).await;
        let good = match self.holds(fence) {
            None => false,
            Some(run) => {
                run.loose += 1;
                true
            }
        };
        let done = [logged.is_ok(), shown.is_ok(), planned.is_ok(), forgotten.is_ok(), met.is_ok()];
        assert_eq!(done, [good; 5], "{fence:?}");
    }

    async fn heartbeat(&mut self) {
        let (store, now) = (self.daemon(), self.world.now());
        let beating: Vec<Fence> = self.fences.iter().copied().filter(|f| f.instance.0 % 2 == 0).collect();
        let heartbeat = store.heartbeat(beating.clone(), now + LEASE).await.unwrap();
        let (mut held, mut stopping) = (HashSet::new(), HashSet::new());
        for fence in beating {
            if let Some(run) = self.holds(fence) {
                run.lease_until = now + LEASE;
                held.insert(fence);
                if run.state == State::Stopping {
                    stopping.insert(fence);
                }
            }
        }
        assert_eq!(heartbeat.held.into_iter().collect::<HashSet<_>>(), held);
        assert_eq!(heartbeat.stop_asked.into_iter().collect::<HashSet<_>>(), stopping);
    }

    async fn rescue(&mut self) {
        let (store, now) = (self.daemon(), self.world.now());
        let patience = Patience { max_attempts: MAX_ATTEMPTS, retry: RETRY };
        let rescued = store.rescue(Lost::Expired { alive: Vec::new() }, patience, now).await.unwrap();
        let mut expected = Vec::new();
        for (id, run) in self.runs.iter_mut().filter(|(_, run)| run.held() && run.lease_until <= now) {
            let fate = if run.state == State::Stopping {
                run.end(Outcome::Stopped);
                RescueFate::Stopped
            } else if run.items.len() == run.items_at_claim && run.failures + 1 >= MAX_ATTEMPTS {
                run.end(Outcome::Failed);
                RescueFate::Failed
            } else {
                run.state = State::WaitingCoordinator;
                run.failures = if run.items.len() > run.items_at_claim { 1 } else { run.failures + 1 };
                run.not_before = now + RETRY.after(run.failures);
                RescueFate::Requeued
            };
            expected.push((*id, fate));
        }
        let mut rescued: Vec<_> = rescued.iter().map(|rescued| (rescued.instance, rescued.fate)).collect();
        rescued.sort_by_key(|(id, _)| *id);
        assert_eq!(rescued, expected);
    }

    async fn stop(&mut self) {
        // Rarely, or nothing else would happen to any run.
        if self.choices.below(4) > 0 {
            return;
        }
        let (store, now) = (self.daemon(), self.world.now());
        let ids: Vec<InstanceId> = self.runs.keys().copied().collect();
        let id = self.choices.of(&ids);
        let stop = store.stop_run(id, SOMEBODY, now).await.unwrap();
        let run = self.runs.get_mut(&id).unwrap();
        let expected = match run.state {
            State::WaitingCoordinator => {
                run.end(Outcome::Stopped);
                Stop::Ended
            }
            State::Running | State::Stopping => {
                run.state = State::Stopping;
                Stop::Asked
            }
            _ => Stop::AlreadyDone,
        };
        assert_eq!(stop, expected);
    }

    async fn finish(&mut self) {
        let (store, now) = (self.daemon(), self.world.now());
        let fence = self.choices.of(&self.fences.clone());
        let ending = if self.choices.below(2) == 0 {
            Ending::succeeded()
        } else {
            Ending::failed(Message::new("reason-internal"))
        };
        let outcome = ending.outcome;
        let result = store.finish_attempt(fence, ending, now).await;
        match self.holds(fence) {
            None => assert!(matches!(result, Err(AttemptError::LeaseLost)), "{fence:?}: {result:?}"),
            Some(run) => {
                result.unwrap();
                run.end(outcome);
            }
        }
    }

    async fn release(&mut self) {
        let (store, now) = (self.daemon(), self.world.now());
        let fence = self.choices.of(&self.fences.clone());
        let not_before = now + TimeDelta::seconds(30);
        let (release, failures, ready) = if self.choices.below(2) == 0 {
            (Release::Shutdown, 0, now)
        } else {
            (Release::Retry { reason: Message::new("attempt-failed"), not_before }, 1, not_before)
        };
        let result = store.release_attempt(fence, release, now).await;
        match self.holds(fence) {
            None => assert!(matches!(result, Err(AttemptError::LeaseLost)), "{fence:?}: {result:?}"),
            Some(run) if run.state == State::Stopping => run.end(Outcome::Stopped),
            Some(run) => {
                result.unwrap();
                run.state = State::WaitingCoordinator;
                run.failures += failures;
                run.not_before = ready;
            }
        }
    }

    async fn compare(&self) {
        for (id, expected) in &self.runs {
            let run = self.world.run(*id).await;
            assert_eq!(
                (run.state, run.outcome, run.attempt, run.failures),
                (expected.state, expected.outcome, expected.attempt, expected.failures),
                "run {id}"
            );
            let items = i64::try_from(expected.items.len()).unwrap();
            assert_eq!((run.items_done, run.counters.success), (items, items + expected.loose), "run {id}");
        }
    }

    /// Everything that is kept of runs that are done.
    async fn done(&self) -> Vec<String> {
        let mut rows = self.world.table("SELECT * FROM instance WHERE state = 'Done' ORDER BY id").await;
        rows.extend(
            self.world
                .table("SELECT l.* FROM log_detail l JOIN instance i ON i.id = l.instance_id WHERE i.state = 'Done' ORDER BY l.id")
                .await,
        );
        rows
    }
}

#[tokio::test]
async fn whoever_does_what_in_whatever_order_a_run_has_one_owner() {
    for seed in 0..12 {
        let mut model = Model::new(seed).await;
        for _ in 0..150 {
            let done = model.done().await;
            model.step().await;
            let still: BTreeSet<String> = model.done().await.into_iter().collect();
            assert!(done.iter().all(|row| still.contains(row)), "seed {seed}: what is done has changed");
            model.compare().await;
        }
        model.world.check().await;
    }
}

/// The same without a model, all at once: here the order is up to the machine.
#[tokio::test]
async fn owners_that_race_commit_every_item_once() {
    let world = World::new().await;
    for _ in 0..20 {
        world.run_at_once(1, "contended").await;
    }
    let world = std::sync::Arc::new(world);
    let owners = (0..4).map(|owner| {
        let world = world.clone();
        tokio::spawn(async move {
            let store = world.open_again().await;
            let mut choices = Choices(owner * 7 + 3);
            let mut committed = Vec::new();
            while world.count("instance WHERE state <> 'Done'").await > 0 {
                let now = world.now();
                let lease = Lease { owner: format!("owner {owner}"), expires_at: now + LEASE };
                let free = FreeSlots { total: 3, ..FreeSlots::default() };
                for run in store.claim(free, CompanyId::SYSTEM, move || (lease, now)).await.unwrap().runs {
                    for item in 0..5 {
                        let counters = Counters { success: 1, ..Counters::default() };
                        let report = ItemReport { counters, result: json!(owner), ..ItemReport::default() };
                        let key = format!("item {item}");
                        let result = store.commit_item(run.fence, key, Effect::Nothing, |_| report, now).await;
                        if let Ok(Some(_)) = result {
                            committed.push((run.fence, item));
                        }
                        if choices.below(8) == 0 {
                            // Somebody takes it for dead, and it does not notice.
                            world.advance(LEASE);
                            let lost = Lost::Expired { alive: Vec::new() };
                            let retry = Backoff { base: TimeDelta::zero(), max: TimeDelta::zero() };
                            let patience = Patience { max_attempts: i64::MAX, retry };
                            store.rescue(lost, patience, world.now()).await.unwrap();
                        }
                    }
                    let finished = store.finish_attempt(run.fence, Ending::succeeded(), now).await;
                    assert!(matches!(finished, Ok(()) | Err(AttemptError::LeaseLost)));
                }
            }
            committed
        })
    });
    let committed: Vec<_> = futures_util::future::join_all(owners).await.into_iter().flat_map(Result::unwrap).collect();
    let once: HashSet<_> = committed.iter().map(|(fence, item)| (fence.instance, *item)).collect();
    assert_eq!((committed.len(), once.len()), (100, 100), "20 runs of 5 items, each committed once");
    assert_eq!(world.count("instance WHERE items_done = 5 AND success_count = 5").await, 20);
    world.check().await;
}
