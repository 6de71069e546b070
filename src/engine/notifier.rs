//! The outbox to the world: mail and completion URLs, each until it is delivered or given up.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{FutureExt, StreamExt};
use tokio::sync;

use super::{AFTER_ERROR, NET, Shared};
use crate::clock;
use crate::store::StoreError;
use crate::store::jobs::outbox::{Channel, Delivery, Outgoing};

/// Messages read at once, and how many of them are under way at the same time.
const GROUP: u32 = 64;
const AT_ONCE: usize = 8;

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
    while !shared.closed.is_cancelled() {
        let delivered = tokio::select! {
            delivered = deliver_due(shared, channel) => delivered,
            () = last_moment(shared) => return,
        };
        let wait_until = delivered.unwrap_or_else(|error| {
            tracing::error!(%error, "the outbox could not be read or written");
            shared.clock.now() + AFTER_ERROR
        });
        tokio::select! {
            () = shared.clock.sleep_until(wait_until) => {}
            () = bell.notified() => {}
            () = shared.closed.cancelled() => {}
        }
    }
}

async fn last_moment(shared: &Shared) {
    shared.closed.cancelled().await;
    clock::sleep(&*shared.clock, LAST_MOMENT).await;
}

/// Delivers what is due, and says when to look again.
async fn deliver_due(shared: &Shared, channel: Channel) -> Result<DateTime<Utc>, StoreError> {
    loop {
        let now = shared.clock.now();
        let (due, next) = shared.store.due_messages(channel, now, GROUP).await?;
        if due.is_empty() {
            return Ok(next.map_or(now + NET, |next| next.min(now + NET)));
        }
        let deliveries = due.into_iter().map(|message| deliver(shared, message));
        let results: Vec<Result<(), StoreError>> =
            futures_util::stream::iter(deliveries).buffer_unordered(AT_ONCE).collect().await;
        results.into_iter().collect::<Result<(), _>>()?;
        if shared.closed.is_cancelled() {
            return Ok(now);
        }
    }
}

async fn deliver(shared: &Shared, message: Outgoing) -> Result<(), StoreError> {
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
            tracing::warn!(id = message.id, to = %message.recipient, %error, "a message was given up");
            Delivery::GivenUp { error }
        }
        Err(Undelivered::Transient(error)) => {
            let at = now + shared.policy.delivery_retry.after(message.attempts + 1);
            if at - message.created_at > shared.policy.give_up_after {
                tracing::warn!(id = message.id, to = %message.recipient, %error, "a message was given up");
                Delivery::GivenUp { error }
            } else {
                tracing::info!(id = message.id, to = %message.recipient, %error, %at, "a message was not delivered yet");
                Delivery::Retry { at, error }
            }
        }
    };
    settle(shared, message.id, delivery, now).await
}

/// Writes down what became of a try. When the database refuses (disk full) it is the writing that is repeated and not the
/// delivery, or the recipient would get the same mail every few seconds.
async fn settle(shared: &Shared, id: i64, delivery: Delivery, now: DateTime<Utc>) -> Result<(), StoreError> {
    loop {
        let Err(error) = shared.store.settle_message(id, delivery.clone(), now).await else { return Ok(()) };
        tracing::error!(id, %error, "what became of a message could not be written");
        tokio::select! {
            () = clock::sleep(&*shared.clock, AFTER_ERROR) => {}
            () = shared.closed.cancelled() => return Err(error),
        }
    }
}
