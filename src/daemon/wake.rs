//! The bell at the door: another process that has written to the database rings it.
//!
//! It is a datagram socket in the data folder. What is sent does not matter; that something was sent makes the daemon
//! look at once instead of at the next slow look.

use std::path::{Path, PathBuf};

use tokio::net::UnixDatagram;

use crate::store::Store;

fn socket(data: &Path) -> PathBuf {
    data.join("wake.sock")
}

/// Listens until the returned future is dropped. The caller holds the lock of the data folder, so that a socket that is
/// there already is a dead one's.
pub(super) async fn listen(data: PathBuf, store: Store) {
    let path = socket(&data);
    if let Err(error) = std::fs::remove_file(&path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "an old wake socket cannot be removed");
    }
    let door = match UnixDatagram::bind(&path) {
        Ok(door) => door,
        Err(error) => {
            // A path of more than 107 bytes, for one. Without the bell the slow look finds what the command line wrote.
            tracing::warn!(path = %path.display(), %error, "no wake socket: commands take effect within a minute");
            return;
        }
    };
    let mut ring = [0; 16];
    loop {
        match door.recv(&mut ring).await {
            Ok(_) => store.signals().all(),
            Err(error) => tracing::debug!(%error, "the wake socket failed once"),
        }
    }
}

/// Makes a daemon that works on `data` look at the database at once. Without one there is nothing to do; and one that does not
/// listen just now, because it is stopped (SIGSTOP) or swapped out, has enough rings before its door to look when it goes on.
pub fn ring(data: &Path) {
    let sent = std::os::unix::net::UnixDatagram::unbound().and_then(|bell| {
        bell.set_nonblocking(true)?;
        bell.send_to(b"look", socket(data))
    });
    if let Err(error) = sent {
        tracing::debug!(%error, "no daemon heard the bell");
    }
}
