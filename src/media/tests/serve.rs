//! Views of pyramids against what vips and ImageMagick make of the same pixels.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use super::super::serve::{BadProfile, Renderer, View};
use super::super::*;
use super::support::*;
use crate::serving::resolve;

/// Resampling from a level of the pyramid instead of from all pixels, and rounding, move a sample by less in the mean.
const RESAMPLED: f64 = 1.5;

/// Two decoders of the same JPEG tiles.
const SAME_PIXELS: f64 = 0.6;

/// Pyramids and what is made of them.
pub(super) struct Bench {
    pub shop: Workshop,
    pyramid: PathBuf,
    /// The pyramid's first page, as vips reads it.
    page: PathBuf,
    count: Cell<u32>,
}

impl Bench {
    /// On a sample of the catalogue.
    pub fn with(ending: &str, side: u32) -> Self {
        let shop = Workshop::new();
        let source = shop.sample(ending, side);
        Self::of(shop, &source)
    }

    fn of(shop: Workshop, source: &Path) -> Self {
        let (made, _) = shop.optimize(source, &Options { quality: 95, ..Options::default() }).unwrap();
        let page = shop.file("page.v");
        run("vips", &["copy", &made.page(0), path(&page)]);
        Self { shop, pyramid: made.pyramid, page, count: Cell::new(0) }
    }

    pub fn name(&self, extension: &str) -> String {
        self.count.set(self.count.get() + 1);
        format!("{}.{extension}", self.count.get())
    }

    fn size(&self) -> (u32, u32) {
        let pixels = self.shop.pixels(path(&self.page));
        (pixels.width as u32, pixels.height as u32)
    }

    pub fn try_view(&self, commands: &str, limits: &Limits) -> Result<View, MediaError> {
        let resolved = resolve(commands, None, &|_| None).unwrap_or_else(|bad| panic!("{commands}: {bad}"));
        assert_eq!(resolved.ignored, [], "{commands}");
        Renderer::new(resolved.commands, None, Blacks::default()).unwrap().render(&self.pyramid, limits, &never)
    }

    /// The file that the commands make.
    pub fn view(&self, commands: &str) -> PathBuf {
        let view = self.try_view(commands, &Limits::default()).unwrap_or_else(|error| panic!("{commands}: {error}"));
        let resolved = resolve(commands, None, &|_| None).unwrap();
        let file = self.shop.file(&self.name(resolved.commands.fmt.format.extension()));
        std::fs::write(&file, &view.bytes).unwrap();
        let seen = run("vipsheader", &[path(&file)]);
        let size = format!(": {}x{} ", view.width, view.height);
        assert!(seen.contains(&size), "{commands}: {size}is said, but it is {seen}");
        file
    }

    fn view_size(&self, commands: &str) -> (u32, u32) {
        let view = self.try_view(commands, &Limits::default()).unwrap_or_else(|error| panic!("{commands}: {error}"));
        (view.width, view.height)
    }

    /// The page after some operations of vips, each with its arguments behind the two files.
    fn reference(&self, operations: &[&[&str]]) -> PathBuf {
        let mut file = self.page.clone();
        for operation in operations {
            file = self.shop.vips(operation[0], &file, &self.name("v"), &operation[1..]);
        }
        file
    }

    /// The page in a file that other programs read.
    fn page_as(&self, name: &str) -> PathBuf {
        self.shop.vips("copy", &self.page, name, &[])
    }

    fn magick(&self, source: &Path, arguments: &[&str]) -> PathBuf {
        let target = self.shop.file(&self.name("png"));
        run("convert", &[&[path(source)], arguments, &[&format!("png:{}", path(&target))]].concat());
        target
    }

    #[track_caller]
    fn same(&self, commands: &str, reference: &Path, tolerance: f64) {
        self.alike(&self.view(commands), reference, tolerance, commands);
    }

    #[track_caller]
    pub fn alike(&self, seen: &Path, reference: &Path, tolerance: f64, what: &str) {
        let (seen, expected) = (self.shop.pixels(path(seen)), self.shop.pixels(path(reference)));
        assert_eq!(seen.size(), expected.size(), "{what}");
        let error = seen.mean_error(&expected);
        assert!(error < tolerance, "{what}: mean error {error}");
    }

    pub fn error_between(&self, one: &Path, other: &Path) -> f64 {
        self.shop.pixels(path(one)).mean_error(&self.shop.pixels(path(other)))
    }
}

fn header(file: &Path, field: &str) -> String {
    run("vipsheader", &["-f", field, path(file)]).trim().to_owned()
}

fn identified(file: &Path, format: &str) -> String {
    run("identify", &["-format", format, &format!("{}[0]", path(file))])
}

#[test]
fn the_size_follows_from_the_commands() {
    let bench = Bench::with("Ångström.jpg", 800);
    assert_eq!(bench.size(), (600, 800));
    for (commands, size) in [
        ("", (600, 800)),
        ("scl=1", (600, 800)),
        ("scl=2", (300, 400)),
        ("scl=0.5", (1200, 1600)),
        ("scl=3", (200, 267)),
        ("scl=2&wid=100", (100, 400)),
        ("scl=2&wid=400&hei=100", (400, 100)),
        ("wid=150", (150, 200)),
        ("hei=150", (113, 150)),
        ("wid=1200", (1200, 1600)),
        ("wid=200&hei=200", (200, 200)),
        ("wid=200&hei=200&fit=fit", (200, 200)),
        ("wid=200&hei=200&fit=constrain", (150, 200)),
        ("wid=200&hei=200&fit=crop", (200, 200)),
        ("wid=200&hei=200&fit=wrap", (200, 267)),
        ("wid=200&hei=200&fit=stretch", (200, 200)),
        ("wid=200&hei=200&fit=hfit", (200, 200)),
        ("wid=200&hei=200&fit=vfit", (200, 200)),
        ("wid=1200&hei=1200&fit=constrain", (600, 800)),
        ("wid=1200&hei=1200&fit=constrain,1", (900, 1200)),
        ("wid=1200&fit=constrain,0", (600, 800)),
        ("crop=10,20,300,100", (300, 100)),
        ("crop=-50,-50,700,900", (700, 900)),
        ("cropN=0.25,0.25,0.5,0.1", (300, 80)),
        ("crop=0,0,300,100&wid=150", (150, 50)),
        ("rotate=90", (800, 600)),
        ("rotate=180", (600, 800)),
        ("rotate=-90&wid=400", (400, 300)),
        ("rotate=45", (990, 990)),
        ("rotate=30&crop=0,0,100,100", (137, 137)),
        ("rotate=45&wid=99", (99, 99)),
        ("rgn=100,200,300,100", (300, 100)),
        ("rgn=100,200,300,100&wid=150", (150, 50)),
        ("crop=100,100,200,300&flip=lr&rotate=90&rgn=10,10,100,50&wid=50", (50, 25)),
        ("wid=1", (1, 1)),
        ("fmt=gif&wid=5", (5, 7)),
    ] {
        assert_eq!(bench.view_size(commands), size, "{commands}");
    }
}

#[test]
fn scaling_looks_as_with_vips() {
    let bench = Bench::with("Ångström.jpg", 800);
    bench.same("fmt=png&icc=DisplayP3", &bench.page, SAME_PIXELS);
    // 150 of 600 is a level of its own, 137 and 450 are between levels, 1000 is an enlargement.
    for (width, scale) in [(150, 0.25), (137, 137.0 / 600.0), (450, 0.75), (1000, 1000.0 / 600.0)] {
        for (mode, kernel) in [("bilin", "linear"), ("bicub", "cubic"), ("sharp2", "lanczos3")] {
            let reference = bench.reference(&[&["resize", &f64::to_string(&scale), "--kernel", kernel]]);
            bench.same(&format!("wid={width}&fmt=png&icc=DisplayP3&resMode={mode}"), &reference, RESAMPLED);
        }
    }
}

#[test]
fn modes_of_resampling_differ_in_sharpness() {
    let bench = Bench::with("Ångström.jpg", 800);
    let views =
        ["bilin", "bicub", "sharp2", "bisharp"].map(|mode| bench.view(&format!("wid=360&fmt=png&resMode={mode}")));
    let contrast = |file: &Path| {
        let edges = bench.shop.vips("sobel", file, &bench.name("v"), &[]);
        run("vips", &["avg", path(&edges)]).trim().parse::<f64>().unwrap()
    };
    let [bilin, bicub, sharp2, bisharp] = views.each_ref().map(|file| contrast(file));
    assert!(bilin < bicub && bicub < sharp2 && bicub < bisharp, "{bilin} {bicub} {sharp2} {bisharp}");
}

#[test]
fn cut_and_turned_as_with_vips() {
    let bench = Bench::with("Ångström.jpg", 800);
    let same = |commands: &str, operations: &[&[&str]], tolerance: f64| {
        bench.same(&format!("{commands}&fmt=png&icc=DisplayP3"), &bench.reference(operations), tolerance);
    };
    same("crop=100,50,300,200", &[&["extract_area", "100", "50", "300", "200"]], SAME_PIXELS);
    same("cropN=0.5,0.25,0.25,0.5", &[&["extract_area", "300", "200", "150", "400"]], SAME_PIXELS);
    same("rgn=100,50,300,200", &[&["extract_area", "100", "50", "300", "200"]], SAME_PIXELS);
    same(
        "crop=100,50,300,200&wid=100",
        &[&["extract_area", "100", "50", "300", "200"], &["resize", "0.3333333333", "--kernel", "lanczos3"]],
        RESAMPLED,
    );
    let white = ["--extend", "background", "--background", "255 255 255"];
    same("crop=-30,-20,700,900", &[&[&["embed", "30", "20", "700", "900"][..], &white].concat()], SAME_PIXELS);
    same("flip=lr", &[&["flip", "horizontal"]], SAME_PIXELS);
    same("flip=ud", &[&["flip", "vertical"]], SAME_PIXELS);
    same("flip=lrud", &[&["rot", "d180"]], SAME_PIXELS);
    same("rotate=90", &[&["rot", "d90"]], SAME_PIXELS);
    same("rotate=180", &[&["rot", "d180"]], SAME_PIXELS);
    same("rotate=-90", &[&["rot", "d270"]], SAME_PIXELS);
    for (flip, direction) in [("lr", "horizontal"), ("ud", "vertical")] {
        for (rotate, turn) in [(90, "d90"), (180, "d180"), (270, "d270")] {
            // The crop comes first, then the flip, then the turn.
            same(
                &format!("rotate={rotate}&flip={flip}&crop=40,60,320,200&wid=160"),
                &[
                    &["extract_area", "40", "60", "320", "200"],
                    &["flip", direction],
                    &["rot", turn],
                    &[
                        "resize",
                        &(160.0 / if rotate == 180 { 320.0 } else { 200.0 }).to_string(),
                        "--kernel",
                        "lanczos3",
                    ],
                ],
                RESAMPLED,
            );
        }
    }
    // A region is taken of what was turned.
    same("rotate=90&rgn=100,50,300,200", &[&["rot", "d90"], &["extract_area", "100", "50", "300", "200"]], SAME_PIXELS);
    // What surrounds the region shows where the view is larger; beyond the picture is background.
    same("rgn=250,300,100,200&scl=1&wid=300&hei=200", &[&["extract_area", "150", "300", "300", "200"]], SAME_PIXELS);
    same(
        "rgn=0,0,100,100&scl=1&wid=200&hei=100",
        &[&[&["embed", "50", "0", "200", "100"][..], &white].concat()],
        SAME_PIXELS,
    );
}

#[test]
fn any_angle_turns_clockwise_as_with_vips() {
    let bench = Bench::with("Ångström.jpg", 800);
    for (commands, angle) in [("rotate=30", "30"), ("rotate=-75", "-75"), ("rotate=300", "300")] {
        let seen = bench.view(&format!("{commands}&fmt=png&icc=DisplayP3&bgc=0,0,255"));
        let turned = bench.reference(&[&["similarity", "--angle", angle, "--background", "0 0 255"]]);
        // The bounding boxes may differ by a pixel that arithmetic leaves over: compare what lies in the middle.
        let middle = |file: &Path| {
            let whole = bench.shop.pixels(path(file));
            let (width, height) = (whole.width as f64, whole.height as f64);
            let (x, y) = (((width - 640.0) / 2.0) as i64, ((height - 640.0) / 2.0) as i64);
            bench.shop.vips("extract_area", file, &bench.name("v"), &[&x.to_string(), &y.to_string(), "640", "640"])
        };
        bench.alike(&middle(&seen), &middle(&turned), 2.5, commands);
    }
    let flipped = bench.view("rotate=30&flip=lr&fmt=png");
    let plain = bench.view("rotate=30&fmt=png");
    assert!(bench.error_between(&flipped, &plain) > 3.0);
    // Half the size, and a view of other proportions.
    let half = bench.view("rotate=30&fmt=png&scl=2&bgc=0,0,255");
    let whole = bench.view("rotate=30&fmt=png&bgc=0,0,255");
    let shrunk = bench.shop.vips("resize", &whole, &bench.name("v"), &["0.5"]);
    bench.alike(&half, &shrunk, 2.0, "half of what is askew");
}

#[test]
fn a_view_is_filled_fitted_and_aligned() {
    let bench = Bench::with("Ångström.jpg", 800);
    let small = |operations: &[&[&str]]| {
        let resize: &[&str] = &["resize", "0.25", "--kernel", "lanczos3"];
        bench.reference(&[&[resize], operations].concat())
    };
    let red = ["--extend", "background", "--background", "255 0 0"];
    for (align, x) in [("", "25"), ("&align=-1,0", "0"), ("&align=1,0", "50"), ("&align=0,1", "25")] {
        let reference = small(&[&[&["embed", x, "0", "200", "200"][..], &red].concat()]);
        bench.same(&format!("wid=200&hei=200&bgc=255,0,0&fmt=png&icc=DisplayP3{align}"), &reference, RESAMPLED);
    }
    let crop = bench
        .reference(&[&["resize", "0.3333333333", "--kernel", "lanczos3"], &["extract_area", "0", "33", "200", "200"]]);
    bench.same("wid=200&hei=200&fit=crop&fmt=png&icc=DisplayP3", &crop, RESAMPLED);
    bench.same("wid=200&hei=200&fit=hfit&fmt=png&icc=DisplayP3", &crop, RESAMPLED);
    let top = bench
        .reference(&[&["resize", "0.3333333333", "--kernel", "lanczos3"], &["extract_area", "0", "0", "200", "200"]]);
    bench.same("wid=200&hei=200&fit=crop&align=0,-1&fmt=png&icc=DisplayP3", &top, RESAMPLED);
    let stretched = bench.reference(&[&["resize", "0.3333333333", "--vscale", "0.25", "--kernel", "lanczos3"]]);
    bench.same("wid=200&hei=200&fit=stretch&fmt=png&icc=DisplayP3", &stretched, RESAMPLED);
    // Not enlarged: the picture lies in the middle.
    let kept = bench.reference(&[&[&["embed", "200", "100", "1000", "1000"][..], &red].concat()]);
    bench.same("wid=1000&hei=1000&fit=fit&bgc=255,0,0&fmt=png&icc=DisplayP3", &kept, SAME_PIXELS);
}

#[test]
fn alpha_is_kept_or_laid_on_a_background() {
    let bench = Bench::with("商品-001.png", 600);
    let alpha = bench.view("fmt=png-alpha&icc=sRGB");
    assert_eq!(header(&alpha, "bands"), "4");
    let (seen, page) = (bench.shop.pixels(path(&alpha)), bench.shop.pixels(path(&bench.page)));
    assert!(seen.visible().mean_error(&page.visible()) < 0.5, "without loss but for the profile");
    for (bgc, background) in [("", "255 255 255"), ("&bgc=0,128,255", "0 128 255"), ("&bgc=50g", "128 128 128")] {
        let flat = bench.reference(&[&["flatten", "--background", background]]);
        bench.same(&format!("fmt=png&icc=sRGB{bgc}"), &flat, 0.5);
    }
    let shrunk = bench.reference(&[&["premultiply"], &["resize", "0.25"], &["unpremultiply"], &["cast", "uchar"]]);
    let small = bench.view("fmt=png-alpha&scl=4&bgc=255,0,0");
    let (small, shrunk) = (bench.shop.pixels(path(&small)).visible(), bench.shop.pixels(path(&shrunk)).visible());
    assert!(small.mean_error(&shrunk) < RESAMPLED, "alpha weighs colours, and the background stays away");
    // What a turn uncovers is as transparent as the rest.
    let turned = bench.shop.pixels(path(&bench.view("fmt=png-alpha&rotate=45&wid=100")));
    assert_eq!(turned.bytes[..4], [0, 0, 0, 0]);
}

#[test]
fn an_opaque_picture_gets_alpha_where_a_view_shows_nothing_of_it() {
    let bench = Bench::with("Ångström.jpg", 400);
    let view = bench.shop.pixels(path(&bench.view("wid=100&hei=100&fmt=png-alpha")));
    assert_eq!((view.bands, view.bytes[3], view.bytes[50 * 4 + 3]), (4, 0, 255));
    let nothing = bench.shop.pixels(path(&bench.view("crop=5000,5000,10,10&fmt=png&bgc=1,2,3")));
    assert!(nothing.bytes.chunks_exact(3).all(|pixel| pixel == [1, 2, 3]), "all background");
}

#[test]
fn sharpening_is_that_of_other_programs() {
    let bench = Bench::with("Ångström.jpg", 400);
    let plain = bench.view("fmt=png");
    for (commands, unsharp) in
        [("op_usm=1.5,2", "0x2+1.5+0"), ("op_usm=0.5,0.8,0,0", "0x0.8+0.5+0"), ("op_usmR=1,12", "0x12+1+0")]
    {
        let reference = bench.magick(&plain, &["-unsharp", unsharp]);
        bench.same(&format!("{commands}&fmt=png"), &reference, 1.0);
    }
    let mask = bench.shop.file("mask.mat");
    std::fs::write(&mask, "3 3 8 0\n-1 -1 -1\n-1 16 -1\n-1 -1 -1\n").unwrap();
    let sharp = bench.shop.vips("conv", &plain, &bench.name("v"), &[path(&mask), "--precision", "float"]);
    let sharp = bench.shop.vips("cast", &sharp, &bench.name("v"), &["uchar"]);
    bench.same("op_sharpen=1&fmt=png", &sharp, 1.0);
    assert!(bench.error_between(&plain, &bench.view("op_sharpen=1&fmt=png")) > 0.3);
}

#[test]
fn the_parts_of_an_unsharp_mask_have_their_effects() {
    let bench = Bench::with("Ångström.jpg", 400);
    let distance = |commands: &str, base: &str| {
        bench.error_between(&bench.view(&format!("{base}&{commands}&fmt=png")), &bench.view(&format!("{base}&fmt=png")))
    };
    let all = distance("op_usm=2,3", "");
    assert!(distance("op_usm=1,3", "") < all, "amount");
    assert!(distance("op_usm=2,1", "") < all, "radius");
    assert!(distance("op_usm=2,3,20", "") < all * 0.9, "threshold");
    assert_eq!(distance("op_usm=2,3,255", ""), 0.0, "no difference is as large as that");
    // Meant for the full size, a radius shrinks with the view; the other one does not.
    assert!(distance("op_usm=2,3", "scl=4") < distance("op_usmR=2,3", "scl=4"), "scaled radius");
    // Brightness alone leaves colours beside each other as they are.
    let pixels = |commands: &str| bench.shop.pixels(path(&bench.view(&format!("{commands}&fmt=png"))));
    let (plain, bright) = (pixels("wid=100"), pixels("wid=100&op_usm=1,3,0,1"));
    let is_shifted = |(a, b): (&[u8], &[u8])| {
        let by = |at: usize| i32::from(b[at]) - i32::from(a[at]);
        b.iter().any(|sample| matches!(sample, 0 | 255)) || (by(0) - by(1)).abs() <= 1 && (by(1) - by(2)).abs() <= 1
    };
    assert!(plain.bytes.chunks_exact(3).zip(bright.bytes.chunks_exact(3)).all(is_shifted), "monochrome");
    // Alpha is sharpened too, and nothing dark creeps in from what is transparent.
    let cut_out = Bench::with("商品-001.png", 300);
    let (soft, sharp) = (cut_out.view("fmt=png-alpha"), cut_out.view("fmt=png-alpha&op_usm=2,2"));
    assert!(cut_out.error_between(&soft, &sharp) > 0.1);
}

#[test]
fn every_format_is_what_it_says() {
    let bench = Bench::with("Ångström.jpg", 400);
    let plain = bench.view("wid=200&fmt=png");
    for (fmt, loader, bands, tolerance) in [
        ("jpeg&qlt=95", "jpegload", 3, 2.5),
        ("jpg,rgb&qlt=95,1", "jpegload", 3, 2.0),
        ("pjpeg&qlt=95", "jpegload", 3, 2.5),
        ("png", "pngload", 3, 1e-9),
        ("tif", "tiffload", 3, 1e-9),
        ("tif,,none", "tiffload", 3, 1e-9),
        ("tif,,lzw", "tiffload", 3, 1e-9),
        ("tif,rgb,zip", "tiffload", 3, 1e-9),
        ("tif,,jpeg&qlt=95", "tiffload", 3, 2.5),
        ("webp,,lossless", "webpload", 3, 1e-9),
        ("webp&qlt=95", "webpload", 3, 3.0),
        ("gif", "gifload", 3, 4.0),
    ] {
        let file = bench.view(&format!("wid=200&fmt={fmt}"));
        assert_eq!(
            (header(&file, "vips-loader").as_str(), header(&file, "bands")),
            (loader, bands.to_string()),
            "{fmt}"
        );
        bench.alike(&file, &plain, tolerance, fmt);
        let kind = identified(&file, "%m");
        assert!(header(&file, "vips-loader").starts_with(&kind.to_lowercase()), "{fmt}: {kind}");
    }
    for (fmt, scheme) in [("tif", "None"), ("tif,,lzw", "LZW"), ("tif,,zip", "AdobeDeflate"), ("tif,,jpeg", "JPEG")] {
        let file = bench.view(&format!("wid=200&fmt={fmt}"));
        let info = run("tiffinfo", &["-D", path(&file)]);
        assert!(info.contains(&format!("Compression Scheme: {scheme}")), "{fmt}: {info}");
    }
}

#[test]
fn webp_has_loss_by_its_quality() {
    let bench = Bench::with("Ångström.jpg", 400);
    let plain = bench.view("wid=200&fmt=png");
    let [low, high, sharp, none] = ["webp&qlt=30", "webp&qlt=95", "webp&qlt=95,1", "webp,,lossless"].map(|fmt| {
        let file = bench.view(&format!("wid=200&fmt={fmt}"));
        (std::fs::metadata(&file).unwrap().len(), bench.error_between(&file, &plain))
    });
    assert!(low.0 < high.0 && high.0 < none.0, "{low:?} {high:?} {none:?}");
    assert!(low.1 > high.1 && high.1 > none.1, "{low:?} {high:?} {none:?}");
    assert!(sharp.1 < high.1, "{sharp:?} {high:?}");
}

#[test]
fn formats_with_alpha_keep_it() {
    let bench = Bench::with("商品-001.png", 300);
    let plain = bench.shop.pixels(path(&bench.view("fmt=png-alpha"))).visible();
    for (fmt, loader, tolerance) in [
        ("tif-alpha", "tiffload", 1e-9),
        ("tif-alpha,,lzw", "tiffload", 1e-9),
        ("tif-alpha,,zip", "tiffload", 1e-9),
        ("webp-alpha,,lossless", "webpload", 1e-9),
        ("webp-alpha&qlt=95", "webpload", 2.0),
    ] {
        let file = bench.view(&format!("fmt={fmt}"));
        assert_eq!(header(&file, "vips-loader"), loader);
        let error = bench.shop.pixels(path(&file)).visible().mean_error(&plain);
        assert!(error < tolerance, "{fmt}: {error}");
    }
    let gif = bench.shop.pixels(path(&bench.view("fmt=gif-alpha")));
    assert_eq!(gif.bands, 4);
    let wrong = gif
        .bytes
        .chunks_exact(4)
        .zip(plain.bytes.chunks_exact(4))
        .filter(|(gif, plain)| (gif[3] == 255) != (plain[3] >= 128));
    assert_eq!(wrong.count(), 0, "opaque where it shows more than half");
    let opaque = bench.view("fmt=gif");
    assert_eq!(identified(&opaque, "%[opaque]").to_lowercase(), "true");
}

#[test]
fn quality_and_chroma_are_those_asked_for() {
    let bench = Bench::with("Ångström.jpg", 400);
    for quality in [5, 40, 75, 90] {
        let file = bench.view(&format!("qlt={quality}"));
        assert_eq!(identified(&file, "%Q"), quality.to_string());
    }
    assert_eq!(identified(&bench.view(""), "%Q"), "85", "the default");
    assert_eq!(identified(&bench.view("qlt=80"), "%[jpeg:sampling-factor]"), "2x2,1x1,1x1");
    assert_eq!(identified(&bench.view("qlt=80,1"), "%[jpeg:sampling-factor]"), "1x1,1x1,1x1");
    assert_eq!(identified(&bench.view("fmt=jpeg"), "%[interlace]"), "None");
    assert_eq!(identified(&bench.view("fmt=pjpeg"), "%[interlace]"), "JPEG");
    let scans = |commands: &str| {
        let bytes = std::fs::read(bench.view(commands)).unwrap();
        bytes.windows(2).filter(|pair| *pair == [0xff, 0xda]).count()
    };
    let [three, four, five] = ["3", "4", "5"].map(|count| scans(&format!("fmt=pjpeg&pscan={count}")));
    assert!(three < four && four < five, "{three} {four} {five}");
    assert_eq!(scans("fmt=pjpeg&pscan=auto"), scans("fmt=pjpeg"));
    let size = |commands: &str| std::fs::metadata(bench.view(commands)).unwrap().len();
    assert!(size("fmt=tif,,jpeg&qlt=20") < size("fmt=tif,,jpeg&qlt=90"));
}

#[test]
fn pixel_types_are_gray_rgb_and_cmyk() {
    let bench = Bench::with("Ångström.jpg", 400);
    let plain = bench.view("wid=200&fmt=png");
    let gray = bench.magick(&plain, &["-grayscale", "Rec601Luma"]);
    for fmt in ["png,gray", "tif,gray,lzw", "jpeg,gray&qlt=100"] {
        let file = bench.view(&format!("wid=200&fmt={fmt}"));
        assert_eq!(header(&file, "bands"), "1", "{fmt}");
        bench.alike(&file, &gray, 1.5, fmt);
    }
    // Without a profile as ImageMagick does it: all gray as black.
    let notes = |commands: &str| bench.try_view(commands, &Limits::default()).unwrap().notes;
    assert_eq!(notes("wid=20&fmt=tif,cmyk"), [Note::InksByFormula]);
    assert_eq!((notes("wid=20&fmt=tif,gray"), notes("wid=20&fmt=tif,cmyk&req=mask")), (vec![], vec![]));
    for (fmt, tolerance) in [("tif,cmyk", 1.0), ("tif,cmyk,zip", 1.0), ("jpeg,cmyk&qlt=100,1", 2.5)] {
        let file = bench.view(&format!("wid=200&fmt={fmt}"));
        assert_eq!(identified(&file, "%[colorspace]"), "CMYK", "{fmt}");
        let back = bench.magick(&file, &["-colorspace", "sRGB"]);
        bench.alike(&back, &plain, tolerance, fmt);
    }
    let of_gray = Bench::with("Ελληνικά.jpg", 400);
    let file = of_gray.view("fmt=jpeg");
    assert_eq!(header(&file, "bands"), "3", "RGB unless asked for otherwise");
    assert_eq!(header(&of_gray.view("fmt=png,gray"), "bands"), "1");
}

#[test]
fn colours_go_through_profiles() {
    let bench = Bench::with("Ångström.jpg", 400);
    assert_eq!(bench.shop.pixels(path(&bench.page)).bands, 3);
    let srgb = bench.reference(&[&["icc_transform", "srgb", "--embedded", "--intent", "relative"]]);
    // Without a word about colours they are those of sRGB, and the file says nothing.
    let plain = bench.view("fmt=png");
    bench.alike(&plain, &srgb, 1.0, "sRGB");
    assert!(bench.error_between(&plain, &bench.page) > 0.8, "and not those of the source");
    assert!(!run("vipsheader", &["-a", path(&plain)]).contains("icc-profile-data"));
    for (fmt, profile) in
        [("png", "DisplayP3"), ("jpeg&qlt=100,1", "AdobeRGB"), ("tif", "ProPhoto%20RGB"), ("png", "sRGB")]
    {
        let file = bench.view(&format!("fmt={fmt}&icc={profile}&iccEmbed=1"));
        assert!(run("vipsheader", &["-a", path(&file)]).contains("icc-profile-data"), "{fmt} {profile}");
        let back =
            bench.shop.vips("icc_transform", &file, &bench.name("v"), &["srgb", "--embedded", "--intent", "relative"]);
        bench.alike(&back, &srgb, 2.0, profile);
        let silent = bench.view(&format!("fmt={fmt}&icc={profile}"));
        assert!(!run("vipsheader", &["-a", path(&silent)]).contains("icc-profile-data"), "{fmt} {profile}");
    }
    let embedded = bench.view("fmt=jpeg&iccEmbed=1");
    assert!(run("exiftool", &["-ICC_Profile:ProfileDescription", path(&embedded)]).contains("sRGB"));
    for fmt in ["webp", "webp-alpha", "webp,,lossless", "webp-alpha,,lossless"] {
        let file = bench.view(&format!("fmt={fmt}&iccEmbed=1"));
        assert!(run("exiftool", &["-ICC_Profile:ProfileDescription", path(&file)]).contains("sRGB"), "{fmt}");
        bench.alike(&file, &bench.view(&format!("fmt={fmt}")), 1e-9, fmt);
    }
}

#[test]
fn a_press_profile_makes_cmyk() {
    let bench = Bench::with("Ångström.jpg", 400);
    let press = bench.reference(&[&["icc_transform", "cmyk", "--embedded", "--intent", "relative", BLACKS]]);
    let tif = bench.shop.vips("copy", &press, "press.tif", &[]);
    let profile =
        std::process::Command::new("exiftool").args(["-b", "-ICC_Profile", path(&tif)]).output().unwrap().stdout;
    assert!(profile.len() > 100_000, "the profile that comes with vips");
    let view = |commands: &str| -> Result<PathBuf, BadProfile> {
        let commands = resolve(commands, None, &|_| None).unwrap().commands;
        let extension = commands.fmt.format.extension();
        let view = Renderer::new(commands, Some(&profile), Blacks::default())?
            .render(&bench.pyramid, &Limits::default(), &never)
            .unwrap();
        let file = bench.shop.file(&bench.name(extension));
        std::fs::write(&file, view.bytes).unwrap();
        Ok(file)
    };
    for fmt in ["tif", "tif,cmyk", "jpeg,,&qlt=100"] {
        let file = view(&format!("fmt={fmt}&icc=press&iccEmbed=1")).unwrap();
        assert_eq!(identified(&file, "%[colorspace]"), "CMYK", "{fmt}");
        let to_srgb = |file: &Path| {
            let args = ["srgb", "--embedded", "--intent", "relative", BLACKS];
            bench.shop.vips("icc_transform", file, &bench.name("v"), &args)
        };
        bench.alike(&to_srgb(&file), &to_srgb(&press), 3.0, fmt);
    }
    let [relative, perceptual] =
        ["relative", "perceptual"].map(|intent| view(&format!("fmt=tif&icc=press,{intent}")).unwrap());
    assert_ne!(std::fs::read(relative).unwrap(), std::fs::read(perceptual).unwrap(), "the intent has an effect");
    let mismatch = view("fmt=png&icc=press").unwrap_err();
    assert!(matches!(&mismatch, BadProfile::Mismatch { is: "cmyk", wanted: "rgb", .. }), "{mismatch}");
    assert!(matches!(view("fmt=tif,gray&icc=press"), Err(BadProfile::Mismatch { wanted: "gray", .. })));
    let commands = resolve("icc=broken", None, &|_| None).unwrap().commands;
    assert!(matches!(Renderer::new(commands, Some(b"no profile"), Blacks::default()), Err(BadProfile::Unreadable(_))));
}

/// How vips, which converts with LittleCMS, is told to bring blacks together.
const BLACKS: &str = "--black-point-compensation";

#[test]
fn intents_and_black_point_compensation_are_those_of_littlecms() {
    let bench = Bench::with("Ångström.jpg", 400);
    // In sRGB already, so that nothing but the press counts.
    let srgb = bench.reference(&[&["icc_transform", "srgb", "--embedded", "--intent", "relative"]]);
    let bench = Bench::of(Workshop::new(), &bench.shop.vips("copy", &srgb, "srgb.png[strip]", &[]));
    let profile =
        std::fs::read(PRESS).unwrap_or_else(|e| panic!("{PRESS}: {e}: install the Debian package libgs-common"));
    let inks = |commands: &str, blacks| {
        let commands = resolve(commands, None, &|_| None).unwrap().commands;
        let view = Renderer::new(commands, Some(&profile), blacks).unwrap();
        let file = bench.shop.file(&bench.name("tif"));
        std::fs::write(&file, view.render(&bench.pyramid, &Limits::default(), &never).unwrap().bytes).unwrap();
        file
    };
    for intent in ["perceptual", "relative", "saturation"] {
        let plain = ["icc_transform", PRESS, "--input-profile", "srgb", "--intent", intent];
        let by_vips = [bench.reference(&[&plain]), bench.reference(&[&[&plain[..], &[BLACKS]].concat()])];
        let asked = ["0", "1"].map(|flag| inks(&format!("fmt=tif&icc=press,{intent},{flag}"), Blacks::default()));
        for (ours, theirs) in asked.iter().zip(&by_vips) {
            bench.alike(ours, theirs, 2.0, intent);
        }
        for (one, other) in [(0, 1), (1, 0)] {
            let (own, others) = (&by_vips[one], &by_vips[other]);
            let nearer = bench.error_between(&asked[one], own) < bench.error_between(&asked[one], others);
            assert!(nearer, "{intent}, {one}: it has its effect");
        }
        // Without a word it is as the server is set up.
        for (blacks, same) in [(Blacks::Kept, &asked[0]), (Blacks::Compensated, &asked[1])] {
            bench.alike(&inks(&format!("fmt=tif&icc=press,{intent}"), blacks), same, 1e-9, intent);
        }
    }
}

/// The profile that Ghostscript takes for CMYK without one.
const PRESS: &str = "/usr/share/color/icc/ghostscript/default_cmyk.icc";

/// A pyramid of inks, kept as they are, of a picture whose profile is [`PRESS`], and the picture without a profile as well.
fn inked() -> [Bench; 2] {
    let (first, second) = (Workshop::new(), Workshop::new());
    let source = first.sample("Ångström.jpg", 400);
    let inked = first.vips("icc_transform", &source, "inked.tif", &[PRESS, "--intent", "relative"]);
    let bare = second.vips("copy", &inked, "bare.tif[strip]", &[]);
    [(first, inked), (second, bare)].map(|(shop, inked)| {
        let options = Options { colors: ColorManagement::Maintain, ..Options::default() };
        let (made, _) = shop.optimize(&inked, &options).unwrap();
        let page = shop.file("page.v");
        run("vips", &["copy", &made.page(0), path(&page)]);
        assert_eq!(shop.pixels(path(&page)).bands, 4);
        Bench { shop, pyramid: made.pyramid, page, count: Cell::new(0) }
    })
}

#[test]
fn inks_become_the_colours_of_their_profile_in_every_format() {
    /// Between two converters of the same profile, in the mean.
    const CONVERTED: f64 = 2.0;
    let [bench, bare] = inked();
    let to_srgb = |file: &Path| {
        let args = ["srgb", "--embedded", "--intent", "relative", BLACKS];
        bench.shop.vips("icc_transform", file, &bench.name("v"), &args)
    };
    let srgb = to_srgb(&bench.page);
    let magick = bench.magick(
        &bench.page_as("inks.tif"),
        &["-intent", "relative", "-black-point-compensation", "-profile", "/usr/share/color/icc/ghostscript/srgb.icc"],
    );
    bench.alike(&srgb, &magick, CONVERTED, "vips and ImageMagick");
    for (fmt, tolerance) in [
        ("png", CONVERTED),
        ("png-alpha", CONVERTED),
        ("tif", CONVERTED),
        ("tif,,zip", CONVERTED),
        ("webp,,lossless", CONVERTED),
        ("jpeg&qlt=100,1", CONVERTED + 1.0),
        ("pjpeg&qlt=100,1", CONVERTED + 1.0),
        ("gif", CONVERTED + 4.0),
    ] {
        let file = bench.view(&format!("fmt={fmt}"));
        let seen = bench.shop.vips("extract_band", &file, &bench.name("v"), &["0", "--n", "3"]);
        bench.alike(&seen, &srgb, tolerance, fmt);
    }
    let seen = bench.shop.vips("copy", &srgb, "seen.png[strip]", &[]);
    let gray = bench.magick(&seen, &["-grayscale", "Rec601Luma"]);
    bench.same("fmt=png,gray", &gray, CONVERTED);
    let small = bench.shop.vips("resize", &srgb, "small.v", &["0.5"]);
    bench.same(&format!("fmt=png&wid={}", header(&small, "width")), &small, CONVERTED + RESAMPLED);
    // Through another profile without a stop at sRGB.
    let wide = bench.view("fmt=png&icc=ProPhoto%20RGB&iccEmbed=1");
    bench.alike(&to_srgb(&wide), &srgb, CONVERTED + 1.0, "ProPhoto");
    // Where the view shows nothing of the picture.
    let turned = bench.shop.pixels(path(&bench.view("fmt=png-alpha&rotate=30&wid=200")));
    assert_eq!((turned.bands, turned.bytes[3]), (4, 0), "nothing is seen in the corner");
    let corner = |commands: &str| bench.shop.pixels(path(&bench.view(commands))).bytes[..3].to_vec();
    assert_eq!(corner("fmt=png&rotate=30&wid=200&bgc=10,20,30"), [10, 20, 30]);
    assert_eq!(corner("fmt=png&wid=400&hei=100&bgc=10,20,30"), [10, 20, 30]);

    // Without a profile it is the one for those, or how inks look on paper, and then it is said.
    let render = |renderer: Renderer| {
        let view = renderer.render(&bare.pyramid, &Limits::default(), &never).unwrap();
        let file = bare.shop.file(&bare.name("png"));
        std::fs::write(&file, view.bytes).unwrap();
        (file, view.notes)
    };
    let renderer =
        || Renderer::new(resolve("fmt=png", None, &|_| None).unwrap().commands, None, Blacks::default()).unwrap();
    let (file, note) = render(renderer().with_cmyk_profile(Some(std::fs::read(PRESS).unwrap().into())));
    assert_eq!(note, []);
    bench.alike(&file, &srgb, CONVERTED, "the profile of those without");
    let (file, note) = render(renderer());
    assert_eq!(note, [Note::CmykByFormula]);
    // On other paper with other inks, and far from what inks that are taken for light come to.
    bench.alike(&file, &srgb, 40.0, "on coated paper");
}

#[test]
fn solid_inks_are_seen_as_the_inks_they_are() {
    let shop = Workshop::new();
    for (ink, bytes) in
        [("cyan", [255, 0, 0, 0]), ("magenta", [0, 255, 0, 0]), ("yellow", [0, 0, 255, 0]), ("black", [0, 0, 0, 255])]
    {
        std::fs::write(shop.file("inks.raw"), bytes.repeat(64 * 64)).unwrap();
        let size = ["64", "64", "4", "--interpretation", "cmyk"];
        let solid = shop.vips("rawload", &shop.file("inks.raw"), "solid.tif", &size);
        let options = Options { colors: ColorManagement::Maintain, ..Options::default() };
        let (made, _) = shop.optimize(&solid, &options).unwrap();
        let commands = resolve("wid=20&fmt=png", None, &|_| None).unwrap().commands;
        let view = Renderer::new(commands, None, Blacks::default())
            .unwrap()
            .render(&made.pyramid, &Limits::default(), &never)
            .unwrap();
        std::fs::write(shop.file("solid.png"), view.bytes).unwrap();
        let seen = shop.pixels(path(&shop.file("solid.png")));
        let expected = match ink {
            "cyan" => [0, 160, 228],
            "magenta" => [230, 12, 128],
            "yellow" => [255, 238, 0],
            _ => [43, 43, 42],
        };
        assert_eq!((seen.size(), &seen.bytes[..3]), ((20, 20, 3), &expected[..]), "{ink}");
        let red = shop.pixels(path(&made.thumbnail)).bytes[0];
        assert!(red.abs_diff(expected[0]) < 6, "{ink} in the thumbnail: {red}");
    }
}

#[test]
fn inks_that_are_asked_for_stay_what_they_are() {
    let has_profile = |file: &Path| run("vipsheader", &["-a", path(file)]).contains("icc-profile-data");
    for bench in inked() {
        for fmt in ["tif,cmyk", "tif,cmyk,lzw", "tif,cmyk,jpeg&qlt=100", "jpeg,cmyk&qlt=100,1", "tif-alpha,cmyk"] {
            let file = bench.view(&format!("fmt={fmt}&iccEmbed=1"));
            assert_eq!(identified(&file, "%[colorspace]"), "CMYK", "{fmt}");
            bench.alike(&file, &bench.page, if fmt.contains("jpeg") { 2.0 } else { 1e-9 }, fmt);
            assert_eq!(has_profile(&file), has_profile(&bench.page), "{fmt}: its own, or none");
        }
        // A view that is larger than the picture is paper around it.
        let file = bench.view("fmt=tif,cmyk&wid=400&hei=100");
        assert_eq!(bench.shop.pixels(path(&file)).bytes[..4], [0; 4]);
        let file = bench.view("fmt=tif-alpha,cmyk&wid=400&hei=100&iccEmbed=1");
        assert_eq!(bench.shop.pixels(path(&file)).bytes[..5], [0; 5]);
        assert_eq!(has_profile(&file), has_profile(&bench.page), "with alpha as well");
        // The profile that they are in already changes nothing.
        let commands = resolve("fmt=tif&icc=press", None, &|_| None).unwrap().commands;
        let renderer = Renderer::new(commands, Some(&std::fs::read(PRESS).unwrap()), Blacks::default()).unwrap();
        let renderer = renderer.with_cmyk_profile(Some(std::fs::read(PRESS).unwrap().into()));
        let file = bench.shop.file("same.tif");
        std::fs::write(&file, renderer.render(&bench.pyramid, &Limits::default(), &never).unwrap().bytes).unwrap();
        bench.alike(&file, &bench.page, 1e-9, "the same profile");
    }
}

#[test]
fn the_resolution_is_the_sources_or_the_one_asked_for() {
    let bench = Bench::with("Ångström.jpg", 400);
    for fmt in ["jpeg", "png", "tif"] {
        // vips counts in millimetres.
        let inch =
            |commands: &str| (header(&bench.view(commands), "xres").parse::<f64>().unwrap() * 25.4).round() as u32;
        assert_eq!(inch(&format!("fmt={fmt}")), 300);
        assert_eq!(inch(&format!("fmt={fmt}&printRes=72")), 72);
    }
}

#[test]
fn what_is_too_large_or_too_much_is_refused() {
    let bench = Bench::with("Ångström.jpg", 400);
    let limits = Limits { max_pixels: 1_000_000, max_side: 5_000, ..Limits::default() };
    for commands in
        ["wid=2000", "hei=6000&fit=stretch,1", "scl=0.0001", "crop=0,0,900000,900000", "scl=0.001&rotate=10"]
    {
        let refused = bench.try_view(commands, &limits);
        assert!(matches!(refused, Err(MediaError::TooLarge { .. })), "{commands}: {refused:?}");
    }
    let limits = Limits { max_memory: 1_000_000, ..Limits::default() };
    assert!(matches!(bench.try_view("wid=2000", &limits), Err(MediaError::TooMuchMemory { .. })));
    assert!(matches!(
        bench.try_view("wid=20000&hei=2&fit=stretch,1&fmt=webp", &Limits::default()),
        Err(MediaError::TooLarge { .. })
    ));
    let commands = resolve("wid=100", None, &|_| None).unwrap().commands;
    let stopped =
        Renderer::new(commands, None, Blacks::default()).unwrap().render(&bench.pyramid, &Limits::default(), &|| true);
    assert!(matches!(stopped, Err(MediaError::Cancelled)));
}

#[test]
fn a_damaged_pyramid_is_an_error_and_no_panic() {
    let bench = Bench::with("Ångström.jpg", 400);
    let sound = std::fs::read(&bench.pyramid).unwrap();
    let commands = resolve("wid=100&fmt=png", None, &|_| None).unwrap().commands;
    let renderer = Renderer::new(commands, None, Blacks::default()).unwrap();
    let file = bench.shop.file("damaged.tif");
    let mut seed = 1_u32;
    for round in 0..60 {
        let mut bytes = sound.clone();
        if round % 3 == 0 {
            bytes.truncate(sound.len() * (round + 1) / 61);
        }
        for _ in 0..8 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = seed as usize % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= (seed >> 24) as u8;
            }
        }
        std::fs::write(&file, &bytes).unwrap();
        // Either it is found out, or the damage lies where it is not looked at.
        let _ = renderer.render(&file, &Limits::default(), &never);
    }
    std::fs::write(&file, b"").unwrap();
    assert!(renderer.render(&file, &Limits::default(), &never).is_err());
    let other = bench.shop.vips("copy", &bench.page, "other.tif", &[]);
    assert!(matches!(renderer.render(&other, &Limits::default(), &never), Err(MediaError::Unsupported { .. })));
}

#[test]
fn the_same_order_gives_the_same_bytes() {
    let bench = Bench::with("Ångström.jpg", 400);
    for fmt in ["jpeg", "pjpeg", "png", "tif,,lzw", "webp", "gif"] {
        let make = || bench.try_view(&format!("wid=90&rotate=10&fmt={fmt}"), &Limits::default()).unwrap();
        assert_eq!(make(), make(), "{fmt}");
    }
}

#[test]
fn the_size_of_the_layer_and_its_margins_count() {
    let bench = Bench::with("Ångström.jpg", 800);
    for (commands, size) in [
        ("size=300,0", (300, 400)),
        ("size=0,300", (225, 300)),
        ("size=300,300", (225, 300)),
        ("size=0,1600", (1200, 1600)),
        ("size=0,0", (600, 800)),
        ("scale=0.5", (300, 400)),
        ("scale=2", (1200, 1600)),
        ("res=150", (300, 400)),
        ("res=150&scale=2", (1200, 1600)),
        ("size=300,0&scale=4&res=10", (300, 400)),
        ("crop=0,0,300,100&size=150,0", (150, 50)),
        ("crop=0,0,300,100&size=150,0&rgn=10,10,20,20", (20, 20)),
        ("size=300,0&scl=2", (150, 200)),
        ("size=300,0&wid=600", (600, 800)),
        ("size=300,0&rotate=90", (400, 300)),
        ("extend=10,20,30,40", (640, 860)),
        ("extend=-100,-100,-100,-100", (400, 600)),
        ("extendN=0.5,0,0.5,0.1", (1200, 880)),
        ("size=300,0&rotate=90&extend=0,0,100,0", (500, 300)),
        ("size=60,0&extend=5,5,5,5&wid=140", (140, 180)),
        ("rotate=45&extend=-100,-100,-100,-100", (790, 790)),
        ("rect=10,10,50,60", (50, 60)),
        ("wid=300&rect=0,0,600,500,2", (600, 500)),
    ] {
        assert_eq!(bench.view_size(commands), size, "{commands}");
    }
    let nothing = bench.try_view("extend=-300,0,-300,0", &Limits::default()).unwrap_err();
    assert_eq!(nothing.to_string(), "extend: it takes away more than there is of the picture");
    let huge = bench.try_view("scale=1000000", &Limits::default());
    assert!(matches!(huge, Err(MediaError::TooLarge { .. })), "{huge:?}");
}

#[test]
fn a_layer_is_scaled_and_extended_as_with_vips() {
    let bench = Bench::with("Ångström.jpg", 800);
    let same = |commands: &str, operations: &[&[&str]], tolerance: f64| {
        bench.same(&format!("{commands}&fmt=png&icc=DisplayP3"), &bench.reference(operations), tolerance);
    };
    let embed = |x: &'static str, y: &'static str, width: &'static str, height: &'static str, color: &'static str| {
        ["embed", x, y, width, height, "--extend", "background", "--background", color]
    };
    for commands in ["size=150,0", "scale=0.25", "res=75", "size=300,0&wid=150"] {
        same(commands, &[&["resize", "0.25", "--kernel", "lanczos3"]], RESAMPLED);
    }
    same("extend=30,20,70,80&bgColor=255,0,0", &[&embed("30", "20", "700", "900", "255 0 0")], SAME_PIXELS);
    same("extend=30,20,70,80&bgc=0,255,0", &[&embed("30", "20", "700", "900", "0 255 0")], SAME_PIXELS);
    same("extend=-100,-50,-200,-550", &[&["extract_area", "100", "50", "300", "200"]], SAME_PIXELS);
    same(
        "bgColor=0,0,255&extend=5,6,7,8&rotate=90&flip=lr&crop=100,50,300,200",
        &[
            &["extract_area", "100", "50", "300", "200"],
            &["flip", "horizontal"],
            &["rot", "d90"],
            &embed("5", "6", "212", "314", "0 0 255"),
        ],
        SAME_PIXELS,
    );
    // Beside the composite picture there is the background of the view, whatever lies there of the layer.
    same(
        "extend=-100,-50,-200,-550&bgColor=0,0,255&wid=400&hei=200&bgc=255,0,0",
        &[&["extract_area", "100", "50", "300", "200"], &embed("50", "0", "400", "200", "255 0 0")],
        SAME_PIXELS,
    );
    let turned = bench.view("rotate=30&fmt=png&bgc=255,0,0");
    let cut = bench.view("rotate=30&fmt=png&extend=-50,-60,-70,-80&bgc=255,0,0");
    let (width, height) = (header(&cut, "width"), header(&cut, "height"));
    let part = bench.shop.vips("extract_area", &turned, &bench.name("v"), &["50", "60", &width, &height]);
    bench.alike(&cut, &part, 0.5, "askew");
    let wide =
        bench.shop.pixels(path(&bench.view("rotate=30&fmt=png&extend=-50,-60,-70,-80&bgc=255,0,0&wid=2000&hei=300")));
    assert_eq!(wide.bytes[150 * 2000 * 3..][..3], [255, 0, 0], "nothing of the layer beside the composite picture");
}

#[test]
fn the_colour_behind_fills_the_composite_picture_alone() {
    let bench = Bench::with("商品-001.png", 300);
    let (width, height) = bench.size();
    let (wide, high) = (width + 100, height);
    let view = bench.view(&format!("fmt=png&icc=sRGB&wid={wide}&hei={high}&bgColor=0,0,255&bgc=255,0,0"));
    let flat = bench.reference(&[&["flatten", "--background", "0 0 255"]]);
    let (wide, high) = (wide.to_string(), high.to_string());
    let red = ["50", "0", &wide, &high, "--extend", "background", "--background", "255 0 0"];
    let expected = bench.shop.vips("embed", &flat, &bench.name("v"), &red);
    bench.alike(&view, &expected, 0.5, "bgColor inside, bgc outside");
    // Half of it lets half of what is behind through.
    let half = bench.shop.pixels(path(&bench.view("fmt=png-alpha&bgColor=0,0,255,128")));
    let lowest = half.bytes.chunks_exact(4).map(|pixel| pixel[3]).min();
    assert_eq!(lowest, Some(128));
}

#[test]
fn a_rect_is_a_part_of_the_view() {
    let bench = Bench::with("Ångström.jpg", 800);
    let whole = bench.view("wid=300&fmt=png");
    for (x, y) in [("0", "0"), ("150", "0"), ("0", "200"), ("150", "200")] {
        let tile = bench.view(&format!("wid=300&fmt=png&rect={x},{y},150,200"));
        let part = bench.shop.vips("extract_area", &whole, &bench.name("v"), &[x, y, "150", "200"]);
        bench.alike(&tile, &part, 0.1, "without seams");
    }
    let green = ["10", "10", "320", "420", "--extend", "background", "--background", "0 255 0"];
    let around = bench.shop.vips("embed", &whole, &bench.name("v"), &green);
    bench.alike(&bench.view("wid=300&fmt=png&rect=-10,-10,320,420&bgc=0,255,0"), &around, 0.1, "around the view");
    // What the view cuts off stays away.
    let view = bench.view("wid=200&hei=200&fit=crop&fmt=png");
    let green = ["10", "10", "220", "220", "--extend", "background", "--background", "0 255 0"];
    let around = bench.shop.vips("embed", &view, &bench.name("v"), &green);
    let seen = bench.view("wid=200&hei=200&fit=crop&fmt=png&rect=-10,-10,220,220&bgc=0,255,0");
    bench.alike(&seen, &around, 0.1, "around a view that cuts");
    let double = bench.view("wid=300&fmt=png&rect=0,0,600,800,2");
    bench.alike(&double, &bench.view("wid=600&fmt=png"), 0.1, "at another scale");
}

#[test]
fn colours_change_as_with_imagemagick() {
    let bench = Bench::with("Ångström.jpg", 400);
    let plain = bench.view("wid=200&fmt=png");
    let same = |commands: &str, arguments: &[&str]| {
        let reference = bench.magick(&plain, arguments);
        bench.same(&format!("wid=200&fmt=png&{commands}"), &reference, 1.0);
        assert!(bench.error_between(&plain, &reference) > 2.0, "{commands} has an effect");
    };
    for amount in ["30", "-45"] {
        same(&format!("op_brightness={amount}"), &["-brightness-contrast", &format!("{amount}x0")]);
        same(&format!("op_contrast={amount}"), &["-brightness-contrast", &format!("0x{amount}")]);
    }
    for (degrees, percent) in [("90", "150"), ("-60", "66.6667")] {
        same(&format!("op_hue={degrees}"), &["-modulate", &format!("100,100,{percent}")]);
    }
    same("op_saturation=-100", &["-grayscale", "Rec601Luma", "-define", "png:color-type=2"]);
    // 1.5 times as far from gray: 0.299 x (1 - 1.5) + 1.5 and so on.
    let matrix = "1.3505 -0.2935 -0.057 -0.1495 1.2065 -0.057 -0.1495 -0.2935 1.443";
    same("op_saturation=50", &["-color-matrix", matrix]);
    same("op_invert=1", &["-negate"]);
    let blurred = bench.magick(&plain, &["-virtual-pixel", "edge", "-blur", "0x3"]);
    // The radius is meant for the composite picture, which is 1.5 times as wide.
    assert_eq!(bench.size().0, 300);
    bench.same("wid=200&fmt=png&op_blur=4.5", &blurred, 1.0);
    // All in one, and in inks.
    let both = bench.magick(&plain, &["-brightness-contrast", "10x0", "-brightness-contrast", "0x20", "-negate"]);
    bench.same("wid=200&fmt=png&op_invert=1&op_contrast=20&op_brightness=10", &both, 1.0);
    let inks = bench.view("wid=200&fmt=tif,cmyk&op_invert=1");
    bench.alike(&bench.magick(&inks, &["-colorspace", "sRGB"]), &bench.magick(&plain, &["-negate"]), 1.5, "cmyk");
}

#[test]
fn colorize_leaves_black_and_white() {
    let bench = Bench::with("Ångström.jpg", 400);
    let plain = bench.view("wid=200&fmt=png");
    let ramp = bench.shop.file("ramp.png");
    // Black to the colour to white, a step for each brightness.
    run(
        "convert",
        &[
            "-size",
            "128x1",
            "-define",
            "gradient:direction=east",
            "gradient:black-rgb(200,80,20)",
            "(",
            "-size",
            "128x1",
            "gradient:rgb(200,80,20)-white",
            ")",
            "+append",
            path(&ramp),
        ],
    );
    let reference = bench.magick(&plain, &["-grayscale", "Rec601Luma", path(&ramp), "-clut"]);
    bench.same("wid=200&fmt=png&op_colorize=200,80,20,off", &reference, 2.0);
    let seen = bench.shop.pixels(path(&bench.view("wid=200&fmt=png&op_colorize=200,80,20")));
    let mut reds: Vec<u8> = seen.bytes.chunks_exact(3).map(|pixel| pixel[0]).collect();
    reds.sort_unstable();
    assert!(reds[reds.len() / 2].abs_diff(200) <= 2, "the median is the colour");
    let gray = Bench::with("Ελληνικά.jpg", 300);
    let colored = gray.shop.pixels(path(&gray.view("fmt=png&op_colorize=200,80,20")));
    assert!(colored.bytes.chunks_exact(3).any(|pixel| pixel[0] > pixel[2] + 50), "gray gets a colour too");
}

#[test]
fn a_mask_is_the_alpha_in_gray() {
    let bench = Bench::with("商品-001.png", 300);
    let alpha = bench.reference(&[&["extract_band", "3"]]);
    for fmt in ["png", "tif,gray,lzw", "tif"] {
        let mask = bench.view(&format!("req=mask&fmt={fmt}"));
        assert_eq!(header(&mask, "bands"), "1", "{fmt}");
        bench.alike(&mask, &alpha, 1e-9, fmt);
    }
    bench.alike(&bench.view("req=mask&qlt=95"), &alpha, 2.0, "jpeg");
    let spread = bench.view("req=mask&fmt=webp,,lossless");
    bench.alike(&bench.shop.vips("extract_band", &spread, &bench.name("v"), &["1"]), &alpha, 1e-9, "as RGB");
    let blurred = bench.magick(&bench.view("req=mask&fmt=png"), &["-virtual-pixel", "edge", "-blur", "0x2"]);
    bench.same("req=mask&fmt=png&op_blur=2", &blurred, 1.0);
    let opaque = Bench::with("Ångström.jpg", 400);
    let mask = opaque.shop.pixels(path(&opaque.view("req=mask&wid=100&hei=100&fmt=png")));
    assert_eq!((mask.bands, mask.bytes[0], mask.bytes[50 * 100 + 50]), (1, 0, 255), "all of it, and nothing beside it");
}

#[test]
fn palettes_are_those_asked_for() {
    let bench = Bench::with("Ångström.jpg", 400);
    let plain = bench.view("wid=80&fmt=png");
    let count = |file: &Path| identified(file, "%k").parse::<u32>().unwrap();
    for fmt in ["gif", "png8"] {
        let view = |quantize: &str| bench.view(&format!("wid=80&fmt={fmt}&quantize={quantize}"));
        assert!((200..=256).contains(&count(&view("adaptive"))), "{fmt}");
        assert!((12..=16).contains(&count(&view("adaptive,off,16"))), "{fmt}");
        let pure = view("adaptive,diffuse,2,000000,ffffff");
        let grays = bench.shop.pixels(path(&pure));
        assert!(grays.bytes.iter().all(|sample| [0, 255].contains(sample)), "{fmt}: black and white");
        let soft = |file: &Path| bench.magick(file, &["-blur", "0x4"]);
        let gray = soft(&bench.magick(&plain, &["-grayscale", "Rec601Luma"]));
        bench.alike(&bench.magick(&soft(&pure), &["-grayscale", "Rec601Luma"]), &gray, 14.0, "from afar");
        for kind in ["web", "mac"] {
            assert!(count(&view(kind)) <= 256);
        }
        let web = bench.shop.pixels(path(&view("web,off")));
        assert!(web.bytes.iter().all(|sample| sample % 51 == 0), "{fmt}: six steps");
        let nearest = |sample: &u8| (u32::from(*sample) * 5 + 127) / 255 * 51;
        let expected: Vec<u32> = bench.shop.pixels(path(&plain)).bytes.iter().map(nearest).collect();
        assert!(web.bytes.iter().map(|sample| u32::from(*sample)).eq(expected), "{fmt}: the nearest");
        // Errors that go to the neighbours even out.
        let [diffused, cut] = ["web", "web,off"].map(|kind| bench.error_between(&soft(&view(kind)), &soft(&plain)));
        assert!(diffused < cut, "{fmt}: {diffused} {cut}");
    }
    let file = bench.view("wid=80&fmt=png8&iccEmbed=1");
    assert_eq!(run("exiftool", &["-s3", "-PNG:ColorType", path(&file)]).trim(), "Palette");
    assert!(run("exiftool", &["-ICC_Profile:ProfileDescription", path(&file)]).contains("sRGB"));
    let cut_out = Bench::with("商品-001.png", 300);
    let full = cut_out.shop.pixels(path(&cut_out.view("fmt=png-alpha"))).visible();
    let eight = cut_out.view("fmt=png8-alpha");
    assert_eq!(run("exiftool", &["-s3", "-PNG:ColorType", path(&eight)]).trim(), "Palette");
    let error = cut_out.shop.pixels(path(&eight)).visible().mean_error(&full);
    assert!(error < 6.0, "{error}");
}

#[test]
fn a_jpeg_is_no_larger_than_it_may_be() {
    let bench = Bench::with("Ångström.jpg", 800);
    let bytes = |commands: &str| std::fs::read(bench.view(commands)).unwrap();
    assert_eq!(bytes("qlt=80&jpegSize=100000"), bytes("qlt=80"), "if it is small enough as it is");
    for (fmt, most) in [("jpeg", 10), ("pjpeg", 25)] {
        let file = bench.view(&format!("fmt={fmt}&qlt=90&jpegSize={most}"));
        let size = std::fs::metadata(&file).unwrap().len();
        assert!(size <= most * 1024, "{fmt}: {size}");
        let quality: u32 = identified(&file, "%Q").parse().unwrap();
        let next = bytes(&format!("fmt={fmt}&qlt={}", quality + 1)).len() as u64;
        assert!(quality < 90 && next > most * 1024, "{fmt}: the best that fits is {quality}");
    }
    let refused = bench.try_view("jpegSize=1", &Limits::default()).unwrap_err().to_string();
    assert!(refused.starts_with("jpegSize: ") && refused.ends_with("more than 1 kilobytes"), "{refused}");
}

#[test]
fn a_packet_goes_into_files_that_have_a_place_for_it() {
    let bench = Bench::with("Ångström.jpg", 400);
    let packet = |padding: usize| {
        format!(
            "<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF \
             xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description xmlns:dc='http://purl.org/dc/elements/1.1/'>\
             <dc:format>a shoe</dc:format></rdf:Description></rdf:RDF></x:xmpmeta>{}<?xpacket end='w'?>",
            " ".repeat(padding)
        )
    };
    let made = |fmt: &str, packet: &str| {
        let commands = resolve(&format!("wid=50&fmt={fmt}&xmpEmbed=1"), None, &|_| None).unwrap().commands;
        let renderer =
            Renderer::new(commands, None, Blacks::default()).unwrap().with_xmp(Some(packet.as_bytes().to_vec()));
        let view = renderer.render(&bench.pyramid, &Limits::default(), &never).unwrap();
        let file = bench.shop.file(&bench.name(fmt));
        std::fs::write(&file, view.bytes).unwrap();
        (file, view.notes)
    };
    for fmt in ["jpeg", "pjpeg", "tif"] {
        let (file, notes) = made(fmt, &packet(2_000));
        assert_eq!(notes, [], "{fmt}");
        assert_eq!(run("exiftool", &["-b", "-XMP", path(&file)]), packet(2_000), "{fmt}: as it is");
        assert_eq!(run("exiftool", &["-s3", "-XMP-dc:Format", path(&file)]).trim(), "a shoe", "{fmt}");
        assert_eq!(header(&file, "width"), "50");
    }
    let (file, notes) = made("jpeg", &packet(70_000));
    assert_eq!((run("exiftool", &["-b", "-XMP", path(&file)]).as_str(), &notes[..]), ("", &[Note::XmpTooLarge][..]));
    assert_eq!(made("tif", &packet(70_000)).1, []);
}

#[test]
fn a_resolution_that_is_not_known_scales_nothing_and_is_told() {
    let shop = Workshop::new();
    let source = shop.file("plain.ppm");
    std::fs::write(&source, [b"P6 40 30 255\n".as_slice(), &[90; 40 * 30 * 3]].concat()).unwrap();
    let bench = Bench::of(shop, &source);
    let view = bench.try_view("res=10", &Limits::default()).unwrap();
    assert_eq!((view.width, view.height, view.notes), (40, 30, vec![Note::NoResolution]));
}

#[test]
fn without_loss_pixels_are_those_of_the_picture() {
    let shop = Workshop::new();
    for (ending, commands, bands) in [("Ångström.jpg", "fmt=png", 3), ("Ελληνικά.jpg", "fmt=png,gray", 1)] {
        let sample = shop.sample(ending, 700);
        let source = shop.vips("copy", &sample, "source.png[strip]", &[]);
        let commands = resolve(commands, None, &|_| None).unwrap().commands;
        let renderer = Renderer::new(commands, None, Blacks::default()).unwrap();
        let exactly = |options: &Options| {
            let (made, _) = shop.optimize(&source, options).unwrap();
            renderer.render_exactly(&made.pyramid, &Limits::default(), &never).unwrap().map(|view| (view, made))
        };
        assert!(exactly(&Options { quality: 100, ..Options::default() }).is_none(), "a pyramid of JPEG tiles");
        let (view, made) = exactly(&Options { lossless: true, ..Options::default() }).unwrap();
        let file = shop.file("view.png");
        std::fs::write(&file, view.bytes).unwrap();
        let expected = shop.pixels(path(&source));
        assert_eq!(expected.bands, bands);
        assert!(shop.pixels(path(&file)).bytes == expected.bytes, "{ending}");
        assert!(shop.pixels(&made.page(0)).bytes == expected.bytes, "{ending}: the pyramid, as vips reads it");
    }
    let cut_out = Bench::with("商品-001.png", 300);
    let renderer =
        Renderer::new(resolve("fmt=png-alpha", None, &|_| None).unwrap().commands, None, Blacks::default()).unwrap();
    let view = renderer.render_exactly(&cut_out.pyramid, &Limits::default(), &never).unwrap();
    assert!(view.is_some(), "one with transparency has none anyway");
}
