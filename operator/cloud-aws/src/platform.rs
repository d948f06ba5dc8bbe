//! EKS, Lambda and load balancers.

use aws_config::SdkConfig;
use caretaker_cloud::{AwsType, ErrorClass, Result};

use crate::page::{Page, Place, asset, next, own, time, with_facts};

/// Names in one page of EKS: at most 100.
const CLUSTERS_PAGE: i32 = 100;
/// Functions in one page of Lambda: at most 50.
const FUNCTIONS_PAGE: i32 = 50;
/// Load balancers in one page: at most 400.
const BALANCERS_PAGE: i32 = 400;

/// Kubernetes clusters. One that goes while it is looked at is left out.
pub async fn clusters(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = aws_sdk_eks::Client::new(config);
    let request = || client.list_clusters().max_results(CLUSTERS_PAGE).set_next_token(token.clone()).send();
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
                    ("arn", own(cluster.arn())),
                    ("state", own(cluster.status().map(|status| status.as_str()))),
                    ("version", own(cluster.version())),
                    ("endpoint", own(cluster.endpoint())),
                ],
            );
        }
        assets.push(found);
    }
    Ok((assets, next(answer.next_token())))
}

/// Functions.
pub async fn functions(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = aws_sdk_lambda::Client::new(config);
    let request = || client.list_functions().max_items(FUNCTIONS_PAGE).set_marker(token.clone()).send();
    let answer = place.calls.make("lambda:ListFunctions", request).await?;
    let assets = answer.functions().iter().map(|item| {
        // Environment variables may hold secrets; nothing of them is taken.
        with_facts(
            asset(AwsType::Function, item.function_name().unwrap_or_default(), place),
            [
                ("arn", own(item.function_arn())),
                ("runtime", own(item.runtime().map(|runtime| runtime.as_str()))),
                ("role", own(item.role())),
                ("memoryMib", item.memory_size().map(|size| size.to_string())),
                ("changed", own(item.last_modified())),
            ],
        )
    });
    Ok((assets.collect(), next(answer.next_marker())))
}

/// Load balancers of the second generation.
pub async fn load_balancers(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = aws_sdk_elasticloadbalancingv2::Client::new(config);
    let request = || client.describe_load_balancers().page_size(BALANCERS_PAGE).set_marker(token.clone()).send();
    let answer = place.calls.make("elasticloadbalancing:DescribeLoadBalancers", request).await?;
    let assets = answer.load_balancers().iter().map(|item| {
        let mut found = asset(AwsType::LoadBalancer, item.load_balancer_arn().unwrap_or_default(), place);
        found.name = item.load_balancer_name().unwrap_or_default().into();
        found.created = time(item.created_time());
        with_facts(
            found,
            [
                ("state", own(item.state().and_then(|state| state.code()).map(|code| code.as_str()))),
                ("kind", own(item.r#type().map(|kind| kind.as_str()))),
                ("scheme", own(item.scheme().map(|scheme| scheme.as_str()))),
                ("dnsName", own(item.dns_name())),
                ("vpcId", own(item.vpc_id())),
            ],
        )
    });
    Ok((assets.collect(), next(answer.next_marker())))
}
