//! Files of the data folder: for their owner alone, whether they hold secrets or not.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::store::embedded::private::{make_file, make_folder};

/// Writes a file whole or not at all, readable by its owner alone; makes its folder.
pub(super) fn write_private(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    // One that a crash has left may be open to others: the mode counts for a new file alone.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = make_file(Path::new(&draft))?;
    file.write_all(content.as_ref())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_owner_can_read_it_whatever_was_there() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("a/secret.json");
        fs::create_dir(folder.path().join("a")).unwrap();
        for open in [path.clone(), folder.path().join("a/secret.json.new")] {
            fs::write(open, "old").unwrap();
        }
        write_private(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
