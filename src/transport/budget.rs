//! Bytes that requests hold, all of them together.
//!
//! ```text
//! a request comes          -> a charge on the strangers' budget, which grows with what is held of it: its head first
//! its login is accepted    -> the same charge, on the budget of those who have logged in
//! it is answered           -> a charge for the answer, on that budget, until the last of it is sent
//! the answer is sent, or the connection is gone  -> the charge is given back
//! ```
//!
//! The login of a SOAP request stands inside of its body, so that whoever sends one is a stranger until the whole of it has
//! been read. What does not fit waits a while for others to end. A stranger need not wait for those who hold more than it
//! does: of the site that holds most ([`ranking`](super::ranking)), the connection that holds most, and of that the
//! largest request, gives way, and is told to try again. So neither a few that send much, or slowly, nor thousands that send
//! little, on hundreds of connections of HTTP/2, shut out who has one request to make.
//!
//! Requests of those who have logged in are not told to give way; their answers are, by the same rule, for nobody knows whether
//! they are ever read. Then the connection is closed, which alone frees what waits to be sent on it.
//!
//! Of one address no more than [`MOST_OF_ADDRESS`] requests are under way before their login. The next one has the place of one
//! that is still being read: of the connection that has most of them, or of one that takes its time. A connection by which
//! somebody has logged in is not counted, unless it is that of a proxy.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::request::Parts;
use bytes::Bytes;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::connections::{ConnectionId, Line, Visit};
use super::proxies;
use super::ranking::Ranking;
use super::seldom::Seldom;
use crate::model::network::Network;

/// How long a request waits for room at most. A caller who waits longer is better told to come again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Requests that wait at a time for others to end. Who is about to get the room of one that gives way does not count.
const MOST_WAITING: usize = 64;

/// Requests of one address at a time whose login has not been accepted.
const MOST_OF_ADDRESS: usize = 64;

/// So many more of it wait for a place: honest clients come in bursts of hundreds. Each looks again whenever one is freed.
const MOST_IN_LINE: usize = 1024;

/// How long such a request may take to come before it makes room for another of its address.
const COMES_WITHIN: Duration = Duration::from_secs(1);

/// Seconds after which a caller that was turned away may try again, as `Retry-After` says it.
pub const RETRY_AFTER: u32 = 5;

/// What a request takes by being there, whatever it says: the tasks, buffers and routes that it passes.
const PRESENCE: u64 = 4 << 10;

/// What a header takes beside its name and its value.
const HEADER: u64 = 100;

/// There is no room for the request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    #[error(
        "The server is busy: other requests and answers hold the {limit} bytes of server.{setting}, or this one held most of \
         them. Try again in {RETRY_AFTER} seconds"
    )]
    Bytes { setting: &'static str, limit: u64 },
    #[error(
        "The server is busy: {MOST_OF_ADDRESS} requests of this address wait for their login. Try again in {RETRY_AFTER} seconds"
    )]
    Address,
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
        let budget = |setting, limit| Arc::new(Budget::new(setting, limit, longest_wait));
        Self {
            strangers: budget("max_bytes_before_login", strangers),
            callers: budget("max_bytes_after_login", callers),
        }
    }

    /// A charge for a request that has just come. It holds nothing before [`Charge::come`] is called.
    pub fn charge(&self, parts: &Parts) -> Charge {
        let line = parts.extensions.get::<Line>().cloned();
        Charge { line, ..self.charge_to(Sender::of(parts)) }
    }

    fn charge_to(&self, sender: Sender) -> Charge {
        Charge { part: self.strangers.enter(sender, Yields::Request), callers: Some(self.callers.clone()), line: None }
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

/// What a request holds before any of its body has been read.
fn weight_of_head(parts: &Parts) -> u64 {
    let headers = parts.headers.iter().map(|(name, value)| HEADER + (name.as_str().len() + value.len()) as u64);
    let path = parts.uri.path_and_query().map_or(0, |path| path.as_str().len());
    PRESENCE + path as u64 + headers.sum::<u64>()
}

/// By whom and by what a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Sender {
    /// None where it was not told.
    network: Option<Network>,
    /// A trusted proxy sends the requests of many by one.
    connection: Option<ConnectionId>,
}

impl Sender {
    fn of(parts: &Parts) -> Self {
        let network = proxies::peer(&parts.extensions).map(Network::of_caller);
        Self { network, connection: parts.extensions.get::<ConnectionId>().copied() }
    }

    /// Of IPv6 one has tens of thousands of networks who has one.
    fn site(self) -> Option<Network> {
        self.network.map(Network::of_site)
    }
}

/// What a request holds, or its answer. It is given back when this is dropped.
#[derive(Debug)]
pub struct Charge {
    part: Part,
    /// Where it goes with the login; None once it is there.
    callers: Option<Arc<Budget>>,
    /// The connection of the request, where it was told.
    line: Option<Line>,
}

/// Bytes that are charged for until the last of them is let go.
struct Weighed<T> {
    bytes: T,
    _charge: Charge,
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Weighed<T> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

impl Charge {
    /// The head of the request has come: it is charged, and has its place among those of its address, perhaps after a while.
    pub async fn come(&mut self, parts: &Parts) -> Result<(), Busy> {
        self.grow(weight_of_head(parts)).await?;
        let is_known = parts.extensions.get::<Visit>().is_some_and(Visit::has_let_in);
        // Behind a proxy are others than who has logged in.
        if is_known && proxies::addressed(parts).is_none() { Ok(()) } else { self.part.take_place().await }
    }

    /// All of the request has come: its client keeps nobody waiting.
    pub fn has_come(&self) {
        self.part.has_come();
    }

    /// The request is done with, and answered by so many bytes.
    pub async fn answer(mut self, bytes: u64) -> Result<Self, Busy> {
        let budget = self.callers.take().unwrap_or_else(|| self.part.budget.clone());
        self.part = budget.enter(self.part.sender, Yields::Answer(self.line.clone()));
        self.part.grow(bytes).await?;
        Ok(self)
    }

    /// A charge of its own for a piece of an answer.
    pub async fn piece(&self, bytes: u64) -> Result<Self, Busy> {
        let (budget, line) = (&self.part.budget, self.line.clone());
        let mut part = budget.enter(self.part.sender, Yields::Answer(line.clone()));
        part.grow(bytes).await?;
        Ok(Self { part, callers: None, line })
    }

    /// The answer, or a piece of it. Slices of it keep the charge.
    pub fn around(mut self, bytes: impl AsRef<[u8]> + Send + 'static) -> Bytes {
        self.part.shrink(self.part.bytes.saturating_sub(bytes.as_ref().len() as u64));
        Bytes::from_owner(Weighed { bytes, _charge: self })
    }

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
        let mut part = callers.enter(self.part.sender, Yields::Not);
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
    longest_wait: Duration,
    state: Mutex<State>,
    /// Something was given back.
    freed: Notify,
    waiting: Semaphore,
    turned_away: AtomicU64,
    /// The lines that say so.
    full: Seldom,
    full_address: Seldom,
}

/// Whether what is held may be told to give way.
#[derive(Debug)]
enum Yields {
    Not,
    /// A request, which waits to be told.
    Request,
    /// An answer, with whose connection it goes.
    Answer(Option<Line>),
}

/// Who may be told to give way, and how.
#[derive(Debug)]
struct Holder {
    gives_way: CancellationToken,
    /// What is to be closed, if it is an answer.
    line: Option<Line>,
}

/// A place among the requests of an address.
#[derive(Debug, Clone, Copy)]
struct Place {
    sender: Sender,
    since: Instant,
    has_come: bool,
}

#[derive(Debug, Default)]
struct State {
    held: u64,
    /// Of what is held, the part of those who were told to give way.
    coming: u64,
    /// Those who may be, and were not.
    holders: HashMap<u64, Holder>,
    /// What those hold: sites, the connections of a site, and the requests of a connection.
    sites: Ranking<(), Option<Network>>,
    connections: Ranking<Option<Network>, Sender>,
    requests: Ranking<Sender, u64>,
    /// The requests of each address whose login is waited for, in the order in which they came.
    places: HashMap<Network, BTreeMap<u64, Place>>,
    /// Requests that wait for a place of their address, in the order in which they came. One at a time is called to try: hundreds
    /// that woke at each place would keep the daemon from all else.
    in_line: HashMap<Network, BTreeMap<u64, Arc<Notify>>>,
    next: u64,
}

impl State {
    fn count(&mut self, sender: Sender, id: u64, bytes: u64) {
        self.requests.set(sender, id, bytes);
        self.connections.set(sender.site(), sender, self.requests.sum(&sender));
        self.sites.set((), sender.site(), self.connections.sum(&sender.site()));
    }

    /// The request that is to give way to this one, if it is to hold so many more: the largest of the connection that holds
    /// most, of the site that does. None if the one who asks would then itself hold no less, by site if that is another,
    /// or else by connection, or else by request.
    fn greediest(&self, sender: Sender, id: u64, more: u64) -> Option<(Sender, u64)> {
        let (most, site) = self.sites.greediest(&())?;
        let (most_of_connection, connection) = self.connections.greediest(&site)?;
        let (most_of_request, request) = self.requests.greediest(&connection)?;
        let (theirs, mine) = if site != sender.site() {
            (most, self.sites.of(&(), &sender.site()))
        } else if connection != sender {
            (most_of_connection, self.connections.of(&sender.site(), &sender))
        } else {
            (most_of_request, self.requests.of(&sender, &id))
        };
        (theirs > mine.saturating_add(more)).then_some((connection, request))
    }

    /// Takes it out of those who may be told, with what it holds.
    fn tell(&mut self, sender: Sender, id: u64) {
        self.coming += self.requests.of(&sender, &id);
        self.count(sender, id, 0);
        self.leave_place(sender, id);
        if let Some(Holder { gives_way, line }) = self.holders.remove(&id) {
            gives_way.cancel();
            line.iter().for_each(Line::close);
        }
    }

    fn leave_place(&mut self, sender: Sender, id: u64) {
        let Some(network) = sender.network else { return };
        if let Some(places) = self.places.get_mut(&network) {
            places.remove(&id);
            if places.is_empty() {
                self.places.remove(&network);
            }
        }
        self.call_next(network);
    }

    /// Has the first in line try for a place.
    fn call_next(&self, network: Network) {
        if let Some(called) = self.in_line.get(&network).and_then(|line| line.values().next()) {
            called.notify_one();
        }
    }

    /// The request that is to make room for another of its address, or else when one may: the oldest that is still coming, of
    /// the connection that has most of them if that remains no smaller than the newcomer's, or of any that takes its time.
    fn of_address(&self, sender: Sender, network: Network, now: Instant) -> Result<(Sender, u64), Option<Instant>> {
        let Some(places) = self.places.get(&network) else { return Err(None) };
        let mut counts: HashMap<Sender, usize> = HashMap::new();
        places.values().for_each(|place| *counts.entry(place.sender).or_default() += 1);
        let of = |sender: Sender| counts.get(&sender).copied().unwrap_or(0);
        let coming = || places.iter().filter(|(_, place)| !place.has_come).map(|(id, place)| (*place, *id));
        // Of equals the oldest.
        let most = coming().rev().max_by_key(|(place, _)| of(place.sender));
        let greediest = most.filter(|(place, _)| of(place.sender) > of(sender) + 1);
        let (place, id) = greediest.or_else(|| coming().next()).ok_or(None::<Instant>)?;
        let until = place.since + COMES_WITHIN;
        if greediest.is_some() || until <= now { Ok((place.sender, id)) } else { Err(Some(until)) }
    }
}

impl Budget {
    fn new(setting: &'static str, limit: u64, longest_wait: Duration) -> Self {
        Self {
            setting,
            limit,
            longest_wait,
            state: Mutex::default(),
            freed: Notify::new(),
            waiting: Semaphore::new(MOST_WAITING),
            turned_away: AtomicU64::new(0),
            full: Seldom::default(),
            full_address: Seldom::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(self: &Arc<Self>, sender: Sender, yields: Yields) -> Part {
        let mut state = self.state();
        state.next += 1;
        let (id, gives_way) = (state.next, CancellationToken::new());
        let line = match yields {
            Yields::Not => None,
            Yields::Request => Some(None),
            Yields::Answer(line) => Some(line),
        };
        let may_yield = line.is_some();
        if let Some(line) = line {
            state.holders.insert(id, Holder { gives_way: gives_way.clone(), line });
        }
        drop(state);
        Part { budget: self.clone(), sender, id, bytes: 0, gives_way, may_yield }
    }

    fn busy(&self) -> Busy {
        Busy::Bytes { setting: self.setting, limit: self.limit }
    }

    fn turn_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
        if let Some(left_out) = self.full.is_due(Instant::now()) {
            let (setting, limit) = (self.setting, self.limit);
            tracing::warn!(setting, limit, left_out, "a request was turned away: all that requests may hold is held");
        }
    }

    fn turn_away_from(&self, network: Network) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
        if let Some(left_out) = self.full_address.is_due(Instant::now()) {
            let most = MOST_OF_ADDRESS;
            tracing::warn!(%network, most, left_out, "a request was turned away: too many of its address wait for their login");
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
    sender: Sender,
    id: u64,
    bytes: u64,
    gives_way: CancellationToken,
    may_yield: bool,
}

/// A request that waits for a place of its address.
struct InLine {
    budget: Arc<Budget>,
    network: Network,
    number: u64,
    called: Arc<Notify>,
}

impl InLine {
    /// None if as many wait as may.
    fn of(budget: &Arc<Budget>, network: Network) -> Option<Self> {
        let mut state = budget.state();
        state.next += 1;
        let (number, called) = (state.next, Arc::<Notify>::default());
        let line = state.in_line.entry(network).or_default();
        if line.len() >= MOST_IN_LINE {
            return None;
        }
        line.insert(number, called.clone());
        Some(Self { budget: budget.clone(), network, number, called })
    }

    fn is_first(&self) -> bool {
        let state = self.budget.state();
        state.in_line.get(&self.network).and_then(|line| line.keys().next()) == Some(&self.number)
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        if let Some(line) = state.in_line.get_mut(&self.network) {
            line.remove(&self.number);
            if line.is_empty() {
                state.in_line.remove(&self.network);
            }
        }
        state.call_next(self.network);
    }
}

impl Part {
    async fn take_place(&self) -> Result<(), Busy> {
        let Some(network) = self.sender.network else { return Ok(()) };
        let budget = self.budget.clone();
        let end = Instant::now() + budget.longest_wait;
        let busy = || {
            budget.turn_away_from(network);
            Busy::Address
        };
        if self.try_place(network, Instant::now()).is_ok() {
            return Ok(());
        }
        let line = InLine::of(&budget, network).ok_or_else(busy)?;
        loop {
            let now = Instant::now();
            // Also at once: nobody was called for a place that was freed before this one stood in line.
            let Err(next) = self.try_place(network, now) else { return Ok(()) };
            if now >= end {
                return Err(busy());
            }
            let until = if line.is_first() { next.unwrap_or(end).min(end) } else { end };
            _ = tokio::time::timeout_at(until, line.called.notified()).await;
        }
    }

    /// Or else when it may be tried again, if nothing else happens.
    fn try_place(&self, network: Network, now: Instant) -> Result<(), Option<Instant>> {
        let Self { sender, id, .. } = *self;
        let mut state = self.budget.state();
        // It is refused by whoever waits for that.
        if !state.holders.contains_key(&id) {
            return Ok(());
        }
        if state.places.get(&network).is_some_and(|places| places.len() >= MOST_OF_ADDRESS) {
            let (told, number) = state.of_address(sender, network, now)?;
            state.tell(told, number);
            self.budget.turn_away_from(network);
        }
        state.places.entry(network).or_default().insert(id, Place { sender, since: now, has_come: false });
        Ok(())
    }

    fn has_come(&self) {
        let Some(network) = self.sender.network else { return };
        if let Some(place) = self.budget.state().places.get_mut(&network).and_then(|places| places.get_mut(&self.id)) {
            place.has_come = true;
        }
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
        let Budget { limit, .. } = *self.budget;
        let budget = self.budget.clone();
        let mut state = budget.state();
        if self.may_yield && !state.holders.contains_key(&self.id) {
            return Err(Full::GivenUp);
        }
        let wanted = self.bytes.saturating_add(bytes).min(limit).max(self.bytes);
        let more = wanted - self.bytes;
        let free = limit - state.held.min(limit);
        if more <= free {
            state.held += more;
            self.bytes = wanted;
            if self.may_yield {
                state.count(self.sender, self.id, wanted);
            }
            return Ok(());
        }
        while more > free.saturating_add(state.coming) {
            let Some((sender, id)) = state.greediest(self.sender, self.id, more) else { break };
            state.tell(sender, id);
            budget.turn_away();
        }
        Err(if more <= free.saturating_add(state.coming) { Full::Coming } else { Full::Taken })
    }

    fn shrink(&mut self, bytes: u64) {
        let less = bytes.min(self.bytes);
        let budget = self.budget.clone();
        let mut state = budget.state();
        self.bytes -= less;
        state.held -= less;
        if state.holders.contains_key(&self.id) {
            state.count(self.sender, self.id, self.bytes);
        } else if self.may_yield {
            state.coming -= less;
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
        let mut state = self.budget.state();
        state.leave_place(self.sender, self.id);
        drop(state);
        self.shrink(self.bytes);
        self.budget.state().holders.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(20);

    /// Of a connection that is always the same.
    fn charge(budgets: &Budgets) -> Charge {
        budgets.charge_to(sender("192.0.2.1", 1))
    }

    fn sender(address: &str, connection: u64) -> Sender {
        let network = Some(Network::of_caller(address.parse().unwrap()));
        Sender { network, connection: Some(ConnectionId(connection)) }
    }

    fn turned_away(budgets: &Budgets) -> [u64; 2] {
        budgets.held().map(|held| held.turned_away)
    }

    fn bytes(budgets: &Budgets) -> [u64; 2] {
        budgets.held().map(|held| held.bytes)
    }

    #[tokio::test]
    async fn what_is_held_is_counted_until_it_is_given_back() {
        let budgets = Budgets::new(100, 50, PATIENCE);
        let (mut one, mut other) = (charge(&budgets), charge(&budgets));
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
        let (mut large, mut middle, mut little) = (charge(&budgets), charge(&budgets), charge(&budgets));
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
    async fn the_connection_and_the_address_that_hold_most_give_way_whatever_each_request_holds() {
        let budgets = Budgets::new(1000, 1000, Duration::from_secs(60));
        let mut held = Vec::new();
        // A connection with many little ones, and others of the same address; another address with few.
        for (from, bytes) in [(sender("192.0.2.1", 1), 10), (sender("192.0.2.1", 2), 20), (sender("192.0.2.2", 3), 70)]
        {
            for _ in 0..(if bytes == 70 { 4 } else { 24 }) {
                let mut charge = budgets.charge_to(from);
                charge.grow(bytes).await.unwrap();
                held.push(charge);
            }
        }
        assert_eq!(bytes(&budgets), [1000, 0]);
        let told = |held: &[Charge]| -> Vec<usize> {
            let told = held.iter().enumerate().filter(|(_, charge)| charge.part.gives_way.is_cancelled());
            told.map(|(index, _)| index).collect()
        };
        let ask = |from: Sender, bytes: u64| {
            let budgets = budgets.clone();
            let mut charge = budgets.charge_to(from);
            async move {
                let grown = charge.grow(bytes).now_or_never();
                assert!(grown.is_none(), "nothing was given back yet");
            }
        };
        // The second connection of the first address holds most of the address that does; its oldest goes first.
        ask(sender("192.0.2.3", 4), 50).await;
        assert_eq!(told(&held), [24, 25, 26]);
        // A larger request of another connection of that address, which holds less; and one of the very connection.
        ask(sender("192.0.2.1", 5), 79).await;
        assert_eq!(told(&held), [24, 25, 26, 27]);
        // The connection asks itself: all of its requests are equal, and it is not to hold more.
        ask(sender("192.0.2.1", 2), 19).await;
        assert_eq!(told(&held).len(), 4, "the room of those who were told will do");
        ask(sender("192.0.2.1", 2), 81).await;
        assert_eq!(told(&held).len(), 4);
        // The second address is not to hold more than the first; less it may.
        ask(sender("192.0.2.2", 6), 400).await;
        assert_eq!(told(&held).len(), 4);
        ask(sender("192.0.2.2", 6), 100).await;
        assert_eq!(told(&held), [24, 25, 26, 27, 28]);
    }

    #[tokio::test]
    async fn who_holds_most_waits_and_is_turned_away() {
        let budgets = Budgets::new(100, 100, PATIENCE);
        let (mut one, mut other) = (charge(&budgets), charge(&budgets));
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
        let (mut one, mut other) = (charge(&budgets), charge(&budgets));
        one.grow(90).await.unwrap();
        one.accept().await.unwrap();
        other.grow(20).await.unwrap();
        assert!(other.accept().await.unwrap_err().to_string().contains("max_bytes_after_login"));
        assert_eq!((bytes(&budgets), turned_away(&budgets)), ([20, 90], [0, 1]));
    }

    #[tokio::test]
    async fn a_request_larger_than_the_budget_has_it_alone() {
        let budgets = Budgets::new(100, 100, PATIENCE);
        let mut large = charge(&budgets);
        large.grow(1000).await.unwrap();
        assert_eq!(bytes(&budgets), [100, 0]);
        large.shrink(1000);
        let mut little = charge(&budgets);
        little.grow(1).await.unwrap();
        assert!(large.grow(1000).await.is_err());
    }

    #[tokio::test]
    async fn few_wait_at_a_time() {
        let budgets = Budgets::new(100, 100, Duration::from_secs(60));
        let mut first = charge(&budgets);
        first.grow(100).await.unwrap();
        first.accept().await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..MOST_WAITING {
            let mut charge = charge(&budgets);
            charge.grow(1).await.unwrap();
            waiting.push(tokio::spawn(async move { charge.accept().await.map(|()| charge) }));
        }
        while budgets.callers.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let mut one_more = charge(&budgets);
        one_more.grow(1).await.unwrap();
        assert!(one_more.accept().await.is_err(), "at once");
        drop(first);
        for charge in waiting {
            charge.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn answers_that_nobody_takes_give_way_with_their_connection() {
        let budgets = Budgets::new(1000, 100, PATIENCE);
        let lines = [Line::default(), Line::default()];
        let answer = async |from: Sender, line: &Line, bytes: u64| {
            let charge = Charge { line: Some(line.clone()), ..budgets.charge_to(from) };
            charge.answer(bytes).await
        };
        let greedy = answer(sender("192.0.2.1", 1), &lines[0], 60).await.unwrap();
        let modest = answer(sender("192.0.2.2", 2), &lines[1], 30).await.unwrap();
        // A request of somebody else is not kept waiting by them.
        let mut request = charge(&budgets);
        request.grow(20).await.unwrap();
        let mut accepting = Box::pin(request.accept());
        assert!((&mut accepting).now_or_never().is_none());
        assert_eq!(lines.each_ref().map(Line::is_closed), [true, false]);
        drop(greedy);
        accepting.await.unwrap();
        drop(modest);
    }

    /// Of a request without headers.
    fn parts(has_let_in: bool) -> Parts {
        let visit = Visit::new(false);
        if has_let_in {
            visit.be_known();
        }
        axum::http::Request::builder().extension(visit).body(()).unwrap().into_parts().0
    }

    #[tokio::test]
    async fn of_one_address_only_so_many_wait_for_their_login() {
        // Longer than a busy machine takes for those that are not to wait so long.
        let (budgets, start) = (Budgets::new(1 << 30, 1 << 30, 25 * PATIENCE), Instant::now());
        // Or else when it may be tried again.
        let come = async |from: Sender, now: Instant| {
            let mut charge = budgets.charge_to(from);
            charge.grow(1).await.unwrap();
            charge.part.try_place(from.network.unwrap(), now).map(|()| charge)
        };
        let told = |charges: &[Charge]| -> Vec<usize> {
            let told = charges.iter().enumerate().filter(|(_, charge)| charge.part.gives_way.is_cancelled());
            told.map(|(index, _)| index).collect()
        };
        // All but one place by one connection; a newcomer by another has one of its places, the oldest.
        let mut held = Vec::new();
        for _ in 0..MOST_OF_ADDRESS - 1 {
            held.push(come(sender("192.0.2.1", 1), start).await.unwrap());
        }
        held.push(come(sender("192.0.2.1", 2), start).await.unwrap());
        assert!(told(&held).is_empty());
        held.push(come(sender("192.0.2.1", 3), start).await.unwrap());
        assert_eq!(told(&held), [0]);
        // Another address has places of its own, and who is known needs none.
        let _other = come(sender("192.0.2.2", 9), start).await.unwrap();
        let mut known = budgets.charge_to(sender("192.0.2.1", 1));
        known.come(&parts(true)).await.unwrap();
        assert_eq!(told(&held), [0]);
        // The connection itself has no place of what has just come, but of what takes its time.
        let later = start + COMES_WITHIN;
        assert_eq!(come(sender("192.0.2.1", 1), start).await.unwrap_err(), Some(later));
        held.push(come(sender("192.0.2.1", 1), later).await.unwrap());
        assert_eq!(told(&held), [0, 1]);
        // Nobody loses a place who keeps no one waiting.
        held.iter().for_each(Charge::has_come);
        assert_eq!(come(sender("192.0.2.1", 4), later + COMES_WITHIN).await.unwrap_err(), None);
        let mut refused = budgets.charge_to(sender("192.0.2.1", 4));
        assert_eq!(refused.come(&parts(false)).await, Err(Busy::Address), "after a while");
        // Each that waits looks again whenever something is freed: only so many do.
        let mut in_line = Vec::new();
        for _ in 0..MOST_IN_LINE {
            let mut charge = budgets.charge_to(sender("192.0.2.1", 4));
            let mut waits = Box::pin(async move { charge.come(&parts(false)).await.map(|()| charge) });
            assert!((&mut waits).now_or_never().is_none());
            in_line.push(waits);
        }
        assert_eq!(refused.come(&parts(false)).now_or_never(), Some(Err(Busy::Address)), "at once");
        drop(in_line);
        // With its login a request gives its place back.
        held.last_mut().unwrap().accept().await.unwrap();
        refused.come(&parts(false)).await.unwrap();
    }
}
