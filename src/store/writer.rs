//! The writer: the only task that writes, and the group commit.
//!
//! Requests wait in a channel. The writer takes all that are there, does them in one transaction and commits; then it
//! rings the bells of the engine and answers all of them. While it waits for the disk, the next group gathers. Each
//! request runs inside a savepoint of its own, so that one that fails, or panics, takes none of its neighbours with it.
//! Submissions and ends of runs are written by bulk statements, because the price of a statement is its hand-off, not
//! its rows; when a bulk fails, or panics, its requests are written one by one, so that only the bad one is refused.
//!
//! The bells are rung here and not by the caller, because a caller may be gone (a client that hung up) by the time its
//! write is committed.

use std::any::Any;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use chrono_tz::Tz;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::StoreError;
use super::jobs::finish::{self, Finish, Finished};
use super::jobs::submit::{self, NewJob, SubmitError, Submitted};
use super::signal::{Bell, Signals};
use super::stats::Stats;
use super::wal;

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
    fn answer(self: Box<Self>, committed: Result<(), StoreError>, signals: &Signals);
}

/// What a request said, or the panic it ended in, which goes on in its caller.
type Outcome<T, E> = Result<Result<T, E>, Box<dyn Any + Send>>;

/// What rings when a request is committed.
pub enum Bells<T> {
    These(&'static [Bell]),
    /// By what it came to.
    By(fn(&T) -> &'static [Bell]),
}

impl<T> Bells<T> {
    fn of(&self, done: &T) -> &'static [Bell] {
        match self {
            Self::These(bells) => bells,
            Self::By(bells) => bells(done),
        }
    }
}

struct Closure<T, E, F> {
    work: Option<F>,
    outcome: Option<Outcome<T, E>>,
    bells: Bells<T>,
    reply: oneshot::Sender<Outcome<T, E>>,
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
                self.outcome = Some(AssertUnwindSafe(async { work(tx).await }).catch_unwind().await);
            }
            matches!(self.outcome, Some(Ok(Ok(_))))
        })
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>, signals: &Signals) {
        let outcome = match (self.outcome, committed) {
            // A refusal stands whatever became of the group.
            (Some(undone @ (Ok(Err(_)) | Err(_))), _) => undone,
            (Some(done), Ok(())) => {
                let bells = done.as_ref().ok().and_then(|done| done.as_ref().ok()).map(|done| self.bells.of(done));
                bells.into_iter().flatten().for_each(|bell| signals.ring(*bell));
                done
            }
            (_, Err(error)) => Ok(Err(error.into())),
            (None, Ok(())) => Ok(Err(StoreError::Closed.into())),
        };
        // A caller that has gone away no longer wants to know.
        let _ = self.reply.send(outcome);
    }
}

/// A request that is written together with others of its sort.
trait Bulk: Sized + Sync {
    type Done: Send;
    type Error: From<StoreError> + Send;

    /// Writes all of `requests`; an error means that none was written.
    fn write(
        tx: &mut Transaction,
        requests: &[Self],
        zone: Tz,
    ) -> impl Future<Output = Result<Results<Self>, StoreError>> + Send;

    /// What rings when it is committed.
    fn bells(done: &Self::Done) -> impl Iterator<Item = Bell>;
}

impl Bulk for NewJob {
    type Done = Submitted;
    type Error = SubmitError;

    async fn write(tx: &mut Transaction, jobs: &[Self], zone: Tz) -> Result<Results<Self>, StoreError> {
        submit::insert(tx, jobs, zone).await
    }

    fn bells(submitted: &Submitted) -> impl Iterator<Item = Bell> {
        std::iter::once(if submitted.run.is_some() { Bell::Waiting } else { Bell::Triggers })
    }
}

impl Bulk for Finish {
    type Done = Finished;
    type Error = StoreError;

    async fn write(tx: &mut Transaction, finishes: &[Self], zone: Tz) -> Result<Results<Self>, StoreError> {
        Ok(finish::finish_all(tx, finishes, zone).await?.into_iter().map(Ok).collect())
    }

    fn bells(finished: &Finished) -> impl Iterator<Item = Bell> {
        let bells = [(finished.told, Bell::Outbox), (finished.follow_up, Bell::Waiting)];
        bells.into_iter().filter_map(|(rings, bell)| rings.then_some(bell))
    }
}

type Results<B> = Vec<Result<<B as Bulk>::Done, <B as Bulk>::Error>>;

type Reply<B> = oneshot::Sender<Result<<B as Bulk>::Done, <B as Bulk>::Error>>;

/// The requests of one sort in a group, and whom to answer.
struct Batch<B: Bulk> {
    requests: Vec<B>,
    replies: Vec<Reply<B>>,
}

impl<B: Bulk> Batch<B> {
    const fn new() -> Self {
        Self { requests: Vec::new(), replies: Vec::new() }
    }

    fn push(&mut self, (request, reply): (B, Reply<B>)) {
        self.requests.push(request);
        self.replies.push(reply);
    }

    /// An error undid the whole transaction.
    async fn write(&self, tx: &mut Transaction, zone: Tz) -> Result<Results<B>, StoreError> {
        if self.requests.is_empty() {
            return Ok(Vec::new());
        }
        if let Ok(results) = in_savepoint(tx, &self.requests, zone).await? {
            return Ok(results);
        }
        let mut results = Vec::with_capacity(self.requests.len());
        for request in self.requests.chunks(1) {
            match in_savepoint(tx, request, zone).await? {
                Ok(result) => results.extend(result),
                Err(error) => results.push(Err(error.into())),
            }
        }
        Ok(results)
    }

    fn answer(self, results: Result<Results<B>, StoreError>, signals: &Signals) {
        let results = results.unwrap_or_else(|error| self.replies.iter().map(|_| Err(error.clone().into())).collect());
        for bell in results.iter().filter_map(|result| result.as_ref().ok()).flat_map(B::bells) {
            signals.ring(bell);
        }
        for (reply, result) in self.replies.into_iter().zip(results) {
            // A caller that has gone away no longer wants to know.
            let _ = reply.send(result);
        }
    }
}

/// The inner error undid these requests only, the outer one the whole transaction.
async fn in_savepoint<B: Bulk>(
    tx: &mut Transaction,
    requests: &[B],
    zone: Tz,
) -> Result<Result<Results<B>, StoreError>, StoreError> {
    execute(tx, "SAVEPOINT bulk", "set a savepoint").await?;
    let result = AssertUnwindSafe(B::write(tx, requests, zone)).catch_unwind().await.unwrap_or_else(|_| {
        // The panic itself is in the log. It must not be the end of the writer.
        let reason = "an internal error; the daemon's log says more".to_owned();
        Err(StoreError::Database { doing: "write what was asked for", reason })
    });
    if let Err(error) = &result {
        // Without a savepoint to go back to SQLite has undone everything, for the reason that the statement gave.
        execute(tx, "ROLLBACK TO bulk", "undo a bulk").await.map_err(|_| error.clone())?;
    }
    execute(tx, "RELEASE bulk", "release a savepoint").await?;
    Ok(result)
}

enum Request {
    Submit(Box<(NewJob, Reply<NewJob>)>),
    Finish(Box<(Finish, Reply<Finish>)>),
    Op(Box<dyn Op>),
}

/// The callers' end.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Request>,
    /// Nothing more is taken.
    closing: CancellationToken,
    /// The connection is closed.
    closed: CancellationToken,
}

impl Writer {
    /// Starts the writer. It ends, and closes its connection, when it is told to or the last [`Writer`] is gone.
    pub fn start(connection: SqliteConnection, zone: Tz, signals: Arc<Signals>, stats: Arc<Stats>) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE);
        let (closing, closed) = (CancellationToken::new(), CancellationToken::new());
        let ended = closed.clone().drop_guard();
        let run = run(connection, requests, zone, signals, stats, closing.clone());
        let written = async move {
            run.await;
            drop(ended);
        };
        // Whoever opens a database inside a span sees there what is written to it.
        tokio::spawn(written.in_current_span());
        Self { queue, closing, closed }
    }

    /// Does what waits, takes nothing more, and closes the connection.
    pub async fn close(&self) {
        self.closing.cancel();
        self.closed.cancelled().await;
    }

    pub async fn submit(&self, job: NewJob) -> Result<Submitted, SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Submit(Box::new((job, reply)))).await?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    pub async fn finish(&self, finish: Finish) -> Result<Finished, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Finish(Box::new((finish, reply)))).await?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Does `work`, and rings `bells` when it is committed.
    pub async fn write<T, E, F>(&self, bells: Bells<T>, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Transaction) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Op(Box::new(Closure { work: Some(work), outcome: None, bells, reply }))).await?;
        answer.await.map_err(|_| StoreError::Closed)?.unwrap_or_else(|panic| resume_unwind(panic))
    }

    async fn send(&self, request: Request) -> Result<(), StoreError> {
        self.queue.send(request).await.map_err(|_| StoreError::Closed)
    }
}

async fn run(
    mut connection: SqliteConnection,
    mut requests: mpsc::Receiver<Request>,
    zone: Tz,
    signals: Arc<Signals>,
    stats: Arc<Stats>,
    closing: CancellationToken,
) {
    let mut group = Vec::new();
    loop {
        tokio::select! {
            biased;
            received = requests.recv_many(&mut group, GROUP) => if received == 0 { break },
            () = closing.cancelled(), if !requests.is_closed() => {
                requests.close();
                continue;
            }
        }
        stats.group_size.observe(group.len() as f64);
        commit_group(&mut connection, group.drain(..), zone, &signals).await;
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the database was not closed cleanly; it will recover when it is opened again");
    }
}

async fn commit_group(
    connection: &mut SqliteConnection,
    requests: impl Iterator<Item = Request>,
    zone: Tz,
    signals: &Signals,
) {
    let mut group = Group { jobs: Batch::new(), finishes: Batch::new(), ops: Vec::new() };
    for request in requests {
        match request {
            Request::Submit(submission) => group.jobs.push(*submission),
            Request::Finish(finish) => group.finishes.push(*finish),
            Request::Op(op) => group.ops.push(op),
        }
    }
    let (submitted, finished, committed) = match transact(connection, &mut group, zone).await {
        Ok(done) => (Ok(done.submitted), Ok(done.finished), Ok(())),
        Err(error) => (Err(error.clone()), Err(error.clone()), Err(error)),
    };
    group.jobs.answer(submitted, signals);
    group.finishes.answer(finished, signals);
    for op in group.ops {
        op.answer(committed.clone(), signals);
    }
}

/// What shares a transaction.
struct Group {
    jobs: Batch<NewJob>,
    finishes: Batch<Finish>,
    ops: Vec<Box<dyn Op>>,
}

struct Done {
    submitted: Results<NewJob>,
    finished: Results<Finish>,
}

/// Does a whole group in one transaction. An error means that nothing of it was done.
async fn transact(connection: &mut SqliteConnection, group: &mut Group, zone: Tz) -> Result<Done, StoreError> {
    let result = async {
        let begun = wal::begin(connection).await?;
        let done = within(connection, group, zone).await?;
        begun.commit(connection).await?;
        Ok(done)
    };
    let result = result.await;
    if let Err(error) = &result {
        tracing::error!(%error, "a group of writes was undone");
        // SQLite may have rolled back by itself (disk full, I/O error); then this says so, which changes nothing. Where a
        // transaction could not begin, one may have been left open that could not be undone either.
        let _ = sqlx::query("ROLLBACK").execute(connection).await;
    }
    result
}

async fn within(tx: &mut Transaction, group: &mut Group, zone: Tz) -> Result<Done, StoreError> {
    let submitted = group.jobs.write(tx, zone).await?;
    let finished = group.finishes.write(tx, zone).await?;
    if !group.ops.is_empty() {
        execute(tx, "SAVEPOINT request", "set a savepoint").await?;
        for op in &mut group.ops {
            if op.run(tx).await {
                // One hand-off for the end of this one and the beginning of the next.
                execute(tx, "RELEASE request; SAVEPOINT request", "move a savepoint").await?;
            } else {
                execute(tx, "ROLLBACK TO request", "undo a refused request").await?;
            }
        }
        execute(tx, "RELEASE request", "release a savepoint").await?;
    }
    Ok(Done { submitted, finished })
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str, doing: &'static str) -> Result<(), StoreError> {
    sqlx::query(sql).execute(connection).await.map(|_| ()).map_err(StoreError::doing(doing))
}

#[cfg(test)]
mod tests;
