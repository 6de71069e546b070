//! Wake-ups for the engine: something it waits for was committed.

use tokio::sync::Notify;

/// One bell for each part of the engine that waits. A bell rung while nobody listens is heard by the next who does.
#[derive(Debug, Default)]
pub struct Signals {
    /// A trigger was added or changed.
    pub triggers: Notify,
    /// A run waits for a slot, or a slot became free.
    pub waiting: Notify,
    /// Somebody asked to stop a run.
    pub stops: Notify,
    /// The outbox has something to deliver.
    pub outbox: Notify,
}

impl Signals {
    /// Another process changed the database: it could be anything.
    pub fn all(&self) {
        let Self { triggers, waiting, stops, outbox } = self;
        for bell in [triggers, waiting, stops, outbox] {
            bell.notify_one();
        }
    }
}
