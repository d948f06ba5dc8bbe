//! The act of the demo in which the client looks at its new code: OpenTofu plans the import of what it owns, and nothing else.

use anyhow::{Context, Result, ensure};
use caretaker_testkit::tofu::{Tofu, commands};
use serde_json::Value;

use super::stage::Stage;
use crate::world::Progress;

/// Runs what the bundle's read-me says in the folder of each account, and shows what OpenTofu says.
pub(super) fn show(progress: &Progress, stage: &Stage) -> Result<()> {
    let data = stage.opened()?.join("data");
    let read_me = std::fs::read_to_string(data.join("00-READ-ME-FIRST.md"))?;
    let commands = commands(&read_me);
    progress.say(format!("the client plans the import of what it owns, as the bundle says: {}", commands.join("; ")));
    let report: Value = serde_json::from_slice(&std::fs::read(data.join("04-iac/skipped.json"))?)?;
    let tofu = Tofu::new(stage.cloud()?, true)?;
    for account in report["accounts"].as_array().context("the code is by account")? {
        let Some(folder) = account["folder"].as_str() else { continue };
        let own = tofu.folder().join(folder);
        std::fs::create_dir_all(&own)?;
        for name in ["providers.tf", "imports.tf"] {
            std::fs::copy(data.join("04-iac").join(folder).join(name), own.join(name))?;
        }
        let mut said = String::new();
        for command in &commands {
            said = tofu.text(command, &own, account["account"].as_str().context("an account has an id")?)?;
        }
        let plan = said.lines().find(|line| line.starts_with("Plan: ")).context("OpenTofu has a plan")?;
        let only_imports = format!("Plan: {} to import, 0 to add, 0 to change, 0 to destroy.", account["exported"]);
        ensure!(plan == only_imports, "{plan} instead of {only_imports}");
        println!("{folder}: {} of {} assets have an import block\n  {plan}", account["exported"], account["inventory"]);
    }
    println!("The providers are those of the tests: they check regions, accounts, types and ids as the real ones do.");
    Ok(())
}
