use std::collections::{BTreeMap, BTreeSet};

use fluent_bundle::FluentResource;
use serde_json::json;

use super::catalogue::FILES;
use super::*;

fn say(code: &str, params: Value) -> String {
    text(code, params.as_object().unwrap(), "en")
}

/// One message of a Fluent file: its documented parameters with their types, and its pattern.
#[derive(Default)]
struct Entry {
    documented: BTreeMap<String, String>,
    pattern: String,
}

fn entries(source: &str) -> BTreeMap<String, Entry> {
    let mut entries = BTreeMap::new();
    let mut documented = BTreeMap::new();
    let mut current = None;
    for line in source.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            if let Some((name, rest)) = comment.strip_prefix('$').and_then(|comment| comment.split_once(" (")) {
                let kind = rest.split(')').next().unwrap();
                documented.insert(name.to_owned(), kind.to_owned());
            }
        } else if line.starts_with(|sign: char| sign.is_ascii_lowercase()) {
            let (code, pattern) = line.split_once(" =").unwrap();
            let entry = Entry { documented: std::mem::take(&mut documented), pattern: pattern.to_owned() };
            entries.insert(code.to_owned(), entry);
            current = Some(code.to_owned());
        } else if let Some(code) = &current {
            let entry: &mut Entry = entries.get_mut(code).unwrap();
            entry.pattern.push('\n');
            entry.pattern.push_str(line);
        }
    }
    entries
}

/// The variables of a pattern and of the messages it refers to.
fn variables(entries: &BTreeMap<String, Entry>, code: &str) -> BTreeSet<String> {
    let pattern = &entries[code].pattern;
    let name_at =
        |text: &str| text.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '-').next().map(str::to_owned);
    let mut found: BTreeSet<String> = pattern.split('$').skip(1).filter_map(name_at).collect();
    for inner in pattern.split("{ ").skip(1).filter_map(name_at) {
        if entries.contains_key(&inner) {
            found.extend(variables(entries, &inner));
        }
    }
    found.remove("zone");
    found
}

#[test]
fn every_file_parses_and_every_locale_is_one() {
    for (locale, source) in FILES {
        assert!(locale.parse::<unic_langid::LanguageIdentifier>().is_ok(), "{locale} is no locale");
        let parsed = FluentResource::try_new((*source).to_owned());
        assert!(parsed.is_ok(), "{locale}.ftl: {:?}", parsed.err().map(|(_, errors)| errors));
    }
}

#[test]
fn every_code_has_words_in_english_and_no_others_do() {
    let english: BTreeSet<String> = entries(FILES[0].1).into_keys().collect();
    let codes: BTreeSet<String> = code::ALL.iter().map(|code| (*code).to_owned()).collect();
    assert_eq!(english, codes);
}

#[test]
fn other_languages_have_no_codes_of_their_own() {
    for (locale, source) in FILES {
        for code in entries(source).keys() {
            assert!(code::ALL.contains(&code.as_str()), "{locale}.ftl: {code} is no code");
        }
    }
}

#[test]
fn the_documented_parameters_are_those_in_use() {
    let entries = entries(FILES[0].1);
    for (code, entry) in &entries {
        let documented: BTreeSet<String> = entry.documented.keys().cloned().collect();
        assert_eq!(documented, variables(&entries, code), "{code}");
    }
}

fn sample(kind: &str, count: u64) -> Value {
    match kind {
        "Text" => json!("Sömmer <b>"),
        "Number" => json!(count),
        "Bytes" => json!(1_234_567),
        "Milliseconds" => json!(192_000),
        "Time" => json!("2026-11-23T09:15:04Z"),
        other => panic!("unknown type {other}"),
    }
}

#[test]
fn every_code_formats_with_its_parameters() {
    for (locale, source) in FILES {
        for (code, entry) in entries(source) {
            for count in [0, 1, 2, 12_345] {
                let params: Map<String, Value> =
                    entry.documented.iter().map(|(name, kind)| (name.clone(), sample(kind, count))).collect();
                let shown = text(&code, &params, locale);
                assert!(!shown.is_empty(), "{locale} {code}");
                // A line of a log is one line.
                assert!(!shown.contains('\n'), "{locale} {code}: {shown}");
                assert!(!shown.contains(['{', '}', '$']), "{locale} {code}: {shown}");
                assert!(!shown.contains("NUMBER") && !shown.contains("SIZE"), "{locale} {code}: {shown}");
                assert_ne!(shown, code);
            }
        }
    }
}

#[test]
fn every_code_shows_itself_when_a_parameter_is_missing() {
    for (code, entry) in entries(FILES[0].1) {
        if !entry.documented.is_empty() {
            assert_eq!(text(&code, &Map::new(), "en"), code);
            assert_eq!(say(&code, json!({ "other": "x" })), format!(r#"{code} {{"other":"x"}}"#));
        }
    }
}

#[test]
fn an_unknown_code_shows_its_parameters() {
    assert_eq!(
        say("no-such-code", json!({ "file": "a.jpg", "count": 2 })),
        r#"no-such-code {"file":"a.jpg","count":2}"#
    );
    assert_eq!(say("", json!({})), "");
    assert_eq!(say("progress-done", json!({})), "Done");
}

#[test]
fn odd_values_are_shown_as_they_are() {
    let shown = say(code::URL_FETCHED, json!({ "url": ["a", "b"], "bytes": "many", "milliseconds": -5 }));
    assert_eq!(shown, "a, b was fetched: many in -5.");
    assert_eq!(say(code::WAIT_SCHEDULE, json!({ "at": "tomorrow" })), "Fires next on tomorrow.");
    assert_eq!(say(code::WAIT_SCHEDULE, json!({ "at": null })), r#"wait-schedule {"at":null}"#);
    assert_eq!(say(code::JOB_CLIENT, json!({ "client": true })), "true");
    assert_eq!(say(code::JOB_CLIENT, json!({ "client": { "x": 1 } })), r#"{"x":1}"#);
}

/// A client of the API cuts the path before the last " was processed ".
#[test]
fn the_path_can_be_cut_from_an_upload_line() {
    for path in ["Acme/Summer/a b.jpg", "Acme/this was processed already.jpg", "Acme/写真/été.tif"] {
        for code in [code::UPLOAD_SUCCESS, code::FILE_UPDATED] {
            let line = say(code, json!({ "file": path, "type": "Image", "bytes": 52_000 }));
            assert_eq!(line.rsplit_once(" was processed ").unwrap().0, path);
        }
    }
    let line = say(code::UPLOAD_SUCCESS, json!({ "file": "Acme/a.jpg", "type": "Image", "bytes": 52_000 }));
    assert_eq!(line, "Acme/a.jpg was processed as Image (52 kB).");
}

#[test]
fn a_reason_is_a_message_within_a_message() {
    let reason = Message::new(code::REASON_TOO_LARGE).with("bytes", 5_000_000_000_u64).with("limit", 2_000_000_000_u64);
    let error = Message::new(code::UPLOAD_ERROR).with("file", "Acme/film.mov").with("reason", reason);
    assert_eq!(
        super::say(&error, "en", Tz::UTC),
        "Acme/film.mov could not be processed: 5.0 GB are more than the 2.0 GB allowed."
    );
    let stored = serde_json::to_string(&error).unwrap();
    assert_eq!(serde_json::from_str::<Message>(&stored).unwrap(), error);
}

#[test]
fn messages_within_messages_end_somewhere() {
    let mut message = Message::new(code::REASON_EMPTY);
    for _ in 0..60 {
        message = Message::new(code::JOB_FAILED).with("reason", message);
    }
    assert!(super::say(&message, "en", Tz::UTC).starts_with("The job failed: {\"code\":\"job-failed\""));
}

#[test]
fn plurals_and_digits_are_right() {
    let counts = |errors| json!({ "success": 12_345, "updated": 0, "duplicates": 1, "warnings": 2, "errors": errors });
    assert_eq!(
        say(code::END_UPLOAD_DIRECTORY, counts(1)),
        "Upload ended: 12,345 processed, 0 updated, 1 duplicate, 2 warnings, 1 error."
    );
    assert_eq!(
        say(code::END_EXPORT, counts(40)),
        "Export ended: 12,345 processed, 0 updated, 1 duplicate, 2 warnings, 40 errors."
    );
    assert_eq!(say(code::WAIT_TURN, json!({ "ahead": 0 })), "Is next in its company's turn.");
    assert_eq!(say(code::NOT_AVAILABLE, json!({ "kind": "Export" })), "Export: not available in this version.");
}

#[test]
fn times_are_in_the_zone_of_the_reader() {
    let message = Message::new(code::WAIT_SCHEDULE).with("at", "2026-11-23T09:15:04Z");
    assert_eq!(super::say(&message, "en", chrono_tz::Europe::Berlin), "Fires next on Mon 23 Nov 2026, 10:15:04 CET.");
    let millis = Message::new(code::WAIT_SCHEDULE).with("at", 1_795_425_304_000_i64);
    assert_eq!(
        super::say(&millis, "en", chrono_tz::Europe::Berlin),
        super::say(&message, "en", chrono_tz::Europe::Berlin)
    );
}

#[test]
fn a_hostile_name_reaches_neither_terminal_nor_line() {
    let name = "a\u{1b}[31m\r\nb\u{202e}gpj.jpg";
    let clean = "a\u{fffd}[31m  b\u{fffd}gpj.jpg";
    assert_eq!(say(code::JUNK_SKIPPED, json!({ "file": name })).split(" was").next().unwrap(), clean);
    assert!(!say("no-such-code", json!({ "file": name })).contains(['\u{1b}', '\u{202e}', '\n']));
    assert_eq!(harmless("é 写真 👩‍👩‍👧"), "é 写真 👩‍👩‍👧");
}
