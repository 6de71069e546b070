//! Executors that the test plays.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use prepress::executors::{Context, Executor, Failure, Item, Registry};
use prepress::model::job::JobSpec;
use prepress::model::outcome::Counters;
use prepress::store::effect::Effect;
use prepress::store::jobs::attempt::ItemReport;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

type Script = dyn Fn(Context) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync;

/// Carries out every job by the same function.
#[derive(Clone)]
pub struct Scripted(Arc<Script>);

impl Scripted {
    pub fn new<F>(script: impl Fn(Context) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        Self(Arc::new(move |context| Box::pin(script(context))))
    }

    /// Every job succeeds at once.
    pub fn idle() -> Self {
        Self::new(|_| async { Ok(()) })
    }
}

impl Registry for Scripted {
    fn executor(&self, _: &JobSpec) -> Box<dyn Executor> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Executor for Scripted {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        (self.0)(context.clone()).await
    }
}

/// An attempt that began and waits for the test to say how it ends. Until then, and for ever when this is dropped, it
/// does nothing, and hears of no stop.
pub struct Call {
    pub context: Context,
    end: oneshot::Sender<Result<(), Failure>>,
}

impl Call {
    pub fn name(&self) -> &str {
        &self.context.run.job_name
    }

    pub fn end(self, result: Result<(), Failure>) {
        // The attempt may have been cut off.
        let _ = self.end.send(result);
    }

    pub fn succeed(self) {
        self.end(Ok(()));
    }

    /// Commits an item that counts as one file.
    pub async fn item(&self, key: &str) -> Result<bool, Failure> {
        self.item_with(key, 0).await
    }

    /// The same of one that brings so many more with it.
    pub async fn item_with(&self, key: &str, more_items: u32) -> Result<bool, Failure> {
        let counters = Counters { success: 1, ..Counters::default() };
        let report = ItemReport { result: json!(key), counters, more_items, ..ItemReport::default() };
        Ok(self.context.commit(Item(key.to_owned()), Effect::Nothing, move |_| report).await?.is_some())
    }

    /// Until it is told to leave off.
    pub async fn told_to_leave(&self) {
        self.context.stop_token().cancelled().await;
    }
}

pub struct Calls(mpsc::UnboundedReceiver<Call>);

impl Calls {
    /// The next attempt that begins.
    pub async fn next(&mut self) -> Call {
        let guard = std::time::Duration::from_secs(60);
        tokio::time::timeout(guard, self.0.recv()).await.expect("an attempt begins").expect("the engine is there")
    }

    /// An attempt that has begun already, if there is one.
    pub fn begun(&mut self) -> Option<Call> {
        self.0.try_recv().ok()
    }
}

/// A registry whose attempts come to the test one by one.
pub fn stage() -> (Scripted, Calls) {
    let (calls, begun) = mpsc::unbounded_channel();
    let script = Scripted::new(move |context| {
        let (end, ended) = oneshot::channel();
        let calls: mpsc::UnboundedSender<Call> = calls.clone();
        async move {
            if calls.send(Call { context, end }).is_err() {
                return std::future::pending().await;
            }
            match ended.await {
                Ok(result) => result,
                Err(_) => std::future::pending().await,
            }
        }
    });
    (script, Calls(begun))
}
