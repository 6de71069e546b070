//! The statements of the store, read by a second database.
//!
//! They are written once, in what SQLite and PostgreSQL both read and in the words of `store::sql::fragments`. So that this
//! stays so, PostgreSQL prepares each: those in the source here, and those that are put together while the program runs
//! where calls are made that send them (`put_together`, `plans`).

mod postgres;
mod put_together;
mod scan;

use std::path::{Path, PathBuf};

use prepress::store::sql::fragments;
use prepress::store::sql::postgres::Postgres as Words;

use postgres::Postgres;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// All statements of the store, and pieces of those that are put together.
pub fn in_source() -> Vec<scan::Statement> {
    scan::statements(&here("src/store"), &here("src/store/sql"))
}

/// What is wrong with any of `statements`, each of which has a name.
pub fn unread_by_postgresql(statements: &[(String, String)]) -> Vec<String> {
    let server = Postgres::start(&here("migrations/postgres/0001_schema.sql"));
    let mut wrong = Vec::new();
    let mut expanded = Vec::new();
    for (name, text) in statements {
        // One that goes on is no statement, and psql would take the next for its rest.
        if text.matches('(').count() != text.matches(')').count() {
            wrong.push(format!("{name}: its parentheses do not match\n{text}"));
            continue;
        }
        match fragments::expand(text, &Words) {
            Ok(statement) => expanded.push((name, statement.sql)),
            Err(error) => wrong.push(format!("{name}: {error}\n{text}")),
        }
    }
    let texts: Vec<String> = expanded.iter().map(|(_, sql)| sql.clone()).collect();
    let refused = server.prepare(&texts);
    wrong.extend(refused.iter().map(|(at, said)| format!("{}: {said}\n{}", expanded[*at].0, texts[*at])));
    wrong
}

/// Statements as the source has them, each under the name that they have in common.
pub fn assert_read_by_postgresql(name: &str, statements: impl IntoIterator<Item = String>) {
    // Those about transactions cannot be prepared.
    let of_rows = |text: &String| scan::VERBS.iter().any(|verb| text.trim_start().starts_with(verb));
    let statements = statements.into_iter().filter(of_rows).map(|text| (name.to_owned(), text));
    let statements: Vec<(String, String)> = statements.collect();
    assert!(!statements.is_empty(), "nothing was sent");
    let wrong = unread_by_postgresql(&statements);
    assert!(wrong.is_empty(), "{} of {}\n\n{}", wrong.len(), statements.len(), wrong.join("\n\n"));
}

#[test]
fn every_statement_is_read_by_postgresql() {
    let (pieces, whole): (Vec<_>, Vec<_>) = in_source().into_iter().partition(|statement| statement.is_piece);
    assert!(whole.len() > 350, "the source is not written as it was: {} statements", whole.len());
    assert!(pieces.len() < 40, "{} are put together", pieces.len());
    let whole: Vec<(String, String)> = whole
        .into_iter()
        .map(|statement| (format!("{}:{}", statement.file.display(), statement.line), statement.text))
        .collect();
    let wrong = unread_by_postgresql(&whole);
    assert!(wrong.is_empty(), "{} of {}\n\n{}", wrong.len(), whole.len(), wrong.join("\n\n"));
}

#[test]
fn what_postgresql_does_not_know_is_refused() {
    let wrong = unread_by_postgresql(&[
        ("a".into(), "SELECT id FROM company WHERE id IN ids($1)".into()),
        ("b".into(), "SELECT colour FROM company".into()),
        ("c".into(), "SELECT id FROM rows($1: id)".into()),
    ]);
    assert_eq!(wrong.len(), 2, "{wrong:#?}");
    assert!(wrong.iter().any(|wrong| wrong.starts_with("b: ") && wrong.contains("column \"colour\" does not exist")));
    assert!(wrong.iter().any(|wrong| wrong.starts_with("c: \"id\" is no column and its type")));
}
