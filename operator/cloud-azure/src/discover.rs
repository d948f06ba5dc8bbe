//! Discovery: one cell per group of resource types. What an error means for a cell is the pump's to say.

use async_trait::async_trait;
use caretaker_cloud::budget::Tally;
use caretaker_cloud::pump::{self, CellSink, Reader, Run};
use caretaker_cloud::{AssetSink, CellKey, CloudError, EVERYWHERE, ErrorClass, Result, Scope};
use jiff::Timestamp;

use crate::arm::Call;
use crate::link::Link;
use crate::pages::{Next, Page, Pages};
use crate::query::{self, GROUPS, Group};
use crate::rows::{self, SOURCE};
use crate::{access, client};

/// Path and version of Resource Graph.
const RESOURCES: &str = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01";
/// Cells that are read at the same time: one reader already reaches the few queries a second that Azure grants to a principal.
const CONCURRENCY: usize = 1;

/// Reads the scope.
pub async fn discover(link: &Link, scope: &Scope, sink: &mut dyn AssetSink) -> Result<()> {
    let (cells, tally) = (Cells { link, regions: scope.regions.as_deref() }, Tally::default());
    let run = Run { client: client(&link.grant), tally: &tally, scope, concurrency: CONCURRENCY };
    pump::run(&cells, GROUPS.to_vec(), run, sink).await
}

struct Cells<'a> {
    link: &'a Link,
    regions: Option<&'a [String]>,
}

#[async_trait]
impl Reader for Cells<'_> {
    type Cell = Group;

    fn key(&self, group: &Group) -> CellKey {
        CellKey { account: self.link.subscription().into(), region: EVERYWHERE.into(), service: group.service.into() }
    }

    async fn read(&self, group: &Group, out: &CellSink) -> Result<()> {
        let link = self.link;
        let incomplete = |why: String| CloudError::new(ErrorClass::Conflict, SOURCE, why);
        let query = query::query(group, self.regions);
        let (mut pages, mut token) = (Pages::default(), None::<String>);
        loop {
            let call = Call::post(SOURCE, RESOURCES, query::body(link.subscription(), &query, token.as_deref()));
            let answer = link.call_for(&out.work, &call).await?;
            let mut page = Page::read(answer.body).map_err(incomplete)?;
            let rows = page.take_rows();
            for row in &rows {
                let read = if group.is_assessment() { rows::assessment } else { rows::asset };
                let asset = read(row, link.subscription(), group.service, Timestamp::now()).map_err(incomplete)?;
                if pages.is_new(&asset.id) {
                    out.asset(asset).await?;
                }
            }
            match pages.after(&page, rows.len()).map_err(incomplete)? {
                Next::Page(next) => token = Some(next),
                Next::End => break,
            }
        }
        // The index answers with fewer rows, or none, to somebody who may read less: an end counts only while the delegation still stands.
        let answer = link.call_for(&out.work, &access::read(&link.grant)).await?;
        access::prove(&answer.body, &link.grant, &link.shared.tenant_id)
    }
}
