//! Lists whose rows a test gives, by operation, account and region: what the emulator does not know, or more than it could hold.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The rows of a list, each as it stands in the answer: an XML element with its tags, or a JSON value.
#[derive(Clone)]
pub enum Rows {
    /// These.
    These(Vec<String>),
    /// So many, each made from its number when it is asked for.
    Made(usize, Arc<dyn Fn(usize) -> String + Send + Sync>),
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rows").field(&self.len()).finish()
    }
}

impl Rows {
    /// So many, made from their numbers.
    pub fn made(count: usize, make: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        Self::Made(count, Arc::new(make))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::These(rows) => rows.len(),
            Self::Made(count, _) => *count,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some of them.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Vec<String> {
        match self {
            Self::These(rows) => rows[range].to_vec(),
            Self::Made(_, make) => range.map(|number| make(number)).collect(),
        }
    }
}

/// A machine as EC2 shows it, for lists that are longer than the emulator can bear.
#[must_use]
pub fn machine(account: &str, region: &str, number: usize) -> String {
    let [_, a, b, c] = u32::try_from(number).unwrap_or_default().to_be_bytes();
    let more = format!("<privateIpAddress>10.{a}.{b}.{c}</privateIpAddress>");
    reservation(account, region, number, "running", &more)
}

/// A disk as EC2 shows it.
#[must_use]
pub fn disk((region, id): (&str, &str), gib: u32, tags: &[(&str, &str)]) -> String {
    let tags: String = tags.iter().map(|(key, value)| format!("<item><key>{key}</key><value>{value}</value></item>")).collect();
    format!(
        "<item><volumeId>{id}</volumeId><size>{gib}</size><snapshotId/><availabilityZone>{region}a</availabilityZone><status>available</status>\
         <createTime>2026-01-01T00:00:00.000Z</createTime><attachmentSet/><tagSet>{tags}</tagSet><volumeType>gp3</volumeType><encrypted>true</encrypted></item>"
    )
}

/// A running machine called `several` in the form of EC2: two network interfaces, the second one first, with public addresses, one of IPv6, and a further
/// private address.
#[must_use]
pub fn machine_of_several(account: &str, region: &str) -> String {
    let interface = |number: usize, ip: &str, more: &str| {
        format!(
            "<item><networkInterfaceId>eni-{number:017x}</networkInterfaceId><status>in-use</status><privateIpAddress>{ip}</privateIpAddress>\
             <attachment><attachmentId>eni-attach-{number:017x}</attachmentId><deviceIndex>{number}</deviceIndex><status>attached</status>\
             </attachment>{more}</item>"
        )
    };
    let public = |ip: &str| format!("<association><publicIp>{ip}</publicIp><ipOwnerId>amazon</ipOwnerId></association>");
    let further = format!(
        "{0}<ipv6AddressesSet><item><ipv6Address>2001:db8::7</ipv6Address></item></ipv6AddressesSet><privateIpAddressesSet>\
         <item><privateIpAddress>10.0.0.4</privateIpAddress><primary>true</primary>{0}</item>\
         <item><privateIpAddress>10.0.0.5</privateIpAddress><primary>false</primary></item>\
         <item><privateIpAddress>10.0.0.6</privateIpAddress><primary>false</primary>{1}</item></privateIpAddressesSet>",
        public("203.0.113.7"),
        public("203.0.113.8")
    );
    let more = format!(
        "<privateIpAddress>10.0.0.4</privateIpAddress><ipAddress>203.0.113.7</ipAddress><networkInterfaceSet>{}{}</networkInterfaceSet>\
         <tagSet><item><key>Name</key><value>several</value></item></tagSet>",
        interface(1, "10.0.1.4", ""),
        interface(0, "10.0.0.4", &further)
    );
    reservation(account, region, 1, "running", &more)
}

/// A machine called `stopped` in the form of EC2, which is switched off.
#[must_use]
pub fn stopped_machine(account: &str, region: &str) -> String {
    let more = "<privateIpAddress>10.0.0.9</privateIpAddress><tagSet><item><key>Name</key><value>stopped</value></item></tagSet>";
    reservation(account, region, 2, "stopped", more)
}

fn reservation(account: &str, region: &str, number: usize, state: &str, more: &str) -> String {
    // Source of the codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceState.html
    let code = if state == "running" { 16 } else { 80 };
    format!(
        "<item><reservationId>r-{number:017x}</reservationId><ownerId>{account}</ownerId><groupSet/><instancesSet><item>\
         <instanceId>i-{number:017x}</instanceId><imageId>ami-12345678</imageId><instanceState><code>{code}</code><name>{state}</name>\
         </instanceState><instanceType>t3.micro</instanceType><launchTime>2026-01-01T00:00:00.000Z</launchTime><placement>\
         <availabilityZone>{region}a</availabilityZone></placement>{more}</item></instancesSet></item>"
    )
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    rows: HashMap<(String, String, String), Rows>,
}

impl Answers {
    /// Sets the rows of a list.
    pub fn set(&mut self, operation: &str, account: &str, region: &str, rows: Rows) {
        self.rows.insert((operation.to_owned(), account.to_owned(), region.to_owned()), rows);
    }

    /// The rows of a list, where any were set.
    #[must_use]
    pub fn get(&self, operation: &str, account: &str, region: &str) -> Option<&Rows> {
        self.rows.get(&(operation.to_owned(), account.to_owned(), region.to_owned()))
    }
}
