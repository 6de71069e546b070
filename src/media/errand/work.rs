//! The side of the worker: takes errands from its standard input until there are no more.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use super::super::child::{COULD_NOT_BEGIN, answer, take_order};
use super::{Desk, Errand, Order, Orders};

/// Serves the daemon at the other end of the socket. `threads` says on how many threads pictures are worked on.
pub(crate) fn work(threads: Option<&OsStr>) -> ExitCode {
    let threads = threads.and_then(|threads| threads.to_str()?.parse().ok()).unwrap_or(1);
    if let Err(error) = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global() {
        eprintln!("cannot start {threads} threads: {error}");
        return ExitCode::from(COULD_NOT_BEGIN);
    }
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut desk = Desk::default();
    while let Some((order, files)) = take_order(&socket)? {
        let Orders { limits, errand } = serde_json::from_slice(&order)?;
        desk.limits = limits;
        let said = match errand {
            Order::Optimize(errand) => carry_out(*errand, files, &mut desk),
            Order::Metadata(errand) => carry_out(errand, files, &mut desk),
            Order::Packet(errand) => carry_out(errand, files, &mut desk),
            Order::Layers(errand) => carry_out(errand, files, &mut desk),
            Order::CountPages(errand) => carry_out(errand, files, &mut desk),
            Order::Holes(errand) => carry_out(errand, files, &mut desk),
            Order::Space(errand) => carry_out(errand, files, &mut desk),
            Order::FindKind(errand) => carry_out(errand, files, &mut desk),
            Order::ListArchive(errand) => carry_out(errand, files, &mut desk),
            Order::ExtractMember(errand) => carry_out(errand, files, &mut desk),
            Order::TakeRows(errand) => carry_out(errand, files, &mut desk),
            Order::CheckProfile(errand) => carry_out(*errand, files, &mut desk),
            Order::Render(errand) => carry_out(*errand, files, &mut desk),
        };
        answer(&socket, &said?)?;
    }
    Ok(())
}

fn carry_out<E: Errand>(errand: E, files: Vec<File>, desk: &mut Desk) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(&errand.carry_out(files.into(), desk))?)
}
