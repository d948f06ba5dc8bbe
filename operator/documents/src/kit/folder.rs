//! The grant kit of a folder of Google Cloud: one service account for all projects in it. And of a project that such a service account reads.

use std::collections::BTreeMap;

use caretaker_api::cloud_account::{CloudAccountSpec, GcpAccount};
use caretaker_api::parents::GcpFolder;
use caretaker_api::provider_profile::GcpProvider;
use caretaker_cloud::Purpose;
use caretaker_cloud::manifest::{Action, On, gcp_permissions};
use caretaker_core::grant::{member, service_account};
use caretaker_core::kit::gcp::TOKEN_CREATOR;
use caretaker_core::kit::parents::{LISTING, TELLING, folder_actions};

use super::Subject;
use crate::quote::{hcl, one_line, sh};

/// The kit's files by name.
pub(super) fn files(subject: &Subject<'_>, folder: &GcpFolder, provider: &GcpProvider) -> BTreeMap<String, String> {
    FolderKit { client: subject.client, folder, provider, spec: subject.spec }.files()
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
pub(super) fn project_files(client: &str, account: &GcpAccount) -> BTreeMap<String, String> {
    let email = service_account(&account.service_account_name, account.service_account_project());
    let actions = gcp_permissions(Purpose::Read).iter().filter(|action| action.on == On::Account);
    let (names, rows): (Vec<&str>, Vec<String>) =
        actions.map(|action| (action.name, format!("| {} | {} |\n", action.name, action.why))).unzip();
    let project = sh(&account.project_id);
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
        member = sh(&format!("serviceAccount:{email}")),
        rows = rows.concat(),
    );
    BTreeMap::from([("README.md".to_owned(), letter)])
}
