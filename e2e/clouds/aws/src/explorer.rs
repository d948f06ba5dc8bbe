//! Resource Explorer, which the emulator does not know: indexes, default views, and what they show, as a test gives them. Without a word of a test it is off.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::answers::Rows;
use crate::call::Call;

/// Name of the service in signatures.
pub const SERVICE: &str = "resource-explorer-2";
/// When everything was made.
const MADE: &str = "2026-01-01T00:00:00Z";

/// Resource Explorer in one account.
#[derive(Clone, Debug)]
pub struct Explorer {
    /// Regions that have an index, and what it shows: see [`resource`].
    pub indexes: BTreeMap<String, Rows>,
    /// The region whose index has a copy of all.
    pub aggregator: Option<String>,
    /// State of all indexes.
    pub state: &'static str,
    /// The default views' filter; `None` where there are no default views.
    pub filter: Option<&'static str>,
    /// Whether the default views show tags.
    pub shows_tags: bool,
    /// Whether the default views are those of an organization.
    pub is_of_an_organization: bool,
}

impl Explorer {
    /// On in these regions, with the views that AWS makes by itself.
    #[must_use]
    pub fn on(indexes: BTreeMap<String, Rows>) -> Self {
        Self { indexes, aggregator: None, state: "ACTIVE", filter: Some(""), shows_tags: true, is_of_an_organization: false }
    }

    /// What an index shows, where the call lists something.
    pub(crate) fn rows(&self, call: &Call, account: &str) -> Option<Rows> {
        match call.action.as_str() {
            "POST:ListIndexes" => Some(Rows::These(self.indexes.keys().map(|region| self.index(account, region).to_string()).collect())),
            "POST:ListResources" => self.indexes.get(&call.region).cloned(),
            _ => None,
        }
    }

    fn kind(&self, region: &str) -> &'static str {
        if self.aggregator.as_deref() == Some(region) { "AGGREGATOR" } else { "LOCAL" }
    }

    fn index(&self, account: &str, region: &str) -> Value {
        let arn = format!("arn:aws:{SERVICE}:{region}:{account}:index/1a2b3c4d-0000-4000-8000-000000000001");
        json!({"Arn": arn, "Region": region, "Type": self.kind(region)})
    }

    /// The answer to what is no list, as status and body.
    pub(crate) fn answer(&self, call: &Call, account: &str) -> (u16, Value) {
        let missing = (404, json!({"__type": "ResourceNotFoundException", "Message": "no such resource"}));
        let region = call.region.as_str();
        if !self.indexes.contains_key(region) {
            return missing;
        }
        let view = format!("arn:aws:{SERVICE}:{region}:{account}:view/all/1a2b3c4d-0000-4000-8000-000000000002");
        match (call.action.as_str(), self.filter) {
            ("POST:GetIndex", _) => {
                let arn = self.index(account, region)["Arn"].clone();
                let kind = self.kind(region);
                (200, json!({"Arn": arn, "Type": kind, "State": self.state, "CreatedAt": MADE, "LastUpdatedAt": MADE, "Tags": {}}))
            }
            ("POST:GetDefaultView", None) => (200, json!({})),
            ("POST:GetDefaultView", Some(_)) => (200, json!({"ViewArn": view})),
            ("POST:GetView", Some(filter)) if call.parameter("ViewArn").as_deref() == Some(&view) => {
                let properties = if self.shows_tags { json!([{"Name": "tags"}]) } else { json!([]) };
                let scope = match self.is_of_an_organization {
                    true => format!("arn:aws:organizations::{account}:organization/o-1234567890"),
                    false => format!("arn:aws:iam::{account}:root"),
                };
                let shown = json!({
                    "ViewArn": view, "ViewName": "all", "Owner": account, "LastUpdatedAt": MADE, "Scope": scope,
                    "IncludedProperties": properties, "Filters": {"FilterString": filter},
                });
                (200, json!({"View": shown, "Tags": {}}))
            }
            _ => missing,
        }
    }
}

/// A resource as Resource Explorer shows it: its type (`sqs:queue`), account, region (`global` for none), what ends its ARN, and its tags.
#[must_use]
pub fn resource(kind: &str, (account, region): (&str, &str), id: &str, tags: &[(&str, &str)]) -> String {
    let service = kind.split(':').next().unwrap_or_default();
    let place = if region == "global" { "" } else { region };
    let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    json!({
        "Arn": format!("arn:aws:{service}:{place}:{account}:{id}"), "OwningAccountId": account, "Region": region, "ResourceType": kind,
        "Service": service, "LastReportedAt": MADE, "Properties": [{"Name": "tags", "LastReportedAt": MADE, "Data": tags}],
    })
    .to_string()
}
