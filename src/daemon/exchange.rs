//! The two ways out, mail and completion URLs, which may be exchanged while the engine uses them.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;

use crate::engine::{CallUrl, Letters, Notify, Undelivered, UrlAnswer};
use crate::store::jobs::outbox::Outgoing;

/// Clones share what is in use. A message goes out by what was in use when it began.
#[derive(Clone)]
pub(super) struct WaysOut(Arc<RwLock<Notify>>);

impl WaysOut {
    pub fn new(ways: Notify) -> Self {
        Self(Arc::new(RwLock::new(ways)))
    }

    /// What the engine is given.
    pub fn as_notify(&self) -> Notify {
        Notify { letters: Arc::new(self.clone()), urls: Arc::new(self.clone()) }
    }

    /// The next message goes out by these.
    pub fn follow(&self, ways: Notify) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = ways;
    }

    fn now(&self) -> Notify {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Letters for WaysOut {
    async fn send(&self, message: &Outgoing) -> Result<(), Undelivered> {
        self.now().letters.send(message).await
    }
}

#[async_trait]
impl CallUrl for WaysOut {
    async fn call(&self, message: &Outgoing) -> UrlAnswer {
        self.now().urls.call(message).await
    }
}
