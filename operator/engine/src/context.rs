//! What the engine gives to every controller.

use std::fmt::Debug;
use std::sync::Arc;

use jiff::Timestamp;
use kube::api::{GetParams, ListParams, ObjectList};
use kube::core::Request;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;

use crate::cache::Cache;
use crate::definitions::Definitions;
use crate::events::Events;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::repairs::Repairs;

/// Tells the time. Injected, so that tests can move it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What every controller is given.
#[derive(Clone)]
pub struct Context {
    /// The API server.
    pub client: Client,
    /// Objects that we watch.
    pub cache: Cache,
    /// The time.
    pub clock: Clock,
    /// The operator's own namespace.
    pub namespace: String,
    /// Publishes events.
    pub events: Events,
    /// Counts what happens.
    pub metrics: Metrics,
    /// What was put back lately.
    pub repairs: Repairs,
    /// Whether the definitions in the cluster hold every field of this release.
    pub definitions: Definitions,
}

impl Context {
    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// An object of our own kinds, from the cache if it is there. Its absence is the API server's word: a watch may be behind.
    ///
    /// # Errors
    /// The API server's answer; that the object does not exist is none.
    pub async fn find<K>(&self, namespace: &str, name: &str) -> Result<Option<K>, Failure>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug,
    {
        match self.cache.typed(namespace, name) {
            Some(held) => Ok(Some(held)),
            None => self.fetch(namespace, name).await,
        }
    }

    /// An object of our own kinds as it is now.
    ///
    /// # Errors
    /// The API server's answer; that the object does not exist is none.
    pub async fn fetch<K>(&self, namespace: &str, name: &str) -> Result<Option<K>, Failure>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug,
    {
        let what = format!("get {} {name}", K::kind(&()));
        let request = self.request::<K>(namespace).get(name, &GetParams::default());
        match self.client.request(request.map_err(|error| Failure::kubernetes(what.clone())(kube::Error::BuildRequest(error)))?).await {
            Ok(found) => Ok(Some(found)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(Failure::kubernetes(what)(error)),
        }
    }

    /// All objects of one of our own kinds in a namespace as they are now.
    ///
    /// # Errors
    /// The API server's answer.
    pub async fn fetch_all<K>(&self, namespace: &str) -> Result<Vec<K>, Failure>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug,
    {
        let what = format!("list {}", K::plural(&()));
        let request = self.request::<K>(namespace).list(&ListParams::default());
        let request = request.map_err(|error| Failure::kubernetes(what.clone())(kube::Error::BuildRequest(error)))?;
        let list: ObjectList<K> = self.client.request(request).await.map_err(Failure::kubernetes(what))?;
        Ok(list.items)
    }

    /// `Api`'s constructors want to know the scope at compile time, a request only at run time.
    fn request<K: Resource<DynamicType = ()>>(&self, namespace: &str) -> Request {
        Request::new(K::url_path(&(), (!namespace.is_empty()).then_some(namespace)))
    }
}
