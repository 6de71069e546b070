//! The main job from end to end: a folder of pictures, submitted over SOAP, becomes optimized, published pyramids, with
//! the job in the table, its log, and a mail.

#![allow(clippy::unwrap_used, reason = "what fails here fails its test")]

mod server;

use std::path::Path;
use std::process::Command;

use prepress::media::sample;
use prepress::model::outcome::Outcome;
use prepress::model::role::Role;
use prepress::store::jobs::query::DetailFilter;
use server::Server;

fn command(program: &str, package: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|_| panic!("{program} is missing: install the Debian package {package}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_pictures_is_published() {
    let server = Server::start_working().await;
    server.company("Acme", 47).await;
    server.user("ada@acme.example", "Acme", Role::IpsUser).await;
    let ingest = server.data().join("ingest/Acme/spring");
    std::fs::create_dir_all(&ingest).unwrap();
    let pictures = sample::write_catalogue(&ingest, 600).unwrap();
    std::fs::write(ingest.join("broken.jpg"), b"\xff\xd8\xff\xe0 not a picture").unwrap();
    std::fs::write(ingest.join("empty.png"), b"").unwrap();
    std::fs::write(ingest.join("Thumbs.db"), b"junk").unwrap();

    let answer = server
        .soap(
            "ada@acme.example",
            r#"<submitJobParam xmlns="http://www.scene7.com/IpsApi/xsd/2014-04-03"><companyHandle>c|47</companyHandle><jobName>Spring catalogue</jobName>
               <uploadDirectoryJob><destFolder>Acme/Spring/</destFolder><serverDir>spring</serverDir><overwrite>true</overwrite><readyForPublish>true</readyForPublish>
               <includeSubfolders>true</includeSubfolders><createMask>false</createMask><processMetadataFiles>false</processMetadataFiles><emailSetting>All</emailSetting>
               <postImageServingPublishJob><publishType>Incremental</publishType><emailSetting>All</emailSetting></postImageServingPublishJob></uploadDirectoryJob></submitJobParam>"#,
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let runs = server.all_done().await;
    let (upload, publish) = match &runs[..] {
        [upload, publish] => (upload, publish),
        other => panic!("an upload and its follow-up, not {}", other.len()),
    };
    let log =
        server.store().details(upload.id, &DetailFilter { limit: 1000, ..DetailFilter::default() }).await.unwrap();
    assert_eq!(upload.outcome, Some(Outcome::Succeeded), "{:?}", upload.fatal_error);
    assert_eq!(publish.job_name, "Pub_Spring catalogue");
    assert_eq!(publish.outcome, Some(Outcome::Succeeded), "{:?}", publish.fatal_error);
    let shown: Vec<String> =
        log.iter().map(|line| prepress::words::say(&line.message, "en", chrono_tz::Europe::Berlin)).collect();
    println!("{}", shown.join("\n"));
    assert_eq!(usize::try_from(upload.counters.success).unwrap(), pictures.len(), "{shown:#?}");
    assert_eq!(upload.counters.error, 2, "{shown:#?}");
    assert!(upload.counters.warning >= 1, "{shown:#?}");

    let tree = server.data().join("publish/image-serving/Acme");
    let published: Vec<_> =
        files(&tree).into_iter().filter(|path| path.extension().is_some_and(|e| e == "tif")).collect();
    let drawn = pictures.iter().filter(|path| path.extension().is_none_or(|ending| ending != "pdf")).count();
    assert_eq!(published.len(), drawn, "{published:?}");
    let one = published[0].to_str().unwrap();
    assert!(command("vipsheader", "libvips-tools", &[one]).contains("uchar"));
    assert!(command("tiffinfo", "libtiff-tools", &[one]).contains("Tile Width: 256"));

    let mails: Vec<String> = {
        let waited = std::time::Instant::now();
        loop {
            let mails = server.data().join("mail");
            if mails.is_dir() && files(&mails).iter().filter(|m| m.extension().is_some_and(|e| e == "eml")).count() == 4
            {
                break files(&mails).iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
            }
            assert!(waited.elapsed().as_secs() < 60, "begin and end of both jobs are mailed");
            tokio::task::yield_now().await;
        }
    };
    assert!(mails.iter().all(|mail| mail.contains("To: ada@acme.example")));
    assert!(mails.iter().any(|mail| mail.contains("broken.jpg")), "the mail names the broken file");
    server.shut_down().await;
}
