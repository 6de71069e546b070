//! Language tags as the API has them: `xx` or `xx-YY`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::invalid::Invalid;

/// ISO 639-1.
const LANGUAGES: &str = "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz \
    ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv \
    ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn \
    no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg \
    th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu";

/// ISO 3166-1, two letters.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW \
    BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA \
    GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH \
    KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY \
    MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH \
    SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI \
    VN VU WF WS XK YE YT ZA ZM ZW";

/// A language, and maybe a country: `de`, `pt-BR`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Locale(String);

impl Locale {
    /// Accepts `EN`, `en_US` and `en-us` for what they mean; clients send all of them.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let refuse = || {
            let shown: String = text.chars().take(20).collect();
            Invalid::new("locale", format!("must be a language as xx or xx-YY, such as en or pt-BR; not \"{shown}\""))
        };
        let letters = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_alphabetic());
        let mut parts = text.trim().split(['-', '_']);
        let language = parts.next().filter(|p| letters(p)).ok_or_else(refuse)?.to_ascii_lowercase();
        let tag = match parts.next() {
            None => language,
            Some(country) if letters(country) => format!("{language}-{}", country.to_ascii_uppercase()),
            Some(_) => return Err(refuse()),
        };
        if parts.next().is_some() {
            return Err(refuse());
        }
        Ok(Self(tag))
    }

    /// The same, of a language and a country that there are.
    pub fn parse_known(text: &str) -> Result<Self, Invalid> {
        let locale = Self::parse(text)?;
        let listed = |list: &str, code: &str| list.split(' ').any(|known| known == code);
        let (language, country) = locale.0.split_once('-').map_or((locale.0.as_str(), None), |(l, c)| (l, Some(c)));
        if !listed(LANGUAGES, language) {
            return Err(Invalid::new(
                "locale",
                format!("must be a language that there is; \"{language}\" is not one of ISO 639-1"),
            ));
        }
        match country.filter(|country| !listed(COUNTRIES, country)) {
            Some(country) => Err(Invalid::new(
                "locale",
                format!("must be a country that there is; \"{country}\" is not one of ISO 3166-1"),
            )),
            None => Ok(locale),
        }
    }

    pub fn english() -> Self {
        Self("en".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_clients_are_understood() {
        for (text, tag) in [("EN", "en"), ("en_us", "en-US"), ("pt-BR", "pt-BR"), (" de ", "de")] {
            assert_eq!(Locale::parse(text).unwrap().as_str(), tag);
        }
        for text in ["de", "pt_br", "zh-TW", "zu", "aa"] {
            assert!(Locale::parse_known(text).is_ok(), "{text}");
        }
        for text in ["xx", "qq-QQ", "de-XX", "en-UK", "english"] {
            assert_eq!(Locale::parse_known(text).unwrap_err().field, "locale", "{text}");
        }
        for text in ["", "e", "eng", "en-", "en-USA", "en-US-x", "12", "ee\u{301}"] {
            let error = Locale::parse(text).unwrap_err();
            assert_eq!(error.field, "locale", "{text:?}");
        }
    }
}
