//! What an asset on Azure is in Terraform: its resource type, and its id in the letter case that the provider takes.
//!
//! Azure compares ids without letter case and the provider compares the fixed parts of one with it, so those come from the rows here. Names come from the
//! asset as people gave them; of a resource group the inventory has the name in lower case only, which Azure and the provider take.

use crate::asset::Asset;
use crate::catalog::import::{Import, NoImport};

/// Which resource type it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    /// Always this one.
    One(&'static str),
    /// By the system of a machine's disk: Linux, Windows.
    System(&'static str, &'static str),
    /// By the words of a site's kind: application, function or workflow, on Linux or Windows.
    Site,
    /// The inventory does not tell: why.
    Untold(&'static str),
}

/// A type of ARM, in the letter case of the provider, and what it is there.
type Row = (&'static str, Which);

use Which::{One, Site, System, Untold};

/// Every type that is known.
const ROWS: &[Row] = &[
    ("Microsoft.Cache/redis", One("azurerm_redis_cache")),
    ("Microsoft.Compute/availabilitySets", One("azurerm_availability_set")),
    ("Microsoft.Compute/disks", One("azurerm_managed_disk")),
    ("Microsoft.Compute/images", One("azurerm_image")),
    ("Microsoft.Compute/snapshots", One("azurerm_snapshot")),
    ("Microsoft.Compute/virtualMachines", System("azurerm_linux_virtual_machine", "azurerm_windows_virtual_machine")),
    (
        "Microsoft.Compute/virtualMachineScaleSets",
        Untold("which of three resource types it is depends on its mode and system, which the inventory does not have"),
    ),
    ("Microsoft.ContainerRegistry/registries", One("azurerm_container_registry")),
    ("Microsoft.ContainerService/managedClusters", One("azurerm_kubernetes_cluster")),
    ("Microsoft.DBforMySQL/flexibleServers", One("azurerm_mysql_flexible_server")),
    ("Microsoft.DBforPostgreSQL/flexibleServers", One("azurerm_postgresql_flexible_server")),
    ("Microsoft.DataProtection/backupVaults", One("azurerm_data_protection_backup_vault")),
    ("Microsoft.DocumentDB/databaseAccounts", One("azurerm_cosmosdb_account")),
    ("Microsoft.KeyVault/vaults", One("azurerm_key_vault")),
    ("Microsoft.ManagedIdentity/userAssignedIdentities", One("azurerm_user_assigned_identity")),
    ("Microsoft.Network/applicationGateways", One("azurerm_application_gateway")),
    ("Microsoft.Network/dnsZones", One("azurerm_dns_zone")),
    ("Microsoft.Network/loadBalancers", One("azurerm_lb")),
    ("Microsoft.Network/natGateways", One("azurerm_nat_gateway")),
    ("Microsoft.Network/networkInterfaces", One("azurerm_network_interface")),
    ("Microsoft.Network/networkSecurityGroups", One("azurerm_network_security_group")),
    ("Microsoft.Network/privateDnsZones", One("azurerm_private_dns_zone")),
    ("Microsoft.Network/privateEndpoints", One("azurerm_private_endpoint")),
    ("Microsoft.Network/publicIPAddresses", One("azurerm_public_ip")),
    ("Microsoft.Network/routeTables", One("azurerm_route_table")),
    ("Microsoft.Network/virtualNetworkGateways", One("azurerm_virtual_network_gateway")),
    ("Microsoft.Network/virtualNetworks", One("azurerm_virtual_network")),
    ("Microsoft.OperationalInsights/workspaces", One("azurerm_log_analytics_workspace")),
    ("Microsoft.RecoveryServices/vaults", One("azurerm_recovery_services_vault")),
    ("Microsoft.SignalRService/signalR", One("azurerm_signalr_service")),
    ("Microsoft.Sql/managedInstances", One("azurerm_mssql_managed_instance")),
    ("Microsoft.Sql/servers", One("azurerm_mssql_server")),
    ("Microsoft.Sql/servers/databases", One("azurerm_mssql_database")),
    ("Microsoft.Storage/storageAccounts", One("azurerm_storage_account")),
    ("Microsoft.Web/serverFarms", One("azurerm_service_plan")),
    ("Microsoft.Web/sites", Site),
];

/// What [`Which::Site`] may be.
const SITES: [&str; 5] = [
    "azurerm_linux_web_app",
    "azurerm_windows_web_app",
    "azurerm_linux_function_app",
    "azurerm_windows_function_app",
    "azurerm_logic_app_standard",
];

pub(in crate::catalog) fn resources() -> impl Iterator<Item = &'static str> {
    let of_row = |(_, which): &Row| match *which {
        One(resource) => vec![resource],
        System(linux, windows) => vec![linux, windows],
        Site => SITES.to_vec(),
        Untold(_) => Vec::new(),
    };
    ROWS.iter().flat_map(of_row)
}

pub(in crate::catalog) fn import(asset: &Asset) -> Result<Import, NoImport> {
    let fact = |name: &str| asset.facts.get(name).map(|fact| fact.to_lowercase()).unwrap_or_default();
    let found = ROWS.iter().find(|(name, _)| name.eq_ignore_ascii_case(&asset.native_type));
    let (name, which) = found.ok_or(NoImport::NoType)?;
    let resource = match *which {
        One(resource) => resource,
        Untold(why) => return Err(NoImport::Lacks(why)),
        Site => site(&fact("kind")),
        System(linux, windows) => match fact("os").as_str() {
            "linux" => linux,
            "windows" => windows,
            _ => {
                return Err(NoImport::Lacks(
                    "whether it runs Linux or Windows is not known, and the provider has a resource type for each",
                ));
            }
        },
    };
    if resource == "azurerm_mssql_database" && asset.id.to_lowercase().ends_with("/databases/master") {
        return Err(NoImport::Needless("the database `master`, which every server has and Azure manages"));
    }
    let id = cased(asset, name).ok_or(NoImport::Lacks("its id is not that of its type"))?;
    Ok(Import { resource, id })
}

/// A site whose kind says nothing is an application on Windows: what is on Linux says so.
/// Source: <https://github.com/Azure/app-service-linux-docs/blob/master/Things_You_Should_Know/kind_property.md>
fn site(kind: &str) -> &'static str {
    let has = |word: &str| kind.split(',').any(|of| of == word);
    let [linux_app, windows_app, linux_function, windows_function, workflow] = SITES;
    match (has("functionapp"), has("workflowapp"), has("linux")) {
        (_, true, _) => workflow,
        (true, _, true) => linux_function,
        (true, _, false) => windows_function,
        (false, _, true) => linux_app,
        (false, _, false) => windows_app,
    }
}

/// The id with the fixed parts as the row has them, and the last name as people gave it.
fn cased(asset: &Asset, name: &str) -> Option<String> {
    let (namespace, types) = name.split_once('/')?;
    let parts: Vec<&str> = asset.id.strip_prefix('/')?.split('/').collect();
    let [subscriptions, subscription, groups, group, providers, own_namespace, rest @ ..] = parts.as_slice() else { return None };
    let is_own = [(*subscriptions, "subscriptions"), (*groups, "resourcegroups"), (*providers, "providers"), (*own_namespace, namespace)]
        .iter()
        .all(|(part, fixed)| part.eq_ignore_ascii_case(fixed));
    let types: Vec<&str> = types.split('/').collect();
    let pairs: Vec<(&str, &str)> = rest.chunks(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?))).collect();
    let fits = rest.len() == 2 * types.len() && pairs.iter().zip(&types).all(|((part, _), fixed)| part.eq_ignore_ascii_case(fixed));
    if !is_own || !fits || rest.iter().any(|part| part.is_empty()) {
        return None;
    }
    let mut id = format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{namespace}");
    for (place, (fixed, (_, given))) in types.iter().zip(&pairs).enumerate() {
        let is_last = place + 1 == types.len();
        let own = if is_last && asset.name.eq_ignore_ascii_case(given) { asset.name.as_str() } else { given };
        id.push_str(&format!("/{fixed}/{own}"));
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::asset::{AssetType, Cloud};
    use crate::catalog::azure::GROUPS;

    const GROUP: &str = "/subscriptions/aaaaaaaa-0000-4000-8000-000000000001/resourcegroups/prod/providers";

    fn asset(native: &str, rest: &str, name: &str) -> Asset {
        let id = format!("{GROUP}/{rest}");
        Asset {
            native_type: native.into(),
            name: name.into(),
            ..Asset::new(Cloud::Azure, "aaaaaaaa-0000-4000-8000-000000000001", "westeurope", AssetType::Other, &id)
        }
    }

    fn with(asset: Asset, fact: &str, value: &str) -> Asset {
        Asset { facts: [(fact.to_owned(), value.to_owned())].into(), ..asset }
    }

    /// Azure/aztfexport 154, terraform-provider-azurerm 13361, 14853, 20020: the provider refuses a fixed part in another letter case.
    #[test]
    fn the_fixed_parts_are_in_the_providers_letter_case() {
        let group = GROUP.replace("resourcegroups", "resourceGroups");
        for (native, rest, name, expected) in [
            ("microsoft.network/virtualnetworks", "microsoft.network/virtualnetworks/hub", "Hub", "Microsoft.Network/virtualNetworks/Hub"),
            ("Microsoft.Network/virtualNetworks", "MICROSOFT.NETWORK/VIRTUALNETWORKS/HUB", "", "Microsoft.Network/virtualNetworks/HUB"),
            ("microsoft.web/serverfarms", "microsoft.web/serverfarms/plan", "plan", "Microsoft.Web/serverFarms/plan"),
            ("microsoft.signalrservice/signalr", "microsoft.signalrservice/signalr/hub", "hub", "Microsoft.SignalRService/signalR/hub"),
            (
                "microsoft.sql/servers/databases",
                "microsoft.sql/servers/main/databases/orders",
                "Orders",
                "Microsoft.Sql/servers/main/databases/Orders",
            ),
            ("microsoft.cache/redis", "microsoft.cache/redis/carts", "other", "Microsoft.Cache/redis/carts"),
        ] {
            assert_eq!(import(&asset(native, rest, name)).unwrap().id, format!("{group}/{expected}"));
        }
    }

    #[test]
    fn a_machine_and_a_site_are_what_they_run() {
        let machine = || asset("microsoft.compute/virtualmachines", "microsoft.compute/virtualmachines/web", "web");
        assert_eq!(import(&with(machine(), "os", "Linux")).unwrap().resource, "azurerm_linux_virtual_machine");
        assert_eq!(import(&with(machine(), "os", "Windows")).unwrap().resource, "azurerm_windows_virtual_machine");
        assert!(matches!(import(&machine()), Err(NoImport::Lacks(why)) if why.contains("Linux or Windows")));
        for (kind, expected) in [
            ("app,linux", "azurerm_linux_web_app"),
            ("app", "azurerm_windows_web_app"),
            ("", "azurerm_windows_web_app"),
            ("functionapp,linux", "azurerm_linux_function_app"),
            ("functionapp", "azurerm_windows_function_app"),
            ("functionapp,workflowapp", "azurerm_logic_app_standard"),
        ] {
            let site = with(asset("microsoft.web/sites", "microsoft.web/sites/shop", "shop"), "kind", kind);
            assert_eq!(import(&site).unwrap().resource, expected, "{kind}");
        }
    }

    #[test]
    fn what_cannot_be_imported_is_told() {
        let because = |asset: &Asset| match import(asset) {
            Err(NoImport::Lacks(why) | NoImport::Needless(why)) => why,
            other => panic!("{other:?}"),
        };
        let sets = "microsoft.compute/virtualmachinescalesets";
        assert!(because(&asset(sets, &format!("{sets}/pool"), "pool")).contains("mode"));
        let vault = "microsoft.keyvault/vaults";
        for rest in [vault.to_owned(), format!("{vault}/"), format!("{vault}/one/two"), "microsoft.sql/servers/one".to_owned()] {
            assert!(because(&asset(vault, &rest, "")).contains("not that of its type"), "{rest}");
        }
        let master = asset("microsoft.sql/servers/databases", "microsoft.sql/servers/main/databases/master", "master");
        assert!(because(&master).contains("master"));
        assert_eq!(import(&asset("microsoft.quantum/workspaces", "microsoft.quantum/workspaces/q", "q")), Err(NoImport::NoType));
    }

    /// Types that azurerm has no resource for any more: Azure has ended the service.
    const ENDED: [&str; 2] = ["microsoft.dbforpostgresql/servers", "microsoft.dbformysql/servers"];

    #[test]
    fn every_type_that_is_read_has_a_row_and_only_one() {
        let rows: BTreeSet<String> = ROWS.iter().map(|(name, _)| name.to_lowercase()).collect();
        assert_eq!(rows.len(), ROWS.len());
        assert_eq!(resources().collect::<BTreeSet<_>>().len(), resources().count());
        for read in GROUPS.iter().flat_map(|group| group.types) {
            let is_known = rows.contains(read.name) || ENDED.contains(&read.name) || read.asset_type == AssetType::PatchState;
            assert!(is_known, "{} has no row", read.name);
        }
    }
}
