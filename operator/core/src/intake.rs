//! Taking a client in from another provider: a ManagedClient made of what was handed over, and how far reality differs from it.

use std::collections::BTreeMap;

use caretaker_api::ManagedClient;
use caretaker_api::managed_client::ManagedClientSpec;
use serde_json::{Value, json};

use crate::handover::redact;
use crate::inventory::Line;
use crate::inventory::address::key;
use crate::inventory::diff::{Difference, compare};

/// A client as it is taken in, and what the reader must know of it.
#[derive(Clone, Debug)]
pub struct Intake {
    /// The object to apply.
    pub client: ManagedClient,
    /// What was left out or must be filled in, one sentence each.
    pub notes: Vec<String>,
}

/// What was handed over cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct NotTaken {
    /// Where.
    pub field: String,
    /// What is wrong, and what to do.
    pub message: String,
}

fn not_taken(field: impl Into<String>, message: impl Into<String>) -> NotTaken {
    NotTaken { field: field.into(), message: message.into() }
}

/// Makes the client of a bundle's contract. What was between the client and its former provider is left out: the ExternalIds, the groups of the former
/// cluster, and the right to write in the client's accounts.
///
/// # Errors
/// The contract is none that this release can read.
pub fn of_contract(contract: &Value, profile: &str, name: Option<&str>) -> Result<Intake, NotTaken> {
    let field = "01-contract/managed-client.json";
    let own = contract["name"].as_str().ok_or_else(|| not_taken(field, "it has no name; is this the folder of an opened bundle?"))?;
    let mut spec: ManagedClientSpec =
        serde_json::from_value(contract["spec"].clone()).map_err(|error| not_taken(format!("{field} spec"), error.to_string()))?;
    let mut notes = Vec::new();
    spec.provider_profile = profile.to_owned();
    let allowed: Vec<&str> =
        spec.accounts.iter().filter(|account| !account.allow.is_empty()).map(|account| account.name.as_str()).collect();
    if !allowed.is_empty() {
        notes.push(format!("nothing may be written in {}: add allow where the client agrees to it", allowed.join(", ")));
    }
    for account in &mut spec.accounts {
        account.allow.clear();
        let target = &mut account.target;
        if let Some(aws) = &mut target.aws {
            aws.external_id = None;
        }
        if let Some(organization) = &mut target.aws_organization {
            organization.external_id = None;
        }
    }
    notes.push("each account gets an ExternalId and a grant kit of its own; the former provider's are not used".into());
    if spec.backups.is_some() {
        notes.push(
            "spec.backups is left out, since nothing may be written: what the former provider set up goes on in the client's accounts"
                .into(),
        );
        spec.backups = None;
    }
    if !spec.groups.is_empty() {
        notes.push("spec.groups is left out: it named groups of the former provider's cluster".into());
        spec.groups.clear();
    }
    if spec.monitoring.is_some() {
        notes.push("spec.monitoring.tiers: put your own receivers in; those of the former provider are not handed over".into());
    }
    notes.push("spec.exit.recipients are the client's keys: let the client confirm them".into());
    Ok(Intake { client: ManagedClient::new(name.unwrap_or(own), spec), notes })
}

/// What a table of accounts does not tell.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Name of the ManagedClient.
    pub name: String,
    /// Name of the ProviderProfile.
    pub profile: String,
    /// The client's name for people.
    pub display_name: String,
    /// The client's vendor manager: name and address.
    pub manager: (String, String),
    /// Recipients of the bundle.
    pub recipients: Vec<String>,
}

/// Makes a client of a table of accounts: the columns `name`, `cloud` (`aws`, `azure`, `gcp`) and `id`, and where wanted `regions`, divided by blanks.
///
/// # Errors
/// A row that cannot be used, by its number; the first row of data is row 2.
pub fn of_table(rows: &[BTreeMap<String, String>], terms: &Terms) -> Result<Intake, NotTaken> {
    let mut accounts = Vec::new();
    for (number, row) in (2..).zip(rows) {
        let cell = |column: &str| row.get(column).map(|cell| cell.trim()).filter(|cell| !cell.is_empty());
        let needed = |column: &str| cell(column).ok_or_else(|| not_taken(format!("row {number}"), format!("column {column} is empty")));
        let (name, cloud, id) = (needed("name")?, needed("cloud")?.to_lowercase(), needed("id")?);
        let regions: Vec<&str> = cell("regions").map(|regions| regions.split_whitespace().collect()).unwrap_or_default();
        let mut target = match cloud.as_str() {
            "aws" => json!({"aws": {"accountId": id}}),
            "azure" => json!({"azure": {"subscriptionId": id}}),
            "gcp" => json!({"gcp": {"projectId": id}}),
            _ => return Err(not_taken(format!("row {number}"), format!("cloud is {cloud}: use aws, azure or gcp"))),
        };
        if !regions.is_empty() {
            target[&cloud]["regions"] = json!(regions);
        }
        target["name"] = json!(name);
        accounts.push(target);
    }
    if accounts.is_empty() {
        return Err(not_taken(
            "the table",
            "it has no rows: give the columns name, cloud and id in the first line, and an account in each further one",
        ));
    }
    let spec = json!({
        "displayName": terms.display_name, "providerProfile": terms.profile,
        "contacts": {"vendorManager": {"name": terms.manager.0, "email": terms.manager.1}},
        "accounts": accounts, "exit": {"recipients": terms.recipients},
    });
    let spec: ManagedClientSpec = serde_json::from_value(spec).map_err(|error| not_taken("the table", error.to_string()))?;
    let notes = vec!["nothing may be written in any account: add allow where the client agrees to it".into()];
    Ok(Intake { client: ManagedClient::new(&terms.name, spec), notes })
}

/// What was handed over, beside what is there now, account by account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountComparison {
    /// Assets that were handed over.
    pub handed_over: usize,
    /// Assets that are there.
    pub found: usize,
    /// How the two differ: `removed` was handed over and is not there, `added` is there and was not handed over.
    pub differences: Vec<Difference>,
}

/// Compares two inventories, by the account's id as its cloud writes it, Azure's in small letters. When an asset was seen or made is no difference.
#[must_use]
pub fn against_reality(handed_over: Vec<Line>, found: Vec<Line>) -> BTreeMap<String, AccountComparison> {
    let mut sides: BTreeMap<String, [Vec<Line>; 2]> = BTreeMap::new();
    for (side, lines) in [handed_over, found].into_iter().enumerate() {
        for mut line in lines {
            // A bundle withholds values that look like secrets.
            redact::asset(&mut line.asset);
            sides.entry(line.asset.account.to_lowercase()).or_default()[side].push(line);
        }
    }
    let comparison = |[mut before, mut after]: [Vec<Line>; 2]| {
        for side in [&mut before, &mut after] {
            side.sort_by_cached_key(|line| key(&line.asset));
        }
        AccountComparison { handed_over: before.len(), found: after.len(), differences: compare(&before, &after) }
    };
    sides.into_iter().map(|(account, sides)| (account, comparison(sides))).collect()
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::{Asset, AssetType, Cloud};

    use super::*;
    use crate::inventory::diff::Change;

    fn contract() -> Value {
        json!({"name": "acme", "spec": {
            "displayName": "Acme", "providerProfile": "former", "groups": [{"group": "former-viewers", "role": "View"}],
            "contacts": {"vendorManager": {"name": "Jo", "email": "jo@acme.example"}},
            "accounts": [
                {"name": "prod", "aws": {"accountId": "111122223333", "externalId": "former-secret", "regions": ["eu-west-1"]}, "allow": ["Backup", "Revoke"]},
                {"name": "org", "awsOrganization": {"accountId": "111122223334", "externalId": "former-secret"}, "allow": ["Revoke"]},
            ],
            "backups": {"dailyAt": "03:30", "retentionDays": 35, "tag": {"key": "backup", "value": "daily"}, "regions": ["eu-west-1"]},
            "exit": {"recipients": ["age1client"]},
        }})
    }

    #[test]
    fn what_was_between_the_client_and_its_former_provider_is_not_taken_over() {
        let taken = of_contract(&contract(), "default", Some("acme-new")).unwrap();
        let text = serde_json::to_string(&taken.client).unwrap();
        for gone in ["former", "Backup", "Revoke", "dailyAt"] {
            assert!(!text.contains(gone), "{gone} is in {text}");
        }
        for kept in
            ["acme-new", "111122223333", "111122223334", "eu-west-1", "age1client", "jo@acme.example", "\"providerProfile\":\"default\""]
        {
            assert!(text.contains(kept), "{kept} is not in {text}");
        }
        let notes = taken.notes.join("\n");
        assert!(
            notes.contains("nothing may be written in prod, org") && notes.contains("spec.groups") && notes.contains("spec.backups"),
            "{notes}"
        );
        let wrong = of_contract(&json!({}), "default", None).unwrap_err().to_string();
        assert!(wrong.contains("01-contract/managed-client.json: it has no name"), "{wrong}");
    }

    fn row(cells: [(&str, &str); 4]) -> BTreeMap<String, String> {
        cells.into_iter().map(|(column, cell)| (column.to_owned(), cell.to_owned())).collect()
    }

    #[test]
    fn a_table_of_accounts_makes_a_client_or_says_which_row_is_wrong() {
        let terms = Terms { name: "acme".into(), profile: "default".into(), ..Terms::default() };
        let subscription = "AAAAAAAA-0000-4000-8000-000000000001";
        let rows = [
            row([("name", "prod"), ("cloud", "AWS"), ("id", " 111122223333 "), ("regions", "eu-west-1 eu-central-1")]),
            row([("name", "az"), ("cloud", "azure"), ("id", subscription), ("regions", "")]),
            row([("name", "g"), ("cloud", "gcp"), ("id", "some-project"), ("regions", "")]),
        ];
        let accounts = of_table(&rows, &terms).unwrap().client.spec.accounts;
        let ids: Vec<String> = accounts.iter().map(|account| account.target.id().to_lowercase()).collect();
        assert_eq!(ids, ["111122223333".to_owned(), subscription.to_lowercase(), "some-project".to_owned()]);
        assert_eq!(
            accounts[0].target.aws.as_ref().unwrap().regions.as_deref(),
            Some(["eu-west-1".to_owned(), "eu-central-1".to_owned()].as_slice())
        );
        for (rows, said) in [
            (vec![], "it has no rows"),
            (vec![row([("name", "x"), ("cloud", "ibm"), ("id", "1"), ("regions", "")])], "row 2: cloud is ibm"),
            (vec![rows[0].clone(), row([("name", "x"), ("cloud", "aws"), ("id", ""), ("regions", "")])], "row 3: column id is empty"),
        ] {
            let wrong = of_table(&rows, &terms).unwrap_err().to_string();
            assert!(wrong.contains(said), "{said} is not in {wrong}");
        }
    }

    #[test]
    fn what_is_missing_extra_and_changed_is_told_by_account() {
        let line = |cloud: Cloud, account: &str, id: &str, name: &str| Line {
            asset: Asset { name: name.into(), native_type: "t".into(), ..Asset::new(cloud, account, "r", AssetType::Instance, id) },
            verdict: Default::default(),
            exclusion: String::new(),
        };
        let aws = |id: &str, name: &str| line(Cloud::Aws, "1", id, name);
        let azure = |account: &str, id: &str| line(Cloud::Azure, account, id, "vm");
        let told = against_reality(
            vec![aws("b", "b"), aws("a", "a"), aws("c", "c"), azure("AB", "/subscriptions/AB/vm")],
            vec![azure("ab", "/subscriptions/ab/VM"), aws("c", "other"), aws("d", "d"), aws("a", "a")],
        );
        let changes: Vec<(Change, &str)> = told["1"].differences.iter().map(|found| (found.change, found.id.as_str())).collect();
        assert_eq!(changes, [(Change::Removed, "b"), (Change::Changed, "c"), (Change::Added, "d")]);
        assert_eq!((told["1"].handed_over, told["1"].found), (3, 3));
        assert_eq!((told.len(), told["ab"].handed_over, told["ab"].found), (2, 1, 1), "{told:?}");
        assert!(told["ab"].differences.iter().all(|found| found.change == Change::Changed), "one id in two letter cases is one asset");
    }
}
