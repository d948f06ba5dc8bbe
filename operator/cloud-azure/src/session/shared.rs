//! What all sessions of one provider have in common.

use std::num::NonZeroU32;

use caretaker_cloud::budget::{Budgets, Key, Limits, Work};
use caretaker_cloud::{CloudError, Result};

use crate::call::{self, Answer, Arm, Call};
use crate::config::AzureConfig;
use crate::token::{self, Token, Tokens};

/// What is asked of Resource Manager for one subscription: its bucket fills by 25 calls a second.
const LIMITS: Limits = Limits { per_second: 25.0, burst: 50, concurrency: 4 };
/// Queries at the same time.
const QUERIES_AT_ONCE: u32 = 4;
/// Code of an answer that Resource Graph throttles a principal with; Resource Manager throttles a subscription with others.
const GRAPH_THROTTLED: &str = "RateLimiting";
/// Where Resource Graph and the token endpoint stand in a key in the place of a subscription.
const GRAPH: &str = "resource-graph";
const TOKENS: &str = "tokens";

/// What all sessions of one provider share.
pub struct Shared {
    pub arm: Arm,
    pub tokens: Tokens,
    /// Our own tenant, in lower case.
    pub tenant_id: String,
    /// Our own application, in lower case.
    client_id: String,
    budgets: Budgets,
    queries_per_second: NonZeroU32,
}

impl Shared {
    /// Takes the configuration. Nothing is called.
    ///
    /// # Errors
    /// An address is not one over TLS; the CA bundle cannot be read.
    pub fn new(config: &AzureConfig, budgets: Budgets) -> Result<Self> {
        let transport = call::transport(config.ca_bundle_pem.as_deref())?;
        Ok(Self {
            arm: Arm::new(call::https("endpoint", &config.endpoint)?, &transport),
            tokens: Tokens::new(config, &transport)?,
            tenant_id: config.tenant_id.to_ascii_lowercase(),
            client_id: config.client_id.to_ascii_lowercase(),
            budgets,
            queries_per_second: config.queries_per_second,
        })
    }

    /// Makes one call about a subscription, in its turn. While Azure has asked to wait for longer than the work has patience, none is made.
    /// Other subscriptions go on.
    pub async fn send(&self, work: &Work, (subscription, call): (&str, &Call), bearer: Option<&str>) -> Result<Answer> {
        let of_subscription = self.budgets.of(Key::azure(subscription, &self.client_id), LIMITS);
        let make = || self.arm.send(call, bearer);
        if !call.is_query() {
            return work.call(&of_subscription, call.operation, make).await;
        }
        // Resource Graph counts by principal, whatever subscription is asked about.
        let limits = Limits {
            per_second: f64::from(self.queries_per_second.get()),
            // Azure counts in windows: what is saved up would be too much for one of them.
            burst: 1,
            concurrency: QUERIES_AT_ONCE,
        };
        let of_principal = self.budgets.of(Key::azure(GRAPH, &self.client_id), limits);
        let blamed = |error: &CloudError| usize::from(error.code == GRAPH_THROTTLED);
        work.call_under(&[&of_subscription, &of_principal], call.operation, make, blamed).await
    }

    /// A token that no cache has seen.
    pub async fn fresh_token(&self, client: &str) -> Result<Token> {
        let budget = self.budgets.of(Key::azure(TOKENS, &self.client_id), LIMITS);
        Work::once(client).call(&budget, token::OPERATION, || self.tokens.fresh()).await
    }
}
