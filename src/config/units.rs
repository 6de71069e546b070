//! Values with units: durations ("30s", "1h 30m"), sizes ("512 MiB", "2 GB"), web addresses and secrets.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de};
use thiserror::Error;

/// A length of time: whole numbers with the units `ms`, `s`, `m`, `h` and `d` (24 hours), added up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(Duration);

const PERIOD_UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Period {
    /// A hundred years: more than any wait, and far from the ends of the calendar.
    pub const MAX: Self = Self::days(36_500);

    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    pub const fn minutes(minutes: u64) -> Self {
        Self::seconds(minutes * 60)
    }

    pub const fn hours(hours: u64) -> Self {
        Self::minutes(hours * 60)
    }

    pub const fn days(days: u64) -> Self {
        Self::hours(days * 24)
    }

    pub const fn duration(self) -> Duration {
        self.0
    }

    /// The same for arithmetic with instants.
    pub fn delta(self) -> chrono::TimeDelta {
        chrono::TimeDelta::from_std(self.0).unwrap_or(chrono::TimeDelta::MAX)
    }
}

/// Why a duration was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PeriodError {
    #[error("must be a duration in ms, s, m, h or d, such as \"30s\", \"10m\" or \"1h 30m\"")]
    Unreadable,
    #[error("must be at most {}", Period::MAX)]
    TooLong,
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut rest = text.trim();
        let mut total = 0u64;
        loop {
            let (number, unit, tail) = split_quantity(rest).ok_or(PeriodError::Unreadable)?;
            let (_, millis) = PERIOD_UNITS.iter().find(|(known, _)| *known == unit).ok_or(PeriodError::Unreadable)?;
            let part = number.checked_mul(*millis).ok_or(PeriodError::TooLong)?;
            total = total.checked_add(part).ok_or(PeriodError::TooLong)?;
            if tail.is_empty() {
                break;
            }
            rest = tail;
        }
        let period = Self(Duration::from_millis(total));
        if period > Self::MAX { Err(PeriodError::TooLong) } else { Ok(period) }
    }
}

/// Splits "512 MiB rest" into number, unit and rest.
fn split_quantity(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    let rest = rest.trim_start();
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(letters);
    Some((number.parse().ok()?, unit, rest.trim_start()))
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let whole = |(_, unit): &&(&str, u64)| millis.is_multiple_of(u128::from(*unit));
        let largest = PERIOD_UNITS.iter().filter(|(_, unit)| millis > 0 || *unit == 1_000);
        let (name, unit) = largest.copied().find(|unit| whole(&unit)).unwrap_or(("ms", 1));
        write!(f, "{}{name}", millis / u128::from(unit))
    }
}

/// A number of bytes: a whole number with `B`, `kB`, `MB`, `GB`, `TB` (powers of 1000) or `KiB`, `MiB`, `GiB`, `TiB`
/// (powers of 1024).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl Size {
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    pub const fn kib(kib: u64) -> Self {
        Self(kib << 10)
    }

    pub const fn mib(mib: u64) -> Self {
        Self(mib << 20)
    }

    pub const fn gib(gib: u64) -> Self {
        Self(gib << 30)
    }

    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Why a size was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SizeError {
    #[error("must be a size with a unit, such as \"512 MiB\", \"2 GB\" or \"100 kB\"")]
    Unreadable,
    #[error("must be less than 2^64 bytes")]
    TooLarge,
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, unit, "") = split_quantity(text.trim()).ok_or(SizeError::Unreadable)? else {
            return Err(SizeError::Unreadable);
        };
        let unit = SIZE_UNITS.iter().find(|(known, _)| known.eq_ignore_ascii_case(unit));
        let (_, bytes) = unit.ok_or(SizeError::Unreadable)?;
        number.checked_mul(*bytes).map(Self).ok_or(SizeError::TooLarge)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The unit that gives the smallest number; zero has no such unit.
        let whole = SIZE_UNITS.iter().filter(|(_, unit)| self.0 > 0 && self.0.is_multiple_of(*unit));
        let (name, unit) = whole.max_by_key(|(_, unit)| *unit).unwrap_or(&("B", 1));
        write!(f, "{} {name}", self.0 / unit)
    }
}

/// An address of ours or of a console that goes into documents: http or https, without query, fragment or login.
#[derive(Clone, PartialEq, Eq)]
pub struct WebAddress(url::Url);

impl WebAddress {
    /// Without a slash at the end, so that a path can follow.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be an http or https address without login, query or fragment, such as \"https://images.example.com\"")]
pub struct WebAddressError;

impl FromStr for WebAddress {
    type Err = WebAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url: url::Url = text.parse().map_err(|_| WebAddressError)?;
        let plain =
            url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        let web = matches!(url.scheme(), "http" | "https");
        if plain && web { Ok(Self(url)) } else { Err(WebAddressError) }
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; named so that every use can be found.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // An error of serde's own would show the value.
        String::deserialize(deserializer).map(Self).map_err(|_| de::Error::custom("must be a string"))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

macro_rules! read_as_text {
    ($($name:ident),+) => { $(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    )+ };
}
read_as_text!(Period, Size, WebAddress);

/// A string; of a bare number its digits, so that the error can speak of the unit that is missing.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "must be a string")]
    enum Text {
        String(String),
        Number(i64),
    }
    Ok(match Text::deserialize(deserializer)? {
        Text::String(text) => text,
        Text::Number(number) => number.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods() {
        for (text, millis, shown) in [
            ("30s", 30_000, "30s"),
            ("10m", 600_000, "10m"),
            ("2h", 7_200_000, "2h"),
            ("90d", 7_776_000_000, "90d"),
            ("1500ms", 1_500, "1500ms"),
            ("1h 30m", 5_400_000, "90m"),
            (" 1d12h ", 129_600_000, "36h"),
            ("5 s", 5_000, "5s"),
            ("0s", 0, "0s"),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.duration().as_millis(), millis, "{text}");
            assert_eq!(period.delta().num_milliseconds() as u128, millis, "{text}");
            assert_eq!(period.to_string(), shown, "{text}");
        }
        for text in ["", "30", "s", "-5s", "1.5h", "5 weeks", "5s,", "5S", "1h x"] {
            assert_eq!(text.parse::<Period>(), Err(PeriodError::Unreadable), "{text}");
        }
        for text in ["36501d", "18446744073709551615d"] {
            assert_eq!(text.parse::<Period>(), Err(PeriodError::TooLong), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes, shown) in [
            ("512 MiB", 512 << 20, "512 MiB"),
            ("2 GB", 2_000_000_000, "2 GB"),
            ("100kb", 100_000, "100 kB"),
            ("1024 KiB", 1 << 20, "1 MiB"),
            ("7 B", 7, "7 B"),
            ("0 B", 0, "0 B"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!(size.get(), bytes, "{text}");
            assert_eq!(size.to_string(), shown, "{text}");
        }
        for text in ["", "512", "MiB", "1.5 GB", "-1 B", "5 MiB 3 B", "5 XB"] {
            assert_eq!(text.parse::<Size>(), Err(SizeError::Unreadable), "{text}");
        }
        assert_eq!("99999999999 TiB".parse::<Size>(), Err(SizeError::TooLarge));
    }

    #[test]
    fn web_addresses() {
        let address: WebAddress = "https://images.example.com/".parse().unwrap();
        assert_eq!(address.as_str(), "https://images.example.com");
        for text in ["images.example.com", "ftp://x", "https://u:p@x", "https://x/?q", "https://x/#f", "http://"] {
            assert!(text.parse::<WebAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn secrets_stay_hidden() {
        assert_eq!(format!("{:?}", Secret::new("letmein")), "(hidden)");
    }
}
