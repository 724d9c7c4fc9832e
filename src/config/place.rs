//! Whether the place of `memory.file` exists and can be written: known now, instead of by the first
//! save that fails.

use std::fs;
use std::io;
use std::path::Path;

/// What is wrong with the place of the memory, in a sentence that names the key; nothing when a save
/// would succeed now. A file is made next to it for a moment, as each save does.
pub fn memory_place(file: &Path) -> Option<String> {
    place("memory.file", file, "each save makes a file next to the old one and renames it")
}

/// The same of the history and the evidence, which are kept in one file.
pub fn store_place(file: &Path) -> Option<String> {
    place("store.path", file, "the file is made there, and set aside there if it cannot be read")
}

fn place(key: &str, file: &Path, needs: &str) -> Option<String> {
    let wrong = |why: String| {
        let file = file.display();
        Some(format!("{key}: found {file}, {why} (here, for this user, now)"))
    };
    match fs::metadata(file) {
        Ok(meta) if meta.is_dir() => return wrong("which is a directory (allowed: a file)".into()),
        Ok(meta) if !meta.is_file() => {
            return wrong("which is not a regular file (allowed: a file, or nothing yet)".into());
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return wrong(format!("which cannot be looked at: {error}")),
    }
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = parent.unwrap_or(Path::new("."));
    match fs::metadata(directory) {
        Ok(meta) if !meta.is_dir() => {
            return wrong(format!("but {} is not a directory", directory.display()));
        }
        Ok(_) => {}
        Err(error) => {
            let directory = directory.display();
            return wrong(format!("but its directory {directory} cannot be used: {error}"));
        }
    }
    match try_to_write(directory) {
        Ok(()) => None,
        Err(error) => wrong(format!(
            "but nothing can be written in its directory {}: {error} ({needs})",
            directory.display()
        )),
    }
}

fn try_to_write(directory: &Path) -> io::Result<()> {
    let probe = directory.join(format!(".setpoint-check-{}", std::process::id()));
    fs::OpenOptions::new().write(true).create_new(true).open(&probe)?;
    fs::remove_file(&probe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_looked_at_and_nothing_is_left_there() {
        let folder = std::env::temp_dir().join(format!("setpoint-place-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(memory_place(&folder.join("memory.json")), None, "it need not exist yet");
        fs::write(folder.join("memory.json"), "{}").unwrap();
        assert_eq!(memory_place(&folder.join("memory.json")), None);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left");
        for (file, says) in [
            (folder.clone(), "which is a directory"),
            (folder.join("none/memory.json"), "none cannot be used: No such file"),
            (folder.join("memory.json/memory.json"), "Not a directory"),
            ("/proc/memory.json".into(), "nothing can be written in its directory /proc"),
        ] {
            let found = memory_place(&file).unwrap_or_else(|| panic!("{file:?} is fine"));
            assert!(found.starts_with("memory.file: found ") && found.contains(says), "{found}");
            assert!(store_place(&file).unwrap().starts_with("store.path: found "));
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
