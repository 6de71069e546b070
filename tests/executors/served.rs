//! A published tree is read by an image server that others have made: IIPImage, asked as a web server would ask it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use prepress::model::kind::JobKind;
use serde_json::json;

use crate::likeness::{Fit, differences, sizes, text, tool};
use crate::world::{World, directory};

const SERVER: &str = "/usr/lib/iipimage-server/iipsrv.fcgi";

struct ImageServer {
    server: Child,
    folder: tempfile::TempDir,
}

impl ImageServer {
    /// Starts it on a tree.
    fn start(tree: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let server = Command::new(SERVER)
            .args(["--bind", text(&socket)])
            .env("FILESYSTEM_PREFIX", format!("{}/", tree.display()))
            .env("LOGFILE", folder.path().join("log"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{SERVER}: {error}: install the Debian package iipimage-server"));
        let begun = Instant::now();
        while !socket.exists() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{SERVER} does not listen");
            std::thread::yield_now();
        }
        Self { server, folder }
    }

    /// What it answers, without the header.
    fn ask(&self, query: &str) -> Vec<u8> {
        let output = Command::new("cgi-fcgi")
            .args(["-bind", "-connect", text(&self.folder.path().join("socket"))])
            .env("REQUEST_METHOD", "GET")
            .env("QUERY_STRING", query)
            .output()
            .unwrap_or_else(|error| panic!("cgi-fcgi: {error}: install the Debian package libfcgi-bin"));
        let end = output.stdout.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("{query}: {}", String::from_utf8_lossy(&output.stdout)));
        output.stdout[end + 4..].to_vec()
    }

    fn picture(&self, name: &str, query: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, self.ask(query)).unwrap();
        path
    }
}

impl Drop for ImageServer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_server_shows_what_was_published() {
    let world = World::with(|settings| {
        settings.media.jpeg_quality = 95;
        settings.media.tile = 64;
    })
    .await;
    let at = |name: &str| text(&world.folder.path().join(name)).to_owned();
    let scene = ["-size", "301x203", "gradient:#1a5a2a-#f4d9a0", "-fill", "#c02040", "-draw", "circle 90,90 90,40"];
    tool("convert", &[&scene[..], &["-alpha", "off", "-depth", "8", &at("scene.png")]].concat());
    std::fs::create_dir_all(world.ingest("in")).unwrap();
    // The third has a name that addresses have to write in another way.
    let kinds: [(&str, &[&str]); 3] = [
        ("colour.jpg", &["-quality", "95"]),
        ("gray.tif", &["-colorspace", "Gray", "-compress", "lzw"]),
        ("商品.png", &["-fill", "blue", "-draw", "rectangle 200,20 280,90"]),
    ];
    for (file, options) in kinds {
        let target = world.ingest(&format!("in/{file}"));
        tool("convert", &[&[at("scene.png").as_str()], options, &[text(&target)]].concat());
    }
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    world.run(JobKind::ImageServingPublish, json!({ "publishType": "Full", "emailSetting": "None" })).await.succeeded();
    let server = ImageServer::start(&world.published());
    for (file, _) in kinds {
        let (stem, _) = file.split_once('.').unwrap();
        let source = text(&world.ingest(&format!("in/{file}"))).to_owned();
        let name = format!("{}.tif", percent_encoding::utf8_percent_encode(stem, percent_encoding::NON_ALPHANUMERIC));
        let said =
            String::from_utf8(server.ask(&format!("FIF={name}&OBJ=Max-size&OBJ=Tile-size&OBJ=Resolution-number")));
        let said = said.unwrap();
        for line in ["Max-size:301 203", "Tile-size:64 64", "Resolution-number:4"] {
            assert!(said.contains(line), "{file}: {said}");
        }
        // The seventh tile in full size: the second of the second row.
        let tile = text(&server.picture("tile.jpg", &format!("FIF={name}&QLT=95&JTL=3,6"))).to_owned();
        let view = text(&server.picture("view.jpg", &format!("FIF={name}&QLT=95&WID=100&CVT=jpeg"))).to_owned();
        assert_eq!(sizes(&[tile.clone(), view.clone()]), [(64, 64), (100, 67)], "{file}");
        tool("convert", &[&source, "-crop", "64x64+64+64", "+repage", &at("their-tile.png")]);
        let far = differences(&[tile], &[at("their-tile.png")], (64, 64), Fit::Crop)[0];
        assert!(far < 1.0, "{file}: ΔE {far} of a tile");
        // The server takes the nearest pixels of a level, where ImageMagick looks at all of them.
        let far = differences(&[view], &[source], (100, 67), Fit::Resize)[0];
        assert!(far < 2.0, "{file}: ΔE {far} of a view");
    }
}
