//! Errands of the image-serving protocol. A pyramid was written here, but it holds profiles that came with pictures, and an
//! order may name one that was uploaded.

use std::fs::File;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::super::child::{ChildError, Crew, ErrandError, borrowed, in_memory};
use super::super::color::Note;
use super::super::decode::{Cancel, NEVER};
use super::super::error::MediaError;
use super::super::format::Format;
use super::super::icc::Blacks;
use super::super::serve::{Renderer, View};
use super::picture::{read_packet, read_profile};
use super::{Desk, Errand, Files};
use crate::serving::Commands;

/// Whether an order can be carried out with an uploaded profile. File: the profile.
#[derive(Debug, Serialize, Deserialize)]
pub struct CheckProfile {
    pub commands: Commands,
}

impl Errand for CheckProfile {
    const NAME: &'static str = "the reader of colour profiles";
    /// Why not.
    type Answer = Option<String>;
    type Error = MediaError;

    fn carry_out(self, mut files: Files, _desk: &mut Desk) -> Result<Option<String>, MediaError> {
        let profile = read_profile(files.next("the profile")?)?;
        Ok(Renderer::new(self.commands, Some(&profile), Blacks::default()).err().map(|error| error.to_string()))
    }
}

/// Profiles that a view takes, by their content, and how colours go through them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Profiles<'a> {
    /// Of the asset that the commands name, if they name one.
    pub named: Option<&'a [u8]>,
    /// Of CMYK pictures that bring none.
    pub cmyk: Option<&'a [u8]>,
    /// Unless the commands say it.
    pub blacks: Blacks,
}

/// What is to be seen of a pyramid, and what that takes.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    pub commands: &'a Commands,
    pub profiles: Profiles<'a>,
    /// The XMP packet that goes into the view.
    pub xmp: Option<&'a File>,
}

/// A view of a pyramid. Files: the pyramid, where the view goes, the profile if one is named that is not built in, the one of
/// CMYK without a profile if there is one, and the XMP packet if there is one.
#[derive(Debug, Serialize, Deserialize)]
pub struct Render {
    commands: Commands,
    has_profile: bool,
    has_cmyk: bool,
    blacks: Blacks,
    has_xmp: bool,
    exactly: bool,
}

impl Render {
    /// Has it done by a worker.
    pub fn send(
        crew: &Crew,
        sight: Sight<'_>,
        files: (&File, &File),
        cancel: Cancel<'_>,
    ) -> Result<Viewed, ErrandError<MediaError>> {
        let nothing = || ErrandError::Own(MediaError::corrupt(Format::Tiff, "no view of it was drawn"));
        Self::ask(crew, sight, files, false, cancel)?.ok_or_else(nothing)
    }

    /// The same, unless the pyramid has lost something of its picture.
    pub fn send_exactly(
        crew: &Crew,
        sight: Sight<'_>,
        files: (&File, &File),
        cancel: Cancel<'_>,
    ) -> Result<Option<Viewed>, ErrandError<MediaError>> {
        Self::ask(crew, sight, files, true, cancel)
    }

    fn ask(
        crew: &Crew,
        Sight { commands, profiles: Profiles { named, cmyk, blacks }, xmp }: Sight<'_>,
        (pyramid, view): (&File, &File),
        exactly: bool,
        cancel: Cancel<'_>,
    ) -> Result<Option<Viewed>, ErrandError<MediaError>> {
        let errand = Self {
            commands: commands.clone(),
            has_profile: named.is_some(),
            has_cmyk: cmyk.is_some(),
            blacks,
            has_xmp: xmp.is_some(),
            exactly,
        };
        let profiles: io::Result<Vec<File>> = [named, cmyk].into_iter().flatten().map(in_memory).collect();
        let profiles = profiles.map_err(ChildError::doing("hand on a colour profile"))?;
        crew.send(errand, &borrowed([pyramid, view].into_iter().chain(&profiles).chain(xmp)), cancel)
    }
}

/// A view that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewed {
    pub width: u32,
    pub height: u32,
    pub bytes: u64,
    /// What its owner may want to know.
    pub notes: Vec<Note>,
}

impl Errand for Render {
    const NAME: &'static str = "the renderer";
    /// None: it was to be drawn exactly, and the pyramid has loss.
    type Answer = Option<Viewed>;
    type Error = MediaError;

    fn carry_out(self, mut files: Files, desk: &mut Desk) -> Result<Option<Viewed>, MediaError> {
        let (pyramid, mut out): (File, File) = (files.next("the pyramid")?, files.next("the view")?);
        let mut profile = |is_there: bool| is_there.then(|| read_profile(files.next("a profile")?)).transpose();
        let (profile, cmyk) = (profile(self.has_profile)?, profile(self.has_cmyk)?);
        let renderer = Renderer::new(self.commands, profile.as_deref(), self.blacks);
        let renderer = renderer.map_err(|error| MediaError::corrupt(Format::IccProfile, error.to_string()))?;
        let xmp = self.has_xmp.then(|| read_packet(files.next("the XMP packet")?)).transpose()?;
        let renderer = renderer.with_cmyk_profile(cmyk).with_xmp(xmp);
        let view = if self.exactly {
            renderer.render_exactly(pyramid, &desk.limits, NEVER)?
        } else {
            Some(renderer.render(pyramid, &desk.limits, NEVER)?)
        };
        let Some(View { width, height, bytes, notes }) = view else { return Ok(None) };
        out.write_all(&bytes).map_err(MediaError::writing("view"))?;
        Ok(Some(Viewed { width, height, bytes: bytes.len() as u64, notes }))
    }
}
