//! The job elements of submitJob: what each may hold, and the rules it must keep.
//!
//! A [`JobSpec`] is what the wire, the database and the executors share. Its JSON form is the element of submitJob:
//! `{"imageServingPublishJob": {"publishType": "Full", …}}`.

mod messages;
mod options;
mod publish;
mod unheeded;
mod upload;

pub use options::*;
pub use publish::*;
pub use unheeded::*;
pub use upload::*;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::email_setting::EmailSetting;
use super::id::CompanyId;
use super::invalid::Invalid;
use super::kind::JobKind;

/// A job's order, one variant a kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum JobSpec {
    #[serde(rename = "imageServingPublishJob")]
    ImageServingPublish(ImageServingPublishJob),
    #[serde(rename = "imageRenderingPublishJob")]
    ImageRenderingPublish(ContextPublishJob),
    #[serde(rename = "videoPublishJob")]
    VideoPublish(ContextPublishJob),
    #[serde(rename = "serverDirectoryPublishJob")]
    ServerDirectoryPublish(ServerDirectoryPublishJob),
    #[serde(rename = "metadataPublishJob")]
    MetadataPublish(MetadataPublishJob),
    #[serde(rename = "uploadDirectoryJob")]
    UploadDirectory(UploadDirectoryJob),
    #[serde(rename = "uploadUrlsJob")]
    UploadUrls(UploadUrlsJob),
    #[serde(rename = "uploadPostJob")]
    UploadPost(UploadPostJob),
    #[serde(rename = "optimizeImagesJob")]
    OptimizeImages(OptimizeImagesJob),
    #[serde(rename = "ripPdfsJob")]
    RipPdfs(RipPdfsJob),
    #[serde(rename = "reprocessAssetsJob")]
    ReprocessAssets(ReprocessAssetsJob),
    #[serde(rename = "createVideoSitemapJob")]
    CreateVideoSitemap(CreateVideoSitemapJob),
    #[serde(rename = "exportJob")]
    Export(ExportJob),
    #[serde(rename = "automatedSetGenerationJob")]
    AutomatedSetGeneration(AutomatedSetGenerationJob),
    #[serde(rename = "cleanupJob")]
    Cleanup(CleanupJob),
}

/// The built-in recurring job that removes what has outlived its retention. It has no element in submitJob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CleanupJob {}

/// Reads a structure and, when it does not fit, names the field.
fn read<T: DeserializeOwned>(element: &str, value: &Value) -> Result<T, Invalid> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { element.to_owned() } else { format!("{element}/{}", path.replace('.', "/")) };
        Invalid::new(field, rule(&error.inner().to_string()))
    })
}

/// The rule that a value breaks, in words for who wrote it: serde speaks of variants where the API has constants.
fn rule(error: &str) -> String {
    let constants = || {
        let (given, known) = error.strip_prefix("unknown variant `")?.split_once("`, expected ")?;
        Some(format!("must be {}, not \"{given}\"", known.replace('`', "")))
    };
    constants().unwrap_or_else(|| format!("cannot be read: {error}"))
}

/// Reads a job that carries processing options. They are read on their own first, the innermost before the others, because
/// an error inside a flattened structure cannot name its field.
fn read_processing<T: DeserializeOwned>(element: &str, value: &Value) -> Result<T, Invalid> {
    read::<UnheededOptions>(element, value)?;
    read::<ProcessingOptions>(element, value)?;
    read(element, value)
}

impl JobSpec {
    /// Reads and validates the job element `kind` from its JSON form.
    pub fn parse(kind: JobKind, value: &Value) -> Result<Self, Invalid> {
        let element = kind.element();
        let spec = match kind {
            JobKind::ImageServingPublish => Self::ImageServingPublish(read(element, value)?),
            JobKind::ImageRenderingPublish => Self::ImageRenderingPublish(read(element, value)?),
            JobKind::VideoPublish => Self::VideoPublish(read(element, value)?),
            JobKind::ServerDirectoryPublish => Self::ServerDirectoryPublish(read(element, value)?),
            JobKind::MetadataPublish => Self::MetadataPublish(read(element, value)?),
            JobKind::UploadDirectory => Self::UploadDirectory(read_processing(element, value)?),
            JobKind::UploadUrls => Self::UploadUrls(read_processing(element, value)?),
            JobKind::UploadPost => Self::UploadPost(read_processing(element, value)?),
            JobKind::OptimizeImages => Self::OptimizeImages(read(element, value)?),
            JobKind::RipPdfs => Self::RipPdfs(read_processing(element, value)?),
            JobKind::ReprocessAssets => Self::ReprocessAssets(read_processing(element, value)?),
            JobKind::CreateVideoSitemap => Self::CreateVideoSitemap(read(element, value)?),
            JobKind::Export => Self::Export(read(element, value)?),
            JobKind::AutomatedSetGeneration => Self::AutomatedSetGeneration(read(element, value)?),
            JobKind::Cleanup => Self::Cleanup(read(element, value)?),
        };
        spec.validate().map_err(|invalid| invalid.within(element))?;
        Ok(spec)
    }

    pub const fn kind(&self) -> JobKind {
        match self {
            Self::ImageServingPublish(_) => JobKind::ImageServingPublish,
            Self::ImageRenderingPublish(_) => JobKind::ImageRenderingPublish,
            Self::VideoPublish(_) => JobKind::VideoPublish,
            Self::ServerDirectoryPublish(_) => JobKind::ServerDirectoryPublish,
            Self::MetadataPublish(_) => JobKind::MetadataPublish,
            Self::UploadDirectory(_) => JobKind::UploadDirectory,
            Self::UploadUrls(_) => JobKind::UploadUrls,
            Self::UploadPost(_) => JobKind::UploadPost,
            Self::OptimizeImages(_) => JobKind::OptimizeImages,
            Self::RipPdfs(_) => JobKind::RipPdfs,
            Self::ReprocessAssets(_) => JobKind::ReprocessAssets,
            Self::CreateVideoSitemap(_) => JobKind::CreateVideoSitemap,
            Self::Export(_) => JobKind::Export,
            Self::AutomatedSetGeneration(_) => JobKind::AutomatedSetGeneration,
            Self::Cleanup(_) => JobKind::Cleanup,
        }
    }

    fn validate(&self) -> Result<(), Invalid> {
        match self {
            Self::ImageServingPublish(job) => job.validate(),
            Self::ImageRenderingPublish(job) | Self::VideoPublish(job) => job.validate(),
            Self::ServerDirectoryPublish(job) => job.validate(),
            Self::UploadDirectory(job) => job.validate(),
            Self::UploadUrls(job) => job.validate(),
            Self::UploadPost(job) => job.options.validate(),
            Self::RipPdfs(job) => job.validate(),
            Self::ReprocessAssets(job) => job.validate(),
            Self::Export(job) => job.validate(),
            Self::AutomatedSetGeneration(job) => job.validate(),
            Self::MetadataPublish(_) | Self::OptimizeImages(_) | Self::CreateVideoSitemap(_) | Self::Cleanup(_) => {
                Ok(())
            }
        }
    }

    /// The options of jobs that make assets.
    pub const fn processing(&self) -> Option<&ProcessingOptions> {
        match self {
            Self::UploadDirectory(job) => Some(&job.options),
            Self::UploadUrls(job) => Some(&job.options),
            Self::UploadPost(job) => Some(&job.options),
            Self::RipPdfs(job) => Some(&job.options),
            Self::ReprocessAssets(job) => Some(&job.options),
            _ => None,
        }
    }

    /// Kinds without the field mail nobody; but the server's own job tells its administrator of problems.
    pub const fn email_setting(&self) -> EmailSetting {
        match self {
            Self::ImageServingPublish(job) => job.email_setting,
            Self::ImageRenderingPublish(job) | Self::VideoPublish(job) => job.email_setting,
            Self::ServerDirectoryPublish(job) => job.email_setting,
            Self::UploadDirectory(job) => job.options.email_setting,
            Self::UploadUrls(job) => job.options.email_setting,
            Self::UploadPost(job) => job.options.email_setting,
            Self::RipPdfs(job) => job.options.email_setting,
            Self::ReprocessAssets(job) => job.options.email_setting,
            Self::OptimizeImages(job) => job.email_setting,
            Self::Export(job) => job.email_setting,
            Self::AutomatedSetGeneration(job) => job.email_setting,
            Self::MetadataPublish(_) | Self::CreateVideoSitemap(_) => EmailSetting::None,
            // Nobody waits for it, so that what it finds is told.
            Self::Cleanup(_) => EmailSetting::ErrorAndWarning,
        }
    }

    /// The address requested when the job is done: `httpCompletionUrl`, or `postHttpUrl` of upload jobs.
    pub fn completion_url(&self) -> Option<&str> {
        let url = match self {
            Self::ImageServingPublish(job) => job.http_completion_url.as_deref(),
            Self::ImageRenderingPublish(job) | Self::VideoPublish(job) => job.http_completion_url.as_deref(),
            Self::ServerDirectoryPublish(job) => job.http_completion_url.as_deref(),
            _ => self.processing().and_then(|options| options.post_http_url.as_deref()),
        };
        url.map(str::trim).filter(|url| !url.is_empty())
    }

    /// Runs with the same key never run at the same time: two publishes would work on the same tree.
    pub fn exclusive_key(&self, company: CompanyId) -> Option<String> {
        match self {
            Self::ImageServingPublish(_)
            | Self::ImageRenderingPublish(_)
            | Self::VideoPublish(_)
            | Self::ServerDirectoryPublish(_)
            | Self::MetadataPublish(_) => Some(format!("{}:{company}", self.kind())),
            // It writes to the trees of published videos: beside a publish it would wait for the lock of these, and not for long.
            Self::CreateVideoSitemap(_) => Some(format!("{}:{company}", JobKind::VideoPublish)),
            Self::UploadDirectory(_)
            | Self::UploadUrls(_)
            | Self::UploadPost(_)
            | Self::OptimizeImages(_)
            | Self::RipPdfs(_)
            | Self::ReprocessAssets(_)
            | Self::Export(_)
            | Self::AutomatedSetGeneration(_)
            | Self::Cleanup(_) => None,
        }
    }

    /// The publish job that follows an upload, if one was asked for.
    pub fn follow_up(&self) -> Option<JobSpec> {
        let options = self.processing()?;
        let serving = options.post_image_serving_publish_job.clone().map(JobSpec::ImageServingPublish);
        let rendering = || options.post_image_rendering_publish_job.clone().map(JobSpec::ImageRenderingPublish);
        let video = || options.post_video_publish_job.clone().map(JobSpec::VideoPublish);
        serving.or_else(rendering).or_else(video)
    }
}

/// Checks an address that the server will call.
fn check_url(field: &str, url: Option<&str>) -> Result<(), Invalid> {
    let Some(url) = url.map(str::trim).filter(|url| !url.is_empty()) else { return Ok(()) };
    match url::Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") && parsed.has_host() => Ok(()),
        Ok(parsed) => Err(Invalid::new(field, format!("must be an http or https address, not {}:", parsed.scheme()))),
        Err(error) => Err(Invalid::new(field, format!("must be an http or https address: {error}"))),
    }
}

/// Checks that a number lies in its range.
fn check_range(field: &str, value: f64, low: f64, high: f64) -> Result<(), Invalid> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(Invalid::new(field, format!("must be between {low} and {high}, not {value}")))
    }
}

#[cfg(test)]
mod tests;
