//! What is looked for among assets.

use super::Asset;
use crate::model::asset::{AssetType, PublishState, TrashState};

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
