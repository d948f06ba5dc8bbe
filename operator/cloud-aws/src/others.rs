//! What none of the services' own lists that are read here shows: Resource Explorer's index, where the account has it on. It is free of charge, and the
//! client's to turn on; where it is off, the cell says so.

use std::collections::BTreeMap;

use aws_config::{Region, SdkConfig};
use aws_sdk_resourceexplorer2::Client;
use aws_sdk_resourceexplorer2::types::{IndexState, IndexType, Resource, ResourceProperty, View};
use aws_smithy_types::Document;
use caretaker_cloud::budget::Limits;
use caretaker_cloud::{Asset, AwsType, EVERYWHERE, ErrorClass, Result};

use crate::page::{Page, Place, Tokens, asset, next, own, with_facts};

/// What is asked of Resource Explorer in an account: it takes five searches a second.
pub const LIMITS: Limits = Limits { per_second: 4.0, burst: 4, concurrency: 2 };
/// Resources in one page. Where 1,000 are asked for, AWS gives no token for the next page.
const PAGE: i32 = 500;
/// Indexes in one page: at most 100.
const INDEXES_PAGE: i32 = 100;
/// Region of what is in none.
const NOWHERE: &str = "global";
/// What services make and end by themselves, many times a day: nobody could say of each that it is gone.
const PASSING: [&str; 3] = ["ec2:network-interface", "ec2:spot-instances-request", "ecs:task"];
/// Regions that a note names.
const NAMED: usize = 6;

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

/// A page of one region's index, or the first one of the next region.
pub async fn page(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let plan = place.index.get_or_try_init(|| plan(config, place)).await?;
    let (at, token) = token.as_deref().and_then(|token| token.split_once(' ')).unwrap_or(("0", ""));
    let (at, token) = (at.parse::<usize>().unwrap_or_default(), next(Some(token)));
    let Some((region, view)) = plan.asked.get(at) else { return Ok((Vec::new(), None)) };
    let client = client(config, region);
    let request = || client.list_resources().view_arn(view).max_results(PAGE).set_next_token(token.clone()).send();
    let answer = place.calls.make(AwsType::Other.operation(), request).await?;
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

/// The aggregator's index has a copy of those of all regions; without one each is asked.
async fn plan(config: &SdkConfig, place: &Place<'_>) -> Result<Plan> {
    let indexes = indexes(config, place).await?;
    let mut unseen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let off = place.regions.iter().filter(|region| !indexes.contains_key(*region));
    off.for_each(|region| unseen.entry("it is off".into()).or_default().push(region.clone()));
    let mut asked = Vec::new();
    let aggregator = indexes.iter().find(|(_, is_aggregator)| **is_aggregator).map(|(region, _)| region);
    if let Some(region) = aggregator
        && let Sight::View(view, limit) = sight(&client(config, region), place).await?
    {
        limit.into_iter().for_each(|limit| unseen.entry(limit).or_default().push("all regions".into()));
        asked.push((region.clone(), view));
    } else {
        for region in indexes.keys() {
            let reason = match sight(&client(config, region), place).await? {
                Sight::View(view, limit) => {
                    asked.push((region.clone(), view));
                    limit
                }
                Sight::Nothing(reason) => Some(reason.to_owned()),
            };
            reason.into_iter().for_each(|reason| unseen.entry(reason).or_default().push(region.clone()));
        }
    }
    Ok(Plan { asked, note: note(&unseen) })
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

async fn sight(client: &Client, place: &Place<'_>) -> Result<Sight> {
    let index = match place.calls.make("resource-explorer-2:GetIndex", || client.get_index().send()).await {
        Err(error) if error.class == ErrorClass::NotFound => return Ok(Sight::Nothing("it is off")),
        answer => answer?,
    };
    let answer = match place.calls.make("resource-explorer-2:GetDefaultView", || client.get_default_view().send()).await {
        Err(error) if error.class == ErrorClass::NotFound => None,
        answer => answer?.view_arn().and_then(|arn| own(Some(arn))),
    };
    let Some(arn) = answer else { return Ok(Sight::Nothing("it has no default view")) };
    let answer = place.calls.make("resource-explorer-2:GetView", || client.get_view().view_arn(&arn).send()).await?;
    Ok(match answer.view() {
        // A scope would judge assets by tags that they only seem not to have.
        Some(view) if has_tags(view) => Sight::View(arn, limit(view, index.state())),
        _ => Sight::Nothing("its default view leaves tags out"),
    })
}

fn has_tags(view: &View) -> bool {
    view.included_properties().iter().any(|property| property.name() == "tags")
}

fn limit(view: &View, state: Option<&IndexState>) -> Option<String> {
    match view.filters().map(|filters| filters.filter_string().trim()).filter(|filter| !filter.is_empty()) {
        Some(filter) => Some(format!("its default view shows only `{filter}`")),
        None => (state != Some(&IndexState::Active)).then(|| "its index is not complete yet".into()),
    }
}

fn note(unseen: &BTreeMap<String, Vec<String>>) -> String {
    if unseen.is_empty() {
        return String::new();
    }
    let told = unseen.iter().map(|(reason, regions)| {
        let more = regions.len().saturating_sub(NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("{}{more} ({reason})", regions.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", "))
    });
    format!(
        "kinds that Caretaker has no list of its own for (queues, topics, certificates and the like) may be missing: AWS Resource Explorer does not \
         show them all in {}. To have them, turn it on there (free of charge), with a default view that includes tags and has no filter",
        told.collect::<Vec<_>>().join("; ")
    )
}

/// Whether the inventory has it from here: not what the services' own lists show, another account's, or what the spec leaves out.
fn is_listed(resource: &Resource, place: &Place<'_>) -> bool {
    let (kind, region) = (resource.resource_type().unwrap_or_default(), resource.region().unwrap_or(NOWHERE));
    let is_own = resource.owning_account_id().is_none_or(|owner| owner == place.account);
    let is_read = region == NOWHERE || place.regions.iter().any(|read| read == region);
    let by_name = |native: &AwsType| resource.cfn_resource_type() == Some(native.native_type());
    let has_a_list = AwsType::ALL.iter().any(|native| by_name(native) || explored(*native).contains(&kind));
    resource.arn().is_some_and(|arn| !arn.is_empty()) && is_own && is_read && !has_a_list && !PASSING.contains(&kind)
}

/// The types of Resource Explorer whose resources a service's own list shows.
const fn explored(kind: AwsType) -> &'static [&'static str] {
    match kind {
        AwsType::Instance => &["ec2:instance"],
        AwsType::Volume => &["ec2:volume"],
        AwsType::Snapshot => &["ec2:snapshot"],
        AwsType::Vpc => &["ec2:vpc"],
        AwsType::Subnet => &["ec2:subnet"],
        AwsType::SecurityGroup => &["ec2:security-group"],
        AwsType::DbInstance => &["rds:db"],
        AwsType::DbCluster => &["rds:cluster"],
        AwsType::Table => &["dynamodb:table"],
        AwsType::EksCluster => &["eks:cluster"],
        AwsType::Function => &["lambda:function"],
        // Those of the first generation (`elasticloadbalancing:loadbalancer`) are in no list here.
        AwsType::LoadBalancer => {
            &["elasticloadbalancing:loadbalancer/app", "elasticloadbalancing:loadbalancer/net", "elasticloadbalancing:loadbalancer/gwy"]
        }
        AwsType::Key => &["kms:key"],
        AwsType::BackupVault => &["backup:backup-vault"],
        AwsType::Trail => &["cloudtrail:trail"],
        AwsType::Bucket => &["s3:bucket"],
        AwsType::Role => &["iam:role"],
        AwsType::User => &["iam:user"],
        AwsType::PatchState | AwsType::Other => &[],
    }
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
