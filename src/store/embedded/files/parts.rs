//! Files that come in parts.
//!
//! ```text
//! objects/parts/{ulid}/upload     for which bucket, key and type, as JSON
//! objects/parts/{ulid}/{number}   a part: its bytes, and its record after them
//! ```
//!
//! 1. An upload begins as a folder among the drafts and is moved here whole; it goes the other way round.
//!    So what is here is always whole, and what is half made or half removed is swept with the drafts.
//! 2. A part replaces the one of its number at one stroke.
//! 3. The parts are copied to a draft one after the other, and the draft is published where nothing is.
//!    The file's record names the upload: whoever asks again, after a crash too, sees that it is done.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Seek, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::super::private::make_file;
use super::folder::Folder;
use super::record::{self, Record};
use crate::media::{MAX_PARTS, MIN_PART_BYTES};
use crate::service::ports::{Completion, ObjectLocation, PartTag, PartsId, StoredPart};

/// An upload whose parts may come.
pub struct Upload<'f> {
    folder: &'f Folder,
    id: PartsId,
    path: PathBuf,
    terms: Terms,
}

/// What an upload is for, as it is stored.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Terms {
    bucket: String,
    key: String,
    content_type: String,
}

/// Begins an upload.
pub fn begin(folder: &Folder, location: &ObjectLocation, content_type: &str) -> io::Result<PartsId> {
    let id = Ulid::generate().to_string();
    let terms = Terms {
        bucket: location.bucket.clone(),
        key: location.key.clone(),
        content_type: content_type.to_owned(),
    };
    let draft = folder.draft_folder()?;
    let mut file = make_file(&draft.path().join(TERMS))?;
    file.write_all(&serde_json::to_vec(&terms)?)?;
    file.sync_all()?;
    draft.move_to(&folder.parts.join(&id))?;
    Ok(PartsId::new(id))
}

/// Puts the parts of an upload together; also says what became of one that isn't there any more.
pub fn complete(
    folder: &Folder,
    location: &ObjectLocation,
    id: &PartsId,
    tags: &[PartTag],
) -> io::Result<Completion> {
    let place = folder.place(location);
    let outcome = match Upload::find(folder, location, id)? {
        Some(upload) => upload.complete(&place, location, tags)?,
        None => Completion::Unknown,
    };
    if outcome == Completion::Done {
        return Ok(outcome);
    }
    // Others may have completed it meanwhile, or somebody long ago.
    if record::open(&place)?.is_some_and(|(_, record)| record.came_in_parts_of(id)) {
        abort(folder, location, id)?;
        return Ok(Completion::Done);
    }
    // Its parts vanish when it is given up.
    match Upload::find(folder, location, id)? {
        Some(_) => Ok(outcome),
        None => Ok(Completion::Unknown),
    }
}

/// Forgets an upload and its parts.
pub fn abort(folder: &Folder, location: &ObjectLocation, id: &PartsId) -> io::Result<()> {
    Upload::find(folder, location, id)?.map_or(Ok(()), |upload| folder.remove_folder(&upload.path))
}

impl<'f> Upload<'f> {
    /// The upload of this name, if it is one for this location.
    pub fn find(folder: &'f Folder, location: &ObjectLocation, id: &PartsId) -> io::Result<Option<Self>> {
        // A name that isn't one of ours could lead out of the folder.
        let Ok(name) = Ulid::from_string(id.as_str()) else { return Ok(None) };
        let path = folder.parts.join(name.to_string());
        let terms: Terms = match fs::read(path.join(TERMS)) {
            Ok(json) => serde_json::from_slice(&json)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let ours = terms.bucket == location.bucket && terms.key == location.key;
        Ok(ours.then(|| Self { folder, id: id.clone(), path, terms }))
    }

    /// The type that the file gets.
    pub fn content_type(&self) -> &str {
        &self.terms.content_type
    }

    /// Where a part lies, if it is there.
    pub fn place(&self, number: u16) -> PathBuf {
        self.path.join(number.to_string())
    }

    /// The parts that are there, ascending; `None` where the upload vanishes meanwhile.
    pub fn list(&self) -> io::Result<Option<Vec<StoredPart>>> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut parts = Vec::new();
        for entry in entries {
            let number = entry?.file_name().to_str().and_then(|name| name.parse().ok());
            let Some(number) = number else { continue };
            if let Some((_, record)) = record::open(&self.place(number))? {
                let stored = record.stored();
                parts.push(StoredPart { number, size_bytes: stored.size_bytes, etag: stored.etag });
            }
        }
        parts.sort_unstable_by_key(|part| part.number);
        Ok(self.path.try_exists()?.then_some(parts))
    }

    fn complete(&self, place: &Path, location: &ObjectLocation, tags: &[PartTag]) -> io::Result<Completion> {
        if place.try_exists()? {
            return Ok(Completion::Exists);
        }
        // All are looked at before the first is copied.
        if let Some(wrong) = self.check(tags)? {
            return Ok(Completion::WrongParts(wrong));
        }
        let (draft, mut target) = self.folder.draft()?;
        let (mut size_bytes, mut digest) = (0, Context::new(&SHA256));
        for tag in tags {
            // It may have been replaced since.
            let (mut part, record) = match self.open(tag)? {
                Ok(opened) => opened,
                Err(wrong) => return Ok(Completion::WrongParts(wrong)),
            };
            part.rewind()?;
            size_bytes += io::copy(&mut io::Read::take(part, record.size_bytes), &mut target)?;
            digest.update(record.stored().etag.as_bytes());
        }
        let digest = digest.finish();
        let record = Record::in_parts(
            location,
            self.content_type(),
            size_bytes,
            (&self.id, tags.len(), digest.as_ref()),
        );
        record::close(target, &record)?;
        if !draft.publish(place)? {
            return Ok(Completion::Exists);
        }
        self.folder.remove_folder(&self.path)?;
        Ok(Completion::Done)
    }

    /// Which part can't stand where it does, and why.
    fn check(&self, tags: &[PartTag]) -> io::Result<Option<String>> {
        if tags.is_empty() || tags.len() > usize::from(MAX_PARTS) {
            return Ok(Some(format!("a file has 1 to {MAX_PARTS} parts")));
        }
        let mut before = 0;
        for (index, tag) in tags.iter().enumerate() {
            let number = tag.number;
            if number <= before {
                return Ok(Some(format!("part {number} stands after part {before}")));
            }
            before = number;
            match self.open(tag)? {
                Ok((_, record)) if index + 1 < tags.len() && record.size_bytes < MIN_PART_BYTES => {
                    let has = record.size_bytes;
                    let least = format!("all but the last need at least {MIN_PART_BYTES}");
                    return Ok(Some(format!("part {number} has {has} bytes; {least}")));
                }
                Ok(_) => {}
                Err(wrong) => return Ok(Some(wrong)),
            }
        }
        Ok(None)
    }

    /// The part that a tag names, or why there is none.
    fn open(&self, tag: &PartTag) -> io::Result<Result<(File, Record), String>> {
        let number = tag.number;
        Ok(match record::open(&self.place(number))? {
            None => Err(format!("part {number} isn't there")),
            Some((_, record)) if !tag.is(&record.stored().etag) => {
                Err(format!("part {number} has another ETag"))
            }
            Some(opened) => Ok(opened),
        })
    }
}

const TERMS: &str = "upload";
