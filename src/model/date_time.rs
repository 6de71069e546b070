//! xsd:dateTime as text: the form that RFC 3339 has too, but without leap seconds, with the end of a day as `24:00:00`,
//! and with or without a zone.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, TimeDelta, Utc};

/// The rules that a text can break.
const FORM: &str = "must be a date and time such as 2026-01-31T18:00:00.000Z or 2026-01-31T18:00:00+01:00";
const HOUR: &str = "must have an hour from 00 to 23, or the time 24:00:00, which is the end of that day";
const SECOND: &str = "must have seconds from 00 to 59; XML Schema has no leap seconds";

/// Farthest zone of XML Schema, in minutes.
const FARTHEST: i32 = 14 * 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XsdDateTime {
    /// An instant.
    Zoned(DateTime<FixedOffset>),
    /// A time on a clock that the text does not name.
    Local(NaiveDateTime),
}

impl XsdDateTime {
    /// Reads a text. The error is the rule that it breaks: "must …".
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (date, rest) = text.trim().split_once('T').ok_or(FORM)?;
        let (time, rest) = rest.split_at_checked("hh:mm:ss".len()).ok_or(FORM)?;
        let (fraction, zone) = split_fraction(rest).ok_or(FORM)?;
        let [year, month, day] = numbers(date, "dddd-dd-dd").ok_or(FORM)?;
        let [hour, minute, second] = numbers(time, "dd:dd:dd").ok_or(FORM)?;
        let nanoseconds = nanoseconds(fraction);
        if second > 59 {
            return Err(SECOND);
        }
        let is_end = hour == 24 && minute == 0 && second == 0 && nanoseconds == 0;
        if hour > 23 && !is_end {
            return Err(HOUR);
        }
        let year = i32::try_from(year).map_err(|_| FORM)?;
        let date = NaiveDate::from_ymd_opt(year, month, day).ok_or(FORM)?;
        let wall = if is_end {
            date.succ_opt().ok_or(FORM)?.and_hms_opt(0, 0, 0)
        } else {
            date.and_hms_nano_opt(hour, minute, second, nanoseconds)
        };
        let wall = wall.ok_or(FORM)?;
        if zone.is_empty() {
            return Ok(Self::Local(wall));
        }
        let offset = offset(zone).ok_or(FORM)?;
        let utc = wall.checked_sub_signed(TimeDelta::seconds(offset.local_minus_utc().into())).ok_or(FORM)?;
        Ok(Self::Zoned(DateTime::from_naive_utc_and_offset(utc, offset)))
    }
}

/// The first and the last millisecond of what a text names when it is compared with instants: a day, a second, or less. It may
/// have a form of XML Schema, be a day alone, or look as JavaScript writes dates, `Fri Jul 25 2014 22:13:45 GMT-0500 (CDT)`.
/// Without a zone it is in UTC, as dates of assets are shown.
pub fn span(text: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let text = text.trim();
    let (first, length) = if let Ok(at) = XsdDateTime::parse(text) {
        let at = match at {
            XsdDateTime::Zoned(at) => at.to_utc(),
            XsdDateTime::Local(at) => at.and_utc(),
        };
        // Clients that know no fractions of seconds send them as zeros.
        (at, if at.timestamp_subsec_millis() > 0 { TimeDelta::milliseconds(1) } else { TimeDelta::seconds(1) })
    } else if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        (day.and_hms_opt(0, 0, 0)?.and_utc(), TimeDelta::days(1))
    } else {
        let written = text.split_once('(').map_or(text, |(written, _zone_name)| written).trim_end();
        let at = DateTime::parse_from_str(written, "%a %b %d %Y %H:%M:%S GMT%z").ok()?;
        (at.to_utc(), TimeDelta::seconds(1))
    };
    let last = first.checked_add_signed(length)?.checked_sub_signed(TimeDelta::milliseconds(1))?;
    Some((first, last))
}

/// The digits behind the point, and what follows; no point is no digits.
fn split_fraction(text: &str) -> Option<(&str, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some(("", text)) };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    (end > 0).then(|| rest.split_at(end))
}

/// What is finer is cut off.
fn nanoseconds(fraction: &str) -> u32 {
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

fn offset(zone: &str) -> Option<FixedOffset> {
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("Z", "") => return FixedOffset::east_opt(0),
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let [hours, minutes] = numbers(rest, "dd:dd")?;
    let total = i32::try_from(hours * 60 + minutes).ok().filter(|total| minutes < 60 && *total <= FARTHEST)?;
    FixedOffset::east_opt(sign * total * 60)
}

/// The numbers of a text of the form, in which `d` is a digit.
fn numbers<const N: usize>(text: &str, form: &str) -> Option<[u32; N]> {
    let fits = |(byte, wanted): (u8, u8)| if wanted == b'd' { byte.is_ascii_digit() } else { byte == wanted };
    if text.len() != form.len() || !text.bytes().zip(form.bytes()).all(fits) {
        return None;
    }
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(text.split(['-', ':'])) {
        *number = digits.parse().ok()?;
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match XsdDateTime::parse(text) {
            Ok(XsdDateTime::Zoned(at)) => at.to_rfc3339(),
            Ok(XsdDateTime::Local(at)) => at.to_string(),
            Err(rule) => rule.to_owned(),
        }
    }

    #[test]
    fn each_form_is_read() {
        for (text, read) in [
            (" 2008-07-31T18:00:00Z ", "2008-07-31T18:00:00+00:00"),
            ("2011-03-30T14:32:08.858-05:00", "2011-03-30T14:32:08.858-05:00"),
            ("2008-07-31T18:00:00.12345678901+14:00", "2008-07-31T18:00:00.123456789+14:00"),
            ("2008-07-31T18:00:00", "2008-07-31 18:00:00"),
            ("2008-07-31T18:00:00.5", "2008-07-31 18:00:00.500"),
            ("2026-11-23T24:00:00Z", "2026-11-24T00:00:00+00:00"),
            ("2026-12-31T24:00:00.000+01:00", "2027-01-01T00:00:00+01:00"),
            ("2028-02-28T24:00:00", "2028-02-29 00:00:00"),
        ] {
            assert_eq!(shown(text), read, "{text}");
        }
    }

    #[test]
    fn other_forms_break_a_rule() {
        for (text, rule) in [
            ("2026-11-23T09:15:60Z", SECOND),
            ("2026-06-30T23:59:60Z", SECOND),
            ("2026-11-23T23:59:61", SECOND),
            ("2026-11-23T24:00:01Z", HOUR),
            ("2026-11-23T24:30:00Z", HOUR),
            ("2026-11-23T24:00:00.001Z", HOUR),
            ("2026-11-23T25:00:00Z", HOUR),
            ("2026-11-23T09:60:00Z", FORM),
            ("2026-02-30T00:00:00Z", FORM),
            ("2026-11-23", FORM),
            ("2026-11-23 09:15:00Z", FORM),
            ("2026-11-23t09:15:00Z", FORM),
            ("2026-11-23T09:15:00z", FORM),
            ("2026-11-23T09:15:00.Z", FORM),
            ("2026-11-23T09:15Z", FORM),
            ("2026-1-2T3:4:5", FORM),
            ("2026-11-23T09:15:00+14:01", FORM),
            ("2026-11-23T09:15:00+0100", FORM),
            ("2026-11-23T09:15:00+01", FORM),
            ("10000-01-01T00:00:00Z", FORM),
            ("-2026-01-01T00:00:00Z", FORM),
            ("2026-11-23T09:15:0é", FORM),
            ("soon", FORM),
            ("", FORM),
        ] {
            assert_eq!(shown(text), rule, "{text}");
        }
    }

    #[test]
    fn a_date_to_compare_with_spans_what_it_names() {
        for (text, first, last) in [
            ("2014-07-26T03:13:45.250Z", "2014-07-26T03:13:45.250Z", "2014-07-26T03:13:45.250Z"),
            ("2014-07-26T03:13:45Z", "2014-07-26T03:13:45.000Z", "2014-07-26T03:13:45.999Z"),
            ("2014-07-26T03:13:45.000Z", "2014-07-26T03:13:45.000Z", "2014-07-26T03:13:45.999Z"),
            ("2014-07-26T03:13:45", "2014-07-26T03:13:45.000Z", "2014-07-26T03:13:45.999Z"),
            ("Fri Jul 25 2014 22:13:45 GMT-0500 (CDT)", "2014-07-26T03:13:45.000Z", "2014-07-26T03:13:45.999Z"),
            (" Fri Jul 25 2014 22:13:45 GMT-0500 ", "2014-07-26T03:13:45.000Z", "2014-07-26T03:13:45.999Z"),
            ("2014-07-26", "2014-07-26T00:00:00.000Z", "2014-07-26T23:59:59.999Z"),
        ] {
            let shown = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
            let (from, until) = span(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((shown(from).as_str(), shown(until).as_str()), (first, last), "{text}");
        }
        for text in ["", "yesterday", "2014", "2014-13-01", "Sat Jul 25 2014 22:13:45 GMT-0500", "Jul 25 2014", "(CDT)"]
        {
            assert_eq!(span(text), None, "{text}");
        }
    }
}
