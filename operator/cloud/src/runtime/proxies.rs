//! The proxies between us and a cloud, as the environment names them, and whether one of them is why no answer came: that is the provider's matter, and no
//! client's.

use std::net::IpAddr;
use std::time::Duration;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest time until a proxy takes a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, also in small letters, as curl reads them.
#[derive(Debug)]
pub struct Proxies(Matcher);

impl Proxies {
    /// Those of this process's environment.
    #[must_use]
    pub fn from_env() -> Self {
        Self(Matcher::from_env())
    }

    /// The proxy that calls to a URL go through, such as `http://proxy.example:3128`; never with user and password. What a machine or a pod asks of its own
    /// surroundings goes through none.
    #[must_use]
    pub fn of(&self, url: &str) -> Option<String> {
        let uri: Uri = url.parse().ok()?;
        if is_own_surroundings(uri.host()?) {
            return None;
        }
        let found = self.0.intercept(&uri)?;
        let (scheme, host) = (found.uri().scheme_str()?, found.uri().host()?);
        Some(format!("{scheme}://{host}:{}", port(found.uri())))
    }

    /// Why no answer came to a call of this URL, where that is a proxy's doing: it takes no connection, or it does not let us through. `cause` is what was said
    /// of the call; it is looked at, and not told.
    pub async fn fault(&self, url: &str, cause: &str) -> Option<String> {
        let proxy = self.of(url)?;
        let lower = cause.to_ascii_lowercase();
        // As a word: causes hold numbers of requests.
        let is_407 = lower.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == "407");
        if lower.contains("proxy auth") || is_407 {
            return Some(format!(
                "the proxy {proxy} of the operator's environment does not let us through: see to user and password in HTTPS_PROXY"
            ));
        }
        let uri: Uri = proxy.parse().ok()?;
        let host = uri.host()?.trim_matches(['[', ']']);
        let why = match timeout(PATIENCE, TcpStream::connect((host, port(&uri)))).await {
            Ok(Ok(_)) => return None,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        Some(format!(
            "the proxy {proxy} of the operator's environment takes no connection ({why}): start it, or correct HTTPS_PROXY and NO_PROXY in the chart's env"
        ))
    }
}

/// Port of a proxy; curl's own where the URL names none is of no use to anybody here.
fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 })
}

/// Metadata services, which no proxy reaches: link-local addresses, and AWS's own on IPv6.
fn is_own_surroundings(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(address)) => address.is_link_local(),
        Ok(IpAddr::V6(address)) => address.segments()[..2] == [0xfd00, 0xec2],
        Err(_) => host == "metadata.google.internal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(https: &str, no: &str) -> Proxies {
        Proxies(Matcher::builder().https(https.to_owned()).no(no.to_owned()).build())
    }

    #[test]
    fn the_proxy_of_a_url_is_shown_without_user_and_password() {
        let found = proxies("http://user:hunter2@proxy.example:3128", "svc,.cluster.local,10.0.0.0/8");
        for (why, url, expected) in [
            ("a cloud", "https://sts.us-east-1.amazonaws.com/", Some("http://proxy.example:3128")),
            ("another scheme has its own", "http://sts.us-east-1.amazonaws.com/", None),
            ("left out by name", "https://minio.store.svc/", None),
            ("left out by network", "https://10.1.2.3:9000/", None),
            ("the instance's own", "https://169.254.169.254/latest", None),
            ("the pod's own", "https://169.254.170.23/v1/credentials", None),
            ("the pod's own, IPv6", "https://[fd00:ec2::23]/v1/credentials", None),
            ("Google's", "https://metadata.google.internal/x", None),
            ("no URL", "x y", None),
        ] {
            assert_eq!(found.of(url).as_deref(), expected, "{why}");
        }
        assert_eq!(proxies("proxy.example:8080", "").of("https://x.example/").as_deref(), Some("http://proxy.example:8080"));
        assert!(!format!("{found:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn a_proxy_is_blamed_only_where_it_is_one_s_own_doing() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let living = format!("http://user:hunter2@{}", listener.local_addr().expect("an address"));
        let url = "https://sts.us-east-1.amazonaws.com/";
        let found = proxies(&living, "");
        assert_eq!(found.fault(url, "connection reset").await, None, "it takes connections: the cloud did not answer");
        assert_eq!(found.fault(url, "request 1407af was reset").await, None, "the digits of another number");
        assert!(found.fault(url, "HTTP status client error (407)").await.is_some());
        let refused = found.fault(url, "tunnel error: proxy authorization required").await.expect("its doing");
        assert!(refused.contains("does not let us through") && !refused.contains("hunter2"), "{refused}");
        drop(listener);
        let dead = found.fault(url, "connection refused").await.expect("its doing");
        assert!(dead.contains("takes no connection") && dead.contains("127.0.0.1:") && !dead.contains("hunter2"), "{dead}");
        assert_eq!(proxies(&living, "*").fault(url, "connection refused").await, None, "it is not used");
    }
}
