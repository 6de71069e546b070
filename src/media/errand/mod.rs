//! What is done with bytes that others sent, as errands: what is asked, over which open files, and what comes of it, in words that a
//! confined child ([`Crew`](super::child::Crew)) takes in and answers in.
//!
//! An errand is carried out by the same function on both sides of the fence. Its answer is believed no further than its type
//! goes: whoever gave it has been with hostile bytes.

mod archive;
mod picture;
mod sheet;
mod view;
mod work;

use std::fs::File;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::archive::ArchiveError;
use super::limits::Limits;
pub use archive::{ExtractMember, FindKind, ListArchive, MemberError, Members, NamedMember, NamesIn};
pub use picture::{CountPages, LookForHoles, Optimize, ReadLayers, ReadMetadata, ReadPacket, ReadSpace};
pub use sheet::TakeRows;
pub use view::{CheckProfile, Profiles, Render, Sight, Viewed};
pub(crate) use work::work;

/// Something to be done.
pub trait Errand: Into<Order> {
    /// Who does it, in messages.
    const NAME: &'static str;
    type Answer: Serialize + DeserializeOwned;
    type Error: Serialize + DeserializeOwned + std::error::Error + 'static;

    /// What whoever has done it before may still have at hand.
    fn keeps(&self) -> Option<&str> {
        None
    }

    /// Whoever cancels it kills the worker: it is not asked in between.
    fn carry_out(self, files: Files, desk: &mut Desk) -> Result<Self::Answer, Self::Error>;
}

/// All errands there are.
#[derive(Debug, Serialize, Deserialize)]
pub enum Order {
    Optimize(Box<Optimize>),
    Metadata(ReadMetadata),
    Packet(ReadPacket),
    Layers(ReadLayers),
    CountPages(CountPages),
    Holes(LookForHoles),
    Space(ReadSpace),
    FindKind(FindKind),
    ListArchive(ListArchive),
    ExtractMember(ExtractMember),
    TakeRows(TakeRows),
    CheckProfile(Box<CheckProfile>),
    Render(Box<Render>),
}

macro_rules! orders {
    ($($errand:ident => $order:expr),* $(,)?) => {
        $(impl From<$errand> for Order {
            fn from(errand: $errand) -> Self {
                $order(errand.into())
            }
        })*
    };
}

orders! {
    Optimize => Order::Optimize,
    ReadMetadata => Order::Metadata,
    ReadPacket => Order::Packet,
    ReadLayers => Order::Layers,
    CountPages => Order::CountPages,
    LookForHoles => Order::Holes,
    ReadSpace => Order::Space,
    FindKind => Order::FindKind,
    ListArchive => Order::ListArchive,
    ExtractMember => Order::ExtractMember,
    TakeRows => Order::TakeRows,
    CheckProfile => Order::CheckProfile,
    Render => Order::Render,
}

/// An errand with what it may take.
#[derive(Debug, Serialize, Deserialize)]
pub struct Orders {
    pub limits: Limits,
    pub errand: Order,
}

/// The open files of an errand, in its order.
pub struct Files(std::vec::IntoIter<File>);

impl From<Vec<File>> for Files {
    fn from(files: Vec<File>) -> Self {
        Self(files.into_iter())
    }
}

impl Files {
    /// The next one; an error that names it if there is none.
    fn next(&mut self, what: &'static str) -> Result<File, super::MediaError> {
        let missing = || super::MediaError::Io {
            doing: format!("find {what} among the files of an errand"),
            source: std::io::ErrorKind::NotFound.into(),
        };
        self.0.next().ok_or_else(missing)
    }
}

/// What whoever carries out errands has at hand from one to the next.
#[derive(Default)]
pub struct Desk {
    pub limits: Limits,
    archive: Option<archive::Opened>,
    sheet: Option<sheet::Begun>,
}

impl From<super::MediaError> for ArchiveError {
    fn from(error: super::MediaError) -> Self {
        Self::Damaged(error.to_string())
    }
}
