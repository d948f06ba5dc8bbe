//! The grant kit for Google Cloud: what the client applies so that the operator gets in. Made from the same permission manifest that the
//! operator checks.
//!
//! One service account for each client, in the client's own project: Google Cloud knows no ExternalId, so what separates clients is whom
//! each one's service account trusts. It holds two custom roles with the manifest's permissions and nothing else.

use std::collections::BTreeMap;

use caretaker_cloud::Purpose;
use caretaker_cloud::manifest::{Action, On, gcp_permissions};
use caretaker_core::grant::service_account;
use caretaker_core::kit::gcp::{APIS, TOKEN_CREATOR};
use serde_json::{Value, json};

use crate::quote::sh;
use crate::template::render;

/// What a kit is made from.
#[derive(Clone, Copy, Debug)]
pub struct GcpKit<'a> {
    /// Name of the client.
    pub client: &'a str,
    /// Id of the client's project.
    pub project_id: &'a str,
    /// Name of the service account within the project: 6 to 30 characters.
    pub account_name: &'a str,
    /// The provider's principal as IAM writes members, see [`caretaker_core::grant::member`].
    pub member: &'a str,
    /// The provider's project whose quota pays; without one the client's own does.
    pub quota_project: Option<&'a str>,
    /// The provider's directory customer id, such as `C0abc123`, for clients whose organisation restricts domains.
    pub customer_id: Option<&'a str>,
    /// What the access is for.
    pub purposes: &'a [Purpose],
}

/// A custom role with the permissions of some purposes.
struct Role {
    /// Its id within the project.
    id: &'static str,
    /// Its name in Terraform.
    label: &'static str,
    title: &'static str,
    actions: Vec<Action>,
    /// Whether it is granted on the service account only.
    on_account: bool,
}

impl Role {
    fn value(self) -> Value {
        let names: Vec<&str> = self.actions.iter().map(|action| action.name).collect();
        let actions: Vec<Value> = self.actions.iter().map(|action| json!({"name": action.name, "why": action.why})).collect();
        json!({
            "id": self.id, "label": self.label, "title": self.title, "on_account": self.on_account, "names": names, "actions": actions,
        })
    }
}

impl GcpKit<'_> {
    /// The kit's files by name.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, String> {
        let context = json!({
            "client": self.client,
            "project": self.project_id,
            "account": self.account_name,
            "email": self.email(),
            "member": self.member,
            "quota_project": self.quota_project,
            "display": format!("Access of the managed service provider for {}", self.client),
            "domain_step": self.domain_step(),
            "apis": self.apis(),
            "creator": TOKEN_CREATOR,
            "roles": self.roles(),
        });
        ["README.md", "caretaker-access.tf", "caretaker-access.sh"]
            .into_iter()
            .map(|name| (name.to_owned(), render(&format!("kit/gcp/{name}"), &context)))
            .collect()
    }

    fn email(&self) -> String {
        service_account(self.account_name, self.project_id)
    }

    fn roles(&self) -> Vec<Value> {
        let actions = |on_account: bool| {
            let all = self.purposes.iter().flat_map(|purpose| gcp_permissions(*purpose));
            all.filter(|action| (action.on != On::Account) == on_account).copied().collect::<Vec<_>>()
        };
        let roles = [
            Role {
                id: "caretakerAccess",
                label: "caretaker_access",
                title: if self.purposes.contains(&Purpose::Backup) { "Caretaker: reading and backups" } else { "Caretaker: reading" },
                actions: actions(false),
                on_account: false,
            },
            Role {
                id: "caretakerSelf",
                label: "caretaker_self",
                title: "Caretaker: its own service account",
                actions: actions(true),
                on_account: true,
            },
        ];
        roles.into_iter().filter(|role| !role.actions.is_empty()).map(Role::value).collect()
    }

    /// What an organisation that restricts domains must do first. One line for each line of text.
    fn domain_step(&self) -> Vec<String> {
        let customer = self.customer_id.unwrap_or("(ask the provider for it)");
        vec![
            "First, where your organisation restricts domains (organisations made since May 2024 do so by default):".to_owned(),
            format!("as an administrator of organisation policies, allow the provider's directory customer id {customer}"),
            format!("for project {} in the constraint iam.allowedPolicyMemberDomains, for example with", self.project_id),
            format!(
                "  gcloud resource-manager org-policies allow iam.allowedPolicyMemberDomains {} --project={}",
                sh(customer),
                sh(self.project_id)
            ),
            "Without it the binding for the provider's principal fails with \"do not belong to a permitted customer\".".to_owned(),
        ]
    }

    /// APIs that the client enables.
    fn apis(&self) -> &'static [&'static str] {
        if self.quota_project.is_some() { &[] } else { &APIS }
    }

    /// See [`provider_command`].
    #[must_use]
    pub fn provider_command(&self) -> Option<String> {
        Some(provider_command(self.quota_project?, &self.email()))
    }
}

/// What the provider does itself, once for each client: lets the client's service account use the project whose quota pays.
#[must_use]
pub fn provider_command(quota_project: &str, email: &str) -> String {
    let (project, member) = (sh(quota_project), sh(&format!("serviceAccount:{email}")));
    let role = "roles/serviceusage.serviceUsageConsumer";
    format!("gcloud projects add-iam-policy-binding {project} --member={member} --role={role} --condition=None")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use caretaker_cloud::GcpGrant;
    use caretaker_core::kit::gcp::wanted;
    use hcl::eval::{Context, Evaluate};

    use super::*;

    const ALL: [Purpose; 2] = [Purpose::Read, Purpose::Revoke];
    const HOSTILE: &str = "a'b\"c$(touch /tmp/owned)`x`${y}%{z}\n}\nresource \"evil\" \"x\" {}\n# \\";

    fn kit(purposes: &[Purpose]) -> GcpKit<'_> {
        GcpKit {
            client: "acme",
            project_id: "acme-prod",
            account_name: "caretaker-acme",
            member: "serviceAccount:caretaker@provider.iam.gserviceaccount.com",
            quota_project: Some("provider-quota"),
            customer_id: Some("C0abc123"),
            purposes,
        }
    }

    fn hostile() -> GcpKit<'static> {
        let (client, member) = (HOSTILE, HOSTILE);
        GcpKit {
            client,
            member,
            project_id: HOSTILE,
            account_name: HOSTILE,
            quota_project: None,
            customer_id: Some(HOSTILE),
            purposes: &ALL,
        }
    }

    fn blocks(text: &str) -> Vec<hcl::Block> {
        let body = hcl::parse(text).unwrap();
        assert_eq!(body.attributes().count(), 0);
        body.blocks().cloned().collect()
    }

    fn attribute(block: &hcl::Block, name: &str) -> Option<hcl::Value> {
        let found = block.body.attributes().find(|attribute| attribute.key() == name)?;
        found.expr.evaluate(&Context::new()).ok()
    }

    /// The commands that a script runs, by a `gcloud` that notes its words and has nothing yet.
    fn run(script: &str) -> (Vec<Vec<String>>, String) {
        let gcloud = "gcloud() { case \"$*\" in *describe*) return 1;; esac\n\
                      for word in \"$@\"; do printf '<%s>\\036' \"$word\" >&2; done; printf '\\035' >&2; }\n";
        let output = Command::new("sh").args(["-c", &format!("{gcloud}{script}")]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let noted = String::from_utf8(output.stderr).unwrap();
        let word = |word: &str| word.trim_start_matches('<').strip_suffix('>').map(str::to_owned).unwrap();
        let commands = noted.split('\u{1d}').filter(|command| !command.is_empty());
        let commands = commands.map(|command| command.split('\u{1e}').filter(|text| !text.is_empty()).map(word).collect());
        (commands.collect(), String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    fn both_files_grant_the_manifest_and_nothing_else() {
        let grant = GcpGrant {
            client: "acme".into(),
            project_id: "acme-prod".into(),
            service_account: service_account("caretaker-acme", "acme-prod"),
        };
        for purposes in [vec![Purpose::Read], ALL.to_vec(), vec![Purpose::Read, Purpose::Backup, Purpose::Revoke]] {
            let files = kit(&purposes).files();
            let mut wanted: Vec<String> = wanted(&purposes, &grant).into_iter().map(|wanted| wanted.action).collect();
            wanted.sort();
            let roles = blocks(&files["caretaker-access.tf"]).into_iter().filter_map(|block| attribute(&block, "permissions"));
            let mut terraform: Vec<String> = roles
                .flat_map(|list| list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>())
                .collect();
            terraform.sort();
            assert_eq!(terraform, wanted);
            let (commands, _) = run(&files["caretaker-access.sh"]);
            let words = commands.iter().flatten();
            let mut script: Vec<String> =
                words.filter_map(|word| word.strip_prefix("--permissions=")).flat_map(|list| list.split(',').map(str::to_owned)).collect();
            script.sort();
            assert_eq!(script, wanted);
            for name in &wanted {
                assert!(files["README.md"].contains(name.as_str()), "{name}");
            }
        }
    }

    #[test]
    fn leaving_reaches_our_own_service_account_only() {
        let grant = GcpGrant {
            client: "acme".into(),
            project_id: "acme-prod".into(),
            service_account: "sa@acme-prod.iam.gserviceaccount.com".into(),
        };
        let on: Vec<String> = wanted(&[Purpose::Revoke], &grant).into_iter().map(|wanted| wanted.resource).collect();
        assert_eq!(on, ["sa@acme-prod.iam.gserviceaccount.com"]);
        let (commands, _) = run(&kit(&ALL).files()["caretaker-access.sh"]);
        let on_project: Vec<_> = commands.iter().filter(|words| words[0] == "projects").collect();
        assert_eq!(on_project.len(), 1);
        assert!(on_project[0].iter().any(|word| word == "--role=projects/acme-prod/roles/caretakerAccess"), "{on_project:?}");
    }

    #[test]
    fn the_step_for_restricted_domains_comes_before_the_bindings() {
        let files = kit(&ALL).files();
        for (name, binding) in
            [("caretaker-access.tf", "_iam_member"), ("caretaker-access.sh", "add-iam-policy-binding"), ("README.md", "terraform apply")]
        {
            let text = &files[name];
            let step = text.find("iam.allowedPolicyMemberDomains").unwrap_or_else(|| panic!("{name}"));
            assert!(step < text.find(binding).unwrap() && text.contains("C0abc123"), "{name}");
        }
        let (_, shown) = run(&files["caretaker-access.sh"]);
        assert!(
            shown.contains("gcloud resource-manager org-policies allow iam.allowedPolicyMemberDomains 'C0abc123' --project='acme-prod'"),
            "{shown}"
        );
    }

    #[test]
    fn no_value_leaves_its_place_in_the_script() {
        let (commands, _) = run(&hostile().files()["caretaker-access.sh"]);
        let email = service_account(HOSTILE, HOSTILE);
        assert!(commands.iter().flatten().any(|word| *word == format!("--member={HOSTILE}")));
        assert!(commands.iter().flatten().any(|word| *word == format!("--project={HOSTILE}")));
        assert!(commands.iter().flatten().any(|word| *word == format!("--member=serviceAccount:{email}")));
        assert!(commands.iter().all(|words| ["services", "iam", "projects"].contains(&words[0].as_str())), "{commands:?}");
        assert_eq!(commands.len(), 7, "{commands:?}");
    }

    #[test]
    fn no_value_leaves_its_place_in_terraform() {
        let blocks = blocks(&hostile().files()["caretaker-access.tf"]);
        let kinds: Vec<&str> = blocks.iter().map(|block| block.labels[0].as_str()).collect();
        assert!(kinds.iter().all(|kind| kind.starts_with("google_")), "{kinds:?}");
        assert_eq!(kinds.len(), 10, "{kinds:?}");
        let provider = blocks.iter().find(|block| block.labels[1].as_str() == "provider").unwrap();
        assert_eq!(attribute(provider, "member").unwrap().as_str(), Some(HOSTILE));
        let account = blocks.iter().find(|block| block.labels[0].as_str() == "google_service_account").unwrap();
        assert_eq!(attribute(account, "account_id").unwrap().as_str(), Some(HOSTILE));
    }

    #[test]
    fn the_provider_lets_the_account_use_its_quota() {
        let command = kit(&ALL).provider_command().unwrap();
        let (commands, _) = run(&command);
        assert_eq!(commands[0][2], "provider-quota");
        assert_eq!(commands[0][3], "--member=serviceAccount:caretaker-acme@acme-prod.iam.gserviceaccount.com");
        assert_eq!(hostile().provider_command(), None);
    }
}
