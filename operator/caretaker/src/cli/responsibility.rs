//! `responsibility`: who does what of the frameworks that a client asked for.

use std::io::Write;

use anyhow::bail;
use caretaker_api::compliance::{Framework, Responsible};
use caretaker_api::{ManagedClient, ProviderProfile};
use caretaker_core::handover::parts::responsibility as part;
use caretaker_core::responsibility::{Held, Matrix, compile, oscal};
use clap::ValueEnum;
use kube::{Api, ResourceExt};

use super::cluster::{ClusterArgs, connect, explain};
use super::output::{json, paragraph, table_within, width};

/// Form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// For people.
    #[default]
    Table,
    /// For spreadsheets, as in the bundle.
    Csv,
    /// For machines, as in the bundle.
    Json,
    /// One component definition of OSCAL.
    Oscal,
}

/// Which client, and what of it.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the ManagedClient.
    client: String,
    /// One framework of spec.compliance, such as `PciDss4`; without it all of them.
    #[arg(long, value_parser = framework)]
    framework: Option<Framework>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: Shape,
    #[command(flatten)]
    cluster: ClusterArgs,
}

fn framework(text: &str) -> Result<Framework, String> {
    let found = Framework::ALL.into_iter().find(|framework| framework.as_str().eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("there is no framework {text}: take one of {}", Framework::ALL.map(Framework::as_str).join(", ")))
}

/// Answers.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let kube = connect(&args.cluster).await?;
    let client = Api::<ManagedClient>::all(kube.clone()).get(&args.client).await.map_err(explain)?;
    let matrices = asked(&client, args.framework)?;
    match args.output {
        Shape::Table => out!("{}", told(&client, &matrices, width())),
        // Lines end as RFC 4180 has them, and no cell holds what could speak to the terminal.
        Shape::Csv => drop(std::io::stdout().lock().write_all(part::sheet(&client.spec, &matrices).as_bytes())),
        Shape::Json => json(&part::json(&client.spec, &matrices))?,
        Shape::Oscal if matrices.is_empty() => bail!("{}", nothing(&client)),
        Shape::Oscal => {
            let profile = match Api::<ProviderProfile>::all(kube).get_opt(&client.spec.provider_profile).await {
                Ok(found) => found,
                // Who may read a client need not be allowed to read who the provider is: then its profile's name stands for it.
                Err(kube::Error::Api(status)) if status.code == 403 => None,
                Err(error) => return Err(explain(error)),
            };
            json(&oscal::document(&client, profile.as_ref(), &matrices))?;
        }
    }
    Ok(())
}

fn asked(client: &ManagedClient, only: Option<Framework>) -> anyhow::Result<Vec<Matrix>> {
    let mut matrices = compile(&client.spec, &Held::by(client));
    if let Some(framework) = only {
        matrices.retain(|matrix| matrix.list.framework == framework);
        if matrices.is_empty() {
            bail!("spec.compliance.frameworks of {} does not name {}: add it", client.name_any(), framework.as_str());
        }
    }
    Ok(matrices)
}

fn nothing(client: &ManagedClient) -> String {
    format!("{} asks for no framework: name some in spec.compliance.frameworks, such as {}", client.name_any(), Framework::PciDss4.as_str())
}

fn told(client: &ManagedClient, matrices: &[Matrix], width: usize) -> String {
    let mut text = String::new();
    for matrix in matrices {
        let count = |responsible| matrix.count(responsible);
        let (provider, own) = (count(Responsible::Provider), count(Responsible::Client));
        let (cloud, joint) = (count(Responsible::Cloud), count(Responsible::Joint));
        let of = format!("{} controls: provider {provider}, client {own}, cloud {cloud}, several {joint}", matrix.rows.len());
        text += &paragraph("", &format!("{}, {of}", matrix.list.title), width);
        if let Some(partial) = matrix.list.partial {
            text += &paragraph("", &format!("Not whole: {partial}."), width);
        }
        text.push('\n');
        let rows = matrix.rows.iter().map(|row| vec![row.control.into(), row.done_by(), row.work.into()]);
        text += &table_within(&["CONTROL", "DONE BY", "ABOUT"], &rows.collect::<Vec<_>>(), width);
        text.push('\n');
    }
    if matrices.is_empty() {
        text += &paragraph("", &nothing(client), width);
        return text;
    }
    text += &paragraph("", "Accountable for all of it is the client. It says who does the work, not that it is done.", width);
    text + &format!("Next: kubectl caretaker responsibility {} -o csv has evidence and notes\n", client.name_any())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn client(frameworks: &[Framework]) -> ManagedClient {
        let compliance = (!frameworks.is_empty()).then(|| json!({"frameworks": frameworks}));
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme"},
            "spec": {
                "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}}, "accounts": [],
                "exit": {"recipients": ["age1"]}, "compliance": compliance,
            },
        }))
        .unwrap()
    }

    #[test]
    fn every_framework_fits_80_columns_as_a_table() {
        for framework in Framework::ALL {
            let client = client(&[framework]);
            let text = told(&client, &asked(&client, None).unwrap(), 80);
            assert!(text.lines().any(|line| line.starts_with("CONTROL ")), "records instead of a table: {text}");
            let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
            assert_eq!(long, [""; 0]);
        }
    }

    #[test]
    fn one_framework_can_be_asked_for_and_only_one_that_the_client_has() {
        let client = client(&[Framework::Hipaa, Framework::PciDss4]);
        assert_eq!(asked(&client, Some(Framework::PciDss4)).unwrap().len(), 1);
        let error = asked(&client, Some(Framework::NistCsf2)).unwrap_err().to_string();
        assert!(error.contains("does not name NistCsf2: add it"), "{error}");
        assert_eq!(framework("pcidss4"), Ok(Framework::PciDss4));
        assert!(framework("ISO27001").unwrap_err().contains("FedRampRev5"));
        let none = super::tests::client(&[]);
        assert!(told(&none, &[], 80).contains("spec.compliance.frameworks"));
    }
}
