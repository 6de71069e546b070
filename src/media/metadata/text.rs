//! Text in the encodings that people's files are in.

use std::io::{self, BufRead, Read};

use encoding_rs::{CoderResult, Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// UTF-16 or UTF-8 by its mark, else UTF-8 if it is, else Windows-1252, which is what files are in that say nothing.
pub fn guessed(bytes: &[u8]) -> String {
    match marked(bytes) {
        Some(text) => text,
        None => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
        },
    }
}

/// Text that begins with a byte order mark. What is no character becomes U+FFFD.
pub fn marked(bytes: &[u8]) -> Option<String> {
    let Written { encoding, mark } = by_mark(bytes)?;
    Some(encoding.decode_without_bom_handling(&bytes[mark as usize..]).0.into_owned())
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    pub encoding: &'static Encoding,
    /// Bytes of the mark that it begins with.
    pub mark: u64,
}

fn by_mark(head: &[u8]) -> Option<Written> {
    let (encoding, mark) = match head {
        [0xfe, 0xff, ..] => (UTF_16BE, 2),
        [0xff, 0xfe, ..] => (UTF_16LE, 2),
        [0xef, 0xbb, 0xbf, ..] => (UTF_8, 3),
        _ => return None,
    };
    Some(Written { encoding, mark })
}

/// What is read at a time, in bytes.
const PIECE: usize = 1 << 14;

/// Decoded, one of those bytes has at most three in UTF-8.
const DECODED: usize = PIECE * 3 + 16;

/// The same for a text that does not fit into memory: it is read to its end, unless it begins with a mark.
pub fn written_in(input: &mut impl Read) -> io::Result<Written> {
    let mut piece = vec![0; PIECE];
    let mut held = 0;
    while held < 3 {
        match read(input, &mut piece[held..])? {
            0 => break,
            count => held += count,
        }
    }
    if let Some(written) = by_mark(&piece[..held]) {
        return Ok(written);
    }
    let (mut decoder, mut decoded) = (UTF_8.new_decoder_without_bom_handling(), vec![0; DECODED]);
    loop {
        let is_last = held == 0;
        let (result, _, _) = decoder.decode_to_utf8_without_replacement(&piece[..held], &mut decoded, is_last);
        match result {
            DecoderResult::Malformed(..) => return Ok(Written { encoding: WINDOWS_1252, mark: 0 }),
            _ if is_last => return Ok(Written { encoding: UTF_8, mark: 0 }),
            _ => held = read(input, &mut piece)?,
        }
    }
}

fn read(input: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// A text as UTF-8, decoded as it is read. What is no character becomes U+FFFD.
pub struct Utf8<R> {
    input: R,
    decoder: Decoder,
    piece: Box<[u8]>,
    decoded: Box<[u8]>,
    /// The part of what was decoded that was not taken yet.
    start: usize,
    end: usize,
    is_over: bool,
}

impl<R> Utf8<R> {
    pub fn new(input: R, encoding: &'static Encoding) -> Self {
        let (piece, decoded) = (vec![0; PIECE].into(), vec![0; DECODED].into());
        let decoder = encoding.new_decoder_without_bom_handling();
        Self { input, decoder, piece, decoded, start: 0, end: 0, is_over: false }
    }
}

impl<R: Read> BufRead for Utf8<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.start == self.end && !self.is_over {
            let held = read(&mut self.input, &mut self.piece)?;
            self.is_over = held == 0;
            let (result, _, written, _) =
                self.decoder.decode_to_utf8(&self.piece[..held], &mut self.decoded, self.is_over);
            debug_assert_eq!(result, CoderResult::InputEmpty, "there is room for all of a piece");
            (self.start, self.end) = (0, written);
        }
        Ok(&self.decoded[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out a few bytes at a time.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(out.len());
            self.0.take(count as u64).read(&mut out[..count]).inspect(|count| self.0 = &self.0[*count..])
        }
    }

    #[test]
    fn a_text_read_in_pieces_is_the_same() {
        let utf16 = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
            [mark.to_vec(), "été 山 🙂".encode_utf16().flat_map(bytes).collect()].concat()
        };
        let texts = [
            "".as_bytes().to_vec(),
            "é".as_bytes().to_vec(),
            "été 山 🙂".repeat(3000).into_bytes(),
            "\u{feff}été".as_bytes().to_vec(),
            [&b"a".repeat(40_000)[..], &[0xe9]].concat(),
            [&b"a".repeat(40_000)[..], &[0xe5, 0xb1]].concat(),
            utf16([0xff, 0xfe], u16::to_le_bytes),
            utf16([0xfe, 0xff], u16::to_be_bytes),
            b"\xff\xfea".to_vec(),
            b"\xff\xfe\x00\xd8".to_vec(),
        ];
        for bytes in texts {
            for drop in [1, 7, usize::MAX] {
                let written = written_in(&mut Drops(&bytes, drop)).unwrap();
                let mut text = String::new();
                let rest = &bytes[written.mark as usize..];
                Utf8::new(Drops(rest, drop), written.encoding).read_to_string(&mut text).unwrap();
                assert_eq!(text, guessed(&bytes), "{written:?}, {drop} bytes at a time");
            }
        }
    }
}
