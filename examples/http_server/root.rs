//! The directory that is served: files below it are opened, and none elsewhere.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub(crate) struct Root {
    #[cfg(target_os = "linux")]
    directory: File,
    path: PathBuf,
}

impl Root {
    pub(crate) fn new(directory: &Path) -> io::Result<Self> {
        let path = directory.canonicalize()?;
        if !path.is_dir() {
            return Err(ErrorKind::NotADirectory.into());
        }
        Ok(Self {
            #[cfg(target_os = "linux")]
            directory: File::open(&path)?,
            path,
        })
    }

    /// Opens what these names lead to: a file or a directory, or what may turn out to be neither. If they lead out, `EXDEV`.
    ///
    /// Links are followed. On Linux the kernel sees to it that none leads out, not even for a moment, and refuses those to absolute
    /// paths, wherever these are. Elsewhere (and before Linux 5.6) the path is looked at first and opened then: who may change the
    /// directory while it is served can make it lead out in between.
    pub(crate) fn open(&self, names: &[OsString]) -> io::Result<File> {
        let path: PathBuf = names.iter().collect();
        #[cfg(target_os = "linux")]
        match self.open_beneath(&path) {
            // There is no such call, or a sandbox does not let it through.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {}
            opened => return opened,
        }
        self.open_resolved(&path)
    }

    #[cfg(target_os = "linux")]
    fn open_beneath(&self, path: &Path) -> io::Result<File> {
        use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        // Opening a pipe would wait for somebody to write to it.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        Ok(openat2(&self.directory, path, flags, Mode::empty(), resolve)?.into())
    }

    fn open_resolved(&self, path: &Path) -> io::Result<File> {
        let path = self.path.join(path).canonicalize()?;
        if !path.starts_with(&self.path) {
            return Err(io::Error::from_raw_os_error(libc::EXDEV));
        }
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW).open(path)
    }
}
