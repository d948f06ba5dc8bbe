//! The one way to a call: in its turn under the budget of an account and region, counted, and its error told by class.

use std::future::Future;

use async_trait::async_trait;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use caretaker_cloud::Result;
use caretaker_cloud::budget::{Budget, Limits, Work};
use caretaker_cloud::runtime::once_renewed;

use crate::clock;
use crate::errors::classify;

/// What is asked of one account and region, the unit that AWS counts in: its smallest buckets refill at about this rate.
pub const LIMITS: Limits = Limits { per_second: 20.0, burst: 10, concurrency: 8 };
/// Part of a key for services without a region.
pub const GLOBAL: &str = "global";

/// What is asked of Resource Explorer in an account: a region takes three calls a second that are no searches.
pub const INDEX_LIMITS: Limits = Limits { per_second: 2.5, burst: 2, concurrency: 2 };

/// What calls are made under, and what makes it anew once it has expired.
#[async_trait]
pub trait Renewal: Send + Sync {
    /// Tells what is held from what somebody else has put in its place meanwhile.
    async fn key(&self) -> String;

    /// Puts a new one in place of the one with this key, where that is still held.
    async fn renew(&self, expired: &str) -> Result<()>;
}

/// The calls of one piece of work under one budget.
pub struct Calls<'a> {
    work: &'a Work,
    budget: Budget,
    renewal: Option<&'a dyn Renewal>,
}

impl<'a> Calls<'a> {
    /// Calls of this work under this budget.
    pub fn new(work: &'a Work, budget: Budget) -> Self {
        Self { work, budget, renewal: None }
    }

    /// The same, made once more under a new session where the held one has expired. Page tokens outlive sessions.
    pub fn renewed_by(self, renewal: &'a dyn Renewal) -> Self {
        Self { renewal: Some(renewal), ..self }
    }

    /// Makes a call, again after each wait that AWS asks for, as long as the work's patience lasts, once more where this machine's clock is wrong, and once
    /// more where the session has expired.
    pub async fn make<T, E, F>(&self, operation: &str, call: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let make = || async {
            match call().await {
                // It may have been refused for its time, before anything was done; the SDK has learned the right one meanwhile.
                Err(SdkError::ServiceError(refused)) if refused.raw().status().is_client_error() && clock::is_off(refused.raw()) => {
                    call().await
                }
                answer => answer,
            }
        };
        let turn = || self.work.call(&self.budget, operation, || async { make().await.map_err(|error| classify(operation, &error)) });
        let Some(renewal) = self.renewal else { return turn().await };
        let renew = |expired: String| async move {
            renewal.renew(&expired).await?;
            Ok(renewal.key().await)
        };
        once_renewed(renewal.key().await, |_held| turn(), renew).await
    }
}
