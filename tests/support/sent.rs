//! The world outside: a mail server and completion URLs that do what the test says.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use prepress::engine::{CallUrl, Letters, Notify, Undelivered, UrlAnswer};
use prepress::model::id::CompanyId;
use prepress::store::jobs::outbox::{Channel, Moment, Outgoing};
use tokio::sync::watch;

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
    /// Messages about runs of this company get no answer until the test lets go.
    silent: Option<(CompanyId, watch::Receiver<bool>)>,
    silent_at: Option<(&'static str, watch::Receiver<bool>)>,
}

impl Wire {
    /// Takes everything.
    pub fn open() -> Self {
        Self::that(|_| Ok(()))
    }

    pub fn that(answer: impl Fn(&Outgoing) -> Result<(), Undelivered> + Send + Sync + 'static) -> Self {
        Self { tried: Arc::default(), answer: Arc::new(answer), silent: None, silent_at: None }
    }

    /// Takes everything, but what is about a company only once the sender says so.
    pub fn silent_for(company: CompanyId) -> (Self, watch::Sender<bool>) {
        let (sender, receiver) = watch::channel(false);
        (Self { silent: Some((company, receiver)), ..Self::open() }, sender)
    }

    /// Takes everything, but what goes to hosts with this in their names only once the sender says so.
    pub fn silent_at(hosts: &'static str) -> (Self, watch::Sender<bool>) {
        let (sender, receiver) = watch::channel(false);
        (Self { silent_at: Some((hosts, receiver)), ..Self::open() }, sender)
    }

    /// Every try, in order.
    pub fn tried(&self) -> Vec<Sent> {
        self.tried.lock().unwrap().clone()
    }

    pub fn notify(&self) -> Notify {
        Notify { letters: Arc::new(self.clone()), urls: Arc::new(self.clone()) }
    }

    async fn take(&self, message: &Outgoing) -> Result<(), Undelivered> {
        self.tried.lock().unwrap().push(Sent {
            run: message.instance.0,
            channel: message.channel,
            moment: message.moment,
            recipient: message.recipient.clone(),
        });
        if let Some((company, cleared)) = &self.silent
            && *company == message.company
        {
            // A test that has ended without letting go ends the silence too.
            let _ = cleared.clone().wait_for(|cleared| *cleared).await;
        }
        if let Some((hosts, cleared)) = &self.silent_at
            && message.host.contains(hosts)
        {
            let _ = cleared.clone().wait_for(|cleared| *cleared).await;
        }
        (self.answer)(message)
    }
}

#[async_trait]
impl Letters for Wire {
    async fn send(&self, message: &Outgoing) -> Result<(), Undelivered> {
        assert_eq!(message.channel, Channel::Mail);
        self.take(message).await
    }
}

#[async_trait]
impl CallUrl for Wire {
    async fn call(&self, message: &Outgoing) -> UrlAnswer {
        assert_eq!(message.channel, Channel::Url);
        self.take(message).await
    }
}
