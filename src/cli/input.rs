//! A file that a person names, or standard input, read whole within a limit.

use std::fmt::Display;
use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use super::CliError;
use crate::cli::out::noteln;

/// What was read of a file, and how messages call it.
#[derive(Debug)]
pub(super) struct Input {
    /// The path as given, or `standard input`.
    pub name: String,
    pub bytes: Vec<u8>,
    /// The most bytes that are taken, packed or not.
    limit: u64,
    /// What to do with more, where there is something.
    advice: Option<&'static str>,
}

impl Input {
    /// Reads this file; `-` is standard input.
    ///
    /// # Errors
    /// When it cannot be read, or has more than `limit` bytes.
    pub(super) fn read(
        path: &Path,
        limit: u64,
        advice: Option<&'static str>,
    ) -> Result<Self, CliError> {
        let stdin = path.as_os_str() == "-";
        let name = if stdin { "standard input".to_owned() } else { path.display().to_string() };
        let mut input = Self { name, bytes: Vec::new(), limit, advice };
        let read = if stdin {
            std::io::stdin().lock().take(limit + 1).read_to_end(&mut input.bytes)
        } else {
            if std::fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo()) {
                // A shell's `<(...)` is one, too; one that nobody writes to would wait without a word.
                noteln!("{}: it is a pipe; waiting for its writer", input.name);
            }
            let file = std::fs::File::open(path)
                .map_err(|error| input.failed(format!("cannot open it: {error}")))?;
            file.take(limit + 1).read_to_end(&mut input.bytes)
        };
        read.map_err(|error| input.failed(format!("cannot read it: {error}")))?;
        input.within()
    }

    /// With gzip's layer taken off, where there is one.
    ///
    /// # Errors
    /// When it cannot be unpacked, or is larger than the limit then.
    pub(super) fn unpacked(mut self) -> Result<Self, CliError> {
        if !self.bytes.starts_with(&[0x1f, 0x8b]) {
            return Ok(self);
        }
        let packed = std::mem::take(&mut self.bytes);
        let unpacked = flate2::read::MultiGzDecoder::new(packed.as_slice());
        let read = unpacked.take(self.limit + 1).read_to_end(&mut self.bytes);
        read.map_err(|error| self.failed(format!("cannot unpack it: {error}")))?;
        self.within()
    }

    /// An error about this file.
    pub(super) fn failed(&self, what: impl Display) -> CliError {
        CliError::failed(format!("{}: {what}", self.name))
    }

    fn within(self) -> Result<Self, CliError> {
        if self.bytes.len() as u64 <= self.limit {
            return Ok(self);
        }
        let allowed = self.limit >> 20;
        let advice = self.advice.map_or_else(String::new, |advice| format!("; {advice}"));
        let found = format!("found more than {allowed} MiB (allowed: up to {allowed} MiB){advice}");
        Err(self.failed(found))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit_packed_or_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |bytes: &[u8]| std::fs::write(file.path(), bytes).unwrap();
        let read = |limit| Input::read(file.path(), limit, None).and_then(Input::unpacked);
        write(&vec![b'x'; 1 << 20]);
        assert_eq!(read(1 << 20).unwrap().bytes.len(), 1 << 20);
        write(&vec![b'x'; (1 << 20) + 1]);
        let error = read(1 << 20).unwrap_err().to_string();
        assert!(error.ends_with("found more than 1 MiB (allowed: up to 1 MiB)"), "{error}");
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(&vec![b'x'; 3 << 20]).unwrap();
        write(&packer.finish().unwrap());
        assert_eq!(read(4 << 20).unwrap().bytes.len(), 3 << 20);
        let error = read(1 << 20).unwrap_err().to_string();
        assert!(error.contains("found more than 1 MiB"), "a packed one is not larger: {error}");
    }
}
