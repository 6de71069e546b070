//! What was asked and answered, as text: one recording a chapter.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mail_parser::MessageParser;
use regex::Regex;

use crate::ADA;
use crate::server::{Answer, Server};

use super::ROOT;

/// Where the recordings are, from here.
const RECORDINGS: &str = "../recordings";

/// What is around each answer.
const ENVELOPE: [&str; 2] = [
    r#"<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>"#,
    "</soapenv:Body></soapenv:Envelope>",
];

/// What is another each time, and the word for it.
const PASSING: [(&str, &str); 16] = [
    (r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?( [A-Z+-]+\d*)?( \([^)]*\))?", "TIME"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|(?m:^\d\d:\d\d:\d\d)", "TIME"),
    (r"\d+ (s|min|h) ago|\b(just )?now\b", "AGO"),
    (r"in \d+ (s|min|h|days?)\b", "AHEAD"),
    (r"process \d+", "process NUMBER"),
    (r"(ok|warning)  (gs|pdftoppm|ffmpeg|heif-convert)  .*", "$1  $2  VERSION"),
    (r"room  .*", "room  ROOM"),
    (r#""bytes":\d+,"sha256":"[0-9a-f]{64}""#, "CONTENT"),
    (r"http://localhost:\d+", "ADDRESS"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"\d{4}-\d\d-\d\dT\d\d[:-]\d\d[:-]\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", "TIME"),
    (r"\d{4}-\d\d-\d\d-\d\d:\d\d:\d\d\.\d{3}", "TIME"),
    (r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun),? \d+ [A-Z][a-z]+ \d{4},? \d\d:\d\d(:\d\d)?( [A-Z+-]+\d*)?", "TIME"),
    (r"\d+(\.\d+)? (ms|s)\b", "DURATION"),
    (r"\.[0-9a-f]{24}@", ".TOKEN@"),
    (r#"boundary="[^"]*""#, "boundary=BOUNDARY"),
];

pub struct Tape<'s> {
    pub server: &'s Server,
    namespace: &'static str,
    version: &'static str,
    text: String,
    asked: BTreeSet<String>,
}

impl<'s> Tape<'s> {
    pub fn new(server: &'s Server, namespace: &'static str, version: &'static str) -> Self {
        Self { server, namespace, version, text: String::new(), asked: BTreeSet::new() }
    }

    /// The operations that were called.
    pub const fn asked(&self) -> &BTreeSet<String> {
        &self.asked
    }

    /// The handle as this version writes it.
    pub fn handle(&self, handle: &str) -> String {
        if self.version == "xsd" { prepress::contract::to_legacy_handle(handle) } else { handle.to_owned() }
    }

    /// Asks for something, and records it; the payload of the answer.
    pub async fn ask(&mut self, operation: &str, fields: &str) -> String {
        let user = if operation == "createMetadataField" { ROOT } else { ADA };
        let body = format!("<{operation}Param xmlns=\"{}\">{fields}</{operation}Param>", self.namespace);
        let answer = self.server.soap(user, &body).await;
        self.asked.insert(operation.to_owned());
        self.record(operation, &body, &answer);
        answer.payload().to_owned()
    }

    pub fn record(&mut self, title: &str, request: &str, answer: &Answer) {
        let [head, tail] = ENVELOPE;
        let inside = answer.text.strip_prefix(head).and_then(|rest| rest.strip_suffix(tail));
        // Without an envelope it is shown as it is.
        let answered = inside.unwrap_or(&answer.text);
        self.text += &format!("=== {title}\n{}\n--- {}\n{}\n\n", lines(request), answer.status, lines(answered));
    }

    /// What a command on the server says.
    pub async fn command(&mut self, words: &[&str]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prepress"));
        command.env("PREPRESS_DATA", self.server.data()).env("TZ", "Europe/Berlin").env_remove("PREPRESS_CONFIG");
        command.args(words);
        let said = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        // Columns are as wide as what is in them.
        let out = Regex::new("  +").unwrap().replace_all(&text(&said.stdout), "  ").into_owned();
        let (err, code) = (text(&said.stderr), said.status.code().unwrap());
        self.text += &format!("=== prepress {}\n{out}{err}--- {code}\n\n", words.join(" "));
    }

    /// The end of a chapter.
    pub fn keep(&mut self, chapter: &str) {
        let text = std::mem::take(&mut self.text);
        keep(self.server, self.version, chapter, &text);
    }

    /// All letters that were written, in the order in which they were.
    pub fn mails(&mut self) {
        let written = files(&self.server.data().join("mail"));
        let letters: Vec<Vec<u8>> = written.iter().map(|file| fs::read(file).unwrap()).collect();
        let mut mails: Vec<_> = letters.iter().map(|bytes| MessageParser::new().parse(bytes).unwrap()).collect();
        // `mail-7.…@…`
        mails.sort_by_key(|mail| {
            let id = mail.message_id().unwrap().trim_start_matches("mail-");
            id.split_once('.').unwrap().0.parse::<u32>().unwrap()
        });
        let mut text = String::new();
        for mail in mails {
            let heads: Vec<String> =
                mail.headers_raw().map(|(name, value)| format!("{name}: {}", value.trim())).collect();
            let (plain, html) = (mail.body_text(0).unwrap(), mail.body_html(0).unwrap());
            text += &format!("=== {}\n{plain}\n---\n{html}\n\n", heads.join("\n"));
        }
        keep(self.server, self.version, "mails", &text);
    }

    /// The manifests of what is published.
    pub fn manifests(&mut self) {
        let root = self.server.data().join("publish");
        let mut text = String::new();
        for file in files(&root) {
            let name = file.strip_prefix(&root).unwrap().display().to_string();
            text += &format!("=== {name}\n");
            if file.extension().is_some_and(|end| end == "jsonl" || end == "json" || end == "m3u8") {
                text += &fs::read_to_string(&file).unwrap();
            }
        }
        keep(self.server, self.version, "published", &text);
    }
}

/// A line an element.
fn lines(xml: &str) -> String {
    xml.replace("><", ">\n<")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Compares with what was recorded, without what is another each time.
fn keep(server: &Server, version: &str, chapter: &str, text: &str) {
    let data = server.data().display().to_string();
    // Letters have it as HTML as well.
    let mut text = text.replace(&data, "DATA").replace(&data.replace('/', "&#x2f;"), "DATA");
    for (pattern, word) in PASSING {
        text = Regex::new(pattern).unwrap().replace_all(&text, word).into_owned();
    }
    insta::with_settings!({
        snapshot_path => RECORDINGS,
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(format!("{version}-{chapter}"), text);
    });
}
