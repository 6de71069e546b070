//! Files that people and their programs have made, from Debian packages, beside what other tools make of them.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};

use prepress::model::kind::JobKind;
use serde_json::{Value, json};

use crate::likeness::{Fit, differences, pyramid, sizes, text, tool};
use crate::metadata::fields;
use crate::world::{World, directory, jpeg, read};

const GO: &str = "/usr/share/gocode/src";

/// The files of a package in a folder, by the ends of their names.
fn files(package: &str, folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{folder}: {error}: install the Debian package {package}, with its documents"));
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| endings.iter().any(|ending| text(path).ends_with(ending)) && path.is_file());
    assert!(!found.is_empty(), "{folder} has no {endings:?}: install the Debian package {package}, with its documents");
    found.sort();
    found
}

fn file(package: &str, path: &str) -> PathBuf {
    assert!(Path::new(path).exists(), "{path} is missing: install the Debian package {package}, with its documents");
    path.into()
}

/// Puts files into the company's folder, unpacked, and says which asset each becomes: several may have one name.
fn put(world: &World, files: Vec<PathBuf>) -> Vec<(String, PathBuf)> {
    let named = |(number, path): (usize, PathBuf)| {
        let (packed, mut bytes) = (read(&path), Vec::new());
        let path = match text(&path).strip_suffix(".gz") {
            None => {
                bytes = packed;
                path
            }
            Some(unpacked) => {
                flate2::read::GzDecoder::new(&*packed).read_to_end(&mut bytes).unwrap();
                unpacked.into()
            }
        };
        let name = format!("{number:03}-{}", path.file_stem().unwrap().to_str().unwrap().replace('.', "-"));
        let file = format!("in/{name}.{}", path.extension().unwrap().to_str().unwrap());
        world.put(&file, &bytes);
        (name, world.ingest(&file))
    };
    files.into_iter().enumerate().map(named).collect()
}

async fn world() -> World {
    World::with(|settings| settings.media.jpeg_quality = 95).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_are_what_imagemagick_reads_of_them() {
    let world = world().await;
    let all = ["jpg", "jpeg", "png", "tiff", "tif", "gif", "bmp", "webp"];
    let goexif = "golang-github-rwcarlsen-goexif-dev";
    let sources = [
        files("golang-golang-x-image-dev", &format!("{GO}/golang.org/x/image/testdata"), &all),
        files(
            "golang-github-disintegration-imaging-dev",
            &format!("{GO}/github.com/disintegration/imaging/testdata"),
            &all,
        ),
        files("golang-github-jung-kurt-gofpdf-dev", &format!("{GO}/github.com/jung-kurt/gofpdf/image"), &all),
        files("graphviz-doc", "/usr/share/doc/graphviz/html/info", &["0.gif", "le.gif", "ed.gif"]),
        files(goexif, &format!("{GO}/github.com/rwcarlsen/goexif/exif/samples"), &["-exif.jpg"]),
        vec![file(goexif, &format!("{GO}/github.com/rwcarlsen/goexif/exif/sample1.jpg"))],
    ];
    let files = put(&world, sources.concat());
    let done = world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    assert_eq!((done.counters.success, done.counters.error), (files.len() as i64, 0), "{}", done.text());
    let mut of_size: BTreeMap<(u32, u32), Vec<(String, String)>> = BTreeMap::new();
    let mut ours = Vec::new();
    for (asset, _) in &files {
        ours.push(format!("{}[0]", text(&pyramid(&world, asset).await)));
    }
    // Of this BMP, ImageMagick takes for alpha what the format says nothing about: it lies beside what it was made of.
    let their = |(name, path): &(String, PathBuf)| match name.ends_with("yellow_rose-small")
        && path.ends_with(format!("{name}.bmp"))
    {
        true => format!("{GO}/golang.org/x/image/testdata/yellow_rose-small.png"),
        false => format!("{}[0]", text(path)),
    };
    let theirs: Vec<String> = files.iter().map(their).collect();
    let (our_sizes, their_sizes) = (sizes(&ours), sizes(&theirs));
    for (at, (ours, theirs)) in ours.into_iter().zip(theirs).enumerate() {
        assert_eq!(our_sizes[at], their_sizes[at], "{theirs}");
        of_size.entry(our_sizes[at]).or_default().push((ours, theirs));
    }
    let (mut sum, mut faults) = (0.0, Vec::new());
    for (size, pairs) in of_size {
        let (ours, theirs): (Vec<String>, Vec<String>) = pairs.into_iter().unzip();
        for (difference, theirs) in differences(&ours, &theirs, size, Fit::Crop).into_iter().zip(theirs) {
            sum += difference;
            // What JPEG of the quality 95 makes of letters of one pixel, and of dithered bitmaps.
            if difference > 3.0 {
                faults.push(format!("{theirs}: ΔE {difference:.2}"));
            }
        }
    }
    let mean = sum / files.len() as f64;
    assert!(faults.is_empty() && mean < 1.0, "mean ΔE {mean:.2}\n{}", faults.join("\n"));
}

/// A JPEG with the EXIF block of another one: the collection of cameras has many files of a block and no picture.
fn with_exif_of(path: &Path) -> Option<Vec<u8>> {
    let camera = read(path);
    let (mut at, picture) = (2, jpeg(24, 1));
    while let [0xff, marker, high, low, ..] = *camera.get(at..)? {
        let segment = camera.get(at..at + 2 + usize::from(u16::from_be_bytes([high, low])))?;
        if marker == 0xe1 && segment[4..].starts_with(b"Exif\0") {
            return Some([&picture[..2], segment, &picture[2..]].concat());
        }
        at += segment.len();
    }
    None
}

/// A number as XMP writes it: a fraction, or `59,19.95N` for a place.
fn number(value: &str) -> Option<f64> {
    if let Some((over, under)) = value.split_once('/') {
        return Some(over.parse::<f64>().ok()? / under.parse::<f64>().ok()?);
    }
    if let Some((degrees, minutes)) = value.split_once(',') {
        let (minutes, letter) = minutes.split_at_checked(minutes.len() - 1)?;
        let place = degrees.parse::<f64>().ok()? + minutes.parse::<f64>().ok()? / 60.0;
        return Some(if ["S", "W"].contains(&letter) { -place } else { place });
    }
    value.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cameras_write_down_is_what_exiftool_reads() {
    let world = world().await;
    let package = "golang-github-rwcarlsen-goexif-dev";
    let cameras = files(package, &format!("{GO}/github.com/rwcarlsen/goexif/exif/samples"), &[".jpg"]);
    let mut names = Vec::new();
    for (number, path) in cameras.iter().enumerate() {
        // Its place is written as text, which EXIF does not allow.
        if path.ends_with("geodegrees_as_string.jpg") {
            continue;
        }
        let Some(picture) = with_exif_of(path) else { continue };
        let name = format!("camera{number:02}");
        world.put(&format!("in/{name}.jpg"), &picture);
        names.push(name);
    }
    assert!(names.len() > 40, "{} of {} files have an EXIF block", names.len(), cameras.len());
    let done = world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    assert_eq!((done.counters.success, done.counters.error), (names.len() as i64, 0), "{}", done.text());
    let said = tool("exiftool", &["-json", "-n", "-G1", "-q", "-m", text(&world.ingest("in"))]);
    let all: Vec<Value> = serde_json::from_str(&said).unwrap();
    let theirs: HashMap<String, &Value> = all
        .iter()
        .map(|one| {
            (Path::new(one["SourceFile"].as_str().unwrap()).file_stem().unwrap().to_str().unwrap().to_owned(), one)
        })
        .collect();
    let mut compared: BTreeMap<&str, usize> = BTreeMap::new();
    let mut faults = Vec::new();
    for name in &names {
        let (ours, theirs) = (fields(&world, name).await, theirs[name]);
        for (field, tag) in [
            ("tiff.Make", "IFD0:Make"),
            ("tiff.Model", "IFD0:Model"),
            ("tiff.Orientation", "IFD0:Orientation"),
            ("xmp.CreatorTool", "IFD0:Software"),
            ("xmp.ModifyDate", "IFD0:ModifyDate"),
            ("exif.DateTimeOriginal", "ExifIFD:DateTimeOriginal"),
            ("xmp.CreateDate", "ExifIFD:CreateDate"),
            ("exif.ExposureTime", "ExifIFD:ExposureTime"),
            ("exif.FNumber", "ExifIFD:FNumber"),
            ("exif.ISOSpeedRatings", "ExifIFD:ISO"),
            ("exif.FocalLength", "ExifIFD:FocalLength"),
            ("exif.MeteringMode", "ExifIFD:MeteringMode"),
            ("exif.ExposureBiasValue", "ExifIFD:ExposureCompensation"),
            ("exif.GPSLatitude", "Composite:GPSLatitude"),
            ("exif.GPSLongitude", "Composite:GPSLongitude"),
        ] {
            let theirs = match &theirs[tag] {
                Value::Null => None,
                Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
                other => Some(other.to_string()),
            };
            // A date that is not known, and a fraction of nothing, are no values.
            let theirs = theirs.filter(|text| {
                !text.starts_with("0000:") && !text.starts_with("    :") && text != "undef" && text != "inf"
            });
            let ours = ours.get(field).map(|values| values.join(" "));
            let is_same = match (&ours, &theirs) {
                (None, None) => continue,
                (Some(ours), Some(theirs)) => {
                    let date = ours.replacen('-', ":", 2).replacen('T', " ", 1);
                    let numbers = number(ours).zip(theirs.parse::<f64>().ok());
                    let are_near =
                        numbers.is_some_and(|(one, other)| (one - other).abs() <= 1e-4 * other.abs().max(1.0));
                    ours == theirs || &date == theirs || are_near
                }
                _ => false,
            };
            if is_same {
                *compared.entry(field).or_default() += 1;
            } else {
                faults.push(format!("{name} {field}: {ours:?}, exiftool: {theirs:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(
        compared.len() == 15 && compared["tiff.Make"] > 40 && compared["exif.DateTimeOriginal"] > 40,
        "{compared:?}"
    );
}

/// A document, and the words of its programs.
struct Document {
    path: PathBuf,
    made_by: &'static str,
}

fn documents() -> Vec<Document> {
    let document = |package, made_by, path: String| Document { path: file(package, &path), made_by };
    let graphviz = |made_by, name| document("graphviz-doc", made_by, format!("/usr/share/doc/graphviz/pdf/{name}"));
    let cups = |made_by, name| document("cups-filters", made_by, format!("/usr/share/cups/data/{name}.pdf"));
    let fpdf = |name| {
        let path = format!("{GO}/github.com/jung-kurt/gofpdf/pdf/Fpdf_{name}.pdf");
        document("golang-github-jung-kurt-gofpdf-dev", "FPDF", path)
    };
    let word = "/usr/share/doc/libimage-exiftool-perl/html/MIE1.1-20070121.pdf".to_owned();
    vec![
        document("libimage-exiftool-perl", "Quartz", word),
        graphviz("Acrobat Distiller", "dottyguide.pdf.gz"),
        graphviz("pdfTeX-1.10b", "neatoguide.pdf.gz"),
        graphviz("GPL Ghostscript", "prune.pdf.gz"),
        cups("LibreOffice", "form_english"),
        cups("LibreOffice", "form_russian"),
        cups("cairo", "default-testpage"),
        fpdf("AddLayer"),
        fpdf("AddSpotColor"),
        fpdf("Beziergon"),
        fpdf("CellFormat_codepageescape"),
        fpdf("CellFormat_tables"),
        fpdf("ClipText"),
        fpdf("CreateTemplate"),
        fpdf("Image"),
        fpdf("LinearGradient_gradient"),
        fpdf("PageBox"),
        fpdf("PageSize"),
        fpdf("RegisterImage"),
        fpdf("RotateText"),
        fpdf("SVGBasicWrite"),
        fpdf("SetAlpha_transparency"),
        fpdf("SetLeftMargin_multicolumn"),
        fpdf("SetLineJoinStyle_caps"),
        fpdf("TextRenderingMode"),
        fpdf("TransformBegin"),
    ]
}

const RESOLUTION: u32 = 50;

/// The pages of a document, by another tool: files in a folder, in order.
fn drawn(world: &World, asset: &str, tool_and_options: &[&str], source: &Path) -> Vec<String> {
    let folder = world.folder.path().join(format!("drawn-{asset}"));
    std::fs::create_dir(&folder).unwrap();
    let [name, options @ ..] = tool_and_options else { unreachable!() };
    let mut arguments = options.to_vec();
    let (out, pages) = (folder.join("page"), format!("-sOutputFile={}/page-%03d.png", folder.display()));
    match *name {
        "gs" => arguments.extend([&pages, text(source)]),
        _ => arguments.extend([text(source), text(&out)]),
    }
    tool(name, &arguments);
    let mut pages: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| text(&entry.unwrap().path()).to_owned()).collect();
    pages.sort();
    pages
}

/// How far our pages are from theirs, which come in the same number and size.
async fn page_differences(world: &World, asset: &str, theirs: &[String]) -> Vec<f64> {
    let mut means = Vec::new();
    let mut ours = Vec::new();
    for page in 1..=theirs.len() {
        ours.push(format!("{}[0]", text(&pyramid(world, &format!("{asset}-{page}")).await)));
    }
    let (our_sizes, their_sizes) = (sizes(&ours), sizes(theirs));
    for (ours, theirs) in our_sizes.iter().zip(&their_sizes) {
        // A page that ends within a pixel is rounded in one way or the other.
        assert!(ours.0.abs_diff(theirs.0) <= 1 && ours.1.abs_diff(theirs.1) <= 1, "{asset}: {ours:?} {theirs:?}");
    }
    let mut next = 0;
    while next < ours.len() {
        let size = our_sizes[next];
        let end = next + our_sizes[next..].iter().take_while(|one| **one == size).count();
        means.extend(differences(&ours[next..end], &theirs[next..end], size, Fit::Crop));
        next = end;
    }
    means
}

fn order(block: &str) -> Value {
    let mut order = directory("in");
    order[block] =
        json!({ "process": "Rasterize", "resolution": RESOLUTION, "extractSearchWords": true, "colorspace": "Rgb" });
    order
}

async fn pages_of(world: &World, asset: &str) -> usize {
    let rows = world.query("SELECT p.name, a.part FROM asset a JOIN asset p ON p.id = a.parent_id").await;
    rows.iter().filter(|row| row[0] == asset && row[1].as_str().unwrap().starts_with("page:")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_have_the_pages_and_words_that_poppler_finds() {
    let world = world().await;
    let documents = documents();
    let files = put(&world, documents.iter().map(|document| document.path.clone()).collect());
    let done = world.run(JobKind::UploadDirectory, order("pdfOptions")).await.succeeded();
    let log = done.text();
    assert_eq!((done.counters.error, done.counters.warning), (0, 0), "{log}");
    // Letters of five pixels are smoothed by two programs: a page full of them is up to 5 ΔE away, one with a usual amount 2.
    let (mut faults, mut all_means, mut all_words) = (Vec::new(), Vec::new(), (0, 0));
    for (document, (asset, path)) in documents.iter().zip(&files) {
        let said = tool("pdfinfo", &[text(path)]);
        assert!(said.contains(document.made_by), "{}: {said}", path.display());
        let resolution = RESOLUTION.to_string();
        let theirs = drawn(&world, asset, &["pdftoppm", "-cropbox", "-r", &resolution, "-png"], path);
        assert_eq!(pages_of(&world, asset).await, theirs.len(), "{}", path.display());
        let means = page_differences(&world, asset, &theirs).await;
        for (page, mean) in means.iter().enumerate().filter(|(_, mean)| **mean > 5.0) {
            faults.push(format!("page {} of {}: ΔE {mean:.2}", page + 1, path.display()));
        }
        all_means.extend(means);
        let (found, of) = words(&world, asset, path).await;
        // What is turned or mirrored, or written letter by letter, poppler puts together in another way; and it reads what
        // stands outside of the page.
        let is_usual = !["Transform", "SetAlpha", "PageBox"].iter().any(|kind| asset.contains(kind));
        if is_usual && found * 100 < of * 95 {
            faults.push(format!("{}: {found} of {of} words", path.display()));
        }
        all_words = (all_words.0 + found, all_words.1 + of);
    }
    let mean = all_means.iter().sum::<f64>() / all_means.len() as f64;
    assert!(faults.is_empty() && mean < 1.5, "mean ΔE {mean:.2}, {all_words:?} words\n{}", faults.join("\n"));
}

/// How many of the words that pdftotext reads were found, and how many it reads.
async fn words(world: &World, asset: &str, path: &Path) -> (usize, usize) {
    let rows = world
        .query("SELECT p.name, w.word FROM page_word w JOIN asset a ON a.id = w.asset_id JOIN asset p ON p.id = a.parent_id")
        .await;
    let mut ours: HashMap<&str, usize> = HashMap::new();
    for row in rows.iter().filter(|row| row[0] == asset) {
        *ours.entry(row[1].as_str().unwrap()).or_default() += 1;
    }
    let theirs = tool("pdftotext", &[text(path), "-"]);
    let found = theirs.split_whitespace().filter(|word| match ours.get_mut(word) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        _ => false,
    });
    (found.count(), theirs.split_whitespace().count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn post_script_is_what_ghostscript_draws() {
    let world = world().await;
    let mut examples = files("pstoedit", "/usr/share/doc/pstoedit/examples", &[".ps", ".eps"]);
    // What does not begin as PostScript is text.
    examples.retain(|path| read(path).starts_with(b"%!"));
    // Without showpage, Ghostscript draws nothing; the drawing becomes a page here all the same.
    examples.retain(|path| String::from_utf8_lossy(&read(path)).contains("showpage"));
    let files = put(&world, examples);
    let done = world.run(JobKind::UploadDirectory, order("postScriptOptions")).await.succeeded();
    assert_eq!((done.counters.error, done.counters.warning), (0, 0), "{}", done.text());
    let mut faults = Vec::new();
    for (asset, path) in &files {
        let resolution = format!("-r{RESOLUTION}");
        let options =
            ["-dSAFER", "-dBATCH", "-dNOPAUSE", "-q", "-dEPSCrop", "-dTextAlphaBits=4", "-dGraphicsAlphaBits=4"];
        let theirs = drawn(&world, asset, &[&["gs"], &options[..], &[&resolution, "-sDEVICE=png16m"]].concat(), path);
        assert_eq!(pages_of(&world, asset).await, theirs.len(), "{}", path.display());
        let means = page_differences(&world, asset, &theirs).await;
        faults.extend(means.iter().filter(|mean| **mean > 3.0).map(|mean| format!("{}: ΔE {mean:.2}", path.display())));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
