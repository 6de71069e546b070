//! Job kinds: the job elements of submitJob, and those the server starts itself.

use super::log::LogType;

/// What a job does. The name on the wire is the element of submitJob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobKind {
    ImageServingPublish,
    ImageRenderingPublish,
    VideoPublish,
    ServerDirectoryPublish,
    MetadataPublish,
    UploadDirectory,
    UploadUrls,
    UploadPost,
    OptimizeImages,
    RipPdfs,
    ReprocessAssets,
    CreateVideoSitemap,
    Export,
    AutomatedSetGeneration,
    Cleanup,
}

impl JobKind {
    pub const ALL: &'static [Self] = &[
        Self::ImageServingPublish,
        Self::ImageRenderingPublish,
        Self::VideoPublish,
        Self::ServerDirectoryPublish,
        Self::MetadataPublish,
        Self::UploadDirectory,
        Self::UploadUrls,
        Self::UploadPost,
        Self::OptimizeImages,
        Self::RipPdfs,
        Self::ReprocessAssets,
        Self::CreateVideoSitemap,
        Self::Export,
        Self::AutomatedSetGeneration,
        Self::Cleanup,
    ];

    /// The job element of submitJob and ActiveJob.
    pub const fn element(self) -> &'static str {
        match self {
            Self::ImageServingPublish => "imageServingPublishJob",
            Self::ImageRenderingPublish => "imageRenderingPublishJob",
            Self::VideoPublish => "videoPublishJob",
            Self::ServerDirectoryPublish => "serverDirectoryPublishJob",
            Self::MetadataPublish => "metadataPublishJob",
            Self::UploadDirectory => "uploadDirectoryJob",
            Self::UploadUrls => "uploadUrlsJob",
            Self::UploadPost => "uploadPostJob",
            Self::OptimizeImages => "optimizeImagesJob",
            Self::RipPdfs => "ripPdfsJob",
            Self::ReprocessAssets => "reprocessAssetsJob",
            Self::CreateVideoSitemap => "createVideoSitemapJob",
            Self::Export => "exportJob",
            Self::AutomatedSetGeneration => "automatedSetGenerationJob",
            Self::Cleanup => "cleanupJob",
        }
    }

    pub fn from_element(element: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.element() == element)
    }

    /// The constant in `type` of ActiveJob and ScheduledJob. The reference prints ten of them; the rest follow its pattern.
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::ImageServingPublish => "ImageServingPublish",
            Self::ImageRenderingPublish => "ImageRenderingPublish",
            Self::VideoPublish => "VideoPublish",
            Self::ServerDirectoryPublish => "ServerDirectoryPublish",
            Self::MetadataPublish => "MetadataPublish",
            Self::UploadDirectory => "UploadFromServerDirectory",
            Self::UploadUrls => "UrlUpload",
            Self::UploadPost => "UploadPost",
            Self::OptimizeImages => "ImageOptimization",
            Self::RipPdfs => "PdfRip",
            Self::ReprocessAssets => "ReprocessAssets",
            Self::CreateVideoSitemap => "CreateVideoSitemap",
            Self::Export => "Export",
            Self::AutomatedSetGeneration => "AutomatedSetGeneration",
            Self::Cleanup => "Cleanup",
        }
    }

    /// The log type of the job as a whole: what getJobLogs shows and the first detail carries.
    pub const fn begin_log(self) -> LogType {
        match self {
            Self::ImageServingPublish => LogType::BeginImageServingPublish,
            Self::ImageRenderingPublish => LogType::BeginImageRenderingPublish,
            Self::VideoPublish => LogType::BeginVideoPublish,
            Self::ServerDirectoryPublish => LogType::BeginServerDirectoryPublish,
            Self::MetadataPublish => LogType::BeginMetadata,
            // Audit clients keep the jobs with BeginUpload, whichever way the files came.
            Self::UploadDirectory | Self::UploadPost => LogType::BeginUpload,
            Self::UploadUrls => LogType::BeginUploadUrls,
            Self::OptimizeImages | Self::ReprocessAssets => LogType::BeginReoptimize,
            Self::RipPdfs => LogType::BeginPdfRip,
            Self::CreateVideoSitemap => LogType::BeginVideoSitemap,
            Self::Export => LogType::BeginExportJob,
            Self::AutomatedSetGeneration => LogType::BeginAutomatedSetGeneration,
            Self::Cleanup => LogType::BeginCleanup,
        }
    }

    pub const fn end_log(self) -> LogType {
        match self {
            Self::ImageServingPublish => LogType::EndImageServingPublish,
            Self::ImageRenderingPublish => LogType::EndImageRenderingPublish,
            Self::VideoPublish => LogType::EndVideoPublish,
            Self::ServerDirectoryPublish => LogType::EndServerDirectoryPublish,
            Self::MetadataPublish => LogType::EndMetadata,
            Self::UploadDirectory | Self::UploadPost => LogType::EndUpload,
            Self::UploadUrls => LogType::EndUploadUrls,
            Self::OptimizeImages | Self::ReprocessAssets => LogType::EndReoptimize,
            Self::RipPdfs => LogType::EndPdfRip,
            Self::CreateVideoSitemap => LogType::EndVideoSitemap,
            Self::Export => LogType::EndExportJob,
            Self::AutomatedSetGeneration => LogType::EndAutomatedSetGeneration,
            Self::Cleanup => LogType::EndCleanup,
        }
    }
}

impl std::fmt::Display for JobKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.element())
    }
}

impl serde::Serialize for JobKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.element())
    }
}

impl<'de> serde::Deserialize<'de> for JobKind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_element(&text).ok_or_else(|| serde::de::Error::custom(format!("unknown job element \"{text}\"")))
    }
}
