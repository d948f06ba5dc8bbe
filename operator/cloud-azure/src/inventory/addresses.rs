//! The addresses of machines: Azure keeps them at network interfaces and at public addresses, which are resources of their own.

use std::collections::HashMap;
use std::net::IpAddr;

use caretaker_cloud::Address;
use caretaker_cloud::catalog::azure::{INTERFACES, PUBLIC_ADDRESSES};
use serde::Deserialize;
use serde_json::Value;

/// The addresses of a subscription's machines. They are held while its machines are read, so ids are cut to group and name.
#[derive(Debug, Default)]
pub struct Addresses {
    machines: HashMap<String, Vec<Found>>,
    public: HashMap<String, IpAddr>,
}

/// An address of a machine.
#[derive(Debug)]
struct Found {
    /// Whether it is of the first network interface.
    is_first: bool,
    address: Pointer,
}

#[derive(Debug)]
enum Pointer {
    Private(IpAddr),
    /// Group and name of a public address.
    Public(String),
}

/// One address configuration of a network interface.
#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    properties: Properties,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    #[serde(default)]
    primary: Option<bool>,
    #[serde(default, rename = "privateIPAddress")]
    private: Option<String>,
    #[serde(default, rename = "publicIPAddress")]
    public: Option<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    id: String,
}

impl Addresses {
    /// Takes a row about a network interface or a public address.
    pub fn take(&mut self, row: &Value) {
        let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
        let kind = text("type").to_lowercase();
        if kind == PUBLIC_ADDRESSES {
            // One that is not given to anything has no address yet.
            if let (Some(id), Ok(ip)) = (key(text("id")), text("ip").parse()) {
                self.public.insert(id, ip);
            }
        } else if kind == INTERFACES
            && let Some(machine) = key(text("machine"))
        {
            let configurations: Vec<Configuration> = serde_json::from_str(text("configurations")).unwrap_or_default();
            let is_first = text("isPrimary").eq_ignore_ascii_case("true");
            let found = configurations.into_iter().flat_map(|configuration| of(configuration.properties));
            self.machines.entry(machine).or_default().extend(found.map(|address| Found { is_first, address }));
        }
    }

    /// Takes the addresses of a machine out, those of its first network interface first. None where no interface of it came.
    pub fn of(&mut self, machine: &str) -> Vec<Address> {
        let mut found = key(machine).and_then(|machine| self.machines.remove(&machine)).unwrap_or_default();
        found.sort_by_key(|found| !found.is_first);
        let address = |found: Found| match found.address {
            Pointer::Private(ip) => Some(Address::private(ip)),
            Pointer::Public(id) => self.public.get(&id).copied().map(Address::public),
        };
        found.into_iter().filter_map(address).collect()
    }
}

/// The addresses of a configuration. A private one of IPv4 counts where it is the interface's main one: clusters take the others for their pods. A
/// configuration of IPv6 is never the main one.
fn of(properties: Properties) -> impl Iterator<Item = Pointer> {
    let is_main = properties.primary != Some(false);
    let private = properties.private.and_then(|ip| ip.parse().ok()).filter(|ip: &IpAddr| is_main || ip.is_ipv6()).map(Pointer::Private);
    let public = properties.public.and_then(|public| key(&public.id)).map(Pointer::Public);
    private.into_iter().chain(public)
}

/// Group and name of an id, in lower case: all ids of a map are of one subscription and one type.
fn key(id: &str) -> Option<String> {
    let id = id.to_lowercase();
    let (_, rest) = id.split_once("/resourcegroups/")?;
    let (group, _) = rest.split_once('/')?;
    let (_, name) = rest.rsplit_once('/')?;
    Some(format!("{group}/{name}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(kind: &str, name: &str) -> String {
        format!("/subscriptions/S/resourceGroups/Prod/providers/{kind}/{name}")
    }

    fn interface(machine: &str, is_primary: bool, configurations: &[Value]) -> Value {
        let machine = if machine.is_empty() { String::new() } else { id("Microsoft.Compute/virtualMachines", machine) };
        json!({
            "id": id("Microsoft.Network/networkInterfaces", "nic"), "type": "Microsoft.Network/networkInterfaces", "machine": machine,
            "isPrimary": is_primary.to_string(), "configurations": json!(configurations).to_string(), "ip": "",
        })
    }

    fn private(ip: &str, is_primary: bool) -> Value {
        json!({"name": "c", "properties": {"privateIPAddress": ip, "primary": is_primary}})
    }

    fn all(rows: &[Value], machine: &str) -> Vec<String> {
        let mut addresses = Addresses::default();
        rows.iter().for_each(|row| addresses.take(row));
        addresses.of(&id("microsoft.compute/virtualmachines", machine).to_lowercase()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_machine_has_the_addresses_of_its_interfaces_and_no_other_s() {
        let named = |name: &str| id("Microsoft.Network/publicIPAddresses", name);
        let public = |name: &str, ip: &str| json!({"id": named(name), "type": "microsoft.network/publicipaddresses", "ip": ip});
        let with_public = json!({"properties": {
            "privateIPAddress": "10.0.0.4", "primary": true, "publicIPAddress": {"id": named("OUT").to_uppercase()},
        }});
        let rows = [
            interface("Web", false, &[private("10.0.1.4", true)]),
            interface("Web", true, &[with_public, private("10.0.0.5", false), private("fd00::4", false)]),
            interface("other", true, &[private("10.0.0.9", true)]),
            interface("", true, &[private("10.0.0.10", true)]),
            public("out", "203.0.113.7"),
            public("unused", ""),
        ];
        let expected = ["10.0.0.4 (private)", "203.0.113.7 (public)", "fd00::4 (private)", "10.0.1.4 (private)"];
        assert_eq!(all(&rows, "WEB"), expected, "the first interface first, and no address that a cluster took for a pod");
        assert_eq!(all(&rows, "alone"), [""; 0]);
    }

    #[test]
    fn a_row_without_sense_gives_no_address() {
        let broken = json!({"type": INTERFACES, "machine": id("x", "web"), "isPrimary": "", "configurations": "{"});
        let word = interface("web", true, &[private("not an address", true), json!({"properties": {}}), json!({})]);
        assert_eq!(all(&[broken, word, json!({}), json!({"type": INTERFACES})], "web"), [""; 0]);
    }
}
