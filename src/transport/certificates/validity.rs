//! From when until when a certificate is valid.
//!
//! No crate that is here already tells, and a whole reader of X.509 is much for two times that stand in a fixed place:
//!
//! ```text
//! Certificate  SEQUENCE
//!   tbsCertificate  SEQUENCE
//!     [0] version (may be missing)  serialNumber  signature  issuer
//!     validity  SEQUENCE
//!       notBefore  notAfter          UTCTime or GeneralizedTime
//! ```

use chrono::{DateTime, NaiveDateTime, Utc};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The two ends (RFC 5280, 4.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

impl Validity {
    /// Of a certificate in DER; None if these bytes are none.
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let mut whole = Elements(certificate);
        let mut signed = Elements(Elements(whole.expect(SEQUENCE)?).expect(SEQUENCE)?);
        if signed.0.first() == Some(&VERSION) {
            signed.expect(VERSION)?;
        }
        signed.expect(INTEGER)?;
        signed.expect(SEQUENCE)?;
        signed.expect(SEQUENCE)?;
        let mut times = Elements(signed.expect(SEQUENCE)?);
        Some(Self { from: times.time()?, until: times.time()? })
    }
}

/// What is left of the elements in a row.
struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// The tag and the contents of the next one.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7F => (usize::from(first), rest),
            // More bytes of length than this no certificate has; and DER has no length that is not said.
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }

    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, contents)| contents)
    }

    fn time(&mut self) -> Option<DateTime<Utc>> {
        let (tag, contents) = self.next()?;
        let text = std::str::from_utf8(contents).ok()?;
        let text = match tag {
            // Two digits of a year mean 1950 to 2049.
            UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
            GENERALIZED_TIME => text.to_owned(),
            _ => return None,
        };
        Some(NaiveDateTime::parse_from_str(&text, "%Y%m%d%H%M%SZ").ok()?.and_utc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(from: (i32, u8, u8), until: (i32, u8, u8)) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(vec!["ips.example.com".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
        params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn both_forms_of_time_are_read() {
        for (from, until) in
            [((2024, 2, 29), (2049, 12, 31)), ((1999, 1, 1), (2050, 1, 1)), ((2050, 6, 1), (9999, 12, 31))]
        {
            let date = |(year, month, day): (i32, u8, u8)| {
                chrono::NaiveDate::from_ymd_opt(year, month.into(), day.into())
                    .unwrap()
                    .and_hms_opt(0, 0, 0)
                    .unwrap()
                    .and_utc()
            };
            let expected = Validity { from: date(from), until: date(until) };
            assert_eq!(Validity::of(&made(from, until)), Some(expected));
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_validity() {
        let good = made((2024, 1, 1), (2030, 1, 1));
        assert!(Validity::of(&good).is_some());
        for cut in 0..good.len() {
            assert_eq!(Validity::of(&good[..cut]), None, "{cut} bytes");
        }
        // Whatever stands there, it is read within its bounds.
        for at in 0..200 {
            for byte in [0, 0x7F, 0x80, 0x84, 0xFF] {
                let mut bad = good.clone();
                bad[at] = byte;
                let _ = Validity::of(&bad);
            }
        }
    }
}
