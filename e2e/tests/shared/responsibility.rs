//! F51 to F56: who does what, control by control, as it leaves in a bundle. OSCAL's own models judge the component definitions, Python's reader the tables.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use caretaker_e2e::{Client, Lab, PATIENCE, lab};
use caretaker_testkit::process::run;
use caretaker_testkit::python;
use serde_json::{Value, json};

const REGION: &str = "eu-west-1";
const FRAMEWORKS: [&str; 5] = ["NistCsf2", "Nist800171", "PciDss4", "Hipaa", "FedRampRev5"];
/// A note that a spreadsheet would take for a formula.
const FORMULA: &str = "=HYPERLINK(\"http://x.example\")";

fn given(framework: &str, control: &str, responsible: &str, note: &str) -> Value {
    json!({"framework": framework, "control": control, "responsible": responsible, "note": note})
}

fn document(client: &Client, overrides: &Value) -> Value {
    let mut document = client.document();
    document["spec"]["deliveryModel"] = json!("CoManaged");
    document["spec"]["domains"] = json!([{"name": "Backup", "authority": "Provider"}, {"name": "Network", "authority": "Client"}]);
    document["spec"]["compliance"] = json!({"frameworks": FRAMEWORKS, "overrides": overrides});
    document["spec"]["externalServices"] = json!([{
        "name": "domain registrar", "owner": "Provider", "model": "SaaS", "renewal": "2099-12-31", "exitStep": "move the names to the client's registrar",
    }]);
    document
}

/// What cannot work is refused at admission, with the cure.
fn what_cannot_work_is_refused(lab: &Lab) -> Result<()> {
    let one = |framework: &str, control: &str| json!([given(framework, control, "Client", "ours")]);
    let client = Client::new("uncharted", "200000002502", REGION);
    let twice = json!([given("PciDss4", "8.3", "Client", "a"), given("PciDss4", "8.3", "Provider", "b")]);
    let mut absent = document(&client, &one("PciDss4", "8.3"));
    absent["spec"]["compliance"]["frameworks"] = json!(["Hipaa"]);
    let mut staff = client.document();
    staff["spec"]["accounts"][0]["allow"] = json!(["Revoke"]);
    staff["spec"]["deliveryModel"] = json!("StaffAugmentation");
    staff["spec"]["compliance"] = json!({"frameworks": FRAMEWORKS, "overrides": [given("PciDss4", "8.3", "Joint", "x")]});
    for (document, words) in [
        (document(&client, &twice), "Duplicate value"),
        (document(&client, &one("FedRampRev5", "ac-2.1")), "written such as AC-2"),
        (document(&client, &one("Nist800171", "03.01.01")), "written such as 3.8.9"),
        (document(&client, &one("NistCsf2", "PR.DS-3")), "written such as PR.DS-11"),
        (document(&client, &one("Hipaa", "308(a)(1)")), "written such as 164.308"),
        (document(&client, &json!([given("PciDss4", "8.3", "Client", " ")])), "say in a sentence why"),
        (absent, "add the framework"),
        (staff, "the provider is responsible for nothing"),
    ] {
        let told = lab.kubectl.apply(&document.to_string()).map_or_else(|error| format!("{error:#}"), |_| "it was taken".into());
        ensure!(told.contains(words), "{words}: {told}");
    }
    Ok(())
}

/// Opens every bundle of a client, the oldest first.
fn opened(lab: &Lab, client: &Client, folder: &Path) -> Result<Vec<PathBuf>> {
    let key = lab.kubectl.get(&["pprof", "default"])?["status"]["signing"]["publicKey"].as_str().context("a public key")?.to_owned();
    let identity = tempfile::NamedTempFile::new()?;
    std::fs::write(identity.path(), &client.identity)?;
    let handovers = lab.kubectl.get(&["handovers", "-n", &format!("client-{}", client.name), "--sort-by=.metadata.creationTimestamp"])?;
    let mut bags = Vec::new();
    for (number, handover) in handovers["items"].as_array().into_iter().flatten().enumerate() {
        let address = handover["status"]["bundle"]["address"].as_str().context("the bundle has an address")?;
        let (sealed, into) = (lab.installed.volume("store").join(address).display().to_string(), folder.join(number.to_string()));
        let (identity, into_text) = (identity.path().display().to_string(), into.display().to_string());
        lab.plugin(&["bundle", "open", &sealed, "--public-key", &key, "--identity", &identity, "--into", &into_text])?;
        let found = run(Command::new("find").arg(&into).args(["-type", "d", "-name", "data"]))?;
        bags.push(PathBuf::from(found.lines().next().context("the bundle has a folder data")?));
    }
    Ok(bags)
}

/// Reads a component definition with the models of OSCAL, and finds UUIDs that stand twice.
const OSCAL: &str = r#"
import pathlib, sys
from trestle.core.duplicates_validator import DuplicatesValidator
from trestle.oscal.component import ComponentDefinition
for path in sys.argv[1:]:
    read = ComponentDefinition.oscal_read(pathlib.Path(path))
    assert DuplicatesValidator().model_is_valid(read, True), path
    for component in read.components:
        for implementation in component.control_implementations:
            print(pathlib.Path(path).stem, len(implementation.implemented_requirements))
"#;

/// Reads a table as any program does.
const TABLE: &str = r"
import csv, json, sys
rows = list(csv.DictReader(open(sys.argv[1], newline='', encoding='utf-8'), strict=True))
json.dump(rows, sys.stdout)
";

fn oscal_is_oscal(part: &Path) -> Result<()> {
    let python = python::environment("oscal")?;
    let files =
        ["fedramp-rev5-moderate", "hipaa", "nist-800-171", "nist-csf-2", "pci-dss-4"].map(|name| part.join(format!("oscal/{name}.json")));
    let judge = |files: &[PathBuf]| run(Command::new(&python).args(["-c", OSCAL]).args(files));
    let told = judge(&files)?;
    let counts: Vec<&str> = told.lines().filter(|line| line.split(' ').count() == 2).collect();
    ensure!(counts == ["fedramp-rev5-moderate 181", "hipaa 70", "nist-800-171 110", "nist-csf-2 106", "pci-dss-4 70"], "{told}");
    // The judge is none that takes everything: an id that begins with a digit, and a UUID twice.
    let text = std::fs::read_to_string(&files[2])?;
    let uuid = |text: &str| text.split("\"uuid\": \"").skip(1).map(|rest| rest[..36].to_owned()).collect::<Vec<_>>();
    let (first, last) = (uuid(&text)[2].clone(), uuid(&text).last().context("a UUID")?.clone());
    for broken in [text.replace("sp800-171-3.1.1\"", "3.1.1\""), text.replace(&last, &first)] {
        ensure!(broken != text, "nothing was broken");
        let path = part.join("broken.json");
        std::fs::write(&path, broken)?;
        ensure!(judge(std::slice::from_ref(&path)).is_err(), "the judge took a broken document");
        std::fs::remove_file(path)?;
    }
    Ok(())
}

fn tables_are_whole(part: &Path) -> Result<()> {
    let python = python::environment("oscal")?;
    let read = |name: &str| -> Result<Vec<Value>> {
        Ok(serde_json::from_str(&run(Command::new(&python).args(["-c", TABLE]).arg(part.join(name)))?)?)
    };
    let rows = read("matrix.csv")?;
    ensure!(rows.len() == 7 + 537, "{} rows", rows.len());
    for row in &rows {
        let cells: Vec<&str> = row.as_object().into_iter().flatten().filter_map(|(_, cell)| cell.as_str()).collect();
        ensure!(cells.len() == 12 && cells.iter().all(|cell| !cell.trim().is_empty()), "an empty cell: {row}");
        ensure!(cells.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "a formula: {row}");
        ensure!(row["accountable"].as_str().is_some_and(|who| who.eq_ignore_ascii_case("client")), "{row}");
    }
    let find = |reference: &str| rows.iter().find(|row| row["reference"] == reference).with_context(|| format!("no {reference}"));
    ensure!(find("NIST CSF 2.0 PR.DS-11")?["responsible"] == "Provider" && find("NIST CSF 2.0 PR.IR-01")?["responsible"] == "Client");
    ensure!(find("FedRAMP rev5 Moderate PE-13")?["responsible"] == "Cloud", "{}", find("FedRAMP rev5 Moderate PE-13")?);
    let incidents = find("PCI DSS 4.0 12.10")?;
    ensure!(
        incidents["responsible"] == "Client" && incidents["by and note"].as_str().is_some_and(|note| note.contains(FORMULA)),
        "{incidents}"
    );
    let pci = read("pci-responsibility.csv")?;
    ensure!(pci.len() == 70 && pci.iter().all(|row| row.to_string().contains("\"yes\"")), "{pci:?}");
    Ok(())
}

/// A cell that names evidence names something that is there.
fn evidence_exists(data: &Path) -> Result<()> {
    let rows: Vec<Value> = serde_json::from_slice(&std::fs::read(data.join("10-responsibility/matrix.json"))?)?;
    let named: BTreeSet<&str> = rows.iter().filter(|row| row.get("control").is_some()).filter_map(|row| row["evidence"].as_str()).collect();
    let paths: Vec<&&str> = named.iter().filter(|path| !path.starts_with("none")).collect();
    ensure!(paths.len() >= 8, "{named:?}");
    for path in paths {
        ensure!(data.join(path).exists(), "{path} is evidence and is not in the bundle");
    }
    Ok(())
}

#[test]
fn who_does_what_leaves_control_by_control_and_oscal_reads_it() -> Result<()> {
    let lab = lab();
    what_cannot_work_is_refused(lab)?;
    let client = Client::new("chartered", "200000002501", REGION);
    let mc = ["mc", "chartered"];
    // What only the lists know is refused by the operator, with what is most like it.
    lab.kubectl.apply(&document(&client, &json!([given("PciDss4", "8.9", "Client", "ours")])).to_string())?;
    let said = lab.condition(&mc, "Ready", "False", "InvalidSpec")?;
    ensure!(said.contains("spec.compliance.overrides[0].control") && said.contains("8.1"), "{said}");
    let overrides = json!([given("PciDss4", "12.10", "Client", FORMULA), given("FedRampRev5", "AC-2", "Client", "their own directory")]);
    lab.kubectl.apply(&document(&client, &overrides).to_string())?;
    lab.grant(&client)?;
    lab.kubectl.wait(&["mc/chartered"], "condition=Ready", PATIENCE).with_context(|| lab.log())?;
    let said = lab.condition(&mc, "ResponsibilityAssigned", "True", "Settled")?;
    ensure!(said.contains("106 controls of NIST CSF 2.0") && said.contains("181 controls"), "{said}");
    let counts = lab.kubectl.get(&mc)?["status"]["responsibility"]["frameworks"].clone();
    ensure!(counts[1]["controls"] == 110 && counts.as_array().is_some_and(|counts| counts.len() == 5), "{counts}");

    let table = lab.plugin(&["responsibility", "chartered", "--framework", "PciDss4"])?;
    ensure!(table.contains("12.9.2") && !table.contains("PR.DS") && table.lines().all(|line| line.chars().count() <= 100), "{table}");
    let told = lab.plugin(&["responsibility", "chartered", "--framework", "Hipaa", "-o", "oscal"])?;
    let told: Value = serde_json::from_str(&told)?;

    for _ in 0..2 {
        lab.plugin(&["exit", "chartered", "--wait"])?;
    }
    let folder = tempfile::tempdir()?;
    let bags = opened(lab, &client, folder.path())?;
    ensure!(bags.len() == 2, "{bags:?}");
    let part = bags[0].join("10-responsibility");
    oscal_is_oscal(&part)?;
    tables_are_whole(&part)?;
    evidence_exists(&bags[0])?;
    // A client that has not changed gives the same text again.
    for name in ["matrix.csv", "matrix.json", "pci-responsibility.csv", "oscal/hipaa.json", "oscal/fedramp-rev5-moderate.json"] {
        let (one, other) = (part.join(name), bags[1].join("10-responsibility").join(name));
        ensure!(std::fs::read(&one)? == std::fs::read(&other)?, "{name} differs: {}", run(Command::new("diff").arg(one).arg(other))?);
    }
    let services = std::fs::read_to_string(bags[0].join("02-inventory/external-services.json"))?;
    let first_steps = std::fs::read_to_string(bags[0].join("00-READ-ME-FIRST.md"))?;
    ensure!(services.contains("domain registrar") && first_steps.contains("move the names to the client"), "{services} {first_steps}");
    let deadlines = lab.plugin(&["closing", "chartered"])?;
    ensure!(deadlines.contains("domain registrar") && deadlines.contains("2099-12-31"), "{deadlines}");
    let delivered: Value = serde_json::from_slice(&std::fs::read(part.join("oscal/hipaa.json"))?)?;
    let first = |of: &Value| {
        of["component-definition"]["components"][0]["control-implementations"][0]["implemented-requirements"][0]["uuid"].clone()
    };
    ensure!(first(&told).is_string() && first(&told) == first(&delivered), "the plugin's ids are not the bundle's");
    Ok(())
}
