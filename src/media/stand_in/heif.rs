//! HEIC and AVIF, by libheif's tools: `heif-info` says what the file holds, and `heif-convert` makes PNGs of it, with the depth, the
//! profile and the alpha that it has, and turned as the file says it is to be turned.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::super::child::{ChildError, Folder, Launcher, Limits as ChildLimits, Tool};
use super::super::color::Note;
use super::super::decode::Cancel;
use super::super::error::MediaError;
use super::super::format::Format;
use super::{StandIn, StandInError, StandInLimits};

const PACKAGE: &str = "libheif-examples";

/// A picture of the file, as it is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Inner {
    width: u64,
    height: u64,
    is_primary: bool,
}

pub(in crate::media) fn convert(
    launcher: &Launcher,
    path: &Path,
    format: Format,
    limits: &StandInLimits,
    cancel: Cancel<'_>,
) -> Result<StandIn, StandInError> {
    let folder = launcher.folder()?;
    let still = still_of_sequence(path, &folder).map_err(ChildError::doing("copy a sequence of pictures"))?;
    let path = still.as_deref().unwrap_or(path);
    let pictures = pictures(launcher, path, format, &folder, limits, cancel)?;
    let primary = pictures.iter().position(|picture| picture.is_primary);
    let primary = primary.ok_or_else(|| MediaError::corrupt(format, "it has no primary picture"))?;
    limits.picture.check_size(pictures[primary].width, pictures[primary].height)?;
    // All of them are decoded on the way.
    let all =
        pictures.iter().fold(0_u64, |sum, picture| sum.saturating_add(picture.width.saturating_mul(picture.height)));
    if all > limits.picture.max_pixels {
        let what = format!("a {format} file of {} pictures with {all} pixels", pictures.len());
        return Err(MediaError::unsupported(format, what).into());
    }
    const NAME: &str = "picture";
    let tool = tool("heif-convert", limits).arguments(["--quiet".as_ref(), path]).reads(path);
    run(launcher, tool.argument(format!("{NAME}.png")), format, &folder, cancel)?;
    let name = match pictures.len() {
        1 => format!("{NAME}.png"),
        _ => format!("{NAME}-{}.png", primary + 1),
    };
    let more = (pictures.len() > 1).then_some(Note::PrimaryOnly);
    let notes = still.map(|_| Note::FirstFrameOnly).into_iter().chain(more).collect();
    Ok(StandIn { path: folder.path().join(name), notes, _folder: folder })
}

/// The tools refuse what calls itself a sequence of pictures first of all, though nearly all sequences hold a still picture as well,
/// which is their first: a copy that calls itself a still picture. None of what does so already.
fn still_of_sequence(path: &Path, folder: &Folder) -> io::Result<Option<PathBuf>> {
    const SEQUENCES: [(&[u8; 4], &[u8; 4]); 4] =
        [(b"avis", b"avif"), (b"hevc", b"heic"), (b"hevx", b"heix"), (b"msf1", b"mif1")];
    const BRAND_AT: u64 = 8;
    let mut brand = [0; 4];
    fs::File::open(path)?.read_exact_at(&mut brand, BRAND_AT)?;
    let Some((_, still)) = SEQUENCES.iter().find(|(sequence, _)| **sequence == brand) else { return Ok(None) };
    let copy = folder.path().join("still");
    fs::copy(path, &copy)?;
    fs::OpenOptions::new().write(true).open(&copy)?.write_all_at(&still[..], BRAND_AT)?;
    Ok(Some(copy))
}

fn tool(name: &'static str, limits: &StandInLimits) -> Tool {
    /// Address space for the program, its libraries and the threads of the codecs.
    const PROGRAM: u64 = 1 << 30;
    const LARGEST_PNG: u64 = 8 << 30;
    const THREADS: u32 = 4;
    let limits = ChildLimits {
        wall: limits.time,
        cpu: limits.time * THREADS,
        memory: limits.picture.max_memory.saturating_add(PROGRAM),
        file: LARGEST_PNG,
        output: 1 << 20,
    };
    Tool::installed(name, PACKAGE, limits)
}

/// What a tool complains of is the file's fault.
fn run(
    launcher: &Launcher,
    tool: Tool,
    format: Format,
    folder: &Folder,
    cancel: Cancel<'_>,
) -> Result<String, StandInError> {
    match launcher.run(tool, folder, cancel) {
        Ok(output) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(ChildError::Failed { said, .. }) => Err(MediaError::corrupt(format, complaint(&said)).into()),
        Err(error) => Err(error.into()),
    }
}

/// `Could not read HEIF/AVIF file: Invalid input: Unexpected end of file: …`
fn complaint(said: &str) -> String {
    let line = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason was given");
    line.rsplit_once("file: ").map_or(line, |(_, why)| why).chars().take(200).collect()
}

fn pictures(
    launcher: &Launcher,
    path: &Path,
    format: Format,
    folder: &Folder,
    limits: &StandInLimits,
    cancel: Cancel<'_>,
) -> Result<Vec<Inner>, StandInError> {
    let said = run(launcher, tool("heif-info", limits).argument(path).reads(path), format, folder, cancel)?;
    Ok(said.lines().filter_map(inner).collect())
}

/// `image: 4032x3024 (id=49), primary`
fn inner(line: &str) -> Option<Inner> {
    let (size, rest) = line.strip_prefix("image: ")?.split_once(' ')?;
    let (width, height) = size.split_once('x')?;
    Some(Inner { width: width.parse().ok()?, height: height.parse().ok()?, is_primary: rest.ends_with("primary") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_about_pictures_are_told_from_others() {
        let said = |line| inner(line).map(|inner| (inner.width, inner.height, inner.is_primary));
        assert_eq!(said("image: 4032x3024 (id=49), primary"), Some((4032, 3024, true)));
        assert_eq!(said("image: 120x90 (id=2)"), Some((120, 90, false)));
        for other in ["  thumbnail: 320x240", "MIME type: image/heic", "image: none", ""] {
            assert_eq!(said(other), None, "{other}");
        }
    }
}
