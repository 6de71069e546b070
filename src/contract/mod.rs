//! What the IPS API is: its versions, constants, structures and operations, as data.
//!
//! [`Contract::get`] reads `ips-api.table` once. A field's place in its structure is its place on the wire, and each row
//! says which versions have it, so one table holds for every namespace the API has had. The codec, the faults for
//! unknown names and the WSDL of each version all come from here.

mod handle_shape;
mod schema;
mod table;
mod version;

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

pub use handle_shape::to_legacy_handle;
pub use schema::{Field, FieldType, Header, Occurs, Operation, Scalar, Structure};
pub use table::TableError;
pub use version::{Range, UNVERSIONED_NAMESPACE, Version};

use schema::StructureId;
use version::Edition;

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    table::parse(include_str!("ips-api.table")).expect("a unit test reads the table built into the binary")
});

/// The whole API, every version at once.
#[derive(Debug)]
pub struct Contract {
    editions: Vec<KnownEdition>,
    headers: Vec<Header>,
    constants: BTreeMap<&'static str, Vec<&'static str>>,
    structures: Vec<Structure>,
    structure_ids: HashMap<&'static str, StructureId>,
    operations: Vec<Operation>,
    operation_index: HashMap<&'static str, usize>,
}

#[derive(Debug)]
struct KnownEdition {
    edition: Edition,
    documented: bool,
}

impl Contract {
    /// The contract built into the program.
    pub fn get() -> &'static Contract {
        &CONTRACT
    }

    /// Every known version, oldest first.
    pub fn versions(&self) -> impl DoubleEndedIterator<Item = Version> + Clone {
        self.editions.iter().map(|known| Version::known(known.edition))
    }

    /// The versions the public reference lists, oldest first.
    pub fn documented_versions(&self) -> impl DoubleEndedIterator<Item = Version> {
        self.editions.iter().filter(|known| known.documented).map(|known| Version::known(known.edition))
    }

    /// The values of a constant set such as `JobTypes`; empty for a set that does not exist.
    pub fn constants(&self, set: &str) -> &[&'static str] {
        self.constants.get(set).map_or(&[], Vec::as_slice)
    }

    pub fn constant_sets(&self) -> impl Iterator<Item = &'static str> {
        self.constants.keys().copied()
    }

    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operation_index.get(name).map(|&index| &self.operations[index])
    }

    /// Every operation, in the order of the table.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    pub fn structure(&self, name: &str) -> Option<&Structure> {
        self.structure_ids.get(name).map(|&id| &self.structures[id.0])
    }

    /// Every named structure, in the order of the table.
    pub fn structures(&self) -> &[Structure] {
        &self.structures
    }

    /// The shape of `authHeader` that the WSDL of a version declares.
    pub fn header(&self, version: Version) -> Option<&Header> {
        self.headers.iter().find(|header| header.range.contains(version))
    }

    /// Both shapes of `authHeader`, the unversioned one first.
    pub fn headers(&self) -> &[Header] {
        &self.headers
    }
}

#[cfg(test)]
mod tests;
