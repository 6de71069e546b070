//! What a unit of work changes, beside its own checkpoint: the executors' narrow way to write.

use chrono::{DateTime, Utc};

use crate::model::id::AssetId;
use crate::store::{StoreError, Transaction};

/// A change that is committed together with the item that made it.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The item changed nothing but itself.
    Nothing,
}

/// What an effect came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Applied {
    Nothing,
}

impl Applied {
    /// The asset that was made or changed.
    pub const fn asset(&self) -> Option<AssetId> {
        match self {
            Self::Nothing => None,
        }
    }
}

impl Effect {
    pub(super) async fn apply(self, _tx: &mut Transaction, _now: DateTime<Utc>) -> Result<Applied, StoreError> {
        match self {
            Self::Nothing => Ok(Applied::Nothing),
        }
    }
}
