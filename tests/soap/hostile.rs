//! Requests that mean no good. Each is refused in words, takes no more than its share, and the next one is answered.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{Answer, PASSWORD, Server, envelope};
use crate::{ADA, NEWEST, server};

const SOAP: &str = "/scene7/services/IpsApiService";
const BASE: &str = "http://www.scene7.com/IpsApi/xsd";

fn header() -> String {
    format!("<authHeader xmlns=\"{BASE}\"><user>{ADA}</user><password>{PASSWORD}</password></authHeader>")
}

async fn send(server: &Server, bytes: Vec<u8>, content_type: &str) -> Answer {
    let request = server.client().post(server.url(SOAP)).header("Content-Type", content_type).body(bytes);
    let response = request.send().await.unwrap();
    Answer { status: response.status().as_u16(), text: response.text().await.unwrap() }
}

pub async fn answers_still(server: &Server) {
    let body = format!("<getCompanyInfoParam xmlns=\"{NEWEST}\"><companyName>Acme</companyName></getCompanyInfoParam>");
    let answer = server.soap(ADA, &body).await;
    assert!(answer.status == 200 && answer.text.contains("<name>Acme</name>"), "{}", answer.text);
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::iter::once('\u{FEFF}').chain(text.chars()).collect::<String>().encode_utf16().flat_map(unit).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_in_words() {
    let server = server().await;
    let login = header();
    let body = format!("<getCompanyInfoParam xmlns=\"{NEWEST}\"><companyName>Acme</companyName></getCompanyInfoParam>");
    let good = envelope(&login, &body);
    let bare = good.split_once("?>").unwrap().1.to_owned();
    let with_body = |body: &str| envelope(&login, body).into_bytes();
    let mut laughs = "<!DOCTYPE l [<!ENTITY l0 \"ha\">".to_owned();
    for level in 1..12 {
        let of = format!("&l{};", level - 1).repeat(10);
        write!(laughs, "<!ENTITY l{level} \"{of}\">").unwrap();
    }
    let outside = "<!DOCTYPE x [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>";
    let attributes: String = (0..100_000).map(|n| format!(" a{n}=\"\"")).collect();
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    let in_acme = |name: &str| {
        format!("<getCompanyInfoParam xmlns=\"{NEWEST}\"><companyName>{name}</companyName></getCompanyInfoParam>")
    };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", Vec::new(), "empty"),
        ("white space", b"  \n ".to_vec(), "empty"),
        ("no XML", b"{\"submitJob\": 1}".to_vec(), "refused"),
        ("half a document", good.as_bytes()[..good.len() / 2].to_vec(), "refused"),
        ("crossed tags", with_body("<a><b></a></b>"), "refused"),
        ("two roots", [good.as_bytes(), b"<a/>"].concat(), "more than one root"),
        ("a DTD", format!("{laughs}]>{bare}").into_bytes(), "DTD"),
        ("a DTD that reads a file", format!("{outside}{bare}").into_bytes(), "DTD"),
        ("an entity from nowhere", with_body(&in_acme("&x;")), "refused"),
        ("a character that is none", with_body(&in_acme("&#0;")), "refused"),
        ("a character beyond the last", with_body(&in_acme("&#x110000;")), "refused"),
        ("a NUL", with_body(&in_acme("a\0b")), "U+0000"),
        ("a control character", with_body(&in_acme("a\u{1b}b")), "U+001B"),
        (
            "bytes that are no UTF-8",
            good.replace("Acme", "\u{1}").into_bytes().iter().map(|b| if *b == 1 { 0xff } else { *b }).collect(),
            "UTF-8",
        ),
        ("half of UTF-16", utf16(&bare, u16::to_le_bytes)[..201].to_vec(), "UTF-16"),
        ("another encoding", good.replace("UTF-8", "EBCDIC-CP-US").into_bytes(), "encoding"),
        ("deep nesting", with_body(&nested(100_000)), "nested"),
        ("nesting that never ends", "<a>".repeat(300_000).into_bytes(), "nested"),
        ("very many attributes", with_body(&format!("<a{attributes}/>")), "attributes"),
        ("very many elements", with_body(&"<a/>".repeat(500_000)), "elements"),
        ("one attribute twice", with_body("<a b='1' b='2'/>"), "refused"),
        ("a prefix of nothing", with_body("<x:getCompanyInfoParam/>"), "prefix"),
        ("a processing instruction", format!("<?evil do?>{bare}").into_bytes(), "processing instruction"),
        ("no envelope", body.clone().into_bytes(), "Envelope"),
        (
            "an envelope of no SOAP",
            bare.replace("http://schemas.xmlsoap.org/soap/envelope/", "urn:soap").into_bytes(),
            "namespace",
        ),
        ("no body", "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'/>".into(), "no Body"),
        ("an empty body", with_body(""), "empty"),
        ("two operations", with_body(&format!("{body}{body}")), "several"),
        ("a foreign namespace", with_body("<getCompanyInfoParam xmlns='http://example.com/'/>"), "namespace"),
        ("no namespace", with_body("<getCompanyInfoParam/>"), "namespace"),
        ("no operation", with_body(&format!("<makeCoffeeParam xmlns=\"{NEWEST}\"/>")), "makeCoffee"),
        ("an answer", with_body(&format!("<getCompanyInfoReturn xmlns=\"{NEWEST}\"/>")), "getCompanyInfoReturn"),
    ];
    for (what, bytes, word) in cases {
        let answer = send(&server, bytes, "text/xml").await;
        assert_eq!((answer.status, answer.fault_code()), (500, Some(30003)), "{what}: {}", answer.text);
        assert!(answer.reason().contains(word), "{what}: \"{word}\" in \"{}\"", answer.reason());
        assert!(answer.reason().len() < 600, "{what}: the fault is short");
    }
    for content_type in ["text/xml; charset=iso-2022-jp", "text/xml; charset=\"nonsense\""] {
        let answer = send(&server, good.clone().into_bytes(), content_type).await;
        assert_eq!(answer.fault_code(), Some(30003), "{content_type}: {}", answer.text);
        assert!(answer.reason().contains("encoding"), "{}", answer.reason());
    }
    let zipped = server.post(SOAP, &good, &[("Content-Encoding", "gzip")]).await;
    assert_eq!(zipped.fault_code(), Some(30003), "{}", zipped.text);
    // Not hostile, only rare.
    for bytes in
        [utf16(&bare, u16::to_le_bytes), utf16(&bare, u16::to_be_bytes), format!("\u{FEFF}{good}").into_bytes()]
    {
        assert_eq!(send(&server, bytes, "text/xml").await.status, 200);
    }
    answers_still(&server).await;
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_are_wrong_are_named() {
    let server = server().await;
    let shoe = server.asset(47, "", "shoe").await;
    server.company("Other", 48).await;
    let call = async |operation: &str, fields: &str| -> Answer {
        server.soap(ADA, &format!("<{operation}Param xmlns=\"{NEWEST}\">{fields}</{operation}Param>")).await
    };
    let long = "n".repeat(300);
    let job = |options: &str| {
        format!(
            "<companyHandle>c|47</companyHandle><jobName>N</jobName><uploadDirectoryJob>{options}</uploadDirectoryJob>"
        )
    };
    let flags = "<overwrite>true</overwrite><readyForPublish>true</readyForPublish><includeSubfolders>true</includeSubfolders>\
        <createMask>false</createMask><processMetadataFiles>false</processMetadataFiles><emailSetting>None</emailSetting>";
    let wellies = |name: &str| {
        format!(
            "<companyHandle>c|47</companyHandle><assetHandle>{shoe}</assetHandle><newName>{name}</newName><validateName>true</validateName>"
        )
    };
    let in_acme = |rest: &str| format!("<companyHandle>c|47</companyHandle>{rest}");
    let cases = [
        ("getFolderTree", in_acme("<depth>deep</depth>"), 30001, "depth"),
        ("getFolderTree", in_acme("<depth>99999999999</depth>"), 30001, "depth"),
        ("getFolderTree", in_acme("<depth>1.5</depth>"), 30001, "depth"),
        ("getFolderTree", in_acme(""), 30002, "depth"),
        ("getFolderTree", in_acme("<depth>1</depth><depth>2</depth>"), 30001, "depth"),
        ("getFolderTree", in_acme("<depth><depth>1</depth></depth>"), 30001, "depth"),
        ("searchAssets", in_acme("<includeSubfolders>maybe</includeSubfolders>"), 30001, "includeSubfolders"),
        ("getActiveJobs", "<companyHandle>acme</companyHandle>".to_owned(), 30001, "companyHandle"),
        ("getActiveJobs", "<companyHandle>-1</companyHandle>".to_owned(), 30001, "companyHandle"),
        ("getActiveJobs", "<companyHandle>c|99999999999999999999</companyHandle>".to_owned(), 30001, "companyHandle"),
        ("getActiveJobs", in_acme("<jobHandle>j|47</jobHandle>"), 30001, "jobHandle"),
        ("getActiveJobs", in_acme("<jobHandle>a|1|1|1</jobHandle>"), 30001, "jobHandle"),
        (
            "getActiveJobs",
            "<companyHandle>c|47</companyHandle>text<companyHandle>c|47</companyHandle>".to_owned(),
            30001,
            "getActiveJobsParam",
        ),
        ("getJobLogs", in_acme("<numRows>0</numRows>"), 30001, "numRows"),
        ("getJobLogs", in_acme("<startDate>yesterday</startDate>"), 30001, "startDate"),
        ("getJobLogs", in_acme("<startDate>2026-02-30T00:00:00Z</startDate>"), 30001, "startDate"),
        ("getJobLogs", in_acme("<sortBy>Size</sortBy>"), 30001, "sortBy"),
        ("getJobLogs", in_acme("<sortDirection>Sideways</sortDirection>"), 30001, "sortDirection"),
        ("getJobLogDetails", in_acme(""), 30002, "jobHandle"),
        (
            "getJobLogDetails",
            in_acme("<originalName>N</originalName><resultsPage>-1</resultsPage>"),
            30001,
            "resultsPage",
        ),
        ("getJobLogDetails", in_acme("<originalName>N</originalName><sortBy>Name</sortBy>"), 30001, "sortBy"),
        ("createFolder", in_acme("<folderPath>Acme/../Other/</folderPath>"), 20005, "folderPath"),
        ("createFolder", in_acme(&format!("<folderPath>Acme/{long}</folderPath>")), 30001, "folderPath"),
        ("createFolder", in_acme("<folderPath>Acme/?*:/</folderPath>"), 30001, "folderPath"),
        ("createFolder", in_acme(&format!("<folderPath>{}</folderPath>", "a/".repeat(50))), 30001, "folderPath"),
        ("renameAsset", wellies(&long), 30001, "newName"),
        ("renameAsset", wellies("?*:&lt;&gt;"), 30001, "newName"),
        ("renameAsset", wellies(""), 30001, "newName"),
        ("getProperty", "<name>Password</name>".to_owned(), 30001, "name"),
        ("submitJob", job(&format!("<serverDir>../Other</serverDir>{flags}")), 20005, "serverDir"),
        ("submitJob", job(&format!("<serverDir>a/../../b</serverDir>{flags}")), 20005, "serverDir"),
        (
            "submitJob",
            job(&format!("<destFolder>Acme/../Other</destFolder><serverDir>in</serverDir>{flags}")),
            20005,
            "destFolder",
        ),
        ("submitJob", job(flags), 30002, "serverDir"),
        ("submitJob", job(&format!("<serverDir>in</serverDir>{}", flags.replace("true", "yes"))), 30001, "overwrite"),
    ];
    for (operation, fields, code, named) in cases {
        let answer = call(operation, &fields).await;
        assert_eq!((answer.status, answer.fault_code()), (500, Some(code)), "{operation} {fields}: {}", answer.text);
        assert!(answer.reason().contains(named), "{operation}: \"{named}\" in \"{}\"", answer.reason());
        assert!(answer.reason().chars().count() < 700, "{operation}: {}", answer.reason());
    }
    assert_eq!(server.jobs().await, 0, "nothing was submitted");
    // Fields that no version has are passed over.
    let answer = call("getCompanyInfo", "<companyName>Acme</companyName><colour>red</colour>").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    server.shut_down().await;
}

/// Bytes of memory that this process, and the daemon in it, holds.
pub fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_100_megabytes_take_no_room() {
    const SENDERS: usize = 6;
    let server = Arc::new(server().await);
    let before = resident();
    let senders: Vec<_> = (0..SENDERS)
        .map(|index| {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                let chunk: &'static [u8] = &[b' '; 1 << 16];
                let start =
                    futures_util::stream::iter([Ok::<_, std::io::Error>(b"<?xml version=\"1.0\"?><a>".as_slice())]);
                let body = start.chain(futures_util::stream::iter((0..1600).map(move |_| Ok(chunk))));
                // Half of them say how much they send, half do not.
                let mut request = server.client().post(server.url(SOAP)).body(reqwest::Body::wrap_stream(body));
                if index % 2 == 0 {
                    request = request.header("Content-Length", 24 + (1600 << 16));
                }
                let response = request.send().await.unwrap();
                (response.status().as_u16(), response.text().await.unwrap())
            })
        })
        .collect();
    let over = Arc::new(AtomicBool::new(false));
    let watcher = Arc::clone(&over);
    let watching = tokio::spawn(async move {
        let mut most = 0;
        while !watcher.load(Ordering::Relaxed) {
            most = most.max(resident());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        most
    });
    for sender in senders {
        let (status, text) = sender.await.unwrap();
        assert_eq!(status, 413, "{text}");
        assert!(text.contains("<tns:code>30003</tns:code>") && text.contains("larger than the limit"), "{text}");
    }
    over.store(true, Ordering::Relaxed);
    let grown = watching.await.unwrap().saturating_sub(before);
    // The limit is 16 MiB a body; the rest is for other tests that run beside this one.
    assert!(grown < 300 << 20, "{} MiB for {SENDERS} bodies of 100 MiB", grown >> 20);
    answers_still(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_given_up() {
    let server =
        Server::start_with(None, |config| config.server.request_timeout = prepress::config::Period::seconds(1)).await;
    // A head that never ends, and nothing at all: the connection is closed.
    for start in ["POST /scene7/services/IpsApiService HTTP/1.1\r\nHost: a\r\nX-", ""] {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "{start:?} is waited for without end");
    }
    // A body that never ends: a fault says so.
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream
        .write_all(format!("POST {SOAP} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n<?xml").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut answer)).await;
    assert!(read.is_ok(), "{answer}");
    assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("<tns:code>30000</tns:code>"), "{answer}");
    assert!(answer.contains("within 1 second"), "{answer}");
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_bounded() {
    let server = Server::start_with(None, |config| config.server.max_connections = 3).await;
    let open: FuturesUnordered<_> = (0..50)
        .map(|_| async {
            let mut stream = TcpStream::connect(server.address()).await.unwrap();
            stream.read(&mut [0; 1]).await.map_or(0, |read| read)
        })
        .collect();
    // Which of them came first is not for the client to know.
    let mut closed = open.take(47);
    let waiting = async {
        while let Some(read) = closed.next().await {
            assert_eq!(read, 0)
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("47 of 50 are closed");
    let mut left = closed.into_inner();
    assert!(left.next().now_or_never().is_none(), "three are not");
    drop(left);
    crate::shapes::until(async || {
        server.client().get(server.url("/scene7/IpsApi.wsdl")).send().await.is_ok().then_some(())
    })
    .await;
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_at_once_are_answered_and_one_password_is_verified_once() {
    let server = Arc::new(server().await);
    answers_still(&server).await;
    let verified = server.services().passwords_verified();
    assert_eq!(verified, 1);
    let calls = (0..300).map(|_| {
        let server = Arc::clone(&server);
        tokio::spawn(async move { answers_still(&server).await })
    });
    for call in futures_util::future::join_all(calls).await {
        call.unwrap();
    }
    assert_eq!(server.services().passwords_verified(), verified, "the login is remembered");
    for _ in 0..3 {
        assert_eq!(server.soap_as(ADA, "wrong", "<a/>").await.fault_code(), Some(30003), "not even read");
    }
    let body = format!("<getCompanyInfoParam xmlns=\"{NEWEST}\"/>");
    assert_eq!(server.soap_as(ADA, "wrong", &body).await.fault_code(), Some(10001));
    assert_eq!(server.services().passwords_verified(), verified + 1, "a wrong one is verified each time");
}
