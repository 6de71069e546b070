//! Errands over pictures and what they say about themselves.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::child::{ChildError, Crew, ErrandError, borrowed, in_memory};
use super::super::color::IccSpace;
use super::super::content::Content;
use super::super::decode::{Cancel, Layers, NEVER, PagesFound, count_pages, holes, layers};
use super::super::error::MediaError;
use super::super::format::Format;
use super::super::memory::read_at_most;
use super::super::metadata::{Metadata, heif, metadata, packet};
use super::super::options::{ColorManagement, Options};
use super::super::{Optimized, Outputs, optimize};
use super::{Desk, Errand, Files};

/// The largest ICC profile that is taken in, in bytes. Those of presses have a few megabytes.
const LARGEST_PROFILE: u64 = 32 << 20;

/// The largest XMP packet: none that is larger is taken out of a file.
const LARGEST_PACKET: u64 = 16 << 20;

/// Makes the pyramid, the thumbnail and the mask of a picture. Files: the picture, then where these three go, then the profiles
/// that the options name.
#[derive(Debug, Serialize, Deserialize)]
pub struct Optimize {
    /// None where only its content says it.
    format: Option<Format>,
    options: Options,
    /// Which profiles there are, in this order.
    cmyk: bool,
    source: bool,
    output: bool,
}

impl Optimize {
    /// Has it done by a worker.
    pub fn send(
        crew: &Crew,
        picture: &File,
        format: Option<Format>,
        outputs: Outputs<'_, File, File, File>,
        options: &Options,
        cancel: Cancel<'_>,
    ) -> Result<Optimized, ErrandError<MediaError>> {
        let (errand, profiles) = Self::of(format, options).map_err(ChildError::doing("hand on a colour profile"))?;
        let files = [picture, &*outputs.pyramid, &*outputs.thumbnail, &*outputs.mask].into_iter().chain(&profiles);
        let files: Vec<BorrowedFd<'_>> = borrowed(files);
        crew.send(errand, &files, cancel)
    }

    fn of(format: Option<Format>, options: &Options) -> io::Result<(Self, Vec<File>)> {
        let (source, output) = match &options.colors {
            ColorManagement::Convert { source, output } => (source.as_ref(), output.as_ref()),
            ColorManagement::Default | ColorManagement::Maintain => (None, None),
        };
        let cmyk = options.cmyk_profile.as_ref();
        let profiles = [cmyk, source, output].into_iter().flatten().map(|bytes| in_memory(bytes));
        let errand = Self {
            format,
            options: options.clone(),
            cmyk: cmyk.is_some(),
            source: source.is_some(),
            output: output.is_some(),
        };
        Ok((errand, profiles.collect::<io::Result<_>>()?))
    }
}

impl Errand for Optimize {
    const NAME: &'static str = "the picture reader";
    type Answer = Optimized;
    type Error = MediaError;

    fn carry_out(self, mut files: Files, desk: &mut Desk) -> Result<Optimized, MediaError> {
        let picture = Content::from(files.next("the picture")?);
        let picture = match self.format {
            Some(format) => picture.known_as(format),
            None => picture,
        };
        let mut drafts = [files.next("the pyramid")?, files.next("the thumbnail")?, files.next("the mask")?];
        let mut profile = |is_there: bool| is_there.then(|| read_profile(files.next("a profile")?)).transpose();
        let (cmyk_profile, source, output) = (profile(self.cmyk)?, profile(self.source)?, profile(self.output)?);
        let colors = match self.options.colors {
            ColorManagement::Convert { .. } => ColorManagement::Convert { source, output },
            plain => plain,
        };
        let options = Options { cmyk_profile, colors, ..self.options };
        let [pyramid, thumbnail, mask] = &mut drafts;
        optimize(picture, Outputs { pyramid, thumbnail, mask }, &options, &desk.limits, NEVER).map_err(in_words)
    }
}

/// A limit of the process takes the memory away that the limits of the picture would have allowed: that is a matter of the file.
fn in_words(error: MediaError) -> MediaError {
    match error {
        MediaError::Io { doing, source } if source.kind() == io::ErrorKind::OutOfMemory => {
            MediaError::corrupt(Format::Unknown, format!("cannot {doing}: {source}"))
        }
        error => error,
    }
}

pub(super) fn read_profile(file: File) -> Result<Arc<[u8]>, MediaError> {
    read_whole(file, "read a colour profile", LARGEST_PROFILE).map(Arc::from)
}

pub(super) fn read_packet(file: File) -> Result<Vec<u8>, MediaError> {
    read_whole(file, "read an XMP packet", LARGEST_PACKET)
}

fn read_whole(file: File, doing: &str, limit: u64) -> Result<Vec<u8>, MediaError> {
    let failed = |source| MediaError::Io { doing: doing.to_owned(), source };
    let mut content = Content::from(file).open().map_err(failed)?;
    let bytes = read_at_most(&mut content, limit + 1).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(MediaError::SourceTooLarge { bytes: bytes.len() as u64, limit });
    }
    Ok(bytes)
}

/// What a file says about itself. File: it.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReadMetadata {
    pub format: Format,
}

impl Errand for ReadMetadata {
    const NAME: &'static str = "the reader of metadata";
    type Answer = Metadata;
    type Error = MediaError;

    fn carry_out(self, mut files: Files, _desk: &mut Desk) -> Result<Metadata, MediaError> {
        metadata(files.next("the file")?, self.format).map_err(|error| MediaError::reading(self.format, error))
    }
}

/// Writes down the XMP packet of a file as it is, and says whether there is one. Files: it, and where the packet goes.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReadPacket {
    pub format: Format,
}

impl Errand for ReadPacket {
    const NAME: &'static str = "the reader of metadata";
    type Answer = bool;
    type Error = MediaError;

    fn carry_out(self, mut files: Files, _desk: &mut Desk) -> Result<bool, MediaError> {
        let (file, mut out) = (files.next("the file")?, files.next("the packet")?);
        let packet = packet(file, self.format).map_err(|error| MediaError::reading(self.format, error))?;
        let Some(packet) = packet else { return Ok(false) };
        out.write_all(&packet).map_err(MediaError::writing("XMP packet"))?;
        Ok(true)
    }
}

/// The records of all layers of a Photoshop file. File: it.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReadLayers {
    pub format: Format,
}

impl Errand for ReadLayers {
    const NAME: &'static str = "the reader of layers";
    type Answer = Layers;
    type Error = MediaError;

    fn carry_out(self, mut files: Files, desk: &mut Desk) -> Result<Layers, MediaError> {
        layers(Content::from(files.next("the file")?).known_as(self.format), &desk.limits, NEVER).map_err(in_words)
    }
}

/// How many pages a picture has. File: it.
#[derive(Debug, Serialize, Deserialize)]
pub struct CountPages {
    pub format: Format,
}

impl Errand for CountPages {
    const NAME: &'static str = "the picture reader";
    type Answer = PagesFound;
    type Error = MediaError;

    fn carry_out(self, mut files: Files, desk: &mut Desk) -> Result<PagesFound, MediaError> {
        let picture = Content::from(files.next("the picture")?).known_as(self.format);
        count_pages(picture, &desk.limits).map_err(in_words)
    }
}

/// Refuses a picture of HEIF that has a hole: the tool that decodes it would fill it somehow. File: it.
#[derive(Debug, Serialize, Deserialize)]
pub struct LookForHoles {
    pub format: Format,
}

impl Errand for LookForHoles {
    const NAME: &'static str = "the picture reader";
    type Answer = ();
    type Error = MediaError;

    fn carry_out(self, mut files: Files, _: &mut Desk) -> Result<(), MediaError> {
        let mut file = BufReader::new(files.next("the picture")?);
        // What does not say where its pictures are is for the tool to refuse.
        let pictures = heif::pictures(&mut file).unwrap_or_default();
        // A few bytes may be said to be any number of pictures.
        let mut left = file.get_ref().metadata().map_err(|error| MediaError::reading(self.format, error))?.len();
        for picture in pictures {
            let length = (picture.end - picture.start).min(left);
            holes::check(&mut file, picture.start..picture.start + length, holes::LEAST, self.format)
                .map_err(in_words)?;
            left -= length;
        }
        Ok(())
    }
}

/// The colours that an ICC profile describes, if pictures can be in it. File: it.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReadSpace;

impl Errand for ReadSpace {
    const NAME: &'static str = "the reader of colour profiles";
    type Answer = Option<IccSpace>;
    type Error = MediaError;

    fn carry_out(self, mut files: Files, _desk: &mut Desk) -> Result<Option<IccSpace>, MediaError> {
        read_profile(files.next("the profile")?).map(|bytes| IccSpace::of(&bytes))
    }
}
