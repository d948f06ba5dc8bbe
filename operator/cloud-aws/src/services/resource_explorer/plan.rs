//! Where Resource Explorer is asked in an account, and what it does not show there.

use std::collections::BTreeMap;

use aws_config::{Region, SdkConfig};
use aws_sdk_resourceexplorer2::Client;
use aws_sdk_resourceexplorer2::types::{IndexState, IndexType, View};
use caretaker_cloud::access::is_lasting;
use caretaker_cloud::runtime::{Listing, said};
use caretaker_cloud::{CloudError, ErrorClass, Result};

use crate::inventory::listing::{IndexPlan, Place};

const LIST: &str = "resource-explorer-2:ListIndexes";
/// Indexes in one page: at most 100.
const INDEXES_PAGE: i32 = 100;
/// Region whose index shows what is in none, in the partition `aws`; of the others nothing is said.
const HOME: &str = "us-east-1";
/// Regions that a note names with a reason.
const NAMED: usize = 6;
/// Reasons that a note names.
const REASONS: usize = 4;
/// Characters of a view's filter that a note shows.
const FILTER: usize = 80;

const OFF: &str = "it is off: turn it on, free of charge, with a default view that includes tags";
const OFF_AT_HOME: &str =
    "it is off, and what is in no region shows only there: turn it on, free of charge, with a default view that includes tags";
const NO_VIEW: &str = "it has no default view: make one that includes tags and has no filter";
const NO_TAGS: &str = "its default view leaves tags out: include them";
const OF_OTHERS: &str = "its default view is not of this account alone: make one of this account the default";
const NOT_YET: &str = "its index is not complete yet: it takes up to 36 hours";

/// What the index of a region shows.
enum Sight {
    /// Everything that this view shows; what it leaves out and what to do, where it does.
    View(String, Option<String>),
    /// Nothing, for this reason.
    Nothing(&'static str),
}

/// What is found region by region.
#[derive(Default)]
struct Found {
    asked: Vec<(String, String)>,
    /// Regions by why their index does not show everything.
    unseen: BTreeMap<String, Vec<String>>,
    refused: Option<CloudError>,
}

impl Found {
    fn take(&mut self, region: &str, sight: Result<Sight>) -> Result<()> {
        let reason = match sight {
            Ok(Sight::View(view, limit)) => {
                self.asked.push((region.to_owned(), view));
                limit
            }
            Ok(Sight::Nothing(reason)) => Some(reason.to_owned()),
            // It costs its own resources only.
            Err(error) if is_lasting(&error) => {
                self.refused.get_or_insert(error);
                None
            }
            Err(error) => return Err(error),
        };
        reason.into_iter().for_each(|reason| self.unseen.entry(reason).or_default().push(region.to_owned()));
        Ok(())
    }
}

/// The aggregator's index has a copy of those of all regions. Where there is none that is whole, each region that is read is asked, and the aggregator only
/// where none of them shows anything.
pub async fn plan(config: &SdkConfig, place: &Place<'_>) -> Result<IndexPlan> {
    let indexes = indexes(config, place).await?;
    let home = (place.partition == "aws").then_some(HOME);
    let mut found = Found::default();
    let mut wanted: Vec<&str> = place.regions.iter().map(String::as_str).chain(home).collect();
    wanted.sort_unstable();
    wanted.dedup();
    for region in wanted.iter().filter(|region| !indexes.contains_key(**region)) {
        found.take(region, Ok(Sight::Nothing(if home == Some(*region) { OFF_AT_HOME } else { OFF })))?;
    }
    let mut aggregated = Found::default();
    if let Some((region, _)) = indexes.iter().find(|(_, is_aggregator)| **is_aggregator) {
        aggregated.take(region, sight(config, region, place).await)?;
    }
    if aggregated.asked.is_empty() || !aggregated.unseen.is_empty() {
        for region in wanted.iter().filter(|region| indexes.contains_key(**region)) {
            found.take(region, sight(config, region, place).await)?;
        }
    }
    if found.asked.is_empty() {
        found.asked = aggregated.asked;
        for (reason, regions) in aggregated.unseen {
            found.unseen.entry(reason).or_insert(regions);
        }
    }
    let note = note(&found.unseen);
    Ok(IndexPlan { asked: found.asked, note, refused: found.refused.or(aggregated.refused) })
}

/// Resource Explorer of a region.
pub fn client(config: &SdkConfig, region: &str) -> Client {
    Client::new(&config.to_builder().region(Region::new(region.to_owned())).build())
}

/// The error of a call in a region: the cell spans all of them, and does not say which.
pub fn inside(region: &str, error: CloudError) -> CloudError {
    CloudError { message: format!("in {region}: {}", error.message), ..error }
}

/// Regions that have an index, and whether it is the aggregator's. Each region answers for all; the spec may name one that is not enabled.
async fn indexes(config: &SdkConfig, place: &Place<'_>) -> Result<BTreeMap<String, bool>> {
    let mut last = CloudError::new(ErrorClass::Invalid, LIST, "no region is read");
    for region in place.regions {
        match indexes_by(&client(config, region), place).await {
            Err(error) if is_lasting(&error) => last = inside(region, error),
            answer => return answer.map_err(|error| inside(region, error)),
        }
    }
    Err(last)
}

async fn indexes_by(client: &Client, place: &Place<'_>) -> Result<BTreeMap<String, bool>> {
    let (mut found, mut token, mut listing) = (BTreeMap::new(), None::<String>, Listing::of(LIST));
    loop {
        let request = || client.list_indexes().max_results(INDEXES_PAGE).set_next_token(token.clone()).send();
        let answer = place.calls.make(LIST, request).await?;
        let is_aggregator = |index: &aws_sdk_resourceexplorer2::types::Index| index.r#type() == Some(&IndexType::Aggregator);
        found.extend(answer.indexes().iter().filter_map(|index| Some((index.region()?.to_owned(), is_aggregator(index)))));
        token = listing.after(answer.next_token())?;
        if token.is_none() {
            return Ok(found);
        }
    }
}

async fn sight(config: &SdkConfig, region: &str, place: &Place<'_>) -> Result<Sight> {
    sight_of(&client(config, region), place).await.map_err(|error| inside(region, error))
}

async fn sight_of(client: &Client, place: &Place<'_>) -> Result<Sight> {
    let index = match place.calls.make("resource-explorer-2:GetIndex", || client.get_index().send()).await {
        Err(error) if error.class == ErrorClass::NotFound => return Ok(Sight::Nothing(OFF)),
        answer => answer?,
    };
    if matches!(index.state(), Some(IndexState::Deleting | IndexState::Deleted)) {
        return Ok(Sight::Nothing(OFF));
    }
    let arn = match place.calls.make("resource-explorer-2:GetDefaultView", || client.get_default_view().send()).await {
        Err(error) if error.class == ErrorClass::NotFound => None,
        answer => said(answer?.view_arn()),
    };
    let Some(arn) = arn else { return Ok(Sight::Nothing(NO_VIEW)) };
    let answer = place.calls.make("resource-explorer-2:GetView", || client.get_view().view_arn(&arn).send()).await?;
    let Some(view) = answer.view() else { return Ok(Sight::Nothing(NO_VIEW)) };
    // One of an organization has pages of every account, or none of this one.
    if view.scope().is_some_and(|scope| !scope.ends_with(&format!(":iam::{}:root", place.account))) {
        return Ok(Sight::Nothing(OF_OTHERS));
    }
    // A scope would judge assets by tags that they only seem not to have.
    if !view.included_properties().iter().any(|property| property.name() == "tags") {
        return Ok(Sight::Nothing(NO_TAGS));
    }
    let limit = limit(view, index.state());
    Ok(Sight::View(arn, limit))
}

fn limit(view: &View, state: Option<&IndexState>) -> Option<String> {
    let filter = view.filters().map(|filters| filters.filter_string().trim()).unwrap_or_default();
    if filter.is_empty() {
        return (state != Some(&IndexState::Active)).then(|| NOT_YET.into());
    }
    // The words are the client's, and as many as they like.
    let mut shown: String = filter.chars().filter(|letter| !letter.is_control()).take(FILTER).collect();
    shown.extend((filter.chars().count() > FILTER).then_some('…'));
    Some(format!("its default view shows only `{shown}`: take the filter away"))
}

fn note(unseen: &BTreeMap<String, Vec<String>>) -> String {
    if unseen.is_empty() {
        return String::new();
    }
    let more = |all: usize, shown: usize, what: &str| if all > shown { format!("{what}{} more", all - shown) } else { String::new() };
    let told = unseen.iter().take(REASONS).map(|(reason, regions)| {
        let named: Vec<&str> = regions.iter().take(NAMED).map(String::as_str).collect();
        format!("in {}{} {reason}", named.join(", "), more(regions.len(), NAMED, " and "))
    });
    format!(
        "kinds that Caretaker has no list of its own for (queues, topics, certificates and the like) may be missing. AWS Resource Explorer does not show all of \
         them: {}{}",
        told.collect::<Vec<_>>().join("; "),
        more(unseen.len(), REASONS, "; reasons: ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_bounded_whatever_the_client_has() {
        let regions: Vec<String> = (0..30).map(|number| format!("region-{number:02}")).collect();
        let unseen = (0..9).map(|number| (format!("reason {number}"), regions.clone())).collect();
        let told = note(&unseen);
        for part in ["in region-00, ", "region-05 and 24 more reason 0; in ", "reason 3; reasons: 5 more"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!told.contains("region-06") && !told.contains("reason 4") && told.len() < 700, "{told}");
        assert_eq!(note(&BTreeMap::new()), "");
        let view = View::builder()
            .filters(aws_sdk_resourceexplorer2::types::SearchFilter::builder().filter_string("x\n".repeat(900)).build().expect("a filter"))
            .build();
        let told = limit(&view, Some(&IndexState::Active)).expect("a limit");
        assert!(told.len() < 140 && !told.contains('\n'), "{told}");
    }
}
