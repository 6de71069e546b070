//! The outbox to the world: mail and completion URLs, each until it is delivered or given up.
//!
//! Several messages are under way at the same time, of each company no more than its share: a company with ten thousand
//! mails, or with a completion URL that never answers, holds up none of the others.

use std::collections::{BTreeMap, HashMap, VecDeque};
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
use crate::clock;
use crate::model::id::CompanyId;
use crate::outward;
use crate::store::StoreError;
use crate::store::jobs::outbox::{Channel, Delivery, Outgoing};

/// Messages of a channel that are under way at the same time: in all, and of one company.
const AT_ONCE: usize = 16;
const SHARE: usize = 4;

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
            Ok(shared.clock.now() + NET)
        } else {
            under_way.fill(shared, channel).await
        };
        let look_again = looked.unwrap_or_else(|error| {
            tracing::error!(%error, "the outbox could not be read");
            shared.clock.now() + AFTER_ERROR
        });
        if shared.closed.is_cancelled() && under_way.is_empty() {
            return;
        }
        tokio::select! {
            () = under_way.one_ends(), if !under_way.is_empty() => {}
            () = shared.clock.sleep_until(look_again) => {}
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

/// The deliveries of a channel that have not ended, and whose they are.
#[derive(Default)]
struct UnderWay<'s> {
    deliveries: FuturesUnordered<BoxFuture<'s, i64>>,
    messages: HashMap<i64, CompanyId>,
}

impl<'s> UnderWay<'s> {
    fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    /// Begins what is due and has a place, companies in turn, and says when to look again.
    async fn fill(&mut self, shared: &'s Shared, channel: Channel) -> Result<DateTime<Utc>, StoreError> {
        let now = shared.clock.now();
        let known: Vec<i64> = self.messages.keys().copied().collect();
        let (due, next) = shared.store.due_messages(channel, now, &known, SHARE).await?;
        let mut queues: BTreeMap<CompanyId, VecDeque<Outgoing>> = BTreeMap::new();
        for message in due {
            queues.entry(message.company).or_default().push_back(message);
        }
        for share in 1..=SHARE {
            for (company, queue) in &mut queues {
                let taken = self.messages.values().filter(|sender| *sender == company).count();
                if taken < share
                    && self.messages.len() < AT_ONCE
                    && let Some(message) = queue.pop_front()
                {
                    self.messages.insert(message.id, message.company);
                    let id = message.id;
                    self.deliveries.push(Box::pin(async move {
                        deliver(shared, message).await;
                        id
                    }));
                }
            }
        }
        Ok(next.map_or(now + NET, |next| next.min(now + NET)))
    }

    /// Waits until a delivery has ended; others that have ended with it come along.
    async fn one_ends(&mut self) {
        let mut ended = self.deliveries.next().await;
        while let Some(id) = ended {
            self.messages.remove(&id);
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
            let at = now + shared.policy.delivery_retry.after(message.attempts + 1);
            if at - message.created_at > shared.policy.give_up_after {
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
