//! Photographs with many more pixels than a page shows of them.
//!
//! hayro decodes a picture as a whole before it draws it, which for photographs in the quality of print is most of the time and
//! of the memory that a page takes. So they are decoded here, at a half, a quarter or an eighth of their size, as long as that is no
//! less than what is drawn, and put in the place of the large ones in a document of the page alone, which it is then drawn from.
//!
//! Only plain ones are: JPEG that can be decoded in strips, gray or RGB, opaque. All others, and those with which anything
//! goes wrong, stay as they are for hayro to judge.

use std::collections::BTreeMap;
use std::io::Write;

use hayro::hayro_interpret::font::GlyphRun;
use hayro::hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps, InterpreterCache,
    InterpreterSettings, SoftMask, interpret_page,
};
use hayro::hayro_syntax::object::{Dict, Name, Object, ObjectIdentifier, Stream};
use hayro::hayro_syntax::page::Page;
use hayro::hayro_syntax::{Filter, Pdf};
use hayro::kurbo::{BezPath, Rect};

use super::super::decode::{MOST_HALVINGS, SmallJpeg};
use super::super::limits::Limits;
use super::super::memory::Share;
use super::super::raster::Layout;
use super::draw::Sheet;
use super::excerpt::Excerpt;
use super::parts::Known;
use super::source::Source;

/// Pictures of fewer pixels are not worth the while.
const WORTH: u64 = 1 << 20;

/// How deep, and among how many pictures and forms of a page, photographs are looked for.
const DEEPEST: u32 = 4;
const MOST_LOOKED_AT: u32 = 1000;

/// A document of the page with small copies of the photographs that it draws small; None where that changes nothing.
pub fn lightened<'a>(
    pdf: &'a Pdf,
    page: &'a Page<'a>,
    sheet: &Sheet,
    cache: &InterpreterCache<'a>,
    settings: &InterpreterSettings,
    limits: &Limits,
    known: &Known,
) -> Option<Pdf> {
    let mut looks = MOST_LOOKED_AT;
    if !has_photographs(&page.resources().x_objects, DEEPEST, &mut looks) {
        return None;
    }
    let large = survey(page, sheet, cache, settings).into_iter().filter(|(_, halvings)| *halvings > 0);
    let mut excerpt = Excerpt::of(pdf, limits);
    let made = large.filter_map(|(id, halvings)| replace(&mut excerpt, pdf, id, halvings, known)).count();
    if made == 0 {
        return None;
    }
    Pdf::new(excerpt.finish(page, None)?).ok().filter(|lighter| lighter.pages().len() == 1)
}

fn has_photographs(x_objects: &Dict<'_>, depth: u32, looks: &mut u32) -> bool {
    x_objects.keys().any(|name| {
        *looks = looks.saturating_sub(1);
        let Some(stream) = x_objects.get::<Stream<'_>>(&*name).filter(|_| *looks > 0) else { return false };
        let form = || stream.dict().get::<Dict<'_>>("Resources")?.get::<Dict<'_>>("XObject");
        is_photograph(&stream) || depth > 0 && form().is_some_and(|inner| has_photographs(&inner, depth - 1, looks))
    })
}

pub fn is_photograph(stream: &Stream<'_>) -> bool {
    const COMPLICATED: [&str; 9] =
        ["DecodeParms", "DP", "F", "Decode", "D", "ImageMask", "Mask", "SMask", "SMaskInData"];
    let dict = stream.dict();
    let side = |key| dict.get::<u32>(key).map_or(0, u64::from);
    let is_in_plain_colors = match dict.get::<Object<'_>>("ColorSpace") {
        None => !dict.contains_key("ColorSpace"),
        Some(Object::Name(name)) => matches!(name.as_str(), "DeviceRGB" | "DeviceGray"),
        Some(Object::Array(space)) => {
            let family = space.iter::<Name<'_>>().next();
            family.is_some_and(|name| matches!(name.as_str(), "ICCBased" | "CalRGB" | "CalGray"))
        }
        Some(_) => false,
    };
    side("Width") * side("Height") >= WORTH
        && is_in_plain_colors
        && *stream.filters() == [Filter::DctDecode]
        && dict.get::<u8>("BitsPerComponent").is_none_or(|bits| bits == 8)
        && !COMPLICATED.iter().any(|key| dict.contains_key(key))
}

/// How often the sides of each photograph that the page draws can be halved.
fn survey<'a>(
    page: &'a Page<'a>,
    sheet: &Sheet,
    cache: &InterpreterCache<'a>,
    settings: &InterpreterSettings,
) -> BTreeMap<ObjectIdentifier, u32> {
    let target = Rect::new(0.0, 0.0, sheet.width.into(), sheet.height.into());
    let mut context = Context::new(sheet.to_pixels, target, cache, page.xref(), settings.clone());
    let mut survey = Survey(BTreeMap::new());
    interpret_page(page, &mut context, &mut survey);
    survey.0
}

struct Survey(BTreeMap<ObjectIdentifier, u32>);

impl<'a> Device<'a> for Survey {
    fn draw_image(&mut self, image: Image<'a, '_>, props: ImageDrawProps<'a>) {
        let Image::Raster(image) = image else { return };
        if !is_photograph(image.stream()) {
            return;
        }
        // From its pixels to the page's.
        let [a, b, c, d, ..] = props.transform.as_coeffs();
        let scale = a.hypot(b).max(c.hypot(d));
        let is_enough = |halvings: &u32| scale * f64::from(1 << halvings) <= 1.0;
        let halvings = (1..=MOST_HALVINGS).take_while(is_enough).count() as u32;
        let known = self.0.entry(image.stream().obj_id()).or_insert(halvings);
        *known = halvings.min(*known);
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {}

    fn draw_glyph_run(&mut self, _: &GlyphRun<'_, 'a>, _: DrawProps<'a>, _: &DrawMode) {}

    fn push_clip_path(&mut self, _: &ClipPath) {}

    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}

    fn pop_clip(&mut self) {}

    fn pop_transparency_group(&mut self) {}
}

/// Puts a small copy in the place of a photograph, if it can be made.
fn replace(excerpt: &mut Excerpt<'_>, pdf: &Pdf, id: ObjectIdentifier, halvings: u32, known: &Known) -> Option<()> {
    let photograph = pdf.xref().get::<Stream<'_>>(id)?;
    let stream = photograph.raw_data();
    let (limits, held) = (excerpt.limits(), excerpt.len());
    let small = SmallJpeg::open(&stream, halvings, limits).ok()??;
    let dict = photograph.dict();
    if (dict.get::<u32>("Width"), dict.get::<u32>("Height")) != (Some(small.whole.0), Some(small.whole.1)) {
        return None;
    }
    let ((width, height), length) = (small.size(), small.bytes());
    // Besides this copy: the document, for which half of the limit is enough, and the picture as hayro takes it out.
    limits.check_memory(held + 2 * length).ok()?;
    let mut entries = Source::default();
    write!(entries.bytes, "/Type/XObject/Subtype/Image/Width {width}/Height {height}/BitsPerComponent 8").ok()?;
    if dict.contains_key("ColorSpace") {
        entries.open_entry(dict, b"ColorSpace");
    } else {
        let space = if small.layout == Layout::Gray { "/DeviceGray" } else { "/DeviceRGB" };
        write!(entries.bytes, "/ColorSpace{space}").ok()?;
    }
    entries.open_entry(dict, b"OC");
    entries.open_entry(dict, b"Interpolate");
    let room = length + small.surplus() as u64 + 1024;
    excerpt.stream_of(id, entries, length, |file| {
        Share::of(limits).grow(file, room).ok()?;
        known.note(id, small.decode(file).ok()?);
        Some(())
    })
}

#[cfg(test)]
mod tests {
    use hayro::kurbo::Affine;
    use hayro::vello_cpu::color::palette::css::WHITE;
    use hayro::{PixmapSettings, RenderCache, RenderSettings, render};
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

    use super::*;

    const PHOTOGRAPH: (u16, u16) = (1283, 1025);

    /// Waves that look the same at an eighth of the size, and when the last column has no part in it.
    fn jpeg(color: ColorType) -> Vec<u8> {
        let (width, height) = PHOTOGRAPH;
        let samples = if color == ColorType::Luma { 1 } else { 3 };
        let sample = |at: usize| {
            let (x, y, band) = (at / samples % usize::from(width), at / samples / usize::from(width), at % samples);
            (((x * (band + 1) + y * 2) as f32 * 0.008).sin() * 90.0 + 128.0) as u8
        };
        let pixels: Vec<u8> = (0..usize::from(width) * usize::from(height) * samples).map(sample).collect();
        let mut stream = Vec::new();
        let mut encoder = Encoder::new(&mut stream, 90);
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        encoder.encode(&pixels, width, height, color).unwrap();
        stream
    }

    /// A page of 600 points square on which a photograph with these entries is drawn by these operators.
    fn document(jpeg: &[u8], entries: &str, operators: &str) -> Vec<u8> {
        let (width, height) = PHOTOGRAPH;
        let kind = format!("/Subtype/Image/Width {width}/Height {height}/BitsPerComponent 8/Filter/DCTDecode{entries}");
        let photograph = [format!("<<{kind}/Length {}>>\nstream\n", jpeg.len()).as_bytes(), jpeg].concat();
        let content = format!("<</Length {}>>\nstream\n{operators}", operators.len()).into_bytes();
        let page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 600]/Contents 4 0 R/Resources<</XObject<</P 5 0 R>>>>>>";
        let objects: [(&[u8], &str); 5] = [
            (b"<</Type/Catalog/Pages 2 0 R>>", ""),
            (b"<</Type/Pages/Kids[3 0 R]/Count 1>>", ""),
            (page.as_bytes(), ""),
            (&content, "\nendstream"),
            (&photograph, "\nendstream"),
        ];
        let mut file = b"%PDF-1.7\n".to_vec();
        let mut table = b"xref\n0 6\n0000000000 65535 f \n".to_vec();
        for (number, (object, end)) in objects.into_iter().enumerate() {
            writeln!(table, "{:010} 00000 n ", file.len()).unwrap();
            writeln!(file, "{} 0 obj", number + 1).unwrap();
            file.extend(object);
            write!(file, "{end}\nendobj\n").unwrap();
        }
        let start = file.len();
        file.extend(table);
        write!(file, "trailer<</Size 6/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n").unwrap();
        file
    }

    fn lighter(pdf: &Pdf) -> Option<Pdf> {
        let sheet = Sheet { width: 600, height: 600, to_pixels: Affine::new([1.0, 0.0, 0.0, -1.0, 0.0, 600.0]) };
        let (cache, settings) = (InterpreterCache::new(), InterpreterSettings::default());
        lightened(pdf, &pdf.pages()[0], &sheet, &cache, &settings, &Limits::default(), &Known::default())
    }

    fn drawn(pdf: &Pdf) -> Vec<u8> {
        let (settings, cache) = (InterpreterSettings::default(), RenderCache::new());
        let on_white = PixmapSettings { bg_color: WHITE, ..PixmapSettings::default() };
        render(&pdf.pages()[0], &cache, &settings, &RenderSettings::default(), &on_white).data_as_u8_slice().to_vec()
    }

    #[test]
    fn photographs_are_decoded_as_small_as_they_are_drawn() {
        let (rgb, gray) = (jpeg(ColorType::Rgb), jpeg(ColorType::Luma));
        let cases = [
            (&rgb, "/ColorSpace/DeviceRGB", "600 0 0 480 0 60 cm /P Do", 1),
            (&rgb, "", "0 600 -480 0 540 0 cm /P Do", 1),
            (&gray, "/ColorSpace[/CalGray<</WhitePoint[0.95 1 1.09]>>]", "300 0 0 240 30 60 cm /P Do", 2),
            (&rgb, "/ColorSpace/DeviceRGB/Interpolate true", "q 90 0 0 70 9 9 cm /P Do Q 120 0 0 90 99 9 cm /P Do", 3),
        ];
        for (jpeg, entries, operators, halvings) in cases {
            let pdf = Pdf::new(document(jpeg, entries, operators)).unwrap();
            let lighter = lighter(&pdf).unwrap_or_else(|| panic!("{operators} leaves it as it is"));
            let photograph = lighter.xref().get::<Stream<'_>>(ObjectIdentifier::new(5, 0)).unwrap();
            let width = photograph.dict().get::<u32>("Width").unwrap();
            assert!(width.abs_diff(u32::from(PHOTOGRAPH.0) >> halvings) <= 1, "{operators}: {width}");
            let (ours, theirs) = (drawn(&lighter), drawn(&pdf));
            let difference = ours.iter().zip(&theirs).map(|(one, other)| u64::from(one.abs_diff(*other))).sum::<u64>();
            assert!(difference < ours.len() as u64, "{operators}: {difference} in {}", ours.len());
            assert!(theirs.iter().any(|sample| *sample < 200), "{operators} draws nothing");
        }
    }

    #[test]
    fn what_is_drawn_large_or_is_not_plain_is_left_alone() {
        let (rgb, small) = (jpeg(ColorType::Rgb), "600 0 0 480 0 60 cm /P Do");
        let broken = rgb[..rgb.len() / 2].to_vec();
        let cases = [
            (&rgb, "", "q 100 0 0 80 0 0 cm /P Do Q 1200 0 0 960 0 0 cm /P Do"),
            (&rgb, "", "100 0 0 960 0 0 cm /P Do"),
            (&rgb, "/SMask 5 0 R", small),
            (&rgb, "/Decode[1 0 1 0 1 0]", small),
            (&rgb, "/ColorSpace[/Indexed/DeviceRGB 1 <000000ffffff>]", small),
            (&rgb, "/ColorSpace/Lab", small),
            (&broken, "/ColorSpace/DeviceRGB", small),
        ];
        for (jpeg, entries, operators) in cases {
            let pdf = Pdf::new(document(jpeg, entries, operators)).unwrap();
            assert!(lighter(&pdf).is_none(), "{entries} {operators}");
        }
    }
}
