//! Reading assets: by number, by name, by condition.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::ids;
use crate::model::asset::{AssetType, DerivedRole, PictureFacts, PublishState, TrashState};
use crate::model::id::{AssetId, CompanyId};
use crate::store::rows::{constant, get, instant, json};
use crate::store::sql::{self, Arguments, Cells, Row};
use crate::store::{Reads, StoreError};

/// An asset, with all that its clients see.
#[derive(Debug, Clone, PartialEq)]
pub struct Asset {
    pub id: AssetId,
    pub folder: String,
    pub name: String,
    pub asset_type: AssetType,
    pub file_name: String,
    pub blob: String,
    pub bytes: i64,
    pub pixels: Option<(u32, u32)>,
    pub facts: PictureFacts,
    /// Of asset sets.
    pub sub_type: Option<String>,
    /// Of asset sets.
    pub definition: Option<String>,
    pub trash_state: TrashState,
    /// In at least one publish context.
    pub marked: bool,
    pub created_at: DateTime<Utc>,
    pub created_by: Option<String>,
    pub modified_at: DateTime<Utc>,
    pub modified_by: Option<String>,
    /// What was made from it, and is not stale.
    pub derived: Vec<DerivedFile>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DerivedFile {
    pub role: DerivedRole,
    pub blob: String,
    pub bytes: i64,
    /// How it was made.
    pub recipe: String,
}

/// What to look for. Every part narrows the result.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    pub folder: String,
    pub include_subfolders: bool,
    pub trash_state: TrashState,
    pub publish_state: Option<PublishState>,
    /// None: any type.
    pub types: Option<Vec<AssetType>>,
    pub excluded_types: Vec<AssetType>,
    /// Empty: any sub-type. Assets that have none are found as well, unless the search is strict.
    pub sub_types: Vec<String>,
    pub strict_sub_types: bool,
    pub groups: Vec<Group>,
    /// One group is enough; otherwise all must hold. Groups without conditions are none.
    pub any_group: bool,
    pub sort: Sort,
    pub descending: bool,
    pub limit: u32,
    pub offset: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Created,
    Modified,
    Name,
    AssetType,
    FileSize,
}

/// Conditions that belong together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Group {
    pub conditions: Vec<Condition>,
    /// One condition is enough; otherwise all must hold.
    pub any: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    Text {
        field: TextField,
        op: TextOp,
        value: String,
        minds_case: bool,
    },
    Number {
        field: NumberField,
        op: NumberOp,
        value: f64,
    },
    Range {
        field: NumberField,
        inside: bool,
        low: f64,
        high: f64,
    },
    /// A value of a metadata field passes the test; or, without `has`, none does.
    Field {
        field: String,
        has: bool,
        test: FieldTest,
    },
    /// A metadata field has all of the values, or one of them.
    Tags {
        field: String,
        values: Vec<String>,
        all: bool,
    },
}

/// A test of a value of a metadata field.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldTest {
    Text { op: TextOp, value: String, minds_case: bool },
    Compare { op: NumberOp, value: Scalar },
    Between { low: Scalar, high: Scalar },
}

/// What values are compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    Number(f64),
    /// An instant as values of dates are kept.
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextField {
    Id,
    Name,
    AssetType,
    FileName,
    /// As clients see it: company root first, slash at the end.
    FolderPath,
    CreateUser,
    LastModifyUser,
    /// As replies write it.
    Created,
    /// As replies write it.
    Modified,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextOp {
    Equals,
    NotEquals,
    Contains,
    NotContains,
    StartsWith,
    EndsWith,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberField {
    FileSize,
    /// In milliseconds since 1970.
    Created,
    /// In milliseconds since 1970.
    Modified,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberOp {
    Equals,
    NotEquals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

/// A page of a result.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// On all pages.
    pub total: u64,
    pub assets: Vec<Asset>,
}

const COLUMNS: &str =
    "SELECT a.*, sd.sub_type, sd.definition, f.path AS folder, cu.email AS creator, mu.email AS modifier,
    EXISTS (SELECT 1 FROM publish_mark p WHERE p.asset_id = a.id AND p.marked = 1) AS is_marked";
const TABLES: &str = " FROM asset a JOIN folder f ON f.id = a.folder_id
    LEFT JOIN set_detail sd ON sd.set_id = a.id
    LEFT JOIN account cu ON cu.id = a.created_by LEFT JOIN account mu ON mu.id = a.modified_by";

impl Reads {
    /// Those of the company, in the order of `assets`; what is not there is left out.
    pub async fn assets(&self, company: CompanyId, assets: &[AssetId]) -> Result<Vec<Asset>, StoreError> {
        let mut query = Query::by_number(company);
        let list = query.bind(Argument::Text(ids(assets)));
        query.and(format!("a.id IN (SELECT value FROM json_each({list}))"));
        query.and("a.trash_state <> 'InEmptiedTrash'".to_owned());
        let mut found: HashMap<AssetId, Asset> =
            self.select(query, "").await?.into_iter().map(|asset| (asset.id, asset)).collect();
        Ok(assets.iter().filter_map(|id| found.remove(id)).collect())
    }

    /// Those of the company that are not in the trash, in the order of `names`.
    pub async fn assets_named(&self, company: CompanyId, names: &[String]) -> Result<Vec<Asset>, StoreError> {
        let mut query = Query::new(company);
        let list = query.bind(Argument::Text(json!(names).to_string()));
        query.and(format!("a.name IN (SELECT value FROM json_each({list}))"));
        query.and("a.trash_state = 'NotInTrash'".to_owned());
        let mut found: HashMap<String, Asset> =
            self.select(query, "").await?.into_iter().map(|asset| (asset.name.clone(), asset)).collect();
        Ok(names.iter().filter_map(|name| found.remove(name)).collect())
    }

    pub async fn search_assets(&self, company: CompanyId, search: &Search) -> Result<Page, StoreError> {
        let query = Query::of(company, search);
        let total = {
            let sql = format!("SELECT count(*){TABLES}{}", query.condition);
            let row = sql::with(sql, query.arguments())
                .fetch_one(&mut *self.reader().await?)
                .await
                .map_err(StoreError::doing("count assets"))?;
            row.get::<i64, _>(0).unsigned_abs()
        };
        let column = match search.sort {
            Sort::Created => "a.created_at",
            Sort::Modified => "a.modified_at",
            Sort::Name => "a.name",
            Sort::AssetType => "a.asset_type",
            Sort::FileSize => "a.bytes",
        };
        let direction = if search.descending { "DESC" } else { "ASC" };
        let tail = format!(
            " ORDER BY {column} {direction}, a.id {direction} LIMIT {} OFFSET {}",
            search.limit,
            search.offset.min(i64::MAX.unsigned_abs())
        );
        Ok(Page { total, assets: self.select(query, &tail).await? })
    }

    async fn select(&self, query: Query, tail: &str) -> Result<Vec<Asset>, StoreError> {
        let sql = format!("{COLUMNS}{TABLES}{}{tail}", query.condition);
        let mut reader = self.reader().await?;
        let rows = sql::with(sql, query.arguments())
            .fetch_all(&mut *reader)
            .await
            .map_err(StoreError::doing("read assets"))?;
        let mut assets = rows.iter().map(asset).collect::<Result<Vec<_>, _>>()?;
        let numbers: Vec<AssetId> = assets.iter().map(|asset| asset.id).collect();
        let rows = sql::query(
            "SELECT d.asset_id, d.role, d.blob, d.bytes, d.recipe FROM derived d
             JOIN asset a ON a.id = d.asset_id AND a.blob = d.source_blob
             WHERE d.asset_id IN (SELECT value FROM json_each($1)) ORDER BY d.asset_id, d.role",
        )
        .bind(ids(&numbers))
        .fetch_all(&mut *reader)
        .await
        .map_err(StoreError::doing("read derived files"))?;
        let mut derived: HashMap<AssetId, Vec<DerivedFile>> = HashMap::new();
        for row in &rows {
            let file = DerivedFile {
                role: constant(row, "role")?,
                blob: get(row, "blob")?,
                bytes: get(row, "bytes")?,
                recipe: get(row, "recipe")?,
            };
            derived.entry(AssetId(get(row, "asset_id")?)).or_default().push(file);
        }
        for asset in &mut assets {
            asset.derived = derived.remove(&asset.id).unwrap_or_default();
        }
        Ok(assets)
    }
}

fn asset(row: &Row) -> Result<Asset, StoreError> {
    let (width, height): (Option<u32>, Option<u32>) = (get(row, "width")?, get(row, "height")?);
    Ok(Asset {
        id: AssetId(get(row, "id")?),
        folder: get(row, "folder")?,
        name: get(row, "name")?,
        asset_type: constant(row, "asset_type")?,
        file_name: get(row, "file_name")?,
        blob: get(row, "blob")?,
        bytes: get(row, "bytes")?,
        pixels: width.zip(height),
        facts: json(row, "info")?,
        sub_type: get(row, "sub_type")?,
        definition: get(row, "definition")?,
        trash_state: constant(row, "trash_state")?,
        marked: get(row, "is_marked")?,
        created_at: instant(row, "created_at")?,
        created_by: get(row, "creator")?,
        modified_at: instant(row, "modified_at")?,
        modified_by: get(row, "modifier")?,
        derived: Vec::new(),
    })
}

enum Argument {
    Text(String),
    Number(f64),
    Integer(i64),
}

/// A condition as it grows. Values only ever enter it as numbered parameters.
struct Query {
    condition: String,
    arguments: Vec<Argument>,
}

impl Query {
    fn new(company: CompanyId) -> Self {
        Self { condition: " WHERE a.company_id = $1".to_owned(), arguments: vec![Argument::Integer(company.0)] }
    }

    /// Of assets whose numbers are known: behind a plus no index of the company is looked up.
    fn by_number(company: CompanyId) -> Self {
        Self { condition: " WHERE +a.company_id = $1".to_owned(), arguments: vec![Argument::Integer(company.0)] }
    }

    fn bind(&mut self, value: Argument) -> String {
        self.arguments.push(value);
        format!("${}", self.arguments.len())
    }

    fn and(&mut self, condition: String) {
        self.condition.push_str(" AND ");
        self.condition.push_str(&condition);
    }

    fn arguments(&self) -> Arguments {
        use crate::store::sql::Add;
        let mut arguments = Arguments::default();
        for argument in &self.arguments {
            let added = match argument {
                Argument::Text(text) => arguments.add(text.clone()),
                Argument::Number(number) => arguments.add(*number),
                Argument::Integer(number) => arguments.add(*number),
            };
            added.expect("texts and numbers can always be encoded");
        }
        arguments
    }

    fn of(company: CompanyId, search: &Search) -> Self {
        let mut query = Self::new(company);
        query.within_folder(search);
        let state = query.bind(Argument::Text(search.trash_state.to_string()));
        query.and(format!("a.trash_state = {state}"));
        if let Some(state) = search.publish_state {
            let not = if state == PublishState::MarkedForPublish { "" } else { "NOT " };
            query.and(format!("{not}EXISTS (SELECT 1 FROM publish_mark p WHERE p.asset_id = a.id AND p.marked = 1)"));
        }
        if let Some(types) = &search.types {
            let types = query.bind(Argument::Text(json!(types).to_string()));
            query.and(format!("a.asset_type IN (SELECT value FROM json_each({types}))"));
        }
        if !search.excluded_types.is_empty() {
            let types = query.bind(Argument::Text(json!(search.excluded_types).to_string()));
            query.and(format!("a.asset_type NOT IN (SELECT value FROM json_each({types}))"));
        }
        if !search.sub_types.is_empty() {
            let list = query.bind(Argument::Text(json!(search.sub_types).to_string()));
            let none = if search.strict_sub_types { "" } else { "sd.sub_type IS NULL OR " };
            query.and(format!("({none}sd.sub_type IN (SELECT value FROM json_each({list})))"));
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
                let values = self.bind(Argument::Text(json!(values).to_string()));
                let held = values_of(&field);
                let (not, unlike) = if *all { ("NOT ", "NOT ") } else { ("", "") };
                format!("{not}EXISTS (SELECT 1 FROM json_each({values}) w WHERE w.value {unlike}IN ({held}))")
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
            TextOp::Contains | TextOp::NotContains => format!("{not}(instr({column}, {value}) > 0)"),
            TextOp::StartsWith => format!("(substr({column}, 1, length({value})) = {value})"),
            TextOp::EndsWith => format!("({value} = '' OR substr({column}, -length({value})) = {value})"),
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
                const NUMBER: &str = "CASE WHEN v.value GLOB '[-+.0-9]*' THEN CAST(v.value AS REAL) END";
                (NUMBER, self.bind(Argument::Number(*number)))
            }
            Scalar::Text(text) => ("v.value", self.bind(Argument::Text(text.clone()))),
        }
    }
}

/// The values that asset `a` has in a field: the rows of asset_field_value for it, of which SQLite would make all first.
fn values_of(field: &str) -> String {
    format!(
        "SELECT j.value AS value FROM asset_metadata m, json_each(m.value) j
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
            Self::Created => "strftime('%Y-%m-%dT%H:%M:%fZ', a.created_at / 1000.0, 'unixepoch')",
            Self::Modified => "strftime('%Y-%m-%dT%H:%M:%fZ', a.modified_at / 1000.0, 'unixepoch')",
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
