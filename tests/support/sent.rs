//! The world outside: a mail server and completion URLs that do what the test says.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use prepress::engine::{CallUrl, Letters, Notify, Undelivered, UrlAnswer};
use prepress::store::jobs::outbox::{Channel, Moment, Outgoing};

/// A message that the world outside was asked to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub run: i64,
    pub channel: Channel,
    pub moment: Moment,
    pub recipient: String,
}

type Answer = dyn Fn(&Outgoing) -> Result<(), Undelivered> + Send + Sync;

#[derive(Clone)]
pub struct Wire {
    tried: Arc<Mutex<Vec<Sent>>>,
    answer: Arc<Answer>,
}

impl Wire {
    /// Takes everything.
    pub fn open() -> Self {
        Self::that(|_| Ok(()))
    }

    pub fn that(answer: impl Fn(&Outgoing) -> Result<(), Undelivered> + Send + Sync + 'static) -> Self {
        Self { tried: Arc::default(), answer: Arc::new(answer) }
    }

    /// Every try, in order.
    pub fn tried(&self) -> Vec<Sent> {
        self.tried.lock().unwrap().clone()
    }

    pub fn notify(&self) -> Notify {
        Notify { letters: Arc::new(self.clone()), urls: Arc::new(self.clone()) }
    }

    fn take(&self, message: &Outgoing) -> Result<(), Undelivered> {
        self.tried.lock().unwrap().push(Sent {
            run: message.instance.0,
            channel: message.channel,
            moment: message.moment,
            recipient: message.recipient.clone(),
        });
        (self.answer)(message)
    }
}

#[async_trait]
impl Letters for Wire {
    async fn send(&self, message: &Outgoing) -> Result<(), Undelivered> {
        assert_eq!(message.channel, Channel::Mail);
        self.take(message)
    }
}

#[async_trait]
impl CallUrl for Wire {
    async fn call(&self, message: &Outgoing) -> UrlAnswer {
        assert_eq!(message.channel, Channel::Url);
        self.take(message)
    }
}
