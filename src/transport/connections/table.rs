//! Who is connected, and who goes first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::reserve::Visit;
use crate::model::id::AccountId;
use crate::model::network::Network;
use crate::transport::seldom::Seldom;

/// Connections beyond the bound, for administrators, and how long each may last.
pub(crate) const RESERVED: usize = 16;
const RESERVED_FOR: Duration = Duration::from_secs(2);

/// How long a new connection has for its handshake and its first request before others may take its place.
const ARRIVES_WITHIN: Duration = Duration::from_secs(1);

/// A user keeps connections up to one of so many shares of all.
const SHARES: usize = 4;

/// Requests in a row that a client breaks off before all of their answer is sent. Who gives up as many wants to cost, not to know.
const MOST_BROKEN_OFF: u32 = 100;

/// What a client must take of each answer, and of what waits to be sent, within each patience. With a patience of a minute
/// that is 546 bytes in a second; Apache's mod_reqtimeout asks for 500.
pub(crate) const LEAST_PROGRESS: u64 = 32 << 10;

/// What has become of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Open just now, those of the reserve among them.
    pub open: u64,
    /// Those that were closed for others.
    pub made_room: u64,
    /// Those that came when all had requests under way: to the reserve, and none at all.
    pub reserved: u64,
    pub refused: u64,
    /// Closed because their time was over.
    pub expired: u64,
    /// Closed because their client broke off one request after another.
    pub broken_off: u64,
}

/// A connection, among all that this process has had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnectionId(pub u64);

/// All connections of a listener.
#[derive(Debug)]
pub(crate) struct Table {
    most: usize,
    /// The longest without a request, and without [`LEAST_PROGRESS`] of an answer being taken.
    patience: Duration,
    state: Mutex<State>,
    /// There is something that may be due earlier than what was known.
    changed: Notify,
    /// The line that says that the bound is reached.
    full: Seldom,
    made_room: AtomicU64,
    reserved: AtomicU64,
    refused: AtomicU64,
    expired: AtomicU64,
    broken_off: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    members: HashMap<u64, Member>,
    /// Those of the reserve.
    reserved: BTreeSet<u64>,
    /// Those without a request, of either kind, by since when.
    idle: [BTreeSet<(Instant, u64)>; 2],
}

#[derive(Debug)]
struct Member {
    /// Where it comes from; None where that could not be told. A site may have tens of thousands of networks, and counts as well.
    network: Option<Network>,
    visit: Visit,
    came: Instant,
    /// Requests that it has had.
    asked: u64,
    /// Since when it is idle, if it is.
    since: Instant,
    /// Requests under way.
    requests: u32,
    /// Of them, those whose answer has begun, by their number: each has a clock of its own, so that what happens beside it
    /// does not keep one that nobody takes.
    answers: BTreeMap<u64, Pace>,
    /// There is something to send that the kernel has not taken yet.
    stuck: Option<Pace>,
    broken_off: u32,
    line: Line,
}

/// How far a client has come with what it is to take.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// When it had last taken enough.
    since: Instant,
    /// What it took from then on.
    taken: u64,
}

impl Pace {
    const fn from(now: Instant) -> Self {
        Self { since: now, taken: 0 }
    }

    fn took(&mut self, bytes: u64, now: Instant) {
        self.taken += bytes;
        if self.taken >= LEAST_PROGRESS {
            *self = Self::from(now);
        }
    }
}

/// By what a connection is told to end. It goes with each request; clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line(CancellationToken);

impl Line {
    pub fn close(&self) {
        self.0.cancel();
    }

    pub fn is_closed(&self) -> bool {
        self.0.is_cancelled()
    }
}

impl Member {
    const fn is_idle(&self) -> bool {
        self.requests == 0 && self.stuck.is_none()
    }

    const fn kind(&self) -> usize {
        self.visit.is_reserved() as usize
    }

    /// Perhaps it still shakes hands.
    fn arrives(&self, now: Instant) -> bool {
        self.asked == 0 && now < self.came + ARRIVES_WITHIN
    }

    /// When its time is over, if nothing happens.
    fn due(&self, patience: Duration) -> Option<Instant> {
        let idle = self.is_idle().then_some(self.since);
        let paces = self.answers.values().chain(&self.stuck).map(|pace| pace.since);
        let stays = idle.into_iter().chain(paces).map(|since| since + patience);
        let is_visitor = self.visit.is_reserved() && (self.requests == 0 || !self.visit.has_let_in());
        stays.chain(is_visitor.then(|| self.came + RESERVED_FOR)).min()
    }
}

impl State {
    fn set_idle(&mut self, id: u64) {
        if let Some(member) = self.members.get(&id)
            && member.is_idle()
        {
            self.idle[member.kind()].insert((member.since, id));
        }
    }

    fn set_busy(&mut self, id: u64) {
        if let Some(member) = self.members.get(&id) {
            self.idle[member.kind()].remove(&(member.since, id));
        }
    }

    fn add(&mut self, id: u64, member: Member) {
        if member.visit.is_reserved() {
            self.reserved.insert(id);
        }
        self.members.insert(id, member);
        self.set_idle(id);
    }

    fn remove(&mut self, id: u64) -> Option<Member> {
        self.set_busy(id);
        let member = self.members.remove(&id)?;
        self.reserved.remove(&id);
        Some(member)
    }

    fn regular(&self) -> usize {
        self.members.len() - self.reserved.len()
    }

    /// Closes one of a kind for a connection that has come from `network`. Its place is free at once; it has nothing more to
    /// say.
    fn make_room(&mut self, kind: usize, network: Option<Network>, most: usize, now: Instant) -> bool {
        let closed = self.idle_for_longest(kind, now).or_else(|| self.of_the_greediest(kind, network, most));
        closed.and_then(|id| self.remove(id)).inspect(|member| member.line.close()).is_some()
    }

    /// The one that had no request for longest. Those that have only just come are no idle ones: who comes often could
    /// otherwise keep all others from ever getting through a handshake.
    fn idle_for_longest(&self, kind: usize, now: Instant) -> Option<u64> {
        let mut idle = self.idle[kind].iter().map(|(_, id)| *id);
        idle.find(|id| self.members.get(id).is_some_and(|member| !member.arrives(now)))
    }

    /// One of the site with most connections by which nobody has logged in, and there of the network with most, first one that has only
    /// just come; in the reserve any that is not an administrator's. Or one of a user who has more than a share, from wherever: one
    /// could keep all others out. It goes if those remain no fewer than the newcomer's site has by which nobody has logged in. Else, of
    /// neighbours in the newcomer's site, one of the network that has most goes by the same rule.
    fn of_the_greediest(&self, kind: usize, network: Option<Network>, most: usize) -> Option<u64> {
        let mut users: HashMap<AccountId, usize> = HashMap::new();
        let (mut sites, mut networks) = (HashMap::new(), HashMap::new());
        for member in self.members.values() {
            match member.visit.user() {
                Some(user) => *users.entry(user).or_default() += 1,
                None => {
                    *sites.entry(site(member.network)).or_insert(0_usize) += 1;
                    *networks.entry(member.network).or_insert(0_usize) += 1;
                }
            }
        }
        let of = |counts: &HashMap<Option<Network>, usize>, place| counts.get(&place).copied().unwrap_or_default();
        let may_all = self.members.iter().filter(|(_, member)| member.kind() == kind);
        let counted = may_all.clone().filter_map(|(id, member)| {
            let user = member.visit.user();
            let count = match user {
                Some(user) => users.get(&user).copied().unwrap_or_default(),
                None => of(&sites, site(member.network)),
            };
            let may_go = user.is_none() || !member.visit.is_reserved() && count > most / SHARES;
            may_go.then_some((count, user.is_none(), of(&networks, member.network), member.is_idle(), Reverse(*id)))
        });
        let greediest = counted.max().filter(|(count, ..)| *count > of(&sites, site(network)) + 1);
        let neighbours = may_all
            .filter(|(_, member)| member.visit.user().is_none() && site(member.network) == site(network))
            .map(|(id, member)| (of(&networks, member.network), member.is_idle(), Reverse(*id)));
        let greediest_neighbour = || neighbours.max().filter(|(count, ..)| *count > of(&networks, network) + 1);
        greediest.map(|(.., Reverse(id))| id).or_else(|| greediest_neighbour().map(|(.., Reverse(id))| id))
    }
}

fn site(network: Option<Network>) -> Option<Network> {
    network.map(Network::of_site)
}

impl Table {
    pub fn new(most: u32, patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            most: most as usize,
            patience,
            state: Mutex::default(),
            changed: Notify::new(),
            full: Seldom::default(),
            made_room: AtomicU64::new(0),
            reserved: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            broken_off: AtomicU64::new(0),
        })
    }

    pub const fn patience(&self) -> Duration {
        self.patience
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn counts(&self) -> Counts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            open: self.state().members.len() as u64,
            made_room: count(&self.made_room),
            reserved: count(&self.reserved),
            refused: count(&self.refused),
            expired: count(&self.expired),
            broken_off: count(&self.broken_off),
        }
    }

    /// A place for a connection that has come, if there is one.
    pub(super) fn take(self: &Arc<Self>, network: Option<Network>, now: Instant) -> Option<Place> {
        let mut state = self.state();
        let is_reserved = if state.regular() < self.most {
            false
        } else {
            self.say(&state, now);
            if state.make_room(0, network, self.most, now) {
                self.made_room.fetch_add(1, Ordering::Relaxed);
                false
            } else if state.reserved.len() < RESERVED || state.make_room(1, network, self.most, now) {
                self.reserved.fetch_add(1, Ordering::Relaxed);
                true
            } else {
                self.refused.fetch_add(1, Ordering::Relaxed);
                return None;
            }
        };
        state.next += 1;
        let (id, line, visit) = (state.next, Line::default(), Visit::new(is_reserved));
        let member = Member {
            network,
            visit: visit.clone(),
            came: now,
            asked: 0,
            since: now,
            requests: 0,
            answers: BTreeMap::new(),
            stuck: None,
            broken_off: 0,
            line: line.clone(),
        };
        state.add(id, member);
        // Otherwise the next look comes early enough: nobody who was there before is due later than this one.
        let is_due_earlier = is_reserved || state.members.len() == 1;
        drop(state);
        if is_due_earlier {
            self.changed.notify_one();
        }
        Some(Place { table: self.clone(), id, line, visit })
    }

    fn say(&self, state: &State, now: Instant) {
        let Some(left_out) = self.full.is_due(now) else { return };
        let idle = state.idle[0].len();
        tracing::warn!(
            max_connections = self.most,
            idle,
            left_out,
            "all connections of server.max_connections are open: the one without a request for longest makes room for a new \
             one, or one of the site or user with most of them; where neither can, only supervision and administrators are answered"
        );
    }

    /// Ends when something may be due earlier than the last look has said. What happens from this call on is not missed.
    pub fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Closes those whose time is over. When the next one may be.
    pub fn sweep(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        let due = |member: &Member| member.due(self.patience).unwrap_or(now + self.patience);
        let over: Vec<u64> = state.members.iter().filter(|(_, member)| due(member) <= now).map(|(id, _)| *id).collect();
        for id in over {
            // It is counted until it is gone: what it does just now may take a moment to end.
            state.set_busy(id);
            if let Some(member) = state.members.get_mut(&id)
                && !member.line.is_closed()
            {
                self.expired.fetch_add(1, Ordering::Relaxed);
                member.line.close();
            }
        }
        let open = state.members.values().filter(|member| !member.line.is_closed());
        open.map(due).min()
    }

    /// Of a member that is no other afterwards to anybody else: neither idle nor busy, nor due earlier.
    fn note(&self, id: u64, note: impl FnOnce(&mut Member)) {
        if let Some(member) = self.state().members.get_mut(&id) {
            note(member);
        }
    }

    fn change(&self, id: u64, now: Instant, change: impl FnOnce(&mut Member)) {
        let mut state = self.state();
        state.set_busy(id);
        let mut is_due_earlier = false;
        if let Some(member) = state.members.get_mut(&id) {
            change(member);
            member.since = now;
            is_due_earlier = member.visit.is_reserved();
            if member.broken_off >= MOST_BROKEN_OFF {
                self.broken_off.fetch_add(1, Ordering::Relaxed);
                member.line.close();
            }
        }
        if !state.members.get(&id).is_some_and(|member| member.line.is_closed()) {
            state.set_idle(id);
        }
        drop(state);
        if is_due_earlier {
            self.changed.notify_one();
        }
    }
}

/// The place of a connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    table: Arc<Table>,
    id: u64,
    line: Line,
    visit: Visit,
}

impl Place {
    /// Ends when the connection is to be closed.
    pub async fn closed(&self) {
        self.line.0.cancelled().await;
    }

    pub fn is_closed(&self) -> bool {
        self.line.is_closed()
    }

    pub const fn id(&self) -> ConnectionId {
        ConnectionId(self.id)
    }

    pub fn told(&self) -> CancellationToken {
        self.line.0.clone()
    }

    pub const fn line(&self) -> &Line {
        &self.line
    }

    pub const fn visit(&self) -> &Visit {
        &self.visit
    }

    /// A request has come.
    pub fn begin(self: &Arc<Self>) -> Request {
        let mut number = 0;
        self.table.change(self.id, Instant::now(), |member| {
            member.requests += 1;
            member.asked += 1;
            number = member.asked;
        });
        Request { place: self.clone(), number, is_complete: AtomicBool::new(false) }
    }

    /// The kernel takes nothing more of what is to be sent.
    pub fn stuck(&self, now: Instant) {
        self.table.change(self.id, now, |member| {
            member.stuck.get_or_insert(Pace::from(now));
        });
    }

    /// The kernel has taken some of what was stuck.
    pub fn took(&self, bytes: usize, now: Instant) {
        let took = |pace: &mut Pace| pace.took(bytes as u64, now);
        self.table.note(self.id, |member| member.stuck.iter_mut().for_each(took));
    }

    /// It has all of it.
    pub fn flushed(&self) {
        self.table.change(self.id, Instant::now(), |member| member.stuck = None);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.table.state().remove(self.id);
    }
}

/// A request that is under way until this is dropped.
#[derive(Debug)]
pub(super) struct Request {
    place: Arc<Place>,
    number: u64,
    is_complete: AtomicBool,
}

impl Request {
    /// There is an answer, and it is being sent.
    pub fn answered(&self, now: Instant) {
        self.place.table.note(self.place.id, |member| {
            member.answers.insert(self.number, Pace::from(now));
        });
    }

    /// No more of it has been made: that the client takes nothing is not its fault.
    pub fn waits(&self) {
        self.place.table.note(self.place.id, |member| {
            member.answers.remove(&self.number);
        });
    }

    /// All of it has been made, or nobody can break it off.
    pub fn complete(&self) {
        self.is_complete.store(true, Ordering::Relaxed);
    }

    /// So much of the answer has been sent.
    pub fn took(&self, bytes: usize, now: Instant) {
        let took = |pace: &mut Pace| pace.took(bytes as u64, now);
        self.place.table.note(self.place.id, |member| member.answers.get_mut(&self.number).into_iter().for_each(took));
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let is_complete = self.is_complete.load(Ordering::Relaxed);
        self.place.table.change(self.place.id, Instant::now(), |member| {
            member.requests -= 1;
            member.answers.remove(&self.number);
            member.broken_off = if is_complete { 0 } else { member.broken_off + 1 };
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    struct Party {
        table: Arc<Table>,
        start: Instant,
    }

    impl Party {
        fn of(most: u32) -> Self {
            Self { table: Table::new(most, PATIENCE), start: Instant::now() }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.start + Duration::from_secs(seconds)
        }

        /// A connection that came at this second.
        fn comes(&self, second: u64) -> Option<Arc<Place>> {
            self.comes_from("192.0.2.1", second)
        }

        fn comes_from(&self, address: &str, second: u64) -> Option<Arc<Place>> {
            let network = Network::of_caller(address.parse().unwrap());
            self.table.take(Some(network), self.at(second)).map(Arc::new)
        }
    }

    fn caller(is_ips_admin: bool) -> crate::service::Caller {
        crate::service::Caller {
            account: crate::model::id::AccountId(1),
            email: String::new(),
            is_ips_admin,
            roles: Default::default(),
            locale: crate::model::locale::Locale::english(),
            client: None,
            peer: None,
            address: None,
        }
    }

    #[test]
    fn who_is_idle_for_longest_makes_room_and_nobody_else() {
        let party = Party::of(3);
        let [first, second, third] = [0, 1, 2].map(|at| party.comes(at).unwrap());
        // It was idle for longest, and is not any more.
        let request = first.begin();
        let fourth = party.comes(3).unwrap();
        assert_eq!([&first, &second, &third, &fourth].map(|place| place.is_closed()), [false, true, false, false]);
        assert!(!fourth.visit().is_reserved());
        drop(request);
        let _busy = (third.begin(), fourth.begin());
        let fifth = party.comes(4).unwrap();
        assert!(first.is_closed() && !fifth.visit().is_reserved(), "idle again, and in its turn");
        let counts = party.table.counts();
        assert_eq!((counts.open, counts.made_room, counts.reserved), (3, 2, 0));
        drop((first, second, third, fourth, fifth));
        // Requests hold the place of their connection.
        assert_eq!(party.table.counts().open, 2);
    }

    #[test]
    fn what_cannot_be_sent_is_under_way() {
        let party = Party::of(1);
        let first = party.comes(0).unwrap();
        first.stuck(Instant::now());
        assert!(party.comes(1).unwrap().visit().is_reserved() && !first.is_closed());
        first.flushed();
        assert!(!party.comes(1).unwrap().visit().is_reserved() && first.is_closed());
    }

    #[test]
    fn beyond_the_bound_there_is_a_reserve_and_beyond_that_nothing() {
        let party = Party::of(2);
        let regular = [party.comes(0).unwrap(), party.comes(0).unwrap()];
        let _busy: Vec<Request> = regular.iter().map(Place::begin).collect();
        let reserve: Vec<_> = (0..RESERVED as u64).map(|at| party.comes(at).unwrap()).collect();
        assert!(reserve.iter().all(|place| place.visit().is_reserved()));
        let next = party.comes(20).unwrap();
        assert!(next.visit().is_reserved() && reserve[0].is_closed() && !reserve[1].is_closed());
        let _more: Vec<Request> = reserve[1..].iter().chain([&next]).map(Place::begin).collect();
        assert!(party.comes(21).is_none());
        assert!(!regular[0].is_closed());
        let counts = party.table.counts();
        assert_eq!((counts.open, counts.made_room, counts.reserved, counts.refused), (18, 0, 17, 1));
    }

    #[test]
    fn who_comes_often_takes_no_place_of_who_comes_once() {
        const OFTEN: &str = "203.0.113.1";
        let party = Party::of(3);
        let busy = [0; 2].map(|at| party.comes_from(OFTEN, at).unwrap());
        let _busy: Vec<Request> = busy.iter().map(Place::begin).collect();
        let flood = party.comes_from(OFTEN, 100).unwrap();
        // A place that is not the reserve's: the last one of the flood has to go for it, though it has just come.
        let once = party.comes(100).unwrap();
        assert!(flood.is_closed() && !once.visit().is_reserved());
        let flood: Vec<_> = (0..RESERVED).map(|_| party.comes_from(OFTEN, 100).unwrap()).collect();
        assert!(flood.iter().all(|place| place.visit().is_reserved()), "the handshake is not broken off for them");
        let _asks: Vec<Request> = flood[1..].iter().map(Place::begin).collect();
        assert!(party.comes_from(OFTEN, 100).is_none(), "nor do they take each other's places");
        // Who is not of the flood has one of its places, though its requests are under way, as long as it has any.
        let _orders = once.begin();
        let others = ["192.0.2.2", "192.0.2.3"].map(|address| party.comes_from(address, 100).unwrap());
        assert!(others.iter().all(|place| !place.visit().is_reserved()) && busy.iter().all(|place| place.is_closed()));
        // And then one of the reserve, whether that has a request under way or not.
        let others =
            others.into_iter().chain(["192.0.2.4", "192.0.2.5"].map(|address| party.comes_from(address, 100).unwrap()));
        let others: Vec<_> = others.collect();
        assert!(others[2].visit().is_reserved() && others[3].visit().is_reserved());
        assert_eq!([&flood[0], &flood[1], &flood[2]].map(|place| place.is_closed()), [true, true, false]);
        assert!(others.iter().chain([&once]).all(|place| !place.is_closed()));
        // After a second nobody is arriving any more.
        assert!(party.comes_from(OFTEN, 101).is_some() && others[0].is_closed());
    }

    #[test]
    fn of_the_address_with_most_who_has_logged_in_stays() {
        let party = Party::of(5);
        let [known, first, second, third] = [0, 1, 2, 3].map(|at| party.comes_from("203.0.113.1", at).unwrap());
        known.visit().let_in(&caller(false)).unwrap();
        let other = party.comes(3).unwrap();
        let _requests: Vec<Request> = [&known, &first, &second, &third, &other].map(Place::begin).into();
        assert!(!party.comes(4).unwrap().visit().is_reserved());
        let all = [&known, &first, &second, &third, &other];
        assert_eq!(all.map(|place| place.is_closed()), [false, true, false, false, false]);
        let _busy = [party.comes(5).unwrap(), party.comes(5).unwrap()].map(|place| place.begin());
        assert!(!second.is_closed() && !third.is_closed(), "it would have fewer than the newcomer");
    }

    #[test]
    fn one_user_does_not_keep_all_others_out() {
        one_user_keeps_a_quarter(1);
    }

    #[test]
    fn one_user_of_many_addresses_does_not_keep_all_others_out() {
        one_user_keeps_a_quarter(8);
    }

    /// A tunnel gives everybody who asks 65,536 networks.
    #[test]
    fn a_site_of_many_networks_does_not_keep_all_others_out() {
        let party = Party::of(8);
        let address = |at: u64| format!("2001:db8:0:{at}::1");
        let flood: Vec<_> = (0..8).map(|at| party.comes_from(&address(at), at).unwrap()).collect();
        let _requests: Vec<Request> = flood.iter().map(Place::begin).collect();
        let others = ["192.0.2.1", "2001:db8:1::1"].map(|other| party.comes_from(other, 20).unwrap());
        assert!(others.iter().all(|other| !other.visit().is_reserved()));
        let _busy = others.each_ref().map(|other| other.begin());
        // Among its own networks each counts for itself.
        let next = party.comes_from(&address(9), 20).unwrap();
        assert!(next.visit().is_reserved() && others.iter().all(|other| !other.is_closed()));
    }

    /// Who has fewest of a site is let in, whatever other site has most.
    #[test]
    fn a_neighbour_is_not_kept_out_because_another_site_has_as_many() {
        let of = |site: u64, at: u64| format!("2001:db8:{site}:{at}::1");
        let (near, far) = (vec![of(1, 1); 4], vec![of(2, 1); 4]);
        let mixed = [of(2, 1), of(2, 1), of(2, 1), of(2, 1), of(1, 1), of(1, 1), of(1, 1), of(3, 1)];
        for taken in [[near.clone(), far.clone()].concat(), [far, near].concat(), mixed.to_vec()] {
            let party = Party::of(8);
            let taken: Vec<_> = (0..).zip(&taken).map(|(at, from)| party.comes_from(from, at).unwrap()).collect();
            let _requests: Vec<Request> = taken.iter().map(Place::begin).collect();
            assert!(!party.comes_from(&of(1, 2), 20).unwrap().visit().is_reserved());
        }
    }

    /// Whoever has not logged in has no place of a user who keeps to a share, however many of them come from one site, as by a proxy.
    #[test]
    fn a_stranger_takes_no_place_of_users_of_one_site() {
        let party = Party::of(8);
        let taken: Vec<_> = (0..8).map(|at| party.comes_from("203.0.113.1", at).unwrap()).collect();
        for (at, place) in taken.iter().enumerate() {
            let account = crate::model::id::AccountId(at as i64 / 2 + 1);
            place.visit().let_in(&crate::service::Caller { account, ..caller(false) }).unwrap();
        }
        let _requests: Vec<Request> = taken.iter().map(Place::begin).collect();
        let strangers: Vec<_> = (0..8).map(|_| party.comes_from("192.0.2.1", 20).unwrap()).collect();
        assert!(strangers.iter().all(|stranger| stranger.visit().is_reserved()));
        assert!(taken.iter().all(|place| !place.is_closed()));
    }

    /// Who shares an address with a user of many has not what that user has.
    #[test]
    fn a_neighbour_of_one_user_is_let_in() {
        let party = Party::of(8);
        let address = |at: u64| format!("203.0.113.{at}");
        let taken: Vec<_> = (0..8).map(|at| party.comes_from(&address(at), at).unwrap()).collect();
        taken.iter().for_each(|place| place.visit().let_in(&caller(false)).unwrap());
        let _requests: Vec<Request> = taken.iter().map(Place::begin).collect();
        assert!(!party.comes_from(&address(0), 20).unwrap().visit().is_reserved());
    }

    fn one_user_keeps_a_quarter(addresses: usize) {
        let party = Party::of(8);
        let address = |at: usize| format!("203.0.113.{}", at % addresses);
        let taken: Vec<_> = (0..8).map(|at| party.comes_from(&address(at), at as u64).unwrap()).collect();
        taken.iter().for_each(|place| place.visit().let_in(&caller(false)).unwrap());
        let _requests: Vec<Request> = taken.iter().map(Place::begin).collect();
        let mut others = Vec::new();
        for address in 1..=8 {
            let other = party.comes_from(&format!("192.0.2.{address}"), 20).unwrap();
            others.push((other.visit().is_reserved(), other.begin(), other));
        }
        let regular = others.iter().filter(|(is_reserved, ..)| !is_reserved).count();
        let left = taken.iter().filter(|place| !place.is_closed()).count();
        assert_eq!((regular, left), (6, 2), "a quarter is the user's");
    }

    #[test]
    fn each_answer_has_a_clock_that_only_its_own_bytes_set_back() {
        let party = Party::of(8);
        let [beside, slow, enough, piped] = [0; 4].map(|_| party.comes(0).unwrap());
        let answers = [&beside, &slow, &enough].map(|place| {
            let request = place.begin();
            request.answered(party.at(0));
            request
        });
        piped.stuck(party.at(0));
        for second in (5..60).step_by(5) {
            let request = beside.begin();
            request.answered(party.at(second));
            request.took(1 << 20, party.at(second));
            beside.stuck(party.at(second));
            beside.flushed();
            answers[1].took((LEAST_PROGRESS / 12) as usize, party.at(second));
            piped.took((LEAST_PROGRESS / 12) as usize, party.at(second));
            piped.stuck(party.at(second));
        }
        answers[2].took(LEAST_PROGRESS as usize, party.at(30));
        let closed = || [&beside, &slow, &enough, &piped].map(|place| place.is_closed());
        party.table.sweep(party.at(59));
        assert_eq!(closed(), [false; 4]);
        party.table.sweep(party.at(60));
        assert_eq!(closed(), [true, true, false, true]);
        party.table.sweep(party.at(89));
        assert!(!enough.is_closed());
        party.table.sweep(party.at(90));
        assert!(enough.is_closed(), "and it must go on");
    }

    #[test]
    fn who_waits_for_what_is_not_made_yet_stays() {
        let party = Party::of(8);
        let place = party.comes(0).unwrap();
        let request = place.begin();
        request.answered(party.at(0));
        request.waits();
        party.table.sweep(party.at(600));
        assert!(!place.is_closed());
        request.answered(party.at(600));
        party.table.sweep(party.at(659));
        assert!(!place.is_closed());
        party.table.sweep(party.at(660));
        assert!(place.is_closed());
    }

    #[test]
    fn whose_time_is_over_is_closed() {
        let party = Party::of(8);
        let idle = party.comes(0).unwrap();
        let [waits, sends, stuck] = [0; 3].map(|at| party.comes(at).unwrap());
        let _waits = waits.begin();
        let answer = sends.begin();
        answer.answered(Instant::now());
        stuck.stuck(Instant::now());
        let closed = || [&idle, &waits, &sends, &stuck].map(|place| place.is_closed());
        assert_eq!(party.table.sweep(party.at(59)), Some(party.at(60)), "the next one to look at");
        assert_eq!(closed(), [false; 4]);
        party.table.sweep(party.at(60));
        assert_eq!(closed(), [true, false, false, false]);
        // These have just done something, as the real clock has it.
        party.table.sweep(Instant::now() + PATIENCE);
        assert_eq!(closed(), [true, false, true, true], "a request has its own limit until it is answered");
        assert_eq!(party.table.counts().expired, 3);
        party.table.sweep(Instant::now() + 2 * PATIENCE);
        assert_eq!(party.table.counts().expired, 3, "each once");
    }

    #[test]
    fn the_reserve_is_for_two_seconds_or_the_request_of_an_administrator() {
        let party = Party::of(1);
        let _busy = party.comes(0).unwrap().begin();
        let [stranger, silent, root] = [0; 3].map(|at| party.comes(at).unwrap());
        let _asks = stranger.begin();
        let order = root.begin();
        stranger.visit().let_in(&caller(false)).unwrap_err();
        root.visit().let_in(&caller(true)).unwrap();
        let closed = || [&stranger, &silent, &root].map(|place| place.is_closed());
        assert_eq!(party.table.sweep(party.at(1)), Some(party.at(2)));
        assert_eq!(closed(), [false; 3]);
        party.table.sweep(party.at(2));
        assert_eq!(closed(), [true, true, false]);
        drop(order);
        party.table.sweep(party.at(2));
        assert_eq!(closed(), [true; 3]);
    }

    #[test]
    fn who_breaks_off_one_request_after_another_is_closed() {
        let party = Party::of(1);
        let place = party.comes(0).unwrap();
        for _ in 1..MOST_BROKEN_OFF {
            place.begin();
        }
        place.begin().complete();
        for _ in 1..MOST_BROKEN_OFF {
            place.begin();
        }
        assert!(!place.is_closed(), "in a row");
        place.begin();
        assert!(place.is_closed());
        assert_eq!(party.table.counts().broken_off, 1);
    }
}
