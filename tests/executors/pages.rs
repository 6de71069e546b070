//! Documents become pages: PDF, PostScript and Illustrator files, compared with poppler's tools.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use prepress::media::child::{ChildError, Launcher};
use prepress::media::pdf::{Annotations, Drawing, Others, PageColor, PageLimits, Undrawn, draw_pages};
use prepress::model::kind::JobKind;
use prepress::model::outcome::Counters;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::child::{nothing_is_left_in, processes_with};
use crate::world::{Done, Moment, World, directory};

const UPLOAD: JobKind = JobKind::UploadDirectory;

/// What a page of a made PDF holds.
#[derive(Clone)]
pub struct PageOf {
    pub size: (u32, u32),
    pub content: String,
    pub annotations: String,
}

pub fn page(content: &str) -> PageOf {
    PageOf { size: (300, 200), content: content.to_owned(), annotations: String::new() }
}

/// A PDF with these pages; the objects of page n are 10 + 2n and 11 + 2n.
pub fn pdf(pages: &[PageOf]) -> Vec<u8> {
    pdf_with(pages, &[])
}

/// The same with pictures: streams which the pages know as P0, P1 and so on, up to P5.
fn pdf_with(pages: &[PageOf], pictures: &[Vec<u8>]) -> Vec<u8> {
    document(pages, pictures, "")
}

/// The same with more entries in the catalogue; the pictures, which may be any objects, are those from 4.
pub fn document(pages: &[PageOf], pictures: &[Vec<u8>], catalogue: &str) -> Vec<u8> {
    let kids: String = (0..pages.len()).map(|n| format!("{} 0 R ", 10 + 2 * n)).collect();
    let names: String = (0..pictures.len()).map(|n| format!("/P{n} {} 0 R ", 4 + n)).collect();
    let mut objects = vec![
        (1, format!("<< /Type /Catalog /Pages 2 0 R {catalogue} >>").into_bytes()),
        (2, format!("<< /Type /Pages /Kids [ {kids}] /Count {} >>", pages.len()).into_bytes()),
        (3, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".into()),
    ];
    objects.extend(pictures.iter().enumerate().map(|(n, picture)| (4 + n, picture.clone())));
    for (n, PageOf { size, content, annotations }) in pages.iter().enumerate() {
        let (at, (width, height)) = (10 + 2 * n, size);
        let page = format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents {} 0 R \
             /Resources << /Font << /F 3 0 R >> /XObject << {names}>> >> /Annots [ {annotations} ] >>",
            at + 1
        );
        objects.push((at, page.into_bytes()));
        let content = format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len());
        objects.push((at + 1, content.into_bytes()));
    }
    assembled(objects)
}

/// A PDF of these objects in the order of their numbers, of which the first is the catalogue.
pub fn assembled(objects: Vec<(usize, Vec<u8>)>) -> Vec<u8> {
    let mut file = b"%PDF-1.7\n".to_vec();
    let last = objects.last().unwrap().0;
    let mut offsets = vec![None; last + 1];
    for (number, object) in objects {
        offsets[number] = Some(file.len());
        file.extend([format!("{number} 0 obj\n").as_bytes(), &object, b"\nendobj\n"].concat());
    }
    let start = file.len();
    let mut table = format!("xref\n0 {}\n", last + 1);
    for offset in offsets {
        match offset {
            Some(offset) => writeln!(table, "{offset:010} 00000 n ").unwrap(),
            None => writeln!(table, "0000000000 65535 f ").unwrap(),
        }
    }
    write!(table, "trailer << /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n", last + 1).unwrap();
    file.extend(table.bytes());
    file
}

pub fn text(words: &str, x: u32, y: u32) -> String {
    format!("BT /F 18 Tf {x} {y} Td ({words}) Tj ET\n")
}

pub fn brochure() -> Vec<u8> {
    let mut first = page(&format!("1 0 0 rg 20 20 100 60 re f 0 g {}", text("Red shoes for summer", 20, 150)));
    first.annotations = "<< /Type /Annot /Subtype /Link /Border [0 0 0] /Rect [20 20 120 80] /A << /S /URI /URI (https://shoes.example/red) >> >> \
                         << /Type /Annot /Subtype /Link /Border [0 0 0] /Rect [200 20 250 80] /Dest [12 0 R /Fit] >>"
        .to_owned();
    let second = page(&format!("0.5 g 50 50 200 100 re f 0 g {}", text("Gray \\(plain\\) hats", 20, 20)));
    pdf(&[first, second])
}

/// A document of one page that has a square point for each pixel of a picture.
pub fn mosaic(picture: &image::RgbImage) -> Vec<u8> {
    let (width, height) = picture.dimensions();
    let mut content = String::new();
    for (x, y, pixel) in picture.enumerate_pixels() {
        let [red, green, blue] = pixel.0.map(|sample| f64::from(sample) / 255.0);
        writeln!(content, "{red:.4} {green:.4} {blue:.4} rg {x} {} 1 1 re f", height - 1 - y).unwrap();
    }
    pdf(&[PageOf { size: (width, height), ..page(&content) }])
}

/// A document with a word a page; the pages with these numbers are larger than anything that can be drawn.
pub fn booklet(words: &[&str], too_large: &[usize]) -> Vec<u8> {
    let mut pages: Vec<PageOf> = words.iter().map(|word| page(&text(word, 20, 100))).collect();
    for number in too_large {
        pages[number - 1].size = (2_000_000, 2_000_000);
    }
    pdf(&pages)
}

pub fn order(block: &str, options: Value) -> Value {
    let mut order = directory("in");
    order.as_object_mut().unwrap().insert(block.to_owned(), options);
    order.as_object_mut().unwrap().insert("overwrite".to_owned(), json!(true));
    order
}

pub async fn upload(world: &World, options: Value) -> Done {
    world.run(UPLOAD, order("pdfOptions", options)).await.succeeded()
}

pub fn run(tool: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(tool).args(arguments).output().unwrap_or_else(|error| panic!("{tool}: {error}"));
    assert!(output.status.success(), "{tool} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

pub fn text_of(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The pyramid of an asset.
pub async fn pyramid(world: &World, name: &str) -> PathBuf {
    let rows = world
        .query("SELECT a.name, d.blob FROM derived d JOIN asset a ON a.id = asset_id WHERE role = 'Pyramid'")
        .await;
    let row = rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("{name} has no pyramid: {rows:?}"));
    world.blobs.path(row[1].as_str().unwrap()).unwrap()
}

/// The first level of a pyramid, as vips reads it.
pub fn pixels(world: &World, pyramid: &Path) -> image::RgbImage {
    let out = world.folder.path().join("level.png");
    run("vips", &["colourspace", text_of(pyramid), text_of(&out), "srgb"]);
    image::open(out).unwrap().to_rgb8()
}

/// The mean difference of all samples, in levels of 255. Pictures that differ by a row or a column are compared where both are.
fn difference(one: &image::RgbImage, other: &image::RgbImage) -> f64 {
    assert!(one.width().abs_diff(other.width()) <= 1 && one.height().abs_diff(other.height()) <= 1);
    let (width, height) = (one.width().min(other.width()), one.height().min(other.height()));
    let all = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let sum: u64 = all
        .flat_map(|(x, y)| (0..3).map(move |at| (x, y, at)))
        .map(|(x, y, at)| u64::from(one.get_pixel(x, y)[at].abs_diff(other.get_pixel(x, y)[at])))
        .sum();
    sum as f64 / f64::from(width * height * 3)
}

async fn state(world: &World) -> Vec<Vec<Value>> {
    world
        .query("SELECT a.id, a.name, asset_type, part, trash_state, a.width, a.height FROM asset a ORDER BY a.id")
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pdf_becomes_pages_words_links_and_a_catalog() {
    let world = World::new().await;
    world.put("in/brochure.pdf", &brochure());
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 144, "extractSearchWords": true })).await;
    let log = done.text();
    assert!(log.contains("UploadSuccess: Acme/brochure-1.pdf was processed as page 1 of its document."), "{log}");
    assert!(log.contains("UploadSuccess: Acme/brochure-catalog was processed as an eCatalog of 2 pages."), "{log}");
    assert_eq!((done.counters.success, done.counters.error, done.counters.warning), (3, 0, 0), "{log}");
    let assets = state(&world).await;
    let named =
        |row: &Vec<Value>| (row[1].as_str().unwrap().to_owned(), row[2].as_str().unwrap().to_owned(), row[3].clone());
    let expected = [
        ("brochure", "Pdf", Value::Null),
        ("brochure-1", "Image", json!("page:1")),
        ("brochure-2", "Image", json!("page:2")),
        ("brochure-catalog", "Catalog", json!("catalog")),
    ];
    assert_eq!(
        assets.iter().map(named).collect::<Vec<_>>(),
        expected.map(|(name, kind, part)| (name.to_owned(), kind.to_owned(), part))
    );
    assert_eq!(assets[1][5..], [json!(600), json!(400)]);
    let members =
        world.query("SELECT a.name FROM set_member m JOIN asset a ON a.id = m.asset_id ORDER BY position").await;
    assert_eq!(members, [[json!("brochure-1")], [json!("brochure-2")]]);
    let words = world.query("SELECT word FROM page_word ORDER BY asset_id, position").await;
    let words: Vec<&str> = words.iter().map(|row| row[0].as_str().unwrap()).collect();
    assert_eq!(words, ["Red", "shoes", "for", "summer", "Gray", "(plain)", "hats"]);
    let links = world.query("SELECT shape_type, region, action FROM image_map ORDER BY asset_id, position").await;
    assert_eq!(
        links,
        [
            [json!("rect"), json!("40,240,240,360"), json!("https://shoes.example/red")],
            [json!("rect"), json!("400,240,500,360"), json!("#page=2")],
        ]
    );
    // The document is shown by its first page.
    let thumbnails = world.query("SELECT count(*), count(DISTINCT blob) FROM derived WHERE role = 'Thumbnail'").await;
    assert_eq!(thumbnails, [[json!(3), json!(2)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_look_and_read_as_poppler_has_them() {
    // Pictures of pages, not of what JPEG makes of them.
    let world = World::with(|settings| settings.media.jpeg_quality = 95).await;
    let source = world.ingest("in/brochure.pdf");
    world.put("in/brochure.pdf", &brochure());
    upload(&world, json!({ "process": "Rasterize", "extractSearchWords": true, "colorspace": "Rgb" })).await;
    let theirs = world.folder.path().join("theirs");
    run("pdftoppm", &["-r", "150", "-png", text_of(&source), text_of(&theirs)]);
    for number in [1, 2] {
        let ours = pixels(&world, &pyramid(&world, &format!("brochure-{number}")).await);
        let theirs = image::open(world.folder.path().join(format!("theirs-{number}.png"))).unwrap().to_rgb8();
        let difference = difference(&ours, &theirs);
        assert!(difference < 2.0, "page {number}: {difference}");
    }
    let theirs = String::from_utf8(run("pdftotext", &[text_of(&source), "-"])).unwrap();
    let ours = world.query("SELECT word FROM page_word ORDER BY asset_id, position").await;
    let ours: Vec<&str> = ours.iter().map(|row| row[0].as_str().unwrap()).collect();
    assert_eq!(ours, theirs.split_whitespace().collect::<Vec<_>>());
    // Boxes are in pixels of the picture: 150 per inch, where poppler has 72.
    let boxes = String::from_utf8(run("pdftotext", &["-bbox", "-l", "1", text_of(&source), "-"])).unwrap();
    let summer = boxes.lines().find(|line| line.contains(">summer<")).unwrap();
    let edge = |name: &str| -> f64 {
        summer.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
    };
    let row = &world.query("SELECT x, width, y, height FROM page_word WHERE word = 'summer'").await[0];
    let at = |index: usize| row[index].as_f64().unwrap();
    let scale = 150.0 / 72.0;
    for (ours, theirs) in [(at(0), edge("xMin")), (at(0) + at(1), edge("xMax")), (at(2) + at(3), edge("yMax"))] {
        assert!((ours - theirs * scale).abs() < 6.0, "{ours} {} in {summer}", theirs * scale);
    }
}

/// A photograph that has stripes in one half.
fn photograph(progressive: bool) -> Vec<u8> {
    let (width, height) = (1600_u16, 1200_u16);
    let sample = |at: usize| {
        let (x, y, band) = (at / 3 % usize::from(width), at / 3 / usize::from(width), at % 3);
        let soft = ((x * (band + 1) + y) as f32 * 0.01).sin() * 60.0;
        (soft + if x > 800 && x / 16 % 2 == 0 { 120.0 } else { 80.0 }) as u8
    };
    let pixels: Vec<u8> = (0..usize::from(width) * usize::from(height) * 3).map(sample).collect();
    let mut jpeg = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut jpeg, 90);
    encoder.set_progressive(progressive);
    encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb).unwrap();
    let head = format!(
        "<< /Subtype /Image /Width {width} /Height {height} /BitsPerComponent 8 /ColorSpace /DeviceRGB \
         /Filter /DCTDecode /Length {} >>\nstream\n",
        jpeg.len()
    );
    [head.as_bytes(), &jpeg, b"\nendstream"].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn photographs_look_alike_whatever_size_they_are_drawn_in() {
    let world = World::with(|settings| settings.media.jpeg_quality = 95).await;
    let source = world.ingest("in/lookbook.pdf");
    // 384 points are 800 pixels at 150 dpi, half of what the photographs have.
    let pages = [
        "384 0 0 288 0 0 cm /P0 Do",
        "q 90 0 0 68 200 100 cm /P0 Do Q 0 150 -200 0 200 0 cm /P0 Do",
        "q 90 0 0 68 0 0 cm /P0 Do Q 1200 0 0 900 -600 -300 cm /P0 Do",
        "384 0 0 288 0 0 cm /P1 Do",
    ];
    let pages = pages.map(|content| PageOf { size: (400, 300), ..page(content) });
    world.put("in/lookbook.pdf", &pdf_with(&pages, &[photograph(false), photograph(true)]));
    upload(&world, json!({ "process": "Rasterize", "colorspace": "Rgb" })).await;
    let theirs = world.folder.path().join("theirs");
    run("pdftoppm", &["-r", "150", "-png", text_of(&source), text_of(&theirs)]);
    let mut drawn = Vec::new();
    for number in 1..=pages.len() {
        let ours = pixels(&world, &pyramid(&world, &format!("lookbook-{number}")).await);
        let theirs = image::open(world.folder.path().join(format!("theirs-{number}.png"))).unwrap().to_rgb8();
        let difference = difference(&ours, &theirs);
        assert!(difference < 6.0, "page {number}: {difference}");
        drawn.push(ours);
    }
    let difference = difference(&drawn[0], &drawn[3]);
    assert!(difference < 1.5, "the progressive one looks otherwise: {difference}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_option_of_a_pdf_has_its_effect() {
    let world = World::new().await;
    world.put("in/brochure.pdf", &brochure());
    upload(&world, json!({ "process": "None" })).await;
    assert_eq!(world.asset_names().await, ["brochure"]);
    assert_eq!(world.query("SELECT count(*) FROM derived").await, [[json!(0)]]);
    upload(&world, json!({ "process": "Thumbnail" })).await;
    assert_eq!(world.asset_names().await, ["brochure"]);
    assert_eq!(world.query("SELECT role, width FROM derived").await, [[json!("Thumbnail"), json!(256)]]);
    upload(&world, json!({ "process": "Rasterize", "resolution": 72, "pdfCatalog": false, "extractLinks": false }))
        .await;
    assert_eq!(world.asset_names().await, ["brochure", "brochure-1", "brochure-2"]);
    let colours =
        |row: &Vec<Value>| row.iter().map(|value| value.as_str().unwrap_or("").to_owned()).collect::<Vec<_>>();
    let facts = "SELECT json_text(info, 'colorspace'), width || ' x ' || height FROM asset WHERE part IS NOT NULL AND part <> 'catalog' ORDER BY part";
    // Auto: the second page has no colours.
    let found: Vec<_> = world.query(facts).await.iter().map(colours).collect();
    assert_eq!(found, [["RGB", "300 x 200"], ["gray", "300 x 200"]]);
    assert_eq!(world.query("SELECT count(*) FROM image_map").await, [[json!(0)]]);
    upload(&world, json!({ "colorspace": "Gray" })).await;
    let found: Vec<_> = world.query(facts).await.iter().map(colours).collect();
    assert_eq!(found, [["gray", "625 x 417"], ["gray", "625 x 417"]], "the documented defaults");
    assert_eq!(world.query("SELECT count(*) FROM image_map").await, [[json!(2)]]);
    assert_eq!(world.query("SELECT count(*) FROM page_word").await, [[json!(0)]]);
    let cmyk = upload(&world, json!({ "colorspace": "Cmyk" })).await;
    let line = "pdfOptions/colorspace had no effect, because pages are drawn in RGB, not in CMYK.";
    assert!(cmyk.text().contains(line), "{}", cmyk.text());
    assert_eq!(cmyk.counters.warning, 1);
    // A catalogue that is no longer asked for goes to the trash, and comes back under the same name.
    let catalog = "SELECT id, trash_state FROM asset WHERE asset_type = 'Catalog'";
    let before = world.query(catalog).await;
    assert_eq!(before[0][1], "NotInTrash");
    upload(&world, json!({ "pdfCatalog": false })).await;
    assert_eq!(world.query(catalog).await[0][1], "InTrash");
    upload(&world, json!({ "pdfCatalog": true })).await;
    assert_eq!(world.query(catalog).await, before);
}

/// What programs that audit a log read: the path before the last " was processed " of each line of success.
pub fn paths_of_success(text: &str) -> Vec<&str> {
    let lines = text.lines().filter_map(|line| line.split_once("UploadSuccess: "));
    let mut paths: Vec<&str> = lines.map(|(_, line)| line.rsplit_once(" was processed ").expect(line).0).collect();
    paths.sort_unstable();
    paths
}

/// Where the assets are, as clients see it.
pub async fn paths_of_assets(world: &World) -> Vec<String> {
    let rows = world
        .query(
            "SELECT 'Acme/' || CASE f.path WHEN '' THEN '' ELSE f.path || '/' END
                    || CASE a.file_name WHEN '' THEN a.name ELSE a.file_name END AS path
             FROM asset a JOIN folder f ON f.id = a.folder_id WHERE a.trash_state = 'NotInTrash' ORDER BY path",
        )
        .await;
    rows.iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_pages_say_where_the_pages_are() {
    let world = World::new().await;
    world.put("in/a was processed b.pdf", &brochure());
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 30 })).await;
    assert_eq!(paths_of_success(&done.text()), paths_of_assets(&world).await, "{}", done.text());
    assert_eq!(world.asset_names().await.len(), 4, "the document, two pages, the catalogue");
    // Where somebody has put a page, it stays.
    world.execute("INSERT INTO folder (company_id, path, created_at, modified_at) SELECT company_id, 'Elsewhere', 0, 0 FROM folder LIMIT 1").await;
    world
        .execute("UPDATE asset SET folder_id = (SELECT id FROM folder WHERE path = 'Elsewhere') WHERE part = 'page:2'")
        .await;
    let again = upload(&world, json!({ "process": "Rasterize", "resolution": 40 })).await;
    let elsewhere = "Acme/Elsewhere/a was processed b-2.pdf";
    assert!(paths_of_success(&again.text()).contains(&elsewhere), "{}", again.text());
}

/// A page that only says that the files of a portfolio stand elsewhere is not what somebody uploaded it for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portfolio_says_that_its_files_are_not_looked_at() {
    let world = World::new().await;
    let file = "<< /Type /Filespec /F (a.txt) /EF << /F 5 0 R >> >>";
    let held = "<< /Type /EmbeddedFile /Length 2 >>\nstream\nhi\nendstream";
    let objects = [file.into(), held.into()];
    let names = "/Names << /EmbeddedFiles << /Kids [ << /Limits [(a) (b)] /Names [(a) 4 0 R (b) 4 0 R] >> ] >> >>";
    let cover = [page(&text("Open it in a newer program", 20, 100))];
    let shown_as_one = format!("/Collection << /Type /Collection /View /T >> {names}");
    world.put("in/folder.pdf", &document(&cover, &objects, &shown_as_one));
    world.put("in/invoice.pdf", &document(&cover, &objects, names));
    let cases = [
        (false, json!({ "process": "Rasterize" })),
        (false, json!({})),
        (false, json!({ "process": "Thumbnail" })),
        (true, json!({ "process": "Thumbnail" })),
        (true, json!({})),
    ];
    for (is_ripped, options) in cases {
        let done = if is_ripped {
            let [folder, invoice] = ["folder", "invoice"].map(|name| crate::publish::asset(&world, name));
            let handles = [folder.await, invoice.await].map(|asset| format!("a|{asset}"));
            let order = json!({ "pdfHandleArray": handles, "pdfOptions": options, "emailSetting": "None" });
            world.run(JobKind::RipPdfs, order).await.succeeded()
        } else {
            upload(&world, options.clone()).await
        };
        let told: Vec<&Value> = done
            .lines
            .iter()
            .filter(|line| line.code == "pages-of-portfolio")
            .map(|line| &line.params["file"])
            .collect();
        assert_eq!(told, ["folder.pdf"], "{options}: {}", done.text());
        assert_eq!((done.counters.error, done.counters.warning), (0, 1), "{options}: {}", done.text());
        assert!(done.text().contains("nothing is made of the 2 files that it holds"), "{}", done.text());
    }
}

/// What fails of a document is no file that failed, and none that was processed. One of which nothing can be made is a file where
/// the job is about it, and a part of one that was filed elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_fail_are_counted_apart_from_files() {
    let counted = |done: &Done| {
        let Counters { success, update, part, error, part_error, .. } = done.counters;
        ([success + update, part, error, part_error], done.counters.files())
    };
    let cases: [(u32, &[usize], _, _); 3] = [
        (100, &[2], [3, 2, 1, 1], [3, 2, 1, 1]),
        (100, &[1, 2, 3], [1, 0, 3, 3], [0, 0, 4, 3]),
        (2, &[2], [1, 0, 1, 1], [0, 0, 1, 0]),
    ];
    for (most, too_large, uploaded, ripped) in cases {
        let world = World::with(move |settings| settings.media.max_pages = most).await;
        world.put("in/book.pdf", &booklet(&["one", "two", "three"], too_large));
        let done = upload(&world, json!({ "process": "Rasterize" })).await;
        assert_eq!(counted(&done), (uploaded, 1), "{}", done.text());
        let book = crate::publish::asset(&world, "book").await;
        let order = json!({ "pdfHandleArray": [format!("a|{book}")], "emailSetting": "None" });
        let done = world.run(JobKind::RipPdfs, order).await.succeeded();
        assert_eq!(counted(&done), (ripped, 1), "{}", done.text());
    }
}

/// An eCatalog is said to lack what it lacks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ecatalog_without_a_page_says_so() {
    let cases: [(&[&str], _); 3] = [
        (
            &["one", "two", "three"],
            "an eCatalog of 2 pages: 1 page of its document, which could not be drawn, is not in it.",
        ),
        (&["one", "two"], "No eCatalog was made of book.pdf: 1 of its pages could not be drawn, and no two are left."),
        (&["only"], ""),
    ];
    for (words, line) in cases {
        let world = World::new().await;
        let second = [2].into_iter().filter(|_| words.len() > 1).collect::<Vec<_>>();
        world.put("in/book.pdf", &booklet(words, &second));
        let done = upload(&world, json!({ "process": "Rasterize" })).await;
        let lines = done.text();
        assert!(lines.contains(line) && lines.contains("eCatalog") != line.is_empty(), "{lines}");
    }
}

/// What cannot be found in a document is no page that could not be drawn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ecatalog_counts_no_page_that_nobody_found() {
    let world = World::new().await;
    let cut = |words: &[&str]| {
        let mut file = booklet(words, &[]);
        file.truncate(file.len() - 40);
        file
    };
    world.put("in/one.pdf", &cut(&["one"]));
    world.put("in/three.pdf", &cut(&["one", "two", "three"]));
    let claims = String::from_utf8(booklet(&["a", "b", "c"], &[])).unwrap().replace("/Count 3", "/Count 9");
    world.put("in/claims.pdf", claims.as_bytes());
    let lines = upload(&world, json!({ "process": "Rasterize" })).await.text();
    for line in [
        "three-catalog was processed as an eCatalog of 3 pages.",
        "claims-catalog was processed as an eCatalog of 3 pages.",
    ] {
        assert!(lines.contains(line), "{lines}");
    }
    assert!(!lines.contains("could not be drawn") && !lines.contains("No eCatalog"), "{lines}");
}

/// Shares of the memory are for pages as most are. One that takes more than its share waits until it has all of the memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_takes_more_than_its_share_has_all_of_the_memory() {
    let mut world = World::with(|settings| {
        settings.parallel = 4;
        settings.media.memory = Some("64 MiB".parse().unwrap());
    })
    .await;
    let sized = |side: u32, word: &str| PageOf { size: (side, side), ..page(&text(word, 20, 100)) };
    let sides = [(300, "small"), (2500, "large"), (3000, "larger"), (300, "little"), (4000, "too large")];
    world.put("in/posters.pdf", &pdf(&sides.map(|(side, word)| sized(side, word))));
    // All of a document is in memory while its pages are drawn: of this, more than half of a share.
    let filling = format!("<< /Length {} >>\nstream\n{}\nendstream", 9 << 20, " ".repeat(9 << 20));
    world.put("in/thick.pdf", &document(&[page(&text("thick", 20, 100))], &[filling.into_bytes()], ""));
    let options = json!({ "process": "Rasterize", "resolution": 72, "colorspace": "Gray" });
    let done = upload(&world, options).await;
    let drawn = world.query("SELECT name, width FROM asset WHERE part LIKE 'page:%' ORDER BY name").await;
    let expected = [("posters-1", 300), ("posters-2", 2500), ("posters-3", 3000), ("posters-4", 300), ("thick-1", 300)];
    assert_eq!(drawn, expected.map(|(name, width)| vec![json!(name), json!(width)]), "{}", done.text());
    let problems: Vec<&crate::world::Line> = done.of_type("PdfRipError");
    assert_eq!(problems.len(), 1, "{}", done.text());
    let line = "Page 5 of posters.pdf could not be drawn: at a resolution of 72 it has 4000 x 4000 pixels, and may have at most \
                64 MiB of memory (media.memory), where it takes 92 MiB; a resolution of up to 60 would do.";
    assert!(done.text().contains(line), "{}", done.text());

    // An export draws pages once more that were drawn with other settings.
    world.settings.media.jpeg_quality = 95;
    let large = crate::publish::asset(&world, "posters-2").await;
    let order = json!({ "assetHandleArray": [format!("a|{large}")], "fmt": "convert", "is_modifier": "fmt=png&wid=100", "emailSetting": "None" });
    let done = world.run(JobKind::Export, order).await.succeeded();
    assert_eq!((done.counters.success, done.counters.warning), (2, 0), "{}", done.text());
}

/// Who draws the pages of a document ends with the page that is the last to be taken.
#[test]
fn who_takes_pages_may_break_off() {
    let folder = tempfile::tempdir().unwrap();
    let (path, scratch) = (folder.path().join("book.pdf"), folder.path().join("scratch"));
    std::fs::write(&path, booklet(&["word"; 16], &[])).unwrap();
    let launcher = Launcher::new(Path::new(env!("CARGO_BIN_EXE_prepress")), &scratch);
    let picture = prepress::media::Limits::default();
    let limits = PageLimits { all_memory: picture.max_memory, picture, time: std::time::Duration::from_secs(60) };
    let drawing = Drawing {
        resolution: 36.0,
        color: PageColor::Auto,
        alpha: false,
        words: false,
        links: false,
        annotations: Annotations::View,
        others: Others::Never,
        options: prepress::media::Options::default(),
    };
    for last in [1, 3, 16] {
        let mut taken = Vec::new();
        let mut take = |page, drawn: Result<_, Undrawn>| -> Result<ControlFlow<()>, ChildError> {
            assert!(drawn.is_ok(), "{page}");
            taken.push(page);
            Ok(if page == last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        draw_pages(&launcher, &path, (1, 16), &drawing, &limits, &|| false, &mut take).unwrap();
        assert_eq!(taken, (1..=last).collect::<Vec<u32>>());
        nothing_is_left_in(&scratch);
    }
}

/// What becomes of a document once it was ripped is no matter of the job any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_changes_after_it_was_ripped_is_counted_once() {
    const FIRST_IS_DONE: &str = "SELECT 1 FROM item
         WHERE instance_id = (SELECT max(id) FROM instance) AND key LIKE '%' || chr(10) || 'end'";
    for is_trashed in [true, false] {
        let world = World::new().await;
        for name in ["first", "second"] {
            world.put(&format!("in/{name}.pdf"), &booklet(&["one", "two"], &[]));
        }
        upload(&world, json!({})).await;
        let [first, second] = ["first", "second"].map(|name| crate::publish::asset(&world, name));
        let (first, second) = (first.await, second.await);
        // The second spelling of a handle names the same document, also if it is none.
        let handles = [format!("a|{first}"), format!("a|{second}"), format!("a|{first}|25|{first}")];
        let handles = json!([handles[0], handles[1], handles[2], "a|999", "a|999|25|999"]);
        let order = json!({ "pdfHandleArray": handles, "emailSetting": "None" });
        let meanwhile = async || {
            if is_trashed {
                world.store.trash_assets(crate::publish::change(&world), vec![first]).await.unwrap();
            } else {
                world.put("in/first.pdf", &booklet(&["uno", "due", "tre"], &[]));
                upload(&world, json!({})).await;
            }
        };
        let (done, _) = world.run_in_two(JobKind::RipPdfs, order, Moment::Finds(FIRST_IS_DONE), meanwhile).await;
        let done = done.succeeded();
        let Counters { success, part, error, part_error, .. } = done.counters;
        assert_eq!((success, part, error, part_error), (6, 4, 1, 0), "{is_trashed}: {}", done.text());
    }
}

/// The line comes at the end, of what all attempts have drawn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fonts_that_are_missing_are_told_of_after_a_crash() {
    let mut pages = vec![page("20 20 90 60 re f"); 20];
    pages[0] = page(&text("Of a font that is elsewhere", 20, 100));
    let file = String::from_utf8(pdf(&pages)).unwrap().replace("/Helvetica", "/Bodoni-XX");
    let world = World::new().await;
    world.put("in/book.pdf", file.as_bytes());
    let order = order("pdfOptions", json!({ "process": "Rasterize", "resolution": 30 }));
    let first_page = Moment::Finds("SELECT 1 FROM asset WHERE part = 'page:1'");
    let (done, _) = world.run_in_two(UPLOAD, order, first_page, async || ()).await;
    let done = done.succeeded();
    assert_eq!(done.text().matches("does not bring the fonts Bodoni-XX;").count(), 1, "{}", done.text());
    assert_eq!(done.counters.warning, 1, "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_items_before_they_are_drawn() {
    let world = World::new().await;
    world.put("in/book.pdf", &pdf(&vec![page("20 20 90 60 re f"); 20]));
    world.put("in/leaf.pdf", &pdf(&[page("10 10 90 60 re f")]));
    let order = order("pdfOptions", json!({ "process": "Rasterize", "resolution": 30 }));
    let both = "SELECT 1 FROM item WHERE key LIKE '%parts' LIMIT 1 OFFSET 1";
    world.counts_its_items(UPLOAD, order, both).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_survive_crashes_and_are_drawn_once() {
    let pages: Vec<PageOf> = (1..=20).map(|n| page(&text(&format!("Page {n}"), 20, 100))).collect();
    let world = World::new().await;
    world.put("in/book.pdf", &pdf(&pages));
    let options = json!({ "process": "Rasterize", "resolution": 30 });
    let done = world.run_with_crashes(UPLOAD, order("pdfOptions", options)).await.succeeded();
    assert!(done.attempts > 5, "{} attempts", done.attempts);
    assert_eq!(done.counters.success, 21, "{}", done.text());
    assert_eq!(done.codes().iter().filter(|code| **code == "page-processed").count(), 20);
    let members =
        world.query("SELECT a.name FROM set_member m JOIN asset a ON a.id = m.asset_id ORDER BY position").await;
    let expected: Vec<_> = (1..=20).map(|n| vec![json!(format!("book-{n}"))]).collect();
    assert_eq!(members, expected);
    nothing_is_left_in(&world.settings.scratch);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_whose_child_is_killed_are_drawn_all_the_same() {
    let world = World::new().await;
    world.put("in/book.pdf", &booklet(&["one", "two", "three", "four", "five", "six", "seven", "eight"], &[]));
    let scratch = world.settings.scratch.clone();
    // The first that has drawn a page.
    let has_drawn = |folder: &Path| {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        files.into_iter().any(|file| file.path().extension().is_some_and(|extension| extension == "tif"))
    };
    let killer = std::thread::spawn(move || {
        loop {
            let folders = std::fs::read_dir(&scratch).into_iter().flatten().flatten();
            for folder in folders.map(|folder| folder.path()).filter(|folder| has_drawn(folder)) {
                if let [child] = processes_with(folder.to_str().unwrap())[..] {
                    return kill_process(Pid::from_raw(child as i32).unwrap(), Signal::KILL).unwrap();
                }
            }
        }
    });
    let done = upload(&world, json!({ "process": "Rasterize" })).await;
    killer.join().unwrap();
    assert_eq!((done.counters.error, done.counters.success), (0, 9), "{}", done.text());
    let pages = world.query("SELECT count(*) FROM asset WHERE part LIKE 'page:%'").await;
    assert_eq!(pages, [[json!(8)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ripping_again_replaces_pages_under_the_same_ids_and_names() {
    let world = World::new().await;
    world.put("in/brochure.pdf", &brochure());
    world.put("in/notes.txt", b"Not a document with pages.");
    upload(&world, json!({ "process": "Rasterize" })).await;
    world.execute("UPDATE asset SET name = 'cover' WHERE name = 'brochure-1'").await;
    let before = state(&world).await;
    let rip = |handles: Value, options: Value| json!({ "pdfHandleArray": handles, "pdfOptions": options, "emailSetting": "None" });
    let id = before.iter().find(|row| row[1] == "brochure").unwrap()[0].as_i64().unwrap();
    let notes = before.iter().find(|row| row[1] == "notes").unwrap()[0].as_i64().unwrap();
    let order = rip(json!([format!("a|{id}|25|{id}"), "a|999999", format!("a|{notes}")]), json!({ "resolution": 75 }));
    let done = world.run(JobKind::RipPdfs, order).await.succeeded();
    let log = done.text();
    let Counters { success, error, part, part_error, .. } = done.counters;
    assert_eq!((success, part, error, part_error), (3, 2, 2, 0), "the document and its pages, and no documents: {log}");
    assert!(log.contains("PdfRipError: a|999999: its pages could not be drawn: there is no such asset."), "{log}");
    assert!(log.contains("it does not apply to Asset"), "{log}");
    let after = state(&world).await;
    let kept = |rows: &[Vec<Value>]| rows.iter().map(|row| row[..5].to_vec()).collect::<Vec<_>>();
    assert_eq!(kept(&after), kept(&before));
    let cover = after.iter().find(|row| row[1] == "cover").unwrap();
    assert_eq!(cover[5..], [json!(313), json!(208)]);
    // Pages are made with their document, not by themselves.
    world.execute("UPDATE derived SET recipe = 'as it was'").await;
    let optimized = world.run(JobKind::OptimizeImages, json!({ "emailSetting": "None" })).await.succeeded();
    assert_eq!((optimized.counters.success, optimized.counters.error), (0, 0), "{}", optimized.text());
    // A new master with fewer pages.
    world.put("in/brochure.pdf", &pdf(&[page(&text("Only one", 20, 100))]));
    upload(&world, json!({ "process": "Rasterize" })).await;
    let trash = world.query("SELECT name FROM asset WHERE trash_state = 'InTrash' ORDER BY name").await;
    assert_eq!(trash, [[json!("brochure-2")], [json!("brochure-catalog")]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_whose_trash_was_emptied_is_made_again_as_another_asset() {
    let world = World::new().await;
    world.put("in/brochure.pdf", &brochure());
    world.put("in/zebra.txt", b"It stands behind the document.");
    upload(&world, json!({ "process": "Rasterize" })).await;
    let change = crate::publish::change(&world);
    let mut gone = Vec::new();
    for name in ["brochure-2", "brochure-catalog"] {
        gone.push(world.store.asset_named(world.company, name).await.unwrap().unwrap().id);
    }
    world.store.trash_assets(change, gone.clone()).await.unwrap();
    world.store.empty_trash(change, gone.clone()).await.unwrap();
    let done = upload(&world, json!({ "process": "Rasterize" })).await;
    assert_eq!(done.counters.error, 0, "{}", done.text());
    for (name, old) in ["brochure-2", "brochure-catalog"].into_iter().zip(gone) {
        let new = world.store.asset_named(world.company, name).await.unwrap().unwrap().id;
        assert_ne!(new, old, "{name}: what was given up stays so");
    }
    assert!(done.items.contains(&"zebra.txt".to_owned()), "{:?}", done.items);
    let members = world.query("SELECT a.name FROM set_member m JOIN asset a ON a.id = m.asset_id ORDER BY a.id").await;
    assert!(members.contains(&vec![json!("brochure-2")]), "{members:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bad_document_has_its_line_and_harms_nobody() {
    let world = World::with(|settings| settings.media.max_pages = 30).await;
    let many: Vec<PageOf> = (0..31).map(|_| page("")).collect();
    let mut huge = page("0 g 0 0 10 10 re f");
    huge.size = (2_000_000, 2_000_000);
    world.put("in/many.pdf", &pdf(&many));
    world.put("in/none.pdf", &pdf(&[]));
    world.put("in/broken.pdf", b"%PDF-1.4\nthis is all there is");
    world.put("in/partly.pdf", &pdf(&[page(&text("Good", 20, 100)), huge, page(&text("Also good", 20, 100))]));
    world.put("in/secret.pdf", &encrypted());
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 72 })).await;
    let log = done.text();
    for line in [
        "PdfRipError: many.pdf: its pages could not be drawn: it has 31 pages; documents of at most 30 are drawn.",
        "UploadError: broken.pdf could not be processed: the PDF is damaged: no pages can be found in it.",
        "PdfRipError: secret.pdf: its pages could not be drawn: it is encrypted with a password: save it without one, and upload it again.",
        "PdfRipError: Page 2 of partly.pdf could not be drawn: at a resolution of 72 it has 2000000 x 2000000 pixels",
    ] {
        assert!(log.contains(line), "{line}\n in \n{log}");
    }
    assert!(log.contains("PdfRipError: none.pdf: its pages could not be drawn: it"), "{log}");
    assert_eq!(done.counters.error, 5, "{log}");
    let names = world.asset_names().await;
    assert_eq!(names, ["many", "none", "partly", "partly-1", "partly-3", "partly-catalog", "secret"]);
}

/// What cannot be found of a document is a problem, though all that can be found is drawn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_a_document_says_it_has_are_missed() {
    let world = World::new().await;
    let pages: Vec<PageOf> = (1..=3).map(|number| page(&text(&format!("Page {number}"), 20, 100))).collect();
    let whole = String::from_utf8(pdf(&pages)).unwrap();
    world.put("in/promising.pdf", whole.replace("/Count 3", "/Count 9").as_bytes());
    // The object of the second page is no page any more; everything else is where it was.
    world.put("in/holed.pdf", whole.replace("12 0 obj\n<< /Type /Page ", "12 0 obj\n(( /Type /Page ").as_bytes());
    world.put("in/whole.pdf", whole.as_bytes());
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 72 })).await;
    let log = done.text();
    for line in [
        "PdfRipError: promising.pdf says that it has 9 pages, but only 3 can be found in it: it is damaged.",
        "PdfRipError: holed.pdf says that it has 3 pages, but only 2 can be found in it: it is damaged.",
    ] {
        assert!(log.contains(line), "{line}\n in \n{log}");
    }
    assert_eq!(done.counters.error, 2, "{log}");
    let found = world.query("SELECT count(*) FROM asset WHERE part LIKE 'page:%'").await;
    assert_eq!(found, [[json!(8)]], "{log}");
}

/// A PDF that says it is encrypted with a user password that is not empty.
pub fn encrypted() -> Vec<u8> {
    let plain = String::from_utf8(brochure()).unwrap();
    let key = "0".repeat(64);
    let entry = format!("/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{key}> /U <{key}> >> /ID [<00> <00>] /Root");
    plain.replacen("/Root", &entry, 1).into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_mutations_cost_at_most_their_own_lines() {
    let world = World::new().await;
    let good = brochure();
    for seed in 0..40_usize {
        let mut bad = good.clone();
        for step in 0..12 {
            let at = (seed * 7919 + step * 104_729) % bad.len();
            bad[at] = bad[at].wrapping_add((seed * 31 + step * 17 + 1) as u8);
        }
        world.put(&format!("in/bad{seed}.pdf"), &bad);
    }
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 20, "extractSearchWords": true })).await;
    // Each is an asset, or has the one line that says why it is none.
    let log = done.text();
    let documents = world.query("SELECT name FROM asset WHERE file_name LIKE 'bad%' AND part IS NULL").await;
    for seed in 0..40 {
        let name = format!("bad{seed}");
        let refused = log.matches(&format!("UploadError: {name}.pdf could not be processed: ")).count();
        let filed = documents.iter().filter(|row| row[0] == json!(name)).count();
        assert_eq!(filed + refused, 1, "{name}: {log}");
    }
    assert!(documents.len() > 20, "most of them can be read still: {log}");
    nothing_is_left_in(&world.settings.scratch);
}

pub const EPS: &[u8] = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 100 100 400 300\n%%EndComments\n\
    0 0.6 0 setrgbcolor 120 120 100 60 rectfill\n\
    0 setgray /Helvetica findfont 24 scalefont setfont 120 220 moveto (Green leaf) show\nshowpage\n%%EOF\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn post_script_is_drawn_as_ghostscript_draws_it() {
    let world = World::new().await;
    world.put("in/leaf.eps", EPS);
    // A picture that nobody asked to draw is missed.
    let done = world.run(UPLOAD, directory("in")).await.succeeded();
    let line = "leaf.eps was kept as it is and has no picture: the order has no postScriptOptions, by which it would be drawn.";
    assert!(done.text().contains(line) && done.counters.warning == 1, "{}", done.text());
    let options = json!({ "process": "Rasterize", "resolution": 100, "extractSearchWords": true });
    let done = world.run(UPLOAD, order("postScriptOptions", options)).await.succeeded();
    assert_eq!(done.counters.error + done.counters.warning, 0, "{}", done.text());
    let ours = pixels(&world, &pyramid(&world, "leaf-1").await);
    let theirs = world.folder.path().join("theirs.png");
    let source = world.ingest("in/leaf.eps");
    let out = format!("-sOutputFile={}", theirs.display());
    let quality = ["-dTextAlphaBits=4", "-dGraphicsAlphaBits=4", "-dEPSCrop", "-r100", "-sDEVICE=png16m"];
    run("gs", &[&["-dSAFER", "-dBATCH", "-dNOPAUSE", "-q"], &quality[..], &[&out, text_of(&source)]].concat());
    let difference = difference(&ours, &image::open(theirs).unwrap().to_rgb8());
    assert!(difference < 2.0, "{difference}");
    let words = world.query("SELECT word FROM page_word ORDER BY position").await;
    assert_eq!(words, [[json!("Green")], [json!("leaf")]]);
    // What the file leaves free is white, unless it shall stay transparent.
    let alpha = "SELECT strpos(info, '\"hasAlpha\":true') > 0 FROM asset WHERE name = 'leaf-1'";
    assert_eq!(world.query(alpha).await, [[json!(0)]]);
    world.run(UPLOAD, order("postScriptOptions", json!({ "alpha": true }))).await.succeeded();
    assert_eq!(world.query(alpha).await, [[json!(1)]]);
    world.run(UPLOAD, order("postScriptOptions", json!({ "process": "Thumbnail" }))).await.succeeded();
}

/// gs takes a file that breaks off between two operators for whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_behind_the_cut_of_a_post_script_file_stay() {
    for header in ["4", "(atend)"] {
        let world = World::new().await;
        let page =
            |number: u32| format!("%%Page: {number} {number}\n10 {number}0 moveto 90 90 lineto stroke\nshowpage\n");
        let pages = |count| (1..=count).map(page).collect::<String>();
        let head = format!("%!PS-Adobe-3.0\n%%Pages: {header}\n%%EndComments\n");
        let whole = format!("{head}{}%%Trailer\n%%Pages: 4\n%%EOF\n", pages(4));
        let order = || order("postScriptOptions", json!({ "process": "Rasterize", "resolution": 36 }));
        let names = async || {
            let rows = "SELECT name FROM asset WHERE part LIKE 'page:%' AND trash_state = 'NotInTrash' ORDER BY name";
            world.query(rows).await.into_iter().map(|row| row[0].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        world.put("in/q.ps", whole.as_bytes());
        world.run(UPLOAD, order()).await.succeeded();
        let all = names().await;
        assert_eq!(all, ["q-1", "q-2", "q-3", "q-4"]);
        world.put("in/q.ps", format!("{head}{}", pages(2)).as_bytes());
        let done = world.run(UPLOAD, order()).await.succeeded();
        assert_eq!((names().await, done.counters.error), (all, 1), "{header}: {}", done.text());
        // With its end it has as many pages as it has.
        world.put("in/q.ps", format!("{head}{}%%Trailer\n%%Pages: 3\n%%EOF\n", pages(3)).as_bytes());
        let done = world.run(UPLOAD, order()).await.succeeded();
        assert_eq!((names().await.len(), done.counters.error), (3, 0), "{header}: {}", done.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn illustrator_files_are_drawn_whatever_they_hold() {
    let world = World::new().await;
    world.put("in/new.ai", &pdf(&[page("0 0 1 rg 20 20 100 60 re f")]));
    world.put("in/old.ai", EPS);
    let options = json!({ "process": "Rasterize", "resolution": 72, "alpha": true, "colorspace": "Rgb" });
    let done = world.run(UPLOAD, order("illustratorOptions", options)).await.succeeded();
    assert_eq!(done.counters.error + done.counters.warning, 0, "{}", done.text());
    assert_eq!(world.asset_names().await, ["new", "new-1", "old", "old-1"]);
    let alpha = world.query("SELECT strpos(info, '\"hasAlpha\":true') > 0 FROM asset WHERE part = 'page:1'").await;
    assert_eq!(alpha, [[json!(1)], [json!(1)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn post_script_cannot_reach_outside() {
    let world = World::with(|settings| settings.media.page_time = "1 s".parse().unwrap()).await;
    let secret = world.folder.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let program = format!(
        "%!PS\n/out ({0}.copy) (w) file def ({0}) (r) file {{ read {{ out exch write }} {{ exit }} ifelse }} loop showpage\n",
        secret.display()
    );
    world.put("in/thief.ps", program.as_bytes());
    world.put("in/endless.ps", b"%!PS\n{ } loop\n");
    let done = world.run(UPLOAD, order("postScriptOptions", json!({ "process": "Rasterize" }))).await.succeeded();
    let log = done.text();
    assert!(
        log.contains(
            "PdfRipError: thief.ps: its pages could not be drawn: PostScript error invalidfileaccess in \"file\""
        ),
        "{log}"
    );
    assert!(log.contains("PdfRipError: endless.ps: its pages could not be drawn: gs "), "{log}");
    assert!(!world.folder.path().join("secret.copy").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_encrypted_without_a_password_is_drawn_as_if_it_were_not() {
    let world = World::new().await;
    world.put("in/plain.pdf", &brochure());
    let plain = world.ingest("in/plain.pdf");
    let kinds: [(&str, &[&str]); 4] = [
        ("rc4-40", &["40", "--"]),
        ("rc4-128", &["128", "--use-aes=n", "--"]),
        ("aes-128", &["128", "--use-aes=y", "--"]),
        ("aes-256", &["256", "--"]),
    ];
    let encrypt = |name: &str, password: &str, how: &[&str]| {
        let target = world.ingest(&format!("in/{name}.pdf"));
        let before = ["--allow-weak-crypto", "--encrypt", password, "owner"];
        run("qpdf", &[&before[..], how, &[text_of(&plain), text_of(&target)]].concat());
    };
    for (name, how) in kinds {
        encrypt(name, "", how);
        encrypt(&format!("{name}-secret"), "secret", how);
    }
    let done = upload(&world, json!({ "process": "Rasterize", "extractSearchWords": true })).await;
    let log = done.text();
    let words = world
        .query("SELECT p.name, group_concat(w.word, ' ') FROM page_word w JOIN asset a ON a.id = w.asset_id JOIN asset p ON p.id = a.parent_id GROUP BY 1");
    let words = words.await;
    let words_of = |name: &str| words.iter().find(|row| row[0] == name).map(|row| row[1].clone());
    for (name, _) in kinds {
        for page in [1, 2] {
            let ours = std::fs::read(pyramid(&world, &format!("{name}-{page}")).await).unwrap();
            assert!(
                ours == std::fs::read(pyramid(&world, &format!("plain-{page}")).await).unwrap(),
                "{name}, page {page}"
            );
        }
        assert_eq!(words_of(name), words_of("plain"), "{name}");
        let line = format!(
            "{name}-secret.pdf: its pages could not be drawn: it is encrypted with a password: save it without one, and upload it again."
        );
        assert!(log.contains(&line), "{line} is not in\n{log}");
    }
    assert_eq!((done.counters.error, done.counters.warning), (4, 0), "{log}");
}
