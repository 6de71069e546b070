//! What the daemon and a worker say to each other, over the socket between them.
//!
//! ```text
//! to the worker   length, JSON; the first byte brings open descriptors along
//! from it         "+" length JSON    a part of the answer
//!                 "." length JSON    the end of it
//! ```
//!
//! Lengths are four bytes, the least one first. They speak in turn.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};

/// Most descriptors of an order: a source, three drafts, three profiles.
pub const MOST_FILES: usize = 8;

/// Longest order, in bytes: options and numbers. A socket takes in more than that before anybody reads, so that whoever
/// writes one never waits.
pub const LONGEST_ORDER: usize = 1 << 16;

/// Longest piece of an answer, in bytes. The list of an archive with as many members as are allowed has some megabytes.
pub const LONGEST_PIECE: usize = 64 << 20;

/// How much is read at once.
const READ: usize = 1 << 16;

const PART: u8 = b'+';
const END: u8 = b'.';

/// Writes an order.
pub fn order(mut socket: &UnixStream, order: &[u8], files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let length = u32::try_from(order.len()).ok().filter(|length| *length as usize <= LONGEST_ORDER);
    let length = length.ok_or(io::ErrorKind::InvalidInput)?.to_le_bytes();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    // The buffer has some room to spare.
    let is_taken =
        files.len() <= MOST_FILES && (files.is_empty() || control.push(SendAncillaryMessage::ScmRights(files)));
    if !is_taken {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let sent = rustix::net::sendmsg(socket, &[IoSlice::new(&length)], &mut control, SendFlags::NOSIGNAL)?;
    socket.write_all(&length[sent..])?;
    socket.write_all(order)
}

/// Waits for an order, and takes it; none when there will be no more.
pub fn take_order(mut socket: &UnixStream) -> io::Result<Option<(Vec<u8>, Vec<File>)>> {
    let (mut length, mut have) = ([0; 4], 0);
    let mut files = Vec::new();
    while have < length.len() {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut into = [IoSliceMut::new(&mut length[have..])];
        let received = rustix::net::recvmsg(socket, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC);
        let received = match received {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(given) = message {
                files.extend(given.map(File::from));
            }
        }
        match received.bytes {
            0 if have == 0 => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => have += count,
        }
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST_ORDER {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut order = vec![0; length];
    socket.read_exact(&mut order)?;
    Ok(Some((order, files)))
}

/// Says a part of the answer.
pub fn part(socket: &UnixStream, json: &[u8]) -> io::Result<()> {
    piece(socket, PART, json)
}

/// Says the end of the answer.
pub fn end(socket: &UnixStream, json: &[u8]) -> io::Result<()> {
    piece(socket, END, json)
}

fn piece(mut socket: &UnixStream, kind: u8, json: &[u8]) -> io::Result<()> {
    let length = u32::try_from(json.len()).map_err(|_| io::ErrorKind::InvalidInput)?.to_le_bytes();
    socket.write_all(&[&[kind], &length[..]].concat())?;
    socket.write_all(json)
}

/// What was heard.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    Part(Vec<u8>),
    End(Vec<u8>),
}

/// Why what a worker says is not listened to any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unheard {
    TooLong,
    /// Nobody of ours speaks like that.
    Gibberish,
}

/// An answer as it arrives. The worker has been with hostile bytes: no length is believed beyond [`LONGEST_PIECE`].
#[derive(Debug, Default)]
pub struct Answer {
    bytes: Vec<u8>,
}

impl Answer {
    /// Reads what is there; false when there will be no more.
    pub fn read(&mut self, mut socket: &UnixStream) -> io::Result<bool> {
        let start = self.bytes.len();
        self.bytes.resize(start + READ, 0);
        let read = socket.read(&mut self.bytes[start..]);
        self.bytes.truncate(start + *read.as_ref().unwrap_or(&0));
        match read {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            // It ended with an order unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(false),
            other => Ok(other? > 0),
        }
    }

    /// The next piece, once all of it has arrived.
    pub fn next(&mut self) -> Result<Option<Heard>, Unheard> {
        let Some((&[kind, ref length @ ..], rest)) = self.bytes.split_first_chunk::<5>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length > LONGEST_PIECE {
            return Err(Unheard::TooLong);
        }
        if rest.len() < length {
            return Ok(None);
        }
        let json = rest[..length].to_vec();
        self.bytes.drain(..length + 5);
        match kind {
            PART => Ok(Some(Heard::Part(json))),
            END => Ok(Some(Heard::End(json))),
            _ => Err(Unheard::Gibberish),
        }
    }

    /// Whether more was said than was asked for.
    pub fn goes_on(&self) -> bool {
        !self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn orders_arrive_with_their_files() {
        let (daemon, worker) = UnixStream::pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"hello").unwrap();
        let files = [file.as_fd(), file.as_fd()];
        order(&daemon, b"first", &files).unwrap();
        order(&daemon, &vec![b'x'; LONGEST_ORDER], &[]).unwrap();
        assert!(order(&daemon, &vec![b'x'; LONGEST_ORDER + 1], &[]).is_err());
        assert!(order(&daemon, b"", &[file.as_fd(); MOST_FILES + 1]).is_err());
        let (text, files) = take_order(&worker).unwrap().unwrap();
        assert_eq!((text.as_slice(), files.len()), (&b"first"[..], 2));
        assert_eq!(files[1].metadata().unwrap().len(), 5);
        let (text, files) = take_order(&worker).unwrap().unwrap();
        assert_eq!((text.len(), files.len()), (LONGEST_ORDER, 0));
        drop(daemon);
        assert!(take_order(&worker).unwrap().is_none());
    }

    #[test]
    fn answers_come_in_pieces_and_have_an_end() {
        let (daemon, worker) = UnixStream::pair().unwrap();
        let mut answer = Answer::default();
        assert_eq!(answer.next(), Ok(None));
        part(&worker, b"one").unwrap();
        end(&worker, b"two").unwrap();
        drop(worker);
        while answer.read(&daemon).unwrap() {}
        assert_eq!(answer.next(), Ok(Some(Heard::Part(b"one".to_vec()))));
        assert!(answer.goes_on());
        assert_eq!(answer.next(), Ok(Some(Heard::End(b"two".to_vec()))));
        assert!(!answer.goes_on());
    }

    #[test]
    fn lengths_that_nobody_says_are_not_believed() {
        let heard = |bytes: &[u8]| Answer { bytes: bytes.to_vec() }.next();
        assert_eq!(heard(&[b'+', 0, 0, 0]), Ok(None));
        assert_eq!(heard(&[b'.', 0xff, 0xff, 0xff, 0xff]), Err(Unheard::TooLong));
        let longest = u32::try_from(LONGEST_PIECE).unwrap();
        assert_eq!(heard(&[&b"."[..], &longest.to_le_bytes()].concat()), Ok(None));
        assert_eq!(heard(&[&b"."[..], &(longest + 1).to_le_bytes()].concat()), Err(Unheard::TooLong));
        assert_eq!(heard(&[b'?', 0, 0, 0, 0]), Err(Unheard::Gibberish));
    }
}
