//! Bodies of several parts on the wire: the forms that clients send, and those that mean no good.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use prepress::config::Period;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::hostile::{answers_still, resident};
use crate::server::{Answer, PASSWORD, Server, envelope};
use crate::upload_file::{Form, OPTIONS, handle, names, png, server};
use crate::{ADA, NEWEST};

const UPLOAD: &str = "/scene7/UploadFile";

fn auth() -> String {
    format!("<authHeader xmlns=\"{NEWEST}\"><user>{ADA}</user><password>{PASSWORD}</password></authHeader>")
}

fn params() -> String {
    format!(
        "<uploadPostParam xmlns=\"{NEWEST}\"><companyHandle>c|47</companyHandle><jobName>Forms</jobName>\
         <endJob>true</endJob>{OPTIONS}</uploadPostParam>"
    )
}

async fn post(server: &Server, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
    let request = server.client().post(server.url(path)).header("Content-Type", content_type).body(body);
    let response = request.send().await.unwrap();
    Answer { status: response.status().as_u16(), text: response.text().await.unwrap() }
}

/// Whether a stored file has exactly these bytes. One that is still being written may have its name by the time it is read.
fn is_stored(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() { is_stored(&path, bytes) } else { std::fs::read(path).is_ok_and(|stored| stored == bytes) }
    })
}

/// A body in which `FILE` stands for the bytes of a file.
fn with_file(text: &str, file: &[u8]) -> Vec<u8> {
    let (before, after) = text.split_once("FILE").unwrap();
    [before.as_bytes(), file, after.as_bytes()].concat()
}

fn quoted_printable(text: &str) -> String {
    let escaped: Vec<String> = text.bytes().map(|byte| format!("={byte:02X}")).collect();
    escaped.chunks(25).map(|line| line.concat()).collect::<Vec<_>>().join("=\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_a_post_brings_the_same_file() {
    let server = server(|_| {}).await;
    let (auth, params) = (auth(), params());
    let part = |name: &str, more: &str, content: &str| {
        format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{content}\r\n")
    };
    let file = |name: &str| part("file1", &format!("; filename=\"{name}\""), "FILE");
    let head = format!("{}{}", part("auth", "", &auth), part("uploadParams", "", &params));
    let form = "multipart/form-data; boundary=edge";
    // As the reference prints it: each part closes the boundary, and an empty line has spaces in it.
    let printed = format!(
        "--edge \nContent-Disposition: form-data; name=\"auth\" \nContent-Type: text/plain; charset=US-ASCII \n\
         Content-Transfer-Encoding: 8bit \n  \n   {auth}   \n   \n--edge-- \n\
         Content-Disposition: form-data; name=\"uploadParams\" \nContent-Type: text/plain; charset=US-ASCII \n\
         Content-Transfer-Encoding: 8bit \n  \n   {params}   \n   \n--edge-- \n\
         Content-Disposition: form-data; name=\"file1\"; filename=\"Acme/Forms//printed.png\" \n\
         Content-Type: application/octet-stream; charset=ISO-8859-1 \nContent-Transfer-Encoding: binary \n\nFILE\n--edge-- \n"
    );
    let picture = |seed: u8| [png(seed), b"\r\n--edg\r".to_vec()].concat();
    let base64 = base64::engine::general_purpose::STANDARD.encode(picture(9));
    let lines: Vec<&[u8]> = base64.as_bytes().chunks(76).collect();
    let mut encoded =
        part("file1", "; filename=\"base64.png\"\r\nContent-Transfer-Encoding: Base64", "FILE").into_bytes();
    encoded = with_file(&String::from_utf8(encoded).unwrap(), &lines.join(b"\r\n".as_slice()));
    let quoted = format!(
        "{}{}{}--edge--",
        part("auth", "\r\nContent-Transfer-Encoding: quoted-printable", &quoted_printable(&auth)),
        part("uploadParams", "\r\nContent-Transfer-Encoding: quoted-printable", &quoted_printable(&params)),
        file("quoted.png")
    );
    let cases: Vec<(&str, &str, Vec<u8>, u8)> = vec![
        ("plain", form, with_file(&format!("{head}{}--edge--\r\n", file("plain.png")), &picture(1)), 1),
        ("Forms/printed", form, with_file(&printed, &picture(2)), 2),
        (
            "closed",
            form,
            with_file(
                &format!("{head}{}--edge--\r\n", file("closed.png"))
                    .replace("\r\n--edge\r\n", "\r\n--edge--\r\n--edge\r\n"),
                &picture(3),
            ),
            3,
        ),
        ("lf", form, with_file(&format!("{head}{}--edge--\n", file("lf.png")).replace("\r\n", "\n"), &picture(4)), 4),
        (
            "padded",
            "multipart/form-data; charset=utf-8; boundary=\"edge\"",
            with_file(
                &format!("{head}{}--edge--", file("padded.png")).replace("--edge\r\n", "--edge \t\r\n"),
                &picture(5),
            ),
            5,
        ),
        (
            "around",
            form,
            with_file(
                &format!("In parts:\r\n\r\n{head}{}--edge--\r\nThat is all.\r\n", file("around.png")),
                &picture(6),
            ),
            6,
        ),
        (
            "Straße 写真",
            form,
            with_file(
                &format!(
                    "{head}{}--edge--",
                    part("f", "; filename=\"x\"; filename*=UTF-8''Stra%C3%9Fe%20%E5%86%99%E7%9C%9F.png", "FILE")
                ),
                &picture(7),
            ),
            7,
        ),
        ("quoted", form, with_file(&quoted, &picture(8)), 8),
        ("base64", form, [head.as_bytes(), &encoded, b"--edge--"].concat(), 9),
    ];
    let mut expected = Vec::new();
    for (name, content_type, body, seed) in cases {
        handle(&post(&server, UPLOAD, content_type, body).await);
        assert!(is_stored(&server.data().join("blobs"), &picture(seed)), "{name}: not what was sent");
        expected.push(format!("Acme/{name}"));
    }
    server.all_done().await;
    expected.sort();
    assert_eq!(names(&server).await, expected);
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_wrong_is_refused_in_words_and_leaves_nothing() {
    let server = server(|_| {}).await;
    let (auth, params) = (auth(), params());
    let part =
        |head: &str, content: &str| format!("--edge\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n");
    let login = part("name=\"auth\"", &auth);
    let order = part("name=\"uploadParams\"", &params);
    let file = part("name=\"f\"; filename=\"a.png\"", "x");
    let encoded = |encoding: &str, content: &str| {
        part(&format!("name=\"f\"; filename=\"a.png\"\r\nContent-Transfer-Encoding: {encoding}"), content)
    };
    let many_elements = auth.replace("</authHeader>", &format!("{}</authHeader>", "<a/>".repeat(600)));
    let long = "x".repeat(129 << 10);
    let cases = [
        (format!("{login}{order}{}--edge--", encoded("x-uuencode", "x")), 30003, "x-uuencode"),
        (format!("{login}{order}{}--edge--", encoded("base64", "QUJ")), 30003, "part 3 says that it is base64"),
        (format!("{login}{order}{}--edge--", encoded("quoted-printable", "=9")), 30003, "quoted-printable"),
        (format!("{login}{order}{file}"), 30003, "middle of part 3"),
        (format!("{login}{order}{file}--edge"), 30003, "middle of part 3"),
        (format!("{login}{login}{order}{file}--edge--"), 30001, "auth"),
        (format!("{login}{order}{login}{file}--edge--"), 30001, "auth"),
        // A second order would make the files before it nobody's.
        (format!("{login}{order}{file}{order}{file}--edge--"), 30001, "uploadParams must be there once"),
        (format!("{login}{order}--edge\r\n\r\nx\r\n--edge--"), 30002, "filename"),
        (format!("{login}{order}{}--edge--", part("name=\"f\"; filename=\"a\0.png\"", "x")), 30003, "U+0000"),
        (format!("{login}{order}{}--edge--", part("name=\"f\"; filename=\"a", "x")), 30003, "closing quote"),
        (format!("{login}{order}--edge\r\nno head\r\n\r\nx\r\n--edge--"), 30003, "no head"),
        (format!("{login}{order}--edge\r\nX: {long}\r\n\r\nx\r\n--edge--"), 30003, "longer than 16384 bytes"),
        (format!("{login}{order}{file}--edge--\r\n{long}"), 30003, "more than 16384 bytes"),
        (format!("{long}\r\n{login}{order}{file}--edge--\r\n"), 30003, "first 16384 bytes"),
        (format!("{}{order}--edge--", part("name=\"auth\"", &long)), 30003, "auth is larger than 131072 bytes"),
        (format!("{}{order}--edge--", part("name=\"auth\"", &many_elements)), 30003, "more than 500 elements"),
        (String::new(), 30003, "before its first part"),
        ("--edge--\r\n".to_owned(), 30002, "uploadParams"),
    ];
    for (body, code, word) in cases {
        let answer = post(&server, UPLOAD, "multipart/form-data; boundary=edge", body.into_bytes()).await;
        assert_eq!((answer.status, answer.fault_code()), (500, Some(code)), "{word}: {}", answer.text);
        assert!(answer.reason().contains(word) && answer.reason().len() < 400, "\"{word}\" in \"{}\"", answer.reason());
    }
    let good = format!("{login}{order}{file}--edge--\r\n");
    for content_type in
        ["multipart/related; boundary=edge", "multipart/form-data", "multipart/form-data; boundary=\"", "text/xml"]
    {
        let answer = post(&server, UPLOAD, content_type, good.clone().into_bytes()).await;
        assert_eq!((answer.status, answer.fault_code()), (500, Some(30003)), "{content_type}: {}", answer.text);
        assert!(answer.reason().contains("multipart/form-data with a boundary"), "{}", answer.reason());
    }
    assert_eq!(server.jobs().await, 0, "nothing was begun");
    assert_eq!(std::fs::read_dir(server.data().join("blobs/tmp")).unwrap().count(), 0, "no unfinished file stays");
    handle(&post(&server, UPLOAD, "multipart/form-data; boundary=edge", good.into_bytes()).await);
    server.shut_down().await;
}

/// Line breaks in base64 and after quoted-printable's `=` are no bytes of a file, and count all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_bounded_even_if_it_stands_for_nothing() {
    let server = server(|config| {
        config.upload.max_file_bytes = "1 MiB".parse().unwrap();
        config.upload.max_post_bytes = Some("1 MiB".parse().unwrap());
        config.upload.max_files = 1;
    })
    .await;
    for (encoding, nothing) in [("base64", "\r\n"), ("quoted-printable", "=\n")] {
        let head = format!("name=\"f\"; filename=\"a.png\"\r\nContent-Transfer-Encoding: {encoding}");
        let form = Form::default().auth(ADA, "").params(&format!("<jobName>N</jobName>{OPTIONS}"));
        let answer = form.part(&head, nothing.repeat(3 << 20).as_bytes()).post(&server).await;
        assert_eq!(answer.fault_code(), Some(30003), "{encoding}: {}", answer.text);
        assert!(answer.reason().contains("larger than the limit of 5783552 bytes"), "{}", answer.reason());
    }
    // A file as long as is allowed may swell.
    let head = "name=\"f\"; filename=\"a.txt\"\r\nContent-Transfer-Encoding: quoted-printable";
    let form = Form::default().auth(ADA, "").params(&format!("<jobName>N</jobName><endJob>true</endJob>{OPTIONS}"));
    handle(&form.part(head, "=41".repeat(1 << 20).as_bytes()).post(&server).await);
    assert!(is_stored(&server.data().join("blobs"), &[b'A'; 1 << 20]));
    server.shut_down().await;
}

/// What is sent before a login, and never comes to one.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_before_a_login_takes_no_room() {
    const SENT: usize = 60 << 20;
    let server = Arc::new(server(|_| {}).await);
    let starts = [
        ("", "first 16384 bytes"),
        ("\r\n--edgeling\r\n", "first 16384 bytes"),
        ("--edge\r\nContent-Disposition: form-data; name=\"auth\"; x=\"", "longer than 16384 bytes"),
        ("--edge\r\nContent-Disposition: form-data; name=\"auth\"\r\n\r\n<authHeader>", "larger than 131072 bytes"),
        ("--edge\r\nContent-Disposition: form-data; name=\"file1\"; filename=\"a\"\r\n\r\n", "before the files"),
        ("--edge--\r\n", "more than 16384 bytes"),
    ];
    let before = resident();
    let senders = starts.map(|(start, word)| {
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(server.address()).await.unwrap();
            let head = format!(
                "POST {UPLOAD} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\
                 Content-Type: multipart/form-data; boundary=edge\r\n\r\n{start}",
                SENT + start.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            let filling = vec![b'x'; 1 << 20];
            for _ in 0..SENT >> 20 {
                stream.write_all(&filling).await.unwrap();
            }
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains(word), "{start:?}: {answer}");
        })
    });
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
        sender.await.unwrap();
    }
    over.store(true, Ordering::Relaxed);
    let grown = watching.await.unwrap().saturating_sub(before);
    // Each may hold 1 MiB; the rest is for other tests that run beside this one.
    assert!(grown < 200 << 20, "{} MiB for {} MiB that were sent", grown >> 20, (SENT * starts.len()) >> 20);
    answers_still(&server).await;
}

/// Sends a beginning, and then a byte now and then for as long as the server takes it. What it said at last.
async fn trickle(server: &Server, start: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "POST {UPLOAD} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\
         Content-Type: multipart/form-data; boundary=edge\r\n\r\n{start}"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    for _ in 0..400 {
        let mut bytes = [0; 4096];
        match tokio::time::timeout(Duration::from_millis(50), stream.read(&mut bytes)).await {
            // Nothing is said yet.
            Err(_elapsed) => {
                let _ = stream.write_all(b"x").await;
            }
            Ok(Ok(0) | Err(_)) => return answer,
            Ok(Ok(read)) => answer.push_str(&String::from_utf8_lossy(&bytes[..read])),
        }
    }
    panic!("{start:?} is waited for without end: {answer:?}");
}

/// No pause is as long as the time of a request; that it all together takes longer is what counts.
#[tokio::test(flavor = "multi_thread")]
async fn posts_that_trickle_are_given_up() {
    let server = server(|config| config.server.request_timeout = Period::seconds(1)).await;
    let part = |name: &str, content: &str| {
        format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}")
    };
    let login = part("auth", &auth());
    let file = format!("{login}\r\n{}\r\n{}", part("uploadParams", &params()), part("f\"; filename=\"a.png", ""));
    let cases = [
        (String::new(), "its login did not come within 1 seconds"),
        ("--edge\r\nX-".to_owned(), "its login did not come within 1 seconds"),
        (part("auth", "<authHeader "), "its login did not come within 1 seconds"),
        (format!("{login}\r\n{}", part("uploadParams", "<")), "less than 32768 bytes of it came in 1 seconds"),
        (file, "less than 32768 bytes of it came in 1 seconds"),
        (format!("{login}\r\n--edge--\r\n"), "less than 32768 bytes of it came in 1 seconds"),
        // It is refused at once, and told so when nothing more can be hoped for.
        (part("f", "x"), "before the files"),
    ];
    let told = futures_util::future::join_all(cases.iter().map(|(start, _)| trickle(&server, start))).await;
    for ((start, word), answer) in cases.iter().zip(told) {
        assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains(word), "{start:?}: {answer:?}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    assert_eq!(server.jobs().await, 0, "nothing was begun");
    assert_eq!(std::fs::read_dir(server.data().join("blobs/tmp")).unwrap().count(), 0, "no unfinished file stays");
    server.shut_down().await;
}

/// Clients that would send attachments wrap their requests, also when they have none.
#[tokio::test(flavor = "multi_thread")]
async fn envelopes_come_as_the_root_of_related_parts() {
    let server = crate::server().await;
    let body = format!("<getCompanyInfoParam xmlns=\"{NEWEST}\"><companyName>Acme</companyName></getCompanyInfoParam>");
    let soap_11 = envelope(&auth(), &body);
    let soap_12 =
        soap_11.replace("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope");
    let plain = format!("<Request xmlns=\"{NEWEST}\">{}{body}</Request>", auth());
    let mtom = |envelope: &str, media_type: &str| {
        format!(
            "\r\n--uuid:1+id=1\r\nContent-ID: <http://tempuri.org/0>\r\nContent-Transfer-Encoding: 8bit\r\n\
             Content-Type: application/xop+xml;charset=utf-8;type=\"{media_type}\"\r\n\r\n{envelope}\r\n--uuid:1+id=1--\r\n"
        )
    };
    let typed = |media_type: &str| {
        format!(
            "multipart/related; type=\"application/xop+xml\";start=\"<http://tempuri.org/0>\";boundary=\"uuid:1+id=1\";\
             start-info=\"{media_type}\""
        )
    };
    let (soap, api) = ("/scene7/services/IpsApiService", "/scene7/api/IpsApiService");
    let (text, soap_xml) = ("text/xml", "application/soap+xml");
    for (path, content_type, body, reply_type) in [
        (soap, typed(text), mtom(&soap_11, text), text),
        (soap, typed(soap_xml), mtom(&soap_12, soap_xml), soap_xml),
        (soap, typed(text), mtom(&soap_11, text).replace("\r\n", "\n"), text),
        (soap, typed(text).replace("application/xop+xml", text), mtom(&soap_11, text), text),
        (soap, typed(text), mtom(&quoted_printable(&soap_11), text).replace("8bit", "quoted-printable"), text),
        (api, typed(text), mtom(&plain, text), text),
    ] {
        let request = server.client().post(server.url(path)).header("Content-Type", &content_type).body(body);
        let response = request.send().await.unwrap();
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with(reply_type), "{content_type}");
        let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
        assert!(status == 200 && text.contains("<name>Acme</name>"), "{content_type}: {text}");
    }
    let attached = mtom(&soap_11, text)
        .replace("\r\n--uuid:1+id=1--", "\r\n--uuid:1+id=1\r\nContent-ID: <picture@acme>\r\n\r\nx\r\n--uuid:1+id=1--");
    for (content_type, body, word) in [
        (typed(text), attached, "part 2 (&lt;picture@acme&gt;) is an attachment"),
        (typed(text), mtom(&soap_11, text).replace("8bit", "x-zip"), "x-zip"),
        (typed(text), soap_11.clone(), "before its first part"),
        (typed(text).replace("boundary", "border"), mtom(&soap_11, text), "boundary"),
        (typed(text), format!("--uuid:1+id=1\r\nX: {}", "x".repeat(20_000)), "longer than 16384 bytes"),
    ] {
        let answer = post(&server, soap, &content_type, body.into_bytes()).await;
        assert_eq!((answer.status, answer.fault_code()), (500, Some(30003)), "{word}: {}", answer.text);
        assert!(answer.reason().contains(word), "\"{word}\" in \"{}\"", answer.reason());
    }
    answers_still(&server).await;
    server.shut_down().await;
}

/// A login that is accepted before its post is refused may have sent as much as it likes: it is told why, and goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_goes_on_after_a_post_that_was_read_to_its_end() {
    let server = server(|_| {}).await;
    let form = Form::default().auth(ADA, "").params("<jobName>N</jobName>").file("a.png", &vec![7; 3 << 20]);
    let answer = form.clone().post(&server).await;
    assert_eq!(answer.fault_code(), Some(30002), "{}", answer.text);
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    for _ in 0..2 {
        let body = "--edge\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nx\r\n--edge--\r\n";
        let head = format!(
            "POST {UPLOAD} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\nContent-Type: multipart/form-data; boundary=edge\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut said = Vec::new();
        while !said.ends_with(b"Fault>") {
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).await.unwrap();
            assert_ne!(read, 0, "{}", String::from_utf8_lossy(&said));
            said.extend_from_slice(&bytes[..read]);
        }
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("before the files") && !said.contains("connection: close"), "{said}");
    }
    server.shut_down().await;
}
