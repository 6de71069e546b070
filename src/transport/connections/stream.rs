//! A connection, and the requests that come by it, as the table sees them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::http::{Request, Response, Version};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tower::Service;

use super::table::{self, Place};

/// What of an answer is handed on at once. What a client has taken is known in such steps.
const PIECE: usize = 16 << 10;

/// A connection that ends when the table says so. Then nothing more comes from it, and nothing more goes out.
pub(crate) struct Watched<S> {
    stream: S,
    place: Arc<Place>,
    /// Wakes whoever reads.
    told: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The kernel has not taken all that there was to send.
    is_stuck: bool,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, place: Arc<Place>) -> Self {
        let told = Box::pin(place.told().cancelled_owned());
        Self { stream, place, told, is_stuck: false }
    }

    /// Tells the table what the kernel takes, from when it first took less than there was until it has all.
    fn note_written(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => self.note_stuck(),
            Poll::Ready(Ok(bytes)) if self.is_stuck => self.place.took(*bytes, Instant::now()),
            Poll::Ready(_) => {}
        }
        written
    }

    fn note_flushed(&mut self, flushed: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        if flushed.is_pending() {
            self.note_stuck();
        } else if std::mem::take(&mut self.is_stuck) {
            self.place.flushed();
        }
        flushed
    }

    fn note_stuck(&mut self) {
        if !std::mem::replace(&mut self.is_stuck, true) {
            self.place.stuck(Instant::now());
        }
    }
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the server closes the connection")
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.place.is_closed() || self.told.as_mut().poll(cx).is_ready() {
            // As if the client had closed its side: HTTP ends what it has begun.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.place.is_closed() {
            return Poll::Ready(Err(ended()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note_written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.place.is_closed() {
            return Poll::Ready(Err(ended()));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note_written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_pending() && self.place.is_closed() {
            return Poll::Ready(Err(ended()));
        }
        self.note_flushed(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        if shut.is_pending() && self.place.is_closed() {
            return Poll::Ready(Err(ended()));
        }
        self.note_flushed(shut)
    }
}

/// Counts the requests of a connection as under way, until their answers are sent.
#[derive(Debug, Clone)]
pub(crate) struct Counted<S> {
    inner: S,
    place: Arc<Place>,
}

impl<S> Counted<S> {
    pub(super) const fn new(inner: S, place: Arc<Place>) -> Self {
        Self { inner, place }
    }
}

impl<S, B> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let under_way = self.place.begin();
        if request.version() <= Version::HTTP_11 {
            // To break it off is to end the connection.
            under_way.complete();
        }
        request.extensions_mut().insert(self.place.id());
        request.extensions_mut().insert(self.place.visit().clone());
        request.extensions_mut().insert(self.place.line().clone());
        let answering = self.inner.call(request);
        Box::pin(async move {
            let answer = answering.await?;
            under_way.answered(Instant::now());
            let under_way = Arc::new(under_way);
            Ok(answer.map(|body| Body::new(Answer { body, rest: Bytes::new(), under_way, is_waited_for: false })))
        })
    }
}

/// The body of an answer, in pieces that each tell when they have been sent.
struct Answer {
    body: Body,
    /// What has been taken from it and is still to be handed on.
    rest: Bytes,
    under_way: Arc<table::Request>,
    /// The client would take more, and there is no more yet.
    is_waited_for: bool,
}

impl Answer {
    /// The clock of the client stands while it waits for us.
    fn note_made<T>(&mut self, made: Poll<T>) -> Poll<T> {
        if made.is_pending() {
            if !std::mem::replace(&mut self.is_waited_for, true) {
                self.under_way.waits();
            }
        } else if std::mem::take(&mut self.is_waited_for) {
            self.under_way.answered(Instant::now());
        }
        made
    }
}

/// Bytes on their way. HTTP lets go of them when the kernel has them; until then the request is under way.
struct Piece {
    bytes: Bytes,
    under_way: Arc<table::Request>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.under_way.took(self.bytes.len(), Instant::now());
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if self.is_end_stream() {
            self.under_way.complete();
        }
    }
}

impl HttpBody for Answer {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        while self.rest.is_empty() {
            let made = Pin::new(&mut self.body).poll_frame(cx);
            match ready!(self.note_made(made)).transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => self.rest = data,
                Some(Err(trailers)) => return Poll::Ready(Some(Ok(trailers))),
                None => {
                    self.under_way.complete();
                    return Poll::Ready(None);
                }
            }
        }
        let length = self.rest.len().min(PIECE);
        let piece = Piece { bytes: self.rest.split_to(length), under_way: self.under_way.clone() };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (of_body, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(of_body.lower() + rest);
        if let Some(upper) = of_body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{FutureExt, StreamExt, stream};
    use tokio::sync::oneshot;

    use super::super::table::Table;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// An answer is made as a slow disk gives it; the client takes all that there is.
    #[tokio::test]
    async fn a_client_is_not_blamed_for_an_answer_that_is_not_made() {
        let table = Table::new(8, PATIENCE);
        let place = Arc::new(table.take(None, Instant::now()).unwrap());
        let under_way = Arc::new(place.begin());
        under_way.answered(Instant::now());
        let (make, made) = oneshot::channel::<Bytes>();
        let body = Body::from_stream(stream::once(made).chain(stream::pending()));
        let mut answer = Answer { body, rest: Bytes::new(), under_way, is_waited_for: false };
        let mut take = || std::future::poll_fn(|cx| Pin::new(&mut answer).poll_frame(cx)).now_or_never().is_some();
        assert!(!take());
        let later = Instant::now() + PATIENCE;
        table.sweep(later);
        assert!(!place.is_closed(), "it would take more");
        make.send(Bytes::from_static(b"some")).unwrap();
        assert!(take());
        table.sweep(Instant::now() + PATIENCE);
        assert!(place.is_closed(), "now there is some that it does not take");
    }
}
