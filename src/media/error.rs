//! What can be wrong with a picture, in words for the person who uploaded it.

use std::borrow::Cow;
use std::io;

use serde::{Deserialize, Serialize};

use super::format::Format;

/// Why a picture was refused. Every message says what was found and, where a limit was hit, the limit.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub enum MediaError {
    #[error("the file is empty (0 bytes)")]
    Empty,

    #[error("the {format} file ends too early: {what}")]
    Truncated { format: Format, what: String },

    #[error("the {format} file is damaged: {what}")]
    Corrupt { format: Format, what: String },

    #[error("{what} cannot be read as a picture")]
    Unsupported { format: Format, what: String },

    #[error("the picture has {width} x {height} pixels; {limit}")]
    TooLarge { width: u64, height: u64, limit: PixelLimit },

    #[error("the file has {bytes} bytes; at most {limit} are read")]
    SourceTooLarge { bytes: u64, limit: u64 },

    #[error(
        "decoding the picture takes {needed} bytes of memory; at most {limit} are given to one picture, its share of media.memory"
    )]
    TooMuchMemory { needed: u64, limit: u64 },

    #[error("{what} is {value}; {allowed}")]
    BadOption { what: Cow<'static, str>, value: u64, allowed: Cow<'static, str> },

    #[error("{why}")]
    NotDrawn { why: String },

    #[error("stopped before the picture was finished")]
    Cancelled,

    #[error("cannot {doing}: {source}")]
    Io {
        doing: String,
        #[serde(with = "carried")]
        source: io::Error,
    },
}

/// An error of the system on its way from a child: its number, or its words.
pub(in crate::media) mod carried {
    use std::io;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    enum Carried {
        Number(i32),
        OutOfMemory,
        Words(String),
    }

    pub fn serialize<S: Serializer>(error: &io::Error, serializer: S) -> Result<S::Ok, S::Error> {
        let carried = match error.raw_os_error() {
            Some(number) => Carried::Number(number),
            None if error.kind() == io::ErrorKind::OutOfMemory => Carried::OutOfMemory,
            None => Carried::Words(error.to_string()),
        };
        carried.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<io::Error, D::Error> {
        Ok(match Carried::deserialize(deserializer)? {
            Carried::Number(number) => io::Error::from_raw_os_error(number),
            Carried::OutOfMemory => io::ErrorKind::OutOfMemory.into(),
            Carried::Words(words) => io::Error::other(words),
        })
    }
}

/// Which limit on the size in pixels was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum PixelLimit {
    #[error("at most {0} pixels are allowed (media.max_pixels)")]
    Pixels(u64),
    #[error("at most {0} pixels are allowed on a side (media.max_side)")]
    Side(u32),
}

/// Most characters of what is said of a file: libraries quote it, and it may be long.
const LONGEST: usize = 300;

/// Long texts end with three dots.
pub(crate) fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

impl MediaError {
    pub(crate) fn truncated(format: Format, what: impl Into<String>) -> Self {
        Self::Truncated { format, what: shortened(what.into()) }
    }

    pub(crate) fn corrupt(format: Format, what: impl Into<String>) -> Self {
        Self::Corrupt { format, what: shortened(what.into()) }
    }

    pub(crate) fn unsupported(format: Format, what: impl Into<String>) -> Self {
        Self::Unsupported { format, what: shortened(what.into()) }
    }

    /// As an error of reading, for readers that know no other: [`MediaError::reading`] takes it out again.
    pub(crate) fn carried(self) -> io::Error {
        io::Error::other(self)
    }

    /// Sorts an error met while reading a picture: an early end is the file's fault, the rest the machine's.
    pub(crate) fn reading(format: Format, error: io::Error) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(carried) => return carried,
            Err(error) => error,
        };
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::truncated(format, "data is missing at its end"),
            // Codecs report malformed content through these two.
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
                Self::corrupt(format, error.to_string())
            }
            _ => Self::Io { doing: format!("read the {format} file"), source: error },
        }
    }

    pub(crate) fn writing(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing: format!("write the {what}"), source }
    }
}
