//! A terminal without a screen.

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;

/// Who sits before it, and the terminal.
pub(crate) fn terminal() -> (File, File) {
    let here = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&here).and_then(|()| unlockpt(&here)).expect("it is ours");
    let name = ptsname(&here, Vec::new()).expect("it has a name");
    // It must not become the terminal that controls this process.
    let flags = libc::O_NOCTTY;
    let there = std::os::unix::fs::OpenOptionsExt::custom_flags(File::options().read(true).write(true), flags)
        .open(std::ffi::OsStr::from_bytes(name.as_bytes()));
    (here.into(), there.expect("it can be opened"))
}
