//! Servers that break off, and then misbehave: what is fetched from them is right to the last byte, or refused with the reason.

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::urls::{fetch, world};
use crate::world::{World, jpeg};

/// What is asked of a server.
struct Ask<'a> {
    files: &'a Files,
    /// How often the same was asked for before.
    before: usize,
    /// From which byte on.
    range: Option<usize>,
    if_range: Option<String>,
}

/// Two versions of a picture of the same length.
struct Files {
    one: Vec<u8>,
    two: Vec<u8>,
    packed: Vec<u8>,
    /// A drawing that is packed by itself.
    drawing: Vec<u8>,
}

impl Files {
    fn new() -> Self {
        let [mut one, mut two] = [3, 200].map(|seed| jpeg(160, seed));
        let length = one.len().max(two.len());
        one.resize(length, 0);
        two.resize(length, 0);
        let packed = gzip(&one);
        let drawing = b"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"8\" height=\"8\"><rect width=\"5\" height=\"5\"/></svg>";
        Self { one, two, packed, drawing: gzip(drawing) }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An answer as it goes over the wire, with nothing that is not said here.
fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes(), body].concat()
}

fn whole(fields: &str, body: &[u8]) -> Vec<u8> {
    answer(&format!("200 OK\r\nContent-Length: {}{fields}", body.len()), body)
}

/// The beginning of what was announced; then the connection is cut.
fn cut(fields: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = whole(fields, body);
    answer.truncate(answer.len() - body.len() / 2);
    answer
}

/// A part from `first` on, with these fields.
fn part(fields: &str, first: usize, body: &[u8]) -> Vec<u8> {
    let (last, length) = (body.len() - 1, body.len());
    let head = format!("206 Partial Content\r\nContent-Range: bytes {first}-{last}/{length}");
    answer(&format!("{head}\r\nContent-Length: {}{fields}", length - first), &body[first..])
}

fn chunked(head: &str, pieces: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    for piece in pieces {
        body.extend([format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat());
    }
    answer(&format!("{head}\r\nTransfer-Encoding: chunked"), &[&body[..], b"0\r\n\r\n"].concat())
}

const V1: &str = "\r\nETag: \"v1\"";
const V2: &str = "\r\nETag: \"v2\"";
const WEAK: &str =
    "\r\nETag: W/\"v\"\r\nLast-Modified: Mon, 23 Nov 2026 09:00:00 GMT\r\nDate: Mon, 23 Nov 2026 10:00:00 GMT";
const JUST_NOW: &str = "\r\nLast-Modified: Mon, 23 Nov 2026 09:00:00 GMT\r\nDate: Mon, 23 Nov 2026 09:00:00 GMT";
const LONG_AGO: &str = "\r\nLast-Modified: Mon, 23 Nov 2026 09:00:00 GMT\r\nDate: Mon, 23 Nov 2026 10:00:00 GMT";
const PACKED: &str = "\r\nETag: \"v1\"\r\nContent-Encoding: gzip";

/// What is to come of it.
enum Expected {
    One,
    Two,
    Drawing,
    Refused(&'static str),
}
use Expected::{Drawing, One, Refused, Two};

/// A server by its answers. How it is called, what is to come of it, how many ranges it is asked for, and what it answers.
type Case = (&'static str, Expected, usize, fn(&Ask) -> Vec<u8>);

/// Breaks off at first; then answers a request for the rest with `resumed`, and one for all of it with `body`.
fn broken(ask: &Ask, first: Vec<u8>, resumed: impl Fn(usize) -> Vec<u8>, all: Vec<u8>) -> Vec<u8> {
    match ask.range {
        _ if ask.before == 0 => first,
        Some(from) => resumed(from),
        None => all,
    }
}

/// The same of the first version, under a strong tag.
fn resumed(ask: &Ask, resumed: impl Fn(usize, &[u8]) -> Vec<u8>) -> Vec<u8> {
    let one = &ask.files.one;
    broken(ask, cut(V1, one), |from| resumed(from, one), whole(V1, one))
}

const CASES: &[Case] = &[
    ("goes-on", One, 1, |ask| {
        assert!(ask.range.is_none() || ask.if_range.as_deref() == Some("\"v1\""));
        resumed(ask, |from, one| part(V1, from, one))
    }),
    ("ignores-range", One, 1, |ask| resumed(ask, |_, one| whole(V1, one))),
    ("honours-if-range", Two, 1, |ask| resumed(ask, |_, _| whole(V2, &ask.files.two))),
    ("ignores-if-range", Two, 1, |ask| {
        let two = &ask.files.two;
        broken(ask, cut(V1, &ask.files.one), |from| part(V2, from, two), whole(V2, two))
    }),
    ("ignores-if-range-and-names-no-version", Two, 1, |ask| {
        let two = &ask.files.two;
        broken(ask, cut(V1, &ask.files.one), |from| part("", from, two), whole(V2, two))
    }),
    ("weak-tag", Two, 0, |ask| {
        let two = &ask.files.two;
        broken(ask, cut(WEAK, &ask.files.one), |from| part(WEAK, from, two), whole(WEAK, two))
    }),
    ("changed-just-now", Two, 0, |ask| {
        let two = &ask.files.two;
        broken(ask, cut(JUST_NOW, &ask.files.one), |from| part(JUST_NOW, from, two), whole(JUST_NOW, two))
    }),
    ("changed-long-ago", One, 1, |ask| {
        let one = &ask.files.one;
        broken(ask, cut(LONG_AGO, one), |from| part(LONG_AGO, from, one), whole(LONG_AGO, one))
    }),
    ("wrong-start", One, 1, |ask| resumed(ask, |from, one| part(V1, from + 10, one))),
    ("from-the-start", One, 1, |ask| resumed(ask, |_, one| part(V1, 0, one))),
    ("wrong-length", One, 1, |ask| {
        resumed(ask, |from, one| {
            let range = format!("bytes {from}-{}/{}", one.len() - 1, one.len() + 1);
            answer(&format!("206 Partial\r\nContent-Range: {range}{V1}"), &one[from..])
        })
    }),
    ("wrong-unit", One, 1, |ask| {
        resumed(ask, |from, one| {
            let range = format!("items {from}-{}/{}", one.len() - 1, one.len());
            answer(&format!("206 Partial\r\nContent-Range: {range}{V1}"), &one[from..])
        })
    }),
    ("no-range", One, 1, |ask| {
        resumed(ask, |from, one| {
            answer(&format!("206 Partial\r\nContent-Length: {}{V1}", one.len() - from), &one[from..])
        })
    }),
    ("range-longer-than-what-is-sent", One, 1, |ask| {
        resumed(ask, |from, one| {
            let range = format!("bytes {from}-{}/{}", one.len() - 1, one.len());
            answer(&format!("206 Partial\r\nContent-Range: {range}\r\nContent-Length: 100{V1}"), &one[from..from + 100])
        })
    }),
    ("range-shorter-than-what-is-sent", One, 1, |ask| {
        resumed(ask, |from, one| {
            let range = format!("bytes {from}-{}/{}", from + 99, one.len());
            chunked(&format!("206 Partial\r\nContent-Range: {range}{V1}"), &[&one[from..from + 100], b"more"])
        })
    }),
    ("a-part-of-what-was-asked-for", One, 2, |ask| {
        resumed(ask, |from, one| {
            let to = if ask.before == 1 { from + 100 } else { one.len() };
            let range = format!("bytes {from}-{}/{}", to - 1, one.len());
            chunked(&format!("206 Partial\r\nContent-Range: {range}{V1}"), &[&one[from..to]])
        })
    }),
    ("a-hundred-bytes-for-ever", Refused("bytes came"), 3, |ask| {
        let (one, from) = (&ask.files.one, ask.range.unwrap_or(0));
        let range = format!("bytes {from}-{}/{}", from + 99, one.len());
        answer(&format!("206 Partial\r\nContent-Range: {range}\r\nContent-Length: 100{V1}"), &one[from..from + 100])
    }),
    ("a-hundred-bytes-of-no-version", Refused("only 100 of "), 0, |ask| {
        let range = format!("bytes 0-99/{}", ask.files.one.len());
        answer(&format!("206 Partial\r\nContent-Range: {range}\r\nContent-Length: 100"), &ask.files.one[..100])
    }),
    ("shorter-than-said", Refused("the connection failed"), 0, |ask| cut("", &ask.files.one)),
    ("longer-than-said", One, 0, |ask| [whole("", &ask.files.one), b"and more".to_vec()].concat()),
    ("not-satisfiable", One, 1, |ask| resumed(ask, |_, _| answer("416 No\r\nContent-Length: 0", b""))),
    ("several-parts", One, 1, |ask| {
        resumed(ask, |from, one| {
            let range = format!("Content-Range: bytes {from}-{}/{}", one.len() - 1, one.len());
            let body = [format!("--x\r\n{range}\r\n\r\n").as_bytes(), &one[from..], b"\r\n--x--\r\n"].concat();
            let head = format!("206 Partial\r\nContent-Type: multipart/byteranges; boundary=x{V1}");
            answer(&format!("{head}\r\nContent-Length: {}", body.len()), &body)
        })
    }),
    ("gzip", One, 0, |ask| whole(PACKED, &ask.files.packed)),
    ("gzip-goes-on", One, 1, |ask| {
        let packed = &ask.files.packed;
        broken(ask, cut(PACKED, packed), |from| part(V1, from, packed), whole(PACKED, packed))
    }),
    ("gzip-goes-on-plain", One, 1, |ask| {
        let (packed, one) = (&ask.files.packed, &ask.files.one);
        broken(ask, cut(PACKED, packed), |from| part(V1, from, one), whole(V1, one))
    }),
    ("gzip-torn", Refused("cannot be decoded"), 0, |ask| {
        whole(PACKED, &ask.files.packed[..ask.files.packed.len() / 2])
    }),
    ("gzip-huge", Refused("more than the 1.0 MB allowed"), 0, |_| whole(PACKED, &gzip(&vec![0; 3_000_000]))),
    ("unknown-coding", Refused("it came encoded as br"), 0, |ask| whole("\r\nContent-Encoding: br", &ask.files.one)),
    ("label-charset", One, 0, |ask| whole("\r\nContent-Encoding: UTF-8", &ask.files.one)),
    ("label-binary", One, 0, |ask| whole("\r\nContent-Encoding: binary", &ask.files.one)),
    ("label-of-a-bucket", One, 0, |ask| whole("\r\nContent-Encoding: aws-chunked,gzip", &ask.files.packed)),
    ("label-none", One, 0, |ask| whole("\r\nContent-Encoding: none", &ask.files.one)),
    ("label-identity-twice", One, 0, |ask| whole("\r\nContent-Encoding: identity, identity", &ask.files.one)),
    ("label-gzip-on-plain", One, 0, |ask| whole("\r\nContent-Encoding: gzip", &ask.files.one)),
    ("label-deflate-on-plain", Refused("came encoded as deflate, which was not asked for, and cannot"), 0, |ask| {
        whole("\r\nContent-Encoding: deflate", &ask.files.one)
    }),
    ("label-goes-on", One, 1, |ask| {
        const LABEL: &str = "\r\nETag: \"v1\"\r\nContent-Encoding: utf-8";
        let one = &ask.files.one;
        broken(ask, cut(LABEL, one), |from| part(LABEL, from, one), whole(LABEL, one))
    }),
    ("gzip-twice", One, 0, |ask| {
        whole("\r\nContent-Encoding: gzip\r\nContent-Encoding: x-gzip", &gzip(&ask.files.packed))
    }),
    ("deflate-with-header", One, 0, |ask| {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&ask.files.one).unwrap();
        whole("\r\nContent-Encoding: deflate", &encoder.finish().unwrap())
    }),
    ("deflate-without-header", One, 0, |ask| {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&ask.files.one).unwrap();
        whole("\r\nContent-Encoding: deflate", &encoder.finish().unwrap())
    }),
    ("packed-by-name.svgz", Drawing, 0, |ask| whole("\r\nContent-Encoding: x-gzip", &ask.files.drawing)),
    ("packed-for-the-way.svgz", Drawing, 0, |ask| whole("\r\nContent-Encoding: gzip", &gzip(&ask.files.drawing))),
    ("nothing-again-and-again", Refused("the connection failed"), 0, |ask| {
        let answer = whole(V1, &ask.files.one);
        answer[..answer.len() - ask.files.one.len()].to_vec()
    }),
];

fn file_name(case: &str) -> String {
    if case.contains('.') { case.to_owned() } else { format!("{case}.jpg") }
}

/// How often each was asked for, and how often for a range.
#[derive(Default)]
struct Asked {
    all: HashMap<String, usize>,
    ranges: HashMap<String, usize>,
}

async fn serve(asked: Arc<Mutex<Asked>>) -> SocketAddr {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    let files = Arc::new(Files::new());
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(serve_one(socket, asked.clone(), files.clone()));
        }
    });
    address
}

async fn serve_one(mut socket: TcpStream, asked: Arc<Mutex<Asked>>, files: Arc<Files>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if socket.read_buf(&mut request).await.unwrap() == 0 {
            return;
        }
    }
    let request = String::from_utf8(request).unwrap();
    let field = |name: &str| {
        let mut fields = request.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let path = request.split(' ').nth(1).unwrap();
    let name = path.trim_start_matches('/').trim_end_matches(".jpg").to_owned();
    let range = field("range").map(|range| {
        range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-')).unwrap().parse::<usize>().unwrap()
    });
    let before = {
        let mut asked = asked.lock().unwrap();
        *asked.ranges.entry(name.clone()).or_default() += usize::from(range.is_some());
        let count = asked.all.entry(name.clone()).or_default();
        *count += 1;
        *count - 1
    };
    let (.., answer) = CASES.iter().find(|(case, ..)| *case == name).unwrap();
    let bytes = answer(&Ask { files: &files, before, range, if_range: field("if-range") });
    // Whoever has heard enough hangs up.
    let _ = socket.write_all(&bytes).await;
}

/// The stored file of each asset.
async fn masters(world: &World) -> HashMap<String, Vec<u8>> {
    let rows = world.query("SELECT name, blob FROM asset").await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.iter().map(|row| (text(&row[0]), world.blobs.content(&text(&row[1]), 1 << 20).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_of_a_bad_server_is_right_or_refused() {
    let world = world(|settings| settings.fetch.max_bytes = "1 MB".parse().unwrap()).await;
    let (files, asked) = (Files::new(), Arc::new(Mutex::new(Asked::default())));
    let server = serve(asked.clone()).await;
    let urls: Vec<(String, &str)> =
        CASES.iter().map(|(name, ..)| (format!("http://{server}/{}", file_name(name)), "")).collect();
    let done = fetch(&world, &urls).await;
    let text = done.text();
    let refused = CASES.iter().filter(|(_, expected, ..)| matches!(expected, Refused(_))).count() as i64;
    assert_eq!((done.counters.error, done.counters.success), (refused, CASES.len() as i64 - refused), "{text}");
    let masters = masters(&world).await;
    for (name, expected, ranges, _) in CASES {
        let found = masters.get(name.trim_end_matches(".svgz"));
        match expected {
            Drawing => assert!(found == Some(&files.drawing), "{name}\n{text}"),
            One => assert!(found == Some(&files.one), "{name}\n{text}"),
            Two => assert!(found == Some(&files.two), "{name}\n{text}"),
            Refused(why) => {
                assert_eq!(found, None, "{name}\n{text}");
                let mut errors = text.lines().filter(|line| line.starts_with("UploadError"));
                let line = errors.find(|line| line.contains(&format!("/{} could not be fetched", file_name(name))));
                assert!(line.is_some_and(|line| line.contains(why)), "{name}: {line:?}\n{text}");
            }
        }
        let asked = asked.lock().unwrap();
        assert_eq!(asked.ranges[*name], *ranges, "{name}\n{text}");
        assert!(asked.all[*name] <= 4, "{name}");
    }
    let told = |name: &str, log_type: &str, what: &str| {
        let name = file_name(name);
        let is_it =
            |line: &&str| line.starts_with(log_type) && line.contains(&format!("/{name} ")) && line.contains(what);
        assert_eq!(text.lines().filter(is_it).count(), 1, "{name}: {what}\n{text}");
    };
    const DECODED: &str = "which was not asked for; it was decoded";
    for name in ["gzip", "gzip-goes-on", "label-of-a-bucket", "deflate-with-header", "packed-for-the-way.svgz"] {
        told(name, "JobInfo", DECODED);
    }
    assert_eq!(text.matches(DECODED).count(), 5 + 2 + 1, "gzip-twice, deflate-without-header\n{text}");
    told("packed-by-name.svgz", "JobInfo", "encoded as gzip, which it is by itself");
    told("label-gzip-on-plain", "UploadWarning", "encoded as gzip, and it is not");
    for (name, label) in [
        ("label-charset", "utf-8"),
        ("label-binary", "binary"),
        ("label-of-a-bucket", "aws-chunked"),
        ("label-goes-on", "utf-8"),
    ] {
        told(name, "UploadWarning", &format!("encoded as {label}, which is no encoding of HTTP"));
    }
    assert_eq!(done.counters.warning, 5, "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_without_a_length_may_lack_its_end_and_a_line_says_so() {
    let world = world(|_| ()).await;
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let server = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        assert!(socket.read(&mut request).await.unwrap() > 0);
        socket.write_all(&answer("200 OK", &jpeg(24, 1))).await.unwrap();
    });
    let done = fetch(&world, &[(format!("http://{server}/shoe.jpg"), "")]).await;
    assert_eq!(done.counters.success, 1, "{}", done.text());
    let line = format!("The server did not say how long http://{server}/shoe.jpg is");
    assert!(done.text().contains(&line), "{}", done.text());
}
