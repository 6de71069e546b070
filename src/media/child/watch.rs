//! The side of the daemon: reads what the child says, and ends it when it should end.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::super::decode::Cancel;
use super::confine::COULD_NOT_BEGIN;
use super::{ChildError, Complaints, Folder, LONGEST_LINE, Limits, Output};

/// How often it is asked whether to stop.
pub(super) const ASK_EVERY: Duration = Duration::from_millis(100);

/// As much as is kept of what a child says about its troubles.
const STDERR_KEPT: usize = 1 << 13;

type OnLine<'a> = Option<&'a mut dyn FnMut(&str)>;

pub fn watch(
    tool: &'static str,
    child: Child,
    folder: &Folder,
    limits: Limits,
    cancel: Cancel<'_>,
    on_line: OnLine<'_>,
) -> Result<Output, ChildError> {
    let failed = |error| ChildError::doing(format!("watch {tool}"))(error);
    let mut running = Running::new(child);
    let ended = pidfd_open(running.pid(), PidfdFlags::empty()).map_err(|e| failed(e.into()))?;
    let mut stdout = running.child.stdout.take().map(|pipe| (pipe, Spoken::new(on_line, limits.output)));
    let mut stderr = running.child.stderr.take().map(|pipe| (pipe, Tail::default()));
    let mut output = Output::default();
    let deadline = Instant::now() + limits.wall;
    let (mut has_ended, mut looked) = (false, Instant::now());
    while !has_ended || stdout.is_some() || stderr.is_some() {
        if cancel() {
            return Err(ChildError::Cancelled { tool });
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ChildError::TimedOut { tool, limit: limits.wall });
        }
        if looked.elapsed() >= ASK_EVERY {
            looked = Instant::now();
            folder.check(tool)?;
        }
        let ready = wait(stdout.as_ref(), stderr.as_ref(), (!has_ended).then_some(&ended), left.min(ASK_EVERY));
        let ready = ready.map_err(failed)?;
        if ready.ended {
            has_ended = true;
            // What it might have left behind would keep the pipes open.
            running.kill_group();
        }
        if ready.stdout
            && let Some((pipe, spoken)) = &mut stdout
            && !spoken.take(pipe).map_err(|what| what.into_error(tool, limits, failed))?
        {
            output.stdout = stdout.take().map(|(_, spoken)| spoken.finish()).unwrap_or_default();
        }
        if ready.stderr
            && let Some((pipe, tail)) = &mut stderr
            && !tail.take(pipe).map_err(failed)?
        {
            let tail = stderr.take().map(|(_, tail)| tail).unwrap_or_default();
            (output.complaints, output.stderr) = (tail.complaints(), tail.finish());
        }
    }
    let status = running.wait().map_err(failed)?;
    judge(tool, status, limits, output)
}

/// A child that is killed, and waited for, when nobody watches it any more.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    /// Its process group, until it has been waited for.
    group: Option<Pid>,
}

impl Running {
    pub(super) fn new(child: Child) -> Self {
        let group = Some(Pid::from_child(&child));
        Self { child, group }
    }

    pub(super) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(super) fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    pub(super) fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait()?;
        self.group = None;
        Ok(status)
    }

    /// As long as the child is not waited for, its number belongs to nobody else.
    pub(super) fn kill_group(&self) {
        if let Some(group) = self.group {
            // There may be nobody left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    pub(super) fn end(&mut self) {
        self.kill_group();
        if self.group.take().is_some() {
            // It was killed: this takes no time, and an error means that it is gone already.
            let _ = self.child.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

#[derive(Default)]
struct Ready {
    stdout: bool,
    stderr: bool,
    ended: bool,
}

fn wait<A: AsFd, B: AsFd, C, D>(
    stdout: Option<&(A, C)>,
    stderr: Option<&(B, D)>,
    ended: Option<&OwnedFd>,
    time: Duration,
) -> io::Result<Ready> {
    let mut fds = Vec::with_capacity(3);
    fds.extend(stdout.map(|(pipe, _)| PollFd::new(pipe, PollFlags::IN)));
    fds.extend(stderr.map(|(pipe, _)| PollFd::new(pipe, PollFlags::IN)));
    fds.extend(ended.map(|ended| PollFd::new(ended, PollFlags::IN)));
    let time = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) };
    match poll(&mut fds, Some(&time)) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok(Ready::default()),
        Err(error) => return Err(error.into()),
    }
    let mut happened = fds.iter().map(|fd| !fd.revents().is_empty());
    let mut next = |there: bool| there && happened.next().unwrap_or(false);
    Ok(Ready { stdout: next(stdout.is_some()), stderr: next(stderr.is_some()), ended: next(ended.is_some()) })
}

/// Reads what is there; false when there will be no more.
fn read_some(pipe: &mut impl Read, take: &mut dyn FnMut(&[u8])) -> io::Result<bool> {
    let mut piece = [0; 1 << 14];
    match pipe.read(&mut piece) {
        Ok(count) => {
            take(&piece[..count]);
            Ok(count > 0)
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(error),
    }
}

enum Trouble {
    TooMuch,
    Io(io::Error),
}

impl Trouble {
    fn into_error(self, tool: &'static str, limits: Limits, io: impl FnOnce(io::Error) -> ChildError) -> ChildError {
        match self {
            Self::TooMuch => ChildError::TooMuchOutput { tool, limit: limits.output },
            Self::Io(error) => io(error),
        }
    }
}

/// The standard output: kept as a whole, or handed out line by line.
struct Spoken<'a> {
    on_line: OnLine<'a>,
    limit: usize,
    said: usize,
    kept: Vec<u8>,
}

impl<'a> Spoken<'a> {
    const fn new(on_line: OnLine<'a>, limit: usize) -> Self {
        Self { on_line, limit, said: 0, kept: Vec::new() }
    }

    fn take(&mut self, pipe: &mut impl Read) -> Result<bool, Trouble> {
        let before = self.kept.len();
        let goes_on = read_some(pipe, &mut |piece| self.kept.extend_from_slice(piece)).map_err(Trouble::Io)?;
        self.said += self.kept.len() - before;
        if self.said > self.limit {
            return Err(Trouble::TooMuch);
        }
        self.hand_out();
        Ok(goes_on)
    }

    /// ffmpeg ends the lines it writes over with a carriage return.
    fn hand_out(&mut self) {
        let Some(on_line) = &mut self.on_line else { return };
        while let Some(end) = self.kept.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            if end > 0 {
                on_line(&String::from_utf8_lossy(&self.kept[..end]));
            }
            self.kept.drain(..=end);
        }
        if self.kept.len() > LONGEST_LINE {
            on_line(&String::from_utf8_lossy(&self.kept));
            self.kept.clear();
        }
    }

    fn finish(mut self) -> Vec<u8> {
        let Some(on_line) = &mut self.on_line else { return self.kept };
        if !self.kept.is_empty() {
            on_line(&String::from_utf8_lossy(&self.kept));
        }
        Vec::new()
    }
}

/// The end of what was said, and how it began: one who says much says first what is wrong.
#[derive(Default)]
pub(super) struct Tail {
    kept: Vec<u8>,
    /// That are not blank.
    lines: u64,
    first: Vec<u8>,
    /// Whether the line that is being said is counted.
    is_counted: bool,
}

impl Tail {
    pub(super) fn take(&mut self, pipe: &mut impl Read) -> io::Result<bool> {
        let goes_on = read_some(pipe, &mut |piece| self.hear(piece))?;
        let surplus = self.kept.len().saturating_sub(STDERR_KEPT);
        self.kept.drain(..surplus);
        Ok(goes_on)
    }

    fn hear(&mut self, piece: &[u8]) {
        /// As much as is kept of the first line.
        const FIRST_KEPT: usize = 512;
        self.kept.extend_from_slice(piece);
        for part in piece.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            if !self.is_counted && !part.trim_ascii().is_empty() {
                self.lines += 1;
                self.is_counted = true;
            }
            if self.lines == 1 && self.is_counted {
                let room = FIRST_KEPT - self.first.len();
                self.first.extend_from_slice(&part[..part.len().min(room)]);
            }
            self.is_counted &= !part.ends_with(b"\n") && !part.ends_with(b"\r");
        }
    }

    fn complaints(&self) -> Complaints {
        Complaints { lines: self.lines, first: String::from_utf8_lossy(&self.first).trim().to_owned() }
    }

    pub(super) fn finish(self) -> String {
        String::from_utf8_lossy(&self.kept).into_owned()
    }
}

pub(super) fn judge(
    tool: &'static str,
    status: ExitStatus,
    limits: Limits,
    output: Output,
) -> Result<Output, ChildError> {
    if status.success() {
        return Ok(output);
    }
    if status.code() == Some(COULD_NOT_BEGIN.into()) {
        let why = io::Error::other(last_lines(&output.stderr).to_owned());
        return Err(ChildError::doing(format!("start {tool}"))(why));
    }
    let signal = status.signal().map(Signal::from_named_raw);
    match signal.flatten() {
        Some(Signal::XCPU) => Err(ChildError::TooMuchCpu { tool, limit: limits.cpu }),
        Some(Signal::XFSZ) => Err(ChildError::FileTooLarge { tool, limit: limits.file }),
        Some(Signal::KILL) => Err(ChildError::Killed { tool }),
        // What this program says when it gets no memory.
        Some(Signal::ABORT) if output.stderr.contains("memory allocation of ") => {
            Err(ChildError::TooMuchMemory { tool, limit: limits.memory })
        }
        _ => {
            let said = output.stderr.trim();
            let said = if said.is_empty() { "it said nothing about it" } else { last_lines(said) };
            Err(ChildError::Failed { tool, status: status.to_string(), said: said.to_owned() })
        }
    }
}

/// Enough of what a tool complained about for a line of a log.
fn last_lines(said: &str) -> &str {
    const ENOUGH: usize = 500;
    let said = said.trim();
    let start = said.ceil_char_boundary(said.len().saturating_sub(ENOUGH));
    said[start..].trim_start()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn ended(script: &str) -> ChildError {
        let output = Command::new("sh").args(["-c", script]).output().unwrap();
        let second = Duration::from_secs(1);
        let limits = Limits { wall: second, cpu: second, memory: 1, file: 1, output: 1 };
        let stderr = String::from_utf8(output.stderr).unwrap();
        let said = Output { stdout: output.stdout, stderr, ..Output::default() };
        judge("the tool", output.status, limits, said).unwrap_err()
    }

    #[test]
    fn lines_are_counted_in_whatever_pieces_they_come() {
        let said = "\n  one thing\r\nanother\n\nand a third";
        for pieces in [1, 2, 5, said.len()] {
            let mut tail = Tail::default();
            said.as_bytes().chunks(pieces).for_each(|piece| tail.hear(piece));
            assert_eq!(tail.complaints(), Complaints { lines: 3, first: "one thing".to_owned() }, "{pieces}");
            assert_eq!(tail.finish(), said);
        }
        let mut long = Tail::default();
        long.hear(&[b'x'; 2000]);
        long.hear(&[b'x'; 2000]);
        assert_eq!((long.complaints().lines, long.complaints().first.len()), (1, 512));
        assert_eq!(Tail::default().complaints(), Complaints::default());
    }

    #[test]
    fn what_got_no_threads_blames_no_file() {
        let error = ended("echo 'cannot start 2 threads' >&2; exit 71");
        assert!(matches!(error, ChildError::Io { .. }), "{error:?}");
        assert_eq!(error.to_string(), "cannot start the tool: cannot start 2 threads");
        assert_eq!(ended("echo 'no picture' >&2; exit 1").to_string(), "the tool failed (exit status: 1): no picture");
    }
}
