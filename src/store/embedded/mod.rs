//! The embedded store: one folder, one process, nothing else to run.
//!
//! ```text
//! DIR/signet.redb    assets, tenants, secrets; locked by the process that has it open
//! DIR/objects/       the bytes
//! ```
//!
//! Folders are 0700 and files 0600, whatever the umask: see [`private`].
//!
//! 1. [`Embedded`]: opens the folder; tenants are put in here, secrets come from here.
//! 2. `assets`, `tenants`: the ports [`AssetStore`](crate::service::ports::AssetStore) and
//!    [`TenantStore`](crate::service::ports::TenantStore). `leases`: the port
//!    [`LeaseStore`](crate::service::ports::LeaseStore). `calls`: those that may be repeated. `usage`: what each
//!    tenant has. `dues`: when each asset is due. `tables`: how all of it lies in the database.
//! 3. `writer`: one thread that commits many writes at once.
//! 4. [`Files`]: the port [`ObjectStore`](crate::service::ports::ObjectStore) on local files, and the
//!    [`ObjectGate`](crate::service::ports::ObjectGate) that takes uploads.

mod assets;
mod calls;
mod dues;
mod error;
mod files;
mod leases;
pub mod private;
mod secret;
mod tables;
mod tenants;
mod usage;
mod writer;

use std::fs::File;
use std::io::ErrorKind;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, DatabaseError, ReadTransaction, ReadableDatabase};

use crate::service::ports::StoreError;
use writer::Writer;

pub use error::OpenError;
pub use files::Files;
pub use secret::Secret;

/// The most that the database keeps in memory, in bytes.
const CACHE_BYTES: usize = 128 * 1024 * 1024;
/// The database's file in a data folder.
const DATABASE: &str = "signet.redb";
/// The folder of the objects there.
const OBJECTS: &str = "objects";

/// Assets, tenants and secrets in one database file. Cheap to clone.
#[derive(Clone)]
pub struct Embedded(Arc<Inner>);

struct Inner {
    // Dropped first: it waits until its thread has let go of the database.
    writer: Writer,
    database: Arc<Database>,
    objects_dir: PathBuf,
}

impl Embedded {
    /// Opens a data folder, or makes one. Blocks.
    ///
    /// # Errors
    /// What is wrong with the folder, and what to do about it.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let objects_dir = dir.join(OBJECTS);
        make_folder(dir)?;
        if let Err(wrong) = private::check_owner(dir) {
            // Another user that opens a folder in use is told so, and not that the folder is another user's.
            return Err(if is_in_use(dir) { OpenError::InUse { dir: dir.to_owned() } } else { wrong });
        }
        let database = open_database(dir)?;
        make_folder(&objects_dir)?;
        private::tighten(dir)?;
        File::open(dir)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| OpenError::folder(dir, source))?;

        let database = Arc::new(database);
        let writer = Writer::start(Arc::clone(&database)).map_err(|source| OpenError::folder(dir, source))?;
        Ok(Self(Arc::new(Inner { writer, database, objects_dir })))
    }

    /// Where [`Files`] keeps the objects.
    #[must_use]
    pub fn objects_dir(&self) -> &Path {
        &self.0.objects_dir
    }

    /// Runs a query where it may block: it reads many rows.
    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&ReadTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = Arc::clone(&self.0.database);
        tokio::task::spawn_blocking(move || query(&database.begin_read()?))
            .await
            .map_err(StoreError::unavailable)?
    }

    /// Runs a query at once: for a row or two. Such a look-up takes microseconds from the cache of
    /// the database or of the system, less than handing it to another thread does, and never waits
    /// for a writer.
    fn read_now<T>(
        &self,
        query: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        query(&self.0.database.begin_read()?)
    }
}

/// Opens the database and sees to it that its tables are there.
fn open_database(dir: &Path) -> Result<Database, OpenError> {
    let file = dir.join(DATABASE);
    let open = || {
        let opened =
            private::open_or_make_file(&file).map_err(|source| OpenError::file(dir, &file, source))?;
        let mut builder = Database::builder();
        let database = builder.set_cache_size(CACHE_BYTES).create_file(opened);
        let database = database.map_err(|error| OpenError::database(dir, &file, error))?;
        tables::create(&database).map_err(|error| OpenError::corrupt(&file, error))?;
        Ok(database)
    };
    // redb checks some of what it reads by assertions: a page that went bad is an error here, no crash.
    panic::catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| {
        let error = redb::Error::Corrupted("one of its pages makes no sense".into());
        Err(OpenError::corrupt(&file, error))
    })
}

/// Whether a process has the database of a folder open.
fn is_in_use(dir: &Path) -> bool {
    let opened = Database::builder().open_read_only(dir.join(DATABASE));
    matches!(opened, Err(DatabaseError::DatabaseAlreadyOpen))
}

fn make_folder(dir: &Path) -> Result<(), OpenError> {
    match private::make_folder(dir) {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotADirectory) => {
            Err(OpenError::NotAFolder { path: dir.to_owned() })
        }
        Err(error) => Err(OpenError::folder(dir, error)),
    }
}
