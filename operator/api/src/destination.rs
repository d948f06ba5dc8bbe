//! Where else a bundle is delivered: a bucket or container of the client's own.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// A bucket or container of the client's, which every bundle is delivered to beside the provider's store.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Destination {
    /// Address: `s3://BUCKET/PREFIX`, `az://CONTAINER/PREFIX` or `gs://BUCKET/PREFIX`. No user, password or query belongs into it.
    #[schemars(length(min = 6, max = 500))]
    #[x_kube(validation = Rule::new("self.matches('^(s3|az|gs)://[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9._=/-]*)?$')")
        .message("url must be s3://BUCKET/PREFIX, az://CONTAINER/PREFIX or gs://BUCKET/PREFIX, without user, password or query; credentials belong into the Secret of secretName"))]
    pub url: String,
    /// Name of a Secret of the operator's namespace with the credentials, one key for each option that `object_store` knows
    /// (<https://docs.rs/object_store>), such as `aws_access_key_id`, `aws_secret_access_key` and `aws_region`. Without it the operator's own identity is
    /// used, which the client lets write into the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.startsWith('destination-')").message("secretName must begin with destination-: no other Secret of the operator's is read for it"))]
    pub secret_name: Option<String>,
}

/// What the last try of a destination found.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DestinationStatus {
    /// The destination that was tried.
    pub destination: Destination,
    /// When it was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried_at: Option<Time>,
    /// Why it takes no bundle; empty where it took a small object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fault: String,
}
