//! UploadFile: real posts of real pictures.

use std::io::Cursor;

use prepress::assets::blobs::Blobs;
use prepress::clock::SystemClock;
use prepress::model::id::{CompanyId, InstanceId};
use prepress::model::role::Role;
use prepress::model::state::State;
use prepress::store::condemned::CondemnedFile;

use crate::server::{Answer, PASSWORD, Server};
use crate::{ADA, NEWEST};

const BOUNDARY: &str = "----prepress-test";

/// A multipart body.
#[derive(Default, Clone)]
pub struct Form(Vec<u8>);

impl Form {
    pub fn part(mut self, head: &str, bytes: &[u8]) -> Self {
        self.0.extend(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes());
        self.0.extend(bytes);
        self.0.extend(b"\r\n");
        self
    }

    pub fn auth(self, user: &str, more: &str) -> Self {
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><authHeader xmlns=\"{NEWEST}\"><user>{user}</user><password>{PASSWORD}\
             </password><locale>en</locale><appName>tests</appName><appVersion>1</appVersion>{more}</authHeader>"
        );
        self.part("name=\"auth\"\r\nContent-Type: text/plain", xml.as_bytes())
    }

    pub fn params(self, fields: &str) -> Self {
        let xml = format!(
            "<uploadPostParam xmlns=\"{NEWEST}\"><companyHandle>c|47</companyHandle>{fields}</uploadPostParam>"
        );
        self.part("name=\"uploadParams\"", xml.as_bytes())
    }

    pub fn file(self, name: &str, bytes: &[u8]) -> Self {
        self.part(&format!("name=\"file1\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream"), bytes)
    }

    /// Head and body of a request, with `more` in the head.
    pub fn request(mut self, more: &str) -> (String, Vec<u8>) {
        self.0.extend(format!("--{BOUNDARY}--\r\n").as_bytes());
        let media_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let head = format!(
            "POST /scene7/UploadFile HTTP/1.1\r\nHost: a\r\nContent-Type: {media_type}\r\n{more}Content-Length: {}\r\n\r\n",
            self.0.len()
        );
        (head, self.0)
    }

    pub async fn post(mut self, server: &Server) -> Answer {
        self.0.extend(format!("--{BOUNDARY}--\r\n").as_bytes());
        let request = server.client().post(server.url("/scene7/UploadFile")).body(self.0);
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let response = request.header("Content-Type", content_type).send().await.unwrap();
        Answer { status: response.status().as_u16(), text: response.text().await.unwrap() }
    }
}

pub const OPTIONS: &str = "<uploadParams><overwrite>true</overwrite><readyForPublish>true</readyForPublish>\
    <createMask>false</createMask><emailSetting>None</emailSetting></uploadParams>";

pub fn png(seed: u8) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8 * 3, y as u8 * 7, seed]));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

pub async fn server(configure: impl FnOnce(&mut prepress::config::Config)) -> Server {
    let server = Server::start_with(None, configure).await;
    server.company("Acme", 47).await;
    server.user(ADA, "Acme", Role::IpsUser).await;
    server
}

pub fn handle(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let text = answer.text.split_once("<jobHandle>").unwrap().1.split_once("</jobHandle>").unwrap().0;
    text.to_owned()
}

pub async fn names(server: &Server) -> Vec<String> {
    let found = server.soap(ADA, &format!("<searchAssetsParam xmlns=\"{NEWEST}\"><companyHandle>c|47</companyHandle><includeSubfolders>true</includeSubfolders></searchAssetsParam>")).await;
    let field = |rest: &str, name: &str| -> String {
        rest.split_once(&format!("<{name}>")).unwrap().1.split_once('<').unwrap().0.to_owned()
    };
    let mut names: Vec<String> = found
        .text
        .split("<assetHandle>")
        .skip(1)
        .map(|rest| format!("{}{}", field(rest, "folder"), field(rest, "name")))
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_several_posts_become_the_assets_of_one_job() {
    let server = server(|_| {}).await;
    let first = format!("<jobName>Posted</jobName><destFolder>Acme/In/</destFolder>{OPTIONS}");
    let answer = Form::default()
        .auth(ADA, "")
        .params(&first)
        .file("one.png", &png(1))
        .file("two.png", &png(2))
        .post(&server)
        .await;
    let job = handle(&answer);
    let expected = format!("<uploadPostReturn xmlns=\"{NEWEST}\"><jobHandle>{job}</jobHandle></uploadPostReturn>");
    assert!(answer.text.ends_with(&expected) && !answer.text.contains("Envelope"), "{}", answer.text);
    assert!(job.starts_with("j|47||Posted_"), "{job}");
    let active = format!("<getActiveJobsParam xmlns=\"{NEWEST}\"><jobHandle>{job}</jobHandle></getActiveJobsParam>");
    let waiting = server.soap(ADA, &active).await;
    assert!(waiting.text.contains("<state>WaitingClient</state>"), "{}", waiting.text);

    // The file name of the order beats that of the part, and what later posts say of options is not looked at.
    let second = format!(
        "<jobHandle>{job}</jobHandle><fileName>Sub/three.png</fileName><uploadParams><overwrite>false</overwrite><readyForPublish>false</readyForPublish><createMask>false</createMask><emailSetting>None</emailSetting></uploadParams>"
    );
    let answer = Form::default().auth(ADA, "").params(&second).file("ignored.bin", &png(3)).post(&server).await;
    assert_eq!(handle(&answer), job);
    let last = format!("<jobHandle>{job}</jobHandle><endJob>true</endJob>");
    let answer = Form::default()
        .auth(ADA, "")
        .params(&last)
        .file("Acme//Elsewhere/four.png", &png(4))
        .file("%%%.png", &png(5))
        .file("five.png", &png(5)[..40])
        .file("one.png", &png(6))
        .post(&server)
        .await;
    assert_eq!(handle(&answer), job);
    let run = server.all_done().await.pop().unwrap();
    assert_eq!((run.counters.success, run.counters.error), (5, 2));
    assert_eq!(run.submitter_email, ADA);
    assert_eq!(
        names(&server).await,
        ["Acme/Elsewhere/four", "Acme/In/one", "Acme/In/two", "Acme/Sub/three", "Acme/one-1"]
    );

    // Each file by itself, from the version on that asks for it.
    let tasks = format!(
        "<getUploadTaskStatusParam xmlns=\"http://www.scene7.com/IpsApi/xsd/2017-10-29-beta\"><jobHandle>{job}</jobHandle></getUploadTaskStatusParam>"
    );
    let tasks = server.soap(ADA, &tasks).await;
    for (status, count) in [("Done", 5), ("Failed", 2)] {
        let status = format!("<processingStatus>{status}</processingStatus>");
        assert_eq!(tasks.text.matches(&status).count(), count, "{status} in {}", tasks.text);
    }
    assert!(tasks.text.contains("<file>Acme/Sub/three.png</file>"), "{}", tasks.text);

    // It is over.
    let late = Form::default().auth(ADA, "").params(&last).file("late.png", &png(7)).post(&server).await;
    assert_eq!((late.status, late.fault_code()), (500, Some(30000)), "{}", late.text);
    assert!(late.reason().contains("Done"), "{}", late.reason());
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_is_refused_says_why_in_a_bare_fault_and_leaves_nothing() {
    let server = server(|config| {
        config.upload.max_file_bytes = "2 KiB".parse().unwrap();
        config.upload.max_post_bytes = Some("3 KiB".parse().unwrap());
        config.upload.max_files = 2;
    })
    .await;
    server.company("Other", 48).await;
    server.user("portal@acme.example", "Acme", Role::ImagePortalUser).await;
    server.user("bob@acme.example", "Acme", Role::IpsUser).await;
    let picture = png(1);
    let order = format!("<jobName>N</jobName>{OPTIONS}");
    let form = || Form::default().auth(ADA, "");
    let file = |form: Form| form.file("a.png", &picture);
    let large = vec![7; 2049];
    let cases = [
        (file(Form::default()), "ipsApiFault", 30002, "before the files"),
        (file(Form::default().params(&order)), "authenticationFault", 10000, "credentials"),
        (file(Form::default().auth("nobody@acme.example", "").params(&order)), "authenticationFault", 10001, "password"),
        (file(Form::default().auth("portal@acme.example", "").params(&order)), "authorizationFault", 20003, "role"),
        (file(form().part("name=\"uploadParams\"", format!("<uploadPostParam xmlns=\"{NEWEST}\"><companyHandle>c|48</companyHandle>{order}</uploadPostParam>").as_bytes())), "authorizationFault", 20000, "companyHandle"),
        (file(form().part("name=\"uploadParams\"", b"<uploadPostParam")), "ipsApiFault", 30003, "uploadParams"),
        (file(form().params(OPTIONS)), "ipsApiFault", 30002, "jobName"),
        (file(form().params("<jobName>N</jobName>")), "ipsApiFault", 30002, "uploadParams"),
        (file(form().params(&format!("<jobName>a|b</jobName>{OPTIONS}"))), "ipsApiFault", 30001, "jobName"),
        (file(form().params(&order.replace("None", "Often"))), "ipsApiFault", 30001, "emailSetting"),
        (file(form().params(&format!("<jobName>N</jobName><destFolder>../Other</destFolder>{OPTIONS}"))), "authorizationFault", 20005, "destFolder"),
        (form().params(&order).file("../../Other/a.png", &picture), "authorizationFault", 20005, "filename"),
        (file(form().params("<jobHandle>j|47||Never_2026-01-01-00:00:00.000|7</jobHandle>")), "ipsApiFault", 30001, "jobHandle"),
        (file(form().params("<jobHandle>j|48||Never_2026-01-01-00:00:00.000|7</jobHandle>")), "authorizationFault", 20006, "jobHandle"),
        (form().params(&order).file("large.bin", &large), "ipsApiFault", 30001, "2048 bytes"),
        (form().params(&order).file("half.bin", &large[..2048]).file("rest.bin", &large[..1025]), "ipsApiFault", 30001, "at most 3072 bytes of files"),
        (file(form().params(&order.replace("<emailSetting>None</emailSetting>", "<emailSetting>None</emailSetting><unCompressOptions><process>Explode</process></unCompressOptions>"))), "ipsApiFault", 30001, "unCompressOptions/process"),
        (file(file(file(form().params(&order)))), "ipsApiFault", 30001, "at most 2 files"),
        (file(file(form().params(&format!("<jobName>N</jobName><fileName>x.png</fileName>{OPTIONS}")))), "ipsApiFault", 30001, "fileName"),
        (form().params(&order), "ipsApiFault", 30002, "a file"),
    ];
    for (form, element, code, named) in cases {
        let answer = form.post(&server).await;
        let status = if named.ends_with(" bytes") || named.contains(" bytes of files") { 413 } else { 500 };
        assert_eq!((answer.status, answer.fault_code()), (status, Some(code)), "{named}: {}", answer.text);
        assert!(answer.reason().contains(named), "\"{named}\" in \"{}\"", answer.reason());
        assert!(
            answer.text.contains(&format!("<tns:{element} ")) && !answer.text.contains("Envelope"),
            "{}",
            answer.text
        );
    }
    // The status of a fault is the one that the header asks for.
    let polite = Form::default().auth(ADA, "<faultHttpStatusCode>200</faultHttpStatusCode>").params(OPTIONS);
    assert_eq!(file(polite).post(&server).await.status, 200);
    assert_eq!(server.jobs().await, 0, "nothing was begun");
    let unfinished = std::fs::read_dir(server.data().join("blobs/tmp")).unwrap().count();
    assert_eq!(unfinished, 0, "no unfinished file stays");

    // The limit is told, and a stop ends what waits for its client.
    let limit = server
        .soap(
            ADA,
            &format!("<getPropertyParam xmlns=\"{NEWEST}\"><name>UploadPostMaxFileSize</name></getPropertyParam>"),
        )
        .await;
    assert!(limit.text.contains("<value>2048</value>"), "{}", limit.text);
    let job = handle(&file(form().params(&order)).post(&server).await);
    let stop = format!(
        "<stopJobParam xmlns=\"{NEWEST}\"><companyHandle>c|47</companyHandle><jobHandle>{job}</jobHandle></stopJobParam>"
    );
    assert_eq!(server.soap(ADA, &stop).await.status, 200);
    assert_eq!(server.all_done().await.pop().unwrap().state, State::Done);
    let answer = server.client().get(server.url("/scene7/UploadFile")).send().await.unwrap();
    assert_eq!(answer.status(), 405);
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_posted_file_that_ended_the_daemon_is_not_tried_again_until_it_is_cleared() {
    let server = server(|_| {}).await;
    let (poison, good) = (png(1), png(2));
    let content = Blobs::id_of(&poison);
    let store = server.services().store();
    let file = CondemnedFile {
        content: content.clone(),
        file: "poison.png".to_owned(),
        company: CompanyId(47),
        run: InstanceId(1),
        at: SystemClock::shared().now(),
    };
    store.condemn_file(file).await.unwrap();
    let order = format!("<jobName>Posted</jobName><endJob>true</endJob>{OPTIONS}");
    let post = async || {
        let form = Form::default().auth(ADA, "").params(&order);
        handle(&form.file("other name.png", &poison).file("good.png", &good).post(&server).await)
    };
    let job = post().await;
    let counters = server.all_done().await.pop().unwrap().counters;
    assert_eq!((counters.success, counters.error), (1, 1), "{counters:?}");
    assert_eq!(names(&server).await, ["Acme/good"], "the other file of the post is taken in");
    let log = server
        .soap(
            ADA,
            &format!("<getJobLogDetailsParam xmlns=\"{NEWEST}\"><companyHandle>c|47</companyHandle><jobHandle>{job}</jobHandle></getJobLogDetailsParam>"),
        )
        .await
        .text;
    assert!(log.contains("<logType>UploadError</logType>") && log.contains("other name.png"), "{log}");
    assert!(log.contains(&format!("prepress doctor --clear {}", &content[..16])), "{log}");
    let tasks = server
        .soap(ADA, &format!("<getUploadTaskStatusParam xmlns=\"http://www.scene7.com/IpsApi/xsd/2017-10-29-beta\"><jobHandle>{job}</jobHandle></getUploadTaskStatusParam>"))
        .await
        .text;
    for status in ["Failed", "Done"] {
        assert_eq!(tasks.matches(&format!("<processingStatus>{status}</processingStatus>")).count(), 1, "{tasks}");
    }

    assert!(store.pardon_file(content).await.unwrap());
    post().await;
    server.all_done().await;
    assert_eq!(names(&server).await, ["Acme/good", "Acme/other name"]);
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn posted_files_of_a_taken_name_are_compared_and_stay_duplicates_on_the_wire() {
    let server = server(|_| {}).await;
    let options = OPTIONS.replace("<overwrite>true", "<overwrite>false");
    let order = format!("<jobName>Posted</jobName><endJob>true</endJob>{options}");
    let first = Form::default().auth(ADA, "").params(&order).file("shoe.png", &png(1)).post(&server).await;
    handle(&first);
    server.all_done().await;
    let second = Form::default()
        .auth(ADA, "")
        .params(&order)
        .file("A/shoe.png", &png(1))
        .file("B/shoe.png", &png(2))
        .file("zeros.jpg", &[0; 900])
        .file("c&d.png", &png(3))
        .file("cd.png", &png(4))
        .post(&server)
        .await;
    let job = handle(&second);
    let run = server.all_done().await.into_iter().find(|run| job.contains(&run.run_name)).unwrap();
    let counters = run.counters;
    assert_eq!((counters.success, counters.duplicate, counters.left_out, counters.error), (2, 2, 1, 1), "{counters:?}");
    assert_eq!(names(&server).await, ["Acme/cd", "Acme/cd-1", "Acme/shoe"]);
    let details = format!(
        "<getJobLogDetailsParam xmlns=\"{NEWEST}\"><companyHandle>c|47</companyHandle><jobHandle>{job}</jobHandle></getJobLogDetailsParam>"
    );
    let log = server.soap(ADA, &details).await.text;
    assert_eq!(log.matches("<logType>DuplicateSkipped</logType>").count(), 2, "{log}");
    assert!(log.contains("<fileDuplicateCount>2</fileDuplicateCount>"), "{log}");
    assert!(
        log.contains("<fileErrorCount>1</fileErrorCount>") && log.contains("<totalFileCount>5</totalFileCount>"),
        "{log}"
    );
    assert!(log.contains("B/shoe.png (") && log.contains("has its name and other content"), "{log}");
    assert!(log.contains("zeros.jpg could not be processed: it is not a picture"), "{log}");
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_posted_archive_is_unpacked_if_that_is_asked_for() {
    let server = server(|_| {}).await;
    let archive = || {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        for (name, seed) in [("red.png", 1), ("more/blue.png", 2)] {
            archive.start_file(name, options).unwrap();
            std::io::Write::write_all(&mut archive, &png(seed)).unwrap();
        }
        archive.finish().unwrap().into_inner()
    };
    let unpacking = OPTIONS.replace(
        "</uploadParams>",
        "<unCompressOptions><process>UnCompress</process></unCompressOptions></uploadParams>",
    );
    for (name, options) in [("Kept", OPTIONS), ("Unpacked", &unpacking)] {
        let order = format!("<jobName>{name}</jobName><destFolder>{name}</destFolder><endJob>true</endJob>{options}");
        let file = format!("{name}.zip");
        handle(&Form::default().auth(ADA, "").params(&order).file(&file, &archive()).post(&server).await);
        server.all_done().await;
    }
    let names = names(&server).await;
    assert_eq!(names, ["Acme/Kept/Kept", "Acme/Unpacked/more/blue", "Acme/Unpacked/red"]);
    server.shut_down().await;
}

/// Sets are made of the files of all posts, and what the log says of a file says where it lies.
#[tokio::test(flavor = "multi_thread")]
async fn sets_are_made_of_what_was_posted() {
    let server = server(|_| {}).await;
    server.user("boss@acme.example", "Acme", Role::IpsCompanyAdmin).await;
    let ask = async |operation: &str, fields: &str| {
        let body = format!("<{operation}Param xmlns=\"{NEWEST}\">{fields}</{operation}Param>");
        let answer = server.soap("boss@acme.example", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.text
    };
    let field = |text: &str, name: &str| -> String {
        text.split_once(&format!("<{name}>")).unwrap().1.split_once('<').unwrap().0.to_owned()
    };
    let found = ask("getPropertySetType", "<companyHandle>c|47</companyHandle><name>SetScript</name>").await;
    let values = [("name", "Views"), ("setType", "ImageSet"), ("match", r"(\w+)-\d"), ("suffix", "-SET")];
    let values = values.map(|(name, value)| format!("<items><name>{name}</name><value>{value}</value></items>"));
    let script = format!(
        "<typeHandle>{}</typeHandle><primaryOwnerHandle>c|47</primaryOwnerHandle><propertyArray>{}</propertyArray>",
        field(&found, "typeHandle"),
        values.concat()
    );
    let script = field(&ask("createPropertySet", &script).await, "setHandle");
    let sets = format!(
        "<autoSetCreationOptions><autoSetsArray><items>{script}</items></autoSetsArray></autoSetCreationOptions></uploadParams>"
    );
    let order = OPTIONS.replace("</uploadParams>", &sets);
    let first = format!("<jobName>Views</jobName><destFolder>In</destFolder>{order}");
    let job = handle(&Form::default().auth(ADA, "").params(&first).file("mug-2.png", &png(2)).post(&server).await);
    let last = format!("<jobHandle>{job}</jobHandle><destFolder>In</destFolder><endJob>true</endJob>");
    let form = Form::default().auth(ADA, "").params(&last).file("mug%-1.png", &png(1)).file("other.png", &png(3));
    assert_eq!(handle(&form.post(&server).await), job);
    server.all_done().await;
    assert_eq!(names(&server).await, ["Acme/In/mug-1", "Acme/In/mug-2", "Acme/In/mug-SET", "Acme/In/other"]);
    let log = ask("getJobLogDetails", "<companyHandle>c|47</companyHandle><originalName>Views</originalName>").await;
    assert!(log.contains("Set mug-SET was made with 2 members"), "{log}");
    let warning = log.split("<logMessage>").find(|line| line.contains("mug%")).unwrap_or_else(|| panic!("{log}"));
    assert!(warning.contains("In/mug%-1.png"), "{warning}");
    server.shut_down().await;
}
