//! GIF: the first frame on its canvas. The blocks are walked here first, to see whether there is a second frame and to find a cut.

use std::io::{self, BufRead, Read, Seek};

use image::codecs::gif::GifDecoder;

use super::super::error::MediaError;
use super::super::format::Format;
use super::super::orientation::Orientation;
use super::super::picture::{ColorModel, Picture};
use super::library::{pixels, refused};
use super::{Decoded, Pixels, Source};

/// Most blocks, and pieces of blocks, up to the second frame. A piece has 255 bytes at most: more than the largest picture takes.
const MOST_PIECES: u32 = 4_000_000;

pub(in crate::media) fn probe(mut source: Source<'_>) -> Result<Picture, MediaError> {
    describe(&mut source)
}

pub(in crate::media) fn decode(mut source: Source<'_>) -> Result<Decoded<'_>, MediaError> {
    let picture = describe(&mut source)?;
    source.file.rewind().map_err(|error| MediaError::reading(Format::Gif, error))?;
    // The first frame, drawn on the canvas.
    let decoder = GifDecoder::new(source.file).map_err(refused(Format::Gif))?;
    let pixels = pixels(decoder, Format::Gif, source.limits, &source.share)?;
    Ok(Decoded { pixels: Pixels::Whole(pixels), picture })
}

fn describe(source: &mut Source<'_>) -> Result<Picture, MediaError> {
    let blocks = Blocks::read(&mut source.file).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => MediaError::truncated(Format::Gif, "its first frame is incomplete"),
        _ => MediaError::reading(Format::Gif, error),
    })?;
    source.limits.check_size(blocks.width.into(), blocks.height.into())?;
    // The decoder takes memory for the frame whether or not it fits the canvas.
    let (width, height) = (u64::from(blocks.first_frame.0), u64::from(blocks.first_frame.1));
    source.limits.check_size(width, height)?;
    source.limits.check_memory((width * height + u64::from(blocks.width) * u64::from(blocks.height)) * 4)?;
    if blocks.width == 0 || blocks.height == 0 {
        return Err(MediaError::corrupt(Format::Gif, "it has no pixels"));
    }
    Ok(Picture {
        format: Format::Gif,
        width: blocks.width.into(),
        height: blocks.height.into(),
        color: ColorModel::Palette,
        depth: 8,
        has_alpha: blocks.has_transparency,
        is_animated: blocks.begun > 1,
        notes: Vec::new(),
        profile: None,
        resolution: None,
        orientation: Orientation::Upright,
    })
}

#[derive(Default)]
struct Blocks {
    width: u16,
    height: u16,
    /// The size of the first frame, which may differ from the picture's.
    first_frame: (u16, u16),
    /// Those that are whole, and those of which there is anything.
    frames: u32,
    begun: u32,
    has_transparency: bool,
    pieces: u32,
}

impl Blocks {
    /// Walks the blocks up to the second frame. An end before the first frame is complete is an error; after it, it is the end.
    fn read(input: &mut impl BufRead) -> io::Result<Self> {
        let [_, _, _, _, _, _, w0, w1, h0, h1, flags, _, _] = bytes(input)?;
        let mut blocks =
            Self { width: u16::from_le_bytes([w0, w1]), height: u16::from_le_bytes([h0, h1]), ..Self::default() };
        skip_palette(input, flags)?;
        loop {
            match blocks.read_block(input) {
                Ok(true) if blocks.frames > 1 => return Ok(blocks),
                Ok(true) => {}
                Ok(false) if blocks.frames == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(false) => return Ok(blocks),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && blocks.frames > 0 => return Ok(blocks),
                Err(error) => return Err(error),
            }
        }
    }

    /// One block; false at the end of the file's blocks.
    fn read_block(&mut self, input: &mut impl BufRead) -> io::Result<bool> {
        match bytes(input)? {
            [b'!'] => {
                let [label] = bytes(input)?;
                const GRAPHIC_CONTROL: u8 = 0xf9;
                if label == GRAPHIC_CONTROL {
                    let [_, flags] = bytes(input)?;
                    self.has_transparency |= self.frames == 0 && flags & 1 == 1;
                    skip(input, 3)?;
                }
                self.skip_pieces(input)?;
            }
            [b','] => {
                self.begun += 1;
                let [_, _, _, _, w0, w1, h0, h1, flags] = bytes(input)?;
                if self.frames == 0 {
                    self.first_frame = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
                }
                skip_palette(input, flags)?;
                skip(input, 1)?;
                self.skip_pieces(input)?;
                self.frames += 1;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn skip_pieces(&mut self, input: &mut impl BufRead) -> io::Result<()> {
        loop {
            self.pieces += 1;
            if self.pieces > MOST_PIECES {
                let what = format!("its blocks come in more than {MOST_PIECES} pieces");
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            match bytes(input)? {
                [0] => return Ok(()),
                [length] => skip(input, length.into())?,
            }
        }
    }
}

fn bytes<const N: usize>(input: &mut impl BufRead) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn skip(input: &mut impl BufRead, count: u64) -> io::Result<()> {
    let skipped = io::copy(&mut input.take(count), &mut io::sink())?;
    if skipped < count { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

fn skip_palette(input: &mut impl BufRead, flags: u8) -> io::Result<()> {
    if flags & 0x80 == 0 { Ok(()) } else { skip(input, 3 << ((flags & 7) + 1)) }
}
