//! The grant kits of parents: what the client applies once so that all accounts of an organisation, a tenant or a folder let the operator in.

use std::collections::BTreeMap;

use caretaker_api::cloud_account::{AwsAccount, Capability, CloudAccountSpec, CloudTarget, GcpAccount};
use caretaker_api::parents::{AwsOrganization, AzureTenant, GcpFolder};
use caretaker_api::provider_profile::{AwsProvider, AzureProvider, GcpProvider, ProviderProfileSpec};
use caretaker_cloud::manifest::{Action, On, aws_actions, azure_actions, gcp_permissions};
use caretaker_cloud::{AccessGrant, Purpose, WantedPermission};
use serde_json::{Value, json};

use super::{Kit, azure, hcl, purposes};
use crate::grant::{partition, source_identity};
use crate::kit_gcp::{TOKEN_CREATOR, member, one_line, service_account, shell};

/// Name of the StackSet that gives the role to the accounts of an organization.
pub const STACK_SET: &str = "caretaker-access";

/// APIs that list: the project of a folder's service account must have them on where no quota of the provider's pays.
const LISTING: [&str; 2] = ["cloudasset.googleapis.com", "cloudresourcemanager.googleapis.com"];
/// APIs that tell whether something is really gone: that project must have them on whoever pays for the lists.
pub const TELLING: [&str; 16] = [
    "iam.googleapis.com",
    "compute.googleapis.com",
    "storage.googleapis.com",
    "container.googleapis.com",
    "sqladmin.googleapis.com",
    "cloudkms.googleapis.com",
    "run.googleapis.com",
    "cloudfunctions.googleapis.com",
    "spanner.googleapis.com",
    "alloydb.googleapis.com",
    "bigtableadmin.googleapis.com",
    "redis.googleapis.com",
    "firestore.googleapis.com",
    "secretmanager.googleapis.com",
    "logging.googleapis.com",
    "backupdr.googleapis.com",
];

/// Account id that stands in the members' template until CloudFormation puts each account's own in its place.
const ANY_ACCOUNT: &str = "000000000000";

/// What a parent's own grant is for: listing, and ending our access where that is allowed.
#[must_use]
pub fn parent_purposes(spec: &CloudAccountSpec) -> Vec<Purpose> {
    let revokes = purposes(&spec.allow).into_iter().filter(|purpose| *purpose == Purpose::Revoke);
    std::iter::once(Purpose::Members).chain(revokes).collect()
}

/// All that an account's or a parent's grant covers.
#[must_use]
pub fn wanted(spec: &CloudAccountSpec, grant: &AccessGrant) -> Vec<WantedPermission> {
    match grant {
        AccessGrant::Aws(held) if spec.target.is_parent() => parent_purposes(spec)
            .into_iter()
            .flat_map(aws_actions)
            .map(|action| WantedPermission { resource: super::resource(action, &held.role_arn, ""), action: action.name.to_owned() })
            .collect(),
        AccessGrant::AzureTenant(_) => Vec::new(),
        AccessGrant::GcpFolder(held) => {
            let resource = |on: On| if on == On::Account { "*".to_owned() } else { held.service_account.clone() };
            let of = |action: &Action| WantedPermission { resource: resource(action.on), action: action.name.to_owned() };
            folder_actions(spec).map(of).collect()
        }
        _ => super::wanted(&spec.allow, grant),
    }
}

/// What a folder's grant is for: listing, and all that the grant of a project in it is for, since it is granted once for all of them.
fn folder_actions(spec: &CloudAccountSpec) -> impl Iterator<Item = &'static Action> {
    std::iter::once(Purpose::Members).chain(purposes(&spec.allow)).flat_map(gcp_permissions)
}

/// The kit's files by name. `None`: it is an account of a kind that has an ordinary kit, or the provider is not on its cloud.
pub(super) fn files(
    (client, name): (&str, &str),
    spec: &CloudAccountSpec,
    provider: &ProviderProfileSpec,
) -> Option<BTreeMap<String, String>> {
    match &spec.target {
        CloudTarget::AwsOrganization(organization) => {
            let (provider, external_id) = (provider.aws.as_ref()?, organization.external_id.as_deref()?);
            OrganizationKit { organization, provider, spec, external_id }.files((client, name))
        }
        CloudTarget::AzureTenant(tenant) => Some(tenant_files(client, tenant, provider.azure.as_ref()?, &provider.display_name)),
        CloudTarget::GcpFolder(folder) => Some(FolderKit { client, folder, provider: provider.gcp.as_ref()?, spec }.files()),
        CloudTarget::Gcp(gcp) if gcp.service_account_project() != gcp.project_id => {
            provider.gcp.as_ref().map(|_| project_files(client, gcp))
        }
        CloudTarget::Aws(_) | CloudTarget::Azure(_) | CloudTarget::Gcp(_) => None,
    }
}

struct OrganizationKit<'a> {
    organization: &'a AwsOrganization,
    provider: &'a AwsProvider,
    spec: &'a CloudAccountSpec,
    external_id: &'a str,
}

impl OrganizationKit<'_> {
    fn files(&self, (client, name): (&str, &str)) -> Option<BTreeMap<String, String>> {
        let lister = self.organization.lister();
        let of_parent = self.kit(&lister, parent_purposes(self.spec));
        let any = self.organization.member(ANY_ACCOUNT, Some(self.external_id));
        let of_members = self.kit(&any, purposes(&self.spec.allow));
        let mut template: Value = serde_json::from_str(&of_members.cloudformation()).ok()?;
        own_account(&mut template);
        Some(BTreeMap::from([
            ("README.md".to_owned(), self.letter((client, name), &of_members)),
            ("caretaker-organization.cfn.json".to_owned(), of_parent.cloudformation() + "\n"),
            ("caretaker-organization.tf".to_owned(), of_parent.terraform()),
            ("caretaker-members.cfn.json".to_owned(), serde_json::to_string_pretty(&template).unwrap_or_default() + "\n"),
        ]))
    }

    fn kit<'b>(&'b self, account: &'b AwsAccount, purposes: Vec<Purpose>) -> Kit<'b> {
        Kit { account, provider: self.provider, external_id: self.external_id, purposes }
    }

    /// How the members' template gets into each account.
    fn stack_set(&self) -> String {
        // A role is the same in every region: one region of the partition is enough.
        let region = match partition(&self.provider.principal_arn) {
            "aws-cn" => "cn-north-1",
            "aws-us-gov" => "us-gov-west-1",
            _ => "us-east-1",
        };
        let excluded = &self.organization.exclude;
        let (filter, beside) = if excluded.is_empty() {
            (String::new(), "")
        } else {
            let beside = "The last command leaves out the accounts that were agreed to be excluded. One of them that moves to another unit later may be\n\
                          given the role by the automatic deployment; delete its stack instance then.\n\n";
            (format!(",AccountFilterType=DIFFERENCE,Accounts={}", excluded.join(",")), beside)
        };
        format!(
            "An organization that has made no such StackSet before lets CloudFormation into its accounts once, in the management account:\n\n    \
             aws cloudformation activate-organizations-access\n\n\
             Only where a delegated administrator's account is to hold the StackSet: register it for StackSets, in the management account too,\n\
             and write `DELEGATED_ADMIN` in place of `SELF` in the two commands after it:\n\n    \
             aws organizations register-delegated-administrator --account-id DELEGATED-ACCOUNT-ID \\\n      \
             --service-principal member.org.stacksets.cloudformation.amazonaws.com\n\n\
             Then make a StackSet of `caretaker-members.cfn.json`, with permissions managed by the service and deployed automatically, so that\n\
             accounts that come later have the role as well:\n\n    \
             aws cloudformation create-stack-set --call-as SELF --stack-set-name {STACK_SET} --permission-model SERVICE_MANAGED \\\n      \
             --auto-deployment Enabled=true,RetainStacksOnAccountRemoval=false --capabilities CAPABILITY_NAMED_IAM \\\n      \
             --region {region} --template-body file://caretaker-members.cfn.json\n    \
             aws cloudformation create-stack-instances --call-as SELF --stack-set-name {STACK_SET} --region {region} --regions {region} \\\n      \
             --deployment-targets OrganizationalUnitIds=ROOT-OR-UNIT-ID{filter}\n\n{beside}"
        )
    }

    fn letter(&self, (client, name): (&str, &str), of_members: &Kit<'_>) -> String {
        let row = |role: &str, action: &Action| format!("| `{role}` | {} | {} |\n", action.name, action.why);
        let organization = self.organization;
        let lister_rows = parent_purposes(self.spec).into_iter().flat_map(aws_actions).map(|action| row(&organization.role_name, action));
        let member_rows =
            of_members.purposes.iter().flat_map(|purpose| aws_actions(*purpose)).map(|action| row(&organization.member_role_name, action));
        let rows: String = lister_rows.chain(member_rows).collect();
        let beside = if self.spec.allow.contains(&Capability::Revoke) {
            "and close itself: it can change its own trust policy and take away its own permissions, and nothing else"
        } else {
            "and do nothing else"
        };
        format!(
            "# Access to the AWS Organization of {client}\n\n\
             Two steps, both with the same ExternalId `{external_id}`. It is one for the whole organization, since a StackSet gives every account the\n\
             same template; it keeps {client} apart from the provider's other clients.\n\n\
             ## 1. List the accounts\n\n\
             In account {lister}, the management account or a delegated administrator's, apply ONE of the two files:\n\n\
             - `aws cloudformation deploy --stack-name caretaker-organization --capabilities CAPABILITY_NAMED_IAM --template-file caretaker-organization.cfn.json`\n\
             - `terraform apply` with `caretaker-organization.tf`\n\n\
             It makes the role `{role}`, which can list the accounts {beside}. An account that is neither the\n\
             management account nor a delegated administrator is not allowed to list them, whatever its role says.\n\n\
             ## 2. Let the accounts be read\n\n\
             {stack_set}\n\
             A StackSet never reaches the management account itself. Where it is to be read too, deploy the same template there as an ordinary stack;\n\
             where it is not, ask the provider to exclude it. Each account that has no role yet is shown as one that waits for its grant; the others do\n\
             not wait for it.\n\n\
             It makes the role `{member_role}` in each account, which only `{principal}` may assume. To end the access at any time, delete the stack\n\
             instances and both stacks.\n\n\
             Every call of ours stands in your audit log under the SourceIdentity of the object of ours that acted: `{source}` for the listing, and one\n\
             that ends with `@{client}` for each account. Once a week attempts without and with a wrong ExternalId are made on purpose, in each account,\n\
             each without and with the SourceIdentity, and up to three principals that lead into other clients' accounts try with the right one. They\n\
             must all fail, and stand there as failed `AssumeRole` events.\n\n\
             | role | action | why |\n| --- | --- | --- |\n{rows}",
            external_id = self.external_id,
            stack_set = self.stack_set(),
            lister = organization.account_id,
            role = organization.role_name,
            member_role = organization.member_role_name,
            principal = self.provider.principal_arn,
            source = source_identity(client, name),
        )
    }
}

/// Puts each account's own id where the template names one: CloudFormation fills it in.
fn own_account(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(own_account),
        Value::Array(list) => list.iter_mut().for_each(own_account),
        Value::String(text) if text.contains(ANY_ACCOUNT) => *value = json!({"Fn::Sub": text.replace(ANY_ACCOUNT, "${AWS::AccountId}")}),
        _ => {}
    }
}

fn tenant_files(client: &str, tenant: &AzureTenant, provider: &AzureProvider, provider_name: &str) -> BTreeMap<String, String> {
    let delegation = azure::Delegation {
        client: client.to_owned(),
        provider: provider_name.to_owned(),
        // The template names none: it delegates the subscription that it is deployed to.
        subscription_id: String::new(),
        tenant_id: provider.tenant_id.to_ascii_lowercase(),
        principal_id: provider.principal_id.to_ascii_lowercase(),
    };
    let mut files = azure::files(&delegation);
    files.retain(|name, _| name == "caretaker-access.azure.json");
    let home = tenant.tenant_id.to_ascii_lowercase();
    let named: Vec<String> = tenant.subscription_ids.iter().map(|id| id.to_ascii_lowercase()).collect();
    let list = if named.is_empty() {
        format!("$(az account list --all --query \"[?homeTenantId=='{home}' && state=='Enabled'].id\" --output tsv)")
    } else {
        named.join(" ")
    };
    files.insert(
        "caretaker-delegate.sh".to_owned(),
        format!(
            "#!/bin/sh\n\
             # Delegates subscriptions of the tenant {home} to the managed service provider, one by one: Azure knows no other way.\n\
             # Needs the az command, signed in as Owner of each, a member of the tenant and not a guest. Safe to run again.\n\
             set -eu\n\n\
             for subscription in {list}; do\n  \
             az provider register --namespace Microsoft.ManagedServices --subscription \"$subscription\" --wait\n  \
             az deployment sub create --subscription \"$subscription\" --location westeurope --name caretaker-access \\\n    \
             --template-file caretaker-access.azure.json\n\
             done\n"
        ),
    );
    let actions: String = [Purpose::Read, Purpose::Revoke]
        .into_iter()
        .flat_map(azure_actions)
        .map(|action| format!("| {} | {} |\n", action.name, action.why))
        .collect();
    files.insert(
        "README.md".to_owned(),
        format!(
            "# Access to the subscriptions of tenant {home} for {client}\n\n\
             Azure Lighthouse delegates subscriptions one by one, never a tenant or a management group. So the same template is deployed to each\n\
             subscription, by somebody with the role Owner on it who is a member of the tenant and not a guest:\n\n\
             - `sh caretaker-delegate.sh` does it for {what}. Run it again when one is added.\n\
             - Or, so that later ones of a management group are delegated unaided: assign a policy with the effect deployIfNotExists at the group,\n  \
             with `caretaker-access.azure.json` as its deployment (deploymentScope subscription) and the existence condition\n  \
             `Microsoft.ManagedServices/registrationDefinitions/managedByTenantId` equal to `{ours}`. Microsoft's sample is\n  \
             `policy-delegate-management-groups` in the repository Azure/Azure-Lighthouse-samples.\n\n\
             What is delegated appears with the provider at its next look, unaided. What is not, is not seen: each subscription has a delegation of\n\
             its own, and can be taken back alone. Each shows its own kit and its own proof.\n\n\
             To end the access at any time: in the portal under Service providers, or `az managedservices assignment delete`, for each.\n\n\
             | action that is used | why |\n| --- | --- |\n{actions}",
            what = if named.is_empty() { "every subscription of the tenant that you see" } else { "the subscriptions that were agreed" },
            ours = delegation.tenant_id,
        ),
    );
    files
}

struct FolderKit<'a> {
    client: &'a str,
    folder: &'a GcpFolder,
    provider: &'a GcpProvider,
    spec: &'a CloudAccountSpec,
}

impl FolderKit<'_> {
    fn files(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("README.md".to_owned(), self.letter()), ("caretaker-access.tf".to_owned(), self.terraform())])
    }

    /// APIs that the client enables: a call without a quota project is one of the project that holds the service account, whatever project it is about.
    fn apis(&self) -> Vec<&'static str> {
        let listing: &[&str] = if self.provider.quota_project.is_some() { &[] } else { &LISTING };
        [listing, &TELLING].concat()
    }

    fn email(&self) -> String {
        service_account(&self.folder.service_account_name, &self.folder.service_account_project_id)
    }

    /// What is granted on the folder, or on our own service account.
    fn actions(&self, on_account: bool) -> Vec<&'static Action> {
        folder_actions(self.spec).filter(|action| (action.on != On::Account) == on_account).collect()
    }

    fn terraform(&self) -> String {
        let (project, folder) = (hcl(&self.folder.service_account_project_id), hcl(&format!("folders/{}", self.folder.folder_id)));
        let permissions = |actions: Vec<&Action>| -> String {
            actions.iter().map(|action| format!("    {}, # {}\n", hcl(action.name), action.why)).collect()
        };
        let mut text = format!(
            "# First, where your organisation restricts domains: allow the provider's directory customer id {customer} in the constraint\n\
             # iam.allowedPolicyMemberDomains for project {named}.\n\n\
             data \"google_folder\" \"scope\" {{\n  folder = {folder}\n  lookup_organization = true\n}}\n\n\
             resource \"google_service_account\" \"caretaker\" {{\n  project = {project}\n  account_id = {account}\n  display_name = {display}\n}}\n\n\
             # A folder takes roles of the organisation only, none of a project.\n\
             resource \"google_organization_iam_custom_role\" \"caretaker_folder\" {{\n  \
             org_id = trimprefix(data.google_folder.scope.organization, \"organizations/\")\n  role_id = {of_folder}\n  \
             title = \"Caretaker: listing and reading\"\n  permissions = [\n{on_folder}  ]\n}}\n\n\
             resource \"google_folder_iam_member\" \"caretaker_folder\" {{\n  folder = {folder}\n  \
             role = google_organization_iam_custom_role.caretaker_folder.name\n  \
             member = \"serviceAccount:${{google_service_account.caretaker.email}}\"\n}}\n\n\
             resource \"google_service_account_iam_member\" \"provider\" {{\n  service_account_id = google_service_account.caretaker.name\n  \
             role = {creator}\n  member = {member}\n}}\n",
            customer = one_line(self.provider.customer_id.as_deref().unwrap_or("(ask the provider for it)")),
            named = one_line(&self.folder.service_account_project_id),
            of_folder = hcl(&format!("caretakerFolder_{}", self.folder.folder_id)),
            account = hcl(&self.folder.service_account_name),
            display = hcl(&format!("Access of the managed service provider for {}", self.client)),
            on_folder = permissions(self.actions(false)),
            creator = hcl(TOKEN_CREATOR),
            member = hcl(&member(&self.provider.principal)),
        );
        if !self.actions(true).is_empty() {
            text.push_str(&format!(
                "\nresource \"google_project_iam_custom_role\" \"caretaker_self\" {{\n  project = {project}\n  role_id = {of_account}\n  \
                 title = \"Caretaker: its own service account\"\n  permissions = [\n{}  ]\n}}\n\n\
                 resource \"google_service_account_iam_member\" \"caretaker_self\" {{\n  service_account_id = google_service_account.caretaker.name\n  \
                 role = google_project_iam_custom_role.caretaker_self.name\n  \
                 member = \"serviceAccount:${{google_service_account.caretaker.email}}\"\n}}\n",
                permissions(self.actions(true)),
                of_account = hcl(&format!("caretakerSelf_{}", self.folder.folder_id)),
            ));
        }
        for (index, api) in self.apis().iter().enumerate() {
            text.push_str(&format!(
                "\nresource \"google_project_service\" \"caretaker_{index}\" {{\n  project = {project}\n  service = {}\n  disable_on_destroy = false\n}}\n",
                hcl(api),
            ));
        }
        text
    }

    fn letter(&self) -> String {
        let rows: String = folder_actions(self.spec).map(|action| format!("| {} | {} |\n", action.name, action.why)).collect();
        let paying = match &self.provider.quota_project {
            Some(project) => format!("The lists are paid for by the provider's project {}, all other calls", one_line(project)),
            None => "Calls are paid for".to_owned(),
        };
        let paying = format!(
            "{paying}\n\
             by project {}, which holds the service account, so these APIs are enabled in it: {}.",
            one_line(&self.folder.service_account_project_id),
            self.apis().join(", "),
        );
        format!(
            "# Access to folder {folder} for {client}\n\n\
             Once, as somebody who may make roles of the organisation and grant them on the folder: `terraform apply` with `caretaker-access.tf`.\n\
             Where your organisation restricts domains, the step at the head of the file comes first.\n\n\
             It makes one service account, `{email}`, of which only `{member}` may make tokens, and one role of the organisation that is granted to\n\
             it on folder {folder}. All projects of the folder and of the folders in it are covered, and those that come later. {paying}\n\n\
             To end the access at any time, delete the service account.\n\n\
             | permission | why |\n| --- | --- |\n{rows}",
            folder = self.folder.folder_id,
            client = one_line(self.client),
            email = self.email(),
            member = one_line(&member(&self.provider.principal)),
        )
    }
}

/// A project whose service account is in another project: only the grant on the project is missing, and a folder's kit gives it to all at once.
fn project_files(client: &str, account: &GcpAccount) -> BTreeMap<String, String> {
    let email = service_account(&account.service_account_name, account.service_account_project());
    let actions = gcp_permissions(Purpose::Read).iter().filter(|action| action.on == On::Account);
    let (names, rows): (Vec<&str>, Vec<String>) =
        actions.map(|action| (action.name, format!("| {} | {} |\n", action.name, action.why))).unzip();
    let project = shell(&account.project_id);
    let letter = format!(
        "# Access to project {id} for {client}\n\n\
         The service account `{email}` reads this project. Where the kit of the folder is applied, nothing is left to do here; where this project alone\n\
         is to be read, as somebody who may make roles in it:\n\n    \
         gcloud iam roles create caretakerAccess --project={project} --title='Caretaker: reading' --permissions={permissions}\n    \
         gcloud projects add-iam-policy-binding {project} --member={member} --role=projects/{id}/roles/caretakerAccess --condition=None\n\n\
         | permission | why |\n| --- | --- |\n{rows}",
        id = account.project_id,
        client = one_line(client),
        permissions = names.join(","),
        member = shell(&format!("serviceAccount:{email}")),
        rows = rows.concat(),
    );
    BTreeMap::from([("README.md".to_owned(), letter)])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn provider() -> ProviderProfileSpec {
        serde_json::from_value(json!({
            "displayName": "Care", "contacts": [],
            "aws": {"principalArn": "arn:aws:iam::999999999999:user/caretaker"},
            "azure": {"tenantId": "AAAAAAAA-1111-4222-8333-444444444444", "clientId": "c", "principalId": "p"},
            "gcp": {"projectId": "provider-project", "principal": "caretaker@provider-project.iam.gserviceaccount.com"},
        }))
        .unwrap()
    }

    fn spec(target: Value, allow: &[&str]) -> CloudAccountSpec {
        let mut spec = target;
        spec["allow"] = json!(allow);
        serde_json::from_value(spec).unwrap()
    }

    fn organization(allow: &[&str]) -> CloudAccountSpec {
        spec(json!({"awsOrganization": {"accountId": "111122223333", "externalId": "abc123"}}), allow)
    }

    fn statements(template: &Value) -> Vec<(Value, String)> {
        let policies = template["Resources"]["CaretakerAccess"]["Properties"]["Policies"].as_array().unwrap();
        policies
            .iter()
            .flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap())
            .flat_map(|statement| {
                let actions = statement["Action"].as_array().unwrap().iter();
                actions.map(|action| (statement["Resource"].clone(), action.as_str().unwrap().to_owned()))
            })
            .collect()
    }

    #[test]
    fn the_lister_can_list_and_the_members_can_be_read_in_any_account() {
        let spec = organization(&["Backup", "Revoke"]);
        let files = super::super::files(("acme", "org"), &spec, &provider()).unwrap();
        let of_parent: Value = serde_json::from_str(&files["caretaker-organization.cfn.json"]).unwrap();
        let grant = crate::grant::grant("acme", "org", &spec, &provider()).unwrap();
        let mut granted: Vec<WantedPermission> = statements(&of_parent)
            .into_iter()
            .map(|(resource, action)| WantedPermission { resource: resource.as_str().unwrap().into(), action })
            .collect();
        let mut asked = wanted(&spec, &grant);
        granted.sort();
        asked.sort();
        assert_eq!(granted, asked);
        assert!(!granted.iter().any(|granted| granted.action.starts_with("ec2:")), "the lister reads no assets");

        let of_members: Value = serde_json::from_str(&files["caretaker-members.cfn.json"]).unwrap();
        let actions: BTreeSet<String> = statements(&of_members).into_iter().map(|(_, action)| action).collect();
        let manifest: BTreeSet<String> =
            purposes(&spec.allow).into_iter().flat_map(aws_actions).map(|action| action.name.to_owned()).collect();
        assert_eq!(actions, manifest);
        assert!(!files["caretaker-members.cfn.json"].contains(ANY_ACCOUNT), "no account id is fixed");
        let own_role = json!({"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/CaretakerAccess"});
        assert!(statements(&of_members).iter().any(|(resource, _)| *resource == own_role));
        for template in [of_parent, of_members] {
            let trust = &template["Resources"]["CaretakerAccess"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0];
            assert_eq!(trust["Condition"]["StringEquals"]["sts:ExternalId"], "abc123");
        }
    }

    #[test]
    fn the_stack_set_is_made_in_the_partition_and_not_in_excluded_accounts() {
        let mut spec = organization(&[]);
        let mut provider = provider();
        let letter = |spec: &CloudAccountSpec, provider: &ProviderProfileSpec| {
            super::super::files(("acme", "org"), spec, provider).unwrap()["README.md"].clone()
        };
        let plain = letter(&spec, &provider);
        let activate = plain.find("activate-organizations-access").unwrap();
        assert!(activate < plain.find("create-stack-set").unwrap() && plain.contains("DELEGATED_ADMIN"), "{plain}");
        assert!(plain.contains("--regions us-east-1") && !plain.contains("AccountFilterType"), "{plain}");
        let CloudTarget::AwsOrganization(organization) = &mut spec.target else { panic!("{:?}", spec.target) };
        organization.exclude = vec!["222222222222".into(), "333333333333".into()];
        let targets = "OrganizationalUnitIds=ROOT-OR-UNIT-ID,AccountFilterType=DIFFERENCE,Accounts=222222222222,333333333333\n";
        assert!(letter(&spec, &provider).contains(targets));
        for (partition, region) in [("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")] {
            provider.aws.as_mut().unwrap().principal_arn = format!("arn:{partition}:iam::999999999999:user/caretaker");
            let letter = letter(&spec, &provider);
            assert!(letter.contains(&format!("--regions {region}")) && !letter.contains("us-east-1"), "{letter}");
        }
    }

    #[test]
    fn the_letter_says_what_the_lister_can_do_beside_listing() {
        let letter = |allow: &[&str]| super::super::files(("acme", "org"), &organization(allow), &provider()).unwrap()["README.md"].clone();
        assert!(letter(&[]).contains("can list the accounts and do nothing else."));
        let closes = letter(&["Revoke"]);
        assert!(closes.contains("change its own trust policy") && !closes.contains("do nothing else"), "{closes}");
    }

    #[test]
    fn an_organization_without_its_external_id_has_no_kit() {
        let spec = spec(json!({"awsOrganization": {"accountId": "111122223333"}}), &[]);
        assert!(super::super::files(("acme", "org"), &spec, &provider()).is_none());
    }

    #[test]
    fn the_tenant_kit_goes_through_the_subscriptions_one_by_one() {
        let named = spec(json!({"azureTenant": {"tenantId": "T", "subscriptionIds": ["AA", "BB"]}}), &[]);
        let files = super::super::files(("acme", "org"), &named, &provider()).unwrap();
        assert!(files["caretaker-delegate.sh"].contains("for subscription in aa bb; do"), "{}", files["caretaker-delegate.sh"]);
        let template: Value = serde_json::from_str(&files["caretaker-access.azure.json"]).unwrap();
        assert_eq!(template["resources"].as_array().unwrap().len(), 2);
        let all = spec(json!({"azureTenant": {"tenantId": "T"}}), &[]);
        let files = super::super::files(("acme", "org"), &all, &provider()).unwrap();
        assert!(files["caretaker-delegate.sh"].contains("homeTenantId=='t'"));
        assert!(files["README.md"].contains("deployIfNotExists"));
    }

    #[test]
    fn the_folder_kit_grants_what_is_tested_and_nothing_else() {
        let spec = spec(json!({"gcpFolder": {"folderId": "77", "serviceAccountProjectId": "acme-seed"}}), &["Revoke"]);
        let files = super::super::files(("acme", "org"), &spec, &provider()).unwrap();
        let body = hcl::parse(&files["caretaker-access.tf"]).unwrap();
        let granted: BTreeSet<String> = body
            .blocks()
            .filter(|block| block.labels()[0].as_str().ends_with("_iam_custom_role"))
            .flat_map(|block| block.body().attributes().find(|attribute| attribute.key() == "permissions").cloned())
            .flat_map(|attribute| match attribute.expr {
                hcl::Expression::Array(list) => list,
                _ => Vec::new(),
            })
            .map(|permission| permission.to_string().trim_matches('"').to_owned())
            .collect();
        let grant = crate::grant::grant("acme", "folder", &spec, &provider()).unwrap();
        let asked: BTreeSet<String> = wanted(&spec, &grant).into_iter().map(|wanted| wanted.action).collect();
        assert_eq!(granted, asked);
    }

    #[test]
    fn two_folders_of_one_organisation_have_roles_of_their_own() {
        let ids = |folder: &str| -> BTreeSet<String> {
            let spec = spec(json!({"gcpFolder": {"folderId": folder, "serviceAccountProjectId": "acme-seed"}}), &["Revoke"]);
            let files = super::super::files(("acme", "org"), &spec, &provider()).unwrap();
            let body = hcl::parse(&files["caretaker-access.tf"]).unwrap();
            let ids = body.blocks().flat_map(|block| block.body().attributes()).filter(|attribute| attribute.key() == "role_id");
            ids.map(|attribute| attribute.expr.to_string().trim_matches('"').to_owned()).collect()
        };
        let (one, other) = (ids("77"), ids("12345678901234567890"));
        assert_eq!((one.len(), other.len(), one.intersection(&other).count()), (2, 2, 0), "{one:?} {other:?}");
        let is_legal =
            |id: &String| (3..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
        assert!(one.iter().chain(&other).all(is_legal), "{one:?} {other:?}");
    }

    #[test]
    fn the_project_of_the_service_account_has_the_apis_on_that_it_pays_for() {
        let spec = spec(json!({"gcpFolder": {"folderId": "77", "serviceAccountProjectId": "acme-seed"}}), &[]);
        let mut provider = provider();
        let files = super::super::files(("acme", "org"), &spec, &provider).unwrap();
        let body = hcl::parse(&files["caretaker-access.tf"]).unwrap();
        let services: Vec<&hcl::Block> = body.blocks().filter(|block| block.labels()[0].as_str() == "google_project_service").collect();
        assert_eq!(services.len(), LISTING.len() + TELLING.len());
        for block in services {
            let of = |key: &str| block.body().attributes().find(|attribute| attribute.key() == key).unwrap().expr.to_string();
            assert_eq!((of("project").as_str(), of("disable_on_destroy").as_str()), ("\"acme-seed\"", "false"));
        }
        let letter = &files["README.md"];
        assert!(letter.contains("project acme-seed, which holds the service account") && letter.contains(LISTING[0]), "{letter}");
        provider.gcp.as_mut().unwrap().quota_project = Some("provider-quota".into());
        let files = super::super::files(("acme", "org"), &spec, &provider).unwrap();
        let (terraform, letter) = (&files["caretaker-access.tf"], &files["README.md"]);
        assert_eq!(terraform.matches("google_project_service\"").count(), TELLING.len(), "the lists are paid for elsewhere");
        assert!(!terraform.contains(LISTING[0]) && letter.contains("provider-quota") && letter.contains(TELLING[1]), "{letter}");
    }

    #[test]
    fn the_provider_lets_a_folder_s_account_use_its_quota_once() {
        let folder = spec(json!({"gcpFolder": {"folderId": "77", "serviceAccountProjectId": "acme-seed"}}), &[]);
        let mut member = folder.clone();
        member.target = folder.target.member("acme-shop", None).unwrap();
        let mut provider = provider();
        assert_eq!(super::super::provider_command(&folder, &provider), None, "each project pays itself");
        provider.gcp.as_mut().unwrap().quota_project = Some("provider-quota".into());
        let command = super::super::provider_command(&folder, &provider).unwrap();
        assert!(command.contains("'provider-quota' --member='serviceAccount:caretaker@acme-seed.iam.gserviceaccount.com'"), "{command}");
        assert_eq!(super::super::provider_command(&member, &provider), Some(command), "the service account is the same");
        assert_eq!(super::super::provider_command(&organization(&[]), &provider), None);
    }

    #[test]
    fn a_project_of_a_folder_names_the_folders_service_account() {
        let parent: CloudTarget =
            serde_json::from_value(json!({"gcpFolder": {"folderId": "77", "serviceAccountProjectId": "acme-seed"}})).unwrap();
        let mut member = spec(json!({"gcp": {"projectId": "x-project"}}), &[]);
        member.target = parent.member("acme-shop", None).unwrap();
        let files = super::super::files(("acme", "org"), &member, &provider()).unwrap();
        assert!(files["README.md"].contains("caretaker@acme-seed.iam.gserviceaccount.com"), "{}", files["README.md"]);
        let grant = crate::grant::grant("acme", "m", &member, &provider()).unwrap();
        let AccessGrant::Gcp(grant) = grant else { panic!("{grant:?}") };
        assert_eq!(
            (grant.project_id.as_str(), grant.service_account.as_str()),
            ("acme-shop", "caretaker@acme-seed.iam.gserviceaccount.com")
        );
    }
}
