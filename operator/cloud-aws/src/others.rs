//! What none of the services' own lists that are read here shows: Resource Explorer's index, where the account has it on. It is free of charge, and the
//! client's to turn on; where it is off, the cell says so.

use std::collections::BTreeMap;

use aws_config::{Region, SdkConfig};
use aws_sdk_resourceexplorer2::Client;
use aws_sdk_resourceexplorer2::types::{IndexState, IndexType, Resource, ResourceProperty, View};
use aws_smithy_types::Document;
use caretaker_cloud::access::is_lasting;
use caretaker_cloud::budget::Limits;
use caretaker_cloud::{Asset, AwsType, CloudError, EVERYWHERE, ErrorClass, Result};

use crate::explored;
use crate::page::{Page, Place, Tokens, asset, next, own, with_facts};

/// What is asked of Resource Explorer in an account: a region takes three calls a second that are no searches.
pub const LIMITS: Limits = Limits { per_second: 2.5, burst: 2, concurrency: 2 };
/// Resources in one page. Where 1,000 are asked for, AWS gives no token for the next page.
const PAGE: i32 = 500;
/// Indexes in one page: at most 100.
const INDEXES_PAGE: i32 = 100;
/// Region of what is in none.
const NOWHERE: &str = "global";
/// Region whose index shows what is in none, in the partition `aws`; of the others nothing is said.
const HOME: &str = "us-east-1";
const OFF: &str = "it is off";
/// Regions that a note names with a reason.
const NAMED: usize = 6;
/// Reasons that a note names.
const REASONS: usize = 4;
/// Characters of a view's filter that a note shows.
const FILTER: usize = 80;

/// Where the index is asked, and what it does not show.
pub struct Plan {
    /// Regions and their views.
    asked: Vec<(String, String)>,
    /// For a person; empty where nothing is missing.
    pub note: String,
}

/// What the index of a region shows.
enum Sight {
    /// Everything that this view shows; what it leaves out, where it does.
    View(String, Option<String>),
    /// Nothing, for this reason.
    Nothing(&'static str),
}

/// Regions by why their index does not show everything.
type Unseen = BTreeMap<String, Vec<String>>;

/// A page of one region's index, or the first one of the next region.
pub async fn page(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let plan = place.index.get_or_try_init(|| plan(config, place)).await?;
    let (at, token) = token.as_deref().and_then(|token| token.split_once(' ')).unwrap_or(("0", ""));
    let (at, token) = (at.parse::<usize>().unwrap_or_default(), next(Some(token)));
    let Some((region, view)) = plan.asked.get(at) else { return Ok((Vec::new(), None)) };
    let client = client(config, region);
    let request = || client.list_resources().view_arn(view).max_results(PAGE).set_next_token(token.clone()).send();
    let answer = place.calls.make(AwsType::Other.operation(), request).await.map_err(|error| inside(region, error))?;
    let assets = answer.resources().iter().filter(|resource| is_listed(resource, place)).map(|resource| read(resource, place));
    let more = match next(answer.next_token()) {
        Some(token) => Some(format!("{at} {token}")),
        None => (at + 1 < plan.asked.len()).then(|| format!("{} ", at + 1)),
    };
    Ok((assets.collect(), more))
}

fn client(config: &SdkConfig, region: &str) -> Client {
    Client::new(&config.to_builder().region(Region::new(region.to_owned())).build())
}

/// The aggregator's index has a copy of those of all regions; without one each region that is read is asked. One that refuses costs its own resources only, and
/// the refusal stays in the place.
async fn plan(config: &SdkConfig, place: &Place<'_>) -> Result<Plan> {
    let indexes = indexes(config, place).await?;
    let home = (place.partition == "aws").then_some(HOME);
    let mut unseen = Unseen::new();
    let mut off = |region: &str, why: &str| {
        if !indexes.contains_key(region) {
            unseen.entry(why.to_owned()).or_default().push(region.to_owned());
        }
    };
    place.regions.iter().for_each(|region| off(region, OFF));
    let home = home.filter(|home| !place.regions.iter().any(|region| region == home));
    home.into_iter().for_each(|home| off(home, "it is off, and what is in no region shows only there"));
    let aggregator = indexes.iter().find(|(_, is_aggregator)| **is_aggregator).map(|(region, _)| region);
    if let Some(region) = aggregator
        && let Sight::View(view, limit) = sight(config, region, place).await?
    {
        limit.into_iter().for_each(|limit| unseen.entry(limit).or_default().push("all regions".into()));
        return Ok(Plan { asked: vec![(region.clone(), view)], note: note(&unseen) });
    }
    let mut asked = Vec::new();
    for region in indexes.keys().filter(|region| place.regions.contains(region) || home == Some(region.as_str())) {
        let reason = match sight(config, region, place).await {
            Ok(Sight::View(view, limit)) => {
                asked.push((region.clone(), view));
                limit
            }
            Ok(Sight::Nothing(reason)) => Some(reason.to_owned()),
            Err(error) if is_lasting(&error) => {
                place.left_out.lock().expect("no panic while held").get_or_insert(error);
                None
            }
            Err(error) => return Err(error),
        };
        reason.into_iter().for_each(|reason| unseen.entry(reason).or_default().push(region.clone()));
    }
    Ok(Plan { asked, note: note(&unseen) })
}

/// The error of a call in a region: the cell spans all of them, and does not say which.
fn inside(region: &str, error: CloudError) -> CloudError {
    CloudError { message: format!("in {region}: {}", error.message), ..error }
}

/// Regions that have an index, and whether it is the aggregator's.
async fn indexes(config: &SdkConfig, place: &Place<'_>) -> Result<BTreeMap<String, bool>> {
    const LIST: &str = "resource-explorer-2:ListIndexes";
    // Any region answers for all; one that is read is one that is enabled.
    let client = place.regions.first().map_or_else(|| Client::new(config), |region| client(config, region));
    let (mut found, mut token, mut tokens) = (BTreeMap::new(), None::<String>, Tokens::of(LIST));
    loop {
        let answer =
            place.calls.make(LIST, || client.list_indexes().max_results(INDEXES_PAGE).set_next_token(token.clone()).send()).await?;
        let named =
            answer.indexes().iter().filter_map(|index| Some((index.region()?.to_owned(), index.r#type() == Some(&IndexType::Aggregator))));
        found.extend(named);
        token = tokens.after(answer.next_token())?;
        if token.is_none() {
            return Ok(found);
        }
    }
}

async fn sight(config: &SdkConfig, region: &str, place: &Place<'_>) -> Result<Sight> {
    let client = client(config, region);
    let index = match place.calls.make("resource-explorer-2:GetIndex", || client.get_index().send()).await {
        Err(error) if error.class == ErrorClass::NotFound => return Ok(Sight::Nothing(OFF)),
        answer => answer.map_err(|error| inside(region, error))?,
    };
    if matches!(index.state(), Some(IndexState::Deleting | IndexState::Deleted)) {
        return Ok(Sight::Nothing(OFF));
    }
    let arn = match place.calls.make("resource-explorer-2:GetDefaultView", || client.get_default_view().send()).await {
        Err(error) if error.class == ErrorClass::NotFound => None,
        answer => own(answer.map_err(|error| inside(region, error))?.view_arn()),
    };
    let Some(arn) = arn else { return Ok(Sight::Nothing("it has no default view")) };
    let answer = place.calls.make("resource-explorer-2:GetView", || client.get_view().view_arn(&arn).send()).await;
    let answer = answer.map_err(|error| inside(region, error))?;
    let Some(view) = answer.view() else { return Ok(Sight::Nothing("it has no default view")) };
    // One of an organization has pages of every account, or none of this one.
    if view.scope().is_some_and(|scope| !scope.ends_with(&format!(":iam::{}:root", place.account))) {
        return Ok(Sight::Nothing("its default view is not of this account alone"));
    }
    // A scope would judge assets by tags that they only seem not to have.
    if !view.included_properties().iter().any(|property| property.name() == "tags") {
        return Ok(Sight::Nothing("its default view leaves tags out"));
    }
    let limit = limit(view, index.state());
    Ok(Sight::View(arn, limit))
}

fn limit(view: &View, state: Option<&IndexState>) -> Option<String> {
    let filter = view.filters().map(|filters| filters.filter_string().trim()).unwrap_or_default();
    if filter.is_empty() {
        return (state != Some(&IndexState::Active)).then(|| "its index is not complete yet".into());
    }
    // The words are the client's, and as many as they like.
    let mut shown: String = filter.chars().filter(|letter| !letter.is_control()).take(FILTER).collect();
    shown.extend((filter.chars().count() > FILTER).then_some('…'));
    Some(format!("its default view shows only `{shown}`"))
}

fn note(unseen: &Unseen) -> String {
    if unseen.is_empty() {
        return String::new();
    }
    let more = |all: usize, shown: usize| if all > shown { format!(" and {} more", all - shown) } else { String::new() };
    let told = unseen.iter().take(REASONS).map(|(reason, regions)| {
        let named: Vec<&str> = regions.iter().take(NAMED).map(String::as_str).collect();
        format!("{}{} ({reason})", named.join(", "), more(regions.len(), NAMED))
    });
    format!(
        "kinds that Caretaker has no list of its own for (queues, topics, certificates and the like) may be missing: AWS Resource Explorer does not show them \
         all in {}{}. To have them, turn it on there (free of charge), with a default view that includes tags and has no filter",
        told.collect::<Vec<_>>().join("; "),
        more(unseen.len(), REASONS)
    )
}

/// Whether the inventory has it from here: not what the services' own lists show, another account's, or what the spec leaves out.
fn is_listed(resource: &Resource, place: &Place<'_>) -> bool {
    let (kind, arn) = (resource.resource_type().unwrap_or_default(), resource.arn().unwrap_or_default());
    let region = resource.region().unwrap_or(NOWHERE);
    let is_own = resource.owning_account_id().is_none_or(|owner| owner == place.account);
    let is_read = region == NOWHERE || place.regions.iter().any(|read| read == region);
    let has_a_list = resource.cfn_resource_type().is_some_and(|known| AwsType::ALL.iter().any(|native| native.native_type() == known));
    !arn.is_empty() && is_own && is_read && !has_a_list && explored::is_listed(kind, arn)
}

fn read(resource: &Resource, place: &Place<'_>) -> Asset {
    let arn = resource.arn().unwrap_or_default();
    let mut found = asset(AwsType::Other, arn, place);
    found.region = match resource.region() {
        None | Some(NOWHERE) => EVERYWHERE.to_owned(),
        Some(region) => region.to_owned(),
    };
    // The one name of the type that each row has.
    found.native_type = resource.resource_type().unwrap_or_default().to_owned();
    found.tags = resource.properties().iter().find(|property| property.name() == Some("tags")).map(tags).unwrap_or_default();
    let last = arn.rsplit(['/', ':']).next().unwrap_or_default();
    found.name = found.tags.get("Name").cloned().unwrap_or_else(|| last.to_owned());
    with_facts(found, [("cloudFormationType", own(resource.cfn_resource_type()))])
}

fn tags(property: &ResourceProperty) -> BTreeMap<String, String> {
    let Some(Document::Array(tags)) = property.data() else { return BTreeMap::new() };
    let text = |tag: &Document, key: &str| tag.as_object()?.get(key)?.as_string().map(str::to_owned);
    tags.iter().filter_map(|tag| Some((text(tag, "Key")?, text(tag, "Value").unwrap_or_default()))).collect()
}
