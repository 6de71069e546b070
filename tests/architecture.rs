//! The rules of the source: who may import whom, who may name what, and what must be said about every column and message.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A source file without its tests and comments.
struct Source {
    path: String,
    /// The first folder or file below `src`.
    module: String,
    code: String,
}

impl Source {
    fn read(path: &Path) -> Self {
        let relative = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let module = relative.split('/').nth(1).unwrap().trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(path).unwrap();
        let code = without_tests(&text.lines().map(without_comment).collect::<Vec<_>>().join("\n"));
        Self { path: relative, module, code }
    }

    /// Modules of ours that it names: `crate::model::…`, and `use crate::{model::…, store::…}`.
    fn imports(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for rest in self.code.split("crate::").skip(1) {
            match rest.strip_prefix('{') {
                Some(group) => found.extend(group_heads(group)),
                None => found.extend(name(rest)),
            }
        }
        found.remove(&self.module);
        found
    }

    fn names(&self, word: &str) -> bool {
        let part_of_name = |sign: char| sign.is_alphanumeric() || sign == '_';
        self.code.match_indices(word).any(|(at, _)| {
            let before = self.code[..at].chars().next_back();
            let after = self.code[at + word.len()..].chars().next();
            !before.is_some_and(part_of_name) && !after.is_some_and(part_of_name)
        })
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A line up to its comment; a `//` inside a string (an address) is none.
fn without_comment(line: &str) -> &str {
    match line.find("//") {
        Some(at) if line[..at].matches('"').count().is_multiple_of(2) => &line[..at],
        _ => line,
    }
}

/// Without the items that exist for tests only.
fn without_tests(code: &str) -> String {
    let mut parts = code.split("#[cfg(test)]");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut depth = 0;
        let end = part.find(|sign| {
            depth += i32::from(sign == '{') - i32::from(sign == '}');
            depth == 0 && (sign == '}' || sign == ';')
        });
        kept.push_str(&part[end.map_or(part.len(), |end| end + 1)..]);
    }
    kept
}

fn name(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|sign| sign.is_alphanumeric() || *sign == '_').collect();
    name.starts_with(|sign: char| sign.is_lowercase()).then_some(name)
}

/// The first names of the paths in a `{…}` group.
fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut heads, mut start) = (0, Vec::new(), true);
    for (at, sign) in group.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            _ if start && !sign.is_whitespace() => {
                heads.extend(name(&group[at..]));
                start = false;
            }
            _ => {}
        }
    }
    heads
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// All of `src`, but not the files that hold only tests.
fn sources() -> Vec<Source> {
    let all = files(&root().join("src"), ".rs");
    let tests: BTreeSet<PathBuf> = all.iter().flat_map(|path| test_modules(path)).collect();
    let is_test = |path: &PathBuf| path.ancestors().any(|part| tests.contains(&part.with_extension("")));
    all.iter().filter(|path| !is_test(path)).map(|path| Source::read(path)).collect()
}

/// Modules that a file declares for tests only, as paths without `.rs`.
fn test_modules(path: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(path).unwrap();
    let home = match path.file_stem().unwrap().to_str().unwrap() {
        "mod" | "lib" | "main" => path.parent().unwrap().to_owned(),
        _ => path.with_extension(""),
    };
    let declared = text.split("#[cfg(test)]\nmod ").skip(1).filter_map(|rest| rest.split_once(';'));
    declared.map(|(module, _)| home.join(module)).collect()
}

#[test]
fn modules_import_only_what_lies_below_them() {
    // The composition root, the command line and the two crate files see everything.
    let sees_everything = |source: &Source| {
        matches!(source.module.as_str(), "daemon" | "lib" | "main") || source.path.starts_with("src/transport/cli")
    };
    let allowed = BTreeMap::from([
        ("assets", vec!["media", "model"]),
        ("clock", vec![]),
        ("config", vec!["model"]),
        ("contract", vec![]),
        ("engine", vec!["clock", "executors", "mail", "model", "outward", "service", "store"]),
        ("executors", vec!["assets", "clock", "config", "media", "model", "outward", "serving", "store"]),
        ("fuzzing", vec!["contract", "media", "model", "serving", "transport"]),
        ("mail", vec!["model", "words"]),
        ("media", vec!["serving"]),
        ("model", vec![]),
        ("outward", vec![]),
        ("service", vec!["assets", "clock", "contract", "model", "outward", "serving", "store", "words"]),
        ("serving", vec![]),
        ("store", vec!["model"]),
        ("transport", vec!["clock", "config", "contract", "model", "service", "words"]),
        ("words", vec!["model"]),
    ]);
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !sees_everything(source)) {
        let Some(below) = allowed.get(source.module.as_str()) else {
            wrong.push(format!("{}: the import rule does not know the module {}", source.path, source.module));
            continue;
        };
        let outside = source.imports().into_iter().filter(|import| !below.contains(&import.as_str()));
        wrong.extend(outside.map(|import| format!("{} imports {import}", source.path)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_a_group_names_is_seen() {
    assert_eq!(group_heads("model::{id, job::{a, b}}, store::Store};\nuse x"), ["model", "store"]);
    assert_eq!(group_heads("\n    clock,\n    words::{self},\n};"), ["clock", "words"]);
}

#[test]
fn what_others_sent_is_decoded_by_errands() {
    // The command line measures, and makes samples; what decodes is in `media`, which carries out errands in children.
    let decodes = [
        "media::optimize(",
        "media::probe(",
        "media::layers(",
        "metadata::metadata(",
        "metadata::of_pdf(",
        "archive::list(",
        "archive::kind(",
        "Extractor::new(",
        "sheet::read(",
        "Rows::open(",
        "IccSpace::of(",
        ".render(&",
    ];
    let mut wrong = Vec::new();
    for source in sources() {
        if ["src/media/", "src/transport/cli/"].iter().any(|home| source.path.starts_with(home)) {
            continue;
        }
        let named = decodes.iter().filter(|call| source.code.contains(**call));
        wrong.extend(named.map(|call| format!("{}: {call}…)", source.path)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_outside_thing_is_named_in_one_place() {
    // (name, where it may stand, single files that may as well)
    let rules: [(&str, &str, &[&str]); 13] = [
        // The log knows its name, to leave out what it says of strangers.
        ("sqlx", "src/store/sql/", &["src/transport/cli/logging.rs"]),
        // Words that SQLite alone has.
        ("json_each", "src/store/sql/sqlite/", &[]),
        ("json_group_array", "src/store/sql/sqlite/", &[]),
        ("iif", "src/store/sql/sqlite/", &[]),
        ("GLOB", "src/store/sql/sqlite/", &[]),
        ("PRAGMA", "src/store/sql/sqlite/", &[]),
        ("axum", "src/transport/", &["src/daemon/listener.rs"]),
        ("axum_server", "src/transport/", &["src/daemon/listener.rs"]),
        ("hyper", "src/transport/", &["src/daemon/listener.rs"]),
        // What files say of assets is XML as well.
        (
            "quick_xml",
            "src/transport/",
            &["src/media/metadata/xmp.rs", "src/media/metadata/sheet.rs", "src/media/metadata/svg.rs"],
        ),
        ("Utc::now", "src/clock.rs", &[]),
        ("SystemTime::now", "src/clock.rs", &[]),
        // The age of a connection, or a page, is counted on the clock that tests of it can stop; media and store know no clock of ours.
        (
            "Instant::now",
            "src/clock.rs",
            &[
                "src/assets/patience.rs",
                "src/mail/transport/smtp.rs",
                "src/media/child/pool.rs",
                "src/media/child/watch.rs",
                "src/store/jobs/submit.rs",
                "src/transport/budget.rs",
                "src/transport/connections.rs",
                "src/transport/connections/stream.rs",
                "src/transport/connections/table.rs",
                "src/transport/json/metrics.rs",
            ],
        ),
    ];
    let mut wrong = Vec::new();
    for source in sources() {
        for (word, home, besides) in rules {
            let at_home = source.path.starts_with(home) || besides.contains(&source.path.as_str());
            if !at_home && source.names(word) {
                wrong.push(format!("{} names {word}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn tests_look_at_the_database_through_one_door() {
    let doors = [
        "tests/support/database.rs",
        // What is sent to the database is heard of by the name of who sends it.
        "tests/dialects/recorder.rs",
        // Plans of one database, and migrations of it.
        "tests/dialects/plans.rs",
        "tests/dialects/upgrade.rs",
        "tests/architecture.rs",
    ];
    let mut found = Vec::new();
    for path in files(&root().join("tests"), ".rs") {
        let source = Source::read(&path);
        if source.names("sqlx") {
            found.push(source.path);
        }
    }
    let besides: Vec<_> = found.iter().filter(|path| !doors.contains(&path.as_str())).collect();
    assert_eq!(besides, Vec::<&String>::new());
    assert_eq!(found.len(), doors.len(), "{found:?}");
}

#[test]
fn tests_of_behaviour_know_no_dialect() {
    // Those that are about files or words of one database: the command line that looks after them, full disks, plans.
    let dialects =
        ["tests/dialects/", "tests/cli", "tests/crash/", "tests/support/database.rs", "tests/architecture.rs"];
    // A way out of a folder, to a file that is there.
    let besides = [("tests/soap/export.rs", "prepress.db")];
    let words = [
        "sqlite",
        "Sqlite",
        "PRAGMA",
        "json_each",
        "json_extract",
        "->>",
        "GLOB",
        "iif",
        "char(",
        "rowid",
        "prepress.db",
    ];
    let mut wrong = Vec::new();
    for path in files(&root().join("tests"), ".rs") {
        let source = Source::read(&path);
        if dialects.iter().any(|home| source.path.starts_with(home)) {
            continue;
        }
        let named = words.iter().filter(|word| source.code.contains(**word));
        wrong.extend(named.map(|word| (source.path.clone(), *word)).filter(|it| !besides.contains(&(&*it.0, it.1))));
    }
    assert_eq!(wrong, Vec::<(String, &str)>::new());
}

/// Calls that take memory for a count, and where in their arguments it stands.
const TAKERS: [(&str, usize); 9] = [
    ("with_capacity(", 0),
    (".resize(", 0),
    (".resize_with(", 0),
    (".reserve(", 0),
    (".reserve_exact(", 0),
    (".try_reserve(", 0),
    (".try_reserve_exact(", 0),
    (".repeat(", 0),
    ("vec![", 1),
];

/// Calls that read all there is.
const READERS: [&str; 4] = [".read_to_end(", ".read_to_string(", "fs::read(", "fs::read_to_string("];

/// What stands for the remark that says why a count is bounded.
const REMARK: char = '\u{1}';

/// The calls in `text` that take memory for what is no literal or constant, and say on their line nothing of why it is bounded.
fn unbounded(text: &str) -> Vec<String> {
    let remarked = |line: &str| {
        let code = without_comment(line);
        format!(
            "{code}{}",
            if line[code.len()..].starts_with("// bounded: ") { String::from(REMARK) } else { String::new() }
        )
    };
    let code = without_tests(&text.lines().map(remarked).collect::<Vec<_>>().join("\n"));
    let mut found = Vec::new();
    let takers = TAKERS.iter().map(|(call, place)| (*call, Some(*place)));
    for (call, place) in takers.chain(READERS.map(|call| (call, None))) {
        for (at, _) in code.match_indices(call) {
            let line = code[..at].rfind('\n').map_or(0, |end| end + 1);
            let line = code[line..].lines().next().unwrap_or_default();
            let is_fine = match place {
                Some(place) => is_constant(&code[at + call.len()..], place),
                None => line.split_once(".take(").is_some_and(|(_, rest)| is_constant(rest, 0)),
            };
            if !is_fine && !line.contains(REMARK) {
                found.push(line.trim().to_owned());
            }
        }
    }
    found
}

/// Whether the argument at `place` is made of literals and constants alone; so is one that is not there, or is no count.
fn is_constant(arguments: &str, place: usize) -> bool {
    let (mut depth, mut argument, mut text) = (0, 0, String::new());
    for sign in arguments.chars() {
        match sign {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' | ';' if depth == 0 => argument += usize::from(sign == ';' || place == 0),
            _ => {}
        }
        if argument == place {
            text.push(sign);
        }
    }
    let mut words = text.split(|sign: char| !sign.is_alphanumeric() && sign != '_').filter(|word| !word.is_empty());
    text.trim().starts_with('&')
        || words.all(|word| {
            let is_name = word.chars().all(|sign| sign.is_ascii_uppercase() || sign.is_ascii_digit() || sign == '_');
            is_name || word.starts_with(|sign: char| sign.is_ascii_digit()) || ["as", "usize", "u64"].contains(&word)
        })
}

#[test]
fn memory_is_taken_for_files_in_one_place_or_it_is_said_why_not() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.module == "media" && source.path != "src/media/memory.rs") {
        let text = fs::read_to_string(root().join(&source.path)).unwrap();
        wrong.extend(unbounded(&text).into_iter().map(|line| format!("{}: {line}", source.path)));
    }
    assert!(wrong.is_empty(), "no count of a file's own without src/media/memory.rs, or `// bounded: why`: {wrong:#?}");
}

#[test]
fn a_count_that_is_no_literal_is_seen() {
    let fine = "let a = vec![0; 26];\nlet b = Vec::with_capacity(1 << 16);\nvec![1, len];\ninput.take(HEAD).read_to_end(&mut b);\n\
        let c = vec![0; PIECE];\nb.resize(len, 0); // bounded: by 8 bits\nresizer.resize(&from, &mut to);\n\
        #[cfg(test)]\nmod tests {\n    fn f() { vec![0; len]; }\n}\n";
    assert_eq!(unbounded(fine), [""; 0]);
    for line in [
        "let a = vec![0; length as usize];",
        "let a = vec![[0; 4]; width * height];",
        "let a = Vec::with_capacity(row.len());",
        "bytes.resize(start + 5, 0);",
        "bytes.reserve(more);",
        "input.take(length).read_to_end(&mut bytes)?;",
        "input.read_to_end(&mut bytes)?; // it is short",
        "let bytes = fs::read(path)?;",
        "let all = line.repeat(count);",
    ] {
        let code = line.split("; //").next().unwrap();
        assert_eq!(unbounded(line).len(), 1, "{line}");
        assert!(unbounded(line)[0].starts_with(code), "{line}");
    }
}

#[test]
fn nothing_is_left_undone_and_nothing_panics_by_habit() {
    let mut wrong = Vec::new();
    for source in sources() {
        for word in [".unwrap()", "todo!", "unimplemented!", "panic!(", "dbg!", "TODO", "FIXME", "XXX"] {
            if source.code.contains(word) {
                wrong.push(format!("{} has {word}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_table_and_column_says_what_it_is() {
    let mut wrong = Vec::new();
    let mut columns = 0;
    for path in files(&root().join("migrations"), ".sql") {
        let text = fs::read_to_string(&path).unwrap();
        let (mut inside, mut before) = (false, "");
        for line in text.lines() {
            let statement = line.trim();
            if statement.starts_with("CREATE TABLE") || statement.starts_with("CREATE VIEW") {
                if !before.starts_with("-- ") {
                    wrong.push(format!("{}: no comment above {statement}", path.display()));
                }
                inside = statement.starts_with("CREATE TABLE");
            } else if statement.starts_with(')') {
                inside = false;
            } else if inside && statement.starts_with(|sign: char| sign.is_ascii_lowercase()) {
                columns += 1;
                let comment = statement.split_once("--").map(|(_, comment)| comment.trim());
                if comment.is_none_or(|comment| comment.len() < 3) {
                    wrong.push(format!("{}: no comment at {statement}", path.display()));
                }
            } else if statement.contains(" ADD COLUMN ") && !statement.contains("--") {
                wrong.push(format!("{}: no comment at {statement}", path.display()));
            }
            before = statement;
        }
    }
    assert!(columns > 100, "only {columns} columns were found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Message codes in `en.ftl`, each with the parameters that its comment names.
fn messages() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("src/words/en.ftl")).unwrap();
    let (mut found, mut parameters) = (BTreeMap::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# $") {
            parameters.extend(name(comment));
        } else if let Some((code, _)) = line.split_once(" =")
            && line.starts_with(|sign: char| sign.is_ascii_lowercase())
        {
            found.insert(code.to_owned(), std::mem::take(&mut parameters));
        }
    }
    found
}

/// A message that is made in the source.
struct Made {
    code: String,
    /// The parameters it is given on the spot.
    given: BTreeSet<String>,
    /// It is kept, and may be given more later.
    kept: bool,
}

fn made(code: &str) -> Vec<Made> {
    code.split("Message::new(\"").skip(1).filter_map(|rest| rest.split_once("\")")).map(chain).collect()
}

fn chain((code, mut rest): (&str, &str)) -> Made {
    let mut given = BTreeSet::new();
    while let Some(call) = rest.trim_start().strip_prefix(".with(") {
        given.extend(call.trim_start().strip_prefix('"').and_then(name));
        let mut depth = 1;
        let end = call.find(|sign| {
            depth += i32::from(sign == '(') - i32::from(sign == ')');
            depth == 0
        });
        rest = &call[end.map_or(call.len(), |end| end + 1)..];
    }
    Made { code: code.to_owned(), given, kept: rest.starts_with(';') }
}

#[test]
fn every_message_has_words_and_gives_them_what_they_need() {
    let messages = messages();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for source in sources() {
        for Made { code, given, kept } in made(&source.code) {
            seen += 1;
            match messages.get(&code) {
                None => wrong.push(format!("{}: {code} is not in en.ftl", source.path)),
                Some(needed) if !given.is_subset(needed) || !kept && *needed != given => {
                    wrong.push(format!("{}: {code} needs {needed:?} and is given {given:?}", source.path))
                }
                Some(_) => {}
            }
        }
    }
    assert!(seen > 20, "only {seen} messages were found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Codes that are kept in tables and looked up, such as those of slots and of beginnings and ends.
#[test]
fn every_code_by_its_family_has_words() {
    let messages = messages();
    let families = ["slot-", "reason-", "begin-", "end-", "progress-", "follow-up-"];
    let mut wrong = Vec::new();
    for source in
        sources().iter().filter(|source| ["model", "engine", "executors", "store"].contains(&source.module.as_str()))
    {
        for literal in source.code.split('"').skip(1).step_by(2) {
            let is_code = literal.chars().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-');
            if is_code
                && families.iter().any(|family| literal.starts_with(family) && literal != *family)
                && !messages.contains_key(literal)
            {
                wrong.push(format!("{}: {literal}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
