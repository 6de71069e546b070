//! What the daemon does: one executor a job kind.
//!
//! An executor is given a [`Context`] and its order. It never sees a row and never writes a state: it plans its items,
//! commits each with what it changed, and returns. It may be started again after any of its commits, and then continues
//! at the first item that is not done; two attempts of one run never commit side by side.

mod archive;
mod cleanup;
mod context;
pub mod export;
mod failure;
mod filing;
mod layer_keys;
mod layers;
mod leaves;
mod mounts;
mod optimize;
mod options;
mod pages;
mod pictures;
mod process;
mod publish;
mod reason;
mod recipe;
mod reprocess;
mod rip_pdfs;
mod sets;
mod settings;
mod sheets;
mod standard;
mod upload_directory;
mod upload_post;
mod upload_urls;
mod videos;
mod workshop;

pub use context::{Context, Item, ProgressBoard, RunInfo};
pub use failure::Failure;
pub use settings::Settings;
pub use standard::Standard;
use workshop::{Bytes, Workshop};

use async_trait::async_trait;

use crate::model::job::JobSpec;

/// Carries out the jobs of a kind.
#[async_trait]
pub trait Executor: Send + Sync {
    async fn run(&self, context: &Context) -> Result<(), Failure>;
}

/// Finds the executor of an order. The daemon has one; tests bring their own.
pub trait Registry: Send + Sync {
    fn executor(&self, spec: &JobSpec) -> Box<dyn Executor>;
}
