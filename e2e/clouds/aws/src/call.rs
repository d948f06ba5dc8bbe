//! One signed call, as far as its parts can be read.

use axum::http::{HeaderMap, Method, Uri};
use serde_json::Value;

/// How a service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Forms and XML, as EC2 has them.
    Ec2,
    /// Forms and XML.
    Query,
    /// JSON with the action in a header.
    Json,
    /// JSON with the action in method and path.
    RestJson,
    /// XML with the action in method and path.
    RestXml,
}

/// A call.
#[derive(Clone, Debug)]
pub struct Call {
    /// Service of the signature, such as `ec2`.
    pub service: String,
    /// Region of the signature.
    pub region: String,
    /// The action, such as `DescribeInstances`; for REST services method and path, such as `GET:backup-vaults:`.
    pub action: String,
    /// Access key of the signature.
    pub key: String,
    /// When it was signed, as it says: `20261126T100000Z`.
    pub signed_at: String,
    method: String,
    query: String,
    body: Vec<u8>,
}

impl Call {
    /// Reads a request.
    pub fn read(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let credential = header("authorization").split("Credential=").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or_default();
        let scope: Vec<&str> = credential.split('/').collect();
        let part = |number: usize| scope.get(number).copied().unwrap_or("-").to_owned();
        let target = header("x-amz-target").rsplit('.').next().filter(|target| !target.is_empty());
        let form = String::from_utf8_lossy(body);
        let action = form.split('&').find_map(|pair| pair.strip_prefix("Action=")).or(target);
        let action = action.map_or_else(|| format!("{method}{}", uri.path().replace('/', ":")), str::to_owned);
        Self {
            service: part(3),
            region: part(2),
            action,
            key: part(0),
            signed_at: header("x-amz-date").to_owned(),
            method: method.to_string(),
            query: uri.query().unwrap_or_default().to_owned(),
            body: body.to_vec(),
        }
    }

    /// What a log of calls shows: the name, whether a SourceIdentity was given, which the emulator does not look at, and the access key.
    pub fn shown(&self) -> String {
        let named = if String::from_utf8_lossy(&self.body).contains("&SourceIdentity=") { "+SourceIdentity" } else { "" };
        format!("{}{named} {}", self.name(), self.key)
    }

    /// The body of the request.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// `service/region/Action`.
    pub fn name(&self) -> String {
        format!("{}/{}/{}", self.service, self.region, self.action)
    }

    /// How its service speaks.
    pub fn protocol(&self) -> Protocol {
        match self.service.as_str() {
            "ec2" => Protocol::Ec2,
            "s3" => Protocol::RestXml,
            "account" | "backup" | "eks" | "lambda" | "resource-explorer-2" => Protocol::RestJson,
            "dynamodb" | "kms" | "cloudtrail" | "ssm" | "organizations" | "tagging" => Protocol::Json,
            _ => Protocol::Query,
        }
    }

    /// A parameter of the request, wherever its protocol puts it.
    pub fn parameter(&self, name: &str) -> Option<String> {
        match self.protocol() {
            Protocol::Ec2 | Protocol::Query => pair(&String::from_utf8_lossy(&self.body), name),
            Protocol::RestXml => pair(&self.query, name),
            Protocol::RestJson if self.method == "GET" => pair(&self.query, name),
            Protocol::Json | Protocol::RestJson => {
                let body: Value = serde_json::from_slice(&self.body).ok()?;
                match body.get(name)? {
                    Value::String(text) => Some(text.clone()),
                    Value::Null => None,
                    other => Some(other.to_string()),
                }
            }
        }
    }
}

fn pair(text: &str, name: &str) -> Option<String> {
    text.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| decode(value))
}

/// Undoes percent-encoding.
pub fn decode(text: &str) -> String {
    let text = text.replace('+', " ");
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten().and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(hex.unwrap_or(bytes[at]));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Call {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(axum::http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        Call::read(&method, &path.parse().unwrap(), &map, body.as_bytes())
    }

    #[test]
    fn service_and_region_are_those_of_the_signature() {
        let scope = ("authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20261126/eu-west-1/ec2/aws4_request, SignedHeaders=host");
        let found = call(Method::POST, "/", &[scope], "Action=DescribeInstances&MaxResults=5&NextToken=a%2Bb");
        assert_eq!((found.name().as_str(), found.key.as_str()), ("ec2/eu-west-1/DescribeInstances", "AKIA"));
        assert_eq!((found.parameter("MaxResults").as_deref(), found.parameter("NextToken").as_deref()), (Some("5"), Some("a+b")));
        let scope = ("authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20261126/eu-west-1/kms/aws4_request, SignedHeaders=host");
        let found = call(Method::POST, "/", &[scope, ("x-amz-target", "TrentService.ListKeys")], "{\"Limit\": 3}");
        assert_eq!((found.action.as_str(), found.parameter("Limit").as_deref()), ("ListKeys", Some("3")));
        let scope = ("authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20261126/eu-west-1/backup/aws4_request, SignedHeaders=host");
        let found = call(Method::GET, "/backup-vaults/?maxResults=7", &[scope], "");
        assert_eq!((found.action.as_str(), found.parameter("maxResults").as_deref()), ("GET:backup-vaults:", Some("7")));
    }
}
