//! The outbox to the world: mail and completion URLs, each until it is delivered or given up.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;

use super::{NET, Shared};
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

pub(super) async fn run(shared: Arc<Shared>) {
    while !shared.closed.is_cancelled() {
        let wait_until = match deliver_due(&shared).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "the outbox could not be read or written");
                shared.clock.now() + chrono::TimeDelta::seconds(5)
            }
        };
        tokio::select! {
            () = shared.clock.sleep_until(wait_until) => {}
            () = shared.store.signals().outbox.notified() => {}
            () = shared.closed.cancelled() => {}
        }
    }
}

/// Delivers what is due, and says when to look again.
async fn deliver_due(shared: &Shared) -> Result<DateTime<Utc>, StoreError> {
    loop {
        let now = shared.clock.now();
        let (due, next) = shared.store.due_messages(now, GROUP).await?;
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
    let result = match message.channel {
        Channel::Mail => shared.notify.letters.send(&message).await,
        Channel::Url => shared.notify.urls.call(&message).await,
    };
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
    shared.store.settle_message(message.id, delivery, now).await
}
