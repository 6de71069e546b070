//! A long document, whose drawing is killed again and again.

use std::fmt::Write;

use serde_json::json;

use crate::watched::{Peak, children, comes_to_rest, is_there, left_in};
use crate::{catalogue, has_suspects, open, run, serve};

const PAGES: usize = 1000;

/// A PDF of small pages, each with its number and a box of its own shade.
fn document() -> String {
    let mut text = "%PDF-1.4\n".to_owned();
    let mut places = Vec::new();
    let mut add = |text: &mut String, object: &str| {
        places.push(text.len());
        write!(text, "{} 0 obj\n{object}\nendobj\n", places.len()).unwrap();
    };
    let kids: String = (0..PAGES).map(|page| format!("{} 0 R ", 4 + 2 * page)).collect();
    add(&mut text, "<< /Type /Catalog /Pages 2 0 R >>");
    add(&mut text, &format!("<< /Type /Pages /Kids [ {kids}] /Count {PAGES} >>"));
    add(&mut text, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>");
    for page in 0..PAGES {
        let content =
            format!("{:.3} g 5 5 30 20 re f 0 g BT /F 12 Tf 8 10 Td ({}) Tj ET", (page % 50) as f64 / 50.0, page + 1);
        let parts = "/Type /Page /Parent 2 0 R /MediaBox [0 0 40 30] /Resources << /Font << /F 3 0 R >> >>";
        add(&mut text, &format!("<< {parts} /Contents {} 0 R >>", 5 + 2 * page));
        add(&mut text, &format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()));
    }
    let table = text.len();
    write!(text, "xref\n0 {}\n0000000000 65535 f \n", places.len() + 1).unwrap();
    places.iter().for_each(|place| writeln!(text, "{place:010} 00000 n ").unwrap());
    write!(text, "trailer << /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n", places.len() + 1).unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_a_document_has_each_page_once() {
    const MEMORY: u64 = 256 << 20;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let config = format!("[dispatch]\nmax_attempts = 100\nretry_base = \"1s\"\n[media]\nmemory = \"{MEMORY} B\"\n");
    std::fs::write(data.with_extension("toml"), config).unwrap();
    serve(&data).kill();
    catalogue(&data, 0);
    std::fs::write(data.join("ingest/Acme/in/book.pdf"), document()).unwrap();
    let mut process = serve(&data);
    let order = json!({
        "companyHandle": "c|47", "jobName": "Rip",
        "uploadDirectoryJob": {
            "serverDir": "in", "readyForPublish": true, "emailSetting": "None",
            "pdfOptions": { "process": "Rasterize", "resolution": 72, "extractSearchWords": true },
        },
    });
    run(&data, &["submit", "-", "--user", "ada@acme.example"], &order.to_string());
    let database = open(&data).await;
    let (mut kills, mut next, mut peak) = (0, 20, Peak::default());
    // What is committed when the daemon is killed is not made again: the checkpoint of a page keeps its time.
    let mut committed = Vec::new();
    let items = "SELECT key, done_at FROM item WHERE key LIKE '%page:%' ORDER BY key";
    loop {
        peak.look(process.id());
        let done = database.number("SELECT count(*) FROM item WHERE key LIKE '%page:%'").await;
        if database.number("SELECT count(*) FROM instance WHERE state <> 'Done'").await == 0 {
            break;
        }
        if done >= next && !has_suspects(&data) {
            let at_work = children(process.id());
            process.kill();
            while at_work.iter().any(|pid| is_there(*pid)) {
                tokio::task::yield_now().await;
            }
            kills += 1;
            committed = database.rows(items).await;
            next = done + 60 + (kills % 5) * 37;
            process = serve(&data);
        }
        tokio::task::yield_now().await;
    }
    assert!(kills >= 5, "it was killed {kills} times");
    assert_eq!(database.number("SELECT count(*) FROM instance WHERE outcome = 'Succeeded'").await, 1);
    let pages = PAGES as i64;
    for (what, sql) in [
        ("pages", "SELECT count(*) FROM asset WHERE part LIKE 'page:%' AND trash_state = 'NotInTrash'"),
        ("parts", "SELECT count(DISTINCT part) FROM asset WHERE part LIKE 'page:%'"),
        ("lines of pages", "SELECT count(*) FROM log_detail WHERE code = 'page-processed'"),
        ("pages with a line", "SELECT count(DISTINCT asset_name) FROM log_detail WHERE code = 'page-processed'"),
        (
            "pyramids",
            "SELECT count(*) FROM derived d JOIN asset a ON a.id = d.asset_id WHERE part LIKE 'page:%' AND role = 'Pyramid'",
        ),
        ("members of the catalogue", "SELECT count(DISTINCT asset_id) FROM set_member"),
        ("words", "SELECT count(DISTINCT word) FROM page_word"),
        ("successes, with the document", "SELECT success_count - 1 FROM instance"),
    ] {
        assert_eq!(database.number(sql).await, pages, "{what}");
    }
    let last = database.rows(items).await;
    assert!(committed.iter().all(|checkpoint| last.contains(checkpoint)), "what was committed was made again");
    comes_to_rest(process.id(), &data).await;
    assert_eq!(process.terminate(), Some(0));
    assert_eq!(left_in(&data.join("blobs/tmp")), Vec::<String>::new());
    assert!(peak.total() < MEMORY, "{peak:?} of {MEMORY}");
}
