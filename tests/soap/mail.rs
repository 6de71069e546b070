//! A job's mail, from the submission over SOAP to a mail server.

#[allow(dead_code, reason = "the mailer's own tests use the rest")]
#[path = "../../src/mail/transport/smtp/server.rs"]
mod smtp;

use mail_parser::{Message, MessageParser, MimeHeaders};
use prepress::config::MailTls;
use prepress::executors::{Context, Failure, Item};
use prepress::model::log::{LogLine, LogType, Message as LogMessage};
use prepress::model::outcome::Counters;
use prepress::model::role::Role;
use prepress::store::effect::Effect;
use prepress::store::jobs::attempt::ItemReport;

use crate::server::Server;
use crate::shapes::until;
use crate::{ADA, NEWEST};

fn upload(name: &str, folder: &str, setting: &str) -> String {
    format!(
        "<submitJobParam xmlns=\"{NEWEST}\"><companyHandle>c|47</companyHandle><jobName>{name}</jobName><locale>en</locale>\
         <uploadDirectoryJob><serverDir>{folder}</serverDir><overwrite>true</overwrite><readyForPublish>true</readyForPublish>\
         <includeSubfolders>true</includeSubfolders><createMask>false</createMask><processMetadataFiles>false\
         </processMetadataFiles><emailSetting>{setting}</emailSetting></uploadDirectoryJob></submitJobParam>"
    )
}

fn address<'m>(mail: &'m Message<'_>) -> &'m str {
    mail.to().unwrap().first().unwrap().address().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_mails_what_was_asked_for_to_who_submitted_it() {
    let post = smtp::Server::start(smtp::Orders::default()).await;
    let server = Server::start_with(None, |config| {
        config.mail.smtp_host = Some("127.0.0.1".to_owned());
        config.mail.smtp_port = Some(post.address.port());
        config.mail.tls = MailTls::None;
        config.mail.from = "Studio <studio@acme.example>".to_owned();
    })
    .await;
    server.company("Acme", 47).await;
    server.user(ADA, "Acme", Role::IpsUser).await;
    for (folder, bytes) in [("clean", None), ("broken", Some(b"\xff\xd8\xff\xe0 not a picture".as_slice()))] {
        let folder = server.data().join("ingest/Acme").join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        image::RgbImage::new(60, 40).save(folder.join("shoe.png")).unwrap();
        if let Some(bytes) = bytes {
            std::fs::write(folder.join("worn <boot>.jpg"), bytes).unwrap();
        }
    }
    // (setting, mails about a job without errors, and about one with an error)
    let table = [("All", 2, 2), ("JobCompletion", 1, 1), ("Error", 0, 1), ("ErrorAndWarning", 0, 1), ("None", 0, 0)];
    let mut expected = 0;
    for (setting, clean, broken) in table {
        for (folder, mails) in [("clean", clean), ("broken", broken)] {
            let answer = server.soap(ADA, &upload(&format!("{setting} {folder}"), folder, setting)).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            server.all_done().await;
            expected += mails;
            until(async || (post.delivered().len() == expected).then_some(())).await;
        }
    }
    // Another user of the company may be the one who is to hear of it.
    let bob = server.user("bob@acme.example", "Acme", Role::IpsUser).await;
    let for_bob = upload("For another", "clean", "JobCompletion");
    let for_bob = for_bob.replace("<jobName>", &format!("<userHandle>u|{bob}|bob@acme.example</userHandle><jobName>"));
    assert_eq!(server.soap(ADA, &for_bob).await.status, 200);
    expected += 1;
    until(async || (post.delivered().len() == expected).then_some(())).await;
    server.shut_down().await;
    let delivered = post.delivered();
    assert_eq!(delivered.len(), expected, "and no more");
    let parser = MessageParser::default();
    let mails: Vec<Message<'_>> = delivered.iter().map(|mail| parser.parse(&mail.data).unwrap()).collect();
    for mail in &mails {
        let is_for_bob = mail.subject().unwrap().contains("For another");
        assert_eq!(address(mail), if is_for_bob { "bob@acme.example" } else { ADA });
        assert_eq!(mail.from().unwrap().first().unwrap().address(), Some("studio@acme.example"));
        let kind = mail.content_type().unwrap();
        assert_eq!((kind.ctype(), kind.subtype()), ("multipart", Some("alternative")));
    }
    assert_eq!(mails.iter().filter(|mail| address(mail) != ADA).count(), 1);
    let about = |name: &str| -> Vec<&Message<'_>> {
        mails.iter().filter(|mail| mail.subject().unwrap().contains(name)).collect()
    };
    let [begin, end] = about("All broken")[..] else { panic!("a beginning and an end") };
    assert_eq!(end.in_reply_to().as_text(), begin.message_id());
    assert!(begin.message_id().is_some() && begin.message_id() != end.message_id());
    let (text, html) = (end.body_text(0).unwrap(), end.body_html(0).unwrap());
    for said in ["All broken", "worn <boot>.jpg", "prepress jobs log"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(html.contains("worn &lt;boot&gt;.jpg") && !html.contains("worn <boot>"), "a name is no markup: {html}");
    assert!(html.contains("All broken"), "{html}");
    for (name, mails) in [("JobCompletion clean", 1), ("Error broken", 1), ("Error clean", 0), ("None broken", 0)] {
        assert_eq!(about(name).len(), mails, "{name}");
    }
}

/// Warns of 60 files, and then finds the one that is broken.
struct Grumbler;

impl prepress::executors::Registry for Grumbler {
    fn executor(&self, _spec: &prepress::model::job::JobSpec) -> Box<dyn prepress::executors::Executor> {
        Box::new(Self)
    }
}

#[async_trait::async_trait]
impl prepress::executors::Executor for Grumbler {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        for number in 0..61 {
            let reason = LogMessage::new("reason-other").with("detail", format!("number {number}"));
            let (kind, code) = match number {
                60 => (LogType::UploadError, "upload-error"),
                _ => (LogType::UploadWarning, "upload-warning"),
            };
            let words = LogMessage::new(code).with("file", format!("picture-{number}.jpg")).with("reason", reason);
            let counters = match number {
                60 => Counters { error: 1, ..Counters::default() },
                _ => Counters { warning: 1, ..Counters::default() },
            };
            let report = ItemReport { counters, lines: vec![LogLine::new(kind, words)], ..ItemReport::default() };
            context.commit(Item(number.to_string()), Effect::Nothing, move |_| report).await?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_that_a_mail_is_about_comes_before_sixty_warnings() {
    let post = smtp::Server::start(smtp::Orders::default()).await;
    let server = Server::start_with(Some(std::sync::Arc::new(Grumbler)), |config| {
        config.mail.smtp_host = Some("127.0.0.1".to_owned());
        config.mail.smtp_port = Some(post.address.port());
        config.mail.tls = MailTls::None;
    })
    .await;
    server.company("Acme", 47).await;
    server.user(ADA, "Acme", Role::IpsUser).await;
    assert_eq!(server.soap(ADA, &upload("Spring", "spring", "Error")).await.status, 200);
    until(async || (post.delivered().len() == 1).then_some(())).await;
    server.shut_down().await;
    let delivered = post.delivered();
    let mail = MessageParser::default().parse(&delivered[0].data).unwrap();
    let text = mail.body_text(0).unwrap();
    let at = |name: &str| text.find(name).unwrap_or_else(|| panic!("no {name} in {text}"));
    assert!(at("picture-60.jpg") < at("picture-0.jpg"), "{text}");
}
