//! What a unit of work changes, beside its own checkpoint: the executors' narrow way to write.

use chrono::{DateTime, Utc};

use crate::model::id::{AssetId, CompanyId, InstanceId};
use crate::model::log::LogType;
use crate::model::making::Making;
use crate::store::assets::AssetError;
use crate::store::assets::arrival::{self, Arrival, Filed};
use crate::store::assets::change::Change;
use crate::store::assets::derived::{self, Derived};
use crate::store::assets::growth::{self, Grown, Growth};
use crate::store::assets::ingest::{self, Replacement};
use crate::store::assets::metadata::{self, Brought, Described, Description};
use crate::store::assets::pages::{self, PageText};
use crate::store::assets::parts::{self, Order, Origin, Part, PartsGone};
use crate::store::assets::sets::{self, Gathered, NewSet};
use crate::store::cleanup::{self, Cleaned, CleanupStep};
use crate::store::exports::{self, Export};
use crate::store::pictures::{self, Standing};
use crate::store::publishing::{self, Begun, PublishStep, Published};
use crate::store::{StoreError, Transaction};

/// A change that is committed together with the item that made it.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The item changed nothing but itself.
    Nothing,
    /// A file arrived under a name, and these were made from it.
    File { arrival: Box<Arrival>, derived: Vec<Derived>, brought: Box<Brought> },
    /// These were made from the master that an asset had when the work began, in the way that was then asked for; without
    /// one it is of the master alone.
    Derive {
        company: CompanyId,
        asset: AssetId,
        source_blob: String,
        making: Option<Box<Making>>,
        derived: Vec<Derived>,
    },
    /// The master that an asset had when the work began was processed again; it was made in this way.
    Reprocess { replacement: Box<Replacement>, making: Box<Making>, derived: Vec<Derived>, brought: Box<Brought> },
    /// A part of an asset was made.
    Part { part: Box<Part>, derived: Vec<Derived> },
    /// A page of a document, or a layer, was drawn, and this was read from it.
    Page { part: Box<Part>, derived: Vec<Derived>, text: Box<PageText> },
    /// Parts whose keys begin so are these and no others, of this master: the rest goes to the trash.
    KeepParts { company: CompanyId, order: Order, prefix: String, keys: Vec<String> },
    /// The run goes on with the parts of this master, if another left them out.
    GoOn(Order),
    /// The run begins with the parts of this master, in place of any other: it has ordered them with the master, or orders them now.
    BeginParts { company: CompanyId, order: Order, is_placed: bool },
    /// All that the run was to make of this master was made.
    PartsMade(Order),
    /// An asset in the trash brings nothing forth: what was made of another master than this goes there too.
    LeaveParts { company: CompanyId, parent: AssetId, parent_blob: String },
    /// A set was put together, of a master or by itself.
    Set(Box<NewSet>),
    /// Assets join a set by a script.
    Grow(Box<Growth>),
    /// A copy of a metadata file was taken.
    KeepSheet { run: InstanceId, path: String, blob: String },
    /// A metadata file says these things of assets.
    Describe { change: Change, descriptions: Vec<Description> },
    /// An archive can be downloaded.
    Export(Export),
    /// A publish got one step further.
    Publish(PublishStep),
    /// What has been kept long enough went.
    Cleanup(CleanupStep),
}

/// What an effect came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Applied {
    Nothing,
    Filed(Filed),
    Gathered(Gathered),
    Derived(AssetId),
    /// The asset got another master meanwhile: nothing was written.
    Outdated(AssetId),
    /// A run that began later makes the parts of the asset: nothing was written.
    Superseded(AssetId),
    /// The asset is in the trash, or gone: nothing was written, but that so many of its parts, made of an earlier master, went to the
    /// trash as well.
    Withdrawn {
        asset: AssetId,
        parts_gone: u64,
    },
    /// The asset is no longer what this was computed from: nothing was written, and the item is not done. It is to be done
    /// again from what is there now.
    Overtaken(AssetId),
    /// Whether it goes on with the parts of an asset.
    GoesOn(bool),
    PublishBegun(Begun),
    Grown(Grown),
    /// So many rows.
    Removed(u64),
    /// Parts that a master does not have any more are in the trash.
    PartsGone(PartsGone),
    /// Nothing was removed: the database is older than the files.
    Held,
    /// Blobs that nothing has named for long enough.
    Orphans(Vec<String>),
    /// How many blobs nothing names, and how many of them were not replaced by others.
    OrphansNoted {
        all: u64,
        unexpected: u64,
    },
    Described(Vec<Described>),
    /// It contradicts what the database holds: nothing was written, and the item says why.
    Refused,
}

impl Applied {
    /// Whether the item is done with it.
    pub const fn is_done(&self) -> bool {
        !matches!(self, Self::Overtaken(_))
    }

    /// The asset that was made or changed.
    pub fn asset(&self) -> Option<AssetId> {
        match self {
            Self::Nothing
            | Self::Held
            | Self::GoesOn(_)
            | Self::PublishBegun(_)
            | Self::Removed(_)
            | Self::PartsGone(_)
            | Self::Orphans(_)
            | Self::OrphansNoted { .. }
            | Self::Described(_)
            | Self::Refused => None,
            Self::Filed(filed) | Self::Gathered(Gathered { filed, .. }) => Some(filed.asset()),
            Self::Derived(asset)
            | Self::Outdated(asset)
            | Self::Superseded(asset)
            | Self::Withdrawn { asset, .. }
            | Self::Overtaken(asset) => Some(*asset),
            Self::Grown(grown) => grown.set(),
        }
    }
}

impl From<Cleaned> for Applied {
    fn from(cleaned: Cleaned) -> Self {
        match cleaned {
            Cleaned::Nothing => Self::Nothing,
            Cleaned::Removed(rows) => Self::Removed(rows),
            Cleaned::Held => Self::Held,
            Cleaned::Orphans(blobs) => Self::Orphans(blobs),
            Cleaned::OrphansNoted { all, unexpected } => Self::OrphansNoted { all, unexpected },
        }
    }
}

impl From<Published> for Applied {
    fn from(published: Published) -> Self {
        match published {
            Published::Nothing => Self::Nothing,
            Published::Begun(begun) => Self::PublishBegun(begun),
            Published::Removed(rows) => Self::Removed(rows),
        }
    }
}

impl Effect {
    /// How a log calls the failure of this, if it stands for itself: what else the run does goes on without it. A step of a
    /// publish does not, for the steps after it are built on it.
    pub const fn failure_type(&self) -> Option<LogType> {
        match self {
            Self::File { .. }
            | Self::Derive { .. }
            | Self::Part { .. }
            | Self::KeepParts { .. }
            | Self::LeaveParts { .. }
            | Self::Set(_) => Some(LogType::UploadError),
            Self::Page { .. } => Some(LogType::PdfRipError),
            Self::Reprocess { .. } => Some(LogType::ReoptimizeFailure),
            Self::Grow(_) => Some(LogType::AutomatedSetGenerationError),
            Self::KeepSheet { .. } | Self::Describe { .. } => Some(LogType::MetadataFailure),
            Self::Export(_) => Some(LogType::ExportJobRenderFileError),
            Self::Cleanup(_) => Some(LogType::CleanupFailure),
            Self::Nothing | Self::GoOn(_) | Self::BeginParts { .. } | Self::PartsMade(_) | Self::Publish(_) => None,
        }
    }

    /// The asset that it is about, and what it is called if that is known.
    pub fn subject(&self) -> (Option<AssetId>, Option<String>) {
        match self {
            Self::File { arrival, .. } => (None, Some(arrival.name.with_extension())),
            Self::Part { part, .. } | Self::Page { part, .. } => (None, Some(part.name.with_extension())),
            Self::Set(set) => (None, Some(set.name.clone())),
            Self::Grow(growth) => (None, Some(growth.name.clone())),
            Self::KeepSheet { path, .. } => (None, Some(path.clone())),
            Self::Reprocess { replacement, .. } => (Some(replacement.asset), replacement.file_name.clone()),
            Self::Derive { asset, .. } => (Some(*asset), None),
            Self::KeepParts { order, .. }
            | Self::GoOn(order)
            | Self::BeginParts { order, .. }
            | Self::PartsMade(order) => (Some(order.parent), None),
            Self::LeaveParts { parent, .. } => (Some(*parent), None),
            Self::Nothing | Self::Describe { .. } | Self::Export(_) | Self::Publish(_) | Self::Cleanup(_) => {
                (None, None)
            }
        }
    }

    pub(super) async fn apply(self, tx: &mut Transaction, now: DateTime<Utc>) -> Result<Applied, StoreError> {
        match self {
            Self::Nothing => Ok(Applied::Nothing),
            Self::File { arrival, derived, brought } => file(tx, *arrival, &derived, &brought, now).await,
            Self::Derive { company, asset, source_blob, making, derived } => {
                match making {
                    Some(making) if !pictures::is_made_so(tx, company, asset, &source_blob, &making).await? => {
                        return Ok(Applied::Overtaken(asset));
                    }
                    Some(_) => {}
                    None => {
                        if let Some(passed) = passed(tx, company, asset, &source_blob, now).await? {
                            return Ok(passed);
                        }
                    }
                }
                derive(tx, company, asset, &derived, now).await?;
                Ok(Applied::Derived(asset))
            }
            Self::Reprocess { replacement, making, derived, brought } => {
                reprocess(tx, &replacement, &making, &derived, &brought, now).await
            }
            Self::Part { part, derived } => part_of(tx, *part, &derived, now).await,
            Self::Page { part, derived, text } => {
                let applied = part_of(tx, *part, &derived, now).await?;
                if let Applied::Filed(filed) = &applied {
                    pages::write(tx, filed.asset(), &text).await?;
                }
                Ok(applied)
            }
            Self::KeepParts { company, order, prefix, keys } => {
                if let Some(passed) = passed_by(tx, company, &order, now).await? {
                    return Ok(passed);
                }
                parts::keep_only(tx, company, order.parent, &prefix, &keys, now).await.map(Applied::PartsGone)
            }
            Self::GoOn(order) => Ok(Applied::GoesOn(parts::take_over(tx, &order).await?)),
            Self::BeginParts { company, order, is_placed } => begin_parts(tx, company, &order, is_placed, now).await,
            Self::PartsMade(order) => {
                parts::note_made(tx, &order).await?;
                Ok(Applied::Nothing)
            }
            Self::LeaveParts { company, parent, parent_blob } => {
                // Out of the trash again, it may be left later.
                Ok(passed(tx, company, parent, &parent_blob, now).await?.unwrap_or(Applied::Overtaken(parent)))
            }
            Self::Set(set) => {
                if let Some(Origin { order, .. }) = &set.made_from
                    && let Some(passed) = passed_by(tx, set.company, order, now).await?
                {
                    return Ok(passed);
                }
                sets::save(tx, *set).await.map(Applied::Gathered).map_err(unexpected)
            }
            Self::Grow(growth) => growth::grow(tx, &growth).await.map(Applied::Grown).map_err(unexpected),
            Self::KeepSheet { run, path, blob } => {
                metadata::keep_sheet(tx, run, &path, &blob).await?;
                Ok(Applied::Nothing)
            }
            Self::Describe { change, descriptions } => {
                metadata::describe(tx, change, descriptions).await.map(Applied::Described)
            }
            Self::Export(export) => {
                exports::keep(tx, &export).await?;
                Ok(Applied::Nothing)
            }
            Self::Cleanup(step) => cleanup::apply(tx, step, now).await.map(Applied::from),
            Self::Publish(step) => publishing::apply(tx, step, now).await.map(Applied::from),
        }
    }
}

async fn file(
    tx: &mut Transaction,
    arrival: Arrival,
    derived: &[Derived],
    brought: &Brought,
    now: DateTime<Utc>,
) -> Result<Applied, StoreError> {
    let company = arrival.company;
    let filed = match arrival::file(tx, arrival).await {
        Err(AssetError::Overtaken(asset)) => return Ok(Applied::Overtaken(asset)),
        filed => filed.map_err(unexpected)?,
    };
    if filed.is_master() {
        if !derived.is_empty() {
            derive(tx, company, filed.asset(), derived, now).await?;
        }
        metadata::bring(tx, filed.asset(), brought).await?;
        pictures::drop_stale(tx, filed.asset()).await?;
    }
    Ok(Applied::Filed(filed))
}

async fn reprocess(
    tx: &mut Transaction,
    replacement: &Replacement,
    making: &Making,
    derived: &[Derived],
    brought: &Brought,
    now: DateTime<Utc>,
) -> Result<Applied, StoreError> {
    let Replacement { company, asset, master, .. } = replacement;
    if !pictures::is_made_so(tx, *company, *asset, &master.blob, making).await? {
        return Ok(Applied::Overtaken(*asset));
    }
    ingest::replace(tx, replacement).await.map_err(unexpected)?;
    metadata::bring(tx, *asset, brought).await?;
    if !derived.is_empty() {
        derive(tx, *company, *asset, derived, now).await?;
    }
    Ok(Applied::Derived(*asset))
}

/// What is said of an asset that is not any more what its parts were made of.
async fn passed(
    tx: &mut Transaction,
    company: CompanyId,
    asset: AssetId,
    blob: &str,
    now: DateTime<Utc>,
) -> Result<Option<Applied>, StoreError> {
    Ok(match pictures::standing(tx, company, asset, blob).await? {
        Standing::AsItWas => None,
        Standing::Replaced => Some(Applied::Outdated(asset)),
        Standing::Withdrawn => {
            let parts_gone = parts::put_away_earlier(tx, company, asset, blob, now).await?;
            Some(Applied::Withdrawn { asset, parts_gone })
        }
    })
}

/// What is said where parts are not made for this order any more.
async fn passed_by(
    tx: &mut Transaction,
    company: CompanyId,
    order: &Order,
    now: DateTime<Utc>,
) -> Result<Option<Applied>, StoreError> {
    if let Some(passed) = passed(tx, company, order.parent, &order.blob, now).await? {
        return Ok(Some(passed));
    }
    Ok(parts::is_superseded(tx, order).await?.then_some(Applied::Superseded(order.parent)))
}

/// An order that is placed with it stands in the place of any other; one that `is_placed` already may have another in its own.
async fn begin_parts(
    tx: &mut Transaction,
    company: CompanyId,
    order: &Order,
    is_placed: bool,
    now: DateTime<Utc>,
) -> Result<Applied, StoreError> {
    if is_placed {
        return Ok(passed_by(tx, company, order, now).await?.unwrap_or(Applied::Nothing));
    }
    if let Some(passed) = passed(tx, company, order.parent, &order.blob, now).await? {
        return Ok(passed);
    }
    parts::note_ordered(tx, order.parent, Some(order.run)).await?;
    Ok(Applied::Nothing)
}

async fn part_of(
    tx: &mut Transaction,
    part: Part,
    derived: &[Derived],
    now: DateTime<Utc>,
) -> Result<Applied, StoreError> {
    let company = part.company;
    if let Some(passed) = passed_by(tx, company, &part.origin.order, now).await? {
        return Ok(passed);
    }
    let filed = match parts::file(tx, part).await {
        Err(AssetError::Overtaken(asset)) => return Ok(Applied::Overtaken(asset)),
        filed => filed.map_err(unexpected)?,
    };
    if !derived.is_empty() {
        derive(tx, company, filed.asset(), derived, now).await?;
    }
    pictures::drop_stale(tx, filed.asset()).await?;
    Ok(Applied::Filed(filed))
}

async fn derive(
    tx: &mut Transaction,
    company: CompanyId,
    asset: AssetId,
    derived: &[Derived],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    derived::write(tx, company, asset, derived, now).await.map_err(unexpected)
}

/// Names were looked up in the same transaction, so that these errors mean a database that contradicts itself.
fn unexpected(error: AssetError) -> StoreError {
    match error {
        AssetError::Store(error) => error,
        error => StoreError::Constraint { doing: "write an asset", reason: error.to_string() },
    }
}
