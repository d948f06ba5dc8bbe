//! Discovery: one question to Cloud Asset for each group of services. `caretaker_cloud::read_cells` says what is read side by side.

use async_trait::async_trait;
use caretaker_cloud::budget::Tally;
use caretaker_cloud::catalog::gcp::PATCHES;
use caretaker_cloud::read_cells::{self, CellSink, Reader, Run};
use caretaker_cloud::runtime::Listing;
use caretaker_cloud::{AssetSink, CellKey, CloudError, EVERYWHERE, Result, Scope, Verdict};
use jiff::Timestamp;
use serde_json::Value;

use crate::call::http::{Call, url};
use crate::inventory::asset::{Place, READ_MASK, SEARCH, asset, is_within, location, native_type};
use crate::inventory::groups::{Group, groups};
use crate::inventory::verdict::verdict;
use crate::session::{Reach, Session};

mod asset;
mod groups;
mod os_inventory;
mod verdict;

/// Cells that are read at the same time.
const CONCURRENCY: usize = 4;
/// Rows of a page: the most that Google gives.
const PAGE_SIZE: &str = "500";

/// Reads the scope. A fault of the provider's ends the run: no cell of a client could be read, and none says anything about the client.
pub async fn discover(session: &Session, scope: &Scope, sink: &mut dyn AssetSink) -> Result<()> {
    let (cells, tally) = (Cells { session, scope }, Tally::default());
    let run = Run { client: &session.grant.client, tally: &tally, scope, concurrency: CONCURRENCY };
    let wanted = groups().into_iter().map(Question::Search).chain([Question::OsInventories]).collect();
    read_cells::run(&cells, wanted, run, sink).await
}

/// What a cell asks Cloud Asset.
enum Question {
    /// What there is of a group of services.
    Search(Group),
    /// What VM Manager knows of machines.
    OsInventories,
}

impl Question {
    fn service(&self) -> &'static str {
        match self {
            Self::Search(group) => group.service,
            Self::OsInventories => PATCHES,
        }
    }

    fn operation(&self) -> &'static str {
        match self {
            Self::Search(_) => SEARCH,
            Self::OsInventories => os_inventory::LIST,
        }
    }

    /// The field of an answer that holds its rows.
    fn rows(&self) -> &'static str {
        match self {
            Self::Search(_) => "results",
            Self::OsInventories => "assets",
        }
    }
}

struct Cells<'a> {
    session: &'a Session,
    scope: &'a Scope,
}

#[async_trait]
impl Reader for Cells<'_> {
    type Cell = Question;

    fn key(&self, question: &Question) -> CellKey {
        CellKey { account: self.session.grant.project_id.clone(), region: EVERYWHERE.into(), service: question.service().into() }
    }

    async fn read(&self, question: &Question, out: &CellSink) -> Result<()> {
        let (mut token, mut listing) = (None::<String>, Listing::of(question.operation()));
        loop {
            let url = self.url(question, token.as_deref())?;
            let mut page = self.session.call_for(&out.work, question.operation(), Reach::Full, (url, Call::default())).await?;
            let rows = match page[question.rows()].take() {
                Value::Array(rows) => rows,
                // An answer without results has no rows.
                _ => Vec::new(),
            };
            for row in &rows {
                self.row(question, row, out).await?;
            }
            token = listing.after(page["nextPageToken"].as_str())?;
            if token.is_none() {
                return Ok(());
            }
        }
    }

    fn verdict(&self, error: &CloudError, assets: u64, key: &CellKey) -> (Verdict, String, Option<u64>) {
        verdict(error, key, assets, &self.session.grant.service_account)
    }
}

impl Cells<'_> {
    /// Takes a row.
    async fn row(&self, question: &Question, row: &Value, out: &CellSink) -> Result<()> {
        let place = Place { project: &self.session.grant.project_id, service: question.service(), now: Timestamp::now() };
        let Question::Search(group) = question else {
            return match os_inventory::patch_state(row, &place)? {
                Some(state) => out.asset(state).await,
                None => Ok(()),
            };
        };
        let is_asked_for = self.scope.regions.as_ref().is_none_or(|regions| is_within(location(row), regions));
        if !group.has(native_type(row)?) || !is_asked_for {
            return Ok(());
        }
        out.asset(asset(row, &place)?).await
    }

    fn url(&self, question: &Question, page: Option<&str>) -> Result<reqwest::Url> {
        let (project, endpoint) = (&self.session.grant.project_id, &self.session.shared.services.endpoints.cloud_asset);
        let Question::Search(group) = question else {
            return url(endpoint, &format!("/v1/projects/{project}/assets"), &os_inventory::query(page));
        };
        let types = group.asset_types();
        let mut query = vec![("pageSize", PAGE_SIZE), ("readMask", READ_MASK)];
        query.extend(types.iter().map(|kind| ("assetTypes", kind.as_str())));
        query.extend(page.map(|token| ("pageToken", token)));
        url(endpoint, &format!("/v1/projects/{project}:searchAllResources"), &query)
    }
}
