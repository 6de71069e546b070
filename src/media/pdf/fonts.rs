//! Fonts that a document names and does not bring: those of the system by their names, their style or their script, or else the ones
//! that are built in, which have no more letters than Western Europe needs.
//!
//! | asked for | taken, the first that is installed |
//! |---|---|
//! | Helvetica, Times, Courier and their styles, or what is most like them | fonts of the same widths, then others of the style |
//! | another font | that of its name, or else by its style |
//! | a font of one of the four collections of characters of East Asia | that of its name, or else one of the script |
//! | Symbol, Zapf Dingbats | those whose glyphs have the names that Adobe gave them, else what is built in |

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hayro::hayro_interpret::FontResolverFn;
use hayro::hayro_interpret::font::{FallbackFontQuery, FontData, FontQuery, StandardFont};
use hayro::hayro_interpret::hayro_cmap::CidFamily;
use hayro::hayro_syntax::object::{Array, Dict, Name, Object, String as PdfString};
use resvg::usvg::fontdb::{Database, FaceInfo, Family, Query, Source, Stretch, Style, Weight};
use skrifa::{FontRef, MetadataProvider};

use super::appearance::names;

/// Larger ones are not read: those of all East Asia have up to 30 MB.
const LARGEST: u64 = 64 << 20;

/// Without serifs, with serifs, and of one width: by Adobe and Monotype, by who drew them with the same widths, and others.
const SANS: &[&str] =
    &["Helvetica", "Arial", "Nimbus Sans", "Liberation Sans", "Arimo", "FreeSans", "Noto Sans", "DejaVu Sans"];
const SERIF: &[&str] = &[
    "Times",
    "Times New Roman",
    "Nimbus Roman",
    "Liberation Serif",
    "Tinos",
    "FreeSerif",
    "Noto Serif",
    "DejaVu Serif",
];
const FIXED: &[&str] = &[
    "Courier",
    "Courier New",
    "Nimbus Mono PS",
    "Liberation Mono",
    "Cousine",
    "FreeMono",
    "Noto Sans Mono",
    "DejaVu Sans Mono",
];

const SYMBOL: &[&str] = &["Standard Symbols PS"];
const DINGBATS: &[&str] = &["D050000L"];

/// Of scripts, first those without serifs and then those with.
const JAPANESE: [&[&str]; 2] = [
    &[
        "Noto Sans CJK JP",
        "Source Han Sans",
        "IPAexGothic",
        "IPAGothic",
        "TakaoGothic",
        "VL Gothic",
        "Droid Sans Fallback",
    ],
    &["Noto Serif CJK JP", "Source Han Serif", "IPAexMincho", "IPAMincho", "TakaoMincho"],
];
const SIMPLIFIED: [&[&str]; 2] = [
    &["Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback"],
    &["Noto Serif CJK SC", "Source Han Serif SC", "AR PL UMing CN", "AR PL SungtiL GB"],
];
const TRADITIONAL: [&[&str]; 2] = [
    &["Noto Sans CJK TC", "Source Han Sans TC", "WenQuanYi Zen Hei", "Droid Sans Fallback"],
    &["Noto Serif CJK TC", "Source Han Serif TC", "AR PL UMing TW", "AR PL Mingti2L Big5"],
];
const KOREAN: [&[&str]; 2] = [
    &["Noto Sans CJK KR", "Source Han Sans K", "NanumGothic", "UnDotum", "Baekmuk Gulim", "Droid Sans Fallback"],
    &["Noto Serif CJK KR", "Source Han Serif K", "NanumMyeongjo", "UnBatang", "Baekmuk Batang"],
];

/// A script of East Asia.
struct Script {
    name: &'static str,
    families: [&'static [&'static str]; 2],
    /// One that fonts of other scripts do not have.
    letter: char,
}

impl Script {
    fn of(collection: &CidFamily) -> Option<Self> {
        let (name, families, letter) = match collection {
            CidFamily::AdobeJapan1 => ("Japanese", JAPANESE, 'あ'),
            CidFamily::AdobeGB1 => ("simplified Chinese", SIMPLIFIED, '这'),
            CidFamily::AdobeCNS1 => ("traditional Chinese", TRADITIONAL, '這'),
            CidFamily::AdobeKorea1 => ("Korean", KOREAN, '한'),
            _ => return None,
        };
        Some(Self { name, families, letter })
    }
}

/// Families, a weight and a style.
type Asked = (&'static [&'static str], u16, Style);

/// The fonts of the system, and which of them were taken.
#[derive(Default)]
pub struct StandIns {
    files: OnceLock<Vec<PathBuf>>,
    /// All of them, read when they are needed.
    installed: OnceLock<Database>,
    /// What was found for families of a weight and a style, and the files that were read: documents name the same font in many ways.
    found: Mutex<HashMap<Asked, Option<FaceInfo>>>,
    read: Mutex<HashMap<PathBuf, FontData>>,
    /// Fonts that were asked for, and the families that were taken.
    taken: Mutex<BTreeSet<(String, String)>>,
    /// Scripts that no font was found for.
    lacking: Mutex<BTreeSet<&'static str>>,
}

impl StandIns {
    pub fn resolver(self: &Arc<Self>) -> FontResolverFn {
        let fonts = self.clone();
        Arc::new(move |query| fonts.resolve(query))
    }

    /// Which families were taken so far, and for which fonts.
    pub fn taken(&self) -> BTreeSet<String> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.iter().map(|(asked, family)| format!("{family} ({asked})")).collect()
    }

    /// Scripts that no font was found for since this was asked last.
    pub fn lacking(&self) -> BTreeSet<&'static str> {
        std::mem::take(&mut *self.lacking.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn resolve(&self, query: &FontQuery) -> Option<(FontData, u32)> {
        match query {
            FontQuery::Standard(font) => self.standard(*font),
            FontQuery::Fallback(font) => self.other(font),
        }
    }

    fn standard(&self, font: StandardFont) -> Option<(FontData, u32)> {
        let look = Look::of(font);
        let found = self.by_families(look.families, &look).and_then(|face| self.take(&face, asked_for(font)));
        Some(found.unwrap_or_else(|| font.get_font_data()))
    }

    fn other(&self, font: &FallbackFontQuery) -> Option<(FontData, u32)> {
        let look = Look::of_query(font);
        let names = [&font.post_script_name, &font.font_name, &font.font_family];
        let script = font.character_collection.as_ref().and_then(|collection| Script::of(&collection.family));
        let is_of_script = |face: &FaceInfo| script.as_ref().is_none_or(|script| self.has(face, script.letter));
        let named = names.into_iter().flatten().find_map(|name| self.by_name(name, &look)).filter(is_of_script);
        let [plain, serif] = script.as_ref().map(|script| script.families).unwrap_or_default();
        let of_script = if font.is_serif { [serif, plain] } else { [plain, serif] };
        let mut each = of_script.into_iter().flat_map(|families| families.chunks(1));
        let found = named.or_else(|| each.find_map(|family| self.by_families(family, &look).filter(is_of_script)));
        if let (Some(script), None) = (&script, &found) {
            self.lacking.lock().unwrap_or_else(PoisonError::into_inner).insert(script.name);
        }
        let found = found.or_else(|| self.by_families(look.families, &look));
        let asked = names.into_iter().flatten().next().map_or(look.families[0], String::as_str);
        found.and_then(|face| self.take(&face, asked)).or_else(|| Some(font.pick_standard_font().get_font_data()))
    }

    /// Whether a font has a letter.
    fn has(&self, face: &FaceInfo, letter: char) -> bool {
        let data = match &face.source {
            Source::Binary(data) => Some(data.clone()),
            Source::File(path) | Source::SharedFile(path, _) => self.read(path),
        };
        data.is_some_and(|data| {
            let font = FontRef::from_index(data.as_ref().as_ref(), face.index);
            font.is_ok_and(|font| font.charmap().map(letter).is_some())
        })
    }

    fn installed(&self) -> &Database {
        self.installed.get_or_init(|| {
            let mut fonts = Database::new();
            fonts.load_system_fonts();
            fonts
        })
    }

    /// A font that has this name of PostScript, or a family that is called so but for blanks and style.
    fn by_name(&self, name: &str, look: &Look) -> Option<FaceInfo> {
        let fonts = self.installed();
        if let Some(face) = fonts.faces().find(|face| face.post_script_name == name) {
            return Some(face.clone());
        }
        let family = name.split([',', '-']).next().unwrap_or(name);
        let wanted = squeezed(family.strip_suffix("MT").unwrap_or(family));
        let mut families = fonts.faces().flat_map(|face| face.families.iter().map(|(known, _)| known.as_str()));
        let known = families.find(|known| !wanted.is_empty() && squeezed(known) == wanted)?;
        best(fonts, &[known], look)
    }

    /// The first of these families that is there. Machines have thousands of fonts, of which each has to be opened to know what it is
    /// called; so those are tried before all others whose files are called as the families are.
    fn by_families(&self, families: &'static [&'static str], look: &Look) -> Option<FaceInfo> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (families, look.weight.0, look.style);
        found.entry(key).or_insert_with(|| self.looked_for(families, look)).clone()
    }

    fn looked_for(&self, families: &[&str], look: &Look) -> Option<FaceInfo> {
        let names: Vec<String> = families.iter().map(|family| squeezed(family)).collect();
        let mut likely = Database::new();
        for file in self.files.get_or_init(font_files) {
            let stem = file.file_stem().and_then(|stem| stem.to_str()).map(squeezed).unwrap_or_default();
            if names.iter().any(|name| stem.starts_with(name) || is_of_collection(&stem, name)) {
                // One that cannot be read is none.
                let _ = likely.load_font_file(file);
            }
        }
        best(&likely, families, look).or_else(|| best(self.installed(), families, look))
    }

    fn read(&self, path: &Path) -> Option<FontData> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = read.get(path) {
            return Some(known.clone());
        }
        let is_small = fs::metadata(path).is_ok_and(|facts| facts.len() <= LARGEST);
        let data: FontData = Arc::new(fs::read(path).ok().filter(|_| is_small)?); // bounded: by LARGEST
        read.insert(path.to_owned(), data.clone());
        Some(data)
    }

    fn take(&self, face: &FaceInfo, asked: &str) -> Option<(FontData, u32)> {
        let data: FontData = match &face.source {
            Source::Binary(data) => data.clone(),
            Source::File(path) | Source::SharedFile(path, _) => self.read(path)?,
        };
        let family = face.families.first().map_or_else(|| face.post_script_name.clone(), |(name, _)| name.clone());
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert((asked.to_owned(), family));
        Some((data, face.index))
    }
}

/// What a document calls the family of a standard font.
const fn asked_for(font: StandardFont) -> &'static str {
    use StandardFont as F;
    match font {
        F::Helvetica | F::HelveticaBold | F::HelveticaOblique | F::HelveticaBoldOblique => "Helvetica",
        F::TimesRoman | F::TimesBold | F::TimesItalic | F::TimesBoldItalic => "Times",
        F::Courier | F::CourierBold | F::CourierOblique | F::CourierBoldOblique => "Courier",
        F::Symbol => "Symbol",
        F::ZapfDingBats => "ZapfDingbats",
    }
}

/// Whether a file may have a family of a region of East Asia beside those of the others, as `NotoSansCJK-Regular.ttc` has.
fn is_of_collection(stem: &str, family: &str) -> bool {
    let all = ["jp", "kr", "sc", "tc"].iter().find_map(|region| family.strip_suffix(region));
    all.is_some_and(|all| stem.starts_with(all))
}

fn best(fonts: &Database, families: &[&str], look: &Look) -> Option<FaceInfo> {
    let families: Vec<Family<'_>> = families.iter().map(|name| Family::Name(name)).collect();
    let Look { weight, style, .. } = *look;
    let id = fonts.query(&Query { families: &families, weight, stretch: Stretch::Normal, style })?;
    fonts.face(id).cloned()
}

/// A name without what is written in one way here and in another there.
fn squeezed(name: &str) -> String {
    name.chars().filter(|sign| sign.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The files of fonts that are installed for all.
fn font_files() -> Vec<PathBuf> {
    const MOST: usize = 20_000;
    let (mut files, mut folders) =
        (Vec::new(), vec![PathBuf::from("/usr/local/share/fonts"), "/usr/share/fonts".into()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                _ if files.len() + folders.len() > MOST => return files,
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => files.push(entry.path()),
            }
        }
    }
    files
}

/// The standard fonts (ISO 32000-1, 9.6.2.2).
const STANDARD: [&str; 14] = [
    "Courier",
    "Courier-Bold",
    "Courier-BoldOblique",
    "Courier-Oblique",
    "Helvetica",
    "Helvetica-Bold",
    "Helvetica-BoldOblique",
    "Helvetica-Oblique",
    "Symbol",
    "Times-Bold",
    "Times-BoldItalic",
    "Times-Italic",
    "Times-Roman",
    "ZapfDingbats",
];

/// A page's fonts that are not embedded, of those that something is written with.
#[derive(Debug, Clone, Default)]
pub struct NotEmbedded {
    /// Their names, without those that every program has.
    pub names: BTreeSet<String>,
    /// Some are for letters that not every font has.
    pub may_lack: bool,
    /// Names of those that are written with by the numbers of their own glyphs, which are others in another font (9.7.5.2).
    pub by_glyphs: BTreeSet<String>,
}

impl NotEmbedded {
    pub fn merge(&mut self, other: &Self) {
        self.names.extend(other.names.iter().cloned());
        self.may_lack |= other.may_lack;
        self.by_glyphs.extend(other.by_glyphs.iter().cloned());
    }

    /// Adds a font that something is written with.
    pub fn add(&mut self, font: &Dict<'_>) {
        let inner = font.get::<Array<'_>>("DescendantFonts").and_then(|fonts| fonts.iter::<Dict<'_>>().next());
        let descriptor = inner.as_ref().unwrap_or(font).get::<Dict<'_>>("FontDescriptor");
        let brings = |descriptor: Dict<'_>| FILES.iter().any(|key| descriptor.contains_key(key));
        let is_drawing = font.get::<Name<'_>>("Subtype").is_some_and(|kind| kind.as_ref() == b"Type3");
        if is_drawing || descriptor.is_some_and(brings) {
            return;
        }
        let has_own_codes = |encoding: Dict<'_>| {
            let codes = encoding.get::<Array<'_>>("Differences");
            let mut names = codes.iter().flat_map(|codes| codes.iter::<Object<'_>>()).filter_map(Object::into_name);
            !names.all(|name| is_everywhere(name.as_str()))
        };
        self.may_lack |= inner.is_some() || font.get::<Dict<'_>>("Encoding").is_some_and(has_own_codes);
        let name = font.get::<Name<'_>>("BaseFont").map(|name| String::from_utf8_lossy(name.as_ref()).into_owned());
        let collection = inner.as_ref().and_then(|inner| inner.get::<Dict<'_>>("CIDSystemInfo"));
        let is_of_none = |collection: &Dict<'_>| match collection.get::<PdfString<'_>>("Ordering") {
            Some(ordering) => ordering.as_bytes() == b"Identity",
            None => true,
        };
        if inner.is_some() && collection.as_ref().is_none_or(is_of_none) {
            self.by_glyphs.extend(name.clone());
        }
        self.names.extend(name.filter(|name| !STANDARD.contains(&name.as_str())));
    }
}

/// Whether all fonts for text have the glyph: those of the standard encodings (ISO 32000-2, D.2).
fn is_everywhere(glyph: &str) -> bool {
    const BEYOND_LATIN_1: &str = "ŒœŠšŸŽžŁłıƒˆ˜¯˘˙¨˚¸˝˛ˇ–—‘’‚“”„†‡•…‰‹›⁄€™−ﬁﬂ";
    glyph == ".notdef" || names::letter(glyph).is_some_and(|letter| letter <= 'ÿ' || BEYOND_LATIN_1.contains(letter))
}

/// Where a descriptor has the file of its font.
const FILES: [&str; 3] = ["FontFile", "FontFile2", "FontFile3"];

/// What a font looks like.
struct Look {
    families: &'static [&'static str],
    weight: Weight,
    style: Style,
}

impl Look {
    fn of(font: StandardFont) -> Self {
        use StandardFont as F;
        let families = match font {
            F::Helvetica | F::HelveticaBold | F::HelveticaOblique | F::HelveticaBoldOblique => SANS,
            F::TimesRoman | F::TimesBold | F::TimesItalic | F::TimesBoldItalic => SERIF,
            F::Courier | F::CourierBold | F::CourierOblique | F::CourierBoldOblique => FIXED,
            F::Symbol => SYMBOL,
            F::ZapfDingBats => DINGBATS,
        };
        let is_bold = matches!(
            font,
            F::HelveticaBold
                | F::HelveticaBoldOblique
                | F::TimesBold
                | F::TimesBoldItalic
                | F::CourierBold
                | F::CourierBoldOblique
        );
        let style = match font {
            F::TimesItalic | F::TimesBoldItalic => Style::Italic,
            F::HelveticaOblique | F::HelveticaBoldOblique | F::CourierOblique | F::CourierBoldOblique => Style::Oblique,
            _ => Style::Normal,
        };
        Self { families, weight: if is_bold { Weight::BOLD } else { Weight::NORMAL }, style }
    }

    fn of_query(font: &FallbackFontQuery) -> Self {
        let families = match (font.is_fixed_pitch, font.is_serif) {
            (true, _) => FIXED,
            (false, true) => SERIF,
            (false, false) => SANS,
        };
        let weight = if font.is_bold { 700 } else { font.font_weight.clamp(100, 900) };
        let style = if font.is_italic { Style::Italic } else { Style::Normal };
        Self { families, weight: Weight(weight as u16), style }
    }
}
