//! The first and last line of a job's log.

use super::JobSpec;
use crate::model::handle;
use crate::model::kind::JobKind;
use crate::model::log::Message;
use crate::model::name;
use crate::model::outcome::{Counters, Outcome};

impl JobSpec {
    /// What begins. `root_path` is the company's root folder.
    pub fn begin_message(&self, root_path: &str) -> Message {
        let destination = |folder: Option<&str>| {
            let path = name::clean_folder("destFolder", handle::strip_root(root_path, folder.unwrap_or_default()));
            handle::folder_path(root_path, &path.unwrap_or_default())
        };
        let publish = |code: &str, context: &str| Message::new(code).with("context", context);
        let assets = |code: &str, handles: &[String]| Message::new(code).with("count", handles.len());
        match self {
            Self::ImageServingPublish(job) => {
                publish("begin-image-serving-publish", "ImageServing").with("publish-type", job.publish_type.as_str())
            }
            Self::ImageRenderingPublish(_) => publish("begin-image-rendering-publish", "ImageRendering"),
            Self::VideoPublish(_) => publish("begin-video-publish", "Video"),
            Self::ServerDirectoryPublish(_) => publish("begin-server-directory-publish", "ServerDirectory"),
            Self::MetadataPublish(_) => Message::new("begin-metadata-publish"),
            Self::UploadDirectory(job) => Message::new("begin-upload-directory")
                .with("folder", job.server_dir.clone())
                .with("destination", destination(job.dest_folder.as_deref())),
            Self::UploadUrls(job) => Message::new("begin-upload-urls").with("count", job.url_array.len()),
            Self::UploadPost(_) => Message::new("begin-upload-post").with("destination", destination(None)),
            Self::OptimizeImages(_) => Message::new("begin-optimize"),
            Self::RipPdfs(job) => assets("begin-pdf-rip", &job.pdf_handle_array),
            Self::ReprocessAssets(job) => assets("begin-reprocess", &job.asset_handle_array),
            Self::CreateVideoSitemap(_) => Message::new("begin-video-sitemap"),
            Self::Export(job) => assets("begin-export", &job.asset_handle_array),
            Self::AutomatedSetGeneration(job) => assets("begin-set-generation", &job.asset_handle_array),
            Self::Cleanup(_) => Message::new("begin-cleanup"),
        }
    }
}

impl JobKind {
    /// What ends, and what it counted.
    pub fn end_message(self, outcome: Outcome, counters: &Counters) -> Message {
        if outcome == Outcome::Failed {
            // Its errors are those of files: that there are none would be read as if all was well.
            let processed = counters.success.max(counters.transfer_success) + counters.update;
            return Message::new("end-failed").with("processed", processed);
        }
        let code = match self {
            Self::ImageServingPublish => "end-image-serving-publish",
            Self::ImageRenderingPublish => "end-image-rendering-publish",
            Self::VideoPublish => "end-video-publish",
            Self::ServerDirectoryPublish => "end-server-directory-publish",
            Self::MetadataPublish => "end-metadata-publish",
            Self::UploadDirectory => "end-upload-directory",
            Self::UploadUrls => "end-upload-urls",
            Self::UploadPost => "end-upload-post",
            Self::OptimizeImages => "end-optimize",
            Self::RipPdfs => "end-pdf-rip",
            Self::ReprocessAssets => "end-reprocess",
            Self::CreateVideoSitemap => "end-video-sitemap",
            Self::Export => "end-export",
            Self::AutomatedSetGeneration => "end-set-generation",
            Self::Cleanup => "end-cleanup",
        };
        let Counters {
            success,
            error,
            warning,
            duplicate,
            left_out,
            update,
            // The line before says so.
            part: _,
            part_error: _,
            transfer_success,
            transfer_error,
            transfer_warning,
        } = *counters;
        // Said only where there are some: runs that ended before they were counted have none either.
        let message = Message::new(if left_out > 0 { "end-upload-left-out" } else { code });
        let message = if left_out > 0 { message.with("left-out", left_out) } else { message };
        message
            .with("success", success.max(transfer_success))
            .with("updated", update)
            .with("duplicates", duplicate)
            .with("warnings", warning.max(transfer_warning))
            .with("errors", error.max(transfer_error))
    }
}
