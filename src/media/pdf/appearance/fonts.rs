//! Fonts for text that has none of its own: the one that the default appearance names, as far as its codes are known,
//! and standard fonts in its style for all other letters.

use std::collections::BTreeMap;
use std::fmt::Write;

use hayro::hayro_syntax::object::{Array, Dict, Name, Object};

use super::widths::{self, Table};
use super::{names, strings};

/// Letters beside ASCII that a font of ours has: as many as codes that are free from `FIRST_CODE` on.
const LETTERS_EACH: usize = 120;
const FIRST_CODE: u8 = 128;

/// Fonts of ours for one text; letters that would need more are left out.
const MOST_FONTS: usize = 32;

/// A letter that is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Glyph {
    pub letter: char,
    /// Which font of [`Fonts`].
    pub font: usize,
    code: u8,
    /// For a size of 1.
    pub width: f64,
}

/// A font as it stands in the resources.
enum Font {
    Declared(Declared),
    Own(Vec<char>),
    Wide(Collection),
}

/// What the letters of Chinese, Japanese and Korean are numbered by (9.7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Collection {
    Japan,
    Korea,
    Taiwan,
    China,
}

impl Collection {
    /// Ordering, supplement, and the predefined CMap for UTF-16 (9.7.5.2).
    const fn names(self) -> (&'static str, u8, &'static str) {
        match self {
            Self::Japan => ("Japan1", 6, "UniJIS-UTF16-H"),
            Self::Korea => ("Korea1", 2, "UniKS-UTF16-H"),
            Self::Taiwan => ("CNS1", 5, "UniCNS-UTF16-H"),
            Self::China => ("GB1", 5, "UniGB-UTF16-H"),
        }
    }

    /// The one that a letter belongs to, if it is no ideograph, which are in all of them.
    const fn of(letter: char) -> Option<Self> {
        match letter {
            '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff61}'..='\u{ff9f}' => Some(Self::Japan),
            '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' | '\u{ac00}'..='\u{d7a3}' => Some(Self::Korea),
            '\u{3105}'..='\u{312f}' => Some(Self::Taiwan),
            _ => None,
        }
    }
}

/// A standard font, by its style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Sans,
    Serif,
    Fixed,
    Dingbats,
    Symbol,
}

#[derive(Debug, Clone, Copy)]
struct Face {
    family: Family,
    is_bold: bool,
    is_italic: bool,
}

impl Face {
    /// The style that the name of a font tells of, or its usual abbreviation in forms.
    fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        let family = if has(&["zadb", "dingbats"]) {
            Family::Dingbats
        } else if name.starts_with("symb") {
            Family::Symbol
        } else if has(&["cour", "mono", "typewriter", "consol"]) || name.starts_with("cob") {
            Family::Fixed
        } else if has(&["sans", "arial", "helv"]) {
            Family::Sans
        } else if has(&["times", "serif", "roman", "tiro", "georgia", "garamond", "cambria", "palat", "minion", "song"])
            || name.starts_with("tib")
        {
            Family::Serif
        } else {
            Family::Sans
        };
        let is_short = |short: &[&str]| short.contains(&&*name);
        Self {
            family,
            is_bold: has(&["bold", "black", "heavy", "demi"])
                || is_short(&["hebo", "hebi", "tibo", "tibi", "cobo", "cobi"]),
            is_italic: has(&["italic", "oblique"]) || is_short(&["heob", "hebi", "tiit", "tibi", "coob", "cobi"]),
        }
    }

    const fn base_font(self) -> &'static str {
        match (self.family, self.is_bold, self.is_italic) {
            (Family::Sans, false, false) => "Helvetica",
            (Family::Sans, true, false) => "Helvetica-Bold",
            (Family::Sans, false, true) => "Helvetica-Oblique",
            (Family::Sans, true, true) => "Helvetica-BoldOblique",
            (Family::Serif, false, false) => "Times-Roman",
            (Family::Serif, true, false) => "Times-Bold",
            (Family::Serif, false, true) => "Times-Italic",
            (Family::Serif, true, true) => "Times-BoldItalic",
            (Family::Fixed, false, false) => "Courier",
            (Family::Fixed, true, false) => "Courier-Bold",
            (Family::Fixed, false, true) => "Courier-Oblique",
            (Family::Fixed, true, true) => "Courier-BoldOblique",
            (Family::Dingbats, ..) => "ZapfDingbats",
            (Family::Symbol, ..) => "Symbol",
        }
    }

    const fn table(self) -> Option<&'static Table> {
        Some(match (self.family, self.is_bold, self.is_italic) {
            (Family::Sans, false, _) => &widths::HELVETICA,
            (Family::Sans, true, _) => &widths::HELVETICA_BOLD,
            (Family::Serif, false, false) => &widths::TIMES_ROMAN,
            (Family::Serif, true, false) => &widths::TIMES_BOLD,
            (Family::Serif, false, true) => &widths::TIMES_ITALIC,
            (Family::Serif, true, true) => &widths::TIMES_BOLD_ITALIC,
            _ => return None,
        })
    }

    const fn is_of_letters(self) -> bool {
        !matches!(self.family, Family::Dingbats | Family::Symbol)
    }

    fn width(self, letter: char) -> f64 {
        let width = match (self.family, self.table()) {
            (_, Some(table)) => widths::width(table, letter),
            (Family::Dingbats, _) => dingbat_width(letter),
            _ if widths::is_wide(letter) => widths::FULL,
            _ => widths::FIXED,
        };
        f64::from(width) / 1000.0
    }
}

/// Marks of check boxes are listed, others have a usual width.
const fn dingbat_width(letter: char) -> u16 {
    match letter {
        '4' => 846,
        '8' => 677,
        'H' => 816,
        'l' => 791,
        'n' => 761,
        ' ' => 278,
        _ => 788,
    }
}

/// A simple font of the document.
struct Declared {
    /// Where it is, as an object of the document.
    source: Vec<u8>,
    codes: BTreeMap<char, u8>,
    first: i64,
    widths: Vec<f64>,
    face: Face,
}

impl Declared {
    /// A font whose codes are known, called `name` in `resources`.
    fn find(resources: &Dict<'_>, name: &[u8]) -> Option<Self> {
        let fonts = resources.get::<Dict<'_>>("Font")?;
        let dict = fonts.get::<Dict<'_>>(name)?;
        let subtype = dict.get::<Name<'_>>("Subtype")?;
        if !matches!(&*subtype, b"Type1" | b"MMType1" | b"TrueType") {
            return None;
        }
        let source = match fonts.get_ref(name) {
            Some(place) => format!("{} {} R", place.obj_number, place.gen_number).into_bytes(),
            None => dict.data().to_vec(),
        };
        let face = Face::of(dict.get::<Name<'_>>("BaseFont")?.as_str());
        let widths = dict.get::<Array<'_>>("Widths");
        let widths: Vec<f64> = widths.map(|widths| widths.iter::<f64>().take(256).collect()).unwrap_or_default();
        let first = dict.get::<i64>("FirstChar").unwrap_or(0);
        let is_embedded = dict.get::<Dict<'_>>("FontDescriptor").is_some_and(|descriptor| {
            ["FontFile", "FontFile2", "FontFile3"].iter().any(|key| descriptor.contains_key(key))
        });
        let encoding = Encoding::of(&dict, face, is_embedded)?;
        let mut font = Self { source, codes: BTreeMap::new(), first, widths, face };
        for code in 0..=u8::MAX {
            // A part of a font has widths for the letters that it has.
            let is_there = !is_embedded || font.listed_width(code).is_some_and(|width| width > 0.0);
            if let Some(letter) = encoding.letter(code).filter(|_| is_there) {
                font.codes.entry(letter).or_insert(code);
            }
        }
        Some(font)
    }

    fn listed_width(&self, code: u8) -> Option<f64> {
        let at = usize::try_from(i64::from(code).checked_sub(self.first)?).ok()?;
        self.widths.get(at).copied().filter(|width| width.is_finite()).map(|width| width.clamp(0.0, 10_000.0))
    }

    fn width(&self, letter: char, code: u8) -> f64 {
        self.listed_width(code).map_or_else(|| self.face.width(letter), |width| width / 1000.0)
    }
}

fn base_font(resources: &Dict<'_>, name: &[u8]) -> Option<String> {
    let font = resources.get::<Dict<'_>>("Font")?.get::<Dict<'_>>(name)?;
    Some(font.get::<Name<'_>>("BaseFont")?.as_str().to_owned())
}

/// The letters of a simple font's codes (9.6.5).
struct Encoding {
    base: fn(u8) -> Option<char>,
    differences: BTreeMap<u8, Option<char>>,
}

impl Encoding {
    /// That of a font, if it can be known without its program.
    fn of(font: &Dict<'_>, face: Face, is_embedded: bool) -> Option<Self> {
        let named = |name: &[u8]| -> Option<fn(u8) -> Option<char>> {
            Some(match name {
                b"WinAnsiEncoding" => win_ansi,
                b"MacRomanEncoding" => mac_roman,
                b"PDFDocEncoding" => |code| Some(strings::pdf_doc(code)).filter(|letter| !letter.is_control()),
                b"StandardEncoding" => standard,
                _ => return None,
            })
        };
        let (mut base, mut differences) = (None, BTreeMap::new());
        match font.get::<Object<'_>>("Encoding") {
            _ if !face.is_of_letters() => base = Some((|code| Some(char::from(code))) as fn(u8) -> Option<char>),
            Some(Object::Name(name)) => base = named(&name),
            Some(Object::Dict(dict)) => {
                base = dict.get::<Name<'_>>("BaseEncoding").and_then(|name| named(&name));
                differences =
                    dict.get::<Array<'_>>("Differences").map(|list| read_differences(&list)).unwrap_or_default();
                base = base.or((!is_embedded).then_some(standard));
                // What is not among the differences is known by the program only.
                base = base.or(Some(|_| None));
            }
            _ => {}
        }
        base = base.or((!is_embedded).then_some(standard));
        Some(Self { base: base?, differences })
    }

    fn letter(&self, code: u8) -> Option<char> {
        match self.differences.get(&code) {
            Some(letter) => *letter,
            None => (self.base)(code),
        }
    }
}

fn read_differences(list: &Array<'_>) -> BTreeMap<u8, Option<char>> {
    let (mut differences, mut code) = (BTreeMap::new(), 0_u8);
    for entry in list.iter::<Object<'_>>().take(1024) {
        match entry {
            Object::Number(number) => code = u8::try_from(number.as_i64()).unwrap_or(u8::MAX),
            Object::Name(name) => {
                differences.insert(code, names::letter(name.as_str()));
                code = code.saturating_add(1);
            }
            _ => {}
        }
    }
    differences
}

const WINDOWS: &str = "€\0‚ƒ„…†‡ˆ‰Š‹Œ\0Ž\0\0‘’“”•–—˜™š›œ\0žŸ";
const MACINTOSH: &str = "ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™´¨\0ÆØ\0±\0\0¥µ\0\0\0\0\0ªº\0æø¿¡¬\0ƒ\0\0«»…\0\
    ÀÃÕŒœ–—“”‘’÷\0ÿŸ⁄€‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\0ÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ";
/// From 0xA1 on.
const STANDARD: &str = "¡¢£⁄¥ƒ§¤'“«‹›ﬁﬂ\0–†‡·\0¶•‚„”»…‰\0¿\0`´ˆ˜¯˘˙¨\0˚¸\0˝˛ˇ—\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    Æ\0ª\0\0\0\0ŁØŒº\0\0\0\0\0æ\0\0\0ı\0\0łøœß";

fn listed(letters: &str, first: u8, code: u8) -> Option<char> {
    letters.chars().nth(usize::from(code.checked_sub(first)?)).filter(|letter| *letter != '\0')
}

fn ascii(code: u8) -> Option<char> {
    (0x20..0x7f).contains(&code).then_some(char::from(code))
}

fn win_ansi(code: u8) -> Option<char> {
    if code >= 0xa0 { Some(char::from(code)) } else { ascii(code).or_else(|| listed(WINDOWS, 0x80, code)) }
}

fn mac_roman(code: u8) -> Option<char> {
    ascii(code).or_else(|| listed(MACINTOSH, 0x80, code))
}

fn standard(code: u8) -> Option<char> {
    match code {
        b'\'' => Some('’'),
        b'`' => Some('‘'),
        0xc1 => Some('`'),
        0xa9 => Some('\''),
        _ => ascii(code).or_else(|| listed(STANDARD, 0xa1, code)),
    }
}

/// The fonts of an appearance.
pub struct Fonts {
    fonts: Vec<Font>,
    face: Face,
    known: BTreeMap<char, Option<Glyph>>,
    ideographs: Collection,
}

impl Fonts {
    /// Those for text in the font called `name` in the first of `resources` that has it; standard ones in its style
    /// where none has.
    pub fn new(resources: &[Option<Dict<'_>>], name: &[u8]) -> Self {
        let declared = resources.iter().flatten().find_map(|resources| Declared::find(resources, name));
        let base = resources.iter().flatten().find_map(|resources| base_font(resources, name));
        let face = Face::of(&base.unwrap_or_else(|| String::from_utf8_lossy(name).into_owned()));
        let fonts = declared.map(Font::Declared).into_iter().collect();
        Self { fonts, face, known: BTreeMap::new(), ideographs: Collection::China }
    }

    pub fn standard(name: &str) -> Self {
        Self::new(&[], name.as_bytes())
    }

    /// The letters of a text without line ends; those that no font can have are left out.
    pub fn glyphs(&mut self, text: &str) -> Vec<Glyph> {
        // Ideographs are drawn as in the language of what stands among them.
        if let Some(collection) = text.chars().find_map(Collection::of) {
            self.ideographs = collection;
        }
        text.chars().filter_map(|letter| self.glyph(letter)).collect()
    }

    pub fn glyph(&mut self, letter: char) -> Option<Glyph> {
        if let Some(known) = self.known.get(&letter) {
            return *known;
        }
        let glyph = self.declared(letter).or_else(|| self.wide(letter)).or_else(|| self.own(letter));
        self.known.insert(letter, glyph);
        glyph
    }

    fn declared(&self, letter: char) -> Option<Glyph> {
        let Some(Font::Declared(font)) = self.fonts.first() else { return None };
        let alike = match letter {
            '\u{a0}' => ' ',
            '\u{ad}' | '\u{2010}' | '\u{2011}' => '-',
            letter => letter,
        };
        let code = *font.codes.get(&letter).or_else(|| font.codes.get(&alike))?;
        Some(Glyph { letter, font: 0, code, width: font.width(letter, code) })
    }

    fn wide(&mut self, letter: char) -> Option<Glyph> {
        if !widths::is_wide(letter) || ('\u{1f300}'..'\u{20000}').contains(&letter) {
            return None;
        }
        let collection = Collection::of(letter).unwrap_or(self.ideographs);
        let is_it = |font: &Font| matches!(font, Font::Wide(other) if *other == collection);
        let font = self.fonts.iter().position(is_it).unwrap_or(self.fonts.len());
        if font == self.fonts.len() {
            self.fonts.push(Font::Wide(collection));
        }
        Some(Glyph { letter, font, code: 0, width: 1.0 })
    }

    fn own(&mut self, letter: char) -> Option<Glyph> {
        let is_plain = matches!(letter, ' '..='~') || !self.face.is_of_letters();
        let has_room = |font: &Font| match font {
            Font::Own(letters) => is_plain || letters.len() < LETTERS_EACH,
            _ => false,
        };
        let font = self.fonts.iter().position(has_room).unwrap_or(self.fonts.len());
        if font == self.fonts.len() {
            if font >= MOST_FONTS {
                return None;
            }
            self.fonts.push(Font::Own(Vec::new()));
        }
        let Some(Font::Own(letters)) = self.fonts.get_mut(font) else { return None };
        let code = if is_plain {
            u8::try_from(u32::from(letter)).ok()?
        } else {
            letters.push(letter);
            FIRST_CODE.checked_add(u8::try_from(letters.len() - 1).ok()?)?
        };
        Some(Glyph { letter, font, code, width: self.face.width(letter) })
    }

    /// The code of a letter in its font, as hexadecimal digits.
    pub fn code(&self, glyph: &Glyph) -> String {
        match self.fonts.get(glyph.font) {
            Some(Font::Wide(_)) => {
                glyph.letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("{unit:04x}")).collect()
            }
            _ => format!("{:02x}", glyph.code),
        }
    }

    /// Writes the entry /Font of the resources.
    pub fn write(&self, resources: &mut Vec<u8>) {
        if self.fonts.is_empty() {
            return;
        }
        resources.extend(b"/Font<<");
        for (number, font) in self.fonts.iter().enumerate() {
            resources.extend(format!("/F{number} ").bytes());
            match font {
                Font::Declared(font) => resources.extend(&font.source),
                Font::Own(letters) => resources.extend(self.own_font(letters).bytes()),
                Font::Wide(collection) => resources.extend(wide_font(*collection).bytes()),
            }
        }
        resources.extend(b">>");
    }

    fn own_font(&self, letters: &[char]) -> String {
        let mut font = format!("<</Type/Font/Subtype/Type1/BaseFont/{}", self.face.base_font());
        if self.face.is_of_letters() {
            font.push_str("/Encoding<</Type/Encoding/BaseEncoding/WinAnsiEncoding");
            if !letters.is_empty() {
                let _ = write!(font, "/Differences[{FIRST_CODE}");
                for letter in letters {
                    let _ = write!(font, "/{}", names::name(*letter));
                }
                font.push(']');
            }
            font.push_str(">>");
            if !letters.is_empty() {
                self.write_widths(&mut font, letters);
            }
        }
        font + ">>"
    }
}

impl Fonts {
    /// Nobody knows them of letters that the standard fonts do not have.
    fn write_widths(&self, font: &mut String, letters: &[char]) {
        const FIRST: u8 = b' ';
        let _ = write!(font, "/FirstChar {FIRST}/LastChar {}/Widths[", u8::MAX);
        for code in FIRST..=u8::MAX {
            let added = code.checked_sub(FIRST_CODE).and_then(|at| letters.get(usize::from(at)));
            let letter = added.copied().or_else(|| win_ansi(code)).unwrap_or(' ');
            let _ = write!(font, "{:.0} ", self.face.width(letter) * 1000.0);
        }
        font.push(']');
    }
}

/// A font that is not embedded, for a whole collection (9.7.6.2).
fn wide_font(collection: Collection) -> String {
    let (ordering, supplement, map) = collection.names();
    let system = format!("<</Registry(Adobe)/Ordering({ordering})/Supplement {supplement}>>");
    let base = format!("Adobe{ordering}");
    let descriptor = format!(
        "<</Type/FontDescriptor/FontName/{base}/Flags 4/FontBBox[0 -200 1000 900]/ItalicAngle 0/Ascent 880/Descent -120\
        /CapHeight 880/StemV 80>>"
    );
    format!(
        "<</Type/Font/Subtype/Type0/BaseFont/{base}/Encoding/{map}/DescendantFonts[<</Type/Font/Subtype/CIDFontType0\
        /BaseFont/{base}/CIDSystemInfo{system}/DW 1000/FontDescriptor{descriptor}>>]>>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_all_scripts_have_a_font() {
        let mut fonts = Fonts::standard("HeBo");
        let glyphs = fonts.glyphs("aŁЖ日かב");
        let codes: Vec<String> = glyphs.iter().map(|glyph| fonts.code(glyph)).collect();
        assert_eq!(codes, ["61", "80", "81", "65e5", "304b", "82"]);
        let mut resources = Vec::new();
        fonts.write(&mut resources);
        let resources = String::from_utf8(resources).unwrap();
        assert!(resources.contains("/BaseFont/Helvetica-Bold"), "{resources}");
        assert!(resources.contains("/Differences[128/Lslash/afii10024/uni05D1]"), "{resources}");
        assert!(resources.contains("/Encoding/UniJIS-UTF16-H"), "{resources}");
    }

    #[test]
    fn there_are_no_more_fonts_than_may_be() {
        let text: String =
            ('\u{4e00}'..'\u{9fff}').chain('\u{a000}'..'\u{abff}').chain('\u{1e000}'..'\u{1f000}').collect();
        let mut fonts = Fonts::standard("Helv");
        assert!(fonts.glyphs(&text).len() > 10_000);
        assert!(fonts.fonts.len() <= MOST_FONTS);
    }

    #[test]
    fn encodings_are_as_long_as_their_tables() {
        assert_eq!(WINDOWS.chars().count(), 32);
        assert_eq!(MACINTOSH.chars().count(), 128);
        assert_eq!(STANDARD.chars().count(), 0xfb - 0xa1 + 1);
        assert_eq!((win_ansi(0x8a), mac_roman(0xff), standard(0xfb)), (Some('Š'), Some('ˇ'), Some('ß')));
        assert_eq!((standard(0xe8), standard(0xd0), mac_roman(0xca)), (Some('Ł'), Some('—'), None));
    }

    #[test]
    fn names_and_letters_go_together() {
        for letter in ['A', 'ą', 'Ω', 'ж', '€', 'ß', '\u{5d1}', '😀', 'µ'] {
            assert_eq!(names::letter(&names::name(letter)), Some(letter));
        }
    }
}
