//! Connections and what requests hold: who may stay, who makes room, who is turned away. HTTP/2 is spoken by hand, so that it
//! can be spoken badly.

use std::time::Duration;

use prepress::config::{Config, Period};
use prepress::model::role::Role;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{PASSWORD, Server, envelope};
use crate::upload_file::{Form, OPTIONS, png};
use crate::{ADA, NEWEST};

const SOAP: &str = "/scene7/services/IpsApiService";
const ROOT: &str = "root@acme.example";

/// Nothing here takes as long, unless it hangs.
const GUARD: Duration = Duration::from_secs(30);

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// `GET /healthz` as HPACK has it without tables of its own.
const HEALTH: &[u8] = b"\x82\x86\x04\x08/healthz\x01\x01x";

/// The same of `HEAD`.
const HEAD_HEALTH: &[u8] = b"\x02\x04HEAD\x86\x04\x08/healthz\x01\x01x";

/// The same of `POST` to the address of SOAP.
const POST_SOAP: &[u8] = b"\x83\x86\x04\x1e/scene7/services/IpsApiService\x01\x01x";

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A client that sends what it is told, whatever HTTP/2 says of it.
struct Raw(TcpStream);

impl Raw {
    async fn connect(server: &Server) -> Self {
        let mut raw = Self(TcpStream::connect(server.address()).await.unwrap());
        raw.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        raw.send(SETTINGS, 0, 0, b"").await;
        raw
    }

    /// A server that has had enough may have closed its side.
    async fn write(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).await.is_ok()
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.write(&frame(kind, flags, stream, payload)).await
    }

    /// None when the server has closed the connection.
    async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        let read = tokio::time::timeout(GUARD, self.0.read_exact(&mut head)).await.expect("something comes");
        read.ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    async fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == PING && frame.flags & ACK == 0 {
                self.send(PING, ACK, 0, &frame.payload).await;
            }
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    async fn get_health(&mut self, stream: u32) {
        self.send(HEADERS, END_STREAM | END_HEADERS, stream, HEALTH).await;
        let body = self.next_of(DATA).await.expect("an answer");
        assert_eq!((body.stream, body.payload.as_slice()), (stream, br#"{"status":"alive"}"#.as_slice()));
    }

    async fn is_closed(&mut self) -> bool {
        self.next_of(u8::MAX).await.is_none()
    }
}

async fn server(configure: impl FnOnce(&mut Config)) -> Server {
    let server = Server::start_with(None, configure).await;
    server.company("Acme", 47).await;
    server.user(ADA, "Acme", Role::IpsUser).await;
    server.user(ROOT, "Acme", Role::IpsUser).await;
    server.execute(&format!("UPDATE account SET is_ips_admin = 1 WHERE email = '{ROOT}'")).await;
    server
}

/// An answer, its head and all, over a connection of its own.
async fn get(server: &Server, path: &str, more: &str) -> String {
    server.raw(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{more}\r\n").as_bytes()).await
}

async fn metric(server: &Server, line: &str) -> u64 {
    let page = get(server, "/metrics", "").await;
    let found = page.lines().find_map(|found| found.strip_prefix(line)).unwrap_or_else(|| panic!("{line}: {page}"));
    found.trim().parse().unwrap()
}

fn call(user: &str) -> String {
    let login =
        format!("<authHeader xmlns=\"{NEWEST}\"><user>{user}</user><password>{PASSWORD}</password></authHeader>");
    envelope(
        &login,
        &format!("<getCompanyInfoParam xmlns=\"{NEWEST}\"><companyName>Acme</companyName></getCompanyInfoParam>"),
    )
}

/// A request of which the server has read the head, and waits for the rest.
async fn under_way(server: &Server, length: usize) -> TcpStream {
    under_way_with(server, length, "").await
}

async fn under_way_with(server: &Server, length: usize, more: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head =
        format!("POST {SOAP} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n{more}Content-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

/// Somebody with another address, which all belong to who asks himself.
async fn from_elsewhere(server: &Server, request: &str) -> String {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut stream = socket.connect(server.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    end(&mut stream).await
}

fn basic(user: &str) -> String {
    use base64::Engine;
    let login = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{PASSWORD}"));
    format!("Authorization: Basic {login}\r\n")
}

async fn end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(GUARD, stream.read_to_end(&mut answer)).await.expect("it ends");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_http_2_are_told_the_limits() {
    let server = server(|_| {}).await;
    let mut raw = Raw::connect(&server).await;
    let told = raw.next_of(SETTINGS).await.unwrap().payload;
    let settings: Vec<(u16, u32)> = told
        .chunks(6)
        .map(|pair| (u16::from_be_bytes([pair[0], pair[1]]), u32::from_be_bytes([pair[2], pair[3], pair[4], pair[5]])))
        .collect();
    // Streams, the window of each, frames, and heads. RFC 9113, 6.5.2.
    for setting in [(3, 16), (4, 128 << 10), (5, 16 << 10), (6, 32 << 10)] {
        assert!(settings.contains(&setting), "{setting:?} in {settings:?}");
    }
    let window = raw.next_of(WINDOW_UPDATE).await.unwrap();
    let more = u32::from_be_bytes(window.payload.try_into().unwrap());
    assert_eq!((window.stream, more + 65_535), (0, 256 << 10), "the window of the connection");

    // A request too many, and a byte too many.
    for stream in (1..=33).step_by(2) {
        raw.send(HEADERS, END_HEADERS, stream, POST_SOAP).await;
    }
    let refused = raw.next_of(RST_STREAM).await.unwrap();
    assert_eq!((refused.stream, refused.payload), (33, vec![0, 0, 0, 7]), "REFUSED_STREAM");
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_make_room_the_oldest_first() {
    let server = server(|config| config.server.max_connections = 4).await;
    let mut silent = Vec::new();
    for _ in 0..4 {
        let mut raw = Raw::connect(&server).await;
        raw.get_health(1).await;
        silent.push(raw);
    }
    // It is not the oldest any more.
    silent[0].get_health(3).await;
    let mut new = Vec::new();
    for closed in [1, 2] {
        let mut client = Raw::connect(&server).await;
        client.get_health(1).await;
        assert!(silent[closed].is_closed().await);
        new.push(client);
    }
    for open in [0, 3] {
        silent[open].get_health(5).await;
    }
    // And one more for the client that asks.
    assert_eq!(metric(&server, "prepress_connections_closed_total{why=\"made_room\"}").await, 3);
    assert!(new[0].is_closed().await);
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_without_a_request_are_closed_however_lively_they_are() {
    let server = server(|config| config.server.request_timeout = Period::seconds(1)).await;
    let (mut pings, mut head) = (Raw::connect(&server).await, Raw::connect(&server).await);
    for raw in [&mut pings, &mut head] {
        raw.get_health(1).await;
    }
    // A head that goes on in a frame that does not come.
    head.send(HEADERS, END_STREAM, 3, &HEALTH[..4]).await;
    let mut kept = TcpStream::connect(server.address()).await.unwrap();
    kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let pinging = async { while pings.send(PING, 0, 0, &[7; 8]).await && pings.next_of(PING).await.is_some() {} };
    tokio::time::timeout(GUARD, pinging).await.expect("it is closed");
    assert!(head.is_closed().await);
    assert!(end(&mut kept).await.starts_with("HTTP/1.1 200 "));
    // One that has not even said what it speaks.
    assert_eq!(end(&mut TcpStream::connect(server.address()).await.unwrap()).await, "");
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_of_an_answer_is_given_up() {
    let server = server(|config| config.server.request_timeout = Period::seconds(1)).await;
    let mut raw = Raw(TcpStream::connect(server.address()).await.unwrap());
    raw.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    // No window at all: not a byte of a body may be sent.
    raw.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]).await;
    raw.send(HEADERS, END_STREAM | END_HEADERS, 1, HEALTH).await;
    raw.next_of(HEADERS).await.expect("the head of the answer");
    // Others that it does take do not keep it.
    let asking = async {
        let mut streams = (3..).step_by(2);
        while let Some(stream) = streams.next()
            && raw.send(HEADERS, END_STREAM | END_HEADERS, stream, HEAD_HEALTH).await
            && raw.next_of(HEADERS).await.is_some()
        {}
    };
    tokio::time::timeout(GUARD, asking).await.expect("it is closed");
    assert!(metric(&server, "prepress_connections_closed_total{why=\"time\"}").await >= 1);
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_has_all_places_gives_one_to_another() {
    let server = server(|config| {
        config.server.max_connections = 4;
        config.server.request_timeout = Period::hours(1);
    })
    .await;
    let mut busy = Vec::new();
    for _ in 0..4 {
        busy.push(under_way(&server, 1000).await);
    }
    let body = call(ADA);
    let head =
        format!("POST {SOAP} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    let answer = from_elsewhere(&server, &format!("{head}{body}")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(!end(&mut busy[0]).await.contains("200"), "the oldest of those who have sent no login");
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_bound_supervision_and_administrators_are_answered() {
    // Those that are busy stay so, however slow the machine is.
    let server = server(|config| {
        config.server.max_connections = 2;
        config.server.request_timeout = Period::hours(1);
    })
    .await;
    // Logins that are remembered: two seconds are not for hashing passwords.
    for user in [ADA, ROOT] {
        assert_eq!(server.soap(user, &inside()).await.status, 200);
    }
    let visitors = async || metric(&server, "prepress_connections_reserved_total").await;
    // Who logged in may still be on the way out: then one of these is a visitor, and not every look is one more.
    let mut before = 0;
    let mut busy = loop {
        let busy = [under_way(&server, 1000).await, under_way(&server, 1000).await];
        let looks = [visitors().await, visitors().await];
        if looks == [before + 1, before + 2] {
            break busy;
        }
        before = looks[1];
    };
    let soap = async |body: String| {
        let head = format!("POST {SOAP} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        server.raw(head.as_bytes()).await
    };
    for path in ["/healthz", "/readyz", "/metrics"] {
        let answer = get(&server, path, "").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("connection: close"), "{path}: {answer}");
    }
    let orders = [get(&server, "/api/jobs", &basic(ROOT)).await, soap(call(ROOT)).await];
    assert!(orders.iter().all(|answer| answer.starts_with("HTTP/1.1 200 ")), "{orders:?}");
    let form = "--B\r\nContent-Disposition: form-data; name=\"auth\"\r\n\r\n<authHeader/>\r\n--B--";
    let upload = format!(
        "POST /scene7/UploadFile HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=B\r\n{}Content-Length: \
         {}\r\n\r\n{form}",
        basic(ADA),
        form.len()
    );
    for (what, answer) in [
        ("an address without login", get(&server, "/scene7/IpsApi.wsdl", "").await),
        ("one that is none", get(&server, "/nothing", &basic(ROOT)).await),
        ("no login", get(&server, "/api/jobs", "").await),
        ("a user of the API", get(&server, "/api/jobs", &basic(ADA)).await),
        ("a user of SOAP", soap(call(ADA)).await),
        ("what is no request", soap("<a>".to_owned()).await),
        ("an upload", server.raw(upload.as_bytes()).await),
    ] {
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 5"), "{what}: {answer}");
    }
    assert!(metric(&server, "prepress_connections_reserved_total").await >= 11);
    // One that says nothing is not waited for long, and not longer than that for what it begins.
    assert_eq!(end(&mut TcpStream::connect(server.address()).await.unwrap()).await, "");
    assert!(!end(&mut under_way(&server, 1000).await).await.contains("200"));
    // An administrator whose login stands in the head is let in by it, and may take longer for the rest.
    let mut order = under_way_with(&server, 1000, &basic(ROOT)).await;
    let mut upload = TcpStream::connect(server.address()).await.unwrap();
    let form = Form::default()
        .params(&format!("<jobName>Late</jobName><endJob>true</endJob>{OPTIONS}"))
        .file("a.png", &png(1));
    let (head, form) = form.request(&basic(ROOT));
    let (begin, rest) = form.split_at(form.len() - 100);
    upload.write_all(&[head.as_bytes(), begin].concat()).await.unwrap();
    assert_eq!(end(&mut TcpStream::connect(server.address()).await.unwrap()).await, "", "two seconds later");
    let body = envelope("", &inside());
    let body = format!("{body}{}", " ".repeat(1000 - body.len()));
    order.write_all(body.as_bytes()).await.unwrap();
    upload.write_all(rest).await.unwrap();
    for answer in [end(&mut order).await, end(&mut upload).await] {
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    // The first two were not touched.
    for stream in &mut busy {
        stream.write_all(&[b' '; 1000]).await.unwrap();
        let mut answer = [0; 13];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 500 ");
    }
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resets_and_endless_heads_cost_their_connection() {
    let server = server(|_| {}).await;
    // Rapid reset: requests that nobody wants answered.
    let mut raw = Raw::connect(&server).await;
    let mut stream = 1;
    let flood = async {
        loop {
            let mut many = Vec::new();
            for _ in 0..100 {
                many.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, HEALTH));
                many.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
                stream += 2;
            }
            if !raw.write(&many).await {
                break;
            }
            assert!(stream < 2_000_000, "it is never enough");
        }
    };
    tokio::time::timeout(GUARD, flood).await.expect("the server closes the connection");
    // The same with time for the server to begin with each of them.
    let mut raw = Raw::connect(&server).await;
    let mut broken_off = 0;
    loop {
        let stream = 2 * broken_off + 1;
        let begun = raw.send(HEADERS, END_HEADERS, stream, POST_SOAP).await
            && raw.send(DATA, 0, stream, b"<").await
            && raw.send(PING, 0, 0, &[1; 8]).await
            && raw.next_of(PING).await.is_some();
        if !(begun && raw.send(RST_STREAM, 0, stream, &[0, 0, 0, 8]).await) {
            break;
        }
        broken_off += 1;
        assert!(broken_off < 1000, "it is never enough");
    }
    assert!(broken_off >= 20, "a client may change its mind: {broken_off}");
    // A head that goes on and on, in frames with something in them and without.
    for piece in [&b"\x00\x01a\x01b"[..], b""] {
        let mut raw = Raw::connect(&server).await;
        raw.send(HEADERS, END_STREAM, 1, HEALTH).await;
        let mut frames = 0;
        let flood = async {
            while raw.send(CONTINUATION, 0, 1, &piece.repeat(100)).await {
                frames += 1;
                assert!(frames < 1_000_000, "it is never enough");
            }
        };
        tokio::time::timeout(GUARD, flood).await.expect("the server closes the connection");
    }
    // A head of one piece that is too large costs its request.
    let mut raw = Raw::connect(&server).await;
    let large =
        [HEALTH, &b"\x00\x01a\x7f\x01".iter().chain(&[b'b'; 128]).copied().collect::<Vec<u8>>().repeat(300)].concat();
    let (first, rest) = large.split_at(16_000);
    raw.send(HEADERS, END_STREAM, 1, first).await;
    for (index, piece) in rest.chunks(16_000).enumerate() {
        let is_last = (index + 1) * 16_000 >= rest.len();
        raw.send(CONTINUATION, if is_last { END_HEADERS } else { 0 }, 1, piece).await;
    }
    let refused = raw.next_of(HEADERS).await;
    assert!(refused.is_none_or(|head| head.payload[0] != 0x88), "0x88 is status 200");
    // And so does one of HTTP/1.
    let long = get(&server, "/healthz", &format!("X: {}\r\n", "x".repeat(100 << 10))).await;
    assert!(long.is_empty() || long.starts_with("HTTP/1.1 431 "), "{long}");
    assert!(get(&server, "/healthz", "").await.starts_with("HTTP/1.1 200 "));
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_share_a_budget_and_the_largest_gives_way() {
    const LIMIT: u64 = 1 << 20;
    let server = server(|config| config.server.max_bytes_before_login = format!("{LIMIT} B").parse().unwrap()).await;
    let mut large = Vec::new();
    // Three that have sent a part of a request, and go on sending nothing. A quarter more may be held than was sent.
    for part in [450_000, 200_000, 100_000] {
        let mut stream = under_way(&server, 1_000_000).await;
        stream.write_all(&vec![b' '; part]).await.unwrap();
        large.push(stream);
    }
    let held = "prepress_requests_held_bytes{setting=\"max_bytes_before_login\"}";
    while metric(&server, held).await < 750_000 {
        tokio::task::yield_now().await;
    }
    // Others are served all the same, also where they take more than is left, but less than one of those.
    for bytes in [0, 100_000] {
        let answer = server.soap(ADA, &padded(bytes)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let refused = end(&mut large[0]).await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after: 5"), "{refused}");
    assert!(refused.contains("connection: close") && refused.contains("server.max_bytes_before_login"), "{refused}");
    assert!((300_000..500_000).contains(&metric(&server, held).await), "the other two are still there");
    assert_eq!(metric(&server, "prepress_requests_turned_away_total{setting=\"max_bytes_before_login\"}").await, 1);
    drop(large);
    while metric(&server, held).await > 0 {
        tokio::task::yield_now().await;
    }
    server.shut_down().await;
}

const BEFORE_LOGIN: &str = "prepress_requests_held_bytes{setting=\"max_bytes_before_login\"}";

/// Requests that do not end, as many as may be, each no larger than a call may well be; and another for each that is refused.
async fn flood(mut raw: Raw) {
    // Until then the window of the connection is smaller.
    raw.next_of(WINDOW_UPDATE).await;
    let mut begun = 0;
    loop {
        let stream = 2 * begun + 1;
        raw.send(HEADERS, END_HEADERS, stream, POST_SOAP).await;
        raw.send(DATA, 0, stream, &[b' '; 14_000]).await;
        begun += 1;
        if begun >= 16 && raw.next_of(RST_STREAM).await.is_none() {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn little_requests_by_hundreds_do_not_shut_out_a_login() {
    let server = server(|config| config.server.max_bytes_before_login = "2 MiB".parse().unwrap()).await;
    assert_eq!(server.soap(ADA, &inside()).await.status, 200);
    let mut floods = tokio::task::JoinSet::new();
    for _ in 0..12 {
        floods.spawn(flood(Raw::connect(&server).await));
    }
    let turned_away = "prepress_requests_turned_away_total{setting=\"max_bytes_before_login\"}";
    while metric(&server, turned_away).await == 0 {
        tokio::task::yield_now().await;
    }
    // Calls that hold less than one of those requests, and more, but less than one of those connections.
    for bytes in [0, 5_000, 20_000] {
        let answer = server.soap(ADA, &padded(bytes)).await;
        assert_eq!(answer.status, 200, "{bytes}: {}", answer.text);
    }
    // One that holds more than any of those connections, but comes from elsewhere.
    let body = call(ADA).replace("</env:Body>", &format!("<!--{}--></env:Body>", "x".repeat(200_000)));
    let head =
        format!("POST {SOAP} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    let answer = from_elsewhere(&server, &format!("{head}{body}")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    floods.shutdown().await;
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_of_requests_and_of_parts_are_charged() {
    /// A header without tables: its name is a letter.
    fn header(name: &str, value: &str) -> Vec<u8> {
        let mut length = vec![127];
        let mut rest = value.len() - 127;
        while rest >= 128 {
            length.push((rest % 128 + 128) as u8);
            rest /= 128;
        }
        length.push(rest as u8);
        [&[0, name.len() as u8][..], name.as_bytes(), &length, value.as_bytes()].concat()
    }
    let server = server(|_| {}).await;
    let mut raw = Raw::connect(&server).await;
    for stream in (1..=31).step_by(2) {
        raw.send(HEADERS, 0, stream, POST_SOAP).await;
        raw.send(CONTINUATION, 0, stream, &header("a", &"a".repeat(15_000))).await;
        raw.send(CONTINUATION, END_HEADERS, stream, &header("b", &"b".repeat(15_000))).await;
    }
    while metric(&server, BEFORE_LOGIN).await < 16 * 30_000 {
        tokio::task::yield_now().await;
    }
    drop(raw);
    while metric(&server, BEFORE_LOGIN).await > 0 {
        tokio::task::yield_now().await;
    }
    // The head of a part that does not end, and, in the last, of a post that is refused by its head but goes on.
    let post = |media_type: &str| {
        format!(
            "POST /scene7/UploadFile HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nContent-Type: {media_type}\r\n"
        )
    };
    let mut posts = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let part = format!("--B\r\nContent-Disposition: form-data; name=\"{}", "x".repeat(15_000));
        stream.write_all(format!("{}\r\n{part}", post("multipart/form-data; boundary=B")).as_bytes()).await.unwrap();
        posts.push(stream);
    }
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(format!("{}X: {}\r\n\r\n", post("text/plain"), "x".repeat(40_000)).as_bytes()).await.unwrap();
    posts.push(stream);
    while metric(&server, BEFORE_LOGIN).await < 4 * 15_000 + 40_000 {
        tokio::task::yield_now().await;
    }
    drop(posts);
    while metric(&server, BEFORE_LOGIN).await > 0 {
        tokio::task::yield_now().await;
    }
    server.shut_down().await;
}

/// A call with a comment of so many bytes.
fn padded(bytes: usize) -> String {
    format!("{}<!--{}-->", inside(), "x".repeat(bytes))
}

fn inside() -> String {
    format!("<getCompanyInfoParam xmlns=\"{NEWEST}\"><companyName>Acme</companyName></getCompanyInfoParam>")
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_one_connection_take_no_more_than_the_budget() {
    const LIMIT: u64 = 4 << 20;
    let server = server(|config| {
        config.server.max_bytes_before_login = format!("{LIMIT} B").parse().unwrap();
    })
    .await;
    let mut raw = Raw::connect(&server).await;
    let streams: Vec<u32> = (0..16).map(|number| 2 * number + 1).collect();
    for stream in &streams {
        raw.send(HEADERS, END_HEADERS, *stream, POST_SOAP).await;
    }
    // As much as the windows let through, until the first is refused.
    let held = BEFORE_LOGIN;
    let (mut most, mut is_refused, mut window, mut windows) = (0, false, 65_535_i64, [131_072_i64; 16]);
    let piece = vec![b' '; 8 << 10];
    let length = piece.len() as i64;
    while !is_refused {
        let widest = (0..16).filter(|index| windows[*index] >= length).max_by_key(|index| windows[*index]);
        if let Some(index) = widest.filter(|_| window >= length) {
            raw.send(DATA, 0, streams[index], &piece).await;
            (window, windows[index]) = (window - length, windows[index] - length);
            continue;
        }
        let frame = raw.next().await.expect("the connection stays");
        match frame.kind {
            WINDOW_UPDATE => {
                let more = i64::from(u32::from_be_bytes(frame.payload.try_into().unwrap()));
                match streams.iter().position(|stream| *stream == frame.stream) {
                    Some(index) => windows[index] += more,
                    None => window += more,
                }
                most = most.max(metric(&server, held).await);
            }
            HEADERS => is_refused = true,
            _ => {}
        }
    }
    assert!(most > LIMIT / 2 && most <= LIMIT, "{most} of {LIMIT}");
    assert_eq!(server.soap(ADA, &inside()).await.status, 200);
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_share_a_budget_of_their_own() {
    // A request weighs three times its bytes, and its tags.
    let server = server(|config| {
        config.server.max_bytes_after_login = "1 MiB".parse().unwrap();
        config.server.max_bytes_before_login = "64 MiB".parse().unwrap();
    })
    .await;
    let large = |bytes| envelope("", &padded(bytes));
    // Larger than the budget by itself: it is served when it is alone.
    assert_eq!(server.basic(ADA, &large(2 << 20)).await.status, 200);
    let turned_away = "prepress_requests_turned_away_total{setting=\"max_bytes_after_login\"}";
    assert_eq!(metric(&server, turned_away).await, 0);
    assert_eq!(metric(&server, "prepress_requests_held_bytes{setting=\"max_bytes_after_login\"}").await, 0);
    // Side by side they wait for each other.
    let body = large(100_000);
    let calls = (0..30).map(|_| server.basic(ADA, &body));
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    server.shut_down().await;
}
