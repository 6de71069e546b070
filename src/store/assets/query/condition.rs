//! What is looked for, as a condition of a statement.

use super::search::{Condition, FieldTest, NumberField, NumberOp, Scalar, Search, TextField, TextOp};
use crate::model::asset::AssetType;
use crate::model::asset::PublishState;
use crate::model::id::{AssetId, CompanyId};
use crate::store::sql::{self, Rows};

pub(super) enum Argument {
    Text(String),
    Number(f64),
    Integer(i64),
    Assets(Vec<AssetId>),
    Texts(Vec<String>),
}

fn types_of(types: &[AssetType]) -> Argument {
    Argument::Texts(types.iter().map(ToString::to_string).collect())
}

/// A condition as it grows. Values only ever enter it as numbered parameters.
pub(super) struct Query {
    pub condition: String,
    arguments: Vec<Argument>,
}

impl Query {
    pub fn new(company: CompanyId) -> Self {
        Self { condition: " WHERE a.company_id = $1".to_owned(), arguments: vec![Argument::Integer(company.0)] }
    }

    /// Of assets whose numbers are known: no index of the company is looked up.
    pub fn by_number(company: CompanyId) -> Self {
        Self {
            condition: " WHERE unindexed(a.company_id) = $1".to_owned(),
            arguments: vec![Argument::Integer(company.0)],
        }
    }

    pub fn bind(&mut self, value: Argument) -> String {
        self.arguments.push(value);
        format!("${}", self.arguments.len())
    }

    pub fn and(&mut self, condition: String) {
        self.condition.push_str(" AND ");
        self.condition.push_str(&condition);
    }

    /// A statement that this is the condition of.
    pub fn statement(&self, text: String) -> sql::Query<Rows> {
        self.arguments.iter().fold(sql::query(text), |query, argument| match argument {
            Argument::Text(text) => query.bind(text),
            Argument::Number(number) => query.bind(*number),
            Argument::Integer(number) => query.bind(*number),
            Argument::Assets(assets) => query.list(assets),
            Argument::Texts(texts) => query.list(texts),
        })
    }

    pub fn of(company: CompanyId, search: &Search) -> Self {
        let mut query = Self::new(company);
        query.within_folder(search);
        let state = query.bind(Argument::Text(search.trash_state.to_string()));
        query.and(format!("a.trash_state = {state}"));
        if let Some(state) = search.publish_state {
            let not = if state == PublishState::MarkedForPublish { "" } else { "NOT " };
            query.and(format!("{not}EXISTS (SELECT 1 FROM publish_mark p WHERE p.asset_id = a.id AND p.marked = 1)"));
        }
        if let Some(types) = &search.types {
            let types = query.bind(types_of(types));
            query.and(format!("a.asset_type IN texts({types})"));
        }
        if !search.excluded_types.is_empty() {
            let types = query.bind(types_of(&search.excluded_types));
            query.and(format!("a.asset_type NOT IN texts({types})"));
        }
        if !search.sub_types.is_empty() {
            let list = query.bind(Argument::Texts(search.sub_types.clone()));
            let none = if search.strict_sub_types { "" } else { "sd.sub_type IS NULL OR " };
            query.and(format!("({none}sd.sub_type IN texts({list}))"));
        }
        let joint = |any: bool| if any { " OR " } else { " AND " };
        let groups: Vec<String> = search
            .groups
            .iter()
            .filter(|group| !group.conditions.is_empty())
            .map(|group| {
                let conditions: Vec<String> = group.conditions.iter().map(|c| query.condition(c)).collect();
                format!("({})", conditions.join(joint(group.any)))
            })
            .collect();
        if !groups.is_empty() {
            query.and(format!("({})", groups.join(joint(search.any_group))));
        }
        query
    }

    fn within_folder(&mut self, search: &Search) {
        let folder = &search.folder;
        match (folder.is_empty(), search.include_subfolders) {
            (true, true) => {}
            (_, false) => {
                let path = self.bind(Argument::Text(folder.clone()));
                self.and(format!("f.path = {path}"));
            }
            (false, true) => {
                let path = self.bind(Argument::Text(folder.clone()));
                let first = self.bind(Argument::Text(format!("{folder}/")));
                // "0" is the character after "/".
                let end = self.bind(Argument::Text(format!("{folder}0")));
                self.and(format!("(f.path = {path} OR (f.path >= {first} AND f.path < {end}))"));
            }
        }
    }

    fn condition(&mut self, condition: &Condition) -> String {
        match condition {
            Condition::Text { field, op, value, minds_case } => self.text(field.column(), *op, value, *minds_case),
            Condition::Number { field, op, value } => {
                let value = self.bind(Argument::Number(*value));
                format!("{} {} {value}", field.column(), op.sql())
            }
            Condition::Range { field, inside, low, high } => {
                let not = if *inside { "" } else { "NOT " };
                let (low, high) = (self.bind(Argument::Number(*low)), self.bind(Argument::Number(*high)));
                format!("{} {not}BETWEEN {low} AND {high}", field.column())
            }
            Condition::Field { field, has, test } => {
                let field = self.bind(Argument::Text(field.clone()));
                let test = self.test(test);
                let not = if *has { "" } else { "NOT " };
                format!("{not}EXISTS (SELECT 1 FROM ({}) v WHERE {test})", values_of(&field))
            }
            Condition::Tags { field, values, all } => {
                let field = self.bind(Argument::Text(field.clone()));
                let values = self.bind(Argument::Texts(values.clone()));
                let held = values_of(&field);
                let (not, unlike) = if *all { ("NOT ", "NOT ") } else { ("", "") };
                format!("{not}EXISTS (SELECT 1 FROM texts({values}) w WHERE w.text {unlike}IN ({held}))")
            }
        }
    }

    fn text(&mut self, column: &str, op: TextOp, value: &str, minds_case: bool) -> String {
        let (not, op) = match op {
            TextOp::NotEquals => ("NOT ", TextOp::Equals),
            TextOp::NotContains => ("NOT ", TextOp::Contains),
            op => ("", op),
        };
        let pattern = match op {
            TextOp::Equals | TextOp::NotEquals => literal(value),
            TextOp::Contains | TextOp::NotContains => format!("%{}%", literal(value)),
            TextOp::StartsWith => format!("{}%", literal(value)),
            TextOp::EndsWith => format!("%{}", literal(value)),
        };
        if !minds_case {
            let pattern = self.bind(Argument::Text(pattern));
            return format!("{not}lower({column}) LIKE lower({pattern}) ESCAPE '\\'");
        }
        let value = self.bind(Argument::Text(value.to_owned()));
        match op {
            TextOp::Equals | TextOp::NotEquals => format!("{not}({column} = {value})"),
            TextOp::Contains | TextOp::NotContains => format!("{not}(strpos({column}, {value}) > 0)"),
            TextOp::StartsWith => format!("(substr({column}, 1, length({value})) = {value})"),
            TextOp::EndsWith => format!(
                "(length({column}) >= length({value})
                  AND substr({column}, length({column}) - length({value}) + 1) = {value})"
            ),
        }
    }

    /// A test of `v.value`.
    fn test(&mut self, test: &FieldTest) -> String {
        match test {
            FieldTest::Text { op, value, minds_case } => self.text("v.value", *op, value, *minds_case),
            FieldTest::Compare { op, value } => {
                let (column, value) = self.scalar(value);
                format!("{column} {} {value}", op.sql())
            }
            FieldTest::Between { low, high } => {
                let ((column, low), (_, high)) = (self.scalar(low), self.scalar(high));
                format!("{column} BETWEEN {low} AND {high}")
            }
        }
    }

    /// How values are compared with a scalar, and the parameter that it is. What is no number is NULL, and passes no test.
    fn scalar(&mut self, scalar: &Scalar) -> (&'static str, String) {
        match scalar {
            Scalar::Number(number) => {
                const NUMBER: &str = "leading_number(v.value)";
                (NUMBER, self.bind(Argument::Number(*number)))
            }
            Scalar::Text(text) => ("v.value", self.bind(Argument::Text(text.clone()))),
        }
    }
}

/// The values that asset `a` has in a field: the rows of asset_field_value for it, of which SQLite would make all first.
fn values_of(field: &str) -> String {
    format!(
        "SELECT j.text AS value FROM asset_metadata m, texts(m.value) j
         WHERE m.asset_id = a.id AND m.name = {field}
           AND (m.origin = 'User' OR NOT EXISTS (SELECT 1 FROM asset_metadata u WHERE u.asset_id = a.id
                                                 AND u.name = {field} AND u.origin = 'User'))
         UNION ALL
         SELECT f.default_value FROM metadata_field f
         WHERE f.company_id = a.company_id AND f.name = {field} AND f.default_value <> ''
           AND f.scope IN ('ALL', upper(a.asset_type))
           AND NOT EXISTS (SELECT 1 FROM asset_metadata m WHERE m.asset_id = a.id AND m.name = {field})"
    )
}

impl NumberOp {
    const fn sql(self) -> &'static str {
        match self {
            Self::Equals => "=",
            Self::NotEquals => "<>",
            Self::LessThan => "<",
            Self::LessThanEquals => "<=",
            Self::GreaterThan => ">",
            Self::GreaterThanEquals => ">=",
        }
    }
}

impl TextField {
    const fn column(self) -> &'static str {
        match self {
            Self::Id => "CAST(a.id AS TEXT)",
            Self::Name => "a.name",
            Self::AssetType => "a.asset_type",
            Self::FileName => "a.file_name",
            Self::FolderPath => {
                "(SELECT c.root_path || '/' FROM company c WHERE c.id = a.company_id) \
                 || CASE f.path WHEN '' THEN '' ELSE f.path || '/' END"
            }
            Self::Created => "rfc3339(a.created_at)",
            Self::Modified => "rfc3339(a.modified_at)",
            Self::CreateUser => "coalesce(cu.email, '')",
            Self::LastModifyUser => "coalesce(mu.email, '')",
        }
    }
}

impl NumberField {
    const fn column(self) -> &'static str {
        match self {
            Self::FileSize => "a.bytes",
            Self::Created => "a.created_at",
            Self::Modified => "a.modified_at",
        }
    }
}

/// Takes the meaning off the signs of a LIKE pattern.
fn literal(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
