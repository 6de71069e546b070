//! A daemon that has done a thousand jobs of many kinds holds no more than one that has done a few.

use std::path::Path;

use crate::watched::{Held, comes_to_rest, left_in};
use crate::{catalogue, login, open, serve};

/// Submits a job by SOAP.
async fn submit(client: &reqwest::Client, address: &str, name: &str, job: &str) {
    let body = format!(
        r#"<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><submitJobParam xmlns="http://www.scene7.com/IpsApi/xsd/2014-04-03"><companyHandle>c|47</companyHandle><jobName>{name}</jobName>{job}</submitJobParam></e:Body></e:Envelope>"#
    );
    let request = client.post(format!("http://{address}/scene7/services/IpsApiService"));
    let answer = request.header("Authorization", login()).body(body).send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{text}");
}

const QUIET: &str = "<emailSetting>None</emailSetting>";

fn upload(folder: &str) -> String {
    format!(
        "<uploadDirectoryJob><serverDir>{folder}</serverDir><overwrite>true</overwrite><readyForPublish>true</readyForPublish>\
         <includeSubfolders>false</includeSubfolders><createMask>false</createMask><processMetadataFiles>false</processMetadataFiles>\
         <pdfOptions><process>Rasterize</process><resolution>36</resolution></pdfOptions>{QUIET}</uploadDirectoryJob>"
    )
}

/// The job of a round. Every tenth fails or has a file that cannot be read.
fn job(round: usize, assets: &[i64]) -> String {
    let asset = |step: usize| format!("<items>a|{}</items>", assets[(round * 7 + step) % assets.len()]);
    let some = format!("<assetHandleArray>{}{}{}</assetHandleArray>", asset(0), asset(1), asset(2));
    match round % 10 {
        0 => upload("in"),
        1 | 6 => {
            format!("<imageServingPublishJob><publishType>Incremental</publishType>{QUIET}</imageServingPublishJob>")
        }
        2 => format!(
            "<exportJob>{some}<is_modifier>wid=20&amp;fmt=png</is_modifier><fmt>convert</fmt>{QUIET}</exportJob>"
        ),
        3 | 8 => format!(
            "<reprocessAssetsJob>{some}<createMask>false</createMask><unsharpMaskOptions><amount>{}</amount><radius>1</radius>\
             </unsharpMaskOptions>{QUIET}</reprocessAssetsJob>",
            1 + round % 2
        ),
        4 => format!("<optimizeImagesJob>{QUIET}</optimizeImagesJob>"),
        5 => upload("bad"),
        7 => format!("<serverDirectoryPublishJob>{QUIET}</serverDirectoryPublishJob>"),
        _ => upload("nowhere"),
    }
}

fn files_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files_below(&path) } else { 1 }).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_thousand_jobs_a_daemon_holds_what_it_held_after_two_hundred() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::write(data.with_extension("toml"), "[dispatch]\nmax_attempts = 1\nslots = 4\n").unwrap();
    serve(&data).kill();
    catalogue(&data, 12);
    let bad = data.join("ingest/Acme/bad");
    std::fs::create_dir(&bad).unwrap();
    std::fs::write(bad.join("broken.jpg"), b"\xff\xd8\xff and no more").unwrap();
    std::fs::write(bad.join("broken.pdf"), b"%PDF-1.4 and no more").unwrap();
    let process = serve(&data);
    prepress::daemon::parts::install_crypto();
    let client = reqwest::Client::new();
    let database = open(&data).await;
    submit(&client, &process.address, "First", &upload("in")).await;
    let mut held = Vec::new();
    let mut done = 1;
    for until in [1, 200, 1000] {
        while done < until {
            let assets = database.numbers("SELECT id FROM asset WHERE asset_type = 'Image' ORDER BY id").await;
            submit(&client, &process.address, &format!("Job {done}"), &job(done, &assets)).await;
            done += 1;
        }
        while database.number("SELECT count(*) FROM instance WHERE state <> 'Done'").await > 0 {
            tokio::task::yield_now().await;
        }
        let blobs = files_below(&data.join("blobs"));
        comes_to_rest(process.id(), &data).await;
        held.push((Held::by(process.id()), blobs));
    }
    let [_, (warm, few_blobs), (last, blobs)] = held[..] else { unreachable!() };
    let counted = database.number("SELECT count(*) FROM instance").await;
    assert_eq!(counted, 1000);
    let ended = |outcome: &str| format!("SELECT count(*) FROM instance WHERE outcome = '{outcome}'");
    let failed = database.number(&ended("Failed")).await;
    assert!((90..=200).contains(&failed), "{failed} failed, and no more than should");
    assert!(last.files <= warm.files + 4, "open files: {warm:?}, then {last:?}");
    // Eight readers, four of long lists, the pulse and the writer have three each.
    assert!(last.database <= 3 * 14, "open files of the database: {last:?}");
    assert!(last.threads <= warm.threads + 4, "threads: {warm:?}, then {last:?}");
    assert!(last.memory < warm.memory + (32 << 20), "memory: {warm:?}, then {last:?}");
    assert_eq!(blobs, few_blobs, "the same jobs make the same files");
    assert_eq!(left_in(&data.join("blobs/tmp")), Vec::<String>::new());
    let wal = std::fs::metadata(data.join("prepress.db-wal")).map_or(0, |facts| facts.len());
    assert!(wal < 64 << 20, "{wal} bytes of WAL");
    assert_eq!(process.terminate(), Some(0));
}
