//! What Resource Graph is asked: one query per group of resource types.

use serde_json::{Value, json};

/// Rows of one page; Azure gives no more.
const TOP: u32 = 1000;

/// The table of all resources.
const RESOURCES: &str = "resources";
/// The table of what Update Manager found out about machines. It holds an assessment for seven days.
const ASSESSMENTS: &str = "patchassessmentresources";
/// What is projected of a resource.
const RESOURCE_COLUMNS: &str = "id, name, type, location, subscriptionId, resourceGroup, kind, tags, managedBy, sku = tostring(sku.name), \
     state = tostring(properties.provisioningState), power = tostring(properties.extended.instanceView.powerState.code), \
     vmSize = tostring(properties.hardwareProfile.vmSize), zones = tostring(zones), \
     sizeGib = tostring(properties.diskSizeGB), timeCreated = tostring(properties.timeCreated), \
     creationTime = tostring(properties.creationTime)";
/// What is projected of an assessment.
const ASSESSMENT_COLUMNS: &str = "id, name, type, location, subscriptionId, resourceGroup, status = tostring(properties.status), \
     rebootPending = tostring(properties.rebootPending), assessedAt = tostring(properties.lastModifiedDateTime), \
     available = tostring(properties.availablePatchCountByClassification)";

/// What is projected of network interfaces and public addresses, to be joined to their machines.
const ADDRESS_COLUMNS: &str = "id, type, machine = tostring(properties.virtualMachine.id), isPrimary = tostring(properties.primary), \
     configurations = tostring(properties.ipConfigurations), ip = tostring(properties.ipAddress)";
/// Type of network interfaces, in lower case.
pub const INTERFACES: &str = "microsoft.network/networkinterfaces";
/// Type of public addresses, in lower case.
pub const PUBLIC_ADDRESSES: &str = "microsoft.network/publicipaddresses";
/// Type of machines, in lower case.
pub const MACHINES: &str = "microsoft.compute/virtualmachines";

/// A group of resource types: one cell of the inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Service of the cell.
    pub service: &'static str,
    /// Table of Resource Graph.
    pub table: &'static str,
    /// The types, in lower case.
    pub types: &'static [&'static str],
}

impl Group {
    /// Whether machines are among its rows.
    #[must_use]
    pub fn has_machines(&self) -> bool {
        self.types.contains(&MACHINES)
    }

    /// Whether its rows tell of machines' patches.
    #[must_use]
    pub fn is_assessment(&self) -> bool {
        self.table == ASSESSMENTS
    }
}

const fn group(service: &'static str, types: &'static [&'static str]) -> Group {
    Group { service, table: RESOURCES, types }
}

/// All groups. The last one has no types of its own: it takes whatever the others do not name, so that no type is left out.
pub const GROUPS: [Group; 12] = [
    group(
        "resource-graph/compute",
        &[MACHINES, "microsoft.compute/virtualmachinescalesets", "microsoft.compute/availabilitysets", "microsoft.compute/images"],
    ),
    group("resource-graph/disks", &["microsoft.compute/disks", "microsoft.compute/snapshots"]),
    group(
        "resource-graph/network",
        &[
            "microsoft.network/virtualnetworks",
            "microsoft.network/networksecuritygroups",
            INTERFACES,
            PUBLIC_ADDRESSES,
            "microsoft.network/loadbalancers",
            "microsoft.network/applicationgateways",
            "microsoft.network/routetables",
            "microsoft.network/natgateways",
            "microsoft.network/dnszones",
            "microsoft.network/privatednszones",
            "microsoft.network/virtualnetworkgateways",
        ],
    ),
    group("resource-graph/storage", &["microsoft.storage/storageaccounts"]),
    group(
        "resource-graph/databases",
        &[
            "microsoft.sql/servers",
            "microsoft.sql/servers/databases",
            "microsoft.sql/managedinstances",
            "microsoft.dbforpostgresql/flexibleservers",
            "microsoft.dbforpostgresql/servers",
            "microsoft.dbformysql/flexibleservers",
            "microsoft.dbformysql/servers",
            "microsoft.documentdb/databaseaccounts",
            "microsoft.cache/redis",
        ],
    ),
    group("resource-graph/kubernetes", &["microsoft.containerservice/managedclusters"]),
    group("resource-graph/web", &["microsoft.web/sites", "microsoft.web/serverfarms"]),
    group("resource-graph/keyvault", &["microsoft.keyvault/vaults"]),
    group("resource-graph/identity", &["microsoft.managedidentity/userassignedidentities"]),
    group("resource-graph/recoveryservices", &["microsoft.recoveryservices/vaults", "microsoft.dataprotection/backupvaults"]),
    Group { service: "resource-graph/patches", table: ASSESSMENTS, types: &["microsoft.compute/virtualmachines/patchassessmentresults"] },
    group("resource-graph/other", &[]),
];

/// The query of a group. The id is projected, since Azure gives no page token without it, and sorted by, since pages are not repeatable
/// without it.
#[must_use]
pub fn query(group: &Group, regions: Option<&[String]>) -> String {
    let kind = match group.types {
        [] => {
            let named = literals(GROUPS.iter().filter(|group| group.table == RESOURCES).flat_map(|group| group.types.iter().copied()));
            format!("| where type !in~ ({named})")
        }
        own => format!("| where type in~ ({})", literals(own.iter().copied())),
    };
    let columns = if group.is_assessment() { ASSESSMENT_COLUMNS } else { RESOURCE_COLUMNS };
    format!("{}\n{kind}{}\n| project {columns}\n| order by id asc", group.table, within(regions))
}

/// The query of the addresses of machines. A machine, its network interfaces and their public addresses are always in one region.
#[must_use]
pub fn addresses(regions: Option<&[String]>) -> String {
    let kinds = literals([INTERFACES, PUBLIC_ADDRESSES].into_iter());
    format!("{RESOURCES}\n| where type in~ ({kinds}){}\n| project {ADDRESS_COLUMNS}\n| order by id asc", within(regions))
}

fn within(regions: Option<&[String]>) -> String {
    regions.map_or_else(String::new, |regions| format!("\n| where location in~ ({})", literals(regions.iter().map(String::as_str))))
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
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_type_is_asked_for_by_exactly_one_group() {
        let all: Vec<&str> = GROUPS.iter().filter(|group| group.table == RESOURCES).flat_map(|group| group.types.iter().copied()).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert!(all.iter().all(|kind| *kind == kind.to_ascii_lowercase()));
        let rest = query(GROUPS.last().unwrap(), None);
        assert!(all.iter().all(|kind| rest.contains(&format!("'{kind}'"))), "the rest leaves out what the others name");
        assert_eq!(GROUPS.iter().filter(|group| group.types.is_empty()).count(), 1);
    }

    #[test]
    fn a_region_cannot_leave_its_quotes() {
        let regions = ["west'europe) | take 1 //".to_owned(), "a\\".to_owned(), "b\n".to_owned()];
        let query = query(&GROUPS[0], Some(&regions));
        assert!(query.contains(r"| where location in~ ('west\'europe) | take 1 //', 'a\\', 'b\u000a')"), "{query}");
        assert!(query.ends_with("| order by id asc"));
    }
}
