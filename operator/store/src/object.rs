//! The store: where inventories and bundles are. A local folder by default; S3, Azure Blob and GCS by URL.
//!
//! Chosen: `object_store`, one trait for all of them, kept by the Arrow project (Apache-2.0). Its local implementation writes to a temporary name and
//! renames, the others replace objects whole, so that no half file is ever seen under a final name.

use std::collections::HashMap;
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use caretaker_core::inventory::history::Listed;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, WriteMultipart};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::OwnedMutexGuard;

/// Size of one part while a file is streamed, in bytes: S3 wants at least 5 MiB.
const PART: usize = 8 << 20;
/// Size of a probe, in bytes: a full volume may still take a file that is empty.
const PROBE: usize = 64 << 10;

/// A failed call to the store, by what a person can do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No room.
    #[error("the store is full ({0}): make room or give it a larger volume; nothing was lost")]
    Full(String),
    /// No permission to write.
    #[error("the store takes no writes ({0}): check the volume's mount options and the permissions; nothing was lost")]
    ReadOnly(String),
    /// The object is not there.
    #[error("not in the store: {0}")]
    NotFound(String),
    /// The object's bytes are not those that were stored.
    #[error("altered in the store: {0}")]
    Damaged(String),
    /// A local file or computation.
    #[error("{operation}: {message}")]
    Local {
        /// The operation, such as `read an inventory`.
        operation: String,
        /// Why it failed.
        message: String,
    },
    /// This process may write nothing now.
    #[error("nothing was written: {0}")]
    Closed(String),
    /// No answer, or another failure.
    #[error("the store did not answer as it should: {0}")]
    Unreachable(String),
}

/// Is asked before each write, and told after it: one process of several may write.
pub trait Guard: std::fmt::Debug + Send + Sync {
    /// A write is about to be made. Returns its number.
    ///
    /// # Errors
    /// This process may not write now; the text says why.
    fn before(&self, write: &str) -> Result<u64, String>;

    /// The write of this number was answered.
    fn after(&self, number: u64);
}

/// The store.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<dyn ObjectStore>,
    base: Path,
    held: Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>,
    guard: Option<Arc<dyn Guard>>,
}

impl StoreError {
    /// A failed local operation.
    pub fn local(operation: impl Into<String>, message: impl ToString) -> Self {
        Self::Local { operation: operation.into(), message: message.to_string() }
    }

    /// Whether what was stored is not to be had any more, however often it is asked for.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::NotFound(_) | Self::Damaged(_))
    }
}

impl Store {
    /// Opens the store at a URL: `file:///var/lib/caretaker`, `s3://bucket/prefix`, `az://container`, `gs://bucket`. Credentials and endpoints of the
    /// last three come from the environment, as `object_store` documents them.
    ///
    /// # Errors
    /// The URL is malformed or names a store of an unknown kind; the folder cannot be made.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        if let Some(folder) = url.strip_prefix("file://") {
            std::fs::create_dir_all(folder).map_err(|error| classify_io(&error, folder))?;
            let local = object_store::local::LocalFileSystem::new_with_prefix(folder)
                .map_err(|error| classify(&error))?
                .with_automatic_cleanup(false)
                .with_fsync(true);
            return Ok(Self { inner: Arc::new(local), base: Path::default(), held: Arc::default(), guard: None });
        }
        Self::open_with(url, std::env::vars())
    }

    /// Opens a store of a cloud at a URL with options of its own, named as `object_store` names them, and nothing from the environment.
    ///
    /// # Errors
    /// The URL is malformed, or names a store of an unknown kind.
    pub fn open_with(url: &str, options: impl IntoIterator<Item = (String, String)>) -> Result<Self, StoreError> {
        let parsed = url.parse().map_err(|error| StoreError::Unreachable(format!("{url} is not a URL: {error}")))?;
        let (inner, base) = object_store::parse_url_opts(&parsed, options).map_err(|error| classify(&error))?;
        Ok(Self { inner: Arc::from(inner), base, held: Arc::default(), guard: None })
    }

    /// A store in memory, for tests.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { inner: Arc::new(object_store::memory::InMemory::new()), base: Path::default(), held: Arc::default(), guard: None }
    }

    /// Wraps any object store, for tests with faults.
    #[must_use]
    pub fn with(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, base: Path::default(), held: Arc::default(), guard: None }
    }

    /// The same store, every write of which asks first.
    #[must_use]
    pub fn guarded(self, guard: Arc<dyn Guard>) -> Self {
        Self { guard: Some(guard), ..self }
    }

    /// The same store, asking whom another one asks.
    #[must_use]
    pub fn guarded_as(self, other: &Self) -> Self {
        Self { guard: other.guard.clone(), ..self }
    }

    async fn written<T>(&self, (verb, address): (&str, &str), write: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let Some(guard) = &self.guard else { return write.await };
        let number = guard.before(&format!("store {verb} {address}")).map_err(StoreError::Closed)?;
        let answer = write.await;
        guard.after(number);
        answer
    }

    fn path(&self, address: &str) -> Path {
        let mut path = self.base.clone();
        for part in address.split('/').filter(|part| !part.is_empty()) {
            path = path.join(part);
        }
        path
    }

    /// Writes bytes under an address, whole or not at all.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn put(&self, address: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.written(("PUT", address), self.put_unasked(address, bytes)).await
    }

    async fn put_unasked(&self, address: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.inner.put(&self.path(address), PutPayload::from(bytes)).await.map_err(|error| classify(&error))?;
        Ok(())
    }

    /// Writes bytes under an address where nothing stands yet: of two writers one wins. Says whether it was this one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn create(&self, address: &str, bytes: Bytes) -> Result<bool, StoreError> {
        self.written(("CREATE", address), self.create_unasked(address, bytes)).await
    }

    async fn create_unasked(&self, address: &str, bytes: Bytes) -> Result<bool, StoreError> {
        let options = PutOptions::from(PutMode::Create);
        match self.inner.put_opts(&self.path(address), PutPayload::from(bytes), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) if is_not_implemented(&error) => Err(StoreError::Unreachable(format!(
                "it takes no writes on condition (PUT with If-None-Match: *), without which two processes could overwrite each other's log: use a store \
                 that does, as S3, Azure Blob and GCS do; it said: {error}"
            ))),
            Err(error) => Err(classify(&error)),
        }
    }

    /// Writes a little into a folder and removes it again: whether the store takes anything. It changes nothing, and so asks no guard.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn probe(&self, folder: &str) -> Result<(), StoreError> {
        let address = format!("{folder}/probe");
        self.put_unasked(&address, Bytes::from_static(&[b'.'; PROBE])).await?;
        self.delete_unasked(&address).await
    }

    /// Streams a local file to an address, whole or not at all.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn put_file(&self, address: &str, file: &FilePath) -> Result<(), StoreError> {
        let name = file.display().to_string();
        let reader = tokio::fs::File::open(file).await.map_err(|error| classify_io(&error, &name))?;
        let size = reader.metadata().await.map_err(|error| classify_io(&error, &name))?.len();
        if size <= PART as u64 {
            // One request instead of three, and no more memory than the file has bytes.
            let bytes = tokio::fs::read(file).await.map_err(|error| classify_io(&error, &name))?;
            return self.put(address, bytes.into()).await;
        }
        self.written(("PUT", address), self.stream_unasked(address, (reader, &name))).await
    }

    async fn stream_unasked(&self, address: &str, (mut reader, name): (tokio::fs::File, &str)) -> Result<(), StoreError> {
        let upload = self.inner.put_multipart(&self.path(address)).await.map_err(|error| classify(&error))?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART);
        let mut buffer = vec![0; PART];
        loop {
            let read = reader.read(&mut buffer).await.map_err(|error| classify_io(&error, name))?;
            if read == 0 {
                break;
            }
            writer.wait_for_capacity(2).await.map_err(|error| classify(&error))?;
            writer.write(&buffer[..read]);
        }
        writer.finish().await.map_err(|error| classify(&error))?;
        Ok(())
    }

    /// Reads an object whole.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn get(&self, address: &str) -> Result<Bytes, StoreError> {
        let result = self.inner.get(&self.path(address)).await.map_err(|error| classify(&error))?;
        result.bytes().await.map_err(|error| classify(&error))
    }

    /// Streams an object into a local file.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn get_file(&self, address: &str, file: &FilePath) -> Result<(), StoreError> {
        let name = file.display().to_string();
        let result = self.inner.get(&self.path(address)).await.map_err(|error| classify(&error))?;
        let mut stream = result.into_stream();
        let mut writer = tokio::fs::File::create(file).await.map_err(|error| classify_io(&error, &name))?;
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| classify(&error))?;
            writer.write_all(&chunk).await.map_err(|error| classify_io(&error, &name))?;
        }
        writer.flush().await.map_err(|error| classify_io(&error, &name))
    }

    /// Addresses of all objects under a prefix, sorted.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.list_dated(prefix).await?.into_iter().map(|object| object.address).collect())
    }

    /// Addresses of all objects under a prefix and their sizes in bytes, in no order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn list_sized(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let path = self.path(prefix);
        let base = if self.base.as_ref().is_empty() { 0 } else { self.base.as_ref().len() + 1 };
        let object = |meta: object_store::ObjectMeta| (meta.location.as_ref()[base..].to_owned(), meta.size);
        self.inner.list(Some(&path)).map_ok(object).try_collect().await.map_err(|error| classify(&error))
    }

    /// All objects under a prefix with the time of their last write, sorted by address.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn list_dated(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let path = self.path(prefix);
        let base = if self.base.as_ref().is_empty() { 0 } else { self.base.as_ref().len() + 1 };
        let object = |meta: object_store::ObjectMeta| Listed {
            address: meta.location.as_ref()[base..].to_owned(),
            // A time that cannot be told counts as now: nothing is removed for its age then.
            modified: Timestamp::from_millisecond(meta.last_modified.timestamp_millis()).unwrap_or(Timestamp::MAX),
        };
        let mut found: Vec<Listed> = self.inner.list(Some(&path)).map_ok(object).try_collect().await.map_err(|error| classify(&error))?;
        found.sort_by(|one, other| one.address.cmp(&other.address));
        Ok(found)
    }

    /// Size of an object in bytes; `None` where it is not there.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn size(&self, address: &str) -> Result<Option<u64>, StoreError> {
        match self.inner.head(&self.path(address)).await.map_err(|error| classify(&error)) {
            Ok(meta) => Ok(Some(meta.size)),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits until nobody else in this process works on what stands under an address, and keeps others out until the guard goes.
    ///
    /// # Panics
    /// Never.
    pub async fn hold(&self, address: &str) -> OwnedMutexGuard<()> {
        let lock = self.held.lock().expect("no panic while held").entry(address.to_owned()).or_default().clone();
        lock.lock_owned().await
    }

    /// Removes an object; one that is gone already is no error.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn delete(&self, address: &str) -> Result<(), StoreError> {
        self.written(("DELETE", address), self.delete_unasked(address)).await
    }

    async fn delete_unasked(&self, address: &str) -> Result<(), StoreError> {
        match self.inner.delete(&self.path(address)).await.map_err(|error| classify(&error)) {
            Err(StoreError::NotFound(_)) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Some stores that speak S3 refuse writes on condition with 501.
fn is_not_implemented(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. })
        || error.to_string().contains("NotImplemented")
}

fn classify(error: &object_store::Error) -> StoreError {
    match error {
        object_store::Error::NotFound { path, .. } => return StoreError::NotFound(path.clone()),
        object_store::Error::PermissionDenied { path, .. } | object_store::Error::Unauthenticated { path, .. } => {
            return StoreError::ReadOnly(path.clone());
        }
        _ => {}
    }
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return classify_io(io, &error.to_string());
        }
        source = inner.source();
    }
    StoreError::Unreachable(error.to_string())
}

fn classify_io(error: &std::io::Error, what: &str) -> StoreError {
    use std::io::ErrorKind::{NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded => StoreError::Full(what.into()),
        ReadOnlyFilesystem | PermissionDenied => StoreError::ReadOnly(what.into()),
        NotFound => StoreError::NotFound(what.into()),
        _ => StoreError::Unreachable(format!("{what}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets through the first `.0` writes, and notes all of them.
    #[derive(Debug, Default)]
    struct First(usize, Mutex<Vec<String>>);

    impl Guard for First {
        fn before(&self, write: &str) -> Result<u64, String> {
            let mut asked = self.1.lock().unwrap();
            asked.push(write.into());
            if asked.len() <= self.0 { Ok(asked.len() as u64) } else { Err("the lease is lost".into()) }
        }

        fn after(&self, number: u64) {
            self.1.lock().unwrap().push(format!("{number} answered"));
        }
    }

    /// A process that lost its lease must neither add to the store nor take from it: another one works there by now.
    #[tokio::test]
    async fn each_way_to_write_asks_the_guard_and_writes_nothing_against_it() {
        let folder = tempfile::tempdir().unwrap();
        let (small, large) = (folder.path().join("small"), folder.path().join("large"));
        std::fs::write(&small, b"x").unwrap();
        std::fs::write(&large, vec![0; PART + 1]).unwrap();
        let plain = Store::in_memory();
        plain.put("there", Bytes::from_static(b"old")).await.unwrap();
        let closed = plain.clone().guarded(Arc::new(First::default()));
        let refused = |result: Result<(), StoreError>| assert!(matches!(result, Err(StoreError::Closed(_))), "{result:?}");
        refused(closed.put("there", Bytes::from_static(b"new")).await);
        refused(closed.create("new", Bytes::from_static(b"new")).await.map(drop));
        refused(closed.put_file("new", &small).await);
        refused(closed.put_file("new", &large).await);
        refused(closed.delete("there").await);
        refused(Store::in_memory().guarded_as(&closed).put("a", Bytes::new()).await);
        assert_eq!(plain.list("").await.unwrap(), ["there"]);
        assert_eq!(plain.get("there").await.unwrap(), Bytes::from_static(b"old"));

        let guard = Arc::new(First(2, Mutex::default()));
        let open = plain.guarded(guard.clone());
        open.create("a", Bytes::new()).await.unwrap();
        assert_eq!(*guard.1.lock().unwrap(), ["store CREATE a", "1 answered"]);
    }

    #[tokio::test]
    async fn a_local_store_gives_back_what_it_took_and_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("file://{}", folder.path().display())).unwrap();
        store.put("clients/a/x", Bytes::from_static(b"one")).await.unwrap();
        store.put("clients/a/x", Bytes::from_static(b"two")).await.unwrap();
        let big = folder.path().join("big");
        std::fs::write(&big, vec![7_u8; PART + 5]).unwrap();
        store.put_file("clients/b/y", &big).await.unwrap();
        assert_eq!(store.get("clients/a/x").await.unwrap(), Bytes::from_static(b"two"));
        assert_eq!(store.get("clients/b/y").await.unwrap().len(), PART + 5);
        assert_eq!(store.list("clients").await.unwrap(), ["clients/a/x", "clients/b/y"]);
        assert_eq!(store.list("nobody/was/here").await.unwrap(), [""; 0]);
        assert_eq!((store.size("clients/a/x").await.unwrap(), store.size("clients/a/z").await.unwrap()), (Some(3), None));
        let written = store.list_dated("clients/a").await.unwrap()[0].modified;
        assert!(Timestamp::now().duration_since(written).abs() < jiff::SignedDuration::from_mins(10), "{written}");
        store.delete("clients/a/x").await.unwrap();
        store.delete("clients/a/x").await.unwrap();
        assert!(matches!(store.get("clients/a/x").await, Err(StoreError::NotFound(_))));
    }

    #[test]
    fn io_errors_become_what_a_person_can_act_on() {
        use std::io::{Error, ErrorKind};
        assert!(matches!(classify_io(&Error::from(ErrorKind::StorageFull), "x"), StoreError::Full(_)));
        assert!(matches!(classify_io(&Error::from(ErrorKind::ReadOnlyFilesystem), "x"), StoreError::ReadOnly(_)));
        assert!(matches!(classify_io(&Error::from(ErrorKind::TimedOut), "x"), StoreError::Unreachable(_)));
    }
}
