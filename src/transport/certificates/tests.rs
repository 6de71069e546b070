//! Files that come and go, by a clock that is set.

use chrono::NaiveDate;
use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::clock::ManualClock;

fn day(year: i32, month: u32, day: u32) -> DateTime<Utc> {
    NaiveDate::from_ymd_opt(year, month, day).unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc()
}

/// A certificate until the first of January of a year, and its key, in PEM.
fn issued(until: i32) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

struct Place {
    _folder: tempfile::TempDir,
    files: Files,
}

impl Place {
    fn with(issued: &(String, String)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = Files { certificate: folder.path().join("server.crt"), key: folder.path().join("server.key") };
        let place = Self { _folder: folder, files };
        place.put(&issued.0, &issued.1);
        place
    }

    fn put(&self, certificate: &str, key: &str) {
        std::fs::write(&self.files.certificate, certificate).unwrap();
        std::fs::write(&self.files.key, key).unwrap();
    }

    fn refusal(&self) -> String {
        self.files.load().err().expect("it must be refused").to_string()
    }
}

#[test]
fn what_cannot_be_served_is_told_with_its_file() {
    let (one, other) = (issued(2030), issued(2031));
    let place = Place::with(&one);
    assert_eq!(place.files.load().unwrap().validity.until, day(2030, 1, 1));
    place.put(&one.0, &other.1);
    assert!(place.refusal().contains("server.key is not that of the certificate"), "{}", place.refusal());
    place.put("", &one.1);
    assert!(place.refusal().contains("server.crt holds no certificate"), "{}", place.refusal());
    place.put("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &one.1);
    assert!(place.refusal().contains("server.crt holds no certificate"), "{}", place.refusal());
    place.put(&one.0, &one.0);
    assert!(place.refusal().contains("server.key holds no private key"), "{}", place.refusal());
    std::fs::remove_file(&place.files.key).unwrap();
    assert!(place.refusal().contains("server.key cannot be read"), "{}", place.refusal());
}

#[tokio::test]
async fn a_pair_is_taken_when_both_of_it_are_there() {
    let (old, new) = (issued(2030), issued(2031));
    let place = Place::with(&old);
    let clock = ManualClock::at(day(2026, 6, 1));
    let certificates = Certificates::new(place.files.load().unwrap(), clock);
    let expires = certificates.expires();
    let served = || Arc::as_ptr(&certificates.served().get_inner());
    let first = served();
    certificates.look().await;
    assert_eq!(served(), first, "what has not changed is not read again");
    // Half of it.
    place.put(&new.0, &old.1);
    certificates.look().await;
    assert_eq!((served(), *expires.borrow()), (first, day(2030, 1, 1)));
    place.put(&new.0, &new.1);
    certificates.look().await;
    assert_eq!(*expires.borrow(), day(2031, 1, 1));
    let second = served();
    assert_ne!(second, first);
    std::fs::remove_file(&place.files.certificate).unwrap();
    certificates.look().await;
    assert_eq!(served(), second);
    place.put(&old.0, &old.1);
    certificates.look().await;
    assert_eq!(*expires.borrow(), day(2030, 1, 1));
}

#[test]
fn the_end_is_told_in_time() {
    let of_years = Validity { from: day(2026, 1, 1), until: day(2030, 1, 1) };
    for (now, expected) in [
        (day(2029, 12, 1), Nearness::Far),
        (day(2029, 12, 2), Nearness::Near(1)),
        (day(2029, 12, 25), Nearness::Near(2)),
        (day(2029, 12, 31), Nearness::Near(3)),
        (day(2030, 1, 1), Nearness::Over),
    ] {
        assert_eq!(Nearness::of(&of_years, now), expected, "{now}");
    }
    // One of 45 days is renewed after 30.
    let of_weeks = Validity { from: day(2026, 1, 1), until: day(2026, 2, 15) };
    assert_eq!(Nearness::of(&of_weeks, day(2026, 1, 31)), Nearness::Far);
    assert_eq!(Nearness::of(&of_weeks, day(2026, 2, 9)), Nearness::Near(1));
    assert!(Nearness::Far < Nearness::Near(1) && Nearness::Near(1) < Nearness::Near(2));
    assert!(Nearness::Near(3) < Nearness::Over);
}

#[tokio::test]
async fn each_warning_goes_out_once_for_each_certificate() {
    let place = Place::with(&issued(2030));
    let clock = ManualClock::at(day(2029, 12, 3));
    let certificates = Certificates::new(place.files.load().unwrap(), clock.clone());
    let warned = async || certificates.watched.lock().await.warned;
    for _ in 0..2 {
        certificates.look().await;
        assert_eq!(warned().await, Nearness::Near(1));
    }
    clock.set(day(2029, 12, 28));
    certificates.look().await;
    assert_eq!(warned().await, Nearness::Near(2));
    clock.set(day(2030, 1, 2));
    certificates.look().await;
    assert_eq!(warned().await, Nearness::Over);
    let renewed = issued(2034);
    place.put(&renewed.0, &renewed.1);
    certificates.look().await;
    assert_eq!(warned().await, Nearness::Far);
}
