//! The outbox to the world: mail and completion URLs, each until it is delivered or given up.
//!
//! Several messages are under way at the same time, of each company no more than its share: a company with ten thousand
//! mails, or with a completion URL that never answers, holds up none of the others. Companies take turns, and so do a company's
//! hosts. A host that has not answered within a moment is slow until it does: what goes to slow hosts
//! has places of its own, and leaves its place to others as soon as it is known to be slow. So however many receivers
//! hang, other companies wait for them no longer than that moment, and the company itself that long for each share of
//! its hosts that turns out to hang.
//!
//! A look at the outbox costs places, and not messages or hosts: it goes from company to company and from host to host, and ends when
//! there is one for each place. Beside those it passes over what has no place just then, hosts that are known to be slow above
//! all, of which no more than [`REMEMBERED`] are known.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync;

use super::{AFTER_ERROR, NET, Shared};
use crate::clock::{self, Wait};
use crate::model::id::CompanyId;
use crate::outward;
use crate::store::StoreError;
use crate::store::jobs::outbox::{Channel, Delivery, Outgoing, Share};

/// Messages of a channel that are under way at the same time: in all, and of one company.
const AT_ONCE: usize = 16;
const SHARE: usize = 4;

/// The same of those to hosts that are known to be slow.
const SLOW_AT_ONCE: usize = 16;
const SLOW_SHARE: usize = 2;

/// Messages to one host that are under way at the same time, of whichever companies.
const HOST_SHARE: usize = 8;

/// A host that takes longer is slow. What is under way then goes on until it is answered or its own time is up, so that no
/// more than [`AT_ONCE`] for each such moment of that time come together, beside those of [`SLOW_AT_ONCE`].
const SLOW: TimeDelta = TimeDelta::seconds(5);

/// Slow hosts that are remembered. When there are more all are forgotten, and show anew what they are.
const REMEMBERED: usize = 256;

/// Why a message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undelivered {
    /// Try again later.
    Transient(String),
    /// It never will be.
    Permanent(String),
}

/// Writes and sends the mail about a run.
#[async_trait]
pub trait Letters: Send + Sync {
    async fn send(&self, message: &Outgoing) -> Result<(), Undelivered>;
}

/// What a completion URL answered.
pub type UrlAnswer = Result<(), Undelivered>;

/// Requests completion URLs.
#[async_trait]
pub trait CallUrl: Send + Sync {
    async fn call(&self, message: &Outgoing) -> UrlAnswer;
}

/// The two ways out.
#[derive(Clone)]
pub struct Notify {
    pub letters: Arc<dyn Letters>,
    pub urls: Arc<dyn CallUrl>,
}

/// How long deliveries that are under way may take when the daemon ends. One that is cut off is repeated later.
const LAST_MOMENT: TimeDelta = TimeDelta::seconds(5);

/// A lane for each channel: a mail server that hangs holds up no completion URL, nor the other way round.
pub(super) async fn run(shared: Arc<Shared>) {
    let (mail, url) = (sync::Notify::new(), sync::Notify::new());
    let bells = async {
        loop {
            shared.store.signals().outbox.notified().await;
            mail.notify_one();
            url.notify_one();
        }
    };
    tokio::select! {
        _ = futures_util::future::join(lane(&shared, Channel::Mail, &mail), lane(&shared, Channel::Url, &url)) => {}
        () = bells => {}
    }
}

async fn lane(shared: &Shared, channel: Channel, bell: &sync::Notify) {
    let mut under_way = UnderWay::default();
    let mut last_moment = pin!(last_moment(shared));
    loop {
        let looked = if shared.closed.is_cancelled() {
            // What is under way may end; nothing new is begun.
            Ok(Wait::of(shared.clock.now(), NET))
        } else {
            under_way.fill(shared, channel).await
        };
        let wait = looked.unwrap_or_else(|error| {
            tracing::error!(%error, "the outbox could not be read");
            Wait::of(shared.clock.now(), AFTER_ERROR)
        });
        if shared.closed.is_cancelled() && under_way.is_empty() {
            return;
        }
        tokio::select! {
            () = under_way.one_ends(shared), if !under_way.is_empty() => {}
            () = shared.clock.wait(wait) => {}
            () = bell.notified() => {}
            () = shared.closed.cancelled(), if !shared.closed.is_cancelled() => {}
            () = &mut last_moment => return,
        }
    }
}

async fn last_moment(shared: &Shared) {
    shared.closed.cancelled().await;
    clock::sleep(&*shared.clock, LAST_MOMENT).await;
}

/// A delivery that has not ended.
struct Way {
    company: CompanyId,
    host: String,
    begun_at: DateTime<Utc>,
}

/// The deliveries of a channel that have not ended, whose they are and where they go.
#[derive(Default)]
struct UnderWay<'s> {
    deliveries: FuturesUnordered<BoxFuture<'s, i64>>,
    messages: HashMap<i64, Way>,
    slow_hosts: HashSet<String>,
    /// Whose message was begun last.
    last_served: Option<CompanyId>,
    /// The host to which the last message of a company was begun: one for each company that there is, at most.
    last_hosts: HashMap<CompanyId, String>,
}

/// What companies have ready, in the order of their turns.
type Ready = Vec<VecDeque<Outgoing>>;

impl<'s> UnderWay<'s> {
    fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    /// Begins what is due and has a place, companies in turn, and says when to look again.
    async fn fill(&mut self, shared: &'s Shared, channel: Channel) -> Result<Wait, StoreError> {
        let now = shared.clock.now();
        self.note_slow_hosts(now);
        let next = shared.store.ready_messages(channel, now).await?;
        // What goes to slow hosts is found beside what does not: a place of those that are not slow is free after a moment.
        while self.taken(false, |_| true) < AT_ONCE {
            let ready = self.look(shared, channel).await?;
            if !self.begin_some(shared, ready, now) {
                break;
            }
        }
        let slow_at = self.messages.values().filter(|way| !self.is_slow(way)).map(|way| way.begun_at + SLOW);
        Ok(Wait::of(now, NET).or(next.into_iter().chain(slow_at).min()))
    }

    /// What is ready and has a place, of so many companies as there are places: those after the one served last first.
    async fn look(&mut self, shared: &Shared, channel: Channel) -> Result<Ready, StoreError> {
        let under_way: Vec<i64> = self.messages.keys().copied().collect();
        let (mut ready, mut after, mut is_round) = (Ready::new(), self.last_served, self.last_served.is_none());
        while ready.len() < AT_ONCE {
            let Some(company) = shared.store.next_sender(channel, after).await? else {
                if is_round {
                    break;
                }
                (after, is_round) = (None, true);
                continue;
            };
            if is_round && self.last_served.is_some_and(|last| company > last) {
                break;
            }
            after = Some(company);
            let of_company = self.taken(false, |way| way.company == company);
            if of_company >= SHARE {
                continue;
            }
            let share = Share {
                company,
                after: self.last_hosts.get(&company).map(String::as_str),
                full: &self.full_hosts(company),
                under_way: &under_way,
                // Those to which all that is ready is under way give nothing.
                hosts: SHARE + self.messages.values().filter(|way| way.company == company).count(),
            };
            let messages = shared.store.messages_in_turn(channel, share).await?;
            if !messages.is_empty() {
                ready.push(messages.into());
            }
        }
        Ok(ready)
    }

    /// One of each company in turn, as long as there are places. Whether there was one at all.
    fn begin_some(&mut self, shared: &'s Shared, mut ready: Ready, now: DateTime<Utc>) -> bool {
        let begun_before = self.messages.len();
        for _ in 0..SHARE {
            for messages in &mut ready {
                while let Some(message) = messages.pop_front() {
                    if self.has_place(&message) {
                        self.begin(shared, message, now);
                        break;
                    }
                }
            }
        }
        self.messages.len() > begun_before
    }

    fn begin(&mut self, shared: &'s Shared, message: Outgoing, now: DateTime<Utc>) {
        let way = Way { company: message.company, host: message.host.clone(), begun_at: now };
        self.last_served = Some(message.company);
        self.last_hosts.insert(message.company, message.host.clone());
        let id = message.id;
        self.messages.insert(id, way);
        self.deliveries.push(Box::pin(async move {
            deliver(shared, message).await;
            id
        }));
    }

    fn is_slow(&self, way: &Way) -> bool {
        self.slow_hosts.contains(&way.host)
    }

    /// Messages under way to hosts that are known to be slow, or to others, and are like this.
    fn taken(&self, are_slow: bool, is_like_it: impl Fn(&Way) -> bool) -> usize {
        self.messages.values().filter(|way| self.is_slow(way) == are_slow && is_like_it(way)).count()
    }

    fn has_place(&self, message: &Outgoing) -> bool {
        let is_slow = self.slow_hosts.contains(&message.host);
        let (most, share) = if is_slow { (SLOW_AT_ONCE, SLOW_SHARE) } else { (AT_ONCE, SHARE) };
        self.taken(is_slow, |_| true) < most
            && self.taken(is_slow, |way| way.company == message.company) < share
            && self.messages.values().filter(|way| way.host == message.host).count() < HOST_SHARE
    }

    /// Hosts to which nothing more of a company can begin.
    fn full_hosts(&self, company: CompanyId) -> Vec<String> {
        let mut under_way: HashMap<&str, usize> = HashMap::new();
        for way in self.messages.values() {
            *under_way.entry(&way.host).or_default() += 1;
        }
        let has_slow_place =
            self.taken(true, |_| true) < SLOW_AT_ONCE && self.taken(true, |way| way.company == company) < SLOW_SHARE;
        let slow = self.slow_hosts.iter().map(String::as_str).filter(|_| !has_slow_place);
        let taken = under_way.into_iter().filter(|(_, count)| *count >= HOST_SHARE).map(|(host, _)| host);
        slow.chain(taken).map(str::to_owned).collect()
    }

    fn note_slow_hosts(&mut self, now: DateTime<Utc>) {
        if self.slow_hosts.len() > REMEMBERED {
            self.slow_hosts.clear();
        }
        let hanging = self.messages.values().filter(|way| now - way.begun_at >= SLOW).map(|way| way.host.clone());
        self.slow_hosts.extend(hanging);
    }

    /// Waits until a delivery has ended; others that have ended with it come along.
    async fn one_ends(&mut self, shared: &Shared) {
        let mut ended = self.deliveries.next().await;
        let now = shared.clock.now();
        while let Some(id) = ended {
            if let Some(way) = self.messages.remove(&id) {
                if now - way.begun_at < SLOW {
                    self.slow_hosts.remove(&way.host);
                } else {
                    self.slow_hosts.insert(way.host);
                }
            }
            ended = self.deliveries.next().now_or_never().flatten();
        }
    }
}

async fn deliver(shared: &Shared, message: Outgoing) {
    let to = match message.channel {
        Channel::Mail => message.recipient.clone(),
        Channel::Url => outward::without_credentials(&message.recipient),
    };
    let attempt = async {
        match message.channel {
            Channel::Mail => shared.notify.letters.send(&message).await,
            Channel::Url => shared.notify.urls.call(&message).await,
        }
    };
    let result = AssertUnwindSafe(attempt)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Err(Undelivered::Transient("an internal error; the daemon's log says more".to_owned())));
    let now = shared.clock.now();
    let delivery = match result {
        Ok(()) => Delivery::Delivered,
        Err(Undelivered::Permanent(error)) => {
            tracing::warn!(id = message.id, %to, %error, "a message was given up");
            Delivery::GivenUp { error }
        }
        Err(Undelivered::Transient(error)) => {
            let tries = message.attempts + 1;
            let at = now + shared.policy.delivery_retry.after(tries);
            // By the waits between its tries, and not by the clock, which may have been set, nor by a time without a daemon.
            if shared.policy.delivery_retry.in_all(tries) > shared.policy.give_up_after {
                tracing::warn!(id = message.id, %to, %error, "a message was given up");
                Delivery::GivenUp { error }
            } else {
                tracing::info!(id = message.id, %to, %error, %at, "a message was not delivered yet");
                Delivery::Retry { at, error }
            }
        }
    };
    settle(shared, message.id, delivery, now).await;
}

/// Writes down what became of a try. When the database refuses (disk full) it is the writing that is repeated and not the
/// delivery, or the recipient would get the same mail every few seconds.
async fn settle(shared: &Shared, id: i64, delivery: Delivery, now: DateTime<Utc>) {
    while let Err(error) = shared.store.settle_message(id, delivery.clone(), now).await {
        tracing::error!(id, %error, "what became of a message could not be written");
        tokio::select! {
            () = clock::sleep(&*shared.clock, AFTER_ERROR) => {}
            () = shared.closed.cancelled() => return,
        }
    }
}
