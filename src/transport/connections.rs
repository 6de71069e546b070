//! The connections to the listener: how many there are, which of them may stay, and what the rest is told.
//!
//! ```text
//! a connection comes -> a place is free                          -> it has that one
//!                    -> all are taken, some have no request      -> the one that had none for longest is closed for it
//!                    -> all have requests under way     -> the address that has most loses one without a login, if it keeps
//!                                                          no fewer than the newcomer's
//!                    -> no address has more             -> a place of the reserve, for administrators, for 2 s
//!                    -> those are taken as well         -> closed as it comes, before it costs anything
//! ```
//!
//! For its first second a connection is arriving, and makes no room: its handshake may take as long, and who comes often
//! would break off those of all others. Only an address that has more connections than the newcomer's, and will still have no fewer,
//! loses arriving ones to it, and before those with requests under way. In the reserve it loses any that are not an
//! administrator's.
//!
//! A connection without a request under way is idle: also one that shakes hands, or has sent a part of a head. It is closed
//! after as long as a request may take, whatever it speaks and however nicely it answers pings. A request is under
//! way until the last of its answer has been handed to the kernel. A connection is closed, too, if its client takes less than
//! [`LEAST_PROGRESS`] of one of its answers, or of what the kernel could not take at once, in as long, whatever else happens on
//! it. The limits of HTTP itself are set in [`bound`].

mod reserve;
mod stream;
mod table;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Server;
use axum_server::accept::Accept;
use futures_util::future::BoxFuture;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::model::network::Network;

pub(crate) use reserve::{Crowded, Visit, for_administrators};
use stream::Counted;
pub(crate) use stream::Watched;
pub(crate) use table::{ConnectionId, Counts, LEAST_PROGRESS, Line, RESERVED, Table};

/// The most of a head of HTTP/1, and of what is read of a body at once. Each connection may hold as much.
const MOST_READ: usize = 64 << 10;

/// The most headers of a request.
const MOST_HEADERS: usize = 100;

/// The most of a head of HTTP/2. With it h2 bounds its CONTINUATION frames, too.
const MOST_HEAD: u32 = 32 << 10;

/// Requests of one connection at a time (HTTP/2). RFC 9113 advises at least 100, for pages of many parts; nobody here
/// has more than a few at a time, and each may hold a body.
const MOST_STREAMS: u32 = 16;

/// What a client may send of a body before this server has read it: of one request, and of all requests of a connection. A
/// connection holds the second at most, whatever the number of its requests.
const STREAM_WINDOW: u32 = 128 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;

/// What of an answer is handed to HTTP/2 before it could be sent.
const MOST_SEND_BUFFER: usize = 16 << 10;

/// The smallest frame that every HTTP/2 takes (RFC 9113, 4.2).
const MOST_FRAME: u32 = 16 << 10;

/// Requests that their client has reset before this server has even looked at them (CVE-2023-44487, "rapid reset"): one more
/// ends the connection.
const MOST_PENDING_RESETS: usize = 20;

/// Requests that this server has reset for errors of their client (CVE-2025-8671, "made you reset"): one more ends it too.
const MOST_ERROR_RESETS: usize = 128;

/// How often a client of HTTP/2 is asked whether it is still there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(20);
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// The longest that shaking hands (TLS) may take.
pub(crate) const LONGEST_HANDSHAKE: Duration = Duration::from_secs(10);

/// Sets the limits of both versions of HTTP. Nothing here is left to the defaults of a library.
pub(crate) fn bound<A>(server: Server<SocketAddr, A>, table: &Arc<Table>) -> Server<SocketAddr, Bounded<A>> {
    let table = table.clone();
    let mut server =
        server.first_request_timeout(table.patience()).map(|inner| Bounded { inner, table: table.clone() });
    server
        .http_builder()
        .http1()
        .header_read_timeout(table.patience())
        .max_headers(MOST_HEADERS)
        .max_buf_size(MOST_READ);
    server
        .http_builder()
        .http2()
        .max_concurrent_streams(MOST_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .adaptive_window(false)
        .max_frame_size(MOST_FRAME)
        .max_send_buf_size(MOST_SEND_BUFFER)
        .max_header_list_size(MOST_HEAD)
        .max_pending_accept_reset_streams(MOST_PENDING_RESETS)
        .max_local_error_reset_streams(MOST_ERROR_RESETS)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_WITHIN);
    server
}

/// Accepts as another acceptor does, within the bound.
#[derive(Clone)]
pub(crate) struct Bounded<A> {
    inner: A,
    table: Arc<Table>,
}

impl<A, S> Accept<TcpStream, S> for Bounded<A>
where
    A: Accept<TcpStream, S>,
    A::Future: Send + 'static,
    A::Stream: Send,
    A::Service: Send,
{
    type Stream = Watched<A::Stream>;
    type Service = Counted<A::Service>;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let network = stream.peer_addr().ok().map(|peer| Network::of_caller(peer.ip()));
        let Some(place) = self.table.take(network, Instant::now()) else {
            return Box::pin(async { Err(io::Error::other("too many connections")) });
        };
        let accepted = self.inner.accept(stream, service);
        Box::pin(async move {
            let place = Arc::new(place);
            let (stream, service) = tokio::select! {
                accepted = accepted => accepted?,
                () = place.closed() => return Err(io::ErrorKind::ConnectionAborted.into()),
            };
            Ok((Watched::new(stream, place.clone()), Counted::new(service, place)))
        })
    }
}

/// Closes connections when their time is over, for ever.
pub(crate) async fn watch(table: Arc<Table>) {
    loop {
        let changed = table.changed();
        match table.sweep(Instant::now()) {
            Some(next) => {
                // Whichever comes first; what it was is found out by looking again.
                let _ = tokio::time::timeout_at(next, changed).await;
            }
            None => changed.await,
        }
    }
}

#[cfg(test)]
mod tests;
