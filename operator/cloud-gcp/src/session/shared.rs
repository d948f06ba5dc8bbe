//! What all sessions of one provider have in common.

use std::time::{Duration, Instant};

use caretaker_cloud::budget::Budgets;
use caretaker_cloud::{CloudError, ErrorClass, Result};
use tokio::sync::Mutex;

use crate::call::Services;
use crate::config::GcpConfig;
use crate::token::Base;

/// How long a proof of the base identity holds: as long as a ProviderProfile waits between two.
const PROOF_HOLDS: Duration = Duration::from_secs(600);

/// What all sessions of one provider share.
pub struct Shared {
    pub services: Services,
    pub base: Base,
    /// The principal that the base credentials must be.
    pub expected_principal: String,
    proven: Mutex<Option<Instant>>,
}

impl Shared {
    /// Takes the configuration. Nothing is called.
    ///
    /// # Errors
    /// The CA bundle cannot be read.
    pub fn new(config: GcpConfig, budgets: Budgets) -> Result<Self> {
        Ok(Self {
            services: Services::new(&config, budgets)?,
            base: Base::new(config.credentials),
            expected_principal: config.expected_principal,
            proven: Mutex::default(),
        })
    }

    /// Proves that the base credentials are the declared principal's: those of the environment can become another's while the process runs. Nobody's service
    /// account is used with others.
    pub async fn prove_base(&self) -> Result<()> {
        let mut proven = self.proven.lock().await;
        if proven.is_none_or(|at| at.elapsed() > PROOF_HOLDS) {
            *proven = None;
            let principal = self.base.identity(&self.services).await?.principal;
            if principal != self.expected_principal {
                let message = format!("the base credentials are {principal}, not {}", self.expected_principal);
                return Err(CloudError::new(ErrorClass::Credentials, "base identity", message));
            }
            *proven = Some(Instant::now());
        }
        Ok(())
    }
}
