//! Every kind of file goes through all that is done with files: it is uploaded, published and exported, and what comes of it is compared
//! with what other tools make of the same file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use prepress::model::kind::JobKind;
use serde_json::{Value, json};

use crate::likeness::{Fit, derived, differences, sizes, text, tool};
use crate::world::{World, directory, read};

/// The size of every picture here, and of the tiles of pyramids, so that these have four levels.
const SIZE: (u32, u32) = (301, 203);
const TILE: u32 = 64;
const LEVELS: [u32; 4] = [301, 150, 75, 37];
/// The size of what is exported.
const EXPORTED: (u32, u32) = (100, 67);

const HEAD: &str =
    "<svg xmlns='http://www.w3.org/2000/svg' width='WIDTH' height='HEIGHT' viewBox='0 0 301 203'><defs>
    <linearGradient id='sky' x2='1' y2='1'><stop stop-color='#1a5a2a'/><stop offset='1' stop-color='#f4d9a0'/></linearGradient>
    <radialGradient id='sun'><stop stop-color='#fff2c0'/><stop offset='1' stop-color='#c02040'/></radialGradient></defs>";
const SKY: &str = "<rect width='301' height='203' fill='url(#sky)'/>";
const SHAPES: &str = "<circle cx='90' cy='90' r='55' fill='url(#sun)'/>
    <rect x='170' y='60' width='90' height='90' rx='12' fill='#2050c0' fill-opacity='.8'/>
    <path d='M20 180 C 60 120, 160 200, 280 150' fill='none' stroke='#222' stroke-width='5'/></svg>";

/// A kind of file. Commands are those of a shell, in a folder that has the scene as `scene.svg`, `scene.png`, `scene.tif`, `points.svg` (a
/// pixel is a point), and with nothing behind its shapes as `glass.svg` and `glass.png`.
struct Kind {
    file: &'static str,
    made_by: &'static str,
    /// A command whose words show that the file is what it is called, and the words.
    shown_by: (&'static str, &'static str),
    /// What draws it as `FILE.png`. Without it, ImageMagick reads the file itself.
    drawn_by: Option<&'static str>,
    /// Most by which the pyramid may differ from that, as mean ΔE (CIEDE2000).
    tolerance: f64,
}

/// What JPEG tiles of the quality 95 lose of flat shapes with sharp edges is half a ΔE in the mean.
const PLAIN: f64 = 1.0;

const fn kind(file: &'static str, made_by: &'static str, shown_by: (&'static str, &'static str)) -> Kind {
    Kind { file, made_by, shown_by, drawn_by: None, tolerance: PLAIN }
}

impl Kind {
    const fn drawn_by(self, command: &'static str) -> Self {
        Self { drawn_by: Some(command), ..self }
    }

    const fn within(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    fn stem(&self) -> &'static str {
        self.file.split('.').next().unwrap()
    }

    fn is_document(&self) -> bool {
        ["pdf", "eps", "ps", "ai"].iter().any(|ending| self.file.ends_with(&format!(".{ending}")))
    }

    /// The asset that is a picture of it: itself, or its page.
    fn picture(&self) -> String {
        if self.is_document() { format!("{}-1", self.stem()) } else { self.stem().to_owned() }
    }

    /// What ImageMagick reads as another tool's picture of it.
    fn theirs(&self, folder: &Path) -> String {
        let file = if self.drawn_by.is_some() { format!("{}.png", self.file) } else { self.file.to_owned() };
        format!("{}[0]", text(&folder.join(file)))
    }
}

/// Colours of CMYK come from one profile by two colour engines (Little CMS in vips, moxcms here).
const INKS: f64 = 1.5;
/// What is scattered in pixels comes out a little otherwise of each way to make a picture smaller.
const DITHERED: f64 = 1.5;
const CMYK: &str = "/usr/share/color/icc/ghostscript/default_cmyk.icc";

#[rustfmt::skip]
const KINDS: &[Kind] = &[
    kind("jpeg-gray.jpg", "vips colourspace scene.png 'jpeg-gray.jpg[Q=95]' b-w", ("exiftool -ColorComponents jpeg-gray.jpg", ": 1")),
    kind("jpeg-rgb.jpg", "vips copy scene.png 'jpeg-rgb.jpg[Q=95]'", ("exiftool -EncodingProcess jpeg-rgb.jpg", "Baseline")),
    kind("jpeg-plain-rgb.jpg", "convert scene.png -set colorspace sRGB -define jpeg:colorspace=RGB -sampling-factor 1x1 -quality 95 jpeg-plain-rgb.jpg", ("identify jpeg-plain-rgb.jpg", "JPEG")),
    kind("jpeg-progressive.jpg", "vips copy scene.png 'jpeg-progressive.jpg[Q=95,interlace]'", ("exiftool -EncodingProcess jpeg-progressive.jpg", "Progressive")),
    kind("jpeg-422.jpg", "convert scene.png -sampling-factor 2x1 -quality 95 jpeg-422.jpg", ("exiftool -YCbCrSubSampling jpeg-422.jpg", "(2 1)")),
    kind("jpeg-411.jpg", "convert scene.png -sampling-factor 4x1 -quality 95 jpeg-411.jpg", ("exiftool -YCbCrSubSampling jpeg-411.jpg", "(4 1)")),
    kind("jpeg-440.jpg", "convert scene.png -sampling-factor 1x2 -quality 95 jpeg-440.jpg", ("exiftool -YCbCrSubSampling jpeg-440.jpg", "(1 2)")),
    kind("jpeg-cmyk.jpg", "vips icc_transform scene.png 'jpeg-cmyk.jpg[Q=95]' $CMYK --input-profile srgb", ("exiftool -ColorTransform jpeg-cmyk.jpg", "RGB or CMYK"))
        .drawn_by("vips icc_transform jpeg-cmyk.jpg jpeg-cmyk.jpg.png srgb --embedded --black-point-compensation").within(INKS),
    kind("jpeg-ycck.jpg", "convert scene.png -profile $RGB -profile $CMYK -quality 95 jpeg-ycck.jpg", ("exiftool -ColorTransform jpeg-ycck.jpg", "YCCK"))
        .drawn_by("vips icc_transform jpeg-ycck.jpg jpeg-ycck.jpg.png srgb --embedded --black-point-compensation").within(INKS),
    kind("png-rgb.png", "vips copy scene.png png-rgb.png", ("identify png-rgb.png", "8-bit sRGB")),
    kind("png-16.png", "convert scene.png -depth 16 PNG48:png-16.png", ("identify png-16.png", "16-bit sRGB")),
    kind("png-gray-16.png", "convert scene.png -colorspace Gray -depth 16 -define png:bit-depth=16 png-gray-16.png", ("identify png-gray-16.png", "16-bit Gray")),
    kind("png-bitmap.png", "convert scene.png -colorspace Gray -ordered-dither o8x8 -define png:bit-depth=1 -define png:color-type=0 png-bitmap.png", ("exiftool -BitDepth png-bitmap.png", ": 1")),
    kind("png-palette.png", "convert glass.png -colors 60 PNG8:png-palette.png", ("exiftool -ColorType -Transparency png-palette.png", "Palette")),
    kind("png-gray-alpha.png", "convert glass.png -colorspace Gray -define png:color-type=4 -define png:bit-depth=8 png-gray-alpha.png", ("exiftool -ColorType png-gray-alpha.png", "Grayscale with Alpha")),
    kind("png-rgba.png", "cp glass.png png-rgba.png", ("exiftool -ColorType png-rgba.png", "RGB with Alpha")),
    kind("png-interlaced.png", "vips copy scene.png 'png-interlaced.png[interlace]'", ("exiftool -Interlace png-interlaced.png", "Adam7")),
    kind("png-interlaced-palette.png", "convert glass.png -colors 60 -interlace PNG PNG8:png-interlaced-palette.png", ("exiftool -Interlace png-interlaced-palette.png", "Adam7")),
    kind("tiff-strips.tif", "vips copy scene.png 'tiff-strips.tif[compression=none]'", ("tiffinfo tiff-strips.tif", "Rows/Strip")),
    kind("tiff-tiles.tif", "vips copy scene.png 'tiff-tiles.tif[tile,tile-width=64,tile-height=64]'", ("tiffinfo tiff-tiles.tif", "Tile Width: 64")),
    kind("tiff-lzw.tif", "vips copy scene.png 'tiff-lzw.tif[compression=lzw]'", ("tiffinfo tiff-lzw.tif", "LZW")),
    kind("tiff-deflate.tif", "vips copy scene.png 'tiff-deflate.tif[compression=deflate]'", ("tiffinfo tiff-deflate.tif", "AdobeDeflate")),
    kind("tiff-packbits.tif", "vips copy scene.png 'tiff-packbits.tif[compression=packbits]'", ("tiffinfo tiff-packbits.tif", "PackBits")),
    kind("tiff-jpeg.tif", "vips copy scene.png 'tiff-jpeg.tif[compression=jpeg,Q=95]'", ("tiffinfo tiff-jpeg.tif", "Compression Scheme: JPEG")),
    kind("tiff-jpeg-tiles.tif", "vips copy scene.png 'tiff-jpeg-tiles.tif[compression=jpeg,Q=85,tile,tile-width=64,tile-height=64]'", ("tiffinfo tiff-jpeg-tiles.tif", "Interpretation: YCbCr")),
    kind("tiff-cmyk.tif", "vips icc_transform scene.png 'tiff-cmyk.tif[compression=lzw]' $CMYK --input-profile srgb", ("tiffinfo tiff-cmyk.tif", "separated"))
        .drawn_by("vips icc_transform tiff-cmyk.tif tiff-cmyk.tif.png srgb --embedded --black-point-compensation").within(INKS),
    kind("tiff-16.tif", "convert scene.png -depth 16 -compress none tiff-16.tif", ("tiffinfo tiff-16.tif", "Bits/Sample: 16")),
    kind("tiff-16-lzw.tif", "convert scene.png -depth 16 -compress none deep.tif; tiffcp -B -c lzw:2 deep.tif tiff-16-lzw.tif", ("head -c 2 tiff-16-lzw.tif", "MM")),
    kind("tiff-big.tif", "vips copy scene.png 'tiff-big.tif[bigtiff,compression=deflate]'", ("head -c 3 tiff-big.tif", "II+")),
    kind("tiff-planar.tif", "tiffcp -p separate scene.tif tiff-planar.tif", ("tiffinfo tiff-planar.tif", "separate image planes")),
    kind("tiff-planar-tiles.tif", "tiffcp -p separate -t -w 64 -l 64 -c zip scene.tif tiff-planar-tiles.tif", ("tiffinfo tiff-planar-tiles.tif", "separate image planes")),
    kind("tiff-palette.tif", "tiffmedian scene.tif tiff-palette.tif", ("tiffinfo tiff-palette.tif", "palette color")).within(DITHERED),
    kind("tiff-fax.tif", "convert scene.png -colorspace Gray -ordered-dither o8x8 -compress Group4 tiff-fax.tif", ("tiffinfo tiff-fax.tif", "CCITT Group 4")),
    kind("tiff-bitmap.tif", "convert scene.png -colorspace Gray -ordered-dither o8x8 -compress none -define tiff:rows-per-strip=16 -depth 1 tiff-bitmap.tif", ("tiffinfo tiff-bitmap.tif", "Bits/Sample: 1")),
    kind("tiff-white-is-zero.tif", "convert scene.png -colorspace Gray -depth 8 -define quantum:polarity=min-is-white tiff-white-is-zero.tif", ("tiffinfo tiff-white-is-zero.tif", "min-is-white")),
    kind("tiff-alpha.tif", "convert glass.png -compress zip tiff-alpha.tif", ("tiffinfo tiff-alpha.tif", "unassoc-alpha")),
    kind("tiff-premultiplied.tif", "convert glass.png -define tiff:alpha=associated tiff-premultiplied.tif", ("tiffinfo tiff-premultiplied.tif", "assoc-alpha")),
    kind("gif.gif", "convert scene.png gif.gif", ("identify gif.gif", "GIF")),
    kind("gif-transparent.gif", "convert glass.png gif-transparent.gif", ("exiftool -TransparentColor gif-transparent.gif", ":")),
    kind("gif-interlaced.gif", "convert scene.png -interlace GIF gif-interlaced.gif", ("identify -format %[interlace] gif-interlaced.gif", "GIF")),
    kind("bmp-24.bmp", "convert scene.png BMP3:bmp-24.bmp", ("exiftool -BitDepth bmp-24.bmp", ": 24")),
    kind("bmp-palette.bmp", "convert scene.png -colors 200 -type palette -compress none BMP3:bmp-palette.bmp", ("exiftool -BitDepth bmp-palette.bmp", ": 8")),
    kind("bmp-packed.bmp", "convert scene.png -colors 200 -type palette -compress RLE BMP3:bmp-packed.bmp", ("exiftool -Compression bmp-packed.bmp", "RLE")),
    kind("bmp-32.bmp", "convert glass.png BMP:bmp-32.bmp", ("exiftool -BitDepth bmp-32.bmp", ": 32")),
    kind("webp-lossy.webp", "vips copy scene.png 'webp-lossy.webp[Q=95]'", ("vipsheader -f bands webp-lossy.webp", "3")),
    kind("webp-lossless.webp", "vips copy glass.png 'webp-lossless.webp[lossless]'", ("vipsheader -f bands webp-lossless.webp", "4")),
    kind("webp-alpha.webp", "vips copy glass.png 'webp-alpha.webp[Q=95]'", ("vipsheader -f bands webp-alpha.webp", "4")),
    // Shapes are drawn, and their edges smoothed, by two programs.
    kind("drawing.svg", "cp glass.svg drawing.svg", ("head -c 4 drawing.svg", "<svg")).drawn_by("rsvg-convert drawing.svg -o drawing.svg.png"),
    kind("photoshop.psd", "convert scene.png -alpha off photoshop.psd", ("identify photoshop.psd[0]", "PSD")),
    // ImageMagick takes its own file to be laid on white, as Photoshop does it; it is not.
    kind("photoshop-alpha.psd", "convert glass.png photoshop-alpha.psd", ("identify photoshop-alpha.psd[0]", "PSD")).drawn_by("cp glass.png photoshop-alpha.psd.png"),
    kind("photoshop-cmyk.psd", "convert scene.png -profile $RGB -profile $CMYK -alpha off photoshop-cmyk.psd", ("identify photoshop-cmyk.psd[0]", "CMYK"))
        .drawn_by("convert 'photoshop-cmyk.psd[0]' merged.tif && vips icc_transform merged.tif photoshop-cmyk.psd.png srgb --embedded --black-point-compensation").within(INKS),
    kind("photoshop-large.psb", "convert scene.png -alpha off -depth 16 photoshop-large.psb", ("head -c 6 photoshop-large.psb | od -An -tx1", "00 02")),
    kind("heic.heic", "heif-enc -q 95 scene.png -o heic.heic", ("heif-info heic.heic", "heic")).drawn_by("heif-convert heic.heic heic.heic.png"),
    kind("avif.avif", "heif-enc -q 95 -b 12 scene.png -o avif.avif", ("heif-info avif.avif", "avif")).drawn_by("heif-convert avif.avif avif.avif.png"),
    kind("document.pdf", "rsvg-convert -f pdf points.svg -o document.pdf", ("pdfinfo document.pdf", "301 x 203 pts")).drawn_by("pdftoppm -r 72 -png -singlefile document.pdf document.pdf"),
    kind("illustration.ai", "rsvg-convert -f pdf points.svg -o illustration.ai", ("pdfinfo illustration.ai", "301 x 203 pts")).drawn_by("pdftoppm -r 72 -png -singlefile illustration.ai illustration.ai"),
    kind("encapsulated.eps", "rsvg-convert -f eps points.svg -o encapsulated.eps", ("head -n 12 encapsulated.eps", "BoundingBox: 0 0 301 203")).drawn_by("$GS -dEPSCrop -sOutputFile=encapsulated.eps.png encapsulated.eps"),
    kind("script.ps", "rsvg-convert -f ps points.svg -o script.ps", ("head -n 12 script.ps", "%!PS-Adobe-3.0")).drawn_by("$GS -dDEVICEWIDTHPOINTS=301 -dDEVICEHEIGHTPOINTS=203 -sOutputFile=script.ps.png script.ps"),
];

fn shell(folder: &Path, command: &str) -> String {
    let output = Command::new("sh")
        .args(["-ec", command])
        .current_dir(folder)
        .env("CMYK", CMYK)
        .env("RGB", "/usr/share/color/icc/ghostscript/default_rgb.icc")
        .env("GS", "gs -dSAFER -dBATCH -dNOPAUSE -q -dTextAlphaBits=4 -dGraphicsAlphaBits=4 -r72 -sDEVICE=png16m")
        .output()
        .unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Makes every file, and what other tools draw of it.
fn make(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let write = |name: &str, unit: &str, shapes: &[&str]| {
        let head = HEAD.replace("WIDTH", &format!("301{unit}")).replace("HEIGHT", &format!("203{unit}"));
        std::fs::write(folder.join(name), [&[head.as_str()], shapes].concat().concat()).unwrap();
    };
    write("scene.svg", "", &[SKY, SHAPES]);
    write("points.svg", "pt", &[SKY, SHAPES]);
    write("glass.svg", "", &[SHAPES]);
    shell(
        folder,
        "rsvg-convert scene.svg -o drawn.png; convert drawn.png -alpha off -strip PNG24:scene.png; vips copy scene.png scene.tif
         rsvg-convert glass.svg -o glass.png",
    );
    let waiting = Mutex::new(KINDS.iter());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(kind) = waiting.lock().unwrap().next() else { break };
                    shell(folder, kind.made_by);
                    let (command, words) = kind.shown_by;
                    let said = shell(folder, command);
                    assert!(said.contains(words), "{command}: {words} is not in: {said}");
                    kind.drawn_by.iter().for_each(|command| drop(shell(folder, command)));
                }
            });
        }
    });
}

/// What differs more than it may: of each kind, which of the differences is how large.
fn too_far(means: &[f64], what: &str, allowed: impl Fn(&Kind) -> f64) -> Vec<String> {
    let pairs = KINDS.iter().zip(means);
    pairs
        .filter(|(kind, mean)| **mean > allowed(kind))
        .map(|(kind, mean)| format!("{what} of {}: ΔE {mean:.2}, allowed {:.1}", kind.file, allowed(kind)))
        .collect()
}

/// Widths of the levels of a pyramid; each is tiled.
fn levels(pyramid: &Path) -> Vec<u32> {
    let said = tool("tiffinfo", &[text(pyramid)]);
    let levels: Vec<u32> = said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Image Width: ")?.split(' ').next()?.parse().ok())
        .collect();
    assert_eq!(said.matches(&format!("Tile Width: {TILE} Tile Length: {TILE}")).count(), levels.len(), "{said}");
    levels
}

/// The archive of the last export, unpacked by an independent tool that found nothing wrong with it.
fn unpacked(world: &World, name: &str) -> BTreeMap<String, PathBuf> {
    let runs = std::fs::read_dir(&world.settings.export_root).unwrap().map(|entry| entry.unwrap().path());
    let last = runs.max_by_key(|path| path.file_name().unwrap().to_str().unwrap().parse::<u64>().unwrap()).unwrap();
    let archive = std::fs::read_dir(last).unwrap().map(|entry| entry.unwrap().path()).next().unwrap();
    assert!(tool("unzip", &["-t", text(&archive)]).contains("No errors detected"));
    let folder = world.folder.path().join(name);
    tool("unzip", &["-q", text(&archive), "-d", text(&folder)]);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_file_is_uploaded_published_and_exported() {
    let world = World::with(|settings| {
        settings.media.jpeg_quality = 95;
        settings.media.tile = TILE;
    })
    .await;
    let folder = world.folder.path().join("corpus");
    make(&folder);
    for kind in KINDS {
        world.put(&format!("in/{}", kind.file), &read(folder.join(kind.file)));
    }
    let mut order = directory("in");
    let pages = json!({ "process": "Rasterize", "resolution": 72 });
    for options in ["pdfOptions", "postScriptOptions", "illustratorOptions"] {
        order[options] = pages.clone();
    }
    order["pdfOptions"]["pdfCatalog"] = json!(false);
    let done = world.run(JobKind::UploadDirectory, order).await.succeeded();
    let documents = KINDS.iter().filter(|kind| kind.is_document()).count();
    assert_eq!(done.counters.error, 0, "{}", done.text());
    for line in done.of_type("UploadWarning") {
        // What pyramids have no room for is told: inks, and more than eight bits.
        let is_expected = ["cmyk", "ycck", "16", "large"].iter().any(|kind| line.params.to_string().contains(kind));
        assert!(is_expected, "{}", done.text());
    }
    assert_eq!(done.counters.success, (KINDS.len() + documents) as i64, "{}", done.text());

    let theirs: Vec<String> = KINDS.iter().map(|kind| kind.theirs(&folder)).collect();
    let mut pyramids = Vec::new();
    for kind in KINDS {
        pyramids.push(derived(&world, &kind.picture(), "Pyramid").await.unwrap_or_else(|| panic!("{}", kind.file)));
    }
    let ours: Vec<String> = pyramids.iter().map(|path| format!("{}[0]", text(path))).collect();
    for (kind, (ours, theirs)) in KINDS.iter().zip(sizes(&ours).into_iter().zip(sizes(&theirs))) {
        assert_eq!((ours, theirs), (SIZE, SIZE), "{}", kind.file);
    }
    let mut faults = too_far(&differences(&ours, &theirs, SIZE, Fit::Crop), "the pyramid", |kind| kind.tolerance);

    let publish = json!({ "publishType": "Full", "emailSetting": "None" });
    world.run(JobKind::ImageServingPublish, publish).await.succeeded();
    for (kind, pyramid) in KINDS.iter().zip(&pyramids) {
        let published = world.published().join(format!("{}.tif", kind.picture()));
        assert!(read(&published) == read(pyramid), "{}: another file was published", kind.file);
        assert_eq!(levels(&published), LEVELS, "{}", kind.file);
    }

    let assets = world.query("SELECT id, name, part FROM asset").await;
    let handles = |wanted: &dyn Fn(&[Value]) -> bool| -> Vec<String> {
        assets.iter().filter(|row| wanted(row)).map(|row| format!("a|{}", row[0])).collect()
    };
    let masters = handles(&|row| row[2].is_null());
    let originals = json!({ "assetHandleArray": masters, "fmt": "orig", "emailSetting": "None" });
    world.run(JobKind::Export, originals).await.succeeded();
    let files = unpacked(&world, "originals");
    assert_eq!(files.len(), KINDS.len());
    for kind in KINDS {
        assert!(read(&files[kind.file]) == read(folder.join(kind.file)), "{} went out changed", kind.file);
    }

    let pictures = handles(&|row| KINDS.iter().any(|kind| row[1] == kind.picture()));
    // What is lost beside what the pyramid has lost: by two ways to make a picture smaller, by JPEG, by 256 colours.
    for (format, ending, lost) in [
        ("png", "png", 0.5),
        ("jpeg&qlt=95,1", "jpg", 1.0),
        ("tif", "tif", 0.5),
        ("webp,,lossless", "webp", 0.5),
        ("webp&qlt=95,1", "webp", 1.0),
        ("gif", "gif", 3.0),
    ] {
        let modifier = format!("wid={}&fmt={format}", EXPORTED.0);
        let order = json!({
            "assetHandleArray": pictures, "fmt": "convert", "is_modifier": modifier, "emailSetting": "None",
        });
        let done = world.run(JobKind::Export, order).await.succeeded();
        assert_eq!((done.counters.error, done.counters.warning), (0, 0), "{}", done.text());
        let files = unpacked(&world, format);
        let exported = |kind: &Kind| text(&files[&format!("{}.{ending}", kind.picture())]).to_owned();
        let ours: Vec<String> = KINDS.iter().map(exported).collect();
        assert!(sizes(&ours).iter().all(|size| *size == EXPORTED), "{format}: {:?}", sizes(&ours));
        let means = differences(&ours, &theirs, EXPORTED, Fit::Resize);
        faults.extend(too_far(&means, format, |kind| kind.tolerance + lost));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
