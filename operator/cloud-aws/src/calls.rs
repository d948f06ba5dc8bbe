//! The one way to a call: in its turn under the budget of an account and region, counted, and its error told by class.

use std::future::Future;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use caretaker_cloud::Result;
use caretaker_cloud::budget::{Budget, Limits, Work};

use crate::clock;
use crate::errors::classify;

/// What is asked of one account and region, the unit that AWS counts in: its smallest buckets refill at about this rate.
pub const LIMITS: Limits = Limits { per_second: 20.0, burst: 10, concurrency: 8 };
/// Part of a key for services without a region.
pub const GLOBAL: &str = "global";

/// The calls of one piece of work under one budget.
pub struct Calls<'a> {
    work: &'a Work,
    budget: Budget,
}

impl<'a> Calls<'a> {
    /// Calls of this work under this budget.
    pub fn new(work: &'a Work, budget: Budget) -> Self {
        Self { work, budget }
    }

    /// Makes a call, again after each wait that AWS asks for, as long as the work's patience lasts, and once more where this
    /// machine's clock is wrong.
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
        self.work.call(&self.budget, operation, || async { make().await.map_err(|error| classify(operation, &error)) }).await
    }
}
