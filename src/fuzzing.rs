//! Everything that reads what others sent, each as a function that takes any bytes. `tests/fuzz` drives them with bytes of its own
//! making; what it came upon is kept in `tests/fuzz/corpus`, and is read by a test.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::media;
use crate::model::{handle, schedule::Schedule};
use crate::serving::resolve;
use crate::transport;

pub use media::fuzzing::Reader;

/// By the folders of their corpora.
pub fn readers() -> Vec<(&'static str, Reader)> {
    let others: [(&str, Reader); 5] = [
        ("cron", cron),
        ("handle", handles),
        ("modifier", modifier),
        ("multipart", transport::multipart::fuzzing::body),
        ("soap", transport::soap::fuzzing::request),
    ];
    media::fuzzing::READERS.iter().copied().chain(others).collect()
}

fn cron(bytes: &[u8]) {
    const ZONES: [Tz; 3] = [Tz::UTC, Tz::Europe__Berlin, Tz::America__New_York];
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(schedule) = Schedule::parse(text) else { return };
    let _ = (schedule.describe(), schedule.to_string());
    // Around the end of summer time, and where dates end.
    for seconds in [0, 1_792_886_400, 4_102_444_799] {
        for zone in ZONES {
            let mut after = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(seconds);
            for _ in 0..3 {
                let Some(next) = schedule.next_after(after, zone) else { break };
                assert!(next > after, "{text:?} fires at {next}, not after {after}, in {zone}");
                after = next;
            }
        }
    }
}

fn handles(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = handle::parse_company("field", text).is_ok();
    let _ = handle::parse_account("field", text).is_ok();
    let _ = handle::parse_context("field", text).is_ok();
    let _ = handle::parse_image_format("field", text).is_ok();
    let _ = handle::parse_metadata_field("field", text).is_ok();
    let _ = handle::parse_project("field", text).is_ok();
    let _ = handle::parse_property_set_type("field", text).is_ok();
    let _ = handle::parse_property_set("field", text).is_ok();
    let _ = handle::parse_asset("field", text).is_ok();
    let _ = handle::parse_folder("field", "Company/", text).is_ok();
    let _ = handle::parse_job("field", text).is_ok();
    let _ = crate::contract::to_legacy_handle(text);
}

/// Commands of the image-serving protocol, and what they make of a picture.
fn modifier(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // Image formats that name each other.
    let formats = |name: &str| Some(format!("${name}$&wid=10")).filter(|_| name.len() < 4);
    if let Ok(resolved) = resolve(text, None, &formats) {
        media::fuzzing::carry_out(resolved.commands);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// What each reader was fed with by hand, and what fuzzing came upon; cut and bent a little besides.
    #[test]
    fn every_corpus_is_read_without_harm() {
        let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
        let known: Vec<&str> = readers().into_iter().map(|(name, _)| name).collect();
        for entry in std::fs::read_dir(&corpora).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(known.contains(&&*name), "{name} is the corpus of no reader");
        }
        for (name, read) in readers() {
            let files = std::fs::read_dir(corpora.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut count = 0;
            for file in files {
                let path = file.unwrap().path();
                let bytes = std::fs::read(&path).unwrap();
                assert!(bytes.len() <= 16 << 10, "{} is large for a corpus", path.display());
                read(&bytes);
                read(&bytes[..bytes.len() / 2]);
                let mut bent = bytes.clone();
                for at in (count % 7..bytes.len()).step_by(bytes.len() / 3 + 1) {
                    bent[at] ^= 0x41;
                    read(&bent);
                }
                count += 1;
            }
            assert!(count > 0, "{name} has no corpus");
        }
    }
}
