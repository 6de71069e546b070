//! The code pages of names in archives.
//!
//! An archive may say of a name that it is UTF-8: by a flag or a field of its own (ZIP), or by the sort of its record (pax). Other
//! names are bytes, and nothing says in which code page: the one of the system that packed them. All of them together are
//! looked at, because a name alone is short. If all are UTF-8, they are. Else `chardetng` guesses, with the language of whoever
//! uploads as a hint; and what it takes for a page of Windows with Latin letters is in ZIP files more often one of DOS, which
//! it does not know. Who knows better names it in the configuration.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{
    Encoding, ISO_8859_2, ISO_8859_4, UTF_8, WINDOWS_1250, WINDOWS_1252, WINDOWS_1254, WINDOWS_1257, WINDOWS_1258,
};

/// How the bytes of names stand for text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodePage {
    /// Of the web, where most code pages are known.
    Web(&'static Encoding),
    /// Of DOS in America, and in western Europe, by its upper half.
    Dos { name: &'static str, upper: &'static str },
}

const DOS_437: CodePage = CodePage::Dos {
    name: "CP437",
    upper: "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}",
};

const DOS_850: CodePage = CodePage::Dos {
    name: "CP850",
    upper: "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}",
};

/// Most bytes of names that are looked at for a guess: more make none better.
const MOST_LOOKED_AT: usize = 1 << 20;

impl CodePage {
    pub const UTF_8: Self = Self::Web(UTF_8);

    /// By its name: one of the web's, such as `shift_jis`, `gbk` or `ibm866`, or `cp437` or `cp850`.
    pub fn named(name: &str) -> Option<Self> {
        [DOS_437, DOS_850]
            .into_iter()
            .find(|page| page.name().eq_ignore_ascii_case(name.trim()))
            .or_else(|| Encoding::for_label(name.as_bytes()).filter(|page| page.is_ascii_compatible()).map(Self::Web))
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Web(encoding) => encoding.name(),
            Self::Dos { name, .. } => name,
        }
    }

    /// None: it is no text in this code page.
    pub(super) fn text(self, name: &[u8]) -> Option<String> {
        match self {
            Self::Web(encoding) => {
                encoding.decode_without_bom_handling_and_without_replacement(name).map(|text| text.into_owned())
            }
            Self::Dos { upper, .. } => name
                .iter()
                .map(|byte| match byte.checked_sub(128) {
                    None => Some(char::from(*byte)),
                    Some(place) => upper.chars().nth(place.into()),
                })
                .collect(),
        }
    }

    /// The code page that all of `names` are most likely in. They are from a ZIP file if `may_be_dos`; `language` is the tag of
    /// who uploads it.
    pub(super) fn of<'a>(
        names: impl Iterator<Item = &'a [u8]> + Clone,
        may_be_dos: bool,
        language: Option<&str>,
    ) -> Self {
        let names = names.filter(|name| !name.is_ascii());
        if names.clone().all(|name| std::str::from_utf8(name).is_ok()) {
            return Self::UTF_8;
        }
        let mut left = MOST_LOOKED_AT;
        let looked_at = names.take_while(|name| {
            let is_enough = left == 0;
            left = left.saturating_sub(name.len());
            !is_enough
        });
        let (mut detector, mut letters) = (EncodingDetector::new(Iso2022JpDetection::Deny), Letters::default());
        for name in looked_at {
            detector.feed(name, false);
            detector.feed(b"\n", false);
            letters.look_at(name);
        }
        detector.feed(b"", true);
        let domain = language.and_then(domain);
        let guessed = detector.guess(domain.map(str::as_bytes), Utf8Detection::Deny);
        let is_latin = LATIN.contains(&guessed);
        let is_dos = (is_latin && letters.of_dos > letters.of_windows)
            || (domain.is_none() && letters.are_single && letters.of_windows == 0);
        if may_be_dos && is_dos { DOS_850 } else { Self::Web(guessed) }
    }
}

/// What `chardetng` takes names in Latin letters for.
const LATIN: &[&Encoding] =
    &[WINDOWS_1252, WINDOWS_1250, WINDOWS_1254, WINDOWS_1257, WINDOWS_1258, ISO_8859_2, ISO_8859_4];

/// The domain that a language is the usual one of, where it is written with other letters than Latin ones.
fn domain(language: &str) -> Option<&'static str> {
    let language = language.to_ascii_lowercase();
    Some(match language.split('-').next().unwrap_or_default() {
        "ja" => "jp",
        "ko" => "kr",
        "zh" if ["zh-tw", "zh-hk", "zh-mo"].contains(&&*language) => "tw",
        "zh" => "cn",
        "ru" | "be" => "ru",
        "uk" => "ua",
        "bg" => "bg",
        "el" => "gr",
        "he" => "il",
        "ar" => "eg",
        "fa" => "ir",
        "th" => "th",
        _ => return None,
    })
}

/// What speaks for the code pages of DOS with Latin letters. Their letters stand where those of Windows have signs that names
/// hardly have, and the other way round.
struct Letters {
    of_dos: usize,
    of_windows: usize,
    /// Each stands between ASCII letters, or at the end of some.
    are_single: bool,
}

impl Default for Letters {
    fn default() -> Self {
        Self { of_dos: 0, of_windows: 0, are_single: true }
    }
}

impl Letters {
    fn look_at(&mut self, name: &[u8]) {
        for (at, byte) in name.iter().enumerate().filter(|(_, byte)| !byte.is_ascii()) {
            let beside = |at: Option<usize>| at.and_then(|at| name.get(at)).copied().unwrap_or(b'/');
            let (before, behind) = (beside(at.checked_sub(1)), beside(Some(at + 1)));
            let is_beside_letter = before.is_ascii_alphabetic() || behind.is_ascii_lowercase();
            self.are_single &= before.is_ascii() && behind.is_ascii() && is_beside_letter;
            match byte {
                0x80..=0x9b | 0x9d | 0xa0..=0xa5 | 0xe1 => self.of_dos += 1,
                0xc0..=0xff => self.of_windows += 1,
                _ => self.are_single = false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn guessed(names: &[&[u8]], language: Option<&str>) -> (&'static str, Vec<String>) {
        let page = CodePage::of(names.iter().copied(), true, language);
        (page.name(), names.iter().map(|name| page.text(name).unwrap()).collect())
    }

    #[test]
    fn names_of_many_systems_are_read() {
        for (page, language, names) in [
            ("Shift_JIS", None, ["写真/赤い靴.jpg", "写真/青い靴.jpg"]),
            ("Shift_JIS", Some("ja"), ["日本語.jpg", "表.jpg"]),
            ("Shift_JIS", Some("ja-JP"), ["ソ.jpg", "ｱｲｳ.jpg"]),
            ("EUC-JP", None, ["日本語.jpg", "赤い靴.jpg"]),
            ("GBK", None, ["图片/红色的鞋.jpg", "图片/蓝色的鞋.jpg"]),
            ("Big5", None, ["紅色的鞋.jpg", "藍色的鞋.jpg"]),
            ("EUC-KR", None, ["사진/파란 구두.jpg", "사진.jpg"]),
            ("IBM866", None, ["Новая папка/Обувь.jpg", "фото.jpg"]),
            ("windows-1251", Some("ru"), ["Красные туфли.jpg", "фото.jpg"]),
            ("windows-1252", None, ["été.jpg", "Größe 42.png"]),
            ("windows-1250", None, ["Zażółć.jpg", "gęślą jaźń.jpg"]),
            ("CP850", None, ["été.jpg", "Größe 42.png"]),
            ("CP850", None, ["für.jpg", "plain.jpg"]),
            ("CP850", Some("de"), ["Öl.jpg", "für.jpg"]),
            ("CP850", None, ["año.jpg", "Ångström.jpg"]),
        ] {
            let bytes = names.map(|name| match CodePage::named(page).unwrap() {
                CodePage::Web(encoding) => encoding.encode(name).0.into_owned(),
                CodePage::Dos { upper, .. } => {
                    let place = |sign: char| upper.chars().position(|other| other == sign).unwrap() as u8 + 128;
                    name.chars().map(|sign| if sign.is_ascii() { sign as u8 } else { place(sign) }).collect()
                }
            });
            let bytes = bytes.each_ref().map(Vec::as_slice);
            assert_eq!(guessed(&bytes, language), (page, names.map(str::to_owned).to_vec()));
        }
        assert_eq!(guessed(&["été.jpg".as_bytes(), b"a.jpg"], Some("ja")).0, "UTF-8");
        assert_eq!(guessed(&[], None).0, "UTF-8");
    }

    #[test]
    fn code_pages_are_known_by_their_names() {
        for (name, page) in [("cp437", "CP437"), (" CP850 ", "CP850"), ("sjis", "Shift_JIS"), ("IBM866", "IBM866")] {
            assert_eq!(CodePage::named(name).map(CodePage::name), Some(page), "{name}");
        }
        for none in ["auto", "", "utf-16", "klingon"] {
            assert_eq!(CodePage::named(none), None, "{none}");
        }
        for page in [DOS_437, DOS_850] {
            let upper = page.text(&(128..=255).collect::<Vec<u8>>()).unwrap();
            assert_eq!(upper.chars().count(), 128);
            assert_eq!(page.text(b"a/\x81.jpg").unwrap(), "a/ü.jpg");
        }
        assert_eq!((DOS_437.text(b"\xe3").unwrap(), DOS_850.text(b"\xe3").unwrap()), ("π".to_owned(), "Ò".to_owned()));
    }
}
