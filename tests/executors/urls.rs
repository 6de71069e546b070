use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use prepress::clock::Clock;
use prepress::executors::{Failure, Registry, Settings};
use prepress::model::kind::JobKind;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::world::{Done, World, jpeg};

/// Starts a server on a loopback address.
pub async fn serve(address: [u8; 4], router: Router) -> SocketAddr {
    let listener = TcpListener::bind(SocketAddr::from((address, 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// The address of a file.
pub async fn serve_bytes(bytes: Vec<u8>) -> String {
    let address = serve(HERE, Router::new().route("/file", get(|| async { bytes }))).await;
    format!("http://{address}/file")
}

const HERE: [u8; 4] = [127, 0, 0, 1];

fn picture() -> Router {
    Router::new().route("/shoe.jpg", get(|| async { ([(header::CONTENT_TYPE, "image/jpeg")], jpeg(24, 1)) }))
}

/// A world whose fetches may go to this machine, and whose clock runs ahead while somebody waits.
pub async fn world(change: impl FnOnce(&mut Settings)) -> World {
    let world = World::with(|settings| {
        settings.reachable = |_| true;
        settings.fetch.read_timeout = "300ms".parse().unwrap();
        change(settings);
    })
    .await;
    let clock = world.clock.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            clock.set(clock.now() + TimeDelta::milliseconds(500));
        }
    });
    world
}

fn order(urls: &[(String, &str)]) -> Value {
    let items: Vec<Value> = urls.iter().map(|(url, path)| json!({ "sourceUrl": url, "destPath": path })).collect();
    json!({ "urlArray": items, "overwrite": false, "readyForPublish": true, "emailSetting": "None" })
}

pub async fn fetch(world: &World, urls: &[(String, &str)]) -> Done {
    world.run(JobKind::UploadUrls, order(urls)).await.succeeded()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_become_assets() {
    let world = world(|_| ()).await;
    let router = picture()
        .route("/render", get(|| async { ([(header::CONTENT_TYPE, "image/jpeg")], jpeg(24, 2)) }))
        .route("/untold", get(|| async { jpeg(24, 3) }));
    let server = serve(HERE, router).await;
    let urls = [
        (format!("http://{server}/shoe.jpg?x=1"), ""),
        (format!("http://{server}/shoe.jpg"), "/Acme/Catalog/boot"),
        (format!("http://{server}/render?id=5"), "/Catalog/rendered"),
        (format!("http://{server}/untold"), "Catalog/"),
        (format!("http://{server}/missing.jpg"), ""),
        (format!("http://{server}/shoe.jpg"), ""),
    ];
    let done = fetch(&world, &urls).await;
    let text = done.text();
    assert_eq!((done.counters.success, done.counters.error, done.counters.duplicate), (4, 1, 1), "{text}");
    let files = ["Acme/shoe.jpg", "Acme/Catalog/boot.jpg", "Acme/Catalog/rendered.jpg", "Acme/Catalog/untold.jpg"];
    for file in files {
        assert!(text.contains(&format!("UploadSuccess: {file} was processed as Image (")), "{file}\n{text}");
    }
    let failed = format!("UploadError: http://{server}/missing.jpg could not be fetched: the server answered 404.");
    assert!(text.contains(&failed), "{text}");
    assert_eq!(done.items.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_addresses_are_refused_wherever_they_come_from() {
    // This test may reach 127.0.0.1 only: it stands for the public internet.
    let world = world(|settings| settings.reachable = |address| address == IpAddr::V4(Ipv4Addr::LOCALHOST)).await;
    let secret = serve([127, 0, 0, 2], picture()).await;
    let to = move |target: String| get(move || async move { Redirect::temporary(&target) });
    let here = picture()
        .route("/inside", to(format!("http://{secret}/shoe.jpg")))
        .route("/cloud", to("http://169.254.169.254/latest/meta-data".into()))
        .route("/mapped", to(format!("http://[::ffff:127.0.0.2]:{}/shoe.jpg", secret.port())))
        .route("/file", to("file:///etc/passwd".into()))
        .route("/ok", to("/shoe.jpg".into()))
        .route("/loop", to("/loop".into()));
    let server = serve(HERE, here).await;
    let mut urls: Vec<(String, &str)> =
        ["inside", "cloud", "mapped", "file", "loop"].map(|path| (format!("http://{server}/{path}"), "x.jpg")).into();
    urls.push((format!("http://{secret}/shoe.jpg"), ""));
    urls.push((format!("http://0x7f000002:{}/shoe.jpg", secret.port()), ""));
    urls.push((format!("http://{server}/ok"), "good.jpg"));
    urls.push((format!("http://localhost:{}/shoe.jpg", server.port()), "named.jpg"));
    let done = fetch(&world, &urls).await;
    let text = done.text();
    assert_eq!((done.counters.success, done.counters.error), (2, 7), "{text}");
    assert_eq!(text.matches("is at the private address 127.0.0.2").count(), 3, "{text}");
    assert!(text.contains("is at the private address 169.254.169.254"), "{text}");
    assert!(text.contains("it was redirected more than 5 times"), "{text}");
    assert!(text.contains("/file could not be fetched: "), "{text}");
    assert_eq!(done.of_type("JobInfo").len(), 0, "what is refused is not tried again: {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_default_nothing_of_this_machine_is_fetched() {
    let world = World::new().await;
    let server = serve(HERE, picture()).await;
    let urls = [
        (format!("http://{server}/shoe.jpg"), ""),
        (format!("http://localhost:{}/shoe.jpg", server.port()), ""),
        (format!("http://[::1]:{}/shoe.jpg", server.port()), ""),
    ];
    let done = fetch(&world, &urls).await;
    assert_eq!(done.counters.error, 3, "{}", done.text());
    assert_eq!(done.text().matches("private address").count(), 3, "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_never_ends_is_cut_off() {
    let world = world(|settings| settings.fetch.max_bytes = "1 MB".parse().unwrap()).await;
    let endless = || async {
        let pieces = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[7; 65536])));
        Body::from_stream(pieces)
    };
    let announced = || async {
        ([(header::CONTENT_LENGTH, "9000000000")], Body::from_stream(stream::pending::<Result<Bytes, Infallible>>()))
    };
    let router = Router::new().route("/endless.jpg", get(endless)).route("/announced.jpg", get(announced));
    let server = serve(HERE, router).await;
    let urls = [(format!("http://{server}/endless.jpg"), ""), (format!("http://{server}/announced.jpg"), "")];
    let done = fetch(&world, &urls).await;
    let text = done.text();
    assert_eq!(done.counters.error, 2, "{text}");
    assert!(text.contains("announced.jpg could not be fetched: 9.0 GB are more than the 1.0 MB allowed"), "{text}");
    assert!(text.contains("endless.jpg could not be fetched: 1.0 MB are more than the 1.0 MB allowed"), "{text}");
    let left = std::fs::read_dir(world.folder.path().join("blobs/tmp")).unwrap().count();
    assert_eq!(left, 0, "temporary files stay behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_stalls_is_tried_again_and_given_up() {
    let world = world(|settings| settings.fetch.attempts = 3).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let stalled = move || {
        count.fetch_add(1, Ordering::SeqCst);
        async {
            let first = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"\xff\xd8")) });
            Body::from_stream(first.chain(stream::pending()))
        }
    };
    let server = serve(HERE, Router::new().route("/shoe.jpg", get(stalled))).await;
    let done = fetch(&world, &[(format!("http://{server}/shoe.jpg"), "")]).await;
    let text = done.text();
    assert_eq!(asked.load(Ordering::SeqCst), 3, "{text}");
    assert_eq!(done.of_type("JobInfo").len(), 2, "{text}");
    assert!(text.contains("(attempt 2 of 3): nothing came for 300 ms."), "{text}");
    assert!(text.contains("could not be fetched: nothing came for 300 ms."), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_dribbles_for_ever_ends_with_the_time_for_the_whole() {
    let world = world(|settings| settings.fetch.total_timeout = "700ms".parse().unwrap()).await;
    let dribble = || async {
        let pieces = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b"x")), ()))
        });
        Body::from_stream(pieces)
    };
    let server = serve(HERE, Router::new().route("/shoe.jpg", get(dribble))).await;
    let done = fetch(&world, &[(format!("http://{server}/shoe.jpg"), "")]).await;
    assert!(done.text().contains("could not be fetched: it took longer than 700 ms."), "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_pass_is_tried_again() {
    let world = world(|_| ()).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let busy = move || {
        let number = count.fetch_add(1, Ordering::SeqCst);
        async move {
            match number {
                0 => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "7")], "later").into_response(),
                1 => StatusCode::TOO_MANY_REQUESTS.into_response(),
                _ => jpeg(24, 1).into_response(),
            }
        }
    };
    let server = serve(HERE, Router::new().route("/shoe.jpg", get(busy))).await;
    let submitted = world.clock.now();
    let done = fetch(&world, &[(format!("http://{server}/shoe.jpg"), "")]).await;
    assert_eq!(done.counters.success, 1, "{}", done.text());
    let retried = done.of_type("JobInfo");
    assert_eq!(retried.len(), 2, "{}", done.text());
    let first = retried[0].params["at"].as_i64().unwrap() - submitted.timestamp_millis();
    assert!(first >= 7000, "the server asked for 7 s, not {first} ms");
}

/// A file that breaks off in the middle unless it is asked for in parts; it changes after `changes` requests.
struct Broken {
    asked: AtomicUsize,
    ranges: AtomicUsize,
    body: Vec<u8>,
    tag: fn(usize) -> &'static str,
}

impl Broken {
    /// A server by hand: no decent one breaks off in the middle of what it announced.
    async fn serve(self: Arc<Self>) -> SocketAddr {
        let listener = TcpListener::bind(SocketAddr::from((HERE, 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let length = socket.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..length]).to_ascii_lowercase();
                let number = self.asked.fetch_add(1, Ordering::SeqCst);
                let tag = (self.tag)(number);
                let field = |name: &str| {
                    let line = request.lines().find(|line| line.starts_with(name))?;
                    Some(line[name.len()..].trim().to_owned())
                };
                let start = field("range: bytes=")
                    .filter(|_| field("if-range:").as_deref() == Some(tag))
                    .and_then(|range| range.trim_end_matches('-').parse::<usize>().ok());
                let whole = self.body.len();
                let (status, start) = match start {
                    Some(start) => {
                        self.ranges.fetch_add(1, Ordering::SeqCst);
                        (format!("206 Partial Content\r\nContent-Range: bytes {start}-{}/{whole}", whole - 1), start)
                    }
                    None => ("200 OK".to_owned(), 0),
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\nETag: {tag}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    whole - start
                );
                let end = if number < 2 { start + (whole - start) / 2 } else { whole };
                socket.write_all(head.as_bytes()).await.unwrap();
                socket.write_all(&self.body[start..end]).await.unwrap();
            }
        });
        address
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_goes_on_where_it_broke_off() {
    for (tag, ranges) in
        [((|_| "\"v1\"") as fn(usize) -> &'static str, 2), (|number| ["\"v1\"", "\"v2\"", "\"v3\""][number.min(2)], 0)]
    {
        let world = world(|_| ()).await;
        let body = jpeg(200, 9);
        let broken =
            Arc::new(Broken { asked: AtomicUsize::new(0), ranges: AtomicUsize::new(0), body: body.clone(), tag });
        let server = broken.clone().serve().await;
        let done = fetch(&world, &[(format!("http://{server}/shoe.jpg"), "")]).await;
        assert_eq!(done.counters.success, 1, "{}", done.text());
        assert_eq!((broken.asked.load(Ordering::SeqCst), broken.ranges.load(Ordering::SeqCst)), (3, ranges));
        let size = world.query("SELECT bytes FROM asset").await;
        assert_eq!(size, [[json!(body.len())]], "a file that changed meanwhile is fetched from its beginning");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_are_used_and_not_told() {
    let world = world(|_| ()).await;
    let guarded = |headers: HeaderMap| async move {
        match headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned()) {
            Some(value) if value == "Basic YW5uOnMzY3JldA==" => jpeg(24, 1).into_response(),
            _ => StatusCode::UNAUTHORIZED.into_response(),
        }
    };
    let other = serve([127, 0, 0, 2], Router::new().route("/shoe.jpg", get(guarded))).await;
    let away = format!("http://{other}/shoe.jpg");
    let router = Router::new()
        .route("/shoe.jpg", get(guarded))
        .route("/away.jpg", get(move || async move { Redirect::temporary(&away) }));
    let server = serve(HERE, router).await;
    let urls = [
        (format!("http://ann:s3cret@{server}/shoe.jpg"), ""),
        (format!("http://ann:s3cret@{server}/away.jpg"), ""),
        ("http://ann:s3cret@127.0.0.1:1/gone.jpg".to_owned(), ""),
    ];
    let done = fetch(&world, &urls).await;
    assert_eq!((done.counters.success, done.counters.error), (1, 2), "{}", done.text());
    let all = world.query("SELECT code || params FROM log_detail UNION ALL SELECT key || result FROM item").await;
    assert!(!all.iter().any(|row| row[0].as_str().unwrap().contains("s3cret")), "{all:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_that_crashes_everywhere_adds_each_once() {
    let world = world(|_| ()).await;
    let server = serve(HERE, picture()).await;
    let urls: Vec<(String, &str)> =
        ["a.jpg", "b.jpg", "c.jpg"].map(|name| (format!("http://{server}/shoe.jpg"), name)).into();
    let done = world.run_with_crashes(JobKind::UploadUrls, order(&urls)).await.succeeded();
    assert_eq!(done.of_type("UploadSuccess").len(), 3, "{}", done.text());
    assert_eq!(world.asset_names().await, ["a", "b", "c"]);
    assert_eq!((done.counters.success, done.counters.duplicate), (3, 0));
}

/// A daemon that ends lets a fetch that is under way come to its end, and begins no other; a stop cuts it off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_lets_a_fetch_finish_and_a_stop_does_not() {
    for stops in [false, true] {
        let world = world(|settings| settings.fetch.parallel = 1).await;
        let (leave_off, cut_off) = (CancellationToken::new(), CancellationToken::new());
        let told = (leave_off.clone(), cut_off.clone());
        let slow = move || {
            let (leave_off, cut_off) = told.clone();
            async move {
                leave_off.cancel();
                if stops {
                    cut_off.cancel();
                    std::future::pending::<()>().await;
                }
                tokio::task::yield_now().await;
                jpeg(24, 1)
            }
        };
        let server = serve(HERE, Router::new().route("/{name}", get(slow))).await;
        let urls: Vec<Value> = (1..=5)
            .map(|number| json!({ "sourceUrl": format!("http://{server}/shoe{number}.jpg"), "destPath": "" }))
            .collect();
        world.submit(JobKind::UploadUrls, json!({ "urlArray": urls, "emailSetting": "None" })).await;
        let claimed = world.claim().await;
        let context = world.context(&claimed, leave_off).cut_off_by(cut_off);
        let result = world.registry().executor(&claimed.spec).run(&context).await;
        let done = world.finish(claimed.fence, result, 1).await;
        assert_eq!(done.result, Err(Failure::Interrupted));
        if stops {
            assert!(done.items.is_empty(), "{:?}", done.items);
        } else {
            assert!((1..5).contains(&done.items.len()), "what was under way is filed: {:?}", done.items);
        }
    }
}
