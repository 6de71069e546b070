use std::io::Write;

use chrono::{TimeZone, Utc};
use mail_parser::{Message, MessageParser, MimeHeaders};

use super::server::{Orders, Server};
use super::*;
use crate::mail::{JobReference, Mail};

mod delivery {
    use super::*;

    #[tokio::test]
    async fn a_mail_arrives_with_both_parts_and_all_headers() {
        let server = Server::start(Orders::default()).await;
        let transport = transport(&server, Security::None, None);
        let receipt = transport.send(&mail(12)).await.unwrap();
        let Receipt::Accepted { server: name, reply } = receipt else { panic!("{receipt:?}") };
        assert_eq!(
            (name, reply.as_str()),
            (format!("localhost:{}", server.address.port()), "250 2.0.0 queued as 4711")
        );

        let delivered = &server.delivered()[0];
        assert!(delivered.from.contains("<prepress@example.com>") && delivered.to.contains("<eva@example.com>"));
        assert!(delivered.data.is_ascii(), "a server without 8BITMIME must be able to take it");
        let parsed = parse(&delivered.data);
        assert_eq!(parsed.subject(), Some("Été 写真: done, 3 files"));
        assert_eq!(parsed.body_text(0).unwrap().replace("\r\n", "\n").trim_end(), mail(12).mail.text.trim_end());
        assert_eq!(parsed.body_html(0).unwrap().replace("\r\n", "\n").trim_end(), mail(12).mail.html.trim_end());
        let kind = parsed.content_type().unwrap();
        assert_eq!((kind.ctype(), kind.subtype()), ("multipart", Some("alternative")));
        assert_eq!(parsed.from().unwrap().first().unwrap().name(), Some("Prépress, \"the\" daemon"));
        assert_eq!(parsed.reply_to().unwrap().first().unwrap().address(), Some("support@example.com"));
        assert_eq!(parsed.date().unwrap().to_rfc3339(), "2026-11-23T09:15:04Z");
        assert_eq!(parsed.message_id(), Some("mail-12.f00d@example.com"));
        assert_eq!(parsed.header_raw("Auto-Submitted").unwrap().trim(), "auto-generated");
        assert_eq!(parsed.header_raw("X-Prepress-Job").unwrap().trim(), "j|6||Summer|54091");
    }

    #[tokio::test]
    async fn the_end_answers_the_beginning() {
        let server = Server::start(Orders::default()).await;
        let transport = transport(&server, Security::None, None);
        transport.send(&mail(12)).await.unwrap();
        transport.send(&OutgoingMail { answers: Some(12), ..mail(13) }).await.unwrap();
        let delivered = server.delivered();
        let (begin, end) = (parse(&delivered[0].data), parse(&delivered[1].data));
        assert_eq!(begin.references().as_text(), Some("job-54091.f00d@example.com"));
        assert!(begin.in_reply_to().as_text().is_none());
        assert_eq!(end.in_reply_to().as_text(), begin.message_id());
        assert_eq!(
            end.references().as_text_list().unwrap(),
            ["job-54091.f00d@example.com", "mail-12.f00d@example.com"]
        );
    }

    #[tokio::test]
    async fn the_same_mail_is_the_same_bytes_and_one_connection_carries_many() {
        let server = Server::start(Orders::default()).await;
        let transport = transport(&server, Security::None, None);
        for id in [12, 12, 13] {
            transport.send(&mail(id)).await.unwrap();
        }
        let delivered = server.delivered();
        assert_eq!(delivered[0].data, delivered[1].data);
        assert_ne!(delivered[1].data, delivered[2].data);
        assert_eq!(server.connections(), 1);
    }

    #[tokio::test]
    async fn lines_that_look_like_the_protocol_are_only_text() {
        let server = Server::start(Orders::default()).await;
        let transport = transport(&server, Security::None, None);
        let mut outgoing = mail(1);
        outgoing.mail.text = "one\n.\nMAIL FROM:<evil@example.com>\n..two\n--prepress-0\n".into();
        transport.send(&outgoing).await.unwrap();
        let delivered = server.delivered();
        assert_eq!(delivered.len(), 1);
        let text = parse(&delivered[0].data).body_text(0).unwrap().replace("\r\n", "\n");
        assert_eq!(text.trim_end(), outgoing.mail.text.trim_end());
    }

    #[tokio::test]
    async fn no_name_writes_a_header() {
        let server = Server::start(Orders::default()).await;
        let transport = transport(&server, Security::None, None);
        let mut outgoing = mail(1);
        outgoing.mail.subject =
            format!("a\r\nBcc: all@example.com\r\n\r\nbody =?utf-8?q?=00x?= {}", "lang ".repeat(90));
        outgoing.job.handle = "j|6||写真\r\nX-Evil: 1|2".into();
        transport.send(&outgoing).await.unwrap();
        let delivered = server.delivered();
        let parsed = parse(&delivered[0].data);
        assert!(parsed.header("Bcc").is_none() && parsed.header("X-Evil").is_none());
        assert!(parsed.subject().unwrap().starts_with("a  Bcc: all@example.com    body = ?utf-8?q?=00x?= lang"));
        let longest = delivered[0].data.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap();
        assert!(longest < 998, "a line of {longest} bytes");
    }
}

mod refusals {
    use super::*;

    #[tokio::test]
    async fn a_greylisting_server_takes_it_at_the_second_attempt() {
        let orders = Orders { recipients: ["451 4.7.1 try again later"].into(), ..Orders::default() };
        let server = Server::start(orders).await;
        let transport = transport(&server, Security::None, None);
        let error = transport.send(&mail(1)).await.unwrap_err();
        assert!(matches!(error, SendError::Deferred { .. }) && error.is_transient(), "{error:?}");
        assert!(error.to_string().contains("try again later") && error.to_string().contains("eva@example.com"));
        transport.send(&mail(1)).await.unwrap();
        assert_eq!(server.delivered().len(), 1);
    }

    #[tokio::test]
    async fn a_refusal_is_for_good() {
        let orders = Orders {
            recipients: ["550 5.1.1 no such user"].into(),
            mails: ["554 5.6.0 not wanted", "421 4.3.2 closing"].into(),
            ..Orders::default()
        };
        let server = Server::start(orders).await;
        let transport = transport(&server, Security::None, None);
        for words in ["no such user", "not wanted"] {
            let error = transport.send(&mail(1)).await.unwrap_err();
            assert!(matches!(error, SendError::Refused { .. }) && !error.is_transient(), "{error:?}");
            assert!(error.to_string().contains(words), "{error}");
        }
        assert!(transport.send(&mail(1)).await.unwrap_err().is_transient());
        transport.send(&mail(1)).await.unwrap();
        assert_eq!(server.delivered().len(), 1);
    }

    #[tokio::test]
    async fn an_address_that_is_none_never_reaches_the_server() {
        let server = Server::start(Orders::default()).await;
        let transport = transport(&server, Security::None, None);
        for address in
            ["", "eva", "eva@", "a@b@c d", "eva@example.com\r\nRCPT TO:<x@example.com>", "\"a\r\nDATA\"@b.de"]
        {
            let error = transport.send(&OutgoingMail { to: address.into(), ..mail(1) }).await.unwrap_err();
            assert!(matches!(error, SendError::Address { .. }) && !error.is_transient(), "{address:?}: {error:?}");
        }
        assert_eq!(server.connections(), 0);
        let foreign = OutgoingMail { to: "été@example.com".into(), ..mail(1) };
        let error = transport.send(&foreign).await.unwrap_err();
        assert!(matches!(error, SendError::Refused { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn nobody_at_the_port_is_transient() {
        let server = Server::start(Orders::default()).await;
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = SmtpSettings { port, ..settings(&server, Security::None) };
        let transport = SmtpTransport::new(settings, sender()).unwrap();
        let error = transport.send(&mail(1)).await.unwrap_err();
        assert!(matches!(error, SendError::Connection { .. }) && error.is_transient(), "{error:?}");
        assert!(transport.check().await.unwrap_err().to_string().contains(&port.to_string()));
    }

    #[tokio::test]
    async fn a_silent_server_costs_the_timeout_and_its_connection() {
        let server = Server::start(Orders { silences: 1, ..Orders::default() }).await;
        let settings = SmtpSettings { timeout: Duration::from_millis(300), ..settings(&server, Security::None) };
        let transport = SmtpTransport::new(settings, sender()).unwrap();
        let error = transport.send(&mail(1)).await.unwrap_err();
        assert!(matches!(error, SendError::Timeout { .. }) && error.is_transient(), "{error:?}");
        transport.send(&mail(2)).await.unwrap();
        assert_eq!(server.connections(), 2);
        assert_eq!(parse(&server.delivered()[0].data).message_id(), Some("mail-2.f00d@example.com"));
    }
}

mod security {
    use super::*;

    const LOGIN: (&str, &str) = ("prepress", "pass wörd");

    fn login(password: &str) -> Option<Login> {
        Some(Login { user: LOGIN.0.into(), password: password.into() })
    }

    #[tokio::test]
    async fn starttls_and_login() {
        let orders = Orders { offer_starttls: true, login: Some(LOGIN), ..Orders::default() };
        let server = Server::start(orders).await;
        let transport = transport(&server, Security::StartTls, login(LOGIN.1));
        transport.check().await.unwrap();
        transport.send(&mail(1)).await.unwrap();
        let delivered = &server.delivered()[0];
        assert!(delivered.tls);
        assert_eq!(delivered.login, Some((LOGIN.0.into(), LOGIN.1.into())));
    }

    #[tokio::test]
    async fn tls_at_once() {
        let server = Server::start(Orders { tls_at_once: true, ..Orders::default() }).await;
        transport(&server, Security::Tls, None).send(&mail(1)).await.unwrap();
        assert!(server.delivered()[0].tls);
    }

    #[tokio::test]
    async fn without_tls_nothing_is_told() {
        let server = Server::start(Orders { login: Some(LOGIN), ..Orders::default() }).await;
        let transport = transport(&server, Security::StartTls, login(LOGIN.1));
        let error = transport.send(&mail(1)).await.unwrap_err();
        assert!(matches!(error, SendError::Connection { .. }) && error.is_transient(), "{error:?}");
        assert!(server.commands().iter().all(|line| line.starts_with("EHLO") || line.starts_with("QUIT")));
    }

    #[tokio::test]
    async fn a_certificate_of_nobody_is_not_trusted() {
        let server = Server::start(Orders { offer_starttls: true, ..Orders::default() }).await;
        let settings = SmtpSettings { extra_ca: None, ..settings(&server, Security::StartTls) };
        let transport = SmtpTransport::new(settings, sender()).unwrap();
        let error = transport.send(&mail(1)).await.unwrap_err();
        assert!(matches!(error, SendError::Connection { .. }), "{error:?}");
        assert!(error.to_string().contains("certificate"), "{error}");
        assert!(server.delivered().is_empty());
    }

    #[tokio::test]
    async fn a_wrong_password_gives_up_no_mail() {
        let server = Server::start(Orders { login: Some(LOGIN), ..Orders::default() }).await;
        for given in [login("wrong"), None] {
            let error = transport(&server, Security::None, given).send(&mail(1)).await.unwrap_err();
            assert!(matches!(error, SendError::Login { .. }) && error.is_transient(), "{error:?}");
        }
        let shown = format!("{:?}", SmtpSettings { login: login("secret"), ..settings(&server, Security::None) });
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[tokio::test]
    async fn certificates_that_cannot_be_used_are_named() {
        let server = Server::start(Orders::default()).await;
        let mut broken = tempfile::NamedTempFile::new().unwrap();
        broken.write_all(b"-----BEGIN CERTIFICATE-----\n???").unwrap();
        for path in [broken.path(), Path::new("/nowhere/ca.pem")] {
            let settings = SmtpSettings { extra_ca: Some(path.into()), ..settings(&server, Security::Tls) };
            let error = SmtpTransport::new(settings, sender()).err().unwrap();
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        }
    }
}

fn sender() -> Sender {
    let replies = Some("support@example.com");
    Sender::new("Prépress, \"the\" daemon", "prepress@example.com", replies, "f0-0d\r\n").unwrap()
}

fn settings(server: &Server, security: Security) -> SmtpSettings {
    SmtpSettings {
        host: "localhost".into(),
        port: server.address.port(),
        security,
        login: None,
        timeout: Duration::from_secs(20),
        extra_ca: None,
        hello_name: None,
    }
}

/// Trusts the server's own certificate.
fn transport(server: &Server, security: Security, login: Option<Login>) -> SmtpTransport {
    let mut authority = tempfile::NamedTempFile::new().unwrap();
    authority.write_all(server.certificate.as_bytes()).unwrap();
    let extra_ca = Some(authority.path().to_owned());
    SmtpTransport::new(SmtpSettings { login, extra_ca, ..settings(server, security) }, sender()).unwrap()
}

fn mail(id: i64) -> OutgoingMail {
    OutgoingMail {
        id,
        date: Utc.with_ymd_and_hms(2026, 11, 23, 9, 15, 4).unwrap(),
        to: "eva@example.com".into(),
        mail: Mail {
            subject: "Été 写真: done, 3 files".into(),
            text: "Été 写真\n\n  Processed  3\n".into(),
            html: "<p>Été 写真</p>\n<p>Processed <b>3</b></p>\n".into(),
        },
        job: JobReference { id: 54_091, handle: "j|6||Summer|54091".into() },
        answers: None,
    }
}

fn parse(data: &[u8]) -> Message<'_> {
    MessageParser::default().parse(data).unwrap()
}
