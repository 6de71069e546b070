//! The guard in front of the passwords: what each failed login costs the next one.
//!
//! ```text
//! login that is remembered ------------------------------------> in      (from where the account has logged in before)
//! any other -> admit: its turn, or refused at once
//!           -> waits for its turn                                        (holds no place among the hashes)
//!           -> a place among the hashes, of which strangers leave some, and the suspicious have few
//!           -> renew: has something failed meanwhile? then a later turn
//!           -> hash -> succeeded, failed
//! ```
//!
//! Guesses are counted, and after a few each one has a later turn than the last, twice as long each time:
//!
//! * by **address** (of IPv6 the /64), whichever accounts were tried; and by **site** (of IPv6 the /48), with more of them free;
//! * by **account**, for addresses that never logged in to it. That wait begins with the request and is short, so that
//!   whoever has the password gets in, however many strangers guess;
//! * an address that **has logged in** to the account before is only counted with that account: neither strangers' guesses at
//!   the account nor what its neighbours behind the same address do to other accounts slows it down.
//!
//! The same wrong password again is no guess. It has delays of its own, so that a program that was never told of the new
//! password slows down nobody but itself.
//!
//! Those who wait are bounded, for their turn and for a place among the hashes. Who logs in from where the account has never
//! been is a stranger; strangers have seats of their own, which [`seats`](super::seats) gives to those who have few. Who gets
//! none is refused at once.
//!
//! Names that nobody has are counted like those of users. What is counted is forgotten when nothing has failed for a while,
//! and bounded: the most harmless goes first, so that who wants to be forgotten must first fill the memory with worse; and
//! while it is full newcomers begin where others have used up their free failures.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::seats::{Seat, Seats};
use super::{Error, NotAuthenticated};
use crate::model::network::Network;

pub(super) type Digest256 = [u8; 32];

/// After how many failures logins are delayed, and up to how long.
#[derive(Debug, Clone, Copy)]
struct Measure {
    free: u32,
    longest: TimeDelta,
}

const ADDRESS: Measure = Measure { free: 5, longest: TimeDelta::minutes(5) };
const SITE: Measure = Measure { free: 50, longest: TimeDelta::minutes(5) };
const ACCOUNT: Measure = Measure { free: 10, longest: TimeDelta::seconds(8) };
const KNOWN: Measure = Measure { free: 10, longest: TimeDelta::seconds(5) };
const REPEATED: Measure = Measure { free: 5, longest: TimeDelta::minutes(5) };

/// The first delay; each further failure doubles it.
const SHORTEST: TimeDelta = TimeDelta::milliseconds(500);

/// Failures from where the account has logged in before, up to which a remembered login need not wait at all. Whoever shares
/// that address can try so many passwords against the remembered ones as fast as the wire allows.
const UNSUSPECTED: u32 = 100;

/// Failures are forgotten when none was added for so long.
const FORGOTTEN: TimeDelta = TimeDelta::hours(1);

/// Addresses, accounts, and pairs of them that are counted.
const MOST: usize = 10_000;

/// Wrong logins of one address that are known again.
const MOST_REPEATED: usize = 4;

/// Logins that wait for their turn at a time, from where the account has logged in before; the connections that they hold
/// cannot be used for anything else.
const MOST_WAITING: usize = 64;

/// So many more may wait from elsewhere, and again as many for a place among the hashes.
const MOST_STRANGERS: usize = 192;

/// And so many from one address, or site.
const MOST_WAITING_EACH: usize = 32;

/// Lines in the log about one address, a second, and about all of them.
const MOST_LINES: u32 = 3;
const MOST_LINES_OF_ALL: u32 = 30;

impl Measure {
    fn delay(self, failures: u32) -> TimeDelta {
        let Some(over) = failures.checked_sub(self.free) else { return TimeDelta::zero() };
        let factor = 1_i32.checked_shl(over.min(30)).unwrap_or(i32::MAX);
        SHORTEST.checked_mul(factor).unwrap_or(self.longest).min(self.longest)
    }
}

/// A login as the guard sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    /// Of the name.
    pub name: Digest256,
    /// Of name and password.
    pub login: Digest256,
    /// None: not over a network, and not counted.
    pub network: Option<Network>,
    /// The account has logged in from there before.
    pub known: bool,
}

/// When an attempt may have its password verified.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub at: DateTime<Utc>,
    /// Something has failed before.
    pub suspicious: bool,
    /// It stands in the line of its address; no other has this turn.
    in_line: bool,
}

#[derive(Debug, Clone)]
struct Record {
    /// Different logins that failed.
    failures: u32,
    last: DateTime<Utc>,
    /// Turns before this one are taken.
    next: DateTime<Utc>,
    /// The last wrong logins, and how often each has failed.
    repeated: Vec<Repeated>,
}

#[derive(Debug, Clone, Copy)]
struct Repeated {
    login: Digest256,
    failures: u32,
    next: DateTime<Utc>,
}

impl Record {
    const fn at(now: DateTime<Utc>) -> Self {
        Self { failures: 0, last: now, next: now, repeated: Vec::new() }
    }

    fn repeated(&mut self, login: &Digest256) -> Option<&mut Repeated> {
        self.repeated.iter_mut().find(|repeated| repeated.login == *login)
    }

    /// The turn that a login can have, how long nobody else has one then, and the longest that can be.
    fn turn(&self, login: &Digest256, measure: Measure) -> (DateTime<Utc>, TimeDelta, TimeDelta) {
        match self.repeated.iter().find(|repeated| repeated.login == *login) {
            Some(repeated) => (repeated.next, REPEATED.delay(repeated.failures), REPEATED.longest),
            None => (self.next, measure.delay(self.failures), measure.longest),
        }
    }

    /// Gives away the turn.
    fn take(&mut self, login: &Digest256, turn: DateTime<Utc>, delay: TimeDelta) {
        match self.repeated(login) {
            Some(repeated) => repeated.next = turn + delay,
            None => self.next = turn + delay,
        }
    }

    /// Whether it was a guess.
    fn fail(&mut self, login: &Digest256, measure: Measure, now: DateTime<Utc>) -> bool {
        self.last = now;
        if let Some(repeated) = self.repeated(login) {
            repeated.failures = repeated.failures.saturating_add(1);
            repeated.next = repeated.next.max(now + REPEATED.delay(repeated.failures));
            return false;
        }
        if self.repeated.len() >= MOST_REPEATED {
            // The least stubborn, and of those the oldest: a program that goes on trying stays known.
            let least = self.repeated.iter().enumerate().min_by_key(|(_, repeated)| repeated.failures);
            if let Some((index, _)) = least {
                self.repeated.remove(index);
            }
        }
        self.repeated.push(Repeated { login: *login, failures: 1, next: now });
        self.failures = self.failures.saturating_add(1);
        self.next = self.next.max(now + measure.delay(self.failures));
        true
    }
}

/// Records by what they are about, at most so many.
#[derive(Debug)]
struct Bounded<K> {
    most: usize,
    records: HashMap<K, Record>,
    /// When the forgotten ones were last taken out.
    swept: DateTime<Utc>,
}

impl<K: Hash + Eq + Copy> Bounded<K> {
    fn new(most: usize) -> Self {
        Self { most, records: HashMap::new(), swept: DateTime::UNIX_EPOCH }
    }

    fn get(&mut self, key: &K, now: DateTime<Utc>) -> Option<&mut Record> {
        if self.records.get(key).is_some_and(|record| now - record.last >= FORGOTTEN) {
            self.records.remove(key);
        }
        self.records.get_mut(key)
    }

    /// Nobody can be added without another being given up.
    fn is_full(&mut self, now: DateTime<Utc>) -> bool {
        if self.records.len() >= self.most && now - self.swept >= TimeDelta::minutes(1) {
            self.records.retain(|_, record| now - record.last < FORGOTTEN);
            self.swept = now;
        }
        self.records.len() >= self.most
    }

    fn make(&mut self, key: K, now: DateTime<Utc>, beginning: u32) -> &mut Record {
        if self.get(&key, now).is_none() && self.is_full(now) {
            let harmless = self.records.iter().min_by_key(|(_, record)| (record.failures, record.last));
            if let Some(key) = harmless.map(|(key, _)| *key) {
                self.records.remove(&key);
            }
        }
        self.records.entry(key).or_insert_with(|| Record { failures: beginning, ..Record::at(now) })
    }
}

#[derive(Debug)]
struct State {
    addresses: Bounded<Network>,
    /// Those of IPv6 once more, by what they are a part of.
    sites: Bounded<Network>,
    accounts: Bounded<Digest256>,
    /// Accounts with an address from which they have logged in.
    pairs: Bounded<(Digest256, Network)>,
    lines: HashMap<Network, Lines>,
    lines_of_all: Lines,
}

/// What was written to the log about an address in the last second that anything was.
#[derive(Debug, Clone, Copy, Default)]
struct Lines {
    second: i64,
    written: u32,
    left_out: u64,
}

#[derive(Debug)]
pub(super) struct Guard {
    state: Mutex<State>,
    /// A login that has to wait longer is refused at once.
    longest_wait: TimeDelta,
    account: Measure,
    known: Measure,
    /// Places for hashes, and those of them that strangers may take, which also have to wait for a place on seats.
    hashes: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    line: Seats,
    /// How many of each may be taken by those who failed before.
    suspicious: Arc<Semaphore>,
    suspicious_strangers: Arc<Semaphore>,
    /// For those who wait for their turn.
    waiting: Seats,
    strangers_waiting: Seats,
}

/// A place among the hashes, for as long as it is kept.
#[derive(Debug)]
pub(super) struct Place {
    _permits: Vec<OwnedSemaphorePermit>,
}

impl Guard {
    pub fn new(hashes: usize, longest_wait: TimeDelta) -> Self {
        Self::bounded(hashes, longest_wait, MOST)
    }

    fn bounded(hashes: usize, longest_wait: TimeDelta, most: usize) -> Self {
        let hashes = hashes.max(1);
        let places = |places: usize| Arc::new(Semaphore::new(places.max(1)));
        // What strangers cause is always short enough to wait for.
        let short = |measure: Measure| Measure { longest: measure.longest.min(longest_wait), ..measure };
        Self {
            account: short(ACCOUNT),
            known: short(KNOWN),
            state: Mutex::new(State {
                addresses: Bounded::new(most),
                sites: Bounded::new(most),
                accounts: Bounded::new(most),
                pairs: Bounded::new(most),
                lines: HashMap::new(),
                lines_of_all: Lines::default(),
            }),
            longest_wait,
            hashes: places(hashes),
            strangers: places(hashes - hashes.div_ceil(4)),
            line: Seats::new(MOST_STRANGERS, MOST_WAITING_EACH),
            suspicious: places(hashes.div_ceil(2)),
            suspicious_strangers: places(hashes.div_ceil(2)),
            waiting: Seats::new(MOST_WAITING, MOST_WAITING_EACH),
            strangers_waiting: Seats::new(MOST_STRANGERS, MOST_WAITING_EACH),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a login that is remembered goes in without waiting.
    pub fn trusts(&self, attempt: &Attempt, now: DateTime<Utc>) -> bool {
        let Some(network) = attempt.network else { return true };
        let mut state = self.state();
        attempt.known
            && state.pairs.get(&(attempt.name, network), now).is_none_or(|record| record.failures < UNSUSPECTED)
    }

    /// Gives the attempt its turn, or refuses it if that is too far away.
    pub fn admit(&self, attempt: &Attempt, now: DateTime<Utc>) -> Result<Turn, Error> {
        // What is not counted has no bound but the places among the hashes: it gets none that others wait for.
        let Some(network) = attempt.network else { return Ok(Turn { at: now, suspicious: true, in_line: false }) };
        let (mut at, mut suspicious) = (now, false);
        if !attempt.known {
            let state = &mut *self.state();
            if let Some(account) = state.accounts.get(&attempt.name, now) {
                suspicious = true;
                at += self.account.delay(account.failures);
            }
            if state.addresses.get(&network, now).is_none() && state.addresses.is_full(now) {
                suspicious = true;
                at = at.max(now + ADDRESS.delay(ADDRESS.free));
            }
            let site = network.of_site();
            if let Some(record) = state.sites.get(&site, now).filter(|_| site != network) {
                let (next, delay, longest) = record.turn(&attempt.login, SITE);
                at = at.max(next.min(now + self.longest_wait + longest));
                self.in_time(Turn { at, suspicious, in_line: false }, now)?;
                if delay > TimeDelta::zero() {
                    suspicious = true;
                    record.take(&attempt.login, at, delay);
                }
            }
        }
        let turn = self.line_up(attempt, network, at, now)?;
        Ok(Turn { suspicious: turn.suspicious || suspicious, ..turn })
    }

    /// A later turn, if what has failed since it was admitted asks for one.
    pub fn renew(&self, attempt: &Attempt, turn: Turn, now: DateTime<Utc>) -> Result<Option<Turn>, Error> {
        let Some(network) = attempt.network.filter(|_| !turn.in_line) else { return Ok(None) };
        let later = self.line_up(attempt, network, now, now)?;
        Ok(later.in_line.then_some(later))
    }

    /// The next turn in the line of the address, or of the account from there if it is known, from `earliest` on.
    fn line_up(
        &self,
        attempt: &Attempt,
        network: Network,
        earliest: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Turn, Error> {
        let state = &mut *self.state();
        let (record, measure) = match attempt.known {
            true => (state.pairs.get(&(attempt.name, network), now), self.known),
            false => (state.addresses.get(&network, now), ADDRESS),
        };
        let mut turn = Turn { at: earliest, suspicious: record.is_some(), in_line: false };
        let Some(record) = record else { return self.in_time(turn, now) };
        let (next, delay, longest) = record.turn(&attempt.login, measure);
        // Later than this it only is if the clock was set back.
        let next = next.min(now + self.longest_wait + longest);
        turn.at = turn.at.max(next);
        let turn = self.in_time(turn, now)?;
        if delay == TimeDelta::zero() {
            return Ok(turn);
        }
        record.take(&attempt.login, turn.at, delay);
        Ok(Turn { in_line: true, ..turn })
    }

    fn in_time(&self, turn: Turn, now: DateTime<Utc>) -> Result<Turn, Error> {
        let wait = turn.at - now;
        if wait > self.longest_wait { Err(too_many(wait)) } else { Ok(turn) }
    }

    /// Leave to wait for a turn, if there is a seat.
    pub fn wait(&self, attempt: &Attempt, until: TimeDelta) -> Result<Option<Seat<'_>>, Error> {
        let Some(network) = attempt.network else { return Ok(None) };
        let seats = if attempt.known { &self.waiting } else { &self.strangers_waiting };
        seats.take(network.of_site()).map(Some).ok_or_else(|| too_many(until))
    }

    /// Logins that wait for their turn just now.
    pub fn waiting(&self) -> u64 {
        (self.waiting.len() + self.strangers_waiting.len()) as u64
    }

    /// A place among the hashes. They are given in the order in which they were asked for, but of those who failed before
    /// only a few stand in that line, and strangers stand in one of their own, which has an end.
    pub async fn place(&self, attempt: &Attempt, turn: Turn) -> Result<Place, Error> {
        // What is not counted is asked by somebody who has logged in.
        let Some(network) = attempt.network.filter(|_| !attempt.known) else {
            let doors = [turn.suspicious.then_some(&self.suspicious), None, Some(&self.hashes)];
            return enter(doors).await;
        };
        let doors = [turn.suspicious.then_some(&self.suspicious_strangers), Some(&self.strangers), Some(&self.hashes)];
        let seat = self.line.take(network.of_site()).ok_or(Error::Busy)?;
        seat.wait(enter(doors)).await.ok_or(Error::Busy)?
    }

    /// What had failed with this account from this address is forgotten. Nothing else is: who has an account could wipe out
    /// the guesses at others by logging in to it.
    pub fn succeeded(&self, attempt: &Attempt) {
        if let Some(network) = attempt.network {
            self.state().pairs.records.remove(&(attempt.name, network));
        }
    }

    pub fn failed(&self, attempt: &Attempt, now: DateTime<Utc>) {
        let Some(network) = attempt.network else { return };
        let state = &mut *self.state();
        if attempt.known {
            state.pairs.make((attempt.name, network), now, 0).fail(&attempt.login, self.known, now);
            return;
        }
        let beginning = if state.addresses.is_full(now) { ADDRESS.free } else { 0 };
        let is_guess = state.addresses.make(network, now, beginning).fail(&attempt.login, ADDRESS, now);
        if is_guess {
            let account = state.accounts.make(attempt.name, now, 0);
            account.last = now;
            account.failures = account.failures.saturating_add(1);
            let site = network.of_site();
            if site != network {
                state.sites.make(site, now, 0).fail(&attempt.login, SITE, now);
            }
        }
    }

    /// Whether the log gets a line about this address now, and how many it did not get since the last.
    pub fn line(&self, network: Option<Network>, now: DateTime<Utc>) -> Option<u64> {
        let Some(network) = network else { return Some(0) };
        let mut state = self.state();
        let second = now.timestamp();
        if state.lines.len() >= MOST && !state.lines.contains_key(&network) {
            state.lines.retain(|_, lines| lines.second == second);
        }
        if state.lines.len() >= MOST && !state.lines.contains_key(&network) {
            return None;
        }
        let State { lines, lines_of_all: all, .. } = &mut *state;
        let lines = lines.entry(network).or_default();
        for lines in [&mut *lines, &mut *all] {
            if lines.second != second {
                (lines.second, lines.written) = (second, 0);
            }
        }
        if lines.written >= MOST_LINES || all.written >= MOST_LINES_OF_ALL {
            lines.left_out += 1;
            return None;
        }
        lines.written += 1;
        all.written += 1;
        Some(std::mem::take(&mut lines.left_out))
    }
}

/// Through one door after the other.
async fn enter(doors: [Option<&Arc<Semaphore>>; 3]) -> Result<Place, Error> {
    let mut permits = Vec::with_capacity(doors.len());
    for door in doors.into_iter().flatten() {
        permits.push(door.clone().acquire_owned().await.map_err(|e| Error::Internal(e.to_string()))?);
    }
    Ok(Place { _permits: permits })
}

/// Of the wait, rounded up to seconds.
fn too_many(wait: TimeDelta) -> Error {
    let seconds = u64::try_from((wait + TimeDelta::milliseconds(999)).num_seconds()).unwrap_or(0).max(1);
    NotAuthenticated::TooManyFailures { seconds }.into()
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use futures_util::FutureExt;

    use super::*;

    fn start() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap()
    }

    fn digest(text: &str) -> Digest256 {
        let mut digest = [0; 32];
        digest[..text.len()].copy_from_slice(text.as_bytes());
        digest
    }

    fn attempt(name: &str, password: &str, address: &str) -> Attempt {
        let network = Some(Network::of_caller(address.parse().unwrap()));
        Attempt { name: digest(name), login: digest(&format!("{name} {password}")), network, known: false }
    }

    /// The wait of an attempt, or None if it is refused; and it fails when its turn has come.
    fn fail(guard: &Guard, attempt: &Attempt, now: &mut DateTime<Utc>) -> Option<i64> {
        let turn = guard.admit(attempt, *now).ok()?;
        let wait = (turn.at - *now).num_milliseconds();
        *now = turn.at;
        guard.failed(attempt, *now);
        Some(wait)
    }

    fn guard() -> Guard {
        Guard::bounded(2, TimeDelta::seconds(10), 8)
    }

    #[test]
    fn each_guess_of_an_address_costs_the_next_one_more() {
        let (guard, mut now) = (guard(), start());
        let waits: Vec<_> =
            (0..12).map(|n| fail(&guard, &attempt(&format!("user{n}"), "p", "192.0.2.7"), &mut now)).collect();
        let expected = [0, 0, 0, 0, 0, 500, 1000, 2000, 4000, 8000].map(Some);
        assert_eq!(waits[..10], expected);
        assert_eq!(waits[10..], [None, None], "what is too long to wait for is refused, and counts for nothing");
        assert_eq!(fail(&guard, &attempt("user", "p", "192.0.2.8"), &mut now), Some(0), "another address");
        now += TimeDelta::seconds(16);
        assert_eq!(fail(&guard, &attempt("user", "p", "192.0.2.7"), &mut now), Some(0), "its turn has come");
        now += FORGOTTEN;
        assert_eq!(fail(&guard, &attempt("user", "q", "192.0.2.7"), &mut now), Some(0));
        assert_eq!(fail(&guard, &attempt("user", "r", "192.0.2.7"), &mut now), Some(0), "and it was forgotten");
    }

    #[test]
    fn a_line_of_ipv6_is_one_caller() {
        let (guard, mut now) = (guard(), start());
        for n in 1..=5 {
            fail(&guard, &attempt("user", &n.to_string(), &format!("2001:db8::{n}:1")), &mut now);
        }
        assert_eq!(fail(&guard, &attempt("user", "p", "2001:db8::9"), &mut now), Some(500));
        assert_eq!(fail(&guard, &attempt("other", "p", "2001:db8:0:1::9"), &mut now), Some(0));
    }

    #[test]
    fn a_site_of_ipv6_is_counted_as_a_whole_after_more_of_them() {
        let (guard, mut now) = (Guard::bounded(2, TimeDelta::seconds(10), MOST), start());
        let of = |n: usize| attempt(&format!("user{n}"), "p", &format!("2001:db8:0:{n:x}::1"));
        let waits: Vec<_> = (1..=52).map(|n| fail(&guard, &of(n), &mut now)).collect();
        assert!(waits[..50].iter().all(|wait| *wait == Some(0)), "{waits:?}");
        assert_eq!(waits[50..], [Some(500), Some(1000)]);
        assert_eq!(fail(&guard, &attempt("user", "p", "2001:db8:1::1"), &mut now), Some(0), "another site");
    }

    #[test]
    fn strangers_slow_down_strangers_for_a_short_while_each() {
        let (guard, mut now) = (guard(), start());
        for n in 0..40 {
            fail(&guard, &attempt("ada", &n.to_string(), &format!("192.0.2.{n}")), &mut now);
        }
        let new = guard.admit(&attempt("ada", "right", "198.51.100.1"), now).unwrap();
        assert!(new.suspicious && new.at - now <= ACCOUNT.longest && new.at > now, "{new:?}");
        let owner = Attempt { known: true, ..attempt("ada", "right", "198.51.100.2") };
        let turn = guard.admit(&owner, now).unwrap();
        assert!(!turn.suspicious && turn.at == now && guard.trusts(&owner, now), "{turn:?}");
    }

    #[test]
    fn a_known_address_is_counted_by_account() {
        let (guard, mut now) = (guard(), start());
        let known = |name: &str, password: &str| Attempt { known: true, ..attempt(name, password, "192.0.2.7") };
        for n in 0..20 {
            fail(&guard, &attempt(&format!("user{n}"), "p", "192.0.2.7"), &mut now);
        }
        assert_eq!(guard.admit(&known("ada", "right"), now).unwrap().at, now, "its neighbours' failures are theirs");
        let begun = now;
        for n in 0..20 {
            assert!(fail(&guard, &known("ada", &n.to_string()), &mut now) <= Some(5000));
        }
        assert!(now - begun > TimeDelta::seconds(30), "{}", now - begun);
        assert!(guard.trusts(&known("ada", "right"), now), "what is remembered goes in meanwhile");
        assert_eq!(guard.admit(&known("bob", "right"), now).unwrap().at, now);
        for n in 20..100 {
            fail(&guard, &known("ada", &n.to_string()), &mut now);
            now += KNOWN.longest;
        }
        assert!(!guard.trusts(&known("ada", "right"), now), "but not for ever");
        assert!(guard.trusts(&known("bob", "right"), now));
        guard.succeeded(&known("ada", "right"));
        assert!(guard.trusts(&known("ada", "right"), now));
    }

    #[test]
    fn a_program_with_an_old_password_slows_down_itself() {
        let (guard, mut now) = (guard(), start());
        let stale = attempt("ada", "old", "192.0.2.7");
        let waits: Vec<_> = (0..11).map(|_| fail(&guard, &stale, &mut now)).collect();
        assert_eq!(
            waits,
            [0, 0, 0, 0, 0, 500, 1000, 2000, 4000, 8000].map(Some).into_iter().chain([None]).collect::<Vec<_>>()
        );
        for n in 0..4 {
            assert_eq!(fail(&guard, &attempt("bob", &n.to_string(), "192.0.2.7"), &mut now), Some(0));
        }
        assert!(fail(&guard, &stale, &mut now).is_none(), "it is still known");
        assert_eq!(
            fail(&guard, &attempt("ada", "new", "192.0.2.8"), &mut now),
            Some(0),
            "and is no attack on the account"
        );
    }

    #[tokio::test]
    async fn what_is_not_counted_keeps_nobody_from_a_place() {
        let (guard, now) = (guard(), start());
        let uncounted = Attempt { network: None, ..attempt("ada", "p", "192.0.2.7") };
        let turn = guard.admit(&uncounted, now).unwrap();
        assert_eq!(turn.at, now, "it need not wait for its turn");
        let _first = guard.place(&uncounted, turn).await.unwrap();
        let mut second = Box::pin(guard.place(&uncounted, turn));
        assert!((&mut second).now_or_never().is_none(), "of two places it has one");
        let bob = attempt("bob", "right", "192.0.2.8");
        let good = guard.admit(&bob, now).unwrap();
        assert!(guard.place(&bob, good).now_or_never().is_some(), "and nobody waits behind it");
    }

    #[tokio::test]
    async fn strangers_leave_a_place_and_their_line_has_an_end() {
        let (guard, now) = (guard(), start());
        let attempts: Vec<_> =
            (0..1000).map(|n| attempt(&format!("no{n}"), "p", &format!("198.51.{}.{}", n % 10, n / 10))).collect();
        let turns: Vec<_> = attempts.iter().map(|attempt| guard.admit(attempt, now).unwrap()).collect();
        let asked = attempts.iter().zip(turns).map(|(attempt, turn)| Box::pin(guard.place(attempt, turn)));
        let (mut line, mut places, mut refused) = (Vec::new(), Vec::new(), 0);
        for mut place in asked {
            match (&mut place).now_or_never() {
                None => line.push(place),
                Some(Ok(place)) => places.push(place),
                Some(Err(error)) => {
                    assert!(matches!(error, Error::Busy), "{error}");
                    refused += 1;
                }
            }
        }
        assert_eq!((places.len(), line.len(), refused), (1, MOST_STRANGERS, 1000 - 1 - MOST_STRANGERS));
        let known = Attempt { known: true, ..attempt("ada", "right", "192.0.2.7") };
        let turn = guard.admit(&known, now).unwrap();
        assert!(guard.place(&known, turn).now_or_never().is_some(), "who is known has one at once");
        drop(line);
        assert_eq!(guard.line.len(), 0);
    }

    #[tokio::test]
    async fn a_stranger_has_a_seat_that_another_has_too_many_of() {
        let (guard, now) = (guard(), start());
        let ask = |address: &str, n: usize| {
            let attempt = attempt(&n.to_string(), "p", address);
            let turn = guard.admit(&attempt, now).unwrap();
            let guard = &guard;
            Box::pin(async move { guard.place(&attempt, turn).await })
        };
        let _place = ask("192.0.2.1", 0).await.unwrap();
        let mut line = Vec::new();
        for network in 1..=6 {
            for n in 0..MOST_WAITING_EACH {
                let mut place = ask(&format!("198.51.100.{network}"), n);
                assert!((&mut place).now_or_never().is_none());
                line.push(place);
            }
        }
        let mut newcomer = ask("192.0.2.2", 0);
        assert!((&mut newcomer).now_or_never().is_none(), "it waits");
        let given_up: Vec<_> = line.iter_mut().filter_map(|place| place.now_or_never()).collect();
        assert!(matches!(given_up[..], [Err(Error::Busy)]), "{given_up:?}");
    }

    #[test]
    fn waits_of_one_address_stand_in_line() {
        let (guard, mut now) = (guard(), start());
        for n in 0..7 {
            fail(&guard, &attempt("ada", &n.to_string(), "192.0.2.7"), &mut now);
        }
        let waits: Vec<_> = (10..20)
            .map_while(|n| guard.admit(&attempt("ada", &n.to_string(), "192.0.2.7"), now).ok())
            .map(|turn| (turn.at - now).num_seconds())
            .collect();
        assert_eq!(waits, [2, 4, 6, 8, 10]);
    }

    #[test]
    fn nobody_can_fill_the_places_to_wait() {
        let (guard, wait) = (guard(), TimeDelta::seconds(8));
        let of = |address: &str| guard.wait(&attempt("ada", "p", address), wait).ok().flatten();
        let mut kept: Vec<_> = (0..100).map_while(|_| of("2001:db8::1")).collect();
        assert_eq!(kept.len(), MOST_WAITING_EACH);
        assert!(of("2001:db8:0:1::2").is_none(), "the same site of IPv6");
        kept.extend((0..1000).filter_map(|n| of(&format!("198.51.{}.{}", n / 256, n % 256))));
        assert_eq!(guard.waiting(), MOST_STRANGERS as u64);
        assert!(kept[1].is_given_up() && !kept[0].is_given_up(), "who had most gave way to who has one");
        let known = Attempt { known: true, ..attempt("ada", "p", "192.0.2.7") };
        assert!(guard.wait(&known, wait).is_ok(), "the account has logged in from there before");
        kept.clear();
        assert_eq!(guard.waiting(), 0);
        assert!(of("2001:db8::2").is_some(), "places are given back");
    }

    #[test]
    fn a_burst_is_counted_before_each_hash() {
        let (guard, now) = (guard(), start());
        let burst: Vec<_> = (0..30).map(|n| attempt("ada", &n.to_string(), "192.0.2.7")).collect();
        let turns: Vec<_> = burst.iter().map(|attempt| guard.admit(attempt, now).unwrap()).collect();
        let mut hashed = 0;
        for (attempt, turn) in burst.iter().zip(turns) {
            if let Ok(None) = guard.renew(attempt, turn, now) {
                hashed += 1;
                guard.failed(attempt, now);
            }
        }
        assert_eq!(hashed, 5);
    }

    #[test]
    fn what_is_counted_is_bounded_and_the_worst_stay() {
        let (guard, mut now) = (guard(), start());
        let guesser = "192.0.2.7";
        for n in 0..8 {
            fail(&guard, &attempt("ada", &n.to_string(), guesser), &mut now);
        }
        for n in 0..200 {
            let mut then = now;
            fail(&guard, &attempt(&format!("user{n}"), "p", &format!("198.51.100.{n}")), &mut then);
        }
        {
            let state = guard.state();
            assert!(state.addresses.records.len() <= 8 && state.accounts.records.len() <= 8);
        }
        assert!(guard.admit(&attempt("bob", "p", guesser), now).unwrap().at > now, "it is not forgotten");
        let newcomer = guard.admit(&attempt("bob", "p", "203.0.113.1"), now).unwrap();
        assert_eq!(newcomer.at - now, SHORTEST, "nobody is free while so many guess");
        let later = now + FORGOTTEN;
        assert_eq!(guard.admit(&attempt("bob", "p", "203.0.113.1"), later).unwrap().at, later);
    }

    #[test]
    fn the_log_gets_a_few_lines_a_second_and_says_how_many_are_missing() {
        let (guard, now) = (guard(), start());
        let network = attempt("ada", "p", "192.0.2.7").network;
        let lines: Vec<_> = (0..10).map(|_| guard.line(network, now)).collect();
        assert_eq!(lines.iter().flatten().count(), 3);
        assert_eq!(guard.line(network, now + TimeDelta::seconds(1)), Some(7));
        assert_eq!(guard.line(network, now + TimeDelta::seconds(1)), Some(0));
        let of = |n: u32, at| guard.line(attempt("ada", "p", &format!("192.0.2.{n}")).network, at);
        let later = now + TimeDelta::seconds(2);
        assert_eq!((0..100).filter_map(|n| of(n, later)).count(), MOST_LINES_OF_ALL as usize);
        assert_eq!(of(99, later + TimeDelta::seconds(1)), Some(1));
    }
}
