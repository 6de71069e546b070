//! The whole at a glance, for health checks and metrics. It names companies, but nothing of theirs.

use super::{Error, Services};
pub use crate::store::Stats;
pub use crate::store::overview::Overview;

impl Services {
    /// What waits, runs and is to be told.
    pub async fn overview(&self) -> Result<Overview, Error> {
        Ok(self.store.overview(self.clock.now()).await?)
    }

    /// What was done since the process started.
    pub fn stats(&self) -> &Stats {
        self.store.stats()
    }

    /// Whether the database answers and can be written.
    pub async fn ping(&self) -> Result<(), Error> {
        self.store.ping().await?;
        Ok(self.store.prove_writable(self.clock.now()).await?)
    }
}
