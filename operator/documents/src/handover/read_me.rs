//! The read-me of the bundle: what it is, how it is opened, and what to do first.

use caretaker_api::handover::HandoverMode;
use caretaker_core::handover::contents::Inputs;

/// `00-READ-ME-FIRST.md`.
#[must_use]
pub fn text(inputs: &Inputs<'_>) -> String {
    let client = &inputs.client.spec;
    let provider = &inputs.profile.spec;
    let at = inputs.frozen.at.as_ref().map(|at| at.0.to_string()).unwrap_or_default();
    let signing = inputs.profile.status.as_ref().and_then(|status| status.signing.clone()).unwrap_or_default();
    let kind = match inputs.mode {
        HandoverMode::Rehearsal => "a REHEARSAL: nothing was revoked",
        HandoverMode::Final => "the final handover",
    };
    let accounts: String = inputs
        .readings
        .iter()
        .map(|reading| {
            let (assets, coverage) = reading
                .inventory
                .as_ref()
                .map_or((0, "Unknown".to_owned()), |inventory| (inventory.assets, inventory.coverage.text.clone()));
            format!("| {} | {assets} | {coverage} |\n", reading.account)
        })
        .collect();
    let contacts: String =
        provider.contacts.iter().map(|contact| format!("- {}: {}\n", line(&contact.name), line(&contact.email))).collect();
    format!(
        "# {name}: {kind}\n\n\
         Made by {provider} on {at} for {manager} ({email}).\n\
         {gaps} gap(s) are declared in `14-gaps.json`: read it before you rely on anything here.\n\n\
         ## Is it genuine and whole?\n\n\
         1. `minisign -Vm FILE -P {key}`; compare the key's fingerprint with the provider by telephone:\n   `{fingerprint}`\n\
         2. `age -d -i identity.txt FILE | zstd -d | tar x`\n\
         3. `bagit.py --validate FOLDER`\n\n\
         ## What is in it\n\n\
         | account | assets | cells read completely |\n| --- | --- | --- |\n{accounts}\n\
         - `01-contract`: what was agreed\n\
         - `02-inventory`: every asset, one JSON line each (`zstd -d`), and how complete the reading was\n\
         - `03-access`: every way in that the provider has, and the scripts that close it\n\
         - `04-iac`: Terraform or OpenTofu import blocks, and a report of what they leave out\n\
         - `05-monitoring`: rules, routes and targets as prometheus-operator objects\n\
         - `06-backup`: backup policies and what became of them in your accounts\n\
         - `names-index.json`, where there is one: the true names behind file names\n\n\
         ## The first 48 hours\n\n\
         1. Close the provider's access with the scripts in `03-access`, or see that it is closed.\n\
         2. Look at `14-gaps.json` and read again what is missing.\n\
         3. Restore one machine from a backup before you need it.\n\
         4. Apply `05-monitoring` in your own cluster and send its alerts to your own people.\n\
         5. Run `terraform plan -generate-config-out=generated.tf` with `04-iac/imports.tf`.\n\n\
         ## Who can be asked\n\n{contacts}",
        name = line(&client.display_name),
        provider = line(&provider.display_name),
        manager = line(&client.contacts.vendor_manager.name),
        email = line(&client.contacts.vendor_manager.email),
        gaps = inputs.gaps().len(),
        key = signing.public_key,
        fingerprint = signing.fingerprint,
    )
}

/// Text of a person on one line, so that it stays text.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
