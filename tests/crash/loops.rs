//! Daemons that die again and again: nobody innocent is condemned, and who is guilty is found out.
//!
//! A file that ends the daemon is made so from outside: whenever its mark says that it is in work, the daemon is killed.

use std::path::{Path, PathBuf};

use prepress::assets::blobs::Blobs;
use serde_json::json;

use crate::database::Database;

use crate::watched::left_in;
use crate::{Process, catalogue, has_suspects, open, prepress, run, serve};

const PATIENCE: &str = "[dispatch]\nmax_attempts = 2\nretry_base = \"1s\"\nslots = 4\n";

/// A picture that is in work for long enough to be seen.
fn large(seed: u32) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(1800, 1800, |x, y| {
        let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)).wrapping_add(seed);
        image::Rgb([(noise >> 8) as u8, x as u8, y as u8])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn put(data: &Path, path: &str, bytes: &[u8]) {
    let path = data.join("ingest/Acme").join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn submit(data: &Path, name: &str, folder: &str) {
    let order = json!({
        "companyHandle": "c|47", "jobName": name,
        "uploadDirectoryJob": { "serverDir": folder, "overwrite": true, "readyForPublish": true, "emailSetting": "Error" },
    });
    run(data, &["submit", "-", "--user", "ada@acme.example"], &order.to_string());
}

/// A command's exit code, and all that it says.
fn said(data: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = prepress(data, arguments).output().unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code(), text.concat())
}

async fn open_runs(database: &Database) -> i64 {
    database.number("SELECT count(*) FROM instance WHERE state <> 'Done'").await
}

/// Kills the daemon whenever one of these files is in work, until all jobs are done: the last daemon, and how often.
async fn poisoned(data: &Path, mut process: Process, poisons: &[String]) -> (Process, usize) {
    let marks: Vec<PathBuf> = poisons
        .iter()
        .flat_map(|content| [content.clone(), format!("{content}.alone")])
        .map(|name| data.join("work").join(name))
        .collect();
    let database = open(data).await;
    let mut kills = 0;
    loop {
        if marks.iter().any(|mark| mark.exists()) {
            process.kill();
            kills += 1;
            assert!(kills < 20, "it is tried for ever");
            process = serve(data);
        } else if open_runs(&database).await == 0 {
            return (process, kills);
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_more_often_than_a_job_may_fail_an_upload_that_comes_further_is_done() {
    const FILES: usize = 90;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::write(data.with_extension("toml"), PATIENCE).unwrap();
    serve(&data).kill();
    catalogue(&data, FILES);
    let mut process = serve(&data);
    submit(&data, "Loop", "in");
    let database = open(&data).await;
    let (mut kills, mut next) = (0, 8);
    while open_runs(&database).await > 0 {
        let done = database.number("SELECT items_done FROM instance").await;
        if done >= next && !has_suspects(&data) {
            process.kill();
            kills += 1;
            next = done + 10;
            if kills == 1 {
                for command in [&["jobs", "show", "1"][..], &["jobs", "list"]] {
                    let (_, shown) = said(&data, command);
                    let tells = shown.contains("running ") && shown.contains("No daemon runs on this data folder");
                    assert!(tells, "{command:?}: {shown}");
                }
            }
            process = serve(&data);
        }
        tokio::task::yield_now().await;
    }
    assert!(kills >= 5, "it was killed {kills} times");
    let files = i64::try_from(FILES).unwrap();
    for (what, sql) in [
        ("the one that succeeded", "SELECT count(*) * 90 FROM instance WHERE outcome = 'Succeeded'"),
        ("successes", "SELECT success_count FROM instance"),
        ("files", "SELECT file_count FROM instance"),
        ("lines", "SELECT count(DISTINCT asset_name) FROM log_detail WHERE log_type = 'UploadSuccess'"),
        ("all lines", "SELECT count(*) FROM log_detail WHERE log_type = 'UploadSuccess'"),
        ("assets", "SELECT count(*) FROM asset"),
    ] {
        assert_eq!(database.number(sql).await, files, "{what}");
    }
    let losses = database.number("SELECT count(*) FROM log_detail WHERE code = 'worker-lost'").await;
    assert!((5..=kills).contains(&losses), "{losses} losses of {kills} kills");
    assert_eq!(database.number("SELECT error_count + warning_count FROM instance").await, 0);
    assert_eq!(database.number("SELECT count(*) FROM condemned_file").await, 0);
    assert_eq!(process.terminate(), Some(0));
    assert_eq!(left_in(&data.join("work")), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_ends_the_daemon_fails_alone_until_it_is_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::write(data.with_extension("toml"), PATIENCE).unwrap();
    serve(&data).kill();
    catalogue(&data, 12);
    let poison = large(1);
    let content = Blobs::id_of(&poison);
    put(&data, "in/picture-0005-poison.png", &poison);
    put(&data, "again/another name.png", &poison);
    let process = serve(&data);
    submit(&data, "Poisoned", "in");
    let (process, kills) = poisoned(&data, process, std::slice::from_ref(&content)).await;
    assert_eq!(kills, 2, "once beside others, and once alone");
    let database = open(&data).await;
    let succeeded = "SELECT count(*) FROM instance WHERE id = 1 AND outcome = 'Succeeded'";
    assert_eq!(database.number(succeeded).await, 1);
    assert_eq!(database.number("SELECT success_count FROM instance WHERE id = 1").await, 12);
    assert_eq!(database.number("SELECT error_count FROM instance WHERE id = 1").await, 1);
    assert_eq!(database.number("SELECT count(*) FROM outbox").await, 1, "its mail tells of it");
    let clear = format!("prepress doctor --clear {}", &content[..16]);
    let (_, log) = said(&data, &["jobs", "log", "1", "--problems"]);
    let problem = log.lines().find(|line| line.contains("picture-0005-poison.png"));
    let text = log.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(problem.is_some() && text.contains(&clear), "{log}");

    // Whoever else brings it is told the same at once, and the daemon lives.
    let id = process.id();
    submit(&data, "Again", "again");
    let (process, kills) = poisoned(&data, process, std::slice::from_ref(&content)).await;
    assert_eq!((kills, process.id()), (0, id));
    assert_eq!(database.number("SELECT error_count FROM instance WHERE id = 2").await, 1);
    assert_eq!(database.number("SELECT attempt FROM instance WHERE id = 2").await, 1);
    let (_, log) = said(&data, &["jobs", "log", "2"]);
    assert!(log.split_whitespace().collect::<Vec<_>>().join(" ").contains(&clear), "{log}");

    let (code, doctor) = said(&data, &["doctor"]);
    assert_eq!(code, Some(0), "{doctor}");
    assert!(doctor.contains("picture-0005-poison.png") && doctor.contains(&clear), "{doctor}");
    let (code, refused) = said(&data, &["doctor", "--clear", ""]);
    assert!(code == Some(1) && refused.contains("--clear names no file"), "{refused}");
    let (code, cleared) = said(&data, &["doctor", "--clear", "nobody.png"]);
    assert!(code == Some(1) && cleared.contains("no file nobody.png has ended the daemon"), "{cleared}");
    let path = data.join("ingest/Acme/again/another name.png");
    let (code, cleared) = said(&data, &["doctor", "--clear", path.to_str().unwrap()]);
    assert!(code == Some(0) && cleared.contains("picture-0005-poison.png"), "{cleared}");
    let (_, doctor) = said(&data, &["doctor"]);
    assert!(doctor.contains("No file has ended the daemon"), "{doctor}");
    // Nobody kills any more.
    submit(&data, "Cleared", "again");
    while open_runs(&database).await > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(database.number("SELECT success_count FROM instance WHERE id = 3").await, 1);
    assert_eq!(process.terminate(), Some(0));
    assert_eq!(left_in(&data.join("work")), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_side_by_side_lose_no_more_than_the_file_that_ends_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::write(data.with_extension("toml"), PATIENCE).unwrap();
    serve(&data).kill();
    catalogue(&data, 10);
    // Innocent, and in work for as long.
    put(&data, "in/picture-0002-large.png", &large(2));
    put(&data, "other/innocent.png", &large(3));
    let poison = large(1);
    put(&data, "other/poison.png", &poison);
    put(&data, "in/picture-0001-the same.png", &poison);
    let process = serve(&data);
    submit(&data, "One", "in");
    submit(&data, "Other", "other");
    let (process, kills) = poisoned(&data, process, &[Blobs::id_of(&poison)]).await;
    assert_eq!(kills, 2);
    let database = open(&data).await;
    let outcome = "SELECT count(*) FROM instance WHERE outcome = 'Succeeded' AND error_count = 1";
    assert_eq!(database.number(outcome).await, 2);
    assert_eq!(database.number("SELECT success_count FROM instance WHERE id = 1").await, 11);
    assert_eq!(database.number("SELECT success_count FROM instance WHERE id = 2").await, 1);
    assert_eq!(database.number("SELECT count(*) FROM condemned_file").await, 1);
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_in_good_order_makes_nobody_a_suspect_and_costs_no_wait() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // What does not come to its end within no time is dropped.
    std::fs::write(
        data.with_extension("toml"),
        "[dispatch]\nretry_base = \"1h\"\nretry_max = \"1h\"\nshutdown_grace = \"0s\"\n",
    )
    .unwrap();
    serve(&data).kill();
    catalogue(&data, 0);
    for number in 0..4 {
        put(&data, &format!("in/{number}.png"), &large(number));
    }
    let process = serve(&data);
    submit(&data, "Drained", "in");
    while left_in(&data.join("work")).is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(process.terminate(), Some(0));
    assert_eq!(left_in(&data.join("work")), Vec::<String>::new());
    let process = serve(&data);
    let database = open(&data).await;
    while open_runs(&database).await > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(database.number("SELECT success_count FROM instance WHERE failures = 0").await, 4);
    assert_eq!(process.terminate(), Some(0));
}
