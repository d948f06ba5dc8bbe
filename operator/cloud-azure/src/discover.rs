//! Discovery: one cell per group of resource types, each with its own verdict; rows go to the sink as they come.

use std::time::Duration;

use caretaker_cloud::{AssetSink, Cell, CellKey, CloudError, EVERYWHERE, ErrorClass, Result, Scope, Verdict, verdict_of};
use jiff::Timestamp;

use crate::access;
use crate::arm::{Answer, Call};
use crate::link::Link;
use crate::pages::{Next, Page, Pages};
use crate::query::{self, GROUPS, Group};
use crate::rows::{self, SOURCE};

/// Path and version of Resource Graph.
const RESOURCES: &str = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01";

/// How long one cell waits in all where Azure asks to. Resource Graph's windows are of a few seconds; whoever gave up at each would get through on no day.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a wait counts at least, so that an endless row of short ones ends.
const LEAST_WAIT: Duration = Duration::from_secs(1);
/// Wait where Azure asks for one without saying how long: the window of its query quota.
const QUOTA_WINDOW: Duration = Duration::from_secs(5);

/// Reads the scope, one cell after the other: one reader at a time already reaches the few queries a second that Azure grants to a
/// principal.
pub async fn discover(link: &Link, scope: &Scope, sink: &mut dyn AssetSink) -> Result<()> {
    for group in &GROUPS {
        let mut progress = Progress::default();
        let end = read_cell(link, group, scope.regions.as_deref(), (&mut progress, sink)).await;
        let (verdict, cause, retry_after_seconds) = match end {
            Ok(()) => (Verdict::Complete, String::new(), None),
            // Nobody is left to tell.
            Err(Stop::Sink(error)) => return Err(error),
            Err(Stop::Cell(error)) => verdict_of(&error, progress.assets, link.subscription()),
        };
        let key = CellKey { account: link.subscription().into(), region: EVERYWHERE.into(), service: group.service.into() };
        let cell = Cell { key, verdict, assets: progress.assets, calls: progress.calls, cause, retry_after_seconds, at: Timestamp::now() };
        sink.cell(cell).await?;
    }
    Ok(())
}

#[derive(Default)]
struct Progress {
    assets: u64,
    calls: u32,
    waited: Duration,
}

/// What ended the reading of a cell.
enum Stop {
    /// This cell's end; the others go on.
    Cell(CloudError),
    /// The receiver's failure, the end of all.
    Sink(CloudError),
}

impl From<CloudError> for Stop {
    fn from(error: CloudError) -> Self {
        Self::Cell(error)
    }
}

async fn read_cell(
    link: &Link,
    group: &Group,
    regions: Option<&[String]>,
    (progress, sink): (&mut Progress, &mut dyn AssetSink),
) -> std::result::Result<(), Stop> {
    let incomplete = |why: String| CloudError::new(ErrorClass::Conflict, SOURCE, why);
    let query = query::query(group, regions);
    let (mut pages, mut token) = (Pages::default(), None::<String>);
    loop {
        let call = Call::post(SOURCE, RESOURCES, query::body(link.subscription(), &query, token.as_deref()));
        let answer = patient(link, &call, progress, true).await?;
        let mut page = Page::read(answer.body).map_err(incomplete)?;
        let rows = page.take_rows();
        for row in &rows {
            let asset = rows::asset(row, link.subscription(), group.service, Timestamp::now()).map_err(incomplete)?;
            if pages.is_new(&asset.id) {
                progress.assets += 1;
                sink.asset(asset).await.map_err(Stop::Sink)?;
            }
        }
        match pages.after(&page, rows.len()).map_err(incomplete)? {
            Next::Page(next) => token = Some(next),
            Next::End => break,
        }
    }
    // The index answers with fewer rows, or none, to somebody who may read less: an end counts only while the delegation still stands.
    let answer = patient(link, &access::read(&link.grant), progress, false).await?;
    access::prove(&answer.body, &link.grant, &link.shared.tenant_id)?;
    Ok(())
}

/// Makes one call, and the same once more after each wait that Azure asks for, as long as the cell's patience lasts.
async fn patient(link: &Link, call: &Call, progress: &mut Progress, query: bool) -> Result<Answer> {
    loop {
        if query {
            link.shared.query_place().await;
        }
        let error = match link.counted(call, &mut progress.calls).await {
            Err(error) => error,
            answer => return answer,
        };
        let ErrorClass::Throttled(asked) = error.class else { return Err(error) };
        let wait = asked.unwrap_or(QUOTA_WINDOW);
        progress.waited += wait.max(LEAST_WAIT);
        if progress.waited > PATIENCE {
            return Err(error);
        }
        tokio::time::sleep(wait).await;
    }
}
