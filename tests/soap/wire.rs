//! What stands between a client's XML and the bytes that come: encodings, compression, slashes, `Host`, `Expect`.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use prepress::config::Size;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{Answer, PASSWORD, Server, envelope};
use crate::upload_file::{Form, handle, png};
use crate::{ADA, NEWEST, server};

const SOAP: &str = "/scene7/services/IpsApiService";
const PLAIN: &str = "/scene7/api/IpsApiService";

fn login() -> String {
    format!("<authHeader xmlns=\"{NEWEST}\"><user>{ADA}</user><password>{PASSWORD}</password></authHeader>")
}

fn submit(name: &str) -> String {
    format!(
        "<submitJobParam xmlns=\"{NEWEST}\"><companyHandle>c|47</companyHandle><jobName>{name}</jobName>\
         <execTime>2098-01-01T00:00:00Z</execTime><optimizeImagesJob><emailSetting>None</emailSetting></optimizeImagesJob>\
         </submitJobParam>"
    )
}

/// An answer with what its head says of one thing.
struct Reply {
    answer: Answer,
    accepts: Option<String>,
}

async fn send(server: &Server, path: &str, bytes: Vec<u8>, headers: &[(&str, &str)]) -> Reply {
    let mut request = server.client().post(server.url(path)).body(bytes);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let accepts = response.headers().get("accept-encoding").map(|value| value.to_str().unwrap().to_owned());
    Reply { answer: Answer { status: response.status().as_u16(), text: response.text().await.unwrap() }, accepts }
}

fn latin(text: &str) -> Vec<u8> {
    text.chars().map(|char| u8::try_from(u32::from(char)).unwrap()).collect()
}

fn declared(text: &str, encoding: &str) -> String {
    text.replace("encoding=\"UTF-8\"", &format!("encoding=\"{encoding}\""))
}

async fn named_jobs(server: &Server) -> String {
    let body = format!(
        "<getScheduledJobsParam xmlns=\"{NEWEST}\"><companyHandle>c|47</companyHandle></getScheduledJobsParam>"
    );
    server.soap(ADA, &body).await.text
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_read_in_the_encoding_that_they_name() {
    let server = server().await;
    let soap = |name: &str| envelope(&login(), &submit(name));
    let plain = |name: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Request xmlns=\"{NEWEST}\">{}{}</Request>",
            login(),
            submit(name)
        )
    };
    let euro = |text: String| latin(&text.replace('€', "\u{80}"));
    let cases: Vec<(&str, &str, Vec<u8>, &str)> = vec![
        ("Frühling 1", SOAP, latin(&declared(&soap("Frühling 1"), "ISO-8859-1")), "text/xml"),
        ("Frühling 2", PLAIN, latin(&declared(&plain("Frühling 2"), "ISO-8859-1")), "text/xml"),
        ("5 € 3", SOAP, euro(declared(&soap("5 € 3"), "windows-1252")), "text/xml"),
        // Who says ISO-8859-1 and means windows-1252 is understood.
        ("5 € 4", SOAP, euro(declared(&soap("5 € 4"), "iso-8859-1")), "text/xml"),
        // The charset wins, over a declaration that says otherwise and over none.
        ("Frühling 5", SOAP, latin(&soap("Frühling 5")), "text/xml; charset=ISO-8859-1"),
        ("Frühling 6", SOAP, declared(&soap("Frühling 6"), "ISO-8859-1").into_bytes(), "text/xml;charset=\"utf-8\""),
        ("Frühling 7", PLAIN, latin(&plain("Frühling 7")), "text/xml; charset=windows-1252"),
    ];
    for (name, path, bytes, content_type) in cases {
        let reply = send(&server, path, bytes, &[("Content-Type", content_type)]).await;
        assert_eq!(reply.answer.status, 200, "{name}: {}", reply.answer.text);
        assert!(reply.answer.text.contains(&format!("<jobHandle>j|47|{name}||</jobHandle>")), "{}", reply.answer.text);
        assert!(named_jobs(&server).await.contains(&format!("<originalName>{name}</originalName>")), "{name}");
    }
    for (bytes, content_type, named) in [
        (declared(&soap("N"), "KOI9-X").into_bytes(), "text/xml", "KOI9-X"),
        (soap("N").into_bytes(), "text/xml; charset=EUC-JP", "EUC-JP"),
        (latin(&soap("Frühling 8")), "text/xml", "not UTF-8"),
        (latin(&declared(&soap("Frühling 9"), "ISO-8859-1")), "text/xml; charset=utf-8", "not UTF-8"),
    ] {
        let answer = send(&server, SOAP, bytes, &[("Content-Type", content_type)]).await.answer;
        assert_eq!((answer.status, answer.fault_code()), (500, Some(30003)), "{}", answer.text);
        assert!(answer.reason().contains(named), "{named}: {}", answer.reason());
    }
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_post_are_read_in_the_encoding_that_they_name() {
    let server = server().await;
    let auth = format!("\r\n<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><!-- clé -->{}", login());
    let order = |name: &str| {
        format!(
            "<uploadPostParam xmlns=\"{NEWEST}\"><companyHandle>c|47</companyHandle><jobName>{name}</jobName><uploadParams>\
             <overwrite>true</overwrite><readyForPublish>true</readyForPublish><createMask>false</createMask>\
             <emailSetting>None</emailSetting></uploadParams></uploadPostParam>"
        )
    };
    let declaration = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>";
    for (name, head, text) in [
        ("Été 1", "name=\"uploadParams\"", format!("{declaration}{}", order("Été 1"))),
        ("Été 2", "name=\"uploadParams\"\r\nContent-Type: text/xml; charset=windows-1252", order("Été 2")),
    ] {
        let form = Form::default().part("name=\"auth\"", &latin(&auth)).part(head, &latin(&text));
        let job = handle(&form.file("one.png", &png(1)).post(&server).await);
        assert!(job.starts_with(&format!("j|47||{name}_")), "{job}");
    }
    let unknown = format!("<?xml version=\"1.0\" encoding=\"KOI9-X\"?>{}", order("N"));
    let form = Form::default().auth(ADA, "").part("name=\"uploadParams\"", unknown.as_bytes());
    let answer = form.file("one.png", &png(1)).post(&server).await;
    assert_eq!((answer.status, answer.fault_code()), (500, Some(30003)), "{}", answer.text);
    assert!(answer.reason().contains("uploadParams") && answer.reason().contains("KOI9-X"), "{}", answer.reason());
    server.shut_down().await;
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bare_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_requests_are_read_within_bounds() {
    let server =
        Server::start_with(None, |config| config.server.max_request_bytes = "2 MiB".parse::<Size>().unwrap()).await;
    server.company("Acme", 47).await;
    server.user(ADA, "Acme", prepress::model::role::Role::IpsUser).await;
    let soap = |name: &str| envelope(&login(), &submit(name)).into_bytes();
    let plain = format!("<Request xmlns=\"{NEWEST}\">{}{}</Request>", login(), submit("Z5"));
    let latin = [("Content-Type", "text/xml;charset=iso-8859-1")];
    for (name, coding, path, bytes) in [
        ("Z1", "gzip", SOAP, gzipped(&soap("Z1"))),
        ("Z2", "deflate", SOAP, zlib(&soap("Z2"))),
        ("Z3", "deflate", SOAP, bare_deflate(&soap("Z3"))),
        ("Z4", "deflate, x-gzip", SOAP, gzipped(&zlib(&soap("Z4")))),
        ("Z5", "gzip", PLAIN, gzipped(plain.as_bytes())),
    ] {
        let answer = send(&server, path, bytes, &[("Content-Encoding", coding), latin[0]]).await.answer;
        assert!(answer.text.contains(&format!("<jobHandle>j|47|{name}||</jobHandle>")), "{coding}: {}", answer.text);
    }

    let padded = |bytes: usize| [b" ".repeat(bytes), soap("N")].concat();
    let random = {
        // What does not compress, so that the limit is reached and not the proportion.
        let mut state = 1_u32;
        let noise: String = (0..3_000_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                char::from(b'a' + (state >> 24) as u8 % 26)
            })
            .collect();
        envelope(&format!("<a>{noise}</a>"), &submit("N"))
    };
    for (coding, bytes, status, named) in [
        ("br", soap("N"), 415, "br"),
        ("gzip, aws-chunked", gzipped(&soap("N")), 415, "aws-chunked"),
        ("gzip,gzip,gzip,gzip", gzipped(&soap("N")), 415, "4 times"),
        ("gzip", soap("N"), 500, "cannot be unpacked"),
        ("gzip", gzipped(&soap("N"))[..200].to_vec(), 500, "cannot be unpacked"),
        ("deflate", [zlib(&soap("N")), b"x".to_vec()].concat(), 500, "cannot be unpacked"),
        ("gzip", gzipped(random.as_bytes()), 413, "limit of 2097152 bytes when it is unpacked"),
        ("gzip", gzipped(&padded(1_413_000)), 413, "200 times"),
        ("gzip", gzipped(&padded(20 << 20)), 413, "limit of 2097152 bytes"),
        ("gzip, gzip", gzipped(&gzipped(&padded(20 << 20))), 413, "200 times"),
    ] {
        let reply = send(&server, SOAP, bytes, &[("Content-Encoding", coding)]).await;
        let answer = reply.answer;
        assert_eq!((answer.status, answer.fault_code()), (status, Some(30003)), "{coding} {named}: {}", answer.text);
        assert!(answer.reason().contains(named), "{coding}: \"{named}\" in \"{}\"", answer.reason());
        assert_eq!(reply.accepts.as_deref(), (status == 415).then_some("gzip, deflate"), "{coding}");
    }
    // A post of files is not unpacked, and says so.
    let multipart = ("Content-Type", "multipart/form-data; boundary=b");
    for (coding, named) in [("gzip", "without Content-Encoding"), ("br", "br")] {
        let answer = send(&server, "/scene7/UploadFile", gzipped(b"--b--"), &[multipart, ("Content-Encoding", coding)])
            .await
            .answer;
        assert_eq!((answer.status, answer.fault_code()), (415, Some(30003)), "{}", answer.text);
        assert!(answer.reason().contains(named), "{}", answer.reason());
    }
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slashes_too_many_are_no_other_address() {
    let server = server().await;
    for (index, path) in
        ["/scene7/services/IpsApiService/", "//scene7//services/IpsApiService", "/scene7/services//IpsApiService//?x=1"]
            .into_iter()
            .enumerate()
    {
        let name = format!("Slash {index}");
        let answer = server.post(path, &envelope(&login(), &submit(&name)), &[]).await;
        assert!(answer.text.contains(&format!("j|47|{name}||")), "{path}: {}", answer.text);
    }
    let plain = format!("<Request xmlns=\"{NEWEST}\">{}{}</Request>", login(), submit("Slash plain"));
    assert_eq!(server.post("/scene7/api/IpsApiService/", &plain, &[]).await.status, 200);
    let get = async |path: &str| {
        let response = server.client().get(server.url(path)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    for path in
        ["/scene7//webservice/IpsApi-2014-04-03.wsdl", "/scene7/IpsApi.wsdl/", "/scene7/services/IpsApiService/?wsdl"]
    {
        let (status, text) = get(path).await;
        assert!(status == 200 && text.contains("</wsdl:definitions>"), "{path}: {status}");
        assert!(text.contains("/scene7/services/IpsApiService\""), "the address is the plain one");
    }
    let post = server.post("/scene7/UploadFile/", "", &[]).await;
    assert!(post.reason().contains("multipart/form-data"), "{}", post.text);
    assert_eq!(get("/api/jobs/").await.0, 404, "elsewhere an address is what it is");
    let metrics = get("/metrics").await.1;
    assert!(metrics.contains("route=\"soap\",operation=\"submitJob\""), "they are counted as what they are: {metrics}");
    server.shut_down().await;
}

/// Sends the head of a request and reads what comes until the server has said all that it wants to say, or closes.
async fn first_words(server: &Server, head: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let read = stream.read(&mut bytes).await.unwrap_or(0);
        said.extend_from_slice(&bytes[..read]);
        let text = String::from_utf8_lossy(&said);
        if read == 0
            || text.ends_with("Envelope>")
            || text.ends_with("Fault>")
            || text.ends_with("100 Continue\r\n\r\n")
        {
            return text.into_owned();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_its_host_once() {
    let server = server().await;
    let body = envelope(&login(), &submit("Hosted"));
    let request = |version: &str, hosts: &[&str]| {
        let hosts: String = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect();
        let length = body.len();
        format!("POST {SOAP} HTTP/{version}\r\n{hosts}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}")
            .into_bytes()
    };
    for (hosts, word) in [
        (&[][..], "no Host"),
        (&["a", "a"], "more than one Host"),
        (&["a", "b"], "more than one Host"),
        (&["a, b"], "Host is not the name of a host"),
        (&["u:p@a"], "Host is not the name of a host"),
    ] {
        let answer = server.raw(&request("1.1", hosts)).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{hosts:?}: {answer}");
        assert!(answer.contains(word) && answer.contains("connection: close"), "{hosts:?}: {answer}");
    }
    assert!(!named_jobs(&server).await.contains("Hosted"), "nothing of them was carried out");
    let old = server.raw(&request("1.0", &[])).await;
    assert!(old.starts_with("HTTP/1.0 200 ") && old.contains("j|47|Hosted||"), "{old}");
    assert!(server.raw(&request("1.0", &["a", "a"])).await.starts_with("HTTP/1.0 400 "));
    for path in ["/healthz", "/metrics", "/nothing", "/scene7/IpsApi.wsdl"] {
        let answer = server.raw(format!("GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
    }
    let location = format!("location=\"http://localhost:{}/", server.address().port());
    for head in ["HTTP/1.1\r\nHost:", "HTTP/1.0"] {
        let request = format!("GET /scene7/IpsApi.wsdl {head}\r\nConnection: close\r\n\r\n");
        let wsdl = server.raw(request.as_bytes()).await;
        assert!(wsdl.contains(" 200 OK") && wsdl.contains(&location), "{location}: {wsdl}");
    }
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_a_wrapping_that_is_not_known_is_not_read_as_it_is() {
    let server = server().await;
    let body = envelope(&login(), &submit("Wrapped"));
    let request = |path: &str, codings: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: text/xml\r\n\
             Transfer-Encoding: {codings}\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        )
        .into_bytes()
    };
    for path in [SOAP, "/scene7/UploadFile", "/api/jobs"] {
        for codings in ["gzip, chunked", "gzip\r\nTransfer-Encoding: chunked", "chunked, chunked", "identity, chunked"]
        {
            let answer = server.raw(&request(path, codings)).await;
            assert!(answer.starts_with("HTTP/1.1 501 ") && answer.contains("connection: close"), "{codings}: {answer}");
            assert!(answer.contains("Content-Encoding"), "it says what would be understood: {answer}");
        }
    }
    assert!(!named_jobs(&server).await.contains("Wrapped"), "nothing of them was carried out");
    let answer = server.raw(&request(SOAP, "Chunked")).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("j|47|Wrapped||"), "{answer}");
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_to_send_what_is_not_taken() {
    let server = Server::start_with(None, |config| {
        config.server.max_request_bytes = "64 KiB".parse::<Size>().unwrap();
        config.upload.max_file_bytes = "1 MiB".parse().unwrap();
        config.upload.max_post_bytes = Some("1 MiB".parse().unwrap());
        config.upload.max_files = 1;
    })
    .await;
    let head = |path: &str, more: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Type: text/xml\r\n{more}\r\n\r\n")
    };
    for path in [SOAP, PLAIN] {
        let said = first_words(&server, &head(path, "Content-Length: 65537")).await;
        assert!(said.starts_with("HTTP/1.1 413 ") && said.contains("connection: close"), "{said}");
        assert!(said.contains("<tns:code>30003</tns:code>") && said.contains("limit of 65536 bytes"), "{said}");
        let said = first_words(&server, &head(path, "Content-Length: 10\r\nContent-Encoding: br")).await;
        assert!(said.starts_with("HTTP/1.1 415 "), "{said}");
        assert_eq!(first_words(&server, &head(path, "Content-Length: 65536")).await, "HTTP/1.1 100 Continue\r\n\r\n");
    }
    let form = "Content-Type: multipart/form-data; boundary=b\r\n";
    let post = |length: u64| {
        head("/scene7/UploadFile", &format!("{form}Content-Length: {length}")).replace("Content-Type: text/xml\r\n", "")
    };
    let said = first_words(&server, &post(6 << 20)).await;
    assert!(said.starts_with("HTTP/1.1 413 ") && said.contains("<tns:code>30003</tns:code>"), "{said}");
    assert!(said.contains("connection: close"), "{said}");
    assert_eq!(first_words(&server, &post(1 << 20)).await, "HTTP/1.1 100 Continue\r\n\r\n");

    // Who does not say how much it is is told to send, and told when it is too much.
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(head(SOAP, "Transfer-Encoding: chunked\r\nConnection: close").as_bytes()).await.unwrap();
    let mut word = [0; 25];
    stream.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    for _ in 0..3 {
        stream.write_all(&chunk).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("limit of 65536 bytes"), "{answer}");

    // Nor does it matter whether a client waits for a word.
    let whole = send(&server, SOAP, vec![b' '; 65_537], &[]).await.answer;
    assert_eq!((whole.status, whole.fault_code()), (413, Some(30003)), "{}", whole.text);
    let one = send(&server, "/scene7/UploadFile", vec![b' '; 6 << 20], &[]).await.answer;
    assert_eq!((one.status, one.fault_code()), (413, Some(30003)), "{}", one.text);
    server.shut_down().await;
}
