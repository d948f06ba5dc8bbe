//! Whether the key of a receiver holds something of its sort. No value is told.

use super::super::network;

/// Characters of a routing key.
/// Source: <https://developer.pagerduty.com/docs/send-alert-event> (`routing_key`: "This is the 32 character Integration Key").
const ROUTING_KEY: usize = 32;
/// Lengths of the parts of an API key.
/// Source: <https://docs.opsgenie.com/docs/api-key-management>: it is a UUID.
const API_KEY: [usize; 5] = [8, 4, 4, 4, 12];

/// What a key has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// An address that begins with `https://`.
    Https,
    /// An address.
    Address,
    /// A routing key of PagerDuty's.
    RoutingKey,
    /// An API key of Opsgenie's.
    ApiKey,
    /// A password.
    Password,
}

/// The port that an address names, or what is wrong with a value, without the value.
pub(super) fn judge(value: &[u8], sort: Sort) -> Result<Option<u16>, &'static str> {
    let text = std::str::from_utf8(value).map_err(|_| "holds something that is no text")?;
    if text.is_empty() {
        return Err("is empty");
    }
    if text.contains(['\n', '\r']) {
        return Err("holds a line end: write the value without one");
    }
    if text.chars().any(char::is_control) {
        return Err("holds characters that cannot be shown");
    }
    match sort {
        Sort::Password => return Ok(None),
        _ if text.contains(['"', '\'', '`', '\\']) => return Err("holds quotes or a backslash: write the value without them"),
        _ if text.chars().any(|c| c.is_whitespace() || !c.is_ascii()) => return Err("holds blanks or characters beyond ASCII"),
        _ => {}
    }
    match sort {
        Sort::Https | Sort::Address => {
            let port = address(text).ok_or("holds no address of the web")?;
            let is_https = text.starts_with("https://");
            if sort == Sort::Https && !is_https { Err("holds an address that does not begin with https://") } else { Ok(Some(port)) }
        }
        Sort::RoutingKey if text.len() != ROUTING_KEY || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Err("holds no routing key: one has 32 letters and digits")
        }
        Sort::ApiKey
            if !text.split('-').map(str::len).eq(API_KEY) || !text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()) =>
        {
            Err("holds no API key: one has 32 hexadecimal digits with dashes after the 8th, 12th, 16th and 20th")
        }
        _ => Ok(None),
    }
}

/// The port of an address that Alertmanager can load. What it cannot load would keep all receivers from being loaded.
fn address(text: &str) -> Option<u16> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?;
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().filter(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok())?,
        None => host.split(':').next().filter(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)))?,
    };
    let after = host.trim_start_matches('[').get(name.len()..)?.trim_start_matches(']');
    let is_port = after.is_empty() || after.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let is_escaped = |text: &str| text.split('%').skip(1).all(|part| part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2);
    (!name.is_empty() && is_port && is_escaped(rest) && !rest.contains(['<', '>', '{', '}', '|', '^'])).then(|| network::port_of(text))?
}
