//! The partitions of AWS: which regions are theirs, and where what is in no region is managed.

/// A partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its name in ARNs.
    pub name: &'static str,
    /// A region that each of its accounts has, where the provider manages what is in none.
    pub home: &'static str,
    /// What the names of its hosts end with.
    pub domain: &'static str,
    /// What its regions begin with.
    beginnings: &'static [&'static str],
}

/// Every partition, with the beginnings of its regions. One whose regions begin as those of another do stands before it.
/// Source: <https://github.com/aws/aws-sdk-go-v2/blob/main/internal/endpoints/awsrulesfn/partitions.json>
const PARTITIONS: [Partition; 8] = [
    partition("aws-cn", "cn-north-1", "amazonaws.com.cn", &["cn-"]),
    partition("aws-us-gov", "us-gov-west-1", "amazonaws.com", &["us-gov-"]),
    partition("aws-iso", "us-iso-east-1", "c2s.ic.gov", &["us-iso-"]),
    partition("aws-iso-b", "us-isob-east-1", "sc2s.sgov.gov", &["us-isob-"]),
    partition("aws-iso-e", "eu-isoe-west-1", "cloud.adc-e.uk", &["eu-isoe-"]),
    partition("aws-iso-f", "us-isof-south-1", "csp.hci.ic.gov", &["us-isof-"]),
    partition("aws-eusc", "eusc-de-east-1", "amazonaws.eu", &["eusc-de-"]),
    partition("aws", "us-east-1", "amazonaws.com", &["us-", "eu-", "ap-", "sa-", "ca-", "me-", "af-", "il-", "mx-"]),
];

const fn partition(name: &'static str, home: &'static str, domain: &'static str, beginnings: &'static [&'static str]) -> Partition {
    Partition { name, home, domain, beginnings }
}

/// The partition that a region is in; `None` of what looks like no region of any.
#[must_use]
pub fn of_region(region: &str) -> Option<&'static Partition> {
    let is_rest = |rest: &str| {
        rest.split_once('-').is_some_and(|(word, number)| {
            !word.is_empty()
                && word.bytes().all(|byte| byte.is_ascii_lowercase())
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let holds = |of: &&Partition| of.beginnings.iter().any(|beginning| region.strip_prefix(beginning).is_some_and(is_rest));
    PARTITIONS.iter().find(holds)
}

/// The partition that an ARN names.
#[must_use]
pub fn of_arn(arn: &str) -> Option<&'static Partition> {
    let (name, _) = arn.strip_prefix("arn:")?.split_once(':')?;
    PARTITIONS.iter().find(|of| of.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_of_one_partition_or_none() {
        for (region, name) in [
            ("eu-west-1", Some("aws")),
            ("us-east-1", Some("aws")),
            ("ap-southeast-7", Some("aws")),
            ("us-gov-east-1", Some("aws-us-gov")),
            ("cn-northwest-1", Some("aws-cn")),
            ("us-iso-west-1", Some("aws-iso")),
            ("us-isob-east-1", Some("aws-iso-b")),
            ("eusc-de-east-1", Some("aws-eusc")),
            ("all", None),
            ("EU", None),
            ("europe", None),
            ("eu-west", None),
            ("eu-west-x", None),
            ("us-east-1a", None),
            ("", None),
        ] {
            assert_eq!(of_region(region).map(|of| of.name), name, "{region}");
        }
        for of in PARTITIONS {
            assert_eq!(of_region(of.home), Some(&of), "its own home");
        }
        assert_eq!(of_arn("arn:aws-us-gov:iam::1:user/caretaker").map(|of| of.home), Some("us-gov-west-1"));
        assert_eq!(of_arn("arn:nowhere:iam::1:user/caretaker"), None);
    }
}
