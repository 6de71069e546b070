//! Pages come out as ISO 32000-2 has them: transparency groups, masks, units, flags of annotations, fonts that are not embedded.
//! Each page is drawn by two other programs as well, of which those count that have it right.

use std::collections::BTreeSet;
use std::path::Path;

use image::RgbImage;
use serde_json::json;

use crate::pages::{assembled, pixels, pyramid, run, text_of, upload};
use crate::world::{Done, World};

const RESOLUTION: u32 = 144;

/// A document of one page.
#[derive(Clone, Copy)]
struct Sheet {
    name: &'static str,
    content: &'static str,
    resources: &'static str,
    annotations: &'static str,
    /// More entries of the page and of the catalogue.
    page: &'static str,
    catalogue: &'static str,
    /// Objects from 10 on: entries of a stream's dictionary and its data, or an object without data.
    objects: &'static [(&'static str, Option<&'static str>)],
    /// The programs that have it right, by what the standard says.
    by: &'static [Program],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Program {
    Poppler,
    Ghostscript,
}
use Program::{Ghostscript, Poppler};

const PLAIN: Sheet = Sheet {
    name: "",
    content: BARS,
    resources: "",
    annotations: "",
    page: "/MediaBox[0 0 200 200]",
    catalogue: "",
    objects: &[],
    by: &[Poppler, Ghostscript],
};

/// Of straight lines, which all programs draw alike.
const BARS: &str = "20 85 8 30 re 50 85 8 30 re 80 85 60 8 re f ";

impl Sheet {
    fn file(&self) -> Vec<u8> {
        let Self { content, resources, annotations, page, catalogue, objects, .. } = self;
        let stream = |entries: &str, data: &str| {
            format!("<<{entries}/Length {}>>\nstream\n{data}\nendstream", data.len()).into_bytes()
        };
        let page = format!(
            "<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F 5 0 R/P 10 0 R>>{resources}>>/Annots[{annotations}]{page}>>"
        );
        let mut all = vec![
            (1, format!("<</Type/Catalog/Pages 2 0 R{catalogue}>>").into_bytes()),
            (2, b"<</Type/Pages/Kids[3 0 R]/Count 1>>".to_vec()),
            (3, page.into_bytes()),
            (4, stream("", content)),
            (5, b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_vec()),
        ];
        all.extend(objects.iter().enumerate().map(|(at, (entries, data))| {
            let object = data.map_or_else(|| format!("<<{entries}>>").into_bytes(), |data| stream(entries, data));
            (10 + at, object)
        }));
        assembled(all)
    }
}

/// The page as another program draws it.
fn drawn_by(program: Program, file: &Path, folder: &Path) -> RgbImage {
    let (out, resolution) = (folder.join("theirs.png"), RESOLUTION.to_string());
    match program {
        Poppler => {
            let stem = folder.join("theirs");
            run("pdftoppm", &["-r", &resolution, "-png", "-singlefile", "-cropbox", text_of(file), text_of(&stem)]);
        }
        Ghostscript => {
            let (to, resolution) = (format!("-sOutputFile={}", text_of(&out)), format!("-r{RESOLUTION}"));
            let smooth = ["-dTextAlphaBits=4", "-dGraphicsAlphaBits=4"];
            let quiet = ["-q", "-dSAFER", "-dBATCH", "-dNOPAUSE", "-dUseCropBox", "-sDEVICE=png16m"];
            run("gs", &[&quiet[..], &smooth, &[&resolution, &to, text_of(file)]].concat());
        }
    }
    image::open(out).unwrap().to_rgb8()
}

/// The share of pixels, in percent, that are more than 32 of 255 apart once both are blurred by two pixels.
fn apart(one: &RgbImage, other: &RgbImage) -> f64 {
    assert_eq!(one.dimensions(), other.dimensions());
    let (one, other) = (image::imageops::blur(one, 2.0), image::imageops::blur(other, 2.0));
    let is_far = |(one, other): &(&image::Rgb<u8>, &image::Rgb<u8>)| (0..3).any(|at| one[at].abs_diff(other[at]) > 32);
    let far = one.pixels().zip(other.pixels()).filter(is_far).count();
    100.0 * far as f64 / (one.width() * one.height()) as f64
}

async fn upload_all(world: &World, sheets: &[Sheet]) -> Done {
    for sheet in sheets {
        world.put(&format!("in/{}.pdf", sheet.name), &sheet.file());
    }
    upload(world, json!({ "process": "Rasterize", "resolution": RESOLUTION, "colorspace": "Rgb" })).await
}

async fn drawn(world: &World, name: &str) -> RgbImage {
    pixels(world, &pyramid(world, &format!("{name}-1")).await)
}

/// Draws the pages, each like the programs that have it right, and without a word.
async fn are_drawn_right(sheets: &[Sheet]) {
    let world = World::with(|settings| settings.media.jpeg_quality = 95).await;
    let done = upload_all(&world, sheets).await;
    assert!(!done.text().contains("Warning") && !done.text().contains("Error"), "{}", done.text());
    for sheet in sheets {
        let ours = drawn(&world, sheet.name).await;
        for program in sheet.by {
            let theirs = drawn_by(*program, &world.ingest(&format!("in/{}.pdf", sheet.name)), world.folder.path());
            let apart = apart(&ours, &theirs);
            assert!(apart < 0.1, "{}: {apart} % of the page differ from what {program:?} has drawn", sheet.name);
        }
    }
}

const STATES: &str = "/ExtGState<</M<</BM/Multiply>>/D<</BM/Darken>>/H<</ca 0.5/CA 0.5>>>>";

/// A form with the name X.
const X: &str = "/XObject<</X 10 0 R>>/ExtGState<</M<</BM/Multiply>>/D<</BM/Darken>>/H<</ca 0.5/CA 0.5>>>>";

const GROUP: &str = "/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Group<</S/Transparency>>\
     /Resources<</ExtGState<</M<</BM/Multiply>>/D<</BM/Darken>>/H<</ca 0.5/CA 0.5>>>>>>";
const ISOLATED: &str = "/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Group<</S/Transparency/I true>>\
     /Resources<</ExtGState<</M<</BM/Multiply>>>>>>";
const KNOCKOUT: &str = "/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Group<</S/Transparency/I true/K true>>\
     /Resources<</ExtGState<</H<</ca 0.5>>>>>>";
const OPEN_KNOCKOUT: &str = "/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Group<</S/Transparency/K true>>\
     /Resources<</ExtGState<</H<</ca 0.5>>>>>>";
const BAR: &str = "/M gs 1 1 0 rg 10 80 180 40 re f";
const TWO_SQUARES: &str = "/H gs 1 0 0 rg 20 20 100 100 re f 0 0 1 rg 80 80 100 100 re f";

const GROUPS: &[Sheet] = &[
    Sheet {
        name: "open",
        content: "20 85 8 30 re 50 85 8 30 re 80 85 60 8 re f /X Do",
        resources: X,
        objects: &[(GROUP, Some(BAR))],
        ..PLAIN
    },
    Sheet {
        name: "isolated",
        content: "20 85 8 30 re 50 85 8 30 re 80 85 60 8 re f /X Do",
        resources: X,
        objects: &[(ISOLATED, Some(BAR))],
        ..PLAIN
    },
    Sheet {
        name: "nested",
        content: "20 85 8 30 re 50 85 8 30 re 80 85 60 8 re f /X Do",
        resources: X,
        objects: &[
            (
                "/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Group<</S/Transparency>>/Resources<</XObject<</Y 11 0 R>>>>",
                Some("0 0 1 rg 20 20 30 30 re f /Y Do"),
            ),
            (GROUP, Some("/D gs 0.5 1 0.5 rg 10 80 180 40 re f")),
        ],
        ..PLAIN
    },
    // Put on the page at half their strength, or multiplied: these another program draws.
    Sheet {
        name: "half",
        content: "20 85 8 30 re 50 85 8 30 re 80 85 60 8 re f /H gs /X Do",
        resources: X,
        objects: &[(GROUP, Some(BAR))],
        by: &[Poppler],
        ..PLAIN
    },
    Sheet {
        name: "multiplied",
        content: "20 85 8 30 re 50 85 8 30 re 80 85 60 8 re f /M gs /X Do",
        resources: X,
        objects: &[(GROUP, Some("1 0.5 0 rg 10 80 90 40 re f /M gs 0 1 1 rg 60 80 120 40 re f"))],
        by: &[Poppler],
        ..PLAIN
    },
    // The same form as it is and at half its strength.
    Sheet {
        name: "twice",
        content: "20 85 8 30 re 50 85 8 30 re 80 85 60 8 re f /X Do q 1 0 0 1 0 -60 cm /H gs /X Do Q",
        resources: X,
        objects: &[(GROUP, Some(BAR))],
        by: &[Poppler],
        ..PLAIN
    },
    // Poppler puts the appearance of a highlight on the page without its mode.
    Sheet {
        name: "appearance",
        annotations: "<</Type/Annot/Subtype/Highlight/Rect[10 80 190 120]/F 4/AP<</N 10 0 R>>>>",
        objects: &[(
            "/Type/XObject/Subtype/Form/BBox[10 80 190 120]/Group<</S/Transparency>>/Resources<</ExtGState<</M<</BM/Multiply>>>>>>",
            Some(BAR),
        )],
        by: &[Ghostscript],
        ..PLAIN
    },
    Sheet {
        name: "knockout",
        content: "0.8 g 0 0 200 200 re f /X Do",
        resources: X,
        objects: &[(KNOCKOUT, Some(TWO_SQUARES))],
        by: &[Ghostscript],
        ..PLAIN
    },
    // Not isolated, and smoothed edges would show.
    Sheet {
        name: "open-knockout",
        content: "0.8 g 0 0 200 200 re f /X Do",
        resources: X,
        objects: &[(OPEN_KNOCKOUT, Some(TWO_SQUARES))],
        by: &[],
        ..PLAIN
    },
    Sheet {
        name: "opaque-knockout",
        content: "0.8 g 0 0 200 200 re f /X Do",
        resources: X,
        objects: &[(KNOCKOUT, Some("1 0 0 rg 20 20 100 100 re f 0 0 1 rg 80 80 100 100 re f"))],
        ..PLAIN
    },
    // One alpha is set after the other.
    Sheet {
        name: "split",
        content: "20 85 8 30 re 50 85 8 30 re 80 85 60 8 re f /A gs /B gs /X Do",
        resources: "/XObject<</X 10 0 R>>/ExtGState<</A<</ca 0.5>>/B<</CA 1>>>>",
        objects: &[(GROUP, Some(BAR))],
        by: &[Poppler],
        ..PLAIN
    },
    // Turned, cut out and enlarged, and drawn by another program.
    Sheet {
        name: "turned",
        content: "20 85 8 30 re 50 85 8 30 re 80 85 60 8 re f 1 0 0 rg 100 100 40 40 re f /H gs /X Do",
        resources: X,
        objects: &[(GROUP, Some(BAR))],
        page: "/MediaBox[0 0 200 200]/CropBox[30 40 180 190]/Rotate 90",
        by: &[Poppler],
        ..PLAIN
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_show_what_lies_behind_them() {
    assert!(X.contains(STATES));
    are_drawn_right(GROUPS).await;
    let world = World::new().await;
    upload_all(&world, &GROUPS.iter().copied().filter(|sheet| sheet.name == "open-knockout").collect::<Vec<_>>()).await;
    // Half blue on gray, and nothing of the red that it lies upon.
    let [red, green, blue] = drawn(&world, "open-knockout").await.get_pixel(2 * 100, 2 * 100).0;
    assert!(red.abs_diff(102) < 6 && green.abs_diff(102) < 6 && blue > 220, "{red} {green} {blue}");
}

const TILE: &str = "/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 200 200]/XStep 200/YStep 200\
     /Resources<</XObject<</X 11 0 R>>/ExtGState<</M<</BM/Multiply>>/H<</ca 0.5/CA 0.5>>/G<</SMask<</S/Luminosity/G 12 0 R>>>>>>>>";
const TILED: &str = "/Pattern cs /P scn 0 0 200 200 re f";
const AS_TILE: &str = "/Pattern<</P 10 0 R>>";
const TYPE3: &str = "/Type/Font/Subtype/Type3/FontBBox[0 0 1 1]/FontMatrix[1 0 0 1 0 0]/FirstChar 80/LastChar 80/Widths[1]\
     /Encoding<</Differences[80/a]>>/CharProcs<</a 12 0 R>>/Resources<</XObject<</X 11 0 R>>>>";
const HALF_GRAY: (&str, Option<&str>) =
    ("/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Group<</S/Transparency>>", Some("0.5 g 0 0 200 200 re f"));

/// Groups and masks that stand in what a page is painted with.
const WITHIN: &[Sheet] = &[
    // Poppler shifts patterns by a pixel, and blends none with what lies behind it.
    Sheet {
        name: "tile-group",
        content: TILED,
        resources: AS_TILE,
        objects: &[(TILE, Some("0 0 1 rg 40 60 30 90 re f /X Do")), (GROUP, Some(BAR))],
        by: &[Ghostscript],
        ..PLAIN
    },
    Sheet {
        name: "tile-behind",
        content: "0.6 1 1 rg 0 0 100 200 re f /Pattern cs /P scn 0 0 200 200 re f",
        resources: AS_TILE,
        objects: &[(TILE, Some("0 0 1 rg 40 60 30 90 re f /M gs 1 1 0 rg 10 80 180 40 re f")), ("", Some(""))],
        by: &[Ghostscript],
        ..PLAIN
    },
    Sheet {
        name: "tile-mask",
        content: TILED,
        resources: AS_TILE,
        objects: &[(TILE, Some("/G gs 0 0 1 rg 20 20 160 160 re f")), ("", Some("")), HALF_GRAY],
        by: &[Poppler],
        ..PLAIN
    },
    Sheet {
        name: "tile-knockout",
        content: TILED,
        resources: AS_TILE,
        objects: &[(TILE, Some("/X Do")), (KNOCKOUT, Some(TWO_SQUARES))],
        by: &[Ghostscript],
        ..PLAIN
    },
    Sheet {
        name: "letter-group",
        content: "0.6 1 1 rg 0 0 100 200 re f BT /T 1 Tf (P) Tj ET",
        resources: "/Font<</T 10 0 R>>",
        objects: &[(TYPE3, None), (GROUP, Some(BAR)), ("", Some("1 0 d0 0 0 1 rg 40 60 30 90 re f /X Do"))],
        by: &[Poppler],
        ..PLAIN
    },
    Sheet {
        name: "half-letter",
        content: "0.6 1 1 rg 0 0 100 200 re f /H gs BT /T 1 Tf (P) Tj ET",
        resources: "/Font<</T 10 0 R>>/ExtGState<</H<</ca 0.5/CA 0.5>>>>",
        objects: &[(TYPE3, None), (GROUP, Some(BAR)), ("", Some("1 0 d0 0 0 1 rg 40 60 30 90 re f /X Do"))],
        by: &[Poppler],
        ..PLAIN
    },
    Sheet {
        name: "mask-group",
        content: "/G gs 1 0 0 rg 0 0 200 200 re f",
        resources: "/ExtGState<</G<</SMask<</S/Luminosity/G 10 0 R>>>>>>",
        objects: &[
            (
                "/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Group<</S/Transparency/CS/DeviceGray/I true>>\
                 /Resources<</XObject<</X 11 0 R>>>>",
                Some("1 g 0 0 200 200 re f 0.5 g 40 60 30 90 re f /X Do"),
            ),
            (GROUP, Some("/M gs 0.5 g 10 80 180 40 re f")),
        ],
        by: &[Poppler],
        ..PLAIN
    },
    // On the page as it is, and as a mask besides.
    Sheet {
        name: "mask-and-group",
        content: "0 1 0 rg 0 0 200 200 re f /X Do /G gs 1 0 0 rg 0 0 200 200 re f",
        resources: "/XObject<</X 10 0 R>>/ExtGState<</G<</SMask<</S/Luminosity/G 10 0 R>>>>>>",
        objects: &[(
            "/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Group<</S/Transparency/CS/DeviceRGB>>\
             /Resources<</ExtGState<</M<</BM/Multiply>>>>>>",
            Some("1 g 0 0 100 200 re f /M gs 0.5 g 50 0 50 200 re f"),
        )],
        by: &[Poppler],
        ..PLAIN
    },
    Sheet {
        name: "page-knockout",
        content: TWO_SQUARES,
        resources: STATES,
        page: "/MediaBox[0 0 200 200]/Group<</S/Transparency/CS/DeviceRGB/K true>>",
        by: &[Ghostscript],
        ..PLAIN
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_and_masks_within_patterns_letters_and_masks_are_drawn_right() {
    are_drawn_right(WITHIN).await;
}

/// A tile that covers all of itself shows nothing of what lies behind it: no other program is needed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tiles_with_a_ground_of_their_own_are_drawn_here() {
    use prepress::config::Poppler as When;
    const BLENDED: &str = "0 0 1 rg 40 60 30 90 re f /M gs 1 1 0 rg 10 80 180 40 re f";
    let on = |name, ground: &'static str| {
        let content = Box::leak(format!("{ground} {BLENDED}").into_boxed_str());
        let objects = Box::leak(Box::new([(TILE, Some(&*content)), ("", Some(""))]));
        Sheet { name, content: TILED, resources: AS_TILE, objects, ..PLAIN }
    };
    let grounds = [on("ground", "0.8 1 0.8 rg 0 0 200 200 re f"), on("larger", "q 0.8 g 200 200 -201 -202 re f Q")];
    let others = [
        on("smaller", "0.8 1 0.8 rg 0 0 199 200 re f"),
        on("half", "/H gs 0.8 1 0.8 rg 0 0 200 200 re f"),
        on("moved", "0.8 1 0.8 rg 1 0 0 1 50 0 cm 0 0 200 200 re f"),
        on("hole", "0.8 1 0.8 rg 20 20 100 100 re 0 0 200 200 re f*"),
        on("garbage", "0.8 1 0.8 rg 0 0 (x) 200 200 re f"),
        on("stroked", "0.8 1 0.8 rg 0 0 200 200 re S"),
    ];
    let world = World::with(|settings| settings.media.poppler = When::Never).await;
    let done = upload_all(&world, &[&grounds[..], &others[..]].concat()).await;
    let told: BTreeSet<&str> = done
        .lines
        .iter()
        .filter(|line| line.code == "page-note")
        .filter_map(|line| line.params["file"].as_str())
        .collect();
    assert_eq!(
        told,
        BTreeSet::from(["garbage.pdf", "half.pdf", "hole.pdf", "moved.pdf", "smaller.pdf", "stroked.pdf"]),
        "{}",
        done.text()
    );
    for sheet in &grounds {
        let theirs = drawn_by(Ghostscript, &world.ingest(&format!("in/{}.pdf", sheet.name)), world.folder.path());
        assert!(apart(&drawn(&world, sheet.name).await, &theirs) < 0.1, "{}", sheet.name);
    }
}

/// Of the page, of a group of its own, and of none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn colours_that_are_to_be_blended_in_cmyk_are_said() {
    use prepress::config::Poppler as When;
    const CMYK: &str = "/MediaBox[0 0 200 200]/Group<</S/Transparency/CS/DeviceCMYK>>";
    const BLENDED: &str = "0 1 1 0 k 20 85 80 30 re f /M gs 1 0 0 0 k 60 85 80 30 re f";
    let sheets = [
        Sheet { name: "page", content: BLENDED, resources: STATES, page: CMYK, ..PLAIN },
        Sheet {
            name: "group",
            content: "/X Do",
            resources: X,
            objects: &[(
                "/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Group<</S/Transparency/I true/CS/DeviceCMYK>>\
                 /Resources<</ExtGState<</M<</BM/Multiply>>>>>>",
                Some(BLENDED),
            )],
            ..PLAIN
        },
        Sheet { name: "plain", resources: STATES, page: CMYK, ..PLAIN },
        Sheet { name: "light", content: BLENDED, resources: STATES, ..PLAIN },
        Sheet { name: "isolated", content: "/X Do", resources: X, objects: &[(ISOLATED, Some(BAR))], ..PLAIN },
    ];
    let said = |done: &Done| done.text().matches("colours are blended in RGB that are to be blended in CMYK").count();
    let done = upload_all(&World::new().await, &sheets).await;
    assert_eq!(said(&done), 2, "{}", done.text());

    // Ghostscript, if it draws a page, blends in CMYK.
    let behind = WITHIN.iter().find(|sheet| sheet.name == "tile-behind").unwrap();
    let sheet = Sheet { page: CMYK, ..*behind };
    for (when, expected) in [(When::Needed, 0), (When::Never, 1)] {
        let world = World::with(move |settings| settings.media.poppler = when).await;
        let done = upload_all(&world, &[sheet]).await;
        assert_eq!(said(&done), expected, "{when:?}: {}", done.text());
    }
}

const SHADE: &str = "20 20 160 160 re W n /A sh";

const MASKS: &[Sheet] = &[
    Sheet {
        name: "gray",
        content: "1 1 0 rg 0 0 200 200 re f /G gs 0 0 1 rg 0 0 200 200 re f",
        resources: "/ExtGState<</G<</SMask<</S/Luminosity/G 10 0 R>>>>>>",
        objects: &[(
            "/Type/XObject/Subtype/Form/BBox[20 20 180 180]/Group<</S/Transparency/CS/DeviceGray>>/Resources<</Shading<</A<</ShadingType 2\
             /ColorSpace/DeviceGray/Coords[0 0 200 0]/Function<</FunctionType 2/Domain[0 1]/C0[0]/C1[1]/N 1>>>>>>>>",
            Some(SHADE),
        )],
        ..PLAIN
    },
    Sheet {
        name: "backdrop",
        content: "1 1 0 rg 0 0 200 200 re f /G gs 0 0 1 rg 0 0 200 200 re f",
        resources: "/ExtGState<</G<</SMask<</S/Luminosity/G 10 0 R/BC[1]>>>>>>",
        objects: &[(
            "/Type/XObject/Subtype/Form/BBox[20 20 180 180]/Group<</S/Transparency/CS/DeviceGray>>/Resources<</Shading<</A<</ShadingType 2\
             /ColorSpace/DeviceGray/Coords[0 0 200 0]/Function<</FunctionType 2/Domain[0 1]/C0[0]/C1[1]/N 1>>>>>>>>",
            Some(SHADE),
        )],
        ..PLAIN
    },
    // Poppler does not apply the function.
    Sheet {
        name: "function",
        content: "1 1 0 rg 0 0 200 200 re f /G gs 0 0 1 rg 0 0 200 200 re f",
        resources: "/ExtGState<</G<</SMask<</S/Luminosity/G 10 0 R/TR<</FunctionType 2/Domain[0 1]/C0[1]/C1[0]/N 1>>>>>>>>",
        objects: &[(
            "/Type/XObject/Subtype/Form/BBox[20 20 180 180]/Group<</S/Transparency/CS/DeviceGray>>/Resources<</Shading<</A<</ShadingType 2\
             /ColorSpace/DeviceGray/Coords[0 0 200 0]/Function<</FunctionType 2/Domain[0 1]/C0[0]/C1[1]/N 1>>>>>>>>",
            Some(SHADE),
        )],
        by: &[Ghostscript],
        ..PLAIN
    },
    Sheet {
        name: "without-space",
        content: "1 1 0 rg 0 0 200 200 re f /G gs 0 0 1 rg 0 0 200 200 re f",
        resources: "/ExtGState<</G<</SMask<</S/Luminosity/G 10 0 R>>>>>>",
        objects: &[(
            "/Type/XObject/Subtype/Form/BBox[20 20 180 180]/Group<</S/Transparency>>/Resources<</Shading<</A<</ShadingType 2\
             /ColorSpace/DeviceGray/Coords[0 0 200 0]/Function<</FunctionType 2/Domain[0 1]/C0[0]/C1[1]/N 1>>>>>>>>",
            Some(SHADE),
        )],
        by: &[Poppler],
        ..PLAIN
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soft_masks_of_luminosity_are_applied() {
    are_drawn_right(MASKS).await;
}

const STAMP: &str = "/Type/XObject/Subtype/Form/BBox[0 0 60 30]";
const STAMPED: &str = "1 0 0 rg 0 0 60 30 re f 0 0 1 rg 0 20 10 10 re f";

const FLAGS: &[Sheet] = &[
    // Poppler draws what is invisible (ISO 32000-2, table 167).
    Sheet {
        name: "invisible",
        annotations: "<</Type/Annot/Subtype/Strange/Rect[10 80 190 120]/F 1/AP<</N 10 0 R>>>>",
        objects: &[(STAMP, Some(STAMPED))],
        by: &[Ghostscript],
        ..PLAIN
    },
    Sheet {
        name: "hidden",
        annotations: "<</Type/Annot/Subtype/Stamp/Rect[10 10 90 40]/F 2/AP<</N 10 0 R>>>>\
                      <</Type/Annot/Subtype/Stamp/Rect[110 10 190 40]/F 32/AP<</N 10 0 R>>>>\
                      <</Type/Annot/Subtype/Stamp/Rect[10 150 70 180]/F 4/AP<</N 10 0 R>>>>",
        objects: &[(STAMP, Some(STAMPED))],
        ..PLAIN
    },
    // Ghostscript turns what is not to be turned, and shows what is optional and off.
    Sheet {
        name: "upright",
        content: "",
        annotations: "<</Type/Annot/Subtype/Stamp/Rect[60 120 120 150]/F 20/AP<</N 10 0 R>>>>",
        page: "/MediaBox[0 0 200 300]/Rotate 90",
        objects: &[(STAMP, Some(STAMPED))],
        by: &[Poppler],
        ..PLAIN
    },
    Sheet {
        name: "upside-down",
        content: "",
        annotations: "<</Type/Annot/Subtype/Stamp/Rect[60 120 120 150]/F 20/AP<</N 10 0 R>>>>",
        page: "/MediaBox[0 0 200 300]/Rotate 180",
        objects: &[(STAMP, Some(STAMPED))],
        by: &[Poppler],
        ..PLAIN
    },
    Sheet {
        name: "optional",
        annotations: "<</Type/Annot/Subtype/Stamp/Rect[10 10 90 40]/F 4/OC 11 0 R/AP<</N 10 0 R>>>>",
        catalogue: "/OCProperties<</OCGs[11 0 R]/D<</OFF[11 0 R]>>>>",
        objects: &[(STAMP, Some(STAMPED)), ("/Type/OCG/Name(x)", None)],
        by: &[Poppler],
        ..PLAIN
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flags_of_annotations_are_heeded() {
    are_drawn_right(FLAGS).await;
}

/// Policies of memberships in optional content: of one group that is on and one that is off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn optional_annotations_are_shown_by_their_policy() {
    let world = World::new().await;
    let shown = [
        ("any-on", "AnyOn", true),
        ("all-on", "AllOn", false),
        ("any-off", "AnyOff", true),
        ("all-off", "AllOff", false),
    ];
    for (name, policy, _) in shown {
        let file = assembled(vec![
            (1, b"<</Type/Catalog/Pages 2 0 R/OCProperties<</OCGs[6 0 R 7 0 R]/D<</OFF[7 0 R]>>>>>>".to_vec()),
            (2, b"<</Type/Pages/Kids[3 0 R]/Count 1>>".to_vec()),
            (
                3,
                format!(
                    "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Resources<<>>/Annots[<</Type/Annot/Subtype/Stamp/Rect[10 10 70 40]/F 4\
                     /OC<</Type/OCMD/OCGs[6 0 R 7 0 R]/P/{policy}>>/AP<</N 5 0 R>>>>]>>"
                )
                .into_bytes(),
            ),
            (5, format!("<<{STAMP}/Length {}>>\nstream\n{STAMPED}\nendstream", STAMPED.len()).into_bytes()),
            (6, b"<</Type/OCG/Name(on)>>".to_vec()),
            (7, b"<</Type/OCG/Name(off)>>".to_vec()),
        ]);
        world.put(&format!("in/{name}.pdf"), &file);
    }
    upload(&world, json!({ "process": "Rasterize", "resolution": RESOLUTION, "colorspace": "Rgb" })).await;
    for (name, policy, is_shown) in shown {
        let page = drawn(&world, name).await;
        assert_eq!(page.get_pixel(2 * 40, 400 - 2 * 20)[1] < 100, is_shown, "{policy}");
    }
}

/// A font of letters that is not embedded.
const JAPANESE: &[(&str, Option<&str>)] = &[
    ("/Type/Font/Subtype/Type0/BaseFont/HeiseiKakuGo-W5/Encoding/UniJIS-UCS2-H/DescendantFonts[11 0 R]", None),
    (
        "/Type/Font/Subtype/CIDFontType0/BaseFont/HeiseiKakuGo-W5/CIDSystemInfo<</Registry(Adobe)/Ordering(Japan1)/Supplement 2>>\
                 /FontDescriptor 12 0 R",
        None,
    ),
    (
        "/Type/FontDescriptor/FontName/HeiseiKakuGo-W5/Flags 4/FontBBox[0 -120 1000 880]/ItalicAngle 0/Ascent 880/Descent -120/CapHeight 700/StemV 80",
        None,
    ),
];

const LETTERS: &[(&str, Option<&str>)] = &[JAPANESE[0], JAPANESE[1], JAPANESE[2], (KNOCKOUT, Some(TWO_SQUARES))];

/// What another program draws shows the same annotations, and no letters that it would take from other fonts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_drawn_elsewhere_are_the_same_but_for_what_they_need() {
    let world = World::new().await;
    let page = Sheet {
        name: "unprinted",
        content: "/X Do",
        resources: X,
        annotations: "<</Type/Annot/Subtype/Stamp/Rect[130 10 190 40]/F 0/AP<</N 11 0 R>>>>",
        objects: &[(KNOCKOUT, Some(TWO_SQUARES)), (STAMP, Some(STAMPED))],
        ..PLAIN
    };
    let letters = Sheet {
        name: "letters",
        content: "/X Do BT /P 40 Tf 10 150 Td <65E5672C8A9E> Tj ET",
        resources: "/XObject<</X 13 0 R>>",
        objects: LETTERS,
        ..PLAIN
    };
    let done = upload_all(&world, &[page, letters]).await;
    assert!(drawn(&world, "unprinted").await.get_pixel(2 * 160, 400 - 2 * 20)[1] < 100, "the stamp is there");
    let text = done.text();
    let line = text.lines().find(|line| line.contains("letters.pdf") && line.contains("knockout"));
    assert!(line.is_some_and(|line| line.contains("Ghostscript would draw fonts")), "{text}");
}

/// Each program counts the pages of an odd tree in its own way, and not every program reads every table of objects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_drawn_elsewhere_are_those_that_are_meant() {
    let world = World::new().await;
    let form = |color: &str| {
        let content = format!("/M gs {color} rg 0 0 200 100 re f");
        format!("<<{GROUP}/Length {}>>\nstream\n{content}\nendstream", content.len())
    };
    // Half of what is drawn is put on the page at half its strength, which another program does.
    let page = |form: usize, content: usize| {
        format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents {content} 0 R\
             /Resources<</XObject<</X {form} 0 R>>/ExtGState<</H<</ca 0.5>>>>>>>>"
        )
    };
    let draw = "/H gs /X Do";
    let contents = format!("<</Length {}>>\nstream\n{draw}\nendstream", draw.len());
    let objects = [
        (1, "<</Type/Catalog/Pages 2 0 R>>".to_owned()),
        // A page twice, and a branch that has none.
        (2, "<</Type/Pages/Kids[3 0 R 3 0 R 10 0 R 4 0 R 5 0 R]/Count 4>>".to_owned()),
        (3, page(6, 9)),
        (4, page(7, 9)),
        (5, page(8, 9)),
        (6, form("1 0 0")),
        (7, form("0 1 0")),
        (8, form("0 0 1")),
        (9, contents),
        (10, "<</Type/Pages/Parent 2 0 R/Count 1>>".to_owned()),
    ];
    world.put("in/odd.pdf", &assembled(objects.map(|(number, object)| (number, object.into_bytes())).into()));
    let plain = world.folder.path().join("plain.pdf");
    let knockout = GROUPS.iter().find(|sheet| sheet.name == "knockout").unwrap();
    std::fs::write(&plain, knockout.file()).unwrap();
    world.put("in/plain.pdf", &knockout.file());
    run("qpdf", &["--object-streams=generate", text_of(&plain), text_of(&world.ingest("in/streams.pdf"))]);
    let options = json!({ "process": "Rasterize", "resolution": RESOLUTION, "colorspace": "Rgb" });
    let done = upload(&world, options).await;
    assert!(!done.codes().contains(&"page-note"), "{}", done.text());
    for (number, band) in [(1, 0), (2, 1), (3, 2)] {
        let page = pixels(&world, &pyramid(&world, &format!("odd-{number}")).await);
        let color = page.get_pixel(200, 350).0;
        let strongest = (0..3).max_by_key(|band| color[*band]).unwrap();
        assert_eq!(strongest, band, "page {number} shows {color:?}: {}", done.text());
    }
    assert!(apart(&drawn(&world, "plain").await, &drawn(&world, "streams").await) < 0.01);
}

/// A font that is asked for by many names is read once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_names_of_fonts_cost_no_page() {
    let world = World::new().await;
    let (mut fonts, mut content) = (String::new(), "BT 10 100 Td ".to_owned());
    let mut objects = Vec::new();
    for at in 0..60 {
        let number = 10 + 3 * at;
        fonts += &format!("/N{at} {number} 0 R");
        content += &format!("/N{at} 12 Tf <65E5> Tj ");
        for (step, (entries, _)) in FONTS[1].objects.iter().enumerate() {
            let renumbered = entries.replace("11 0 R", &format!("{} 0 R", number + 1));
            let renumbered = renumbered.replace("12 0 R", &format!("{} 0 R", number + 2));
            let renamed = renumbered.replace("HeiseiKakuGo-W5", &format!("Gothic{at}"));
            objects.push((number + step, format!("<<{renamed}>>").into_bytes()));
        }
    }
    content += "ET";
    let page =
        format!("<</Type/Page/Parent 2 0 R/MediaBox[0 0 900 200]/Contents 4 0 R/Resources<</Font<<{fonts}>>>>>>");
    let mut all = vec![
        (1, b"<</Type/Catalog/Pages 2 0 R>>".to_vec()),
        (2, b"<</Type/Pages/Kids[3 0 R]/Count 1>>".to_vec()),
        (3, page.into_bytes()),
        (4, format!("<</Length {}>>\nstream\n{content}\nendstream", content.len()).into_bytes()),
    ];
    all.extend(objects);
    world.put("in/names.pdf", &assembled(all));
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": RESOLUTION })).await;
    assert!(done.of_type("PdfRipError").is_empty(), "{}", done.text());
    let dark = drawn(&world, "names").await.pixels().filter(|pixel| pixel[0] < 128).count();
    assert!(dark > 60 * 50, "{dark}");
}

const UNITS: &[Sheet] = &[
    // Poppler and older versions of Ghostscript leave the unit out.
    Sheet {
        name: "large",
        content: "1 0 0 rg 2 2 10 10 re f",
        page: "/MediaBox[0 0 20 30]/UserUnit 10",
        by: &[],
        ..PLAIN
    },
    Sheet {
        name: "same",
        content: "1 0 0 rg 20 20 100 100 re f",
        page: "/MediaBox[0 0 200 300]",
        by: &[Poppler],
        ..PLAIN
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_has_the_size_that_its_unit_gives_it() {
    let world = World::new().await;
    upload_all(&world, UNITS).await;
    let (large, same) = (drawn(&world, "large").await, drawn(&world, "same").await);
    assert!(apart(&large, &same) < 0.1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn which_annotations_pages_show_is_a_matter_of_configuration() {
    use prepress::config::PageAnnotations;
    let sheet = Sheet {
        name: "stamps",
        content: "",
        annotations: "<</Type/Annot/Subtype/Stamp/Rect[10 10 70 40]/F 0/AP<</N 10 0 R>>>>\
                      <</Type/Annot/Subtype/Stamp/Rect[110 10 170 40]/F 36/AP<</N 10 0 R>>>>",
        objects: &[(STAMP, Some(STAMPED))],
        ..PLAIN
    };
    for (shown, wanted) in [
        (PageAnnotations::View, [true, false]),
        (PageAnnotations::Print, [false, true]),
        (PageAnnotations::None, [false, false]),
    ] {
        let world = World::with(|settings| settings.media.annotations = shown).await;
        upload_all(&world, &[sheet]).await;
        let page = drawn(&world, "stamps").await;
        let is_red = |x: u32| page.get_pixel(x, 400 - 2 * 20)[1] < 100;
        assert_eq!([is_red(2 * 40), is_red(2 * 140)], wanted, "{shown:?}");
    }
}

/// Where no other program may draw a page, a line says what is wrong with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_drawn_wrongly_is_said() {
    use prepress::config::Poppler as When;
    let world = World::with(|settings| settings.media.poppler = When::Never).await;
    let done = upload_all(&world, &[GROUPS, MASKS].concat()).await;
    let said = |name: &str, what: &str| {
        let text = done.text();
        let line = text.lines().find(|line| line.contains(&format!("{name}.pdf")) && line.contains(what));
        assert!(line.is_some_and(|line| line.contains("media.poppler is \"never\"")), "{name}: {text}");
    };
    for name in ["half", "multiplied", "twice", "split", "turned"] {
        said(name, "isolated");
    }
    said("knockout", "a knockout group");
    said("without-space", "a soft mask");
    assert_eq!(done.codes().iter().filter(|code| **code == "page-note").count(), 8, "{}", done.text());
}

/// Every page by another program looks as those that are drawn here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_program_may_draw_all_pages() {
    use prepress::config::Poppler as When;
    let sheets = [
        Sheet { name: "plain", content: "1 0 0 rg 20 20 100 60 re f 0 0 1 RG 5 w 10 10 m 190 150 l S", ..PLAIN },
        Sheet {
            name: "left",
            page: "/MediaBox[10 20 200 130]/Rotate 270",
            content: "0 1 0 rg 20 30 40 60 re f",
            ..PLAIN
        },
        Sheet {
            name: "over",
            page: "/MediaBox[10 20 200 130]/Rotate 180",
            content: "0 1 0 rg 20 30 40 60 re f",
            ..PLAIN
        },
    ];
    let [here, there] =
        [When::Never, When::Always].map(|when| World::with(move |settings| settings.media.poppler = when));
    let (here, there) = (here.await, there.await);
    for world in [&here, &there] {
        let done = upload_all(world, &sheets).await;
        assert!(!done.codes().contains(&"page-note"), "{}", done.text());
    }
    for sheet in sheets {
        let (one, other) = (drawn(&here, sheet.name).await, drawn(&there, sheet.name).await);
        assert!(apart(&one, &other) < 0.1, "{}", sheet.name);
    }
}

/// The pages of a document that is encrypted without a password are changed as those of any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_of_encrypted_documents_are_opened() {
    let world = World::new().await;
    let plain = world.folder.path().join("plain.pdf");
    std::fs::write(&plain, GROUPS[0].file()).unwrap();
    world.put("in/open.pdf", &GROUPS[0].file());
    run("qpdf", &["--encrypt", "", "owner", "256", "--", text_of(&plain), text_of(&world.ingest("in/closed.pdf"))]);
    let options = json!({ "process": "Rasterize", "resolution": RESOLUTION, "colorspace": "Rgb" });
    let done = upload(&world, options).await;
    assert!(!done.codes().contains(&"page-note"), "{}", done.text());
    assert!(apart(&drawn(&world, "open").await, &drawn(&world, "closed").await) < 0.01);
}

const FONTS: &[Sheet] = &[
    Sheet {
        name: "polish",
        content: "BT /P 40 Tf 10 90 Td (\\201\\202 \\203\\204 \\205\\206) Tj ET",
        objects: &[(
            "/Type/Font/Subtype/TrueType/BaseFont/Arial/Encoding<</Type/Encoding/BaseEncoding/WinAnsiEncoding\
             /Differences[129/Aogonek/lslash/eogonek/sacute/afii10017/afii10068]>>",
            None,
        )],
        ..PLAIN
    },
    Sheet { name: "japanese", content: "BT /P 40 Tf 10 90 Td <65E5672C8A9E> Tj ET", objects: JAPANESE, ..PLAIN },
    // By the numbers of its collection, which say what letters they are.
    Sheet {
        name: "identity",
        content: "BT /P 40 Tf 10 90 Td <0E5A0F1B> Tj ET",
        objects: &[
            ("/Type/Font/Subtype/Type0/BaseFont/HeiseiKakuGo-W5/Encoding/Identity-H/DescendantFonts[11 0 R]", None),
            (
                "/Type/Font/Subtype/CIDFontType0/BaseFont/HeiseiKakuGo-W5/CIDSystemInfo<</Registry(Adobe)/Ordering(Japan1)/Supplement 2>>\
                 /FontDescriptor 12 0 R",
                None,
            ),
            (
                "/Type/FontDescriptor/FontName/HeiseiKakuGo-W5/Flags 4/FontBBox[0 -120 1000 880]/ItalicAngle 0/Ascent 880/Descent -120/CapHeight 700/StemV 80",
                None,
            ),
        ],
        ..PLAIN
    },
    Sheet {
        name: "arabic",
        content: "BT /P 40 Tf 10 90 Td (A\\201\\202) Tj ET",
        objects: &[(
            "/Type/Font/Subtype/TrueType/BaseFont/Arial/Encoding<</Type/Encoding/BaseEncoding/WinAnsiEncoding/Differences[129/uni0627/uni0628]>>",
            None,
        )],
        ..PLAIN
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fonts_that_are_not_embedded_have_stand_ins() {
    let world = World::new().await;
    for sheet in FONTS {
        world.put(&format!("in/{}.pdf", sheet.name), &sheet.file());
    }
    let options = json!({
        "process": "Rasterize", "resolution": RESOLUTION, "colorspace": "Rgb", "extractSearchWords": true
    });
    let done = upload(&world, options).await;
    let text = done.text();
    let dark = |page: &RgbImage| page.pixels().filter(|pixel| pixel[0] < 128).count() as f64;
    for (sheet, font) in FONTS.iter().zip(["Helvetica", "HeiseiKakuGo-W5", "HeiseiKakuGo-W5"]) {
        let ours = dark(&drawn(&world, sheet.name).await);
        let theirs = drawn_by(Poppler, &world.ingest(&format!("in/{}.pdf", sheet.name)), world.folder.path());
        let ratio = ours / dark(&theirs);
        assert!((0.7..1.4).contains(&ratio), "{}: {ours} dark points, {ratio} times poppler's\n{text}", sheet.name);
        let says = |line: &str| {
            line.contains(sheet.name) && line.contains("taken instead: ") && line.contains(&format!("({font})"))
        };
        assert_eq!(text.lines().filter(|line| says(line)).count(), 1, "{}: {text}", sheet.name);
    }
    let words = world.query("SELECT word FROM page_word ORDER BY asset_id, position").await;
    let words: Vec<&str> = words.iter().map(|row| row[0].as_str().unwrap()).collect();
    for word in ["Ął", "日本語"] {
        assert!(words.contains(&word), "{words:?}");
    }
    assert!(text.lines().any(|line| line.contains("arabic") && line.contains("2 letters are left out")), "{text}");
}

/// Colours of devices that a page takes for others (ISO 32000-2, 8.6.5.6).
const DEFAULTS: &[Sheet] = &[
    Sheet {
        name: "default-rgb",
        content: "1 0.5 0.25 rg 20 20 160 70 re f 0.2 0.6 0.4 RG 20 w 20 150 m 180 150 l S",
        resources: "/ColorSpace<</DefaultRGB[/CalRGB<</WhitePoint[0.9505 1 1.089]/Gamma[1 1 1]\
                    /Matrix[0.4124 0.2126 0.0193 0.3576 0.7152 0.1192 0.1805 0.0722 0.9505]>>]>>",
        ..PLAIN
    },
    Sheet {
        name: "default-shading",
        content: "20 20 160 70 re W n /A sh",
        resources: "/Shading<</A<</ShadingType 2/ColorSpace/DeviceRGB/Coords[20 0 180 0]/Extend[true true]\
                    /Function<</FunctionType 2/Domain[0 1]/C0[0.2 0.2 0.9]/C1[0.2 0.9 0.2]/N 1>>>>>>\
                    /ColorSpace<</DefaultRGB[/CalRGB<</WhitePoint[0.9505 1 1.089]/Gamma[1 1 1]\
                    /Matrix[0.4124 0.2126 0.0193 0.3576 0.7152 0.1192 0.1805 0.0722 0.9505]>>]>>",
        by: &[Poppler],
        ..PLAIN
    },
    Sheet {
        name: "default-alias",
        content: "/C cs 0.2 0.6 0.4 sc 20 20 160 70 re f",
        resources: "/ColorSpace<</C/DeviceRGB/DefaultRGB[/CalRGB<</WhitePoint[0.9505 1 1.089]/Gamma[1 1 1]\
                    /Matrix[0.4124 0.2126 0.0193 0.3576 0.7152 0.1192 0.1805 0.0722 0.9505]>>]>>",
        by: &[Poppler],
        ..PLAIN
    },
    Sheet {
        name: "default-indexed",
        content: "160 0 0 70 20 20 cm /X Do",
        resources: "/XObject<</X 10 0 R>>/ColorSpace<</DefaultRGB[/CalRGB<</WhitePoint[0.9505 1 1.089]/Gamma[1 1 1]\
                    /Matrix[0.4124 0.2126 0.0193 0.3576 0.7152 0.1192 0.1805 0.0722 0.9505]>>]>>",
        objects: &[(
            "/Type/XObject/Subtype/Image/Width 2/Height 2/BitsPerComponent 8/ColorSpace[/Indexed/DeviceRGB 1<3366993399CC>]",
            Some("\x01\x01\x01\x01"),
        )],
        by: &[Poppler],
        ..PLAIN
    },
    Sheet {
        name: "default-in-form",
        content: "/X Do",
        resources: "/XObject<</X 10 0 R>>/ColorSpace<</DefaultRGB[/CalRGB<</WhitePoint[0.9505 1 1.089]/Gamma[1 1 1]\
                    /Matrix[0.4124 0.2126 0.0193 0.3576 0.7152 0.1192 0.1805 0.0722 0.9505]>>]>>",
        objects: &[(
            "/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Resources<</ExtGState<<>>>>",
            Some("0.2 0.6 0.4 rg 20 20 160 70 re f"),
        )],
        by: &[Poppler],
        ..PLAIN
    },
    Sheet {
        name: "default-letters",
        content: "BT /P 90 Tf 10 90 Td (a) Tj ET",
        resources: "/ColorSpace<</DefaultRGB[/CalRGB<</WhitePoint[0.9505 1 1.089]/Gamma[1 1 1]\
                    /Matrix[0.4124 0.2126 0.0193 0.3576 0.7152 0.1192 0.1805 0.0722 0.9505]>>]>>",
        objects: &[(TYPE_3, None), ("", Some("1000 0 d0 0.2 0.6 0.4 rg 100 100 600 600 re f"))],
        by: &[Poppler],
        ..PLAIN
    },
    Sheet {
        name: "default-gray",
        content: "0.5 g 20 20 160 70 re f",
        resources: "/ColorSpace<</DefaultGray[/Separation/Ink/DeviceRGB<</FunctionType 2/Domain[0 1]/C0[1 1 1]/C1[1 0 0]/N 1>>]>>",
        by: &[Poppler],
        ..PLAIN
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn default_colour_spaces_are_applied() {
    are_drawn_right(DEFAULTS).await;
    // Where no space is to be taken for another, nobody else is asked.
    use prepress::config::Poppler as When;
    let world = World::with(|settings| settings.media.poppler = When::Never).await;
    let plain = Sheet { name: "same", content: "1 0 0 rg 20 20 60 60 re f", ..PLAIN };
    let same = Sheet { resources: "/ColorSpace<</DefaultRGB/DeviceRGB>>", ..plain };
    let unused = Sheet { name: "unused", resources: "/ColorSpace<</DefaultCMYK[/Lab<<>>]>>", ..plain };
    let done = upload_all(&world, &[DEFAULTS[0], same, unused]).await;
    let notes: Vec<&str> = done
        .lines
        .iter()
        .filter(|line| line.code == "page-note")
        .map(|line| line.params["file"].as_str().unwrap())
        .collect();
    assert_eq!(notes, ["default-rgb.pdf"], "{}", done.text());
}

const TYPE_3: &str = "/Type/Font/Subtype/Type3/FontBBox[0 0 1000 1000]/FontMatrix[0.001 0 0 0.001 0 0]/FirstChar 97/LastChar 97\
     /Widths[1000]/Encoding<</Differences[97/a]>>/CharProcs<</a 11 0 R>>/Resources<<>>";

/// A group of groups, which are deeper than anybody follows them.
fn nested(depth: usize) -> Sheet {
    let form = |next: usize| {
        let entries = format!("/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Resources<</XObject<</X {next} 0 R>>>>");
        (&*entries.leak(), Some("/X Do"))
    };
    let mut objects: Vec<(&'static str, Option<&'static str>)> = (0..depth).map(|at| form(11 + at)).collect();
    objects.push((GROUP, Some("/M gs 1 1 0 rg 20 80 160 40 re f")));
    Sheet { name: "deep", content: "20 85 160 8 re f /X Do", resources: X, objects: objects.leak(), ..PLAIN }
}

/// What no other program draws right either has a line, and what only looks like it has none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_program_draws_right_is_said() {
    let outline =
        Sheet { name: "outline", content: "/H gs 12 w 1 0 0 rg 40 40 120 120 re B", resources: STATES, ..PLAIN };
    let letters = Sheet {
        name: "letters",
        content: "BT /P 90 Tf 2 Tr 1 0 0 RG 10 90 Td (a) Tj ET",
        objects: &[(TYPE_3, None), ("", Some("1000 0 0 0 1000 1000 d1 100 100 600 600 re f"))],
        ..PLAIN
    };
    let picture = |name, entries| Sheet {
        name,
        content: "160 0 0 160 20 20 cm /X Do",
        resources: "/XObject<</X 10 0 R>>",
        objects: vec![(entries, Some("\x01\x02\x03\x01"))].leak(),
        ..PLAIN
    };
    let sheets = [
        outline,
        letters,
        nested(30),
        picture(
            "short",
            "/Type/XObject/Subtype/Image/Width 2/Height 2/BitsPerComponent 8/ColorSpace[/Indexed/DeviceRGB 3<00FF0011FF>]",
        ),
        picture("unknown", "/Type/XObject/Subtype/Image/Width 2/Height 2/BitsPerComponent 8/ColorSpace/Foo"),
        picture("lost", "/Type/XObject/Subtype/Image/Width 2/Height 2/BitsPerComponent 8/ColorSpace 99 0 R"),
        // These are right.
        Sheet { name: "opaque", resources: "", content: "12 w 1 0 0 rg 40 40 120 120 re B", ..outline },
        Sheet { name: "filled", content: "/H gs 1 0 0 rg 40 40 120 120 re f", ..outline },
        Sheet { name: "plain-letters", content: "BT /P 90 Tf 10 90 Td (a) Tj ET", ..letters },
        nested(10),
        picture(
            "whole",
            "/Type/XObject/Subtype/Image/Width 2/Height 2/BitsPerComponent 8/ColorSpace[/Indexed/DeviceRGB 3<00FF0011FF0022FF0033FF00>]",
        ),
    ];
    let world = World::new().await;
    let right = Sheet { name: "not-so-deep", ..sheets[9] };
    let sheets: Vec<Sheet> =
        sheets.iter().enumerate().map(|(at, sheet)| if at == 9 { right } else { *sheet }).collect();
    let done = upload_all(&world, &sheets).await;
    let notes: BTreeSet<(&str, &str)> = done
        .lines
        .iter()
        .filter(|line| line.code == "page-note")
        .map(|line| {
            (line.params["file"].as_str().unwrap(), line.params["reason"]["params"]["detail"].as_str().unwrap())
        })
        .collect();
    let expected = [
        ("outline.pdf", "what is filled and stroked at once"),
        ("letters.pdf", "letters of a Type 3 font may be outlined"),
        ("deep.pdf", "not all of its groups and masks were looked at"),
        ("short.pdf", "a colour space is not one that can be read"),
        ("unknown.pdf", "a colour space is not one that can be read"),
        ("lost.pdf", "a colour space is not one that can be read"),
    ];
    for (file, what) in expected {
        assert!(notes.iter().any(|(name, note)| *name == file && note.contains(what)), "{file}: {}", done.text());
    }
    let told: BTreeSet<&str> = notes.iter().map(|(name, _)| *name).collect();
    assert_eq!(told, expected.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), "{}", done.text());
}

/// Nothing, encrypted, is not nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_empty_and_encrypted_is_whole() {
    let world = World::new().await;
    let plain = world.folder.path().join("plain.pdf");
    let empty = Sheet { content: "", resources: X, objects: &[(GROUP, Some(""))], ..PLAIN };
    std::fs::write(&plain, empty.file()).unwrap();
    for (name, bits, aes) in [("old", "128", Some("--use-aes=y")), ("new", "256", None)] {
        let to = world.ingest(&format!("in/{name}.pdf"));
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        let weak: &[&str] = if bits == "128" { &["--allow-weak-crypto"] } else { &[] };
        let how: Vec<&str> = ["--encrypt", "", "owner", bits].into_iter().chain(aes).chain(["--"]).collect();
        run("qpdf", &[weak, &how, &[text_of(&plain), text_of(&to)]].concat());
    }
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 36 })).await;
    assert_eq!((done.counters.error, done.counters.warning), (0, 0), "{}", done.text());
}

/// Words that are written from the top down are words, and stand where they are; links that nobody sees are none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vertical_words_are_read() {
    let world = World::new().await;
    let font = "/Type/Font/Subtype/Type0/BaseFont/HeiseiKakuGo-W5/Encoding/UniJIS-UCS2-V/DescendantFonts[11 0 R]";
    let link = |flags: u32, address: &str| {
        format!("<</Type/Annot/Subtype/Link/Rect[0 0 20 20]/F {flags}/A<</S/URI/URI(https://{address}.example/)>>>>")
    };
    let page = Sheet {
        name: "vertical",
        content: "BT /P 20 Tf 100 190 Td <65E5672C8A9E> Tj ET BT /P 20 Tf 50 190 Td <65E5672C> Tj ET",
        annotations: (link(4, "seen") + &link(2, "hidden")).leak(),
        objects: vec![(font, None), JAPANESE[1], JAPANESE[2]].leak(),
        ..PLAIN
    };
    world.put("in/vertical.pdf", &page.file());
    let options = json!({ "process": "Rasterize", "resolution": 72, "extractSearchWords": true });
    let done = upload(&world, options).await;
    let words = world.query("SELECT word, x, y, width, height FROM page_word ORDER BY position").await;
    let words: Vec<(&str, [i64; 4])> =
        words.iter().map(|row| (row[0].as_str().unwrap(), [1, 2, 3, 4].map(|at| row[at].as_i64().unwrap()))).collect();
    // Beside the point that the line hangs from, half of a letter to each side.
    for ((word, [x, y, width, height]), (expected, left, letters)) in
        words.iter().zip([("日本語", 90, 3), ("日本", 40, 2)])
    {
        assert_eq!(*word, expected, "{}", done.text());
        let is_near = (x - left).abs() <= 2
            && (y - 10).abs() <= 2
            && (width - 20).abs() <= 3
            && (height - 20 * letters).abs() <= 3;
        assert!(is_near, "{word}: {:?}", [x, y, width, height]);
    }
    assert_eq!(words.len(), 2, "{words:?}");
    let links = world.query("SELECT action FROM image_map").await;
    assert_eq!(links, [[json!("https://seen.example/")]]);
}

const SIGNS: &str = "BT /P 18 Tf 1 0 0 1 10 160 Tm (!\"#$%&) Tj 1 0 0 1 10 130 Tm (46789:) Tj 1 0 0 1 10 100 Tm (ABCabc) Tj \
     1 0 0 1 10 70 Tm (lmnopq) Tj 1 0 0 1 10 40 Tm (\\241\\242\\243\\244\\245) Tj 1 0 0 1 10 10 Tm (\\300\\324\\344\\376) Tj ET";

/// The two that have codes of their own.
const OWN_CODES: &[Sheet] = &[
    Sheet {
        name: "dingbats",
        content: SIGNS,
        objects: &[("/Type/Font/Subtype/Type1/BaseFont/ZapfDingbats", None)],
        by: &[Poppler],
        ..PLAIN
    },
    Sheet {
        name: "symbol",
        content: SIGNS,
        objects: &[("/Type/Font/Subtype/Type1/BaseFont/Symbol", None)],
        by: &[Poppler],
        ..PLAIN
    },
];

/// Where the fonts of the same widths are installed, signs are those that other programs show.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signs_are_drawn_by_the_fonts_that_have_them() {
    are_drawn_right(OWN_CODES).await;
}

const SHAPES: &[Sheet] = &[
    Sheet {
        name: "square",
        annotations: "<</Type/Annot/Subtype/Square/Rect[20 20 100 80]/C[1 0 0]/IC[0.8 1 0.8]/BS<</W 4>>/F 4>>",
        by: &[Poppler],
        ..PLAIN
    },
    Sheet {
        name: "circle",
        annotations: "<</Type/Annot/Subtype/Circle/Rect[20 20 180 80]/C[0 0 1]/IC[1 1 0]/BS<</W 6>>/F 4>>",
        by: &[Poppler],
        ..PLAIN
    },
    Sheet {
        name: "polygon",
        annotations: "<</Type/Annot/Subtype/Polygon/Rect[10 10 190 190]/Vertices[20 20 180 40 100 180]/C[0 0.5 0]/IC[0.9 0.9 1]/BS<</W 3>>/F 4>>\
                      <</Type/Annot/Subtype/PolyLine/Rect[10 10 190 190]/Vertices[20 180 60 120 20 100]/C[1 0 0]/BS<</W 3>>/F 4>>",
        by: &[Poppler],
        ..PLAIN
    },
    Sheet {
        name: "ink",
        annotations: "<</Type/Annot/Subtype/Ink/Rect[10 10 190 190]/InkList[[20 20 60 90 120 30 180 170]]/C[0.5 0 0.5]/BS<</W 4>>/F 4>>",
        by: &[],
        ..PLAIN
    },
    Sheet {
        name: "line",
        annotations: "<</Type/Annot/Subtype/Line/Rect[10 10 190 190]/L[20 30 180 160]/C[1 0 0]/BS<</W 5>>/F 4>>",
        by: &[Poppler],
        ..PLAIN
    },
    Sheet {
        name: "highlight",
        annotations: "<</Type/Annot/Subtype/Highlight/Rect[10 80 190 120]/QuadPoints[20 118 180 118 20 82 180 82]/C[1 1 0]/F 4>>",
        by: &[],
        ..PLAIN
    },
    Sheet {
        name: "underline",
        annotations: "<</Type/Annot/Subtype/Underline/Rect[10 20 190 60]/QuadPoints[20 58 180 58 20 22 180 22]/C[1 0 0]/F 4>>\
                      <</Type/Annot/Subtype/StrikeOut/Rect[10 120 190 160]/QuadPoints[20 158 180 158 20 122 180 122]/C[0 0 1]/F 4>>",
        by: &[],
        ..PLAIN
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn annotations_without_an_appearance_get_one() {
    are_drawn_right(SHAPES).await;
    let world = World::new().await;
    upload_all(&world, SHAPES).await;
    // Its ends are round, which poppler leaves square.
    let page = drawn(&world, "ink").await;
    let at = |x: u32, y: u32| page.get_pixel(2 * x, 400 - 2 * y).0;
    assert!([at(60, 88), at(120, 32), at(19, 19)].iter().all(|[red, green, _]| *red < 160 && *green < 60));
    // Multiplied: bars show through. Poppler rounds the ends in another way.
    let page = drawn(&world, "highlight").await;
    let at = |x: u32, y: u32| page.get_pixel(2 * x, 400 - 2 * y).0;
    assert!(at(24, 100)[0] < 40 && at(40, 100)[2] < 60 && at(40, 100)[0] > 220, "{:?} {:?}", at(24, 100), at(40, 100));
    let page = drawn(&world, "underline").await;
    let reddish = page.pixels().filter(|pixel| pixel[0] > pixel[2].saturating_add(80)).count();
    let bluish = page.pixels().filter(|pixel| pixel[2] > pixel[0].saturating_add(80)).count();
    assert!((300..4000).contains(&reddish) && (300..4000).contains(&bluish), "{reddish} {bluish}");
}

/// A field with its value, and what else it has.
macro_rules! field {
    ($($entries:literal)+) => {
        concat!("<</Type/Annot/Subtype/Widget/Rect[20 80 180 120]/F 4", $($entries),+, ">>")
    };
}

const FORM: &str = "/AcroForm<</Fields[]/NeedAppearances true/DA(/Helv 18 Tf 0 g)/DR<</Font<</Helv 5 0 R>>>>>>";

const FIELDS: &[Sheet] = &[
    Sheet { name: "text", annotations: field!("/FT/Tx/T(a)/V(Jane Doe)"), ..FORM_PAGE },
    Sheet { name: "utf", annotations: field!("/FT/Tx/T(a)/V<FEFF0141006F0064017A>"), ..FORM_PAGE },
    Sheet { name: "comb", annotations: field!("/FT/Tx/T(a)/V(1234)/MaxLen 8/Ff 16777216"), ..FORM_PAGE },
    Sheet {
        name: "choice",
        annotations: field!("/FT/Ch/Ff 131072/T(a)/V(two)/Opt[[(one)(First)][(two)(Second)]]"),
        ..FORM_PAGE
    },
    Sheet { name: "check", annotations: field!("/FT/Btn/T(a)/V/Yes/AS/Yes/MK<</BC[0]/CA(4)>>"), ..FORM_PAGE },
    Sheet { name: "push", annotations: field!("/FT/Btn/Ff 65536/T(a)/MK<</BG[0.8]/BC[0]/CA(Send)>>"), ..FORM_PAGE },
    Sheet {
        name: "stale",
        annotations: field!("/FT/Tx/T(a)/V(New)/AP<</N 10 0 R>>"),
        objects: &[(
            "/Type/XObject/Subtype/Form/BBox[0 0 160 40]/Resources<</Font<</F 5 0 R>>>>",
            Some("BT /F 18 Tf 4 10 Td (Old) Tj ET"),
        )],
        ..FORM_PAGE
    },
    // Reset: what it showed before is gone.
    Sheet {
        name: "reset",
        annotations: field!("/FT/Tx/T(a)/AP<</N 10 0 R>>"),
        objects: &[(
            "/Type/XObject/Subtype/Form/BBox[0 0 160 40]/Resources<</Font<</F 5 0 R>>>>",
            Some("BT /F 18 Tf 4 10 Td (Old) Tj ET"),
        )],
        ..FORM_PAGE
    },
    Sheet {
        name: "free",
        annotations: "<</Type/Annot/Subtype/FreeText/Rect[20 80 180 120]/Contents(Remark)/DA(/Helv 18 Tf 1 0 0 rg)/F 4>>",
        ..FORM_PAGE
    },
    Sheet {
        name: "stamp",
        annotations: "<</Type/Annot/Subtype/Stamp/Rect[20 80 180 120]/Name/NotApproved/F 4>>",
        ..FORM_PAGE
    },
];

const FORM_PAGE: Sheet = Sheet { content: "", catalogue: FORM, ..PLAIN };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_show_their_values() {
    let world = World::new().await;
    for sheet in FIELDS {
        world.put(&format!("in/{}.pdf", sheet.name), &sheet.file());
    }
    let options = json!({
        "process": "Rasterize", "resolution": RESOLUTION, "colorspace": "Rgb", "extractSearchWords": true
    });
    let done = upload(&world, options).await;
    assert!(!done.text().contains("Warning") && !done.text().contains("Error"), "{}", done.text());
    let words = world
        .query(
            "SELECT a.name, group_concat(word, ' ') FROM page_word w JOIN asset a ON a.id = w.asset_id GROUP BY a.id",
        )
        .await;
    let read = |name: &str| {
        let row = words.iter().find(|row| row[0] == format!("{name}-1"));
        row.map(|row| row[1].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    for (name, wanted) in [
        ("text", "Jane Doe"),
        ("utf", "Łodź"),
        ("choice", "Second"),
        ("push", "Send"),
        ("stale", "New"),
        ("free", "Remark"),
    ] {
        assert_eq!(read(name), wanted);
    }
    assert_eq!(read("comb").replace(' ', ""), "1234");
    assert_eq!(read("stamp").to_lowercase(), "not approved");
    for sheet in FIELDS {
        let page = drawn(&world, sheet.name).await;
        let ink = |x: u32, y: u32| page.get_pixel(x, y).0.iter().any(|sample| *sample < 200);
        let all = (0..400).flat_map(|y| (0..400).map(move |x| (x, y))).filter(|(x, y)| ink(*x, *y));
        let (inside, outside): (Vec<_>, Vec<_>) =
            all.partition(|(x, y)| (36..=364).contains(x) && (156..=244).contains(y));
        let has_ink = inside.len() > 100;
        assert!(
            has_ink == (sheet.name != "reset") && outside.is_empty(),
            "{}: {} {}",
            sheet.name,
            inside.len(),
            outside.len()
        );
    }
}

/// What a page draws is drawn as far as it can be read, and a line says that it is not all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contents_that_break_off_are_said() {
    let world = World::new().await;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    let lines = (0..400).map(|at| format!("0 0 1 rg {} {} 7 5 re f\n", at * 7 % 190, at * 11 % 190));
    std::io::Write::write_all(&mut encoder, lines.collect::<String>().as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    let without_checksum = &whole[..whole.len() - 4];
    let cases: [(&str, &str, &[u8]); 7] = [
        ("sound", "4 0 R", &whole),
        ("unchecked", "[4 0 R]", without_checksum),
        ("half", "4 0 R", &whole[..whole.len() / 2]),
        ("noise", "4 0 R", b"no stream at all"),
        ("gone", "[4 0 R 9 0 R]", &whole),
        ("empty", "4 0 R", b"\n"),
        ("two", "[4 0 R 5 0 R]", &whole),
    ];
    for (name, contents, data) in cases {
        let page = format!("<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents {contents}/Resources<<>>>>");
        let stream = format!("<</Filter/FlateDecode/Length {}>>\nstream\n", data.len());
        let file = assembled(vec![
            (1, b"<</Type/Catalog/Pages 2 0 R>>".to_vec()),
            (2, b"<</Type/Pages/Kids[3 0 R]/Count 1>>".to_vec()),
            (3, page.into_bytes()),
            (4, [stream.as_bytes(), data, b"\nendstream"].concat()),
            (5, b"<</Filter/FlateDecode/Length 9>>\nstream\nno stream\nendstream".to_vec()),
        ]);
        world.put(&format!("in/{name}.pdf"), &file);
    }
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": RESOLUTION })).await;
    let text = done.text();
    for (name, wanted) in [
        ("sound", None),
        ("unchecked", None),
        ("half", Some("cannot be read as a whole, and is drawn as far")),
        ("noise", Some("cannot be read as a whole, and is drawn as far")),
        ("gone", None),
        ("empty", None),
        ("two", Some("1 of 2 pieces")),
    ] {
        let line = text.lines().find(|line| line.contains(&format!("{name}.pdf:")));
        assert_eq!(line.is_some(), wanted.is_some(), "{name}: {text}");
        assert!(wanted.is_none_or(|wanted| line.unwrap().contains(wanted)), "{name}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn annotations_that_are_not_drawn_are_said() {
    let world = World::new().await;
    let sheet = Sheet {
        name: "notes",
        annotations: "<</Type/Annot/Subtype/FileAttachment/Rect[20 80 40 100]/F 4>>\
                      <</Type/Annot/Subtype/Sound/Rect[20 80 40 100]/F 4>><</Type/Annot/Subtype/Sound/Rect[20 20 40 40]/F 4>>\
                      <</Type/Annot/Subtype/Sound/Rect[20 20 40 40]/F 2>><</Type/Annot/Subtype/Popup/Rect[20 20 40 40]/F 4>>",
        ..PLAIN
    };
    let done = upload_all(&world, &[sheet]).await;
    let text = done.text();
    assert!(text.contains("no appearance are not drawn: 1 FileAttachment, 2 Sound"), "{text}");
}

const MESHES: &[Sheet] = &[
    Sheet {
        name: "triangles",
        content: "/S sh",
        resources: "/Shading<</S 10 0 R>>",
        objects: &[(
            "/ShadingType 4/ColorSpace/DeviceRGB/BitsPerCoordinate 8/BitsPerComponent 8/BitsPerFlag 8\
             /Decode[0 255 0 255 0 1 0 1 0 1]/Filter/ASCIIHexDecode",
            Some(
                "00 14 14 FF 00 00 00 B4 14 FF 00 00 00 14 B4 FF 00 00 00 B4 14 FF 00 00 00 B4 B4 FF 00 00 00 14 B4 FF 00 00>",
            ),
        )],
        ..PLAIN
    },
    Sheet {
        name: "lattice",
        content: "/S sh",
        resources: "/Shading<</S 10 0 R>>",
        objects: &[(
            "/ShadingType 5/VerticesPerRow 3/ColorSpace/DeviceRGB/BitsPerCoordinate 8/BitsPerComponent 8\
             /Decode[0 255 0 255 0 1 0 1 0 1]/Filter/ASCIIHexDecode",
            Some(
                "0A 0A 0000FF 64 0A 00FF00 BE 0A FF0000 0A 64 0000FF 64 64 00FF00 BE 64 FF0000 0A BE 0000FF 64 BE 00FF00 BE BE FF0000>",
            ),
        )],
        ..PLAIN
    },
    Sheet {
        name: "patches",
        content: "/S sh",
        resources: "/Shading<</S 10 0 R>>",
        objects: &[(
            "/ShadingType 6/ColorSpace/DeviceRGB/BitsPerCoordinate 8/BitsPerComponent 8/BitsPerFlag 8\
             /Decode[0 255 0 255 0 1 0 1 0 1]/Filter/ASCIIHexDecode",
            Some(
                "00 0A0A 0A28 0A46 0A64 2864 4664 6464 6446 6428 640A 460A 280A 0000FF 0000FF 0000FF 0000FF\
                 00 640A 6428 6446 6464 8264 A064 BE64 BE46 BE28 BE0A A00A 820A 0000FF 0000FF 0000FF 0000FF>",
            ),
        )],
        ..PLAIN
    },
];

/// What lies behind a mesh shows nowhere between its pieces. Its outer edges are not smoothed by anybody, and may be a pixel off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn meshes_have_no_seams() {
    let world = World::with(|settings| settings.media.jpeg_quality = 95).await;
    upload_all(&world, MESHES).await;
    for sheet in MESHES {
        let theirs = drawn_by(Poppler, &world.ingest(&format!("in/{}.pdf", sheet.name)), world.folder.path());
        let pages = [drawn(&world, sheet.name).await, theirs];
        // From the lower left corner: nothing but what all of them fill.
        let [ours, theirs] = pages.map(|page| image::imageops::crop_imm(&page, 48, 208, 144, 144).to_image());
        let apart = apart(&ours, &theirs);
        let white = ours.pixels().filter(|pixel| pixel.0.iter().all(|sample| *sample > 180)).count();
        assert!(apart < 0.1 && white == 0, "{}: {apart} % of the page differ, {white} pixels show through", sheet.name);
    }
}

/// As thin as a device can draw them (8.4.3.2), or thinner than a pixel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hairlines_are_no_heavier_than_those_of_another_program() {
    const LINES: &str = "20 80.3 m 180 80.3 l 100.4 100 m 100.4 190 l 20 100 80 60 re S";
    let world = World::with(|settings| settings.media.jpeg_quality = 95).await;
    let sheets = [
        ("zero", "0 w"),
        ("tenth", "0.1 w"),
        ("quarter", "0.25 w"),
        ("scaled", "0.01 0 0 0.01 0 0 cm 10 w 100 0 0 100 0 0 cm"),
        ("slanted", "0 w 20 20 m 180 60 l"),
    ];
    for (name, width) in sheets {
        let content: &'static str = format!("{width} {LINES}").leak();
        world.put(&format!("in/{name}.pdf"), &Sheet { content, ..PLAIN }.file());
    }
    upload(&world, json!({ "process": "Rasterize", "resolution": RESOLUTION, "colorspace": "Rgb" })).await;
    let ink = |page: &RgbImage| page.pixels().map(|pixel| f64::from(255 - pixel[1])).sum::<f64>();
    for (name, _) in sheets {
        let ours = ink(&drawn(&world, name).await);
        let theirs = ink(&drawn_by(Poppler, &world.ingest(&format!("in/{name}.pdf")), world.folder.path()));
        assert!((0.7..1.15).contains(&(ours / theirs)), "{name}: {} times poppler's", ours / theirs);
    }
}

/// An annotation that gets an appearance, so that the page is drawn from a document of its own.
const MADE: &str = "<</Type/Annot/Subtype/Square/Rect[2 2 12 12]/C[0 0 1]/IC[0 0 1]/BS<</W 2>>/F 4>>";

const NAMED_P: &[Sheet] = &[
    Sheet {
        name: "letter",
        content: "BT /T 100 Tf 40 60 Td (P) Tj ET",
        resources: "/Font<</T 10 0 R>>",
        annotations: MADE,
        objects: &[
            (
                "/Type/Font/Subtype/Type3/FontBBox[0 0 1 1]/FontMatrix[1 0 0 1 0 0]/FirstChar 80/LastChar 80/Widths[1]\
                 /Encoding<</Differences[80/P]>>/CharProcs 11 0 R/Resources<<>>",
                None,
            ),
            ("/P 12 0 R", None),
            ("", Some("1 0 d0 0 0 1 1 re f")),
        ],
        ..PLAIN
    },
    Sheet {
        name: "policy",
        content: "/OC /M BDC 40 60 100 100 re f EMC",
        resources: "/Properties<</M 10 0 R>>",
        annotations: MADE,
        catalogue: "/OCProperties<</OCGs[11 0 R 12 0 R]/D<</OFF[12 0 R]>>>>",
        objects: &[
            ("/Type/OCMD/OCGs[11 0 R 12 0 R]/P/AllOn", None),
            ("/Type/OCG/Name(on)", None),
            ("/Type/OCG/Name(off)", None),
        ],
        ..PLAIN
    },
    Sheet {
        name: "form",
        content: "/X Do",
        resources: "/XObject<</X 10 0 R>>",
        annotations: MADE,
        objects: &[
            ("/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Resources<</XObject 11 0 R>>", Some("/P Do /Parent Do")),
            ("/P 12 0 R/Parent 13 0 R", None),
            ("/Type/XObject/Subtype/Form/BBox[0 0 200 200]", Some("40 60 40 40 re f")),
            ("/Type/XObject/Subtype/Form/BBox[0 0 200 200]", Some("1 0 0 rg 100 60 40 40 re f")),
        ],
        ..PLAIN
    },
];

/// Names that mean something in one dictionary are names like any other elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_with_a_document_of_its_own_has_all_that_it_had() {
    are_drawn_right(&NAMED_P.iter().map(|sheet| Sheet { by: &[Poppler], ..*sheet }).collect::<Vec<_>>()).await;
}

/// Ink of a page within a rectangle of points from its lower left corner.
fn ink(page: &RgbImage, [left, bottom, right, top]: [u32; 4]) -> u64 {
    let part =
        image::imageops::crop_imm(page, 2 * left, 400 - 2 * top, 2 * (right - left), 2 * (top - bottom)).to_image();
    part.pixels().map(|pixel| u64::from(255 - pixel[1])).sum()
}

/// Letters of all scripts lie beside each other, wherever they are set.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_beyond_the_standard_ones_have_their_widths() {
    const CYRILLIC: &str = "<FEFF041F04400438043204350442043C04380440>";
    let world = World::with(|settings| settings.media.jpeg_quality = 95).await;
    let note = |text: &str| -> &'static str {
        let text =
            format!("<</Type/Annot/Subtype/FreeText/Rect[10 80 190 120]/F 4/DA(/Helv 24 Tf 0 g)/Contents{text}>>");
        text.leak()
    };
    let sheets = [
        Sheet { name: "cyrillic", content: "", annotations: note(CYRILLIC), ..PLAIN },
        // As many letters that are as wide.
        Sheet { name: "latin", content: "", annotations: note("(HpNbeTMup)"), ..PLAIN },
    ];
    let done = upload_all(&world, &sheets).await;
    assert!(!done.text().contains("left out"), "{}", done.text());
    let [cyrillic, latin] = [drawn(&world, "cyrillic").await, drawn(&world, "latin").await];
    let columns = |page: &RgbImage| (10..190).filter(|at| ink(page, [*at, 80, at + 1, 120]) > 2000).count();
    let (cyrillic, latin) = (columns(&cyrillic) as f64, columns(&latin) as f64);
    assert!((0.8..1.25).contains(&(cyrillic / latin)), "{cyrillic} points wide beside {latin}");
}

/// Each by the entries that say so, and by those alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn annotations_are_drawn_by_what_they_say() {
    const EMPTY: &str = "/Type/XObject/Subtype/Form/BBox[0 0 0 0]";
    let world = World::with(|settings| settings.media.jpeg_quality = 95).await;
    let turned = "/MediaBox[0 0 200 200]/Rotate 90";
    let sheets = [
        Sheet {
            name: "path",
            content: "",
            annotations: "<</Type/Annot/Subtype/Polygon/Rect[20 20 180 180]/F 4/C[0 0 0]/IC[0 0 1]\
                          /Path[[40 40][160 40][160 100 100 160 40 160]]>>",
            ..PLAIN
        },
        Sheet {
            name: "open",
            content: "",
            annotations: "<</Type/Annot/Subtype/PolyLine/Rect[20 20 180 180]/F 4/C[0 0 0]/BS<</W 6>>/Path[[40 40][160 40]]>>",
            ..PLAIN
        },
        // One that has no area and does not turn is nothing to the other, which stays at its place.
        Sheet {
            name: "upright",
            content: "",
            annotations: "<</Type/Annot/Subtype/Text/Rect[0 0 9 9]/F 20/AP<</N 10 0 R>>>>\
                          <</Type/Annot/Subtype/Square/Rect[100 100 140 140]/F 20/C[0 0 0]/IC[0 0 0]/BS<</W 8>>>>",
            page: turned,
            objects: &[(EMPTY, Some(""))],
            ..PLAIN
        },
        Sheet {
            name: "cloudy",
            content: "",
            annotations: "<</Type/Annot/Subtype/Square/Rect[20 20 60 60]/F 4/C[0 0 0]/BE<</S/C/I 1>>>>",
            ..PLAIN
        },
    ];
    let done = upload_all(&world, &sheets).await;
    let text = done.text();
    assert!(ink(&drawn(&world, "path").await, [50, 50, 90, 90]) > 1_000_000, "the polygon is filled");
    assert!(ink(&drawn(&world, "open").await, [60, 37, 140, 43]) > 100_000, "the line is drawn");
    // It turns about its upper left corner, which the page puts elsewhere: (100, 140) is at (140, 100) of the picture.
    let upright = drawn(&world, "upright").await;
    assert!(ink(&upright, [142, 62, 178, 98]) > 1_000_000, "the square is upright where it hangs: {text}");
    assert!(text.contains("annotations are drawn without what they have besides: cloudy borders (1)"), "{text}");
    assert!(!text.contains("refers to too much"), "{text}");
}

/// What is filled and outlined is written once; what a font lacks is counted wherever it is written with, and no other font is told of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_are_counted_once_and_wherever_they_are() {
    const TILE: &[(&str, Option<&str>)] = &[(
        "/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 200 200]/XStep 200/YStep 200/Resources<</Font<</P \
         <</Type/Font/Subtype/TrueType/BaseFont/Arial/Encoding<</Type/Encoding/BaseEncoding/WinAnsiEncoding\
         /Differences[129/uni0627/uni0628]>>>>>>>>",
        Some("BT /P 40 Tf 10 90 Td (\\201) Tj ET"),
    )];
    let arabic = FONTS.iter().find(|sheet| sheet.name == "arabic").unwrap();
    let world = World::new().await;
    let sheets = [
        Sheet {
            name: "outlined",
            content: "BT 2 Tr /P 40 Tf 10 90 Td (A\\201\\202) Tj ET",
            objects: arabic.objects,
            ..PLAIN
        },
        Sheet {
            name: "tile",
            content: "/Pattern cs /T scn 0 0 200 200 re f",
            resources: "/Pattern<</T 10 0 R>>",
            objects: TILE,
            ..PLAIN
        },
        Sheet {
            name: "numbers",
            content: "BT /P 40 Tf 10 90 Td <0024> Tj ET",
            objects: &[(
                "/Type/Font/Subtype/Type0/BaseFont/ArialMT/Encoding/Identity-H/DescendantFonts[<</Type/Font/Subtype/CIDFontType2\
                 /BaseFont/ArialMT/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>]",
                None,
            )],
            ..PLAIN
        },
        Sheet {
            name: "unused",
            content: "BT /P 40 Tf /F 40 Tf 10 90 Td (A) Tj ET",
            objects: &[("/Type/Font/Subtype/TrueType/BaseFont/NeverUsed", None)],
            ..PLAIN
        },
    ];
    for sheet in &sheets {
        world.put(&format!("in/{}.pdf", sheet.name), &sheet.file());
    }
    let options = json!({ "process": "Rasterize", "resolution": 72, "extractSearchWords": true });
    let done = upload(&world, options).await;
    let text = done.text();
    let line =
        |name: &str, what: &str| text.lines().any(|line| line.contains(&format!("{name}.pdf")) && line.contains(what));
    assert!(line("outlined", "2 letters are left out"), "{text}");
    assert!(line("tile", "Arial"), "{text}");
    assert!(!text.contains("NeverUsed"), "{text}");
    assert!(line("numbers", "letters of ArialMT may be wrong"), "{text}");
    let words = world.query("SELECT word FROM page_word").await;
    assert_eq!(words.iter().filter(|row| row[0].as_str().unwrap().starts_with('A')).count(), 2, "{words:?}");
}

/// Numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
}

/// A file as it may become on the way: bytes changed, digits above all, pieces lost, doubled, or moved.
fn mutated(mut file: Vec<u8>, numbers: &mut Numbers) -> Vec<u8> {
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(file.len() - 80);
        let length = 1 + numbers.below(60);
        match numbers.below(6) {
            0 => file[at] = numbers.below(256) as u8,
            1 => drop(file.drain(at..at + length)),
            2 => {
                let piece = file[at..at + length].to_vec();
                file.splice(at..at, piece);
            }
            3 => file[at..at + length].rotate_left(length / 2),
            _ => {
                let digits: Vec<usize> =
                    (at..file.len()).filter(|at| file[*at].is_ascii_digit()).take(length).collect();
                for at in digits {
                    file[at] = b"0123456789-."[numbers.below(12)];
                }
            }
        }
    }
    file
}

/// Whatever is wrong with a file costs that file alone, and it has its line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_were_changed_on_the_way_cost_a_line_each() {
    const FILES: usize = 200;
    let world = World::new().await;
    let sheets = [GROUPS, MASKS, FLAGS, FONTS, SHAPES, FIELDS].concat();
    let mut numbers = Numbers(17);
    for at in 0..FILES {
        world.put(&format!("in/m{at:03}.pdf"), &mutated(sheets[at % sheets.len()].file(), &mut numbers));
    }
    world.put("in/sound.pdf", &PLAIN.file());
    let options = json!({ "process": "Rasterize", "resolution": 36, "extractSearchWords": true, "extractLinks": true });
    let done = upload(&world, options).await;
    let text = done.text();
    assert!(text.contains("sound-1.pdf was processed as page 1"), "{text}");
    let mut refused = 0;
    for at in 0..FILES {
        let name = format!("m{at:03}.pdf");
        let is_done = |line: &&str| line.contains(&format!("/{name} was processed as Pdf"));
        let is_refused = |line: &&str| line.contains(&format!("UploadError: {name} could not be processed"));
        let (done, not_done) = (text.lines().filter(is_done).count(), text.lines().filter(is_refused).count());
        assert_eq!(done + not_done, 1, "{name}: {text}");
        refused += not_done;
        // A page that is not there has a line as well.
        let page = |line: &&str| line.contains(&format!("m{at:03}-1.pdf was processed")) || line.contains(&name);
        assert!(not_done == 1 || text.lines().filter(page).count() >= 2, "{name}: {text}");
    }
    // Most of them can be read.
    assert!(refused < FILES / 4, "{refused} of {FILES}: {text}");
}
