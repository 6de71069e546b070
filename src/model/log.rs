//! Lines of a job log: typed, with parameters; words come when somebody reads them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::asset::AssetType;
use super::constants;
use super::id::AssetId;

constants! {
    /// JobLogTypes constants that this server writes or accepts as a filter. The first block is printed in the reference
    /// (its slips mended); the second was seen in traffic or follows the pattern of the first where nothing is printed.
    pub enum LogType("job log type") {
        BeginImageServingPublish, EndImageServingPublish, ImageServingPublishSuccess, ImageServingPublishError,
        ImageServingPublishWarning, BeginImageServingPublishCleanup, EndImageServingPublishCleanup,
        ImageServingPublishCleanupFailure, ImageServingPublishCleanupSuccess,
        BeginImageRenderingPublish, EndImageRenderingPublish, ImageRenderingPublishError, ImageRenderingPublishSuccess,
        BeginImageRenderingPublishCleanup, EndImageRenderingPublishCleanup, ImageRenderingPublishCleanupFailure,
        ImageRenderingPublishCleanupSuccess,
        BeginVideoPublish, EndVideoPublish, VideoPublishError, VideoPublishSuccess, VideoPublishWarning,
        BeginVideoPublishCleanup, EndVideoPublishCleanup, VideoPublishCleanupFailure, VideoPublishCleanupSuccess,
        BeginServerDirectoryPublish, EndServerDirectoryPublish, ServerDirectoryPublishError,
        ServerDirectoryPublishSuccess, ServerDirectoryPublishWarning,
        BeginUpload, EndUpload, UploadSuccess, UploadError, UploadWarning, FileUpdated, DuplicateSkipped,
        BeginUploadUrls, EndUploadUrls,
        BeginReoptimize, EndReoptimize, ReoptimizeSuccess, ReoptimizeFailure,
        BeginPdfRip, PdfRipError, BeginMetadata, EndMetadata, MetadataSuccess, MetadataFailure,
        BeginMarkForPublish, EndMarkForPublish, MarkForPublishSuccess, MarkForPublishFailure,
        BeginUnmarkForPublish, EndUnmarkForPublish, UnmarkForPublishSuccess,
        BeginTrash, EndTrash, TrashSuccess, TrashFailure, TrashWarning,
        BeginEmptyTrash, EndEmptyTrash, EmptyTrashSuccess,
        BeginRestoreTrash, EndRestoreTrash, RestoreTrashSuccess, RecoverTrashSuccess,
        BeginDelete, EndDelete, DeleteSuccess, DeleteFailure, BeginGet, EndGet, GetSuccess, GetFailure,
        BeginAssetMigration, EndAssetMigration, AssetMigrationSuccess, AssetMigrationFailure,
        BeginTemplateMerge, EndTemplateMerge, TemplateMergeSuccess, TemplateMergeError,
        BeginPublishToCm, EndPublishToCm, PublishToCmSuccess, PublishToCmError, BeginPublishToWc, PublishToWcSuccess,
        InitiatingJobName, OriginalJobName, JobClient, JobType, TotalFileCount, FatalError,
        FileBegin, FileProgress, FileEnd, FileCancel,

        BeginExportJob, EndExportJob, ExportJobRenderFileSuccess, ExportJobRenderFileError, ExportJobWarning, ZipFileExportJobSuccess,
        EndPdfRip, BeginVideoSitemap, EndVideoSitemap, BeginAutomatedSetGeneration, EndAutomatedSetGeneration,
        AutomatedSetGenerationSuccess, AutomatedSetGenerationError, BeginCleanup, EndCleanup, CleanupSuccess,
        CleanupWarning, CleanupFailure,
        /// A remark about the run itself: an attempt that will be repeated, a follow-up, a notification.
        JobInfo,
    }
}

constants! {
    /// JobLogFileTypes constants, and the two seen in export traffic.
    pub enum FileType("job log file type") {
        NoType, PublishCatalog, OptimizedImage, MasterImage, SealedImage, Mask, Vignette, Thumbnail, ImageMap, IccProfile,
        Font, Xsl, Cabinet, WindowCovering, Video, ViewerSwf, Icon, VideoEncodingXml, ViewerConfigXml, Template, Catalog,
        Xml, ImageSet, RenderSet, SpinSet, Svg, Watermark, Pdf, Aco, PsdTemplate, Zip,
        ExportJobRenderedFile, ExportJobZip,
    }
}

impl FileType {
    /// The file type of a master of this asset type.
    pub const fn of_master(asset_type: AssetType) -> Self {
        match asset_type {
            AssetType::Image | AssetType::AnimatedGif => Self::MasterImage,
            AssetType::IccProfile => Self::IccProfile,
            AssetType::Font => Self::Font,
            AssetType::Xsl => Self::Xsl,
            AssetType::Xml => Self::Xml,
            AssetType::Video | AssetType::MasterVideo => Self::Video,
            AssetType::Svg => Self::Svg,
            AssetType::Pdf => Self::Pdf,
            AssetType::Aco => Self::Aco,
            AssetType::PsdTemplate => Self::PsdTemplate,
            AssetType::Zip => Self::Zip,
            AssetType::Template => Self::Template,
            AssetType::ImageSet => Self::ImageSet,
            AssetType::SpinSet => Self::SpinSet,
            AssetType::Watermark => Self::Watermark,
            _ => Self::NoType,
        }
    }

    /// What an asset is whose master is of this file type, if only one type of assets has it.
    pub fn asset_type(self) -> Option<AssetType> {
        let mut found = AssetType::ALL.iter().copied().filter(|asset_type| Self::of_master(*asset_type) == self);
        let first = found.next()?;
        // Types of one kind have one shape of handle.
        found.all(|other| other.kind_number() == first.kind_number()).then_some(first)
    }
}

/// A message that words are found for in the reader's language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub code: String,
    #[serde(default)]
    pub params: Map<String, Value>,
}

impl Message {
    pub fn new(code: &str) -> Self {
        Self { code: code.to_owned(), params: Map::new() }
    }

    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }
}

/// A message can be the parameter of another one, such as a reason.
impl From<Message> for Value {
    fn from(message: Message) -> Self {
        serde_json::json!({"code": message.code, "params": message.params})
    }
}

/// The asset that a line is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineAsset {
    pub id: Option<AssetId>,
    pub name: String,
    pub file_type: FileType,
}

/// A line to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    pub log_type: LogType,
    pub message: Message,
    pub asset: Option<LineAsset>,
}

impl LogLine {
    pub const fn new(log_type: LogType, message: Message) -> Self {
        Self { log_type, message, asset: None }
    }

    pub fn about(mut self, id: Option<AssetId>, name: impl Into<String>, file_type: FileType) -> Self {
        self.asset = Some(LineAsset { id, name: name.into(), file_type });
        self
    }
}

/// The line about a file that is left out although nothing has its content. Its log type is that of files that are there already,
/// as the API has it; its code is what tells them apart.
pub const LEFT_OUT: &str = "duplicate-left-out";

/// The same where nothing that an upload says would put the file in the place of what has its name: a set, or an asset that the
/// company's overwrite mode lets be.
pub const LEFT_OUT_FOR_SET: &str = "duplicate-left-out-set";
pub const LEFT_OUT_APART: &str = "duplicate-left-out-apart";

/// How much a line matters to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Warning,
    Error,
}

impl Severity {
    pub fn of(log_type: LogType, code: &str) -> Option<Self> {
        if Self::CODES.contains(&code) { Some(Self::Error) } else { Self::of_type(log_type) }
    }

    fn of_type(log_type: LogType) -> Option<Self> {
        let name = log_type.as_str();
        if name.ends_with("Warning") {
            Some(Self::Warning)
        } else if name.ends_with("Error") || name.ends_with("Failure") {
            Some(Self::Error)
        } else {
            None
        }
    }

    /// The log types of lines that matter so much or more. Lines with one of [`Severity::CODES`] do as well.
    pub fn types(self) -> Vec<LogType> {
        let is_severe = |log_type: &LogType| Self::of_type(*log_type).is_some_and(|severity| severity >= self);
        LogType::ALL.iter().copied().filter(is_severe).collect()
    }

    /// Codes of lines that are errors, whatever their log type.
    pub const CODES: &[&str] = &[LEFT_OUT, LEFT_OUT_FOR_SET, LEFT_OUT_APART];
}

/// At most so many characters of a text; a longer one ends with three dots.
pub fn shortened(mut text: String, most: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(text[..end].trim_end().len());
        text.push('…');
    }
    text
}
