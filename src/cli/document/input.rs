//! What is read: a file, or stdin.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::path::Path;

use crate::cli::CliError;

/// A file or a pipe.
pub struct Input {
    file: File,
    length: Option<u64>,
}

impl Input {
    /// Opens a file; `-` is stdin.
    ///
    /// # Errors
    /// [`CliError::Failed`] with the name of the file and the reason.
    pub fn open(path: &Path) -> Result<Self, CliError> {
        let opened = if path.as_os_str() == "-" {
            io::stdin().as_fd().try_clone_to_owned().map(File::from)
        } else {
            File::open(path)
        };
        let mut file = opened.map_err(|error| CliError::about(path.display(), error))?;
        let length = rest(&mut file);
        Ok(Self { file, length })
    }

    /// How many bytes there are, where that is known.
    pub fn length(&self) -> Option<u64> {
        self.length
    }
}

impl Read for Input {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.file.read(bytes)
    }
}

/// How many bytes of a regular file are still to be read. Those of `/proc` say 0 and hold more.
fn rest(file: &mut File) -> Option<u64> {
    let data = file.metadata().ok().filter(|data| data.is_file() && data.len() > 0)?;
    Some(data.len().saturating_sub(file.stream_position().ok()?))
}
