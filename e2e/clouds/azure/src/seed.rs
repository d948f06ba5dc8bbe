//! Machines with their network interfaces and public addresses, in the form in which Resource Graph holds them.

use serde_json::{Value, json};

/// Type of a machine.
pub const MACHINE: &str = "Microsoft.Compute/virtualMachines";
const INTERFACE: &str = "Microsoft.Network/networkInterfaces";
const PUBLIC_ADDRESS: &str = "Microsoft.Network/publicIPAddresses";

/// Where resources stand.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Subscription.
    pub subscription: &'a str,
    /// Resource group.
    pub group: &'a str,
    /// Location.
    pub location: &'a str,
}

/// One address configuration of a network interface.
#[derive(Clone, Copy, Debug)]
pub struct Configuration<'a> {
    /// Private address.
    pub private: &'a str,
    /// Whether it is the interface's main one.
    pub is_primary: bool,
    /// Name of the public address that leads to it.
    pub public: Option<&'a str>,
}

impl Place<'_> {
    /// The id of a resource.
    #[must_use]
    pub fn id(&self, kind: &str, name: &str) -> String {
        format!("/subscriptions/{}/resourceGroups/{}/providers/{kind}/{name}", self.subscription, self.group)
    }

    /// A resource of any type. `name` is the last part of its id.
    #[must_use]
    pub fn resource(&self, kind: &str, name: &str, properties: &Value) -> Value {
        json!({
            "id": self.id(kind, name), "name": name, "type": kind.to_lowercase(), "location": self.location,
            "subscriptionId": self.subscription, "resourceGroup": self.group, "kind": "", "managedBy": "", "tags": {"name": name},
            "properties": properties,
        })
    }

    /// A machine in a power state, such as `running`.
    #[must_use]
    pub fn machine(&self, name: &str, power: &str) -> Value {
        let properties = json!({
            "provisioningState": "Succeeded", "timeCreated": "2026-01-01T00:00:00Z", "hardwareProfile": {"vmSize": "Standard_D2s_v3"},
            "storageProfile": {"osDisk": {"osType": "Linux"}},
            "extended": {"instanceView": {"powerState": {
                "code": format!("PowerState/{power}"), "displayStatus": format!("VM {power}"), "level": "Info",
            }}},
        });
        let mut machine = self.resource(MACHINE, name, &properties);
        machine["zones"] = json!(["1"]);
        machine
    }

    /// A network interface of a machine.
    #[must_use]
    pub fn interface(&self, name: &str, machine: &str, is_primary: bool, configurations: &[Configuration<'_>]) -> Value {
        let configurations: Vec<Value> = configurations
            .iter()
            .enumerate()
            .map(|(number, configuration)| {
                let version = if configuration.private.contains(':') { "IPv6" } else { "IPv4" };
                let mut properties = json!({
                    "provisioningState": "Succeeded", "privateIPAddress": configuration.private, "privateIPAllocationMethod": "Dynamic",
                    "privateIPAddressVersion": version, "primary": configuration.is_primary,
                });
                if let Some(public) = configuration.public {
                    properties["publicIPAddress"] = json!({"id": self.id(PUBLIC_ADDRESS, public)});
                }
                json!({"name": format!("ipconfig{}", number + 1), "properties": properties})
            })
            .collect();
        let properties = json!({
            "provisioningState": "Succeeded", "primary": is_primary, "virtualMachine": {"id": self.id(MACHINE, machine)},
            "ipConfigurations": configurations,
        });
        self.resource(INTERFACE, name, &properties)
    }

    /// A public address.
    #[must_use]
    pub fn public_address(&self, name: &str, ip: &str) -> Value {
        let properties = json!({"provisioningState": "Succeeded", "ipAddress": ip, "publicIPAllocationMethod": "Static"});
        self.resource(PUBLIC_ADDRESS, name, &properties)
    }

    /// A running machine with one network interface and one private address, which follows from the number.
    #[must_use]
    pub fn running(&self, name: &str, number: usize) -> [Value; 2] {
        let [_, a, b, c] = u32::try_from(number).unwrap_or_default().to_be_bytes();
        let private = format!("10.{a}.{b}.{c}");
        let configuration = Configuration { private: &private, is_primary: true, public: None };
        [self.machine(name, "running"), self.interface(&format!("{name}-nic"), name, true, &[configuration])]
    }
}
