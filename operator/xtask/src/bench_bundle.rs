//! The part of `bench` on bundles: sealing beside `tar | zstd | age` on the same files, and verifying beside stock tools that look at the same bytes.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};
use caretaker_testkit::process::run;
use caretaker_testkit::tools;
use serde_json::{Value, json};

use crate::bench::{built, measure};

/// Turns of ours and theirs, after one that warms the disk's cache.
const ROUNDS: usize = 5;

/// Seals and verifies files of so many mebibytes, by turns with stock tools.
pub fn bundle(folder: &Path, mebibytes: usize) -> Result<Value> {
    let (data, into) = (folder.join("data"), folder.join("sealed"));
    for old in [&data, &into] {
        if old.exists() {
            std::fs::remove_dir_all(old)?;
        }
    }
    let sealing = || Command::new(built("examples/sealing"));
    run(sealing().arg("make").arg(&data).arg(mebibytes.to_string()))?;
    run(sealing().arg("keygen").arg(&into))?;
    let age = tools::path("age")?;
    let stock = |script: &str| -> Result<f64> {
        let began = Instant::now();
        let status = Command::new("bash").args(["-o", "pipefail", "-c", script]).current_dir(folder).env("AGE", &age).status()?;
        ensure!(status.success(), "{script} failed");
        Ok(began.elapsed().as_secs_f64())
    };
    let mut rounds = Vec::new();
    for round in 0..=ROUNDS {
        let sealed = measure(sealing().arg("seal").arg(&data).arg(&into))?;
        // The level and the window are those of a bundle.
        let theirs = stock("tar c -C data . | zstd -q -6 --long=23 -c | $AGE -r $(cat sealed/recipient.txt) > stock.age")?;
        let verified = measure(sealing().arg("verify").arg(&into))?;
        let opened = stock("$AGE -d -i sealed/identity.txt sealed/*.tar.zst.age | zstd -dcq | sha256sum > stock.sum")?;
        if round > 0 {
            rounds.push(json!({
                "sealSeconds": sealed["seconds"], "sealPeakRssBytes": sealed["peakRssBytes"], "stockSealSeconds": theirs,
                "verifySeconds": verified["seconds"], "verifyPeakRssBytes": verified["peakRssBytes"], "stockOpenSeconds": opened,
            }));
        }
    }
    std::fs::remove_dir_all(&data)?;
    Ok(json!({"mebibytes": mebibytes, "rounds": rounds}))
}
