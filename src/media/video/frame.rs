//! A frame as a picture.

use std::fs::File;
use std::path::Path;

use super::{Complaints, INPUT, SHORT, Track, VideoError, VideoLimits, complaint, complaints, ffmpeg, fit};
use crate::media::child::{ChildError, Folder, Launcher};
use crate::media::decode::Cancel;
use crate::media::memory::read_at_most;

/// The largest JPEG of a frame that is read, in bytes: ffmpeg has been with hostile bytes.
const LARGEST: u64 = 64 << 20;

/// A JPEG with its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub jpeg: Vec<u8>,
    pub width: u32,
    pub height: u32,
    pub complaints: Option<Complaints>,
}

/// The frame that is shown `at` milliseconds after the start, its longer side at most `side` pixels. A time at which
/// none is shown means the first. Blocks.
pub fn frame(
    launcher: &Launcher,
    source: &Path,
    track: &Track,
    at: u64,
    side: u32,
    limits: &VideoLimits,
    cancel: Cancel<'_>,
) -> Result<Frame, VideoError> {
    let (width, height) = fit((track.width, track.height), (Some(side), Some(side)), 1);
    let folder = launcher.folder()?;
    // A frame begins before the time at which it is shown: the last one is not found behind its beginning.
    let length = track.frame_rate.map_or(1000, |rate| (1000.0 / rate).ceil().min(1000.0) as u64);
    for at in [at, at.saturating_sub(length), 0] {
        let taken = take(launcher, source, track, at, (width, height), &folder, limits, cancel)?;
        if let Some(frame) = taken {
            return Ok(frame);
        }
    }
    Err(VideoError::Unreadable("it has no frame that could be shown".to_owned()))
}

#[allow(clippy::too_many_arguments, reason = "the inner half of frame, with its size and time")]
fn take(
    launcher: &Launcher,
    source: &Path,
    track: &Track,
    at: u64,
    (width, height): (u32, u32),
    folder: &Folder,
    limits: &VideoLimits,
    cancel: Cancel<'_>,
) -> Result<Option<Frame>, VideoError> {
    const NAME: &str = "frame.jpg";
    // To seek the beginning finds no frame in some films, as FLV with one keyframe.
    let seek = ["-ss".to_owned(), format!("{}.{:03}", at / 1000, at % 1000)];
    let tool = ffmpeg(limits, SHORT)
        .arguments(seek.iter().filter(|_| at > 0))
        .arguments(INPUT)
        .argument("-i")
        .argument(source)
        .reads(source)
        .arguments(["-map", &format!("0:{}", track.index), "-frames:v", "1", "-an"])
        .arguments(["-vf", &format!("scale={width}:{height}:flags=lanczos:out_range=full,setsar=1,format=yuvj444p")])
        .arguments(["-c:v", "mjpeg", "-q:v", "3", "-f", "image2", "-update", "1", "-y", NAME]);
    let complaints = match launcher.run(tool, folder, cancel) {
        Ok(said) => complaints(&said.complaints),
        Err(ChildError::Failed { said, .. }) => return Err(VideoError::Unreadable(complaint(&said))),
        Err(error) => return Err(error.into()),
    };
    // Behind the last frame nothing is written, and nothing is complained of.
    let frame = File::open(folder.path().join(NAME)).and_then(|mut file| read_at_most(&mut file, LARGEST + 1));
    let jpeg = frame.ok().filter(|jpeg| (1..=LARGEST).contains(&(jpeg.len() as u64)));
    Ok(jpeg.map(|jpeg| Frame { jpeg, width, height, complaints }))
}
