//! How Google's services are called, in whose turn, and who pays.

use caretaker_cloud::budget::{Budget, Budgets, Key, Limits, Work};
use caretaker_cloud::{CloudError, ErrorClass, GcpGrant, Result};
use reqwest::Url;
use serde_json::Value;

use crate::call::http::Call;
use crate::config::{Endpoints, GcpConfig, Secret};
use crate::errors::{Answer, Parties, Refusal, classify};

pub mod http;

/// Calls at the same time under one paying project and service.
const CALLS_AT_ONCE: u32 = 16;
/// Calls that start at once: a steady pace, and one that is late is made up for.
const BURST: u32 = 2;

/// The call that shows the record of deletions, which has a quota of its own beside that of the search.
pub const HISTORY: &str = "cloudasset:batchGetAssetsHistory";
/// What the record of deletions is asked for in a minute at most: Google grants 100 to a project that pays.
const HISTORY_PER_MINUTE: u32 = 80;

/// Tokens of all accounts together: half of what Google gives one project of exchanges (6,000 a minute), and far less than of impersonations (60,000), so
/// that many accounts do not wait for one another at the start of a reading.
const TOKENS: Limits = Limits { per_second: 50.0, burst: 20, concurrency: CALLS_AT_ONCE };

/// How services are reached, and who pays.
pub struct Services {
    pub http: reqwest::Client,
    pub endpoints: Endpoints,
    pub provider_project: String,
    pub quota_project: Option<String>,
    calls_per_minute: u32,
    budgets: Budgets,
}

impl Services {
    /// Takes the configuration. Nothing is called.
    ///
    /// # Errors
    /// The CA bundle cannot be read.
    pub fn new(config: &GcpConfig, budgets: Budgets) -> Result<Self> {
        Ok(Self {
            http: http::client(config.ca_bundle_pem.as_deref())?,
            endpoints: config.endpoints.clone(),
            provider_project: config.provider_project.clone(),
            quota_project: config.quota_project.clone(),
            calls_per_minute: config.calls_per_minute,
            budgets,
        })
    }

    /// The budget of a project that pays; Google counts for each of its services, which `operation` begins with.
    pub fn budget(&self, project: &str, operation: &str) -> Budget {
        let (service, per_minute) = match operation {
            HISTORY => (operation, self.calls_per_minute.min(HISTORY_PER_MINUTE)),
            _ => (operation.split(':').next().unwrap_or_default(), self.calls_per_minute),
        };
        let limits = Limits { per_second: f64::from(per_minute) / 60.0, burst: BURST, concurrency: CALLS_AT_ONCE };
        self.budgets.of(Key::gcp(project, service), limits)
    }

    /// The budget of tokens, which our own project pays for whoever's account they lead into.
    pub fn token_budget(&self, operation: &str) -> Budget {
        let service = operation.split(':').next().unwrap_or_default();
        self.budgets.of(Key::gcp(&self.provider_project, service), TOKENS)
    }

    /// The project that pays for calls under a client's token: where none is named, the one that holds the service account, whatever project is read.
    pub fn paying(&self, grant: &GcpGrant) -> String {
        self.quota_project.clone().unwrap_or_else(|| Self::home(grant))
    }

    /// The project that holds a client's service account, and pays where nobody else does.
    pub fn home(grant: &GcpGrant) -> String {
        home_of(&grant.service_account).unwrap_or_else(|| grant.project_id.clone())
    }

    /// Makes a call in its turn, as part of a piece of work.
    pub async fn call(
        &self,
        work: &Work,
        budget: &Budget,
        (operation, url, call): (&str, Url, Call<'_>),
        parties: &Parties,
    ) -> Result<Value> {
        let make = || async { http::send(&self.http, url.clone(), call).await.map_err(|refusal| classify(operation, &refusal, parties)) };
        work.call(budget, operation, make).await
    }

    /// Makes a call to a token service in its turn. What was refused is told as it is, but for what was presented.
    pub async fn exchange(
        &self,
        (operation, url, call): (&str, Url, Call<'_>),
        presented: &Secret,
    ) -> Result<std::result::Result<Value, Refusal>> {
        let make = || async {
            let answer = http::send(&self.http, url.clone(), call).await.map_err(|refusal| without(refusal, presented));
            match &answer {
                Err(refusal) => match refused(operation, refusal, self) {
                    error if matches!(error.class, ErrorClass::Throttled(_)) => Err(error),
                    _ => Ok(answer),
                },
                Ok(_) => Ok(answer),
            }
        };
        Work::once(&self.provider_project).call(&self.token_budget(operation), operation, make).await
    }
}

/// The project that holds a service account, as its address tells; `None` for addresses of another form.
pub fn home_of(service_account: &str) -> Option<String> {
    let place = service_account.split_once('@')?.1.strip_suffix(".iam.gserviceaccount.com").filter(|place| !place.is_empty())?;
    // The id of a project of the older kind begins with a domain, which the address puts at its end.
    Some(place.split_once('.').map_or_else(|| place.to_owned(), |(project, domain)| format!("{domain}:{project}")))
}

/// A refusal is a fault of our own credentials, whatever its status.
pub fn refused(operation: &str, refusal: &Refusal, services: &Services) -> CloudError {
    let parties = Parties { provider: services.provider_project.clone(), by_base: true, ..Parties::default() };
    let mut error = classify(operation, refusal, &parties);
    if !matches!(error.class, ErrorClass::Throttled(_) | ErrorClass::Unreachable) {
        error.class = ErrorClass::Credentials;
    }
    error
}

/// The refusal without what was presented: token services like to quote it. Done before the message is cut to its length, since a part of a
/// secret is one.
fn without(refusal: Refusal, presented: &Secret) -> Refusal {
    match refusal {
        Refusal::Answer(answer) => {
            let text = answer.body.to_string().replace(presented.reveal(), "(redacted)");
            Refusal::Answer(Answer { body: serde_json::from_str(&text).unwrap_or_default(), ..answer })
        }
        none @ (Refusal::None(_) | Refusal::Proxy(_)) => none,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CALLS_PER_MINUTE;

    #[test]
    fn whoever_holds_the_service_account_pays_unless_another_is_named() {
        let services = |quota_project: Option<&str>| Services {
            http: http::client(None).expect("a client"),
            endpoints: Endpoints::default(),
            provider_project: "provider".into(),
            quota_project: quota_project.map(str::to_owned),
            calls_per_minute: CALLS_PER_MINUTE,
            budgets: Budgets::default(),
        };
        let of = |account: &str| GcpGrant { client: "acme".into(), project_id: "member".into(), service_account: account.into() };
        let shared = of("caretaker@seed.iam.gserviceaccount.com");
        assert_eq!(services(None).paying(&shared), "seed", "one budget for all projects of a folder");
        assert_eq!(services(Some("quota")).paying(&shared), "quota");
        assert_eq!(services(None).paying(&of("caretaker@elsewhere.example")), "member");
    }

    #[test]
    fn an_address_tells_the_project_of_a_service_account() {
        let of = |address: &str| home_of(address);
        assert_eq!(of("caretaker@seed.iam.gserviceaccount.com").as_deref(), Some("seed"));
        assert_eq!(of("caretaker@seed.example.com.iam.gserviceaccount.com").as_deref(), Some("example.com:seed"));
        for address in
            ["1-compute@developer.gserviceaccount.com", "owner@client.example", "caretaker@.iam.gserviceaccount.com", "caretaker"]
        {
            assert_eq!(of(address), None, "{address}");
        }
    }
}
