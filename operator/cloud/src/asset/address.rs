//! Addresses of machines.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// An address of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// The address. It says of which family it is.
    pub ip: IpAddr,
    /// From where it is reached.
    pub visibility: Visibility,
}

/// From where an address is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// From within the client's network.
    Private,
    /// From the internet.
    Public,
}

/// Family of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Address {
    /// An address within the client's network.
    #[must_use]
    pub const fn private(ip: IpAddr) -> Self {
        Self { ip, visibility: Visibility::Private }
    }

    /// An address on the internet.
    #[must_use]
    pub const fn public(ip: IpAddr) -> Self {
        Self { ip, visibility: Visibility::Public }
    }

    /// An address of IPv6 of which the cloud does not say from where it is reached: from the internet, unless the address itself is a local one.
    #[must_use]
    pub const fn of_ipv6(ip: Ipv6Addr) -> Self {
        let visibility = if ip.is_unique_local() || ip.is_unicast_link_local() { Visibility::Private } else { Visibility::Public };
        Self { ip: IpAddr::V6(ip), visibility }
    }

    /// Its family.
    #[must_use]
    pub const fn family(&self) -> Family {
        if self.ip.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.visibility == Visibility::Public { "public" } else { "private" };
        write!(f, "{} ({word})", self.ip)
    }
}
