//! Pictures of 100 and 200 megapixels, in the memory that the daemon may take.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::database::Database;
use crate::watched::{Peak, comes_to_rest};
use crate::{catalogue, open, prepress as command, serve};

fn tool(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(name).args(arguments).output().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(output.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megapixels_fit_and_what_does_not_is_refused_by_its_header() {
    const MEMORY: u64 = 256 << 20;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::write(data.with_extension("toml"), format!("[media]\nmemory = \"{MEMORY} B\"\n")).unwrap();
    serve(&data).kill();
    catalogue(&data, 0);
    let (ingest, small) = (data.join("ingest/Acme/in"), folder.path().join("small.png"));
    let drawn =
        image::RgbImage::from_fn(500, 500, |x, y| image::Rgb([(x / 2) as u8, (y / 2) as u8, ((x + y) / 4) as u8]));
    drawn.save(&small).unwrap();
    // How often the small picture stands side by side and one below the other: 98 megapixels of what is read in pieces, 200 of
    // what has to be whole in memory.
    for (name, across, down) in [
        ("baseline.jpg", "28", "14"),
        ("tiles.tif[tile,tile-width=256,tile-height=256,compression=deflate]", "28", "14"),
        ("progressive.jpg[interlace]", "40", "20"),
        ("interlaced.png[interlace,compression=1]", "40", "20"),
    ] {
        tool("vips", &["replicate", text(&small), text(&ingest.join(name)), across, down]);
    }
    let process = serve(&data);
    let order = json!({
        "companyHandle": "c|47", "jobName": "Large",
        "uploadDirectoryJob": { "serverDir": "in", "emailSetting": "None" },
    });
    let mut submit = command(&data, &["submit", "-", "--user", "ada@acme.example", "--wait"]);
    let mut submit = submit.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    submit.stdin.take().unwrap().write_all(order.to_string().as_bytes()).unwrap();
    // The kernel remembers the most that a process has had as long as it is there, and workers are there as long as the job.
    let mut peak = Peak::default();
    let ended = loop {
        peak.look(process.id());
        match submit.try_wait().unwrap() {
            Some(ended) => break ended,
            None => std::thread::sleep(std::time::Duration::from_millis(10)),
        }
    };
    // Files that are refused are told by its exit code.
    assert_eq!(ended.code(), Some(4));
    let database = open(&data).await;
    let log = tool(env!("CARGO_BIN_EXE_prepress"), &["--data", text(&data), "jobs", "log", "1"]);
    for line in [
        "progressive.jpg could not be processed: decoding the picture takes",
        "interlaced.png could not be processed: decoding the picture takes",
    ] {
        assert!(log.contains(line), "{line} is not in\n{log}");
    }
    let pyramids = database
        .rows("SELECT a.name, d.blob FROM derived d JOIN asset a ON a.id = asset_id WHERE role = 'Pyramid' ORDER BY 1")
        .await;
    assert_eq!(pyramids.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), ["baseline", "tiles"], "{log}");
    let mean = |picture: &str| tool("vips", &["avg", picture]).parse::<f64>().unwrap();
    for row in &pyramids {
        let blob = row[1].as_str().unwrap();
        let pyramid = data.join("blobs").join(&blob[..2]).join(blob);
        let said = tool("tiffinfo", &[text(&pyramid)]);
        let widths: Vec<&str> = said.lines().filter_map(|line| line.trim().strip_prefix("Image Width: ")).collect();
        assert!(widths.len() == 7 && widths[0].starts_with("14000 Image Length: 7000"), "{widths:?}");
        let last = mean(&format!("{}[page=6]", text(&pyramid)));
        assert!((last - mean(text(&small))).abs() < 1.0, "{last}");
    }
    prepress::daemon::parts::install_crypto();
    assert_eq!(reqwest::get(format!("http://{}/readyz", process.address)).await.unwrap().status(), 200);
    comes_to_rest(process.id(), &data).await;
    assert_eq!(process.terminate(), Some(0));
    assert!(peak.total() < MEMORY, "{peak:?} of {MEMORY}");
}

/// An answer of tens of thousands of jobs takes the memory of a page.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_takes_no_more_memory_than_a_page() {
    const RUNS: i64 = 30_000;
    const MEMORY: u64 = 40 << 20;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let process = serve(&data);
    catalogue(&data, 0);
    let database = Database::of(&data).await;
    // Runs that wait for a time far away, of a job that never fires.
    for sql in [
        "INSERT INTO job (id, company_id, name, kind, spec, account_id, submitter_id, created_at, trigger_kind, trigger_state)
         SELECT 1000, 47, 'Later', 'uploadDirectoryJob', '{\"uploadDirectoryJob\":{\"serverDir\":\"in\"}}', id, id, 0,
                'at_once', 'Complete' FROM account WHERE email = 'ada@acme.example'",
        "INSERT INTO instance (id, job_id, company_id, kind, job_name, run_name, state, due_at, created_at, not_before_at, account_id)
         WITH RECURSIVE n(n) AS (SELECT 1001 UNION ALL SELECT n + 1 FROM n WHERE n < 31000)
         SELECT n, 1000, 47, 'uploadDirectoryJob', 'Later', 'Later_' || n, 'WaitingCoordinator', n, n, 4000000000000, (SELECT account_id FROM job WHERE id = 1000) FROM n",
    ] {
        database.execute(sql).await;
    }
    prepress::daemon::parts::install_crypto();
    let call = async |fields: &str| {
        let body = format!(
            "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body><getActiveJobsParam \
             xmlns=\"http://www.scene7.com/IpsApi/xsd/2014-04-03\">{fields}</getActiveJobsParam></e:Body></e:Envelope>"
        );
        let request = reqwest::Client::new().post(format!("http://{}/scene7/services/IpsApiService", process.address));
        let answer = request.header("Authorization", crate::login()).body(body).send().await.unwrap();
        answer.text().await.unwrap().matches("<jobHandle>").count() as i64
    };
    assert_eq!(call("<jobHandle>j|47||Later_1001|1001</jobHandle>").await, 1);
    let (mut before, mut after) = (Peak::default(), Peak::default());
    before.look(process.id());
    assert_eq!(call("").await, RUNS);
    after.look(process.id());
    assert!(after.daemon - before.daemon < MEMORY, "{before:?} and then {after:?}");
    assert_eq!(process.terminate(), Some(0));
}
