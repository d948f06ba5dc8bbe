//! What Resource Graph is asked: one query per group of resource types.

use caretaker_cloud::catalog::azure::{GROUPS, Group, INTERFACES, PUBLIC_ADDRESSES, Table, Type};
use serde_json::{Value, json};

/// Rows of one page; Azure gives no more.
/// Source: <https://learn.microsoft.com/azure/governance/resource-graph/concepts/work-with-data>
const TOP: u32 = 1000;

/// What is projected of a resource.
const RESOURCE_COLUMNS: &str = "id, name, type, location, subscriptionId, resourceGroup, kind, tags, managedBy, sku = tostring(sku.name), \
     state = tostring(properties.provisioningState), power = tostring(properties.extended.instanceView.powerState.code), \
     vmSize = tostring(properties.hardwareProfile.vmSize), os = tostring(properties.storageProfile.osDisk.osType), zones = tostring(zones), \
     sizeGib = tostring(properties.diskSizeGB), timeCreated = tostring(properties.timeCreated), \
     creationTime = tostring(properties.creationTime)";
/// What is projected of an assessment.
const ASSESSMENT_COLUMNS: &str = "id, name, type, location, subscriptionId, resourceGroup, status = tostring(properties.status), \
     rebootPending = tostring(properties.rebootPending), assessedAt = tostring(properties.lastModifiedDateTime), \
     available = tostring(properties.availablePatchCountByClassification)";

/// What is projected of network interfaces and public addresses, to be joined to their machines.
const ADDRESS_COLUMNS: &str = "id, type, machine = tostring(properties.virtualMachine.id), isPrimary = tostring(properties.primary), \
     configurations = tostring(properties.ipConfigurations), ip = tostring(properties.ipAddress)";

/// The query of a group. The id is projected, since Azure gives no page token without it, and sorted by, since pages are not repeatable
/// without it.
#[must_use]
pub fn query(group: &Group, regions: Option<&[String]>) -> String {
    let kind = match group.types {
        [] => {
            let resources = GROUPS.iter().filter(|group| group.table == Table::Resources);
            format!("| where type !in~ ({})", names(resources.flat_map(|group| group.types)))
        }
        own => format!("| where type in~ ({})", names(own.iter())),
    };
    let columns = match group.table {
        Table::Resources => RESOURCE_COLUMNS,
        Table::Assessments => ASSESSMENT_COLUMNS,
    };
    format!("{}\n{kind}{}\n| project {columns}\n| order by id asc", group.table.name(), within(regions))
}

/// The query of the addresses of machines. A machine, its network interfaces and their public addresses are always in one region.
#[must_use]
pub fn addresses(regions: Option<&[String]>) -> String {
    let kinds = literals([INTERFACES, PUBLIC_ADDRESSES].into_iter());
    let table = Table::Resources.name();
    format!("{table}\n| where type in~ ({kinds}){}\n| project {ADDRESS_COLUMNS}\n| order by id asc", within(regions))
}

fn within(regions: Option<&[String]>) -> String {
    regions.map_or_else(String::new, |regions| format!("\n| where location in~ ({})", literals(regions.iter().map(String::as_str))))
}

fn names(types: impl Iterator<Item = &'static Type>) -> String {
    literals(types.map(|of| of.name))
}

fn literals<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.map(literal).collect::<Vec<_>>().join(", ")
}

/// The body of a question for one page.
#[must_use]
pub fn body(subscription: &str, query: &str, token: Option<&str>) -> Value {
    let mut options = json!({"$top": TOP, "resultFormat": "objectArray"});
    if let Some(token) = token {
        options["$skipToken"] = token.into();
    }
    json!({"subscriptions": [subscription], "query": query, "options": options})
}

/// A string in the query language, which nothing in it can leave.
fn literal(text: &str) -> String {
    let mut quoted = String::from("'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_leaves_out_what_the_others_name() {
        let rest = query(GROUPS.last().unwrap(), None);
        assert!(rest.starts_with("resources\n| where type !in~ ("), "{rest}");
        for group in GROUPS.iter().filter(|group| group.table == Table::Resources) {
            for of in group.types {
                assert!(rest.contains(&format!("'{}'", of.name)), "{}", of.name);
                assert!(query(group, None).contains(&format!("'{}'", of.name)), "{}", of.name);
            }
        }
        assert!(!rest.contains("patchassessmentresults"), "they are in a table of their own");
    }

    #[test]
    fn a_region_cannot_leave_its_quotes() {
        let regions = ["west'europe) | take 1 //".to_owned(), "a\\".to_owned(), "b\n".to_owned()];
        let query = query(&GROUPS[0], Some(&regions));
        assert!(query.contains(r"| where location in~ ('west\'europe) | take 1 //', 'a\\', 'b\u000a')"), "{query}");
        assert!(query.ends_with("| order by id asc"));
    }
}
