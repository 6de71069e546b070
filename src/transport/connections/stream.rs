//! A connection, and the requests that come by it, as the table sees them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::http::{Request, Response, Version};
use futures_util::future::BoxFuture;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tower::Service;

use super::table::{self, Place};

/// A connection that ends when the table says so. Then nothing more comes from it, and nothing more goes out.
pub(crate) struct Watched<S> {
    stream: S,
    place: Arc<Place>,
    /// Wakes whoever reads.
    told: Pin<Box<WaitForCancellationFutureOwned>>,
    is_blocked: bool,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, place: Arc<Place>) -> Self {
        let told = Box::pin(place.told().cancelled_owned());
        Self { stream, place, told, is_blocked: false }
    }

    /// Tells the table when the kernel begins, or ends, to take nothing.
    fn note<T>(&mut self, sent: Poll<T>) -> Poll<T> {
        if sent.is_pending() != self.is_blocked {
            self.is_blocked = sent.is_pending();
            self.place.set_blocked(self.is_blocked);
        }
        sent
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
        let sent = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.place.is_closed() {
            return Poll::Ready(Err(ended()));
        }
        let sent = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_pending() && self.place.is_closed() {
            return Poll::Ready(Err(ended()));
        }
        self.note(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        if shut.is_pending() && self.place.is_closed() {
            return Poll::Ready(Err(ended()));
        }
        self.note(shut)
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
        let mut under_way = self.place.begin();
        if request.version() <= Version::HTTP_11 {
            // To break it off is to end the connection.
            under_way.complete();
        }
        request.extensions_mut().insert(self.place.id());
        if let Some(reserve) = self.place.reserve() {
            request.extensions_mut().insert(reserve.clone());
        }
        let answering = self.inner.call(request);
        Box::pin(async move {
            let answer = answering.await?;
            under_way.answered();
            Ok(answer.map(|body| Body::new(Answer { body, under_way })))
        })
    }
}

/// The body of an answer.
struct Answer {
    body: Body,
    under_way: table::Request,
}

impl Drop for Answer {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
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
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        // It is asked for more when what was before has found room.
        self.under_way.goes_on();
        if frame.is_none() {
            self.under_way.complete();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
