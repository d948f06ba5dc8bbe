//! Discovery: one cell for each group of resource types. `caretaker_cloud::read_cells` says what an error means for a cell.

use async_trait::async_trait;
use caretaker_cloud::budget::Tally;
use caretaker_cloud::catalog::azure::{GROUPS, Group, Table};
use caretaker_cloud::read_cells::{self, CellSink, Reader, Run};
use caretaker_cloud::{AssetSink, AssetType, CellKey, CloudError, EVERYWHERE, ErrorClass, Result, Scope};
use jiff::Timestamp;
use serde_json::Value;

use crate::call::Call;
use crate::inventory::addresses::Addresses;
use crate::inventory::asset::SOURCE;
use crate::inventory::pages::{Next, Page, Pages};
use crate::proof;
use crate::session::Session;

mod addresses;
mod asset;
mod pages;
mod query;

/// Path and version of Resource Graph.
const RESOURCES: &str = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01";
/// Cells that are read at the same time: one reader already reaches the few queries a second that Azure grants to a principal.
const CONCURRENCY: usize = 1;

/// Reads the scope.
pub async fn discover(session: &Session, scope: &Scope, sink: &mut dyn AssetSink) -> Result<()> {
    let (cells, tally) = (Cells { session, regions: scope.regions.as_deref() }, Tally::default());
    let run = Run { client: &session.grant.client, tally: &tally, scope, concurrency: CONCURRENCY };
    read_cells::run(&cells, GROUPS.to_vec(), run, sink).await
}

struct Cells<'a> {
    session: &'a Session,
    regions: Option<&'a [String]>,
}

#[async_trait]
impl Reader for Cells<'_> {
    type Cell = Group;

    fn key(&self, group: &Group) -> CellKey {
        CellKey { account: self.session.subscription().into(), region: EVERYWHERE.into(), service: group.service.into() }
    }

    async fn read(&self, group: &Group, out: &CellSink) -> Result<()> {
        let session = self.session;
        let found = if group.has_machines() { self.addresses(out).await } else { Ok(Addresses::default()) };
        let (mut addresses, doubt) = match found {
            Ok(addresses) => (addresses, None),
            // The machines are told all the same. Their cell is not complete then, so that the absence of an address is no change of a machine.
            Err(error) if error.class == ErrorClass::Conflict => (Addresses::default(), Some(error)),
            Err(error) => return Err(error),
        };
        let mut list = List::of(session, query::query(group, self.regions));
        while let Some(rows) = list.next(out).await? {
            for row in &rows {
                let read = match group.table {
                    Table::Resources => asset::asset,
                    Table::Assessments => asset::assessment,
                };
                let mut found = read(row, session.subscription(), group.service, Timestamp::now()).map_err(incomplete)?;
                if list.pages.is_new(&found.id) {
                    if found.asset_type == AssetType::Instance {
                        found.addresses = addresses.of(&found.id);
                    }
                    out.asset(found).await?;
                }
            }
        }
        if let Some(doubt) = doubt {
            return Err(doubt);
        }
        // The index answers with fewer rows, or none, to somebody who may read less: an end counts only while the delegation still stands.
        let answer = session.call_for(&out.work, &proof::read(&session.grant)).await?;
        proof::prove(&answer.body, &session.grant, &session.shared.tenant_id)
    }
}

impl Cells<'_> {
    /// The addresses of all machines, before the first machine is told: the cell that shows machines is not complete without them.
    async fn addresses(&self, out: &CellSink) -> Result<Addresses> {
        let (mut list, mut addresses) = (List::of(self.session, query::addresses(self.regions)), Addresses::default());
        while let Some(rows) = list.next(out).await? {
            rows.iter().for_each(|row| addresses.take(row));
        }
        Ok(addresses)
    }
}

/// The answer to one query, page by page.
struct List<'a> {
    session: &'a Session,
    query: String,
    pages: Pages,
    /// The page whose rows were given last, with their number.
    last: Option<(Page, usize)>,
}

impl<'a> List<'a> {
    fn of(session: &'a Session, query: String) -> Self {
        Self { session, query, pages: Pages::default(), last: None }
    }

    /// The rows of the next page; `None` after the last one. A page is judged only after its rows were taken: the rows of a list that is cut off count.
    async fn next(&mut self, out: &CellSink) -> Result<Option<Vec<Value>>> {
        let token = match self.last.take() {
            None => None,
            Some((page, rows)) => match self.pages.after(&page, rows).map_err(incomplete)? {
                Next::Page(next) => Some(next),
                Next::End => return Ok(None),
            },
        };
        let call = Call::post(SOURCE, RESOURCES, query::body(self.session.subscription(), &self.query, token.as_deref()));
        let answer = self.session.call_for(&out.work, &call).await?;
        let mut page = Page::read(answer.body).map_err(incomplete)?;
        let rows = page.take_rows();
        self.last = Some((page, rows.len()));
        Ok(Some(rows))
    }
}

fn incomplete(why: String) -> CloudError {
    CloudError::new(ErrorClass::Conflict, SOURCE, why)
}
