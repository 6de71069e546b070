//! A set script: how assets are grouped into sets by their names.
//!
//! Every expression is matched against the whole name of an asset, minding the case of letters. Expressions have no
//! look-around and no back references, so that the time a match takes is linear in the length of the name.

use regex::{Captures, Regex, RegexBuilder};

use super::reader::{Reader, Rule};
use super::{NAME, Properties};
use crate::model::asset::AssetType;
use crate::model::constants;
use crate::model::invalid::Invalid;
use crate::model::name;

pub(super) const RULES: &[Rule] = &[
    Rule::required(NAME, "name of the script, unique in the company"),
    Rule::required("setType", "what the sets are: ImageSet, SpinSet, SwatchSet or MultiAxisSpinSet"),
    Rule::required(
        "match",
        "regular expressions for the names of the assets, one a line; all must match, but a line that begins with | \
         begins an alternative to the lines before it",
    ),
    Rule::optional(
        "baseName",
        "what the assets of a set have in common: an expression whose first group yields it, or a pattern such as \
         $1-$2 of groups of match; the first group of match when left out",
    ),
    Rule::optional(
        "sequence",
        "order of the members: expressions separated by commas or lines, members that match the first come first, and \
         those that match none come last; members that match the same one, or all when it is left out, are in \
         alphanumeric order, numbers by their value",
    ),
    Rule::optional(
        "row",
        "MultiAxisSpinSet only, and needed there: an expression whose first group is the row, a number",
    ),
    Rule::optional(
        "column",
        "MultiAxisSpinSet only, and needed there: an expression whose first group is the column, a number",
    ),
    Rule::optional("prefix", "put in front of the base name to form the name of the set"),
    Rule::optional("suffix", "added to the base name to form the name of the set"),
    Rule::optional(
        "folder",
        "where new sets are made; when left out, beside their first member for uploads and reprocessing, and in the \
         company root for automatedSetGenerationJob, whose destFolder comes before this",
    ),
    Rule::optional(
        "includeDerived",
        "true or false: whether images made from PDFs and the like are taken; true when left out",
    ),
];

/// Longest expression, in bytes.
const LONGEST_EXPRESSION: usize = 1000;

/// Most lines of `match`, and most expressions of `sequence`.
const MOST_EXPRESSIONS: usize = 50;

/// Largest compiled expression, in bytes: bounds what one match can cost.
const COMPILED_BYTES: usize = 512 * 1024;

/// Deepest nesting of groups.
const DEEPEST_NESTING: u32 = 30;

/// Largest row and column.
const LAST_CELL: u32 = 999_999;

constants! {
    /// What a script makes.
    pub enum Kind("kind of set") { ImageSet, SpinSet, SwatchSet, MultiAxisSpinSet }
}

impl Kind {
    pub const fn asset_type(self) -> AssetType {
        match self {
            Self::ImageSet => AssetType::ImageSet,
            Self::SpinSet => AssetType::SpinSet,
            Self::SwatchSet => AssetType::RenderSet,
            Self::MultiAxisSpinSet => AssetType::AssetSet,
        }
    }

    pub const fn sub_type(self) -> Option<&'static str> {
        match self {
            Self::ImageSet | Self::SpinSet | Self::SwatchSet => None,
            Self::MultiAxisSpinSet => Some("MultiAxisSpinSet"),
        }
    }
}

/// A regular expression that is matched against a whole name.
#[derive(Debug, Clone)]
struct Expression {
    source: String,
    whole: Regex,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Expression {
    fn new(field: &str, source: &str) -> Result<Self, Invalid> {
        if source.len() > LONGEST_EXPRESSION {
            let rule = format!("must have at most {LONGEST_EXPRESSION} bytes an expression, not {}", source.len());
            return Err(Invalid::new(field, rule));
        }
        // Alone first: what is wrong with it must not be mended by what is put around it.
        compile(field, source, source)?;
        let whole = compile(field, source, &format!("^(?:{source})$"))?;
        Ok(Self { source: source.to_owned(), whole })
    }

    /// One that has a group.
    fn with_group(field: &str, source: &str) -> Result<Self, Invalid> {
        let expression = Self::new(field, source)?;
        if expression.groups() == 0 {
            let rule =
                format!("must have a group, such as ([0-9]+), that says which part of a name is meant: {source}");
            return Err(Invalid::new(field, rule));
        }
        Ok(expression)
    }

    fn groups(&self) -> usize {
        self.whole.captures_len() - 1
    }

    fn matches(&self, name: &str) -> bool {
        self.whole.is_match(name)
    }

    /// The first group that took part in the match.
    fn first_group<'n>(&self, name: &'n str) -> Option<&'n str> {
        first_group(&self.whole.captures(name)?)
    }
}

fn compile(field: &str, source: &str, pattern: &str) -> Result<Regex, Invalid> {
    let built = RegexBuilder::new(pattern)
        .size_limit(COMPILED_BYTES)
        .dfa_size_limit(COMPILED_BYTES)
        .nest_limit(DEEPEST_NESTING)
        .build();
    built.map_err(|error| {
        let why = match error {
            regex::Error::CompiledTooBig(_) => "it is too large; repeat less".to_owned(),
            // The last line says what, those before show where.
            error => error.to_string().lines().next_back().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        };
        Invalid::new(field, format!("must hold regular expressions; \"{source}\" is not one: {why}"))
    })
}

fn first_group<'n>(captures: &Captures<'n>) -> Option<&'n str> {
    captures.iter().skip(1).flatten().next().map(|group| group.as_str())
}

/// Alternatives, each of expressions that must all match.
#[derive(Debug, Clone, PartialEq)]
struct Match(Vec<Vec<Expression>>);

impl Match {
    fn read(text: &str) -> Result<Self, Invalid> {
        let mut alternatives: Vec<Vec<Expression>> = Vec::new();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        for (index, line) in lines.enumerate() {
            if index == MOST_EXPRESSIONS {
                return Err(Invalid::new("match", format!("must have at most {MOST_EXPRESSIONS} lines")));
            }
            let alternative = line.strip_prefix('|').map(str::trim_start);
            let expression = Expression::new("match", alternative.unwrap_or(line))?;
            match alternatives.last_mut() {
                Some(lines) if alternative.is_none() => lines.push(expression),
                _ => alternatives.push(vec![expression]),
            }
        }
        Ok(Self(alternatives))
    }

    /// Groups that a base name can be taken from, whichever alternative matches.
    fn groups(&self) -> usize {
        let of = |lines: &Vec<Expression>| with_groups(lines).map_or(0, Expression::groups);
        self.0.iter().map(of).min().unwrap_or(0)
    }

    /// The expression that the groups of a name are taken from; `None` when the name does not match.
    fn find(&self, name: &str) -> Option<&Expression> {
        let lines = self.0.iter().find(|lines| lines.iter().all(|expression| expression.matches(name)))?;
        with_groups(lines).or(lines.first())
    }
}

fn with_groups(lines: &[Expression]) -> Option<&Expression> {
    lines.iter().find(|expression| expression.groups() > 0)
}

/// What the assets of a set have in common.
#[derive(Debug, Clone, PartialEq)]
enum BaseName {
    /// The first group of the expression that matched.
    Group,
    /// The first group of this expression.
    Expression(Expression),
    /// Groups of the expression that matched, and text between them.
    Pattern(Vec<Part>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Group(usize),
}

impl BaseName {
    fn read(text: Option<&str>, groups: usize) -> Result<Self, Invalid> {
        match text.map(str::trim) {
            None if groups == 0 => {
                let rule = "is needed, because match has no group, or has an alternative without one";
                Err(Invalid::new("baseName", rule))
            }
            None => Ok(Self::Group),
            Some(text) => match pattern(text) {
                None => Ok(Self::Expression(Expression::with_group("baseName", text)?)),
                Some(parts) => match parts.iter().find(|part| matches!(part, Part::Group(n) if *n == 0 || *n > groups))
                {
                    Some(Part::Group(number)) => {
                        let rule = format!("names group {number}, but match has groups 1 to {groups}");
                        Err(Invalid::new("baseName", rule))
                    }
                    _ => Ok(Self::Pattern(parts)),
                },
            },
        }
    }

    fn of(&self, name: &str, matched: &Expression) -> Option<String> {
        match self {
            Self::Group => matched.first_group(name).map(str::to_owned),
            Self::Expression(expression) => expression.first_group(name).map(str::to_owned),
            Self::Pattern(parts) => {
                let captures = matched.whole.captures(name)?;
                let part = |part: &Part| match part {
                    Part::Text(text) => text.clone(),
                    Part::Group(number) => captures.get(*number).map_or("", |group| group.as_str()).to_owned(),
                };
                Some(parts.iter().map(part).collect())
            }
        }
    }
}

/// Reads `$1-$2`. `None` when it has no number behind a dollar sign: behind one nothing could match, so that it is no
/// expression anyone would write.
fn pattern(text: &str) -> Option<Vec<Part>> {
    let (mut parts, mut rest, mut found) = (Vec::new(), text, false);
    while let Some(at) = rest.find('$') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        if digits == 0 {
            return None;
        }
        found = true;
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(Part::Group(after[..digits].parse().unwrap_or(usize::MAX)));
        rest = &after[digits..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    found.then_some(parts)
}

/// Place in a two-dimensional spin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    pub row: u32,
    pub column: u32,
}

/// Why a name has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellError {
    NoRow,
    NoColumn,
}

#[derive(Debug, Clone, PartialEq)]
struct Grid {
    row: Expression,
    column: Expression,
}

impl Grid {
    fn read(kind: Kind, reader: &Reader) -> Result<Option<Self>, Invalid> {
        let texts = [("row", reader.text("row")), ("column", reader.text("column"))];
        if kind != Kind::MultiAxisSpinSet {
            return match texts.iter().find(|(_, text)| text.is_some()) {
                Some((field, _)) => Err(Invalid::new(*field, format!("is for a MultiAxisSpinSet, not for a {kind}"))),
                None => Ok(None),
            };
        }
        let [row, column] = texts.map(|(field, text)| match text {
            Some(text) => Expression::with_group(field, text.trim()),
            None => Err(Invalid::new(field, "is missing: a MultiAxisSpinSet needs an expression for it")),
        });
        Ok(Some(Self { row: row?, column: column? }))
    }

    fn cell(&self, name: &str) -> Result<Cell, CellError> {
        let number = |expression: &Expression| {
            let text = expression.first_group(name)?;
            text.parse().ok().filter(|number| *number <= LAST_CELL)
        };
        let row = number(&self.row).ok_or(CellError::NoRow)?;
        let column = number(&self.column).ok_or(CellError::NoColumn)?;
        Ok(Cell { row, column })
    }
}

/// How assets are grouped into sets by their names.
#[derive(Debug, Clone, PartialEq)]
pub struct SetScript {
    pub name: String,
    pub kind: Kind,
    matching: Match,
    base_name: BaseName,
    sequence: Vec<Expression>,
    grid: Option<Grid>,
    prefix: String,
    suffix: String,
    /// Where new sets are made, with or without the company root.
    pub folder: Option<String>,
    pub include_derived: bool,
}

impl SetScript {
    pub fn read(properties: &Properties) -> Result<Self, Invalid> {
        let reader = Reader::new(properties, RULES)?;
        let kind = reader.parse("setType")?.unwrap_or(Kind::ImageSet);
        let matching = Match::read(reader.required("match"))?;
        let base_name = BaseName::read(reader.text("baseName"), matching.groups())?;
        let grid = Grid::read(kind, &reader)?;
        let affix = |field: &str| {
            let text = reader.text(field).unwrap_or_default();
            name::check_asset_name_part(field, text).map(|()| text.to_owned())
        };
        let folder = reader.text("folder").map(str::trim);
        if let Some(folder) = folder {
            name::clean_folder("folder", folder)?;
        }
        if kind == Kind::MultiAxisSpinSet && reader.text("sequence").is_some() {
            return Err(Invalid::new(
                "sequence",
                "has no meaning in a MultiAxisSpinSet, which row and column put in order",
            ));
        }
        Ok(Self {
            name: reader.required(NAME).trim().to_owned(),
            kind,
            matching,
            base_name,
            sequence: sequence(reader.text("sequence").unwrap_or_default())?,
            grid,
            prefix: affix("prefix")?,
            suffix: affix("suffix")?,
            folder: folder.map(str::to_owned),
            include_derived: reader.flag("includeDerived", true)?,
        })
    }

    /// The name of the set that an asset belongs to; `None` when the script is not meant for it.
    pub fn set_of(&self, asset: &str) -> Option<Result<String, NoSet>> {
        let matched = self.matching.find(asset)?;
        let base = self.base_name.of(asset, matched).filter(|base| !base.trim().is_empty());
        let Some(base) = base else { return Some(Err(NoSet::NoBaseName)) };
        let name = format!("{}{base}{}", self.prefix, self.suffix);
        Some(name::check_asset_name("name", &name).map_err(NoSet::BadName))
    }

    /// Which part of the sequence an asset belongs to.
    pub fn rank(&self, asset: &str) -> usize {
        self.sequence.iter().position(|expression| expression.matches(asset)).unwrap_or(self.sequence.len())
    }

    /// Where in a two-dimensional spin an asset is; `None` in sets that have no cells.
    pub fn cell(&self, asset: &str) -> Option<Result<Cell, CellError>> {
        self.grid.as_ref().map(|grid| grid.cell(asset))
    }
}

/// Why an asset that a script is meant for belongs to no set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoSet {
    NoBaseName,
    BadName(Invalid),
}

fn sequence(text: &str) -> Result<Vec<Expression>, Invalid> {
    let sources = split(text);
    if sources.len() > MOST_EXPRESSIONS {
        let rule = format!("must have at most {MOST_EXPRESSIONS} expressions, not {}", sources.len());
        return Err(Invalid::new("sequence", rule));
    }
    sources.into_iter().map(|source| Expression::new("sequence", source)).collect()
}

/// Cuts at line ends and at commas, but not at commas inside brackets or behind a backslash.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut escaped, mut start, mut parts) = (0_i32, false, 0, Vec::new());
    for (at, sign) in text.char_indices() {
        match sign {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth > 0 => {}
            ',' | '\n' => {
                parts.push(&text[start..at]);
                start = at + sign.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests;
