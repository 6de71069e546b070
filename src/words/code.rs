//! Every message code. `en.ftl` documents the parameters of each.

macro_rules! codes {
    ($($name:ident = $code:literal;)+) => {
        $(pub const $name: &str = $code;)+

        /// All of them, in the order of `en.ftl`.
        pub const ALL: &[&str] = &[$($name),+];
    };
}

codes! {
    // Numbers, sizes, durations, times
    FORMAT_DIGIT_SEPARATOR = "format-digit-separator";
    FORMAT_DECIMAL_MARK = "format-decimal-mark";
    FORMAT_SIZE_BYTES = "format-size-bytes";
    FORMAT_SIZE_KB = "format-size-kb";
    FORMAT_SIZE_MB = "format-size-mb";
    FORMAT_SIZE_GB = "format-size-gb";
    FORMAT_SIZE_TB = "format-size-tb";
    FORMAT_DURATION_MILLISECONDS = "format-duration-milliseconds";
    FORMAT_DURATION_SECONDS = "format-duration-seconds";
    FORMAT_DURATION_MINUTES = "format-duration-minutes";
    FORMAT_DURATION_HOURS = "format-duration-hours";
    FORMAT_DURATION_DAYS = "format-duration-days";
    FORMAT_TIME = "format-time";
    FORMAT_WEEKDAY = "format-weekday";
    FORMAT_MONTH = "format-month";

    // Names of things
    KIND = "kind";
    JOB_COUNTS = "job-counts";

    // Job log: facts about the job
    ORIGINAL_JOB_NAME = "original-job-name";
    INITIATING_JOB_NAME = "initiating-job-name";
    JOB_CLIENT = "job-client";
    JOB_TYPE = "job-type";
    TOTAL_FILE_COUNT = "total-file-count";

    // Job log: beginning and end of each kind.

    // Every end takes the counters of `job-counts`.
    BEGIN_UPLOAD_DIRECTORY = "begin-upload-directory";
    END_UPLOAD_DIRECTORY = "end-upload-directory";
    BEGIN_UPLOAD_URLS = "begin-upload-urls";
    END_UPLOAD_URLS = "end-upload-urls";
    BEGIN_UPLOAD_POST = "begin-upload-post";
    END_UPLOAD_POST = "end-upload-post";
    END_UPLOAD_LEFT_OUT = "end-upload-left-out";
    BEGIN_OPTIMIZE = "begin-optimize";
    END_OPTIMIZE = "end-optimize";
    BEGIN_IMAGE_SERVING_PUBLISH = "begin-image-serving-publish";
    END_IMAGE_SERVING_PUBLISH = "end-image-serving-publish";
    BEGIN_IMAGE_SERVING_PUBLISH_CLEANUP = "begin-image-serving-publish-cleanup";
    END_IMAGE_SERVING_PUBLISH_CLEANUP = "end-image-serving-publish-cleanup";
    BEGIN_IMAGE_RENDERING_PUBLISH = "begin-image-rendering-publish";
    END_IMAGE_RENDERING_PUBLISH = "end-image-rendering-publish";
    BEGIN_IMAGE_RENDERING_PUBLISH_CLEANUP = "begin-image-rendering-publish-cleanup";
    END_IMAGE_RENDERING_PUBLISH_CLEANUP = "end-image-rendering-publish-cleanup";
    BEGIN_VIDEO_PUBLISH = "begin-video-publish";
    END_VIDEO_PUBLISH = "end-video-publish";
    BEGIN_VIDEO_PUBLISH_CLEANUP = "begin-video-publish-cleanup";
    END_VIDEO_PUBLISH_CLEANUP = "end-video-publish-cleanup";
    BEGIN_SERVER_DIRECTORY_PUBLISH = "begin-server-directory-publish";
    END_SERVER_DIRECTORY_PUBLISH = "end-server-directory-publish";
    BEGIN_METADATA_PUBLISH = "begin-metadata-publish";
    END_METADATA_PUBLISH = "end-metadata-publish";
    BEGIN_PDF_RIP = "begin-pdf-rip";
    END_PDF_RIP = "end-pdf-rip";
    BEGIN_REPROCESS = "begin-reprocess";
    END_REPROCESS = "end-reprocess";
    BEGIN_SET_GENERATION = "begin-set-generation";
    END_SET_GENERATION = "end-set-generation";
    BEGIN_VIDEO_SITEMAP = "begin-video-sitemap";
    END_VIDEO_SITEMAP = "end-video-sitemap";
    BEGIN_EXPORT = "begin-export";
    END_EXPORT = "end-export";
    BEGIN_CLEANUP = "begin-cleanup";
    END_CLEANUP = "end-cleanup";
    CLEANUP_HELD = "cleanup-held";
    CLEANUP_UNUSUAL = "cleanup-unusual";
    CLEANUP_TRASH = "cleanup-trash";
    CLEANUP_ASSETS = "cleanup-assets";
    CLEANUP_EXPORTS = "cleanup-exports";
    CLEANUP_UNFINISHED = "cleanup-unfinished";
    CLEANUP_BLOBS = "cleanup-blobs";

    // Job log: files
    FILE_BEGIN = "file-begin";
    FILE_END = "file-end";
    FILE_CANCELLED = "file-cancelled";
    UPLOAD_SUCCESS = "upload-success";
    FILE_UPDATED = "file-updated";
    DUPLICATE_SKIPPED = "duplicate-skipped";
    DUPLICATE_LEFT_OUT = "duplicate-left-out";
    DUPLICATE_RENAMED = "duplicate-renamed";
    NAME_SHARED = "name-shared";
    JUNK_SKIPPED = "junk-skipped";
    LINK_SKIPPED = "link-skipped";
    UPLOAD_ERROR = "upload-error";
    UPLOAD_WARNING = "upload-warning";
    PAGE_PROCESSED = "page-processed";
    NO_PICTURE = "no-picture";
    PAGE_MADE = "page-made";
    PAGE_NOTE = "page-note";
    PAGE_FAILED = "page-failed";
    PAGES_FAILED = "pages-failed";
    CATALOG_PROCESSED = "catalog-processed";
    CATALOG_MADE = "catalog-made";
    LAYER_PROCESSED = "layer-processed";
    LAYER_MADE = "layer-made";
    LAYER_NOTE = "layer-note";
    LAYER_FAILED = "layer-failed";
    LAYERS_FAILED = "layers-failed";
    LAYERS_NONE = "layers-none";
    LAYERS_WITHOUT_PIXELS = "layers-without-pixels";
    TEMPLATE_PROCESSED = "template-processed";
    TEMPLATE_MADE = "template-made";
    NAME_CLEANED = "name-cleaned";
    MOVED_TO_FOLDER = "moved-to-folder";
    CONTENT_DIFFERS = "content-differs";
    ARCHIVE_UNPACKED = "archive-unpacked";

    // Job log: web addresses
    URL_FETCHED = "url-fetched";
    URL_FAILED = "url-failed";
    URL_RETRIED = "url-retried";

    // Job log: optimization
    OPTIMIZE_SUCCESS = "optimize-success";
    OPTIMIZE_FAILURE = "optimize-failure";
    REPROCESS_SUCCESS = "reprocess-success";
    REPROCESS_FAILURE = "reprocess-failure";
    OPTIMIZE_FRESH = "optimize-fresh";

    // Job log: publishing
    PUBLISH_SUCCESS = "publish-success";
    PUBLISH_REMOVED = "publish-removed";
    PUBLISH_REMOVE_FAILED = "publish-remove-failed";
    PUBLISH_ERROR = "publish-error";
    PUBLISH_WARNING = "publish-warning";
    PUBLISH_NOTHING = "publish-nothing";
    PUBLISH_MENDED = "publish-mended";
    PUBLISH_STRANGERS = "publish-strangers";
    PUBLISH_PARTED = "publish-parted";
    SITEMAP_WRITTEN = "sitemap-written";
    SITEMAP_UNCHANGED = "sitemap-unchanged";
    SITEMAP_NOTHING = "sitemap-nothing";
    SITEMAP_TOO_LONG = "sitemap-too-long";
    PUBLISH_MANIFEST = "publish-manifest";

    // Job log: sets, pages, export, metadata
    RENDITION_FAILED = "rendition-failed";
    SET_CREATED = "set-created";
    SET_UPDATED = "set-updated";
    SET_UNCHANGED = "set-unchanged";
    SET_LEFT_OUT = "set-left-out";
    SET_ERROR = "set-error";
    PDF_RIPPED = "pdf-ripped";
    PDF_RIP_ERROR = "pdf-rip-error";
    EXPORT_FILE_SUCCESS = "export-file-success";
    EXPORT_FILE_ERROR = "export-file-error";
    EXPORT_ZIP_SUCCESS = "export-zip-success";
    EXPORT_DROPPED = "export-dropped";
    EXPORT_COMMAND_IGNORED = "export-command-ignored";
    EXPORT_TOO_LARGE = "export-too-large";
    EXPORT_NOTHING = "export-nothing";
    METADATA_SUCCESS = "metadata-success";
    METADATA_FAILURE = "metadata-failure";
    METADATA_FILE_READ = "metadata-file-read";
    METADATA_RENAMED = "metadata-renamed";
    METADATA_ROW_FAILED = "metadata-row-failed";

    // Job log: how a run went
    STOP_REQUESTED = "stop-requested";
    JOB_STOPPED = "job-stopped";
    ATTEMPT_FAILED = "attempt-failed";
    DISK_FULL = "disk-full";
    ATTEMPTS_EXHAUSTED = "attempts-exhausted";
    JOB_FAILED = "job-failed";
    WORKER_LOST = "worker-lost";
    LEASE_LOST = "lease-lost";
    SHUTDOWN_REQUEUED = "shutdown-requeued";
    JOB_CONTINUED = "job-continued";
    NOT_AVAILABLE = "not-available";
    OPTION_NO_EFFECT = "option-no-effect";
    OPTION_NO_EFFECT_HERE = "option-no-effect-here";
    FOLLOW_UP_SUBMITTED = "follow-up-submitted";
    FOLLOW_UP_NO_FILES = "follow-up-no-files";
    FOLLOW_UP_FAILED = "follow-up-failed";
    COMPLETION_URL_CALLED = "completion-url-called";
    COMPLETION_URL_RETRIED = "completion-url-retried";
    COMPLETION_URL_FAILED = "completion-url-failed";
    MAIL_SENT = "mail-sent";
    MAIL_RETRIED = "mail-retried";
    MAIL_FAILED = "mail-failed";

    // Reasons: parts of a sentence, to stand as `$reason` in a message above
    REASON_WORKER_GONE = "reason-worker-gone";
    REASON_WORKER_ENDED_BY_FILE = "reason-worker-ended-by-file";
    REASON_NO_SIGN_OF_LIFE = "reason-no-sign-of-life";
    REASON_CONDEMNED = "reason-condemned";
    REASON_EMPTY = "reason-empty";
    REASON_TRUNCATED = "reason-truncated";
    REASON_DAMAGED = "reason-damaged";
    REASON_UNKNOWN_FORMAT = "reason-unknown-format";
    REASON_NOT_AS_NAMED = "reason-not-as-named";
    REASON_FORMAT_NOT_READ = "reason-format-not-read";
    REASON_VIDEO_CUT_OFF = "reason-video-cut-off";
    REASON_NO_VIDEO_ROOT_URL = "reason-no-video-root-url";
    REASON_PRESET_GONE = "reason-preset-gone";
    REASON_TOO_MANY_PIXELS = "reason-too-many-pixels";
    REASON_TOO_LARGE = "reason-too-large";
    REASON_NOT_FOUND = "reason-not-found";
    REASON_OUTSIDE_ROOT = "reason-outside-root";
    REASON_NOT_READABLE = "reason-not-readable";
    REASON_CHANGED = "reason-changed";
    REASON_LINK_NOWHERE = "reason-link-nowhere";
    REASON_LINK_LOOP = "reason-link-loop";
    REASON_NOT_A_FILE = "reason-not-a-file";
    REASON_TOO_DEEP = "reason-too-deep";
    REASON_ARCHIVE_ENCRYPTED = "reason-archive-encrypted";
    REASON_ARCHIVE_LINK = "reason-archive-link";
    REASON_ARCHIVE_OUTSIDE = "reason-archive-outside";
    REASON_ARCHIVE_METHOD = "reason-archive-method";
    REASON_NO_CONTEXT = "reason-no-context";
    REASON_PATH_TAKEN = "reason-path-taken";
    REASON_NO_DEFAULT_CONTEXT = "reason-no-default-context";
    REASON_NO_NAME = "reason-no-name";
    REASON_NAME_TOO_LONG = "reason-name-too-long";
    REASON_TIMEOUT = "reason-timeout";
    REASON_DISK_FULL = "reason-disk-full";
    REASON_SILENCE = "reason-silence";
    REASON_HTTP_STATUS = "reason-http-status";
    REASON_PRIVATE_ADDRESS = "reason-private-address";
    REASON_TOO_MANY_REDIRECTS = "reason-too-many-redirects";
    REASON_CONNECTION = "reason-connection";
    REASON_TOOL_MISSING = "reason-tool-missing";
    REASON_ASSET_UNKNOWN = "reason-asset-unknown";
    REASON_ASSET_IN_TRASH = "reason-asset-in-trash";
    REASON_FIELD_UNKNOWN = "reason-field-unknown";
    REASON_FIELD_OTHER_TYPE = "reason-field-other-type";
    REASON_FIELD_VALUE = "reason-field-value";
    REASON_NAME_TAKEN = "reason-name-taken";
    REASON_SCRIPT_GONE = "reason-script-gone";
    REASON_NO_BASE_NAME = "reason-no-base-name";
    REASON_NO_ROW = "reason-no-row";
    REASON_NO_COLUMN = "reason-no-column";
    REASON_CELL_TAKEN = "reason-cell-taken";
    REASON_SET_FULL = "reason-set-full";
    REASON_SET_NAME_TAKEN = "reason-set-name-taken";
    REASON_NOT_FOR_TYPE = "reason-not-for-type";
    REASON_PROFILE_GONE = "reason-profile-gone";
    REASON_PROFILE_UNUSABLE = "reason-profile-unusable";
    REASON_CROP_KEPT = "reason-crop-kept";
    REASON_ASSET_CHANGED = "reason-asset-changed";
    REASON_PAGE = "reason-page";
    REASON_RENDITION = "reason-rendition";
    REASON_NO_MASTER = "reason-no-master";
    REASON_NOT_IN_VERSION = "reason-not-in-version";
    REASON_NO_SMART_CROPS = "reason-no-smart-crops";
    REASON_CSS_KEPT = "reason-css-kept";
    REASON_IN_DESIGN_KEPT = "reason-in-design-kept";
    REASON_NO_PROJECTS = "reason-no-projects";
    REASON_NO_CLOUD = "reason-no-cloud";
    REASON_TRACKS_BY_NAME = "reason-tracks-by-name";
    REASON_SETS_MADE_AGAIN = "reason-sets-made-again";
    REASON_NO_XMP_TEMPLATES = "reason-no-xmp-templates";
    REASON_VIDEOS_BY_PRESETS = "reason-videos-by-presets";
    REASON_PAGES_AS_DRAWN = "reason-pages-as-drawn";
    REASON_OPTION_UNDOCUMENTED = "reason-option-undocumented";
    REASON_OPTION_RESERVED = "reason-option-reserved";
    REASON_NOT_CONVERTED = "reason-not-converted";
    REASON_NO_THUMBNAIL = "reason-no-thumbnail";
    REASON_NO_FOLLOW_UP = "reason-no-follow-up";
    REASON_TOO_MANY_PAGES = "reason-too-many-pages";
    REASON_TOO_MANY_LAYERS = "reason-too-many-layers";
    REASON_PAGES_NOT_CMYK = "reason-pages-not-cmyk";
    REASON_NO_ASSET = "reason-no-asset";
    REASON_NOT_NEEDED = "reason-not-needed";
    REASON_IN_TRASH = "reason-in-trash";
    REASON_NO_PYRAMID = "reason-no-pyramid";
    REASON_TEMPLATE_ORIGINAL = "reason-template-original";
    REASON_LOST_FILE = "reason-lost-file";
    REASON_FILE_DAMAGED = "reason-file-damaged";
    REASON_PAGE_LOST = "reason-page-lost";
    REASON_EXPORTS_ORIGINALS = "reason-exports-originals";
    REASON_INTERNAL = "reason-internal";
    REASON_OTHER = "reason-other";

    // What is wrong with stored files, and what the doctor says
    DAMAGED_FILE = "damaged-file";
    DAMAGE_GONE = "damage-gone";
    DAMAGE_SIZE = "damage-size";
    DAMAGE_CHANGED = "damage-changed";
    DAMAGE_UNREADABLE = "damage-unreadable";
    SCRUB_REMEDY = "scrub-remedy";
    SCRUB_GONE = "scrub-gone";
    SCRUB_SIZE = "scrub-size";
    SCRUB_CHANGED = "scrub-changed";
    SCRUB_UNREADABLE = "scrub-unreadable";
    DAMAGE_EXPORT_GONE = "damage-export-gone";
    DAMAGE_EXPORT_SIZE = "damage-export-size";
    DAMAGE_EXPORT_CHANGED = "damage-export-changed";
    DAMAGE_EXPORT_UNREADABLE = "damage-export-unreadable";
    DOCTOR_DATABASE = "doctor-database";
    DOCTOR_DATABASE_DAMAGED = "doctor-database-damaged";
    DOCTOR_BLOBS = "doctor-blobs";
    DOCTOR_TREES = "doctor-trees";
    DOCTOR_TREES_ANEW = "doctor-trees-anew";
    DOCTOR_PUBLISHED_GONE = "doctor-published-gone";
    DOCTOR_PUBLISHED_CHANGED = "doctor-published-changed";
    DOCTOR_PUBLISHED_STRANGER = "doctor-published-stranger";
    DOCTOR_PUBLISHED_MORE = "doctor-published-more";
    DOCTOR_PUBLISHED_LINKED = "doctor-published-linked";
    DOCTOR_ORPHANS = "doctor-orphans";
    DOCTOR_ORPHANS_NEWER = "doctor-orphans-newer";
    DOCTOR_CRASHES = "doctor-crashes";
    DOCTOR_CONDEMNED = "doctor-condemned";
    DOCTOR_SUSPECT = "doctor-suspect";
    DOCTOR_SUSPECT_UNNAMED = "doctor-suspect-unnamed";
    DOCTOR_EXPORTS = "doctor-exports";
    DOCTOR_MARK_UNREADABLE = "doctor-mark-unreadable";
    DOCTOR_MARK_MISSING = "doctor-mark-missing";
    DOCTOR_MARK_STRANGER = "doctor-mark-stranger";
    DOCTOR_MARK_AHEAD = "doctor-mark-ahead";
    DOCTOR_MARK = "doctor-mark";
    DOCTOR_RESTORED = "doctor-restored";
    MADE_AGAIN_BY = "made-again-by";
    REMEDY_CLEAR = "remedy-clear";
    REMEDY_SUSPECT = "remedy-suspect";
    REMEDY_RESTORE_DATABASE = "remedy-restore-database";
    REMEDY_BRING_MASTER = "remedy-bring-master";
    REMEDY_PUBLISH = "remedy-publish";
    REMEDY_FORGET = "remedy-forget";
    REMEDY_FORGOTTEN = "remedy-forgotten";
    REMEDY_MAKE_AGAIN = "remedy-make-again";
    REMEDY_PUT_BACK = "remedy-put-back";
    REMEDY_WAS_PUT_BACK = "remedy-was-put-back";
    REMEDY_NO_BLOB = "remedy-no-blob";
    REMEDY_PART = "remedy-part";
    REMEDY_PARTED = "remedy-parted";
    REMEDY_STRANGER = "remedy-stranger";
    REMEDY_EXPORT = "remedy-export";
    REMEDY_EXPORT_EXPIRED = "remedy-export-expired";
    REMEDY_MARK = "remedy-mark";
    REMEDY_MARK_WRITTEN = "remedy-mark-written";
    REMEDY_ORPHANS_NEWER = "remedy-orphans-newer";
    REMEDY_RESTORED = "remedy-restored";
    REMEDY_RESTORED_SETTLED = "remedy-restored-settled";

    // Progress of a running job
    PROGRESS_LISTING = "progress-listing";
    PROGRESS_FETCHING = "progress-fetching";
    PROGRESS_UPLOADING = "progress-uploading";
    PROGRESS_OPTIMIZING = "progress-optimizing";
    PROGRESS_REPROCESSING = "progress-reprocessing";
    PROGRESS_PUBLISHING = "progress-publishing";
    PROGRESS_MANIFEST = "progress-manifest";
    PROGRESS_SWITCHING = "progress-switching";
    PROGRESS_REMOVING = "progress-removing";
    PROGRESS_RIPPING = "progress-ripping";
    PROGRESS_SETS = "progress-sets";
    PROGRESS_EXPORTING = "progress-exporting";
    PROGRESS_PACKING = "progress-packing";
    PROGRESS_METADATA = "progress-metadata";
    PROGRESS_SCRUBBING = "progress-scrubbing";
    PROGRESS_CLEANING = "progress-cleaning";
    PROGRESS_WAITING_CLIENT = "progress-waiting-client";
    PROGRESS_STOPPING = "progress-stopping";
    PROGRESS_DONE = "progress-done";
    PROGRESS_FILE = "progress-file";

    // Why a job waits
    WAIT_SLOT = "wait-slot";
    WAIT_KIND_LIMIT = "wait-kind-limit";
    WAIT_PREVIOUS_RUN = "wait-previous-run";
    WAIT_PUBLISH_CONTEXT = "wait-publish-context";
    WAIT_RETRY = "wait-retry";
    WAIT_DISK_FULL = "wait-disk-full";
    WAIT_TURN = "wait-turn";
    WAIT_PAUSED = "wait-paused";
    WAIT_SCHEDULE = "wait-schedule";
    WAIT_DAEMON = "wait-daemon";
    WAIT_CLIENT = "wait-client";

    // What became of a slot of a schedule
    SLOT_FIRED = "slot-fired";
    SLOT_LATE = "slot-late";
    SLOT_COALESCED = "slot-coalesced";
    SLOT_SKIPPED_OVERLAP = "slot-skipped-overlap";
    SLOT_SKIPPED_PAUSED = "slot-skipped-paused";
    SLOT_SKIPPED_MISFIRE = "slot-skipped-misfire";
    SLOT_SKIPPED_EXPIRED = "slot-skipped-expired";

    // Mail
    LETTER_SUBJECT_BEGIN = "letter-subject-begin";
    LETTER_SUBJECT_DONE = "letter-subject-done";
    LETTER_SUBJECT_WARNINGS = "letter-subject-warnings";
    LETTER_SUBJECT_LEFT_OUT = "letter-subject-left-out";
    LETTER_SUBJECT_ERRORS = "letter-subject-errors";
    LETTER_SUBJECT_ERRORS_ONLY = "letter-subject-errors-only";
    LETTER_SUBJECT_FAILED = "letter-subject-failed";
    LETTER_SUBJECT_STOPPED = "letter-subject-stopped";
    LETTER_BADGE_BEGIN = "letter-badge-begin";
    LETTER_BADGE_DONE = "letter-badge-done";
    LETTER_BADGE_WARNINGS = "letter-badge-warnings";
    LETTER_BADGE_ERRORS = "letter-badge-errors";
    LETTER_BADGE_FAILED = "letter-badge-failed";
    LETTER_BADGE_STOPPED = "letter-badge-stopped";
    LETTER_LEAD_BEGIN = "letter-lead-begin";
    LETTER_LEAD_DONE = "letter-lead-done";
    LETTER_LEAD_WARNINGS = "letter-lead-warnings";
    LETTER_LEAD_ERRORS = "letter-lead-errors";
    LETTER_LEAD_FAILED = "letter-lead-failed";
    LETTER_LEAD_STOPPED = "letter-lead-stopped";
    LETTER_LABEL_COMPANY = "letter-label-company";
    LETTER_LABEL_RUN = "letter-label-run";
    LETTER_LABEL_KIND = "letter-label-kind";
    LETTER_LABEL_DESCRIPTION = "letter-label-description";
    LETTER_LABEL_STARTED = "letter-label-started";
    LETTER_LABEL_ENDED = "letter-label-ended";
    LETTER_LABEL_TOOK = "letter-label-took";
    LETTER_LABEL_ATTEMPTS = "letter-label-attempts";
    LETTER_ATTEMPTS = "letter-attempts";
    LETTER_COUNT_SUCCESS = "letter-count-success";
    LETTER_COUNT_UPDATED = "letter-count-updated";
    LETTER_COUNT_DUPLICATES = "letter-count-duplicates";
    LETTER_COUNT_LEFT_OUT = "letter-count-left-out";
    LETTER_COUNT_WARNINGS = "letter-count-warnings";
    LETTER_COUNT_ERRORS = "letter-count-errors";
    LETTER_COUNT_TOTAL = "letter-count-total";
    LETTER_PROBLEMS_TITLE = "letter-problems-title";
    LETTER_PROBLEM_ERROR = "letter-problem-error";
    LETTER_PROBLEM_WARNING = "letter-problem-warning";
    LETTER_PROBLEMS_MORE = "letter-problems-more";
    LETTER_RESULTS_TITLE = "letter-results-title";
    LETTER_RESULT_FOLDER = "letter-result-folder";
    LETTER_RESULT_PUBLISHED = "letter-result-published";
    LETTER_RESULT_DOWNLOAD = "letter-result-download";
    LETTER_RESULT_DOWNLOAD_PATH = "letter-result-download-path";
    LETTER_MORE_COMMAND = "letter-more-command";
    LETTER_MORE_LINK = "letter-more-link";
    LETTER_FOOTER = "letter-footer";
    LETTER_SENDER = "letter-sender";
}
