//! What databases say in different words, said in one.
//!
//! Statements are written in what SQLite and PostgreSQL both read, and in these words, which each dialect expands:
//!
//! | fragment | is |
//! |---|---|
//! | `FROM ids($1) w` | a list of numbers, with the columns `w.id` and `w.n`, its place in the list (from 0) |
//! | `FROM texts($1) w` | a list of texts, with the columns `w.text` and `w.n` |
//! | `FROM rows($1: id int, name text) w` | rows, with these columns and `w.n`; types are `int`, `real`, `bool` (0 or 1) and `text` |
//! | `IN ids($1)`, `IN texts($1)` | is in the list |
//! | `a STRAIGHT_JOIN b ON …` | a join that reads `a` first |
//! | `t INDEXED BY i`, `t NOT INDEXED` | the index that is used, for a database that can be told |
//! | `unindexed(x)` | `x`, for which no index is used |
//! | `least(x, y)`, `greatest(x, y)` | of values that are not NULL |
//! | `chr(number)` | the character of a code point |
//! | `strpos(text, part)` | where a part begins (from 1), or 0 |
//! | `rfc3339(millis)` | an instant as text, to the millisecond, in UTC |
//! | `leading_number(text)` | the number that a text begins with, or NULL |
//! | `json_text(x, 'key')`, `json_int(x, 'key')` | the member of an object in JSON; `json_text(x, 0)` of an array |
//! | `json_agg(x ORDER BY …)` | a list in JSON, as text: of no rows an empty one |
//! | `json_build_object(…)`, `json_build_array(…)` | JSON within such a list |
//!
//! What the list is bound as is said by [`super::Query::list`] and [`super::Query::rows`].

use std::collections::HashMap;
use std::fmt::Write;

/// A column of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub of: Type,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Int,
    Real,
    Bool,
    Text,
}

/// What a list in a statement is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum List {
    Ids,
    Texts,
    Rows(Vec<Column>),
}

/// A column of a list as a statement names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Its place in the list.
    Place,
    /// An element of a list of numbers or texts.
    Element,
    /// This of the columns of its rows.
    Column(usize),
}

/// How a database says it.
pub trait Dialect {
    /// A list that rows are read from.
    fn source(&self, list: &List, argument: &str, alias: &str) -> String;
    /// What is behind `IN`.
    fn among(&self, list: &List, argument: &str) -> String;
    /// A column of a list.
    fn part(&self, alias: &str, name: &str, part: Part) -> String;
    /// A function of the fragments; None where it is no fragment.
    fn call(&self, name: &str, arguments: &[String]) -> Option<String>;
    /// The join whose left side is read first.
    fn straight_join(&self) -> &'static str;
    /// Which index is used: `INDEXED BY …` or `NOT INDEXED`.
    fn hint<'h>(&self, hint: &'h str) -> &'h str;
}

/// A statement in the words of a database.
#[derive(Debug, PartialEq, Eq)]
pub struct Expanded {
    pub sql: String,
    /// Of each list of rows the parameter that it is bound as, and its columns.
    pub rows: Vec<(usize, Vec<Column>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    /// Blanks and comments.
    Blank,
    /// Quoted.
    Quoted,
    Sign,
}

#[derive(Debug, Clone, Copy)]
struct Token<'t> {
    kind: Kind,
    text: &'t str,
}

/// The words of `text` in a dialect. An error says what a fragment in it lacks.
pub fn expand(text: &str, dialect: &dyn Dialect) -> Result<Expanded, String> {
    let tokens = tokens(text);
    let mut expansion = Expansion { dialect, lists: lists(&tokens)?, rows: Vec::new() };
    let sql = expansion.all(&tokens)?;
    Ok(Expanded { sql, rows: expansion.rows })
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = if first.is_ascii_alphanumeric() || matches!(first, '_' | '$') {
            let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$');
            (Kind::Word, rest.find(|c| !is_part(c)).unwrap_or(rest.len()))
        } else if first.is_whitespace() {
            (Kind::Blank, rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len()))
        } else if rest.starts_with("--") {
            (Kind::Blank, rest.find('\n').unwrap_or(rest.len()))
        } else if matches!(first, '\'' | '"') {
            // A doubled quote within is read as the beginning of the next: it comes to the same.
            (Kind::Quoted, rest[1..].find(first).map_or(rest.len(), |end| end + 2))
        } else {
            (Kind::Sign, first.len_utf8())
        };
        tokens.push(Token { kind, text: &rest[..length] });
        rest = &rest[length..];
    }
    tokens
}

/// The next token that is no blank, from `at` on.
fn next(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    (at..tokens.len()).find(|at| tokens[*at].kind != Kind::Blank)
}

/// The last token before `at` that is no blank.
fn before<'t>(tokens: &[Token<'t>], at: usize) -> Option<Token<'t>> {
    tokens[..at].iter().rev().find(|token| token.kind != Kind::Blank).copied()
}

/// What is between the parenthesis at `open` and its end, and where that is.
fn between<'a, 't>(tokens: &'a [Token<'t>], open: usize) -> Result<(&'a [Token<'t>], usize), String> {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok((&tokens[open + 1..at], at));
        }
    }
    Err("a parenthesis is not closed".to_owned())
}

fn joined(tokens: &[Token<'_>]) -> String {
    tokens.iter().map(|token| token.text).collect()
}

/// A list of a statement, where it stands.
struct Found<'a, 't> {
    list: List,
    argument: &'a [Token<'t>],
    /// The last token of it, its alias among it.
    end: usize,
    alias: Option<&'t str>,
}

/// The list that begins at `at`, if one does.
fn list_at<'a, 't>(tokens: &'a [Token<'t>], at: usize) -> Result<Option<Found<'a, 't>>, String> {
    let word = tokens[at];
    if word.kind != Kind::Word || !matches!(word.text, "ids" | "texts" | "rows") {
        return Ok(None);
    }
    if tokens.get(at + 1).is_none_or(|token| token.text != "(") {
        return Ok(None);
    }
    let (inner, mut end) = between(tokens, at + 1)?;
    let colon = inner.iter().position(|token| token.text == ":");
    let (list, argument) = match (word.text, colon) {
        ("ids", None) => (List::Ids, inner),
        ("texts", None) => (List::Texts, inner),
        ("rows", Some(colon)) => (List::Rows(columns(&inner[colon + 1..])?), &inner[..colon]),
        (name, _) => return Err(format!("{name}({}) is no list", joined(inner))),
    };
    let mut alias = None;
    if before(tokens, at).is_none_or(|token| !token.text.eq_ignore_ascii_case("IN")) {
        let mut named = next(tokens, end + 1);
        if let Some(at) = named.filter(|at| tokens[*at].text.eq_ignore_ascii_case("AS")) {
            named = next(tokens, at + 1);
        }
        let at = named.filter(|at| tokens[*at].kind == Kind::Word);
        let at = at.ok_or_else(|| format!("{}({}) has no name", word.text, joined(inner)))?;
        (alias, end) = (Some(tokens[at].text), at);
    }
    Ok(Some(Found { list, argument, end, alias }))
}

fn columns(tokens: &[Token<'_>]) -> Result<Vec<Column>, String> {
    let text = joined(tokens);
    let column = |text: &str| {
        let text = text.trim();
        let mut words = text.split_whitespace();
        let (Some(name), Some(of), None) = (words.next(), words.next(), words.next()) else {
            return Err(format!("\"{text}\" is no column and its type"));
        };
        let of = match of {
            "int" => Type::Int,
            "real" => Type::Real,
            "bool" => Type::Bool,
            "text" => Type::Text,
            other => return Err(format!("\"{other}\" is no type of a column")),
        };
        Ok(Column { name: name.to_owned(), of })
    };
    text.split(',').map(column).collect()
}

/// What each name of a list in a statement stands for.
fn lists<'t>(tokens: &[Token<'t>]) -> Result<HashMap<&'t str, List>, String> {
    let mut lists = HashMap::new();
    for at in 0..tokens.len() {
        if let Some(Found { list, alias: Some(alias), .. }) = list_at(tokens, at)?
            && lists.insert(alias, list.clone()).is_some_and(|other| other != list)
        {
            return Err(format!("{alias} is two lists"));
        }
    }
    Ok(lists)
}

struct Expansion<'t, 'd> {
    dialect: &'d dyn Dialect,
    lists: HashMap<&'t str, List>,
    rows: Vec<(usize, Vec<Column>)>,
}

impl<'t> Expansion<'t, '_> {
    fn all(&mut self, tokens: &[Token<'t>]) -> Result<String, String> {
        let mut sql = String::new();
        let mut at = 0;
        while at < tokens.len() {
            at = self.one(tokens, at, &mut sql)?;
        }
        Ok(sql)
    }

    /// Writes what begins at `at`, and gives what is behind it.
    fn one(&mut self, tokens: &[Token<'t>], at: usize, sql: &mut String) -> Result<usize, String> {
        let token = tokens[at];
        if token.kind != Kind::Word {
            sql.push_str(token.text);
            return Ok(at + 1);
        }
        if let Some(found) = list_at(tokens, at)? {
            let end = found.end;
            let written = self.list(found)?;
            sql.push_str(&written);
            return Ok(end + 1);
        }
        let follows = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.text == text);
        if follows(at + 1, ".")
            && let Some(list) = self.lists.get(token.text)
            && let Some(column) = tokens.get(at + 2)
            && let Some(part) = part(list, column.text)
        {
            sql.push_str(&self.dialect.part(token.text, column.text, part));
            return Ok(at + 3);
        }
        if follows(at + 1, "(") {
            let (inner, end) = between(tokens, at + 1)?;
            let arguments = self.arguments(inner)?;
            match self.dialect.call(token.text, &arguments) {
                Some(call) => sql.push_str(&call),
                None => {
                    let inner = self.all(inner)?;
                    let _ = write!(sql, "{}({inner})", token.text);
                }
            }
            return Ok(end + 1);
        }
        if token.text == "STRAIGHT_JOIN" {
            sql.push_str(self.dialect.straight_join());
            return Ok(at + 1);
        }
        if let Some(end) = hint_at(tokens, at) {
            sql.push_str(self.dialect.hint(&joined(&tokens[at..=end])));
            return Ok(end + 1);
        }
        sql.push_str(token.text);
        Ok(at + 1)
    }

    fn list(&mut self, Found { list, argument, alias, .. }: Found<'_, 't>) -> Result<String, String> {
        let argument = self.all(argument)?;
        let parameter = argument.trim().strip_prefix('$').and_then(|number| number.parse().ok());
        if let (List::Rows(columns), Some(parameter)) = (&list, parameter) {
            self.rows.push((parameter, columns.clone()));
        }
        Ok(match alias {
            Some(alias) => self.dialect.source(&list, argument.trim(), alias),
            None => self.dialect.among(&list, argument.trim()),
        })
    }

    fn arguments(&mut self, tokens: &[Token<'t>]) -> Result<Vec<String>, String> {
        let mut depth = 0;
        let parts = tokens.split(|token| {
            match token.text {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            depth == 0 && token.text == ","
        });
        // Lists in arguments are noted where the whole is written.
        let noted = self.rows.len();
        let parts: Result<Vec<String>, String> =
            parts.map(|part| self.all(part).map(|text| text.trim().to_owned())).collect();
        self.rows.truncate(noted);
        parts
    }
}

/// Where a hint that begins at `at` ends.
fn hint_at(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let second = next(tokens, at + 1)?;
    match (tokens[at].text, tokens[second].text) {
        ("NOT", "INDEXED") => Some(second),
        ("INDEXED", "BY") => next(tokens, second + 1),
        _ => None,
    }
}

fn part(list: &List, name: &str) -> Option<Part> {
    match (list, name) {
        (List::Ids, "id") | (List::Texts, "text") => Some(Part::Element),
        (List::Rows(columns), name) if columns.iter().any(|column| column.name == name) => {
            columns.iter().position(|column| column.name == name).map(Part::Column)
        }
        (_, "n") => Some(Part::Place),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sql::postgres::Postgres;
    use crate::store::sql::sqlite::Sqlite;

    fn both(text: &str) -> [String; 2] {
        [&Sqlite as &dyn Dialect, &Postgres].map(|dialect| {
            let sql = expand(text, dialect).unwrap().sql;
            sql.split_whitespace().collect::<Vec<_>>().join(" ")
        })
    }

    #[test]
    fn lists_are_read_by_the_names_of_their_columns() {
        let [sqlite, postgres] = both(
            "SELECT w.n, w.name, j.id FROM rows($1: company_id int, name text) w
             STRAIGHT_JOIN job j ON j.company_id = w.company_id AND j.name = w.name WHERE j.id NOT IN ids($2)",
        );
        assert_eq!(
            sqlite,
            "SELECT w.key, w.value ->> 1, j.id FROM json_each($1) w \
             CROSS JOIN job j ON j.company_id = w.value ->> 0 AND j.name = w.value ->> 1 \
             WHERE j.id NOT IN (SELECT value FROM json_each($2))"
        );
        assert_eq!(
            postgres,
            "SELECT w.n, w.name, j.id FROM LATERAL (SELECT CAST(e.value ->> 0 AS bigint) AS company_id, \
             (e.value ->> 1) COLLATE \"C\" AS name, e.n - 1 AS n \
             FROM jsonb_array_elements(CAST($1 AS jsonb)) WITH ORDINALITY AS e (value, n)) w \
             JOIN job j ON j.company_id = w.company_id AND j.name = w.name \
             WHERE j.id NOT IN (SELECT CAST(e.value AS bigint) FROM jsonb_array_elements_text(CAST($2 AS jsonb)) AS e (value))"
        );
    }

    #[test]
    fn rows_are_noted_with_the_parameter_that_they_are_bound_as() {
        let text = "INSERT INTO t SELECT f.a FROM rows($3: a int, b text) AS f WHERE f.a IN (SELECT g.a FROM rows($3: a int) g)";
        let noted = expand(text, &Sqlite).unwrap().rows;
        let names = |columns: &[Column]| columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        let noted: Vec<_> = noted.iter().map(|(parameter, columns)| (*parameter, names(columns))).collect();
        assert_eq!(noted, [(3, vec!["a".to_owned(), "b".to_owned()]), (3, vec!["a".to_owned()])]);
    }

    #[test]
    fn what_is_quoted_or_said_in_comments_is_left_alone() {
        let text = "SELECT 'rows(1) least(a, b)', \"ids\" -- NOT INDEXED, it's greatest(x)\nFROM t";
        for dialect in [&Sqlite as &dyn Dialect, &Postgres] {
            assert_eq!(expand(text, dialect).unwrap().sql, text);
        }
        assert_eq!(both("SELECT a.ids, t.n FROM ids, texts")[0], "SELECT a.ids, t.n FROM ids, texts");
    }

    #[test]
    fn functions_may_stand_within_each_other_and_hints_are_for_who_heeds_them() {
        let [sqlite, postgres] = both(
            "SELECT greatest(least(a, $1), coalesce(b, 0)) FROM t INDEXED BY t_by_a
             JOIN u NOT INDEXED ON unindexed(u.a) = strpos(t.c, chr(58)) WHERE json_int(d, '$.a.b') = 1 AND u.x NOT IN texts($2)",
        );
        assert_eq!(
            sqlite,
            "SELECT max(min(a, $1), coalesce(b, 0)) FROM t INDEXED BY t_by_a \
             JOIN u NOT INDEXED ON +u.a = instr(t.c, char(58)) WHERE d ->> '$.a.b' = 1 \
             AND u.x NOT IN (SELECT value FROM json_each($2))"
        );
        assert_eq!(
            postgres,
            "SELECT greatest(least(a, $1), coalesce(b, 0)) FROM t JOIN u ON u.a = strpos(t.c, chr(58)) \
             WHERE CAST(CAST(d AS json) #>> '{a,b}' AS bigint) = 1 AND u.x NOT IN (SELECT e.value COLLATE \"C\" \
             FROM jsonb_array_elements_text(CAST($2 AS jsonb)) AS e (value))"
        );
    }

    #[test]
    fn a_fragment_that_lacks_something_is_named() {
        let wrong = |text: &str| expand(text, &Sqlite).unwrap_err();
        assert_eq!(wrong("SELECT 1 FROM ids($1)"), "ids($1) has no name");
        assert_eq!(wrong("SELECT 1 FROM rows($1) w"), "rows($1) is no list");
        assert_eq!(wrong("SELECT 1 FROM rows($1: id) w"), "\"id\" is no column and its type");
        assert_eq!(wrong("SELECT 1 FROM rows($1: id float) w"), "\"float\" is no type of a column");
        assert_eq!(wrong("SELECT w.id FROM ids($1) w JOIN texts($2) w"), "w is two lists");
        assert_eq!(wrong("SELECT least(a, b"), "a parenthesis is not closed");
    }
}
