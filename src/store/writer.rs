//! The writer: the only task that writes, and the group commit.
//!
//! Requests wait in a channel. The writer takes all that are there, does them in one transaction and commits; then it
//! answers all of them. While it waits for the disk, the next group gathers. Each request runs inside a savepoint of its
//! own, so that one that fails takes none of its neighbours with it. Submissions are written by bulk statements
//! (`jobs::submit`), because the price of a statement is its hand-off, not its rows.

use std::sync::Arc;

use chrono_tz::Tz;
use futures_util::future::BoxFuture;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::jobs::submit::{self, NewJob, Submitted};
use super::{Stats, StoreError};

/// Longest queue in front of the writer: beyond it callers wait in turn.
const QUEUE: usize = 4096;

/// Most requests in one transaction, so that the first of them does not wait for ever.
const GROUP: usize = 1024;

/// The connection inside an open transaction.
pub type Transaction = SqliteConnection;

/// A request that is not a submission: what to do, and whom to tell.
trait Op: Send {
    /// True when it may stay; false rolls it back.
    fn run<'t>(&'t mut self, tx: &'t mut Transaction) -> BoxFuture<'t, bool>;
    /// After the commit, or with the error that undid the whole group.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Closure<T, E, F> {
    work: Option<F>,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Op for Closure<T, E, F>
where
    T: Send,
    E: From<StoreError> + Send,
    F: for<'t> FnOnce(&'t mut Transaction) -> BoxFuture<'t, Result<T, E>> + Send,
{
    fn run<'t>(&'t mut self, tx: &'t mut Transaction) -> BoxFuture<'t, bool> {
        Box::pin(async move {
            if let Some(work) = self.work.take() {
                self.result = Some(work(tx).await);
            }
            matches!(self.result, Some(Ok(_)))
        })
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (self.result, committed) {
            // A refusal stands whatever became of the group.
            (Some(Err(refused)), _) => Err(refused),
            (Some(Ok(done)), Ok(())) => Ok(done),
            (Some(Ok(_)) | None, Err(error)) => Err(error.into()),
            (None, Ok(())) => Err(StoreError::Closed.into()),
        };
        // A caller that has gone away no longer wants to know.
        let _ = self.reply.send(result);
    }
}

enum Request {
    Submit(Box<NewJob>, oneshot::Sender<Result<Submitted, submit::SubmitError>>),
    Op(Box<dyn Op>),
}

/// The callers' end.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Request>,
}

impl Writer {
    /// Starts the writer. It ends, and closes its connection, when the last [`Writer`] is gone.
    pub fn start(connection: SqliteConnection, zone: Tz, stats: Arc<Stats>) -> (Self, tokio::task::JoinHandle<()>) {
        let (queue, requests) = mpsc::channel(QUEUE);
        (Self { queue }, tokio::spawn(run(connection, requests, zone, stats)))
    }

    pub async fn submit(&self, job: NewJob) -> Result<Submitted, submit::SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Submit(Box::new(job), reply)).await?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Transaction) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Op(Box::new(Closure { work: Some(work), result: None, reply }))).await?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    async fn send(&self, request: Request) -> Result<(), StoreError> {
        self.queue.send(request).await.map_err(|_| StoreError::Closed)
    }
}

async fn run(mut connection: SqliteConnection, mut requests: mpsc::Receiver<Request>, zone: Tz, stats: Arc<Stats>) {
    let mut group = Vec::new();
    while requests.recv_many(&mut group, GROUP).await > 0 {
        stats.group_size.observe(group.len() as f64);
        commit_group(&mut connection, group.drain(..), zone).await;
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the database was not closed cleanly; it will recover when it is opened again");
    }
}

async fn commit_group(connection: &mut SqliteConnection, group: impl Iterator<Item = Request>, zone: Tz) {
    let (mut jobs, mut submitters, mut ops) = (Vec::new(), Vec::new(), Vec::new());
    for request in group {
        match request {
            Request::Submit(job, reply) => {
                jobs.push(*job);
                submitters.push(reply);
            }
            Request::Op(op) => ops.push(op),
        }
    }
    let done = transact(connection, jobs, &mut ops, zone).await;
    let committed = done.as_ref().map(|_| ()).map_err(Clone::clone);
    match done {
        Ok(results) => {
            for (reply, result) in submitters.into_iter().zip(results) {
                // A caller that has gone away no longer wants to know.
                let _ = reply.send(result);
            }
        }
        Err(error) => {
            for reply in submitters {
                let _ = reply.send(Err(error.clone().into()));
            }
        }
    }
    for op in ops {
        op.answer(committed.clone());
    }
}

/// Does a whole group in one transaction. An error means that nothing of it was done.
async fn transact(
    connection: &mut SqliteConnection,
    jobs: Vec<NewJob>,
    ops: &mut [Box<dyn Op>],
    zone: Tz,
) -> Result<Vec<Result<Submitted, submit::SubmitError>>, StoreError> {
    execute(connection, "BEGIN IMMEDIATE", "begin a transaction").await?;
    let result = match within(connection, jobs, ops, zone).await {
        Ok(results) => execute(connection, "COMMIT", "commit").await.map(|()| results),
        Err(error) => Err(error),
    };
    if let Err(error) = &result {
        tracing::error!(%error, "a group of writes was undone");
        // SQLite may have rolled back by itself (disk full, I/O error); then this says so, which changes nothing.
        let _ = sqlx::query("ROLLBACK").execute(connection).await;
    }
    result
}

async fn within(
    tx: &mut Transaction,
    jobs: Vec<NewJob>,
    ops: &mut [Box<dyn Op>],
    zone: Tz,
) -> Result<Vec<Result<Submitted, submit::SubmitError>>, StoreError> {
    let results = if jobs.is_empty() { Vec::new() } else { submit::insert(tx, jobs, zone).await? };
    for op in ops {
        execute(tx, "SAVEPOINT request", "set a savepoint").await?;
        if !op.run(tx).await {
            execute(tx, "ROLLBACK TO request", "undo a refused request").await?;
        }
        execute(tx, "RELEASE request", "release a savepoint").await?;
    }
    Ok(results)
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str, doing: &'static str) -> Result<(), StoreError> {
    sqlx::query(sql).execute(connection).await.map(|_| ()).map_err(StoreError::doing(doing))
}
