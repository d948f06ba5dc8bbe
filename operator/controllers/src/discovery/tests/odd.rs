//! A store for tests that misbehaves on demand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result as StoreResult,
};

/// A store whose lists end in an error after the first object, or that never comes back from a note of a finished cell.
#[derive(Debug)]
pub struct Odd {
    /// What it keeps.
    pub inner: Arc<InMemory>,
    /// Whether lists end early.
    pub lists_end: bool,
    /// Number of the note from which nothing comes back.
    pub dies_after: usize,
    /// Notes so far.
    pub notes: AtomicUsize,
    /// Told then.
    pub died: tokio::sync::Notify,
}

impl Odd {
    /// An orderly one before anything is set.
    pub fn of(inner: &Arc<InMemory>) -> Self {
        let (notes, died) = (AtomicUsize::new(0), tokio::sync::Notify::new());
        Self { inner: inner.clone(), lists_end: false, dies_after: usize::MAX, notes, died }
    }
}

impl std::fmt::Display for Odd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an odd store")
    }
}

#[async_trait]
impl ObjectStore for Odd {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> StoreResult<PutResult> {
        let done = self.inner.put_opts(at, payload, options).await;
        if at.as_ref().contains("/run/") && self.notes.fetch_add(1, Ordering::SeqCst) + 1 == self.dies_after {
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
        done
    }

    async fn put_multipart_opts(&self, at: &Path, options: PutMultipartOptions) -> StoreResult<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(&self, at: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        self.inner.delete_stream(at)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let found = self.inner.list(prefix);
        if !self.lists_end {
            return found;
        }
        let end = object_store::Error::Generic { store: "test", source: "the list ends early".into() };
        found.take(1).chain(futures::stream::iter([Err(end)])).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
