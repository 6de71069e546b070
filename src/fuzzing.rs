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
    use std::time::Duration;

    use super::*;
    use crate::clock::Stopwatch;

    /// For as long as `FUZZ_SECONDS` says: the corpora of the readers that `FUZZ_READERS` names, bent by `FUZZ_SEED`. What harms is
    /// left in the temporary folder. It knows nothing of what it reaches, unlike `tests/fuzz`, and needs nothing but this.
    #[test]
    #[ignore = "for hand-started runs"]
    fn bent_corpora_are_read_without_harm() {
        const SLOW: Duration = Duration::from_secs(10);
        let said = |name: &str| std::env::var(name).unwrap_or_default();
        let (seconds, wanted) = (said("FUZZ_SECONDS").parse().unwrap_or(60), said("FUZZ_READERS"));
        let mut seed: u64 = said("FUZZ_SEED").parse().unwrap_or(1);
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below.max(1)
        };
        let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
        let mut inputs = Vec::new();
        for (name, read) in readers() {
            if wanted.is_empty() || wanted.split(',').any(|wanted| wanted == name) {
                let files = std::fs::read_dir(corpora.join(name)).unwrap();
                inputs.extend(files.map(|file| (name, read, std::fs::read(file.unwrap().path()).unwrap())));
            }
        }
        let (begun, mut count) = (Stopwatch::start(), 0_u64);
        let kept = std::env::temp_dir().join(format!("harmful-{}", std::process::id()));
        while begun.elapsed() < Duration::from_secs(seconds) {
            let (name, read, whole) = &inputs[random(inputs.len())];
            let mut bytes = whole.clone();
            for _ in 0..1 + random(6) {
                let (at, other) = (random(bytes.len()), random(bytes.len()));
                let length = random(64).min(bytes.len() - at.max(other));
                match random(8) {
                    0 => bytes.truncate(at + 1),
                    1 => bytes.copy_within(at..at + length, other),
                    2 => drop(bytes.splice(at..at, whole[..length.min(whole.len())].to_vec())),
                    3 => drop(bytes.drain(at..at + length)),
                    4 => {
                        let word = [0_u32, 1, 2, 0x7fff_ffff, 0x8000_0000, u32::MAX, 0xffff, 0x1_0000][random(8)];
                        let word = if random(2) == 0 { word.to_le_bytes() } else { word.to_be_bytes() };
                        bytes.iter_mut().skip(at).zip(word).for_each(|(byte, with)| *byte = with);
                    }
                    5 => bytes[at] = bytes[at].wrapping_add([1, 255, 16][random(3)]),
                    _ => bytes[at] = [0, 1, 2, 7, 0x7f, 0x80, 0xff, random(256) as u8][random(8)],
                }
                if bytes.is_empty() {
                    break;
                }
            }
            std::fs::write(&kept, &bytes).unwrap();
            let single = Stopwatch::start();
            read(&bytes);
            assert!(single.elapsed() < SLOW, "{name}: {:?} for {}", single.elapsed(), kept.display());
            count += 1;
        }
        std::fs::remove_file(kept).unwrap();
        println!("{count} inputs");
    }

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
