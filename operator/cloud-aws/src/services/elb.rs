//! Load balancers of the second generation: Application, Network and Gateway Load Balancers.

use aws_config::SdkConfig;
use caretaker_cloud::runtime::said;
use caretaker_cloud::{AwsType, Result};

use crate::inventory::listing::{Page, Place, asset, time, with_facts};

/// Load balancers in one page: at most 400.
/// Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancers.html>
const PAGE: i32 = 400;

/// Load balancers of the second generation.
pub async fn load_balancers(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = aws_sdk_elasticloadbalancingv2::Client::new(config);
    let request = || client.describe_load_balancers().page_size(PAGE).set_marker(token.clone()).send();
    let answer = place.calls.make("elasticloadbalancing:DescribeLoadBalancers", request).await?;
    let assets = answer.load_balancers().iter().map(|item| {
        let mut found = asset(AwsType::LoadBalancer, item.load_balancer_arn().unwrap_or_default(), place);
        found.name = item.load_balancer_name().unwrap_or_default().into();
        found.created = time(item.created_time());
        with_facts(
            found,
            [
                ("state", said(item.state().and_then(|state| state.code()).map(|code| code.as_str()))),
                ("kind", said(item.r#type().map(|kind| kind.as_str()))),
                ("scheme", said(item.scheme().map(|scheme| scheme.as_str()))),
                ("dnsName", said(item.dns_name())),
                ("vpcId", said(item.vpc_id())),
            ],
        )
    });
    Ok((assets.collect(), said(answer.next_marker())))
}
