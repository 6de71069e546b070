//! What becomes of connections at a listener.

use std::net::TcpListener;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::transport::budget::Budgets;

/// Nothing here takes as long, unless it hangs.
const GUARD: Duration = Duration::from_secs(30);

const ANSWER: usize = 4 << 20;

struct Site {
    address: SocketAddr,
    budgets: Budgets,
    task: JoinHandle<io::Result<()>>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Gives long answers, of which two and a half have room.
fn site() -> Site {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let (address, table) = (socket.local_addr().unwrap(), Table::new(100, Duration::from_secs(60)));
    let budgets = Budgets::new(1 << 20, ANSWER as u64 * 5 / 2, Duration::from_secs(60));
    let own = budgets.clone();
    let answer = move |request: Request| {
        let charge = own.charge(&request.into_parts().0);
        async move {
            match charge.answer(ANSWER as u64).await {
                Ok(charge) => Body::from(charge.around(vec![b'x'; ANSWER])).into_response(),
                Err(busy) => busy.to_string().into_response(),
            }
        }
    };
    let router = Router::new().route("/long", get(answer));
    let app = router.into_make_service_with_connect_info::<SocketAddr>();
    let task = tokio::spawn(async move { bound(axum_server::from_tcp(socket)?, &table).serve(app).await });
    Site { address, budgets, task }
}

async fn connect(site: &Site, from: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    socket.connect(site.address).await.unwrap()
}

async fn end(stream: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(GUARD, stream.read_to_end(&mut answer)).await.expect("it ends");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_reads_make_room_for_those_of_others() {
    const ASK: &[u8] = b"GET /long HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let site = site();
    let held = || site.budgets.held()[1].bytes;
    let mut silent = Vec::new();
    for number in 1..=2 {
        let mut stream = connect(&site, "127.0.0.1").await;
        stream.write_all(ASK).await.unwrap();
        while held() < number * ANSWER as u64 {
            tokio::task::yield_now().await;
        }
        silent.push(stream);
    }
    // No room is left. One from elsewhere, who reads, has that of an answer that is not read.
    let mut other = connect(&site, "127.0.0.2").await;
    other.write_all(ASK).await.unwrap();
    assert!(end(&mut other).await.len() > ANSWER);
    let mut lengths = Vec::new();
    for stream in &mut silent {
        lengths.push(end(stream).await.len() > ANSWER);
    }
    lengths.sort_unstable();
    assert_eq!(lengths, [false, true], "one connection was enough");
    while held() > 0 {
        tokio::task::yield_now().await;
    }
}
