//! What the daemon and a worker say to each other, over the socket between them.
//!
//! ```text
//! to the worker   length, JSON; the first byte brings open descriptors along
//! from it         length, JSON
//! ```
//!
//! Lengths are four bytes, the least one first. They speak in turn.

use std::cmp::Ordering;
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

/// Longest answer, in bytes. The list of an archive with as many members as are allowed has some megabytes.
pub const LONGEST_ANSWER: usize = 64 << 20;

/// How much is read at once.
const READ: usize = 1 << 16;

/// Writes an order.
pub fn order(mut socket: &UnixStream, order: &[u8], files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let length = u32::try_from(order.len()).ok().filter(|length| *length as usize <= LONGEST_ORDER);
    let length = length.ok_or(io::ErrorKind::InvalidInput)?.to_le_bytes();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    // Room for them is rounded up by the system, on both sides.
    let are_too_many = files.len() > MOST_FILES;
    if are_too_many || (!files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(files))) {
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
    let mut order = vec![0; length]; // bounded: by LONGEST_ORDER, looked at above
    socket.read_exact(&mut order)?;
    Ok(Some((order, files)))
}

/// Says the answer.
pub fn answer(mut socket: &UnixStream, json: &[u8]) -> io::Result<()> {
    let length = u32::try_from(json.len()).map_err(|_| io::ErrorKind::InvalidInput)?.to_le_bytes();
    socket.write_all(&length)?;
    socket.write_all(json)
}

/// Why what a worker says is not listened to any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unheard {
    TooLong,
    /// It said more than it announced.
    WentOn,
}

/// An answer as it arrives. The worker has been with hostile bytes: no length is believed beyond [`LONGEST_ANSWER`].
#[derive(Debug, Default)]
pub struct Answer {
    bytes: Vec<u8>,
}

impl Answer {
    /// Reads what is there; false when there will be no more.
    pub fn read(&mut self, mut socket: &UnixStream) -> io::Result<bool> {
        let start = self.bytes.len();
        self.bytes.resize(start + READ, 0); // bounded: a piece has LONGEST_ANSWER at most, and READ more
        let read = socket.read(&mut self.bytes[start..]);
        self.bytes.truncate(start + *read.as_ref().unwrap_or(&0));
        match read {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            // It ended with an order unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(false),
            other => Ok(other? > 0),
        }
    }

    /// All of it, once it has arrived.
    pub fn take(&mut self) -> Result<Option<Vec<u8>>, Unheard> {
        let Some((length, said)) = self.bytes.split_first_chunk() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length > LONGEST_ANSWER {
            return Err(Unheard::TooLong);
        }
        match said.len().cmp(&length) {
            Ordering::Less => Ok(None),
            Ordering::Equal => Ok(Some(self.bytes.split_off(size_of::<u32>()))),
            Ordering::Greater => Err(Unheard::WentOn),
        }
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
    fn an_answer_is_there_when_all_of_it_is() {
        let (daemon, worker) = UnixStream::pair().unwrap();
        let mut heard = Answer::default();
        assert_eq!(heard.take(), Ok(None));
        answer(&worker, b"one").unwrap();
        drop(worker);
        while heard.read(&daemon).unwrap() {}
        assert_eq!(heard.take(), Ok(Some(b"one".to_vec())));
    }

    #[test]
    fn lengths_that_nobody_says_are_not_believed() {
        let heard = |bytes: &[u8]| Answer { bytes: bytes.to_vec() }.take();
        assert_eq!(heard(&[3, 0, 0]), Ok(None));
        assert_eq!(heard(&[0xff, 0xff, 0xff, 0xff]), Err(Unheard::TooLong));
        let longest = u32::try_from(LONGEST_ANSWER).unwrap();
        assert_eq!(heard(&longest.to_le_bytes()), Ok(None));
        assert_eq!(heard(&(longest + 1).to_le_bytes()), Err(Unheard::TooLong));
        assert_eq!(heard(b"\x03\0\0\0on"), Ok(None));
        assert_eq!(heard(b"\x03\0\0\0one"), Ok(Some(b"one".to_vec())));
        assert_eq!(heard(b"\x03\0\0\0one."), Err(Unheard::WentOn));
    }
}
