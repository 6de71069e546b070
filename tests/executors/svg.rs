//! SVG becomes pictures, compared with librsvg's rsvg-convert, and whatever is in it stays in it.

use std::io::Write;
use std::path::{Path, PathBuf};

use prepress::model::kind::JobKind;
use serde_json::json;

use crate::child::nothing_is_left_in;
use crate::likeness::{derived, mean_delta_e, pyramid, size, text, tool};
use crate::world::{Done, World, directory, jpeg, png, read};

const UPLOAD: JobKind = JobKind::UploadDirectory;

async fn world() -> World {
    World::with(|settings| settings.media.jpeg_quality = 95).await
}

async fn upload(world: &World) -> Done {
    world.run(UPLOAD, directory("in")).await.succeeded()
}

/// What rsvg-convert draws of a file of the company.
fn theirs(world: &World, file: &str, options: &[&str]) -> PathBuf {
    let out = world.folder.path().join("theirs.png");
    tool("rsvg-convert", &[options, &[text(&world.ingest(file)), "-o", text(&out)]].concat());
    out
}

fn svg(head: &str, content: &str) -> String {
    format!("<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' {head}>{content}</svg>")
}

/// A label: gradients, a pattern, a clip, a mask, half transparent shapes, strokes, a blurred shadow.
const LABEL: &str = "
    <defs>
      <linearGradient id='sky' x2='0' y2='1'><stop stop-color='#2a6'/><stop offset='1' stop-color='#fd3'/></linearGradient>
      <radialGradient id='sun'><stop stop-color='#fff'/><stop offset='1' stop-color='#c03' stop-opacity='.2'/></radialGradient>
      <pattern id='dots' width='10' height='10' patternUnits='userSpaceOnUse'><circle cx='5' cy='5' r='3' fill='#235'/></pattern>
      <clipPath id='round'><rect x='20' y='20' width='120' height='80' rx='20'/></clipPath>
      <mask id='fade'><rect width='240' height='160' fill='url(#sky)'/></mask>
      <filter id='soft'><feGaussianBlur stdDeviation='4'/></filter>
    </defs>
    <rect x='24' y='26' width='120' height='80' rx='20' filter='url(#soft)' opacity='.6'/>
    <g clip-path='url(#round)'><rect width='240' height='160' fill='url(#sky)'/><circle cx='80' cy='60' r='30' fill='url(#sun)'/></g>
    <rect x='150' y='20' width='70' height='60' fill='url(#dots)' stroke='#111' stroke-width='2' stroke-dasharray='6 3'/>
    <path d='M20 150 C 60 100, 120 160, 220 110' fill='none' stroke='#804' stroke-width='6' stroke-linecap='round'/>
    <rect x='150' y='90' width='70' height='60' fill='#06c' mask='url(#fade)'/>
    <circle cx='180' cy='120' r='25' fill='#f00' fill-opacity='.5' transform='rotate(20 180 120) skewX(10)'/>";

const WORDS: &str =
    "<text x='10' y='60' font-family='DejaVu Sans' font-size='40' font-weight='bold' fill='#036'>Blue mügs</text>";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_drawn_as_librsvg_draws_it() {
    let world = world().await;
    let view_box = "viewBox='0 0 240 160'";
    let picture = |side: &str| {
        let data = data_url(&png(64, 7));
        svg(side, &format!("<image href='{data}' x='10' y='10' width='80' height='80'/>"))
    };
    let cases: [(&str, String, (u32, u32)); 8] = [
        ("pixels.svg", svg("width='240' height='160'", LABEL), (240, 160)),
        ("scaled.svg", svg(&format!("width='480px' height='320px' {view_box}"), LABEL), (480, 320)),
        // As large as its viewBox, a pixel a unit.
        ("viewbox.svg", svg(view_box, LABEL), (240, 160)),
        // An inch has 96 pixels, and 25.4 millimetres.
        ("inches.svg", svg(&format!("width='3in' height='2in' {view_box}"), LABEL), (288, 192)),
        ("millimetres.svg", svg(&format!("width='127mm' height='50.8mm' {view_box}"), LABEL), (480, 192)),
        // The ratio gives the other side.
        ("width.svg", svg(&format!("width='120' {view_box}"), LABEL), (120, 80)),
        ("words.svg", svg("width='300' height='100'", WORDS), (300, 100)),
        ("embedded.svg", picture("width='100' height='100'"), (100, 100)),
    ];
    for (name, content, _) in &cases {
        world.put(&format!("in/{name}"), content.as_bytes());
    }
    let done = upload(&world).await;
    assert_eq!((done.counters.success, done.counters.warning), (8, 0), "{}", done.text());
    for (name, _, expected) in &cases {
        let ours = pyramid(&world, name.trim_end_matches(".svg")).await;
        assert_eq!(size(&ours), *expected, "{name}");
        let theirs = theirs(&world, &format!("in/{name}"), &[]);
        let difference = mean_delta_e(&ours, &theirs);
        assert!(difference < 1.0, "{name}: {difference}");
    }
    let rows =
        world.query("SELECT DISTINCT asset_type, width > 0, json_text(info, 'format'), strpos(info, '\"hasAlpha\":true') > 0 FROM asset").await;
    assert_eq!(rows, [[json!("Svg"), json!(1), json!("SVG"), json!(1)]]);
}

fn data_url(picture: &[u8]) -> String {
    embedded("image/png", picture)
}

fn embedded(called: &str, picture: &[u8]) -> String {
    use base64::Engine;
    format!("data:{called};base64,{}", base64::engine::general_purpose::STANDARD.encode(picture))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_drawn_is_told() {
    let world = world().await;
    let image =
        |called: &str, picture: &[u8]| format!("<image href='{}' width='60' height='60'/>", embedded(called, picture));
    let (whole_jpeg, whole_png) = (jpeg(64, 1), png(64, 2));
    // A pixel.
    let head: [u32; 8] = [0x003a_4d42, 0, 0x0036_0000, 0x0028_0000, 0x0001_0000, 0x0001_0000, 0x0001_0000, 0x18];
    let bitmap: Vec<u8> = head.into_iter().flat_map(u32::to_le_bytes).chain([0; 26]).collect();
    let torn_png = {
        let mut torn = whole_png.clone();
        let middle = torn.len() / 2;
        torn[middle] ^= 0xff;
        torn
    };
    let nested = svg("width='9' height='9'", "<foreignObject/><image href='cup.png'/>");
    let used = |called: &str| format!("<g id='g'>{}</g><use href='#g'/><use href='#g'/>", image(called, &whole_jpeg));
    let cases: [(&str, String, &[&str]); 21] = [
        ("bitmap", image("image/bmp", &bitmap), &["embedded pictures of the kind BMP are not drawn"]),
        (
            "avif",
            image("image/avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf"),
            &["embedded pictures of the kind AVIF are not drawn"],
        ),
        ("tiff", image("image/tiff", b"II*\0\x08\0\0\0\0\0"), &["embedded pictures of the kind TIFF are not drawn"]),
        (
            "unknown",
            image("image/x-own", &[7; 99]),
            &["an embedded file of 99 bytes, called image/x-own, is no picture"],
        ),
        ("cut-jpeg", image("image/jpeg", &whole_jpeg[..whole_jpeg.len() * 9 / 10]), &["an embedded JPEG: "]),
        ("cut-png", image("image/png", &whole_png[..whole_png.len() / 2]), &["an embedded PNG: "]),
        ("torn-png", image("image/png", &torn_png), &["an embedded PNG: "]),
        ("base64", "<image href='data:image/png;base64,iVBOR'/>".to_owned(), &["an embedded picture is no base64"]),
        (
            "html",
            "<foreignObject width='9' height='9'><p xmlns='http://www.w3.org/1999/xhtml'>x</p></foreignObject>"
                .to_owned(),
            &["<foreignObject> is not drawn"],
        ),
        (
            "use-outside",
            "<use href='icons.svg#cup'/>".to_owned(),
            &["<use> refers to something outside of the file: icons.svg#cup"],
        ),
        ("use-gone", "<use href='#gone'/>".to_owned(), &["<use> refers to #gone, which is not there"]),
        (
            "paint",
            "<rect width='9' height='9' fill='url(#gone)'/>".to_owned(),
            &["fill of <rect> refers to #gone, which is not there"],
        ),
        (
            "signs",
            "<text y='20' font-family='DejaVu Sans'>a\u{f0000}b\u{f0001}</text>".to_owned(),
            &["no font that is installed has the characters U+F0000, U+F0001 of its text"],
        ),
        (
            "variables",
            "<style>svg { --c: red }</style><rect width='9' height='9' fill='var(--c)'/>".to_owned(),
            &["it has CSS variables, var(…), which are not looked up"],
        ),
        ("path", "<path d='M 1 1 L 30 30 L 5 nothing'/>".to_owned(), &["Error during path parsing"]),
        (
            "media",
            "<style>@media print { rect { fill: red } }</style>".to_owned(),
            &["The @media rule is not supported"],
        ),
        (
            "animated",
            "<rect width='9' height='9'><animate attributeName='x' to='9'/></rect>".to_owned(),
            &["it is drawn without its animations"],
        ),
        (
            "nested",
            image("image/svg+xml", nested.as_bytes()),
            &["it refers to pictures outside of the file", "<foreignObject> is not drawn"],
        ),
        (
            "many",
            (0..30).map(|n| format!("<use href='#gone{n}'/>")).collect(),
            &["#gone0,", "#gone19,", "10 more things of it are not drawn"],
        ),
        // What is called something else is drawn by what it is, and looked at once, however often it is used.
        ("named", used("image/jpeg"), &[]),
        ("called", used("image/png"), &[]),
    ];
    for (name, content, _) in &cases {
        world.put(&format!("in/{name}.svg"), svg("width='64' height='64'", content).as_bytes());
    }
    let done = upload(&world).await;
    let log = done.text();
    assert_eq!((done.counters.success, done.counters.error), (cases.len() as i64, 0), "{log}");
    for (name, _, expected) in &cases {
        let start = format!("UploadWarning: {name}.svg: ");
        let lines: Vec<&str> = log.lines().filter_map(|line| line.strip_prefix(&start)).collect();
        for what in *expected {
            assert!(lines.iter().any(|line| line.contains(what)), "{name}: {what}\n{log}");
        }
        let count = if *name == "many" { 21 } else { expected.len() };
        // A picture that cannot be decoded is told by whoever draws it as well.
        let twice = lines.iter().filter(|line| line.contains("Failed to decode")).count();
        assert_eq!(lines.len() - twice, count, "{name}\n{log}");
    }
    assert!(mean_delta_e(&pyramid(&world, "named").await, &theirs(&world, "in/named.svg", &[])) < 2.0);
    assert_eq!(read(pyramid(&world, "called").await), read(pyramid(&world, "named").await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_leaves_free_is_transparent() {
    let world = world().await;
    let content = svg("width='64' height='64'", "<rect width='32' height='64' fill='#0000ff' fill-opacity='.5'/>");
    world.put("in/half.svg", content.as_bytes());
    upload(&world).await;
    let (ours, out) = (pyramid(&world, "half").await, world.folder.path().join("half.png"));
    tool("vips", &["copy", text(&ours), text(&out)]);
    let pixels = image::open(out).unwrap().to_rgba8();
    let (drawn, free) = (*pixels.get_pixel(10, 32), *pixels.get_pixel(54, 32));
    let is_near = |one: u8, other: u8| one.abs_diff(other) <= 2;
    assert!(drawn.0.iter().zip([0, 0, 255, 128]).all(|(one, other)| is_near(*one, other)), "{drawn:?}");
    assert_eq!(free.0[3], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_and_otherwise_encoded_files_are_read() {
    let world = world().await;
    let plain = svg("width='240' height='160'", LABEL);
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    world.put("in/plain.svg", plain.as_bytes());
    world.put("in/packed.svgz", &gzip(&plain));
    let wide: Vec<u8> = "\u{feff}".encode_utf16().chain(plain.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    world.put("in/wide.svg", &wide);
    let mut latin = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n".to_vec();
    latin.extend(svg("width='300' height='100'", WORDS).chars().map(|sign| sign as u8));
    world.put("in/latin.svg", &latin);
    let done = upload(&world).await;
    assert_eq!((done.counters.success, done.counters.warning), (4, 0), "{}", done.text());
    let expected = read(pyramid(&world, "plain").await);
    for same in ["packed", "wide"] {
        assert_eq!(read(pyramid(&world, same).await), expected, "{same}");
    }
    let difference = mean_delta_e(&pyramid(&world, "latin").await, &theirs(&world, "in/latin.svg", &[]));
    assert!(difference < 1.0, "{difference}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_icons_are_drawn_as_librsvg_draws_them() {
    const ICONS: &str = "/usr/share/icons/Tango/scalable/apps";
    let world = world().await;
    let entries = std::fs::read_dir(ICONS)
        .unwrap_or_else(|error| panic!("{ICONS}: {error}: install the Debian package tango-icon-theme"));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.retain(|path| !path.is_symlink());
    files.sort();
    files.truncate(24);
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    for path in &files {
        world.put(&format!("in/{}.svg", name(path)), &read(path));
    }
    let done = upload(&world).await;
    assert_eq!(done.counters.success, files.len() as i64, "{}", done.text());
    let mut sum = 0.0;
    for path in &files {
        let ours = pyramid(&world, &name(path)).await;
        let difference = mean_delta_e(&ours, &theirs(&world, &format!("in/{}.svg", name(path)), &[]));
        assert!(difference < 4.0, "{}: {difference}", path.display());
        sum += difference;
    }
    let mean = sum / files.len() as f64;
    assert!(mean < 1.0, "{mean}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_published_exported_and_processed_again() {
    let world = world().await;
    world.put("in/label.svg", svg("width='240' height='160'", LABEL).as_bytes());
    upload(&world).await;
    let before = read(pyramid(&world, "label").await);

    let publish = json!({ "publishType": "Full", "emailSetting": "None" });
    world.run(JobKind::ImageServingPublish, publish).await.succeeded();
    assert_eq!(world.published_names(), ["content/label.svg", "label.tif"]);
    assert_eq!(read(world.published().join("label.tif")), before);
    assert_eq!(read(world.published().join("content/label.svg")), read(world.ingest("in/label.svg")));

    let handle = format!("a|{}", world.query("SELECT id FROM asset").await[0][0]);
    let again = json!({ "assetHandleArray": [handle], "createMask": false, "emailSetting": "None" });
    world.run(JobKind::ReprocessAssets, again).await.succeeded();
    assert_eq!(read(pyramid(&world, "label").await), before);
    let cropped = json!({
        "assetHandleArray": [handle], "createMask": true, "emailSetting": "None",
        "manualCropOptions": { "left": 20, "right": 20, "top": 10, "bottom": 10 },
    });
    world.run(JobKind::ReprocessAssets, cropped).await.succeeded();
    assert_eq!(size(&pyramid(&world, "label").await), (200, 140));
    assert!(derived(&world, "label", "Mask").await.is_some());

    let convert = json!({
        "assetHandleArray": [handle], "fmt": "convert", "is_modifier": "wid=100&fmt=png", "emailSetting": "None",
    });
    let done = world.run(JobKind::Export, convert).await.succeeded();
    let line = done.of_type("ExportJobRenderFileSuccess");
    assert_eq!(line.len(), 1, "{}", done.text());
    let archives: Vec<PathBuf> = walk(&world.settings.export_root);
    let out = world.folder.path().join("unpacked");
    tool("unzip", &["-q", text(&archives[0]), "-d", text(&out)]);
    assert_eq!(size(&out.join("label.png")), (100, 70));
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_optimization_finds_without_a_pyramid_gets_one() {
    let world = world().await;
    world.put("in/label.svg", svg("width='240' height='160'", LABEL).as_bytes());
    upload(&world).await;
    let before = read(pyramid(&world, "label").await);
    world.execute("DELETE FROM derived").await;
    world.run(JobKind::OptimizeImages, json!({ "emailSetting": "None" })).await.succeeded();
    assert_eq!(read(pyramid(&world, "label").await), before);
}

/// A red square over what is loaded, if it is.
fn with_square(content: &str) -> String {
    svg("width='64' height='64'", &format!("{content}<rect width='20' height='20' fill='red'/>"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_outside_of_the_file_is_loaded() {
    let world = world().await;
    let secret = world.folder.path().join("secret.png");
    std::fs::write(&secret, png(64, 3)).unwrap();
    let (path, address) = (text(&secret).to_owned(), "http://127.0.0.1:9/secret.png");
    let images = format!(
        "<image href='{path}' width='64' height='64'/><image href='file://{path}' width='64' height='64'/>\
         <image xlink:href='{address}' width='64' height='64'/>"
    );
    world.put("in/images.svg", with_square(&images).as_bytes());
    let nested = format!("<svg xmlns='http://www.w3.org/2000/svg' width='64' height='64'><image href='{path}'/></svg>");
    let nested = nested.replace('<', "%3C").replace('>', "%3E").replace('\'', "%27");
    let nested = format!("<image href=\"data:image/svg+xml,{nested}\" width='64' height='64'/>");
    world.put("in/nested.svg", with_square(&nested).as_bytes());
    world.put("in/plain.svg", with_square("").as_bytes());
    let use_outside = format!("<use href='{path}#a'/><style>@import url('{address}'); rect {{ fill: red }}</style>");
    world.put("in/style.svg", with_square(&use_outside).as_bytes());
    let entity = with_square("<desc>&secret;</desc>");
    let entity = format!("<!DOCTYPE svg [ <!ENTITY secret SYSTEM 'file:///etc/hostname'> ]>{entity}");
    world.put("in/entity.svg", entity.as_bytes());
    let done = upload(&world).await;
    let log = done.text();
    assert!(log.contains("images.svg: it refers to pictures outside of the file, which were left out"), "{log}");
    let expected = read(pyramid(&world, "plain").await);
    for same in ["images", "nested", "style"] {
        assert_eq!(read(pyramid(&world, same).await), expected, "{same}");
    }
    assert!(log.contains("entity.svg could not be processed"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_cost_their_own_lines() {
    let world = world().await;
    let doubled = |name: &str, of: &str| format!("<g id='{name}'>{}</g>", format!("<use href='#{of}'/>").repeat(10));
    let laughs: String = (1..9).map(|n| doubled(&format!("l{n}"), &format!("l{}", n - 1))).collect();
    let entities: String = (1..9).map(|n| format!("<!ENTITY e{n} '{}'>", format!("&e{};", n - 1).repeat(10))).collect();
    let groups =
        |depth| svg("width='64' height='64'", &format!("{}{}", "<g opacity='.9'>".repeat(depth), "</g>".repeat(depth)));
    let region = "<filter id='f' x='-1e9' y='-1e9' width='2e9' height='2e9'><feGaussianBlur stdDeviation='9999'/></filter>\
                  <rect width='9' height='9' filter='url(#f)'/>";
    let zip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(b"<svg xmlns='http://www.w3.org/2000/svg'>").unwrap();
        for _ in 0..512 {
            encoder.write_all(&[b' '; 1 << 20]).unwrap();
        }
        encoder.finish().unwrap()
    };
    let cases: [(&str, Vec<u8>, &str); 10] = [
        (
            "laughs.svg",
            svg("width='64' height='64'", &format!("<rect id='l0' width='9' height='9'/>{laughs}<use href='#l8'/>"))
                .into(),
            "nodes limit",
        ),
        (
            "entities.svg",
            format!("<!DOCTYPE svg [<!ENTITY e0 'ha'>{entities}]>{}", svg("width='9' height='9'", "<desc>&e8;</desc>"))
                .into(),
            "damaged",
        ),
        ("deep.svg", groups(100_000).into(), "damaged"),
        ("wide.svg", svg("width='1e9' height='1e9'", "").into(), "pixels"),
        ("large.svg", svg("width='20000' height='20000'", "").into(), "memory"),
        ("zip.svgz", zip, "it has more than"),
        ("cut.svg", svg("width='9' height='9'", LABEL)[..400].into(), "damaged"),
        ("nothing.svg", svg("width='0' height='9'", LABEL).into(), "it has no size"),
        ("negative.svg", svg("width='-5' height='9'", LABEL).into(), "it has no size"),
        ("text.svg", b"<svg this is none".to_vec(), "damaged"),
    ];
    for (name, content, _) in &cases {
        world.put(&format!("in/{name}"), content);
    }
    // These are strange, but can be drawn.
    world.put("in/region.svg", svg("width='64' height='64'", region).as_bytes());
    world.put("in/nested.svg", groups(900).as_bytes());
    let done = upload(&world).await;
    let log = done.text();
    for (name, _, why) in &cases {
        let line = log.lines().find(|line| line.contains(&format!("{name} could not be processed: ")));
        assert!(line.is_some_and(|line| line.contains(why)), "{name}: {why}\n{log}");
    }
    assert_eq!((done.counters.success, done.counters.error), (2, cases.len() as i64), "{log}");
    nothing_is_left_in(&world.settings.scratch);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_font_that_is_not_there_is_replaced_and_told() {
    let world = world().await;
    let words = |family: &str| WORDS.replace("DejaVu Sans", family);
    world.put("in/own.svg", svg("width='300' height='100'", &words("Acme Grotesk")).as_bytes());
    world.put("in/generic.svg", svg("width='300' height='100'", &words("serif")).as_bytes());
    let done = upload(&world).await;
    let log = done.text();
    assert!(log.contains("own.svg: a font that it names is not installed, and its text was set in another"), "{log}");
    assert_eq!(done.counters.warning, 1, "{log}");
    for name in ["own", "generic"] {
        // Something is written there.
        let darkest: f64 = tool("vips", &["min", text(&pyramid(&world, name).await)]).parse().unwrap();
        assert!(darkest < 128.0, "{name}: {darkest}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drawing_that_takes_too_long_is_ended() {
    let world = World::with(|settings| settings.media.page_time = "1 s".parse().unwrap()).await;
    // Hours of noise.
    let noise = "<rect width='1000' height='1000' filter='url(#f)'/>".repeat(500);
    let slow = format!("<filter id='f'><feTurbulence baseFrequency='.1' numOctaves='9'/></filter>{noise}");
    world.put("in/slow.svg", svg("width='1000' height='1000'", &slow).as_bytes());
    let done = upload(&world).await;
    assert!(done.text().contains("slow.svg could not be processed: resvg took longer than 1 s"), "{}", done.text());
    nothing_is_left_in(&world.settings.scratch);
}
