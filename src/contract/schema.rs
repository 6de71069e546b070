//! Structures, fields and operations, and what of them a version has.

use super::{
    Contract, Version,
    version::{Edition, Range},
};

/// A simple type of XML Schema, as far as the API uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    String,
    Int,
    Long,
    Float,
    Double,
    Boolean,
    DateTime,
    Base64,
}

impl Scalar {
    /// The name XML Schema has for it.
    pub fn xsd_name(self) -> &'static str {
        match self {
            Scalar::String => "string",
            Scalar::Int => "int",
            Scalar::Long => "long",
            Scalar::Float => "float",
            Scalar::Double => "double",
            Scalar::Boolean => "boolean",
            Scalar::DateTime => "dateTime",
            Scalar::Base64 => "base64Binary",
        }
    }
}

/// The place of a structure in the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StructureId(pub(super) usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    Scalar(Scalar),
    Structure(StructureId),
}

impl FieldType {
    /// The structure this refers to, if it is one.
    pub fn structure(self) -> Option<&'static Structure> {
        match self {
            FieldType::Scalar(_) => None,
            FieldType::Structure(id) => Some(&Contract::get().structures[id.0]),
        }
    }
}

/// How often a field may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurs {
    pub min: u32,
    /// `None` is unbounded.
    pub max: Option<u32>,
}

impl Occurs {
    pub fn is_required(self) -> bool {
        self.min > 0
    }

    /// True if more than one may come.
    pub fn is_many(self) -> bool {
        self.max != Some(1)
    }
}

/// One row of a structure: a field as some versions have it.
#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub kind: FieldType,
    pub occurs: Occurs,
    pub range: Range,
}

impl Field {
    /// True if the field's text, or each item of its list, is a handle.
    pub fn holds_handles(&self) -> bool {
        self.name == "handle" || self.name.ends_with("Handle") || self.name.ends_with("HandleArray")
    }
}

/// A sequence of fields in wire order.
#[derive(Debug)]
pub struct Structure {
    pub name: String,
    rows: Vec<Field>,
    founded: Edition,
}

impl Structure {
    pub(super) fn new(name: String, rows: Vec<Field>) -> Structure {
        let founded = rows.iter().map(|row| row.range.since).min().unwrap_or(Edition::UNVERSIONED);
        Structure { name, rows, founded }
    }

    /// Every row of every version.
    pub fn rows(&self) -> &[Field] {
        &self.rows
    }

    /// The fields a version has, in wire order.
    pub fn fields(&self, version: Version) -> impl Iterator<Item = &Field> {
        let version = version.at_least(self.founded);
        self.rows.iter().filter(move |row| row.range.contains(version))
    }

    /// The fields of a version and, after them, those that only other versions have: what is understood in a request.
    /// The flag says whether the version itself has the field.
    pub fn understood(&self, version: Version) -> Vec<(&Field, bool)> {
        let mut fields: Vec<_> = self.fields(version).map(|field| (field, true)).collect();
        // The newest row of a name comes last, and is the one to go by where the version has none.
        for row in self.rows.iter().rev() {
            if !fields.iter().any(|(field, _)| field.name == row.name) {
                fields.push((row, false));
            }
        }
        fields
    }

    /// The item of a structure that is nothing but a list.
    pub fn list_item(&self) -> Option<&Field> {
        match self.rows.as_slice() {
            [item] if item.occurs.is_many() => Some(item),
            _ => None,
        }
    }

    /// True if any version has a field of this name.
    pub fn has(&self, name: &str) -> bool {
        self.rows.iter().any(|row| row.name == name)
    }
}

/// One operation: who may call it, what it takes and what it gives.
#[derive(Debug)]
pub struct Operation {
    pub name: &'static str,
    pub group: &'static str,
    /// The roles the reference prints; empty where it prints none.
    pub roles: Vec<&'static str>,
    pub range: Range,
    /// `<name>Param`
    pub param: Structure,
    /// `<name>Return`
    pub result: Structure,
}

/// A shape of `authHeader`.
#[derive(Debug)]
pub struct Header {
    /// False where the children may come in any order.
    pub is_sequence: bool,
    /// The versions whose WSDL has this shape.
    pub range: Range,
    pub fields: Structure,
}
