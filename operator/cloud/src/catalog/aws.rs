//! What is read on AWS: one row for each type in `types.rs`, and one cell for each type in every region or once for the account.
//!
//! Another type takes one row there; `services.rs` of the adapter says what else it takes.

use std::fmt;

use crate::asset::AssetType;
use crate::model::EVERYWHERE;

pub(in crate::catalog) mod import;
pub mod partition;
mod row;
mod types;

pub use row::{ArnOf, Indexed, Reach, Row, Tags};
pub use types::AwsType;

impl AwsType {
    /// The type in the words of all clouds.
    #[must_use]
    pub const fn asset_type(self) -> AssetType {
        self.row().asset_type
    }

    /// Service and part of its cells.
    #[must_use]
    pub const fn service(self) -> &'static str {
        self.row().service
    }

    /// AWS's own name of the type.
    #[must_use]
    pub const fn native_type(self) -> &'static str {
        self.row().native_type
    }

    /// The call that shows it.
    #[must_use]
    pub const fn operation(self) -> &'static str {
        self.row().operation
    }

    /// Whether one answer speaks for all regions of the account.
    #[must_use]
    pub const fn is_global(self) -> bool {
        matches!(self.row().reach, Reach::Account | Reach::Index)
    }

    /// Whether an index is read that AWS keeps of the services, and not their own lists: what it lacks may be there all the same.
    #[must_use]
    pub const fn is_of_an_index(self) -> bool {
        matches!(self.row().reach, Reach::Index)
    }

    /// The cells of an account, as region and type: each regional type in every region, the others once, [`EVERYWHERE`].
    #[must_use]
    pub fn cells<'a>(regions: impl IntoIterator<Item = &'a str>) -> Vec<(String, Self)> {
        let within = |region: &str, is_global: bool| -> Vec<(String, Self)> {
            Self::ALL.into_iter().filter(|kind| kind.is_global() == is_global).map(|kind| (region.to_owned(), kind)).collect()
        };
        let mut cells: Vec<_> = regions.into_iter().flat_map(|region| within(region, false)).collect();
        cells.extend(within(EVERYWHERE, true));
        cells
    }

    /// The type that a cell's service shows.
    #[must_use]
    pub fn of_service(service: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.service() == service)
    }

    /// The type that AWS names so.
    #[must_use]
    pub fn of_native_type(native_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.native_type() == native_type)
    }

    /// Whether a service's own list shows what Resource Explorer shows by this word under this ARN.
    #[must_use]
    pub fn lists_indexed(word: &str, arn: &str) -> bool {
        Self::ALL.into_iter().any(|kind| match kind.row().indexed {
            Indexed::As(known) => known == word,
            Indexed::Among(beginning, parts) => word.starts_with(beginning) && parts.iter().any(|part| arn.contains(part)),
            Indexed::Nowhere => false,
        })
    }
}

impl fmt::Display for AwsType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.service())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::asset::{Asset, Cloud};
    use crate::manifest::action::{Action, action};
    use crate::manifest::aws_actions;
    use crate::model::Purpose;

    /// What a row lacks, for a person.
    fn lacks(row: &Row) -> Vec<&'static str> {
        let words = |text: &str| !text.is_empty() && text.is_ascii();
        let is_arn = |parts: &str| parts.starts_with("arn:{partition}:") && parts.ends_with("{id}");
        let of_service = |name: &str| name.split_once(':').is_some_and(|(service, call)| words(service) && words(call));
        let checks = [
            (row.service.split('/').filter(|part| words(part)).count() == 2, "a service and a part of it as the name of its cell"),
            (row.native_type.split("::").count() == 3 && row.native_type.starts_with("AWS::"), "a native type such as AWS::EC2::Instance"),
            (words(row.plural), "what a person calls several of them"),
            (row.permissions.iter().any(|action| action.name == row.operation), "the permission for the call that shows it"),
            (row.permissions.iter().all(|action| of_service(action.name) && words(action.why)), "a reason for each permission"),
            (
                match row.indexed {
                    Indexed::As(word) => of_service(word),
                    Indexed::Among(word, parts) => of_service(word) && !parts.is_empty(),
                    Indexed::Nowhere => row.reach == Reach::Index || row.asset_type == AssetType::PatchState,
                },
                "its word in Resource Explorer",
            ),
            (!matches!(row.tags, Tags::Asked(ArnOf::Parts(parts)) if !is_arn(parts)), "what its ARN is made from"),
            (
                row.terraform.map_or(row.indexed == Indexed::Nowhere, |kind| kind.starts_with("aws_")),
                "its resource type in Terraform, without which it is in no import block",
            ),
        ];
        checks.into_iter().filter(|(is_there, _)| !is_there).map(|(_, lack)| lack).collect()
    }

    #[test]
    fn each_row_is_complete() {
        for kind in AwsType::ALL {
            assert_eq!(lacks(kind.row()), Vec::<&str>::new(), "{kind}");
        }
        const UNSAID: &[Action] = &[action("sqs:ListQueues", "")];
        let bare = Row {
            service: "sqs",
            native_type: "Queue",
            plural: "",
            permissions: UNSAID,
            indexed: Indexed::Nowhere,
            tags: Tags::Asked(ArnOf::Parts("arn:aws:sqs:{id}")),
            terraform: Some("queue"),
            ..*AwsType::Table.row()
        };
        assert_eq!(lacks(&bare).len(), 8, "{:?}", lacks(&bare));
        assert_eq!(lacks(&Row { terraform: None, ..*AwsType::Table.row() }).len(), 1);
    }

    #[test]
    fn no_two_types_have_the_same_names() {
        type Column = (&'static str, fn(&Row) -> String);
        let rows = AwsType::ALL.map(AwsType::row);
        let columns: [Column; 4] = [
            ("service", |row| row.service.into()),
            ("native type", |row| row.native_type.into()),
            ("plural", |row| row.plural.into()),
            ("operation", |row| row.operation.into()),
        ];
        for (column, of) in columns {
            assert_eq!(rows.iter().map(|row| of(row)).collect::<BTreeSet<_>>().len(), rows.len(), "{column}");
        }
        for kind in AwsType::ALL {
            assert_eq!(AwsType::of_service(kind.service()), Some(kind));
            assert_eq!(AwsType::of_native_type(kind.native_type()), Some(kind));
        }
        let words: Vec<&str> = rows.iter().filter_map(|row| if let Indexed::As(word) = row.indexed { Some(word) } else { None }).collect();
        assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len());
        let kinds: Vec<&str> = rows.iter().filter_map(|row| row.terraform).collect();
        assert_eq!(kinds.iter().collect::<BTreeSet<_>>().len(), kinds.len());
    }

    #[test]
    fn every_permission_of_a_row_is_in_the_manifest_for_reading() {
        for kind in AwsType::ALL {
            for action in kind.row().permissions {
                assert!(aws_actions(Purpose::Read).contains(action), "{kind} {}", action.name);
            }
        }
    }

    #[test]
    fn what_a_list_shows_is_told_by_its_word_or_its_arn() {
        for (word, arn, listed) in [
            ("ec2:instance", "", true),
            ("ec2:instances", "", false),
            ("iam:user", "", true),
            ("sqs:queue", "", false),
            ("elasticloadbalancing:loadbalancer", "arn:aws:elasticloadbalancing:r:1:loadbalancer/classic", false),
            ("elasticloadbalancing:loadbalancer", "arn:aws:elasticloadbalancing:r:1:loadbalancer/app/web/1", true),
            ("elasticloadbalancing:loadbalancer/net", "arn:aws:elasticloadbalancing:r:1:loadbalancer/net/web/1", true),
            ("elasticloadbalancing:targetgroup", "arn:aws:elasticloadbalancing:r:1:loadbalancer/app/web/1", false),
        ] {
            assert_eq!(AwsType::lists_indexed(word, arn), listed, "{word} {arn}");
        }
    }

    #[test]
    fn an_arn_is_the_id_a_fact_or_made_from_parts() {
        let table = Asset::new(Cloud::Aws, "1", "eu-west-1", AssetType::Database, "orders");
        let Tags::Asked(arn) = AwsType::Table.row().tags else { panic!("asked") };
        assert_eq!(arn.of(&table, "aws-cn").as_deref(), Some("arn:aws-cn:dynamodb:eu-west-1:1:table/orders"));
        assert_eq!(ArnOf::Id.of(&table, "aws-cn").as_deref(), Some("orders"));
        assert_eq!(ArnOf::Fact.of(&table, "aws-cn"), None, "it was not told");
    }
}
