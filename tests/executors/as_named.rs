//! Files that are not what their names say, by every way in.

use std::io::Write;
use std::process::{Command, Stdio};

use axum::Router;
use axum::http::header;
use axum::routing::get;
use prepress::model::kind::JobKind;
use serde_json::json;

use crate::urls;
use crate::world::{World, directory, jpeg, png, with};

const UPLOAD: JobKind = JobKind::UploadDirectory;

const WEB_PAGE: &[u8] = b"<!DOCTYPE html>\n<html><body><svg viewBox='0 0 9 9'/>404 Not Found</body></html>";
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n";

/// What a tool makes of what is put into it.
fn tool_output(tool: &str, input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(tool).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn headless() -> Vec<u8> {
    let mut picture = jpeg(200, 1);
    picture[..1024].fill(0);
    picture
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_only_named_as_a_picture_a_document_or_a_film_is_refused() {
    let world = World::new().await;
    let zeros = "it begins with nothing but zeros";
    let packed = tool_output("gzip", WEB_PAGE);
    let cases: [(&str, Vec<u8>, &str); 24] = [
        ("zeros.jpg", vec![0; 60_000], zeros),
        ("headgone.JPG", headless(), zeros),
        ("page.jpg", WEB_PAGE.to_vec(), "it holds a web page"),
        ("answer.png", b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>".to_vec(), "it holds text"),
        ("layers.psd", POINTER.to_vec(), "it only says where Git LFS keeps the file"),
        ("noise.tif", vec![0x07; 300], "its content is of no known format"),
        ("drawing.svg", WEB_PAGE.to_vec(), "it holds a web page"),
        ("raw.nef", vec![0; 600], zeros),
        ("wave.jp2", vec![0; 600], zeros),
        ("report.pdf", WEB_PAGE.to_vec(), "it holds a web page"),
        ("ad.eps", b"not a drawing".to_vec(), "it holds text, and has no %! at its start"),
        ("old.ps", b"/Times findfont\n% comment\nshowpage".to_vec(), "it holds text, and has no %! at its start"),
        ("packed.ps", vec![0x07; 300], "its content is of no known format, and it has no %! at its start"),
        ("plain.pdf", b"1 0 obj << >> endobj".to_vec(), "it holds text, and has no %PDF- at its start"),
        ("logo.ai", b"a drawing".to_vec(), "it holds text, and has no %PDF- and no %! at its start"),
        ("book.indd", vec![0; 600], zeros),
        ("film.mp4", vec![0; 600], zeros),
        ("stream.ts", vec![0; 600], zeros),
        ("moves.apng", vec![0; 600], zeros),
        ("stereo.mpo", vec![0; 600], zeros),
        ("bright.hdr", vec![0; 600], zeros),
        ("old.sgi", vec![0; 600], zeros),
        ("old.pict", WEB_PAGE.to_vec(), "it holds a web page"),
        ("packed.jpg", packed, "it holds gzip"),
    ];
    for (name, bytes, _) in &cases {
        world.put(&format!("in/bad/{name}"), bytes);
    }
    let done = world.run(UPLOAD, directory("in")).await.succeeded();
    let text = done.text();
    for (name, _, holds) in &cases {
        let extension = name.rsplit_once('.').unwrap().1.to_lowercase();
        let kind = match extension.as_str() {
            "pdf" | "ps" | "eps" | "ai" | "indd" => "document",
            "mp4" | "ts" => "film",
            _ => "picture",
        };
        let line = format!(
            "UploadError: bad/{name} could not be processed: it is not a {kind}, though it is named .{extension}: {holds}."
        );
        assert!(text.contains(&line), "{line}\n in \n{text}");
    }
    assert_eq!((done.counters.error, done.counters.success), (cases.len() as i64, 0), "{text}");
    assert!(world.asset_names().await.is_empty());
    let folders = world.query("SELECT path FROM folder WHERE company_id = 47").await;
    assert_eq!(folders, [[json!("")]], "a folder without anything to lie in it");

    // The name is free for the good file, and keeps that when a bad one comes again.
    world.put("in/bad/zeros.jpg", &jpeg(32, 1));
    world.run(UPLOAD, directory("in/bad")).await.succeeded();
    assert_eq!(world.asset_names().await, ["zeros"]);
    let master = world.query("SELECT blob, width FROM asset").await;
    for bytes in [vec![0; 60_000], jpeg(32, 2)[..200].to_vec()] {
        world.put("again/zeros.jpg", &bytes);
        let done = world.run(UPLOAD, with(directory("again"), json!({ "overwrite": true }))).await.succeeded();
        assert_eq!((done.counters.error, done.counters.update), (1, 0), "{}", done.text());
        assert_eq!(world.query("SELECT blob, width FROM asset").await, master);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_known_but_not_read_is_kept_and_has_no_picture() {
    let world = World::new().await;
    for (name, bytes) in [
        ("camera.nef", b"II*\0\x08\0\0\0\0\0\0\0".as_slice()),
        ("fuji.raf", b"FUJIFILMCCD-RAW 0201FF383501"),
        ("paint.pcx", b"\x0a\x05\x01\x08\0\0\0\0\x10\0\x10\0"),
    ] {
        world.put(&format!("in/{name}"), bytes);
    }
    let done = world.run(UPLOAD, directory("in")).await.succeeded();
    let text = done.text();
    for (file, format) in [("camera.nef", "camera raw"), ("fuji.raf", "camera raw"), ("paint.pcx", "PCX")] {
        let line = format!(
            "UploadWarning: {file} was kept as it is and has no picture: files of the format {format} are not read in this version."
        );
        assert!(text.contains(&line), "{line}\n in \n{text}");
    }
    assert_eq!(world.asset_names().await, ["camera", "fuji", "paint"], "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_promises_nothing_else_is_kept_as_it_comes() {
    let world = World::new().await;
    for (name, bytes) in [
        ("note.txt", b"only words".as_slice()),
        ("style.css", b"body { color: red }"),
        ("program.ts", b"export const answer = 42;"),
        ("letter.doc", b"<html>saved as a letter</html>"),
        ("table.dat", &[0; 100]),
        ("scan.dcm", &[&[0; 128][..], b"DICM\x02\0\0\0UL\x04\0"].concat()),
        ("nameless", &[0; 100]),
        ("late.fxg", b"<Graphic/>"),
        ("logo.svg", b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"),
        ("printed.ps", b"\x1b%-12345X@PJL\n%!PS-Adobe-3.0\nshowpage\n"),
    ] {
        world.put(&format!("in/{name}"), bytes);
    }
    world.put("in/liar.jpg", &png(32, 1));
    let done = world.run(UPLOAD, directory("in")).await.succeeded();
    assert_eq!((done.counters.success, done.counters.error), (11, 0), "{}", done.text());
    assert!(
        done.text().contains("liar.jpg is named .jpg but holds PNG; it was taken as what it holds"),
        "{}",
        done.text()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn careless_servers_and_archives_bring_no_bad_pictures() {
    let world = World::with(|settings| settings.reachable = |_| true).await;
    let html = || get(|| async { ([(header::CONTENT_TYPE, "text/html")], WEB_PAGE) });
    let router = Router::new()
        .route("/shoe.jpg", html())
        .route("/render", get(|| async { ([(header::CONTENT_TYPE, "image/jpeg")], WEB_PAGE) }))
        .route("/really.jpg", get(|| async { ([(header::CONTENT_TYPE, "text/html")], jpeg(24, 1)) }));
    let address = urls::serve([127, 0, 0, 1], router).await;
    let items =
        ["shoe.jpg", "render", "really.jpg"].map(|path| json!({ "sourceUrl": format!("http://{address}/{path}") }));
    let order = json!({ "urlArray": items, "overwrite": false, "readyForPublish": true, "emailSetting": "None" });
    let done = world.run(JobKind::UploadUrls, order).await.succeeded();
    let text = done.text();
    assert_eq!((done.counters.success, done.counters.error), (1, 2), "{text}");
    for path in ["shoe.jpg", "render"] {
        let line = format!("UploadError: http://{address}/{path} could not be processed: it is not a picture");
        assert!(text.contains(&line), "{line}\n in \n{text}");
    }
    assert_eq!(world.asset_names().await, ["really"]);

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("zeros.jpg"), [0; 5000]).unwrap();
    std::fs::write(folder.path().join("good.jpg"), jpeg(24, 2)).unwrap();
    let zip = world.ingest("in/all.zip");
    std::fs::create_dir_all(zip.parent().unwrap()).unwrap();
    let packed = std::process::Command::new("zip").arg("-qr").arg(&zip).arg(".").current_dir(folder.path()).status();
    assert!(packed.unwrap().success());
    let order = with(directory("in"), json!({ "unCompressOptions": { "process": "UnCompress" } }));
    let done = world.run(UPLOAD, order).await.succeeded();
    assert!(
        done.text().contains("UploadError: all.zip/zeros.jpg could not be processed: it is not a picture"),
        "{}",
        done.text()
    );
    assert_eq!(world.asset_names().await, ["good", "really"]);
}

/// Assets of former times that would be refused today.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processing_again_says_so_and_leaves_the_asset_as_it_is() {
    let world = World::new().await;
    world.put("in/page.dat", WEB_PAGE);
    world.run(UPLOAD, directory("in")).await.succeeded();
    world.execute("UPDATE asset SET file_name = 'page.jpg'").await;
    let before = world.query("SELECT id, name, file_name, blob, asset_type, change_seq FROM asset").await;
    let order = json!({ "assetHandleArray": [format!("a|{}", before[0][0])], "emailSetting": "None" });
    let done = world.run(JobKind::ReprocessAssets, order).await.succeeded();
    let text = done.text();
    assert!(text.contains("ReoptimizeFailure: page could not be processed again: it is not a picture"), "{text}");
    world.run(JobKind::OptimizeImages, json!({ "emailSetting": "None" })).await.succeeded();
    assert_eq!(world.query("SELECT id, name, file_name, blob, asset_type, change_seq FROM asset").await, before);
}
