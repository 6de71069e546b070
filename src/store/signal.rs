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
    /// A job has more runs to stop than one transaction does.
    pub stop_orders: Notify,
    /// The outbox has something to deliver.
    pub outbox: Notify,
}

/// Which of the [`Signals`]. A write names the ones that its commit rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bell {
    Triggers,
    Waiting,
    Stops,
    StopOrders,
    Outbox,
}

impl Signals {
    pub fn ring(&self, bell: Bell) {
        match bell {
            Bell::Triggers => self.triggers.notify_one(),
            Bell::Waiting => self.waiting.notify_one(),
            Bell::Stops => self.stops.notify_one(),
            Bell::StopOrders => self.stop_orders.notify_one(),
            Bell::Outbox => self.outbox.notify_one(),
        }
    }

    /// Another process changed the database: it could be anything.
    pub fn all(&self) {
        for bell in [Bell::Triggers, Bell::Waiting, Bell::Stops, Bell::StopOrders, Bell::Outbox] {
            self.ring(bell);
        }
    }
}
