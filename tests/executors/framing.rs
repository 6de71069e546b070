//! How an answer says where it ends, and what several answers say together: what is fetched is whole, or refused with the reason.

use std::io::Write;
use std::net::SocketAddr;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::urls::{fetch, world};
use crate::world::jpeg;

/// What is said of the length, whether the body comes in frames, and why it is refused if it is.
const CASES: &[(&str, bool, Option<&str>)] = &[
    ("Transfer-Encoding: chunked", true, None),
    ("Transfer-Encoding: Chunked", true, None),
    ("Transfer-Encoding: chunked\r\nContent-Length: LENGTH", true, None),
    ("Transfer-Encoding: chunked\r\nContent-Length: 9999", true, Some("of 9,999 bytes came")),
    ("Transfer-Encoding: chunked\r\nContent-Length: 10", true, Some("the server sent another part of the file")),
    ("Transfer-Encoding: chunked\r\nContent-Length: 10\r\nContent-Length: LENGTH", true, Some("in several ways")),
    ("Transfer-Encoding: chunked\r\nContent-Length: many", true, Some("in none that can be read")),
    ("Transfer-Encoding: identity", false, Some("it came with Transfer-Encoding: identity, and only chunked is read")),
    ("Transfer-Encoding: gzip", false, Some("Transfer-Encoding: gzip")),
    ("Transfer-Encoding: gzip, chunked", true, Some("Transfer-Encoding: gzip, chunked")),
    ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", true, Some("Transfer-Encoding: gzip, chunked")),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", true, Some("Transfer-Encoding: chunked, chunked")),
    ("Transfer-Encoding: identity\r\nContent-Length: LENGTH", false, Some("Transfer-Encoding: identity")),
];

fn picture(case: usize) -> Vec<u8> {
    jpeg(24, case as u8)
}

/// The head of a request.
async fn request(socket: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if socket.read_buf(&mut request).await.unwrap() == 0 {
            return None;
        }
    }
    Some(String::from_utf8(request).unwrap())
}

async fn serve_one(mut socket: TcpStream) {
    let Some(request) = request(&mut socket).await else { return };
    let case: usize = request.split(['/', '.']).nth(1).unwrap().parse().unwrap();
    let (fields, is_framed, _) = CASES[case];
    let (body, fields) = (picture(case), fields.replace("LENGTH", &picture(case).len().to_string()));
    let mut answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\nConnection: close\r\n\r\n").into_bytes();
    if is_framed {
        answer.extend(format!("{:x}\r\n", body.len()).bytes());
        answer.extend(&body);
        answer.extend(b"\r\n0\r\n\r\n");
    } else {
        answer.extend(&body);
    }
    // Whoever has heard enough hangs up.
    let _ = socket.write_all(&answer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_tells_its_end_in_one_way_is_taken() {
    let world = world(|_| ()).await;
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let server = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(serve_one(socket));
        }
    });
    let urls: Vec<(String, &str)> = (0..CASES.len()).map(|case| (format!("http://{server}/{case}.jpg"), "")).collect();
    let done = fetch(&world, &urls).await;
    let text = done.text();
    for (case, (fields, _, refused)) in CASES.iter().enumerate() {
        let stored = world.store.asset_named(world.company, &case.to_string()).await.unwrap();
        match refused {
            None => {
                let blob = stored.unwrap_or_else(|| panic!("{fields}: {text}")).master.blob;
                assert_eq!(world.blobs.content(&blob, 1 << 20).unwrap(), picture(case), "{fields}");
            }
            Some(why) => {
                assert_eq!(stored, None, "{fields}: {text}");
                let start = format!("UploadError: http://{server}/{case}.jpg could not be fetched: ");
                let line = text.lines().find_map(|line| line.strip_prefix(&start));
                assert!(line.is_some_and(|line| line.contains(why)), "{fields}: {line:?}\n{text}");
            }
        }
    }
    assert_eq!(text.matches("The server did not say how long").count(), 0, "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_that_do_not_fit_their_encoding_are_begun_anew_once() {
    for is_mended in [true, false] {
        let world = world(|_| ()).await;
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let server = listener.local_addr().unwrap();
        let served = tokio::spawn(async move {
            let mut packed = GzEncoder::new(Vec::new(), Compression::default());
            packed.write_all(&picture(1)).unwrap();
            let packed = packed.finish().unwrap();
            let (half, length) = (packed.len() / 2, packed.len());
            let mut ranges = Vec::new();
            // Half of it; then other bytes under the same tag; then all of it, or the same once more.
            for turn in [0, 1, 2, 3].into_iter().take(if is_mended { 3 } else { 4 }) {
                let (mut socket, _) = listener.accept().await.unwrap();
                let request = request(&mut socket).await.unwrap().to_ascii_lowercase();
                ranges.push(request.contains("range: bytes="));
                let fields = "ETag: \"v1\"\r\nContent-Encoding: gzip\r\nConnection: close";
                let whole = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{fields}\r\n\r\n").into_bytes();
                let answer = match turn {
                    2 if is_mended => [whole, packed.clone()].concat(),
                    0 | 2 => [whole, packed[..half].to_vec()].concat(),
                    _ => {
                        let range = format!("Content-Range: bytes {half}-{}/{length}", length - 1);
                        let head = format!(
                            "HTTP/1.1 206 Part\r\nContent-Length: {}\r\n{range}\r\n{fields}\r\n\r\n",
                            length - half
                        );
                        [head.into_bytes(), vec![0xaa; length - half]].concat()
                    }
                };
                socket.write_all(&answer).await.unwrap();
            }
            ranges
        });
        let done = fetch(&world, &[(format!("http://{server}/shoe.jpg"), "")]).await;
        let text = done.text();
        assert_eq!(text.matches("It is fetched once more from the beginning").count(), 1, "{text}");
        let stored = world.store.asset_named(world.company, "shoe").await.unwrap();
        let ranges = served.await.unwrap();
        if is_mended {
            assert_eq!(ranges, [false, true, false], "{text}");
            assert_eq!(world.blobs.content(&stored.unwrap().master.blob, 1 << 20).unwrap(), picture(1), "{text}");
        } else {
            assert_eq!(ranges, [false, true, false, true], "{text}");
            assert_eq!(stored, None, "{text}");
            assert!(text.contains("cannot be decoded"), "{text}");
        }
    }
}
