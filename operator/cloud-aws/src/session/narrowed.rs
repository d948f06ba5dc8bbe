//! The policy of a session: the role's permissions cut down to what its purpose needs, as far as STS takes that.

use std::collections::BTreeMap;

use aws_sdk_sts::operation::assume_role::AssumeRoleOutput;
use caretaker_cloud::manifest::aws_actions;
use caretaker_cloud::{AwsGrant, Narrowing, Purpose, Result};
use serde_json::json;

use crate::session::assume::{enter, is_too_large};
use crate::session::shared::Shared;

/// Assumes a role for a purpose, under the narrowest policy that STS takes.
pub async fn enter_for(shared: &Shared, grant: &AwsGrant, purpose: Purpose) -> Result<AssumeRoleOutput> {
    let mut narrowing = shared.narrowings.of(purpose);
    loop {
        let answer = enter(shared, grant, policy(purpose, narrowing).as_deref()).await;
        match (&answer, wider(narrowing)) {
            (Err(error), Some(next)) if is_too_large(error) => {
                tracing::warn!(
                    ?purpose,
                    ?next,
                    "AWS takes no session policy of this size beside the session tags of the base credentials: {error}"
                );
                narrowing = next;
            }
            (Ok(_), _) if narrowing != shared.narrowings.of(purpose) => {
                shared.narrowings.put(purpose, narrowing);
                return answer;
            }
            _ => return answer,
        }
    }
}

const fn wider(narrowing: Narrowing) -> Option<Narrowing> {
    match narrowing {
        Narrowing::Purpose => Some(Narrowing::Families),
        Narrowing::Families => Some(Narrowing::Nothing),
        Narrowing::Nothing => None,
    }
}

/// The session policy of a purpose; `None` where there is none.
fn policy(purpose: Purpose, narrowing: Narrowing) -> Option<String> {
    let purposes: &[Purpose] = match purpose {
        Purpose::Backup => &[Purpose::Read, Purpose::Backup],
        Purpose::RestoreTest => &[Purpose::Read, Purpose::RestoreTest],
        Purpose::Read => &[Purpose::Read],
        Purpose::Revoke => &[Purpose::Revoke],
        Purpose::Members => &[Purpose::Members],
    };
    let exact: Vec<&str> = purposes.iter().flat_map(|purpose| aws_actions(*purpose)).map(|action| action.name).collect();
    let actions = match narrowing {
        Narrowing::Purpose => exact.into_iter().map(str::to_owned).collect(),
        Narrowing::Families => families(&exact),
        Narrowing::Nothing => return None,
    };
    Some(json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}).to_string())
}

/// The actions by service and first word: two of a kind stand as one, such as `ec2:Describe*`.
fn families(actions: &[&str]) -> Vec<String> {
    let mut by_family: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for action in actions {
        let verb = action.find(':').map_or(0, |colon| colon + 1);
        // The first word of the action's name ends where the second begins.
        let end = action[verb..].char_indices().skip(1).find(|(_, c)| c.is_ascii_uppercase()).map_or(action.len(), |(at, _)| verb + at);
        by_family.entry(&action[..end]).or_default().push(action);
    }
    let shown = |(family, members): (&str, Vec<&str>)| match members[..] {
        [one] => one.to_owned(),
        _ => format!("{family}*"),
    };
    by_family.into_iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PURPOSES: [Purpose; 5] = [Purpose::Read, Purpose::Backup, Purpose::RestoreTest, Purpose::Revoke, Purpose::Members];

    #[test]
    fn session_policies_fit_what_sts_takes_and_each_wider_one_is_smaller() {
        for purpose in PURPOSES {
            let [exact, families] = [Narrowing::Purpose, Narrowing::Families].map(|narrowing| policy(purpose, narrowing).unwrap().len());
            assert!(exact <= 2048 && families <= exact, "{purpose:?}: {exact} and {families}");
            assert!(policy(purpose, Narrowing::Nothing).is_none());
        }
        let [exact, families] = [Narrowing::Purpose, Narrowing::Families].map(|narrowing| policy(Purpose::Read, narrowing).unwrap().len());
        assert!(families * 2 < exact, "{families} of {exact}");
    }

    #[test]
    fn a_family_holds_every_action_that_it_stands_for_and_no_other_verb() {
        let actions = ["ec2:DescribeInstances", "ec2:DescribeVolumes", "s3:ListAllMyBuckets", "sts:SetSourceIdentity", "ec2:GetX"];
        assert_eq!(families(&actions), ["ec2:Describe*", "ec2:GetX", "s3:ListAllMyBuckets", "sts:SetSourceIdentity"]);
        for purpose in PURPOSES {
            let wide = policy(purpose, Narrowing::Families).unwrap();
            for action in aws_actions(purpose).iter().map(|action| action.name) {
                let is_in = wide.contains(&format!("\"{action}\"")) || {
                    let verb = action.find(':').unwrap() + 1;
                    let end = action[verb..]
                        .char_indices()
                        .skip(1)
                        .find(|(_, c)| c.is_ascii_uppercase())
                        .map_or(action.len(), |(at, _)| verb + at);
                    wide.contains(&format!("\"{}*\"", &action[..end]))
                };
                assert!(is_in, "{action} is not in {wide}");
            }
        }
    }
}
