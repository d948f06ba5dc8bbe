//! Discovery: one cell for each group of resource types. `caretaker_cloud::read_cells` says what an error means for a cell.

use async_trait::async_trait;
use caretaker_cloud::budget::Tally;
use caretaker_cloud::catalog::azure::{GROUPS, Group, Table};
use caretaker_cloud::read_cells::{self, CellSink, Reader, Run};
use caretaker_cloud::{AssetSink, CellKey, CloudError, EVERYWHERE, ErrorClass, Result, Scope};
use jiff::Timestamp;

use crate::call::Call;
use crate::inventory::asset::SOURCE;
use crate::inventory::pages::{Next, Page, Pages};
use crate::proof;
use crate::session::Session;

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
        let incomplete = |why: String| CloudError::new(ErrorClass::Conflict, SOURCE, why);
        let query = query::query(group, self.regions);
        let (mut pages, mut token) = (Pages::default(), None::<String>);
        loop {
            let call = Call::post(SOURCE, RESOURCES, query::body(session.subscription(), &query, token.as_deref()));
            let answer = session.call_for(&out.work, &call).await?;
            let mut page = Page::read(answer.body).map_err(incomplete)?;
            let rows = page.take_rows();
            for row in &rows {
                let read = match group.table {
                    Table::Resources => asset::asset,
                    Table::Assessments => asset::assessment,
                };
                let found = read(row, session.subscription(), group.service, Timestamp::now()).map_err(incomplete)?;
                if pages.is_new(&found.id) {
                    out.asset(found).await?;
                }
            }
            match pages.after(&page, rows.len()).map_err(incomplete)? {
                Next::Page(next) => token = Some(next),
                Next::End => break,
            }
        }
        // The index answers with fewer rows, or none, to somebody who may read less: an end counts only while the delegation still stands.
        let answer = session.call_for(&out.work, &proof::read(&session.grant)).await?;
        proof::prove(&answer.body, &session.grant, &session.shared.tenant_id)
    }
}
