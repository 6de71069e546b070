//! Bytes that requests hold, all of them together.
//!
//! ```text
//! a request comes          -> a charge on the strangers' budget, which grows with what is held of it
//! its login is accepted    -> the same charge, on the budget of those who have logged in
//! it is answered, or gone  -> the charge is given back
//! ```
//!
//! The login of a SOAP request stands inside of its body, so that whoever sends one is a stranger until the whole of it has
//! been read. What does not fit waits a while for others to end. A stranger need not wait for another that holds more
//! than itself: the one that holds most gives way, and is told to try again. So a few that send much, or slowly, do not
//! shut out the many that send little. To fill the budget with little ones takes thousands of requests at a time, which
//! HTTP/2 allows on some hundred connections (see [`super::connections`]): then strangers wait, and are told to come again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::seldom::Seldom;

/// How long a request waits for room at most. A caller who waits longer is better told to come again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Requests that wait at a time for others to end. Who is about to get the room of one that gives way does not count.
const MOST_WAITING: usize = 64;

/// Seconds after which a caller that was turned away may try again, as `Retry-After` says it.
pub const RETRY_AFTER: u32 = 5;

/// There is no room for the request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "The server is busy: other requests hold the {limit} bytes of server.{setting}, or this one held most of them. Try again \
     in {RETRY_AFTER} seconds"
)]
pub struct Busy {
    setting: &'static str,
    limit: u64,
}

/// How much is held, and how many were turned away, for whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The setting that bounds it, which names the budget.
    pub setting: &'static str,
    pub bytes: u64,
    pub turned_away: u64,
}

/// The two budgets of a server. Clones share them.
#[derive(Debug, Clone)]
pub struct Budgets {
    strangers: Arc<Budget>,
    callers: Arc<Budget>,
}

impl Budgets {
    /// `patience` is the longest time for a request: none waits for more than half of it.
    pub fn new(strangers: u64, callers: u64, patience: Duration) -> Self {
        let longest_wait = LONGEST_WAIT.min(patience / 2);
        let budget = |setting, limit, yields| Arc::new(Budget::new(setting, limit, yields, longest_wait));
        Self {
            strangers: budget("max_bytes_before_login", strangers, true),
            callers: budget("max_bytes_after_login", callers, false),
        }
    }

    /// A charge for a request that has just come, and holds nothing yet.
    pub fn charge(&self) -> Charge {
        Charge { part: self.strangers.enter(), callers: Some(self.callers.clone()) }
    }

    pub fn held(&self) -> [Held; 2] {
        [self.strangers.look(), self.callers.look()]
    }
}

impl Default for Budgets {
    /// Of any size, for tests of other things.
    fn default() -> Self {
        Self::new(u64::MAX, u64::MAX, LONGEST_WAIT)
    }
}

/// What a request holds. It is given back when this is dropped.
#[derive(Debug)]
pub struct Charge {
    part: Part,
    /// Where it goes with the login; None once it is there.
    callers: Option<Arc<Budget>>,
}

impl Charge {
    /// The request holds so many bytes more, if there is room for them, perhaps after a while. A request that alone is
    /// larger than the budget has it when nobody else does.
    pub async fn grow(&mut self, bytes: u64) -> Result<(), Busy> {
        self.part.grow(bytes).await
    }

    /// The request holds so many bytes less.
    pub fn shrink(&mut self, bytes: u64) {
        self.part.shrink(bytes);
    }

    /// The login has been accepted.
    pub async fn accept(&mut self) -> Result<(), Busy> {
        let Some(callers) = &self.callers else { return Ok(()) };
        let mut part = callers.enter();
        part.grow(self.part.bytes).await?;
        // It may have been told to give way while it waited.
        self.part.leave()?;
        self.part = part;
        self.callers = None;
        Ok(())
    }

    /// Ends when the request has to give way to others, and is to be refused. It borrows nothing, so that a request can be
    /// dropped in the middle of whatever it does.
    pub fn given_up(&self) -> impl Future<Output = Busy> + Send + use<> {
        let (told, busy) = (self.part.gives_way.clone().cancelled_owned(), self.part.budget.busy());
        async move {
            told.await;
            busy
        }
    }
}

#[derive(Debug)]
struct Budget {
    setting: &'static str,
    limit: u64,
    /// The largest gives way to a smaller one.
    yields: bool,
    longest_wait: Duration,
    state: Mutex<State>,
    /// Something was given back.
    freed: Notify,
    waiting: Semaphore,
    turned_away: AtomicU64,
    /// The line that says so.
    full: Seldom,
}

#[derive(Debug, Default)]
struct State {
    held: u64,
    /// Of what is held, the part of those who were told to give way.
    coming: u64,
    /// Those who were not, by what they hold; and with what they are told.
    holders: BTreeMap<(u64, u64), CancellationToken>,
    next: u64,
}

impl Budget {
    fn new(setting: &'static str, limit: u64, yields: bool, longest_wait: Duration) -> Self {
        Self {
            setting,
            limit,
            yields,
            longest_wait,
            state: Mutex::default(),
            freed: Notify::new(),
            waiting: Semaphore::new(MOST_WAITING),
            turned_away: AtomicU64::new(0),
            full: Seldom::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(self: &Arc<Self>) -> Part {
        let mut state = self.state();
        state.next += 1;
        let part = Part { budget: self.clone(), id: state.next, bytes: 0, gives_way: CancellationToken::new() };
        state.holders.insert(part.key(), part.gives_way.clone());
        drop(state);
        part
    }

    fn busy(&self) -> Busy {
        Busy { setting: self.setting, limit: self.limit }
    }

    fn turn_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
        if let Some(left_out) = self.full.is_due(Instant::now()) {
            let (setting, limit) = (self.setting, self.limit);
            tracing::warn!(setting, limit, left_out, "a request was turned away: all that requests may hold is held");
        }
    }

    fn look(&self) -> Held {
        Held { setting: self.setting, bytes: self.state().held, turned_away: self.turned_away.load(Ordering::Relaxed) }
    }
}

/// What was tried in vain.
enum Full {
    /// Others give way, and their room will do.
    Coming,
    /// Others have to end.
    Taken,
    /// It was told to give way itself.
    GivenUp,
}

/// What a request holds of one budget.
#[derive(Debug)]
struct Part {
    budget: Arc<Budget>,
    id: u64,
    bytes: u64,
    gives_way: CancellationToken,
}

impl Part {
    const fn key(&self) -> (u64, u64) {
        (self.bytes, self.id)
    }

    async fn grow(&mut self, bytes: u64) -> Result<(), Busy> {
        let budget = self.budget.clone();
        let grown = async {
            // Kept while it waits for others to end.
            let mut place = None;
            loop {
                let freed = budget.freed.notified();
                let mut freed = std::pin::pin!(freed);
                // From here on nothing that is given back is missed.
                freed.as_mut().enable();
                match self.try_grow(bytes) {
                    Ok(()) => return Some(true),
                    // It was counted when it was told.
                    Err(Full::GivenUp) => return None,
                    Err(Full::Coming) => {}
                    Err(Full::Taken) if place.is_some() => {}
                    Err(Full::Taken) => match budget.waiting.try_acquire() {
                        Ok(permit) => place = Some(permit),
                        Err(_) => return Some(false),
                    },
                }
                freed.await;
            }
        };
        match tokio::time::timeout(budget.longest_wait, grown).await {
            Ok(Some(true)) => Ok(()),
            Ok(None) => Err(budget.busy()),
            Ok(Some(false)) | Err(_) => {
                budget.turn_away();
                Err(budget.busy())
            }
        }
    }

    fn try_grow(&mut self, bytes: u64) -> Result<(), Full> {
        let Budget { limit, yields, .. } = *self.budget;
        let budget = self.budget.clone();
        let mut state = budget.state();
        let Some(token) = state.holders.remove(&self.key()) else { return Err(Full::GivenUp) };
        let wanted = self.bytes.saturating_add(bytes).min(limit).max(self.bytes);
        let more = wanted - self.bytes;
        let free = limit - state.held.min(limit);
        let outcome = if more <= free {
            state.held += more;
            self.bytes = wanted;
            Ok(())
        } else {
            while yields && more > free.saturating_add(state.coming) {
                let largest = state.holders.last_entry().filter(|largest| largest.key().0 > wanted);
                let Some(largest) = largest else { break };
                let ((bytes, _), told) = largest.remove_entry();
                state.coming += bytes;
                budget.turn_away();
                told.cancel();
            }
            Err(if more <= free.saturating_add(state.coming) { Full::Coming } else { Full::Taken })
        };
        state.holders.insert(self.key(), token);
        outcome
    }

    fn shrink(&mut self, bytes: u64) {
        let less = bytes.min(self.bytes);
        let budget = self.budget.clone();
        let mut state = budget.state();
        let token = state.holders.remove(&self.key());
        self.bytes -= less;
        state.held -= less;
        match token {
            Some(token) => drop(state.holders.insert(self.key(), token)),
            None => state.coming -= less,
        }
        drop(state);
        budget.freed.notify_waiters();
    }

    /// From now on it is not told to give way, if it has not been.
    fn leave(&mut self) -> Result<(), Busy> {
        self.shrink(self.bytes);
        if self.gives_way.is_cancelled() { Err(self.budget.busy()) } else { Ok(()) }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.shrink(self.bytes);
        self.budget.state().holders.remove(&self.key());
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(20);

    fn turned_away(budgets: &Budgets) -> [u64; 2] {
        budgets.held().map(|held| held.turned_away)
    }

    fn bytes(budgets: &Budgets) -> [u64; 2] {
        budgets.held().map(|held| held.bytes)
    }

    #[tokio::test]
    async fn what_is_held_is_counted_until_it_is_given_back() {
        let budgets = Budgets::new(100, 50, PATIENCE);
        let (mut one, mut other) = (budgets.charge(), budgets.charge());
        one.grow(60).await.unwrap();
        other.grow(40).await.unwrap();
        assert_eq!(bytes(&budgets), [100, 0]);
        one.shrink(50);
        one.accept().await.unwrap();
        assert_eq!(bytes(&budgets), [40, 10]);
        one.grow(5).await.unwrap();
        drop(other);
        assert_eq!(bytes(&budgets), [0, 15]);
        drop(one);
        assert_eq!(bytes(&budgets), [0, 0]);
    }

    #[tokio::test]
    async fn the_largest_stranger_gives_way_to_a_smaller_one() {
        let budgets = Budgets::new(100, 100, Duration::from_secs(60));
        let (mut large, mut middle, mut little) = (budgets.charge(), budgets.charge(), budgets.charge());
        large.grow(60).await.unwrap();
        middle.grow(40).await.unwrap();
        let (told, spared) = (large.given_up(), middle.given_up());
        let growing = tokio::spawn(async move {
            little.grow(10).await.unwrap();
            little
        });
        assert_eq!(told.await.to_string(), large.grow(1).await.unwrap_err().to_string());
        assert!(!growing.is_finished(), "there is room only when it is given back");
        assert!(large.accept().await.is_err(), "it is too late for its login");
        drop(large);
        let _little = growing.await.unwrap();
        assert!(spared.now_or_never().is_none(), "one was enough");
        assert_eq!((bytes(&budgets), turned_away(&budgets)), ([50, 0], [1, 0]));
    }

    #[tokio::test]
    async fn who_holds_most_waits_and_is_turned_away() {
        let budgets = Budgets::new(100, 100, PATIENCE);
        let (mut one, mut other) = (budgets.charge(), budgets.charge());
        one.grow(50).await.unwrap();
        other.grow(50).await.unwrap();
        let busy = one.grow(1).await.unwrap_err().to_string();
        assert!(busy.contains("server.max_bytes_before_login") && busy.contains("5 seconds"), "{busy}");
        assert_eq!(turned_away(&budgets), [1, 0]);
        let waiting = tokio::spawn(async move { one.grow(10).await.map(|()| one) });
        tokio::task::yield_now().await;
        drop(other);
        waiting.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn callers_do_not_give_way_to_each_other() {
        let budgets = Budgets::new(100, 100, PATIENCE);
        let (mut one, mut other) = (budgets.charge(), budgets.charge());
        one.grow(90).await.unwrap();
        one.accept().await.unwrap();
        other.grow(20).await.unwrap();
        assert!(other.accept().await.unwrap_err().to_string().contains("max_bytes_after_login"));
        assert_eq!((bytes(&budgets), turned_away(&budgets)), ([20, 90], [0, 1]));
    }

    #[tokio::test]
    async fn a_request_larger_than_the_budget_has_it_alone() {
        let budgets = Budgets::new(100, 100, PATIENCE);
        let mut large = budgets.charge();
        large.grow(1000).await.unwrap();
        assert_eq!(bytes(&budgets), [100, 0]);
        large.shrink(1000);
        let mut little = budgets.charge();
        little.grow(1).await.unwrap();
        assert!(large.grow(1000).await.is_err());
    }

    #[tokio::test]
    async fn few_wait_at_a_time() {
        let budgets = Budgets::new(100, 100, Duration::from_secs(60));
        let mut first = budgets.charge();
        first.grow(100).await.unwrap();
        first.accept().await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..MOST_WAITING {
            let mut charge = budgets.charge();
            charge.grow(1).await.unwrap();
            waiting.push(tokio::spawn(async move { charge.accept().await.map(|()| charge) }));
        }
        while budgets.callers.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let mut one_more = budgets.charge();
        one_more.grow(1).await.unwrap();
        assert!(one_more.accept().await.is_err(), "at once");
        drop(first);
        for charge in waiting {
            charge.await.unwrap().unwrap();
        }
    }
}
