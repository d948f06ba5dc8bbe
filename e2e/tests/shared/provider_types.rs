//! That the resource types and arguments which the bundle's code names are those of the real providers: as the bindings of Terraform's CDK have them, which are
//! made from the providers' own schemas.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use caretaker_cloud::catalog::import::resources;
use caretaker_testkit::process::{hold, run};
use caretaker_testkit::{cache, node, source_root};
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

/// The bindings: provider, version and SHA-512 of the package. Only names are kept of them.
const BINDINGS: [(&str, &str, &str); 3] = [
    (
        "aws",
        "21.22.1",
        "06e48779a40550bf65df7a41cc83114fb71343af4033698bb628e3b5e08f8554119afba1ba3f4bbdfca67fb92700c858a804faf8bae5b3d8e21955bf52cdf3ad",
    ),
    (
        "azurerm",
        "14.23.1",
        "dc7db43b38fb74e2a6223ea6aa8ac76448cb368e703bf3011151f0bba939ddf967ff411c88641af6c0cb5816126f4a38d187298a1f65169fe4e921916c595056",
    ),
    (
        "google",
        "16.12.1",
        "2aa340ff9462153d3baf43d267aff4edc276cc449481b8f525c8558f6d620450595546c3fb9efcc40fe4f1eabfaf471bc8480b9a0f5e616795b256986a1e0309",
    ),
];

/// What a provider has.
struct Known {
    resources: BTreeSet<String>,
    arguments: BTreeSet<String>,
}

/// The names, from the cache, or from the package where it was never fetched in this version.
fn known((provider, version, digest): (&str, &str, &str)) -> Result<Known> {
    let file = cache().join("cdktf").join(format!("{provider}-{version}-{}.json", &digest[..12]));
    let _held = hold(&file.with_extension("lock"))?;
    if !file.exists() {
        let names = fetch(provider, version, digest)?;
        let aside = file.with_extension("new");
        std::fs::write(&aside, names.to_string())?;
        std::fs::rename(aside, &file)?;
    }
    let names: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    let list = |name: &str| -> Result<BTreeSet<String>> { Ok(serde_json::from_value(names[name].clone())?) };
    Ok(Known { resources: list("resources")?, arguments: list("arguments")? })
}

fn fetch(provider: &str, version: &str, digest: &str) -> Result<Value> {
    eprintln!("fetching @cdktf/provider-{provider} {version} (once)");
    let folder = tempfile::tempdir()?;
    let package = format!("@cdktf/provider-{provider}@{version}");
    run(node::command("npm")?.args(["pack", "--silent", &package]).current_dir(folder.path()))?;
    let file = std::fs::read_dir(folder.path())?.next().context("npm packs one file")??.path();
    let found: String = Sha512::digest(std::fs::read(&file)?).iter().map(|byte| format!("{byte:02x}")).collect();
    ensure!(found == digest, "{package} is not what it was: {found}");
    // Line by line: unpacked it has some 200 MB. Data sources have the names of the resources that they show.
    let lines = |members: &str, wanted: &str| -> Result<String> {
        let script = r#"tar -xzf "$0" --to-stdout --wildcards --exclude "package/lib/data-$3-*" "$1" | grep -E "$2""#;
        run(Command::new("sh").args(["-c", script]).arg(&file).args([members, wanted, provider]))
    };
    let all = lines("package/lib/*/index.js", r#"\.tfResourceType = ""#)?;
    let of_types = all.lines().filter_map(|line| line.split_once(".tfResourceType = \"")?.1.strip_suffix("\";"));
    let settings = lines("package/lib/provider/index.js", "^ +[a-z0-9_]+: ")?;
    let of_arguments = settings.lines().filter_map(|line| line.trim().split_once(": ")).map(|(name, _)| name).filter(|name| is_name(name));
    Ok(json!({"resources": of_types.collect::<BTreeSet<_>>(), "arguments": of_arguments.collect::<BTreeSet<_>>()}))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Arguments and blocks in the provider blocks of a template.
fn arguments(template: &Path) -> Result<BTreeSet<String>> {
    let text = std::fs::read_to_string(template)?;
    let blocks = text.split("\nprovider \"").skip(1).map(|rest| rest.split("\n}\n").next().unwrap_or_default());
    let names = blocks.flat_map(|block| block.lines().skip(1)).map(str::trim).filter_map(|line| {
        let line = line.strip_prefix("dynamic \"").map_or(line, |rest| rest.trim_end_matches(" {").trim_end_matches('"'));
        line.split([' ', '=']).next().map(str::to_owned)
    });
    // `alias` is Terraform's own, as are the parts of a dynamic block.
    Ok(names.filter(|name| is_name(name) && !["alias", "for_each", "content"].contains(&name.as_str())).collect())
}

#[test]
fn every_type_and_argument_is_one_of_the_real_providers() -> Result<()> {
    let all = resources();
    let templates: PathBuf = source_root().join("operator/documents/templates/handover/iac");
    for (binding, template) in BINDINGS.into_iter().zip(["aws", "azure", "gcp"]) {
        let known = known(binding)?;
        ensure!(known.resources.len() > 900, "{} has {} resource types only", binding.0, known.resources.len());
        let own: Vec<&&str> = all.iter().filter(|resource| resource.split('_').next() == Some(binding.0)).collect();
        ensure!(own.len() > 30, "{own:?}");
        for resource in own {
            ensure!(known.resources.contains(*resource), "{} has no resource type {resource}", binding.0);
        }
        let arguments = arguments(&templates.join(format!("{template}.tf.j2")))?;
        ensure!(arguments.len() >= 2, "{arguments:?}");
        for argument in arguments {
            ensure!(known.arguments.contains(&argument), "the provider {} has no argument {argument}", binding.0);
        }
    }
    Ok(())
}
