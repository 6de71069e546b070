//! The executors of the daemon.

use super::cleanup::Cleanup;
use super::export::Export;
use super::optimize::OptimizeImages;
use super::publish::sitemap::VideoSitemap;
use super::publish::{Publish, Rule, image_rendering, image_serving, metadata, server_directory, video};
use super::reprocess::ReprocessAssets;
use super::rip_pdfs::RipPdfs;
use super::sets::{SetGeneration, ThenSets};
use super::upload_directory::UploadDirectory;
use super::upload_post::UploadPost;
use super::upload_urls::UploadUrls;
use super::{Executor, Registry, Settings, Workshop};
use crate::assets::blobs::Blobs;
use crate::assets::marks::Marks;
use crate::model::job::{JobSpec, PublishType};
use crate::store::assets::marking::Marking;

/// One executor for each kind of job.
#[derive(Debug, Clone)]
pub struct Standard {
    workshop: Workshop,
}

impl Standard {
    /// Files in work are not marked, as long as nobody says where.
    pub fn new(settings: Settings, blobs: Blobs) -> Self {
        Self { workshop: Workshop::new(settings, blobs, Marks::none()) }
    }

    pub fn with_marks(self, marks: Marks) -> Self {
        let Self { mut workshop } = self;
        workshop.marks = marks;
        Self { workshop }
    }
}

impl Registry for Standard {
    fn executor(&self, spec: &JobSpec) -> Box<dyn Executor> {
        // An executor serves one attempt of a run.
        let workshop = self.workshop.for_one_run();
        let first = work(spec, workshop.clone());
        let options = spec.processing();
        let scripts = options.and_then(|options| options.auto_set_creation_options.clone());
        match scripts.filter(|scripts| !scripts.auto_sets_array.is_empty()) {
            Some(scripts) => Box::new(ThenSets { first, scripts, marking: marking(spec), workshop }),
            None => first,
        }
    }
}

/// What an order says of the marks of the sets that it makes beside its other work.
fn marking(spec: &JobSpec) -> Marking {
    let options = spec.processing();
    let ready = options.and_then(|options| options.ready_for_publish);
    let preserve = options.and_then(|options| options.preserve_publish_state);
    match spec {
        JobSpec::UploadDirectory(_) | JobSpec::UploadUrls(_) | JobSpec::UploadPost(_) => {
            Marking::of_upload(ready, preserve)
        }
        JobSpec::ReprocessAssets(_)
        | JobSpec::RipPdfs(_)
        | JobSpec::OptimizeImages(_)
        | JobSpec::AutomatedSetGeneration(_)
        | JobSpec::Export(_)
        | JobSpec::CreateVideoSitemap(_)
        | JobSpec::Cleanup(_)
        | JobSpec::ImageServingPublish(_)
        | JobSpec::ImageRenderingPublish(_)
        | JobSpec::ServerDirectoryPublish(_)
        | JobSpec::VideoPublish(_)
        | JobSpec::MetadataPublish(_) => Marking::of_known(ready, preserve),
    }
}

fn work(spec: &JobSpec, workshop: Workshop) -> Box<dyn Executor> {
    match spec {
        JobSpec::UploadDirectory(order) => Box::new(UploadDirectory { order: order.clone(), workshop }),
        JobSpec::ImageServingPublish(order) => {
            publish(&image_serving::RULE, order.publish_type, order.context_handle.as_ref(), workshop)
        }
        JobSpec::ImageRenderingPublish(order) => {
            publish(&image_rendering::RULE, PublishType::Incremental, order.context_handle.as_ref(), workshop)
        }
        JobSpec::ServerDirectoryPublish(_) => {
            publish(&server_directory::RULE, PublishType::Incremental, None, workshop)
        }
        JobSpec::AutomatedSetGeneration(order) => Box::new(SetGeneration { order: order.clone(), workshop }),
        JobSpec::Export(order) => Box::new(Export { order: order.clone(), workshop }),
        JobSpec::CreateVideoSitemap(order) => Box::new(VideoSitemap { order: *order, workshop }),
        JobSpec::OptimizeImages(_) => Box::new(OptimizeImages { workshop }),
        JobSpec::Cleanup(_) => Box::new(Cleanup { workshop }),
        JobSpec::RipPdfs(order) => Box::new(RipPdfs { order: order.clone(), workshop }),
        JobSpec::UploadPost(order) => Box::new(UploadPost { order: order.clone(), workshop }),
        JobSpec::UploadUrls(order) => Box::new(UploadUrls { order: order.clone(), workshop }),
        JobSpec::ReprocessAssets(order) => Box::new(ReprocessAssets { order: order.clone(), workshop }),
        JobSpec::VideoPublish(order) => {
            publish(&video::RULE, PublishType::Incremental, order.context_handle.as_ref(), workshop)
        }
        JobSpec::MetadataPublish(order) => {
            let is_full = order.force_publish == Some(true);
            let publish_type = if is_full { PublishType::Full } else { PublishType::Incremental };
            publish(&metadata::RULE, publish_type, None, workshop)
        }
    }
}

fn publish(
    rule: &'static Rule,
    publish_type: PublishType,
    context_handle: Option<&String>,
    workshop: Workshop,
) -> Box<dyn Executor> {
    Box::new(Publish { rule, publish_type, context_handle: context_handle.cloned(), workshop })
}
