//! The executors of the daemon.

use super::not_available::NotAvailable;
use super::optimize::OptimizeImages;
use super::publish::ImageServingPublish;
use super::upload_directory::UploadDirectory;
use super::upload_urls::UploadUrls;
use super::{Executor, Registry, Settings, Workshop};
use crate::assets::blobs::Blobs;
use crate::model::job::JobSpec;

/// One executor for each kind of job.
#[derive(Debug, Clone)]
pub struct Standard {
    workshop: Workshop,
}

impl Standard {
    pub fn new(settings: Settings, blobs: Blobs) -> Self {
        Self { workshop: Workshop::new(settings, blobs) }
    }
}

impl Registry for Standard {
    fn executor(&self, spec: &JobSpec) -> Box<dyn Executor> {
        let workshop = self.workshop.clone();
        match spec {
            JobSpec::UploadDirectory(order) => Box::new(UploadDirectory { order: order.clone(), workshop }),
            JobSpec::ImageServingPublish(order) => Box::new(ImageServingPublish { order: order.clone(), workshop }),
            JobSpec::OptimizeImages(_) => Box::new(OptimizeImages { workshop }),
            JobSpec::UploadUrls(order) => Box::new(UploadUrls { order: order.clone(), workshop }),
            JobSpec::ImageRenderingPublish(_)
            | JobSpec::VideoPublish(_)
            | JobSpec::ServerDirectoryPublish(_)
            | JobSpec::MetadataPublish(_)
            | JobSpec::UploadPost(_)
            | JobSpec::RipPdfs(_)
            | JobSpec::ReprocessAssets(_)
            | JobSpec::CreateVideoSitemap(_)
            | JobSpec::Export(_)
            | JobSpec::AutomatedSetGeneration(_)
            | JobSpec::Cleanup(_) => Box::new(NotAvailable),
        }
    }
}
