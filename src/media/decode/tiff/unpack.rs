//! The bytes of a strip or tile, unpacked as they are read.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take};

use flate2::bufread::DeflateDecoder;
use weezl::{BitOrder, LzwStatus};

use super::super::super::memory::Share;
use super::File;
use super::fax::{Coding, Fax};
use super::page::{Compression, Page};

/// What a chunk unpacks to, from its first byte on. `width` pixels make a row.
pub fn open<'a>(
    mut file: File<'a>,
    (offset, length): (u64, u64),
    page: &Page,
    width: u32,
    share: &Share,
) -> io::Result<Box<dyn Read + 'a>> {
    file.seek(SeekFrom::Start(offset))?;
    // Of small chunks there may be millions.
    let room = length.clamp(1, 1 << 16) as usize;
    let bytes = Stored { bytes: file.take(length), is_reversed: page.is_reversed };
    let stored = BufReader::with_capacity(room, bytes); // bounded: by 64 KiB
    let fax = |stored, coding| Fax::new(stored, coding, width, share).map(|fax| Box::new(fax) as Box<dyn Read>);
    Ok(match page.compression {
        // JPEG is decoded by those who know it.
        Compression::None | Compression::Jpeg { .. } => Box::new(stored),
        Compression::Lzw => Box::new(Lzw::new(stored)),
        Compression::Deflate => Box::new(Deflate::open(stored)?),
        Compression::PackBits => Box::new(PackBits { bytes: stored, run: Run::None }),
        Compression::ModifiedHuffman => fax(stored, Coding::ModifiedHuffman)?,
        Compression::Group3 { is_two_dimensional } => fax(stored, Coding::Group3 { is_two_dimensional })?,
        Compression::Group4 => fax(stored, Coding::Group4)?,
    })
}

/// Bytes as they lie in the file, their bits turned round if they are stored so.
pub struct Stored<'a> {
    bytes: Take<File<'a>>,
    is_reversed: bool,
}

impl Read for Stored<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        if self.is_reversed {
            buffer[..count].iter_mut().for_each(|byte| *byte = byte.reverse_bits());
        }
        Ok(count)
    }
}

/// Deflate in the wrapping of zlib (RFC 1950). What a library for that refuses at a byte before the end, because the checksum behind it
/// is wrong, has to be given out here: it is whole, and the checksum is a matter of its end.
struct Deflate<R> {
    bytes: DeflateDecoder<R>,
    sum: Adler32,
    has_ended: bool,
}

impl<R: BufRead> Deflate<R> {
    fn open(mut stored: R) -> io::Result<Self> {
        const DEFLATE: u8 = 8;
        let mut head = [0; 2];
        stored.read_exact(&mut head)?;
        let [method, _] = head;
        if method & 0x0f != DEFLATE || u16::from_be_bytes(head) % 31 != 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not compressed by Deflate"));
        }
        Ok(Self { bytes: DeflateDecoder::new(stored), sum: Adler32::default(), has_ended: false })
    }
}

impl<R: BufRead> Read for Deflate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        self.sum.add(&buffer[..count]);
        if count == 0 && !buffer.is_empty() && !std::mem::replace(&mut self.has_ended, true) {
            let mut said = [0; 4];
            self.bytes.get_mut().read_exact(&mut said)?;
            if u32::from_be_bytes(said) != self.sum.value() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum is wrong"));
            }
        }
        Ok(count)
    }
}

/// The checksum of zlib.
struct Adler32 {
    sum: u32,
    sum_of_sums: u32,
}

impl Default for Adler32 {
    fn default() -> Self {
        Self { sum: 1, sum_of_sums: 0 }
    }
}

impl Adler32 {
    const MODULUS: u32 = 65_521;

    fn add(&mut self, bytes: &[u8]) {
        /// So many of the largest bytes leave the sums within 32 bits.
        const MOST: usize = 5552;
        for part in bytes.chunks(MOST) {
            for byte in part {
                self.sum += u32::from(*byte);
                self.sum_of_sums += self.sum;
            }
            self.sum %= Self::MODULUS;
            self.sum_of_sums %= Self::MODULUS;
        }
    }

    const fn value(&self) -> u32 {
        self.sum_of_sums << 16 | self.sum
    }
}

struct Lzw<R> {
    bytes: R,
    decoder: weezl::decode::Decoder,
}

impl<R> Lzw<R> {
    fn new(bytes: R) -> Self {
        let configuration = weezl::decode::Configuration::with_tiff_size_switch(BitOrder::Msb, 8);
        Self { bytes, decoder: configuration.with_yield_on_full_buffer(true).build() }
    }
}

impl<R: BufRead> Read for Lzw<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let result = self.decoder.decode_bytes(self.bytes.fill_buf()?, buffer);
            self.bytes.consume(result.consumed_in);
            match result.status {
                Ok(LzwStatus::Ok) if result.consumed_out == 0 && !buffer.is_empty() => {}
                // Some writers leave the code for the end out, and what is missing is missed by whoever reads.
                Ok(_) => return Ok(result.consumed_out),
                Err(error) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, format!("its LZW codes: {error}")));
                }
            }
        }
    }
}

struct PackBits<R> {
    bytes: R,
    run: Run,
}

enum Run {
    None,
    Literal(usize),
    Repeated(u8, usize),
}

impl<R: BufRead> Read for PackBits<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match &mut self.run {
                Run::Literal(left) if *left > 0 => {
                    let most = buffer.len().min(*left);
                    let count = self.bytes.read(&mut buffer[..most])?;
                    *left -= count;
                    return Ok(count);
                }
                Run::Repeated(byte, left) if *left > 0 => {
                    let count = buffer.len().min(*left);
                    buffer[..count].fill(*byte);
                    *left -= count;
                    return Ok(count);
                }
                _ => {}
            }
            let mut head = [0];
            if self.bytes.read(&mut head)? == 0 {
                return Ok(0);
            }
            self.run = match head[0].cast_signed() {
                i8::MIN => Run::None,
                count @ 0.. => Run::Literal(count as usize + 1),
                count => {
                    let mut byte = [0];
                    self.bytes.read_exact(&mut byte)?;
                    Run::Repeated(byte[0], 1 + usize::from(count.unsigned_abs()))
                }
            };
        }
    }
}
