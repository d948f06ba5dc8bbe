//! Kubernetes clusters of EKS.

use aws_config::SdkConfig;
use caretaker_cloud::runtime::said;
use caretaker_cloud::{AwsType, ErrorClass, Result};

use crate::inventory::listing::{Page, Place, asset, time, with_facts};

/// Names in one page: at most 100.
/// Source: <https://docs.aws.amazon.com/eks/latest/APIReference/API_ListClusters.html>
const PAGE: i32 = 100;

/// Kubernetes clusters. One that goes while it is looked at is left out.
pub async fn clusters(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = aws_sdk_eks::Client::new(config);
    let request = || client.list_clusters().max_results(PAGE).set_next_token(token.clone()).send();
    let answer = place.calls.make("eks:ListClusters", request).await?;
    let mut assets = Vec::new();
    for name in answer.clusters() {
        let described = match place.calls.make("eks:DescribeCluster", || client.describe_cluster().name(name).send()).await {
            Ok(described) => described,
            Err(error) if error.class == ErrorClass::NotFound => continue,
            Err(error) => return Err(error),
        };
        let mut found = asset(AwsType::EksCluster, name, place);
        if let Some(cluster) = described.cluster() {
            found.created = time(cluster.created_at());
            found.tags = cluster.tags().cloned().unwrap_or_default().into_iter().collect();
            found = with_facts(
                found,
                [
                    ("arn", said(cluster.arn())),
                    ("state", said(cluster.status().map(|status| status.as_str()))),
                    ("version", said(cluster.version())),
                    ("endpoint", said(cluster.endpoint())),
                ],
            );
        }
        assets.push(found);
    }
    Ok((assets, said(answer.next_token())))
}
