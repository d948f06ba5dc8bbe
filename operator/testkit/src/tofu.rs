//! OpenTofu as the reader of a bundle runs it, with providers that check regions, accounts and ids as the real ones do.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::emulator::Cloud;
use crate::tools;

/// Version under which the providers of the tests stand in the mirror; it is above what the code asks for.
const VERSION: &str = "99.0.0";

/// Where OpenTofu runs: its providers, its settings and who it is.
pub struct Tofu<'a> {
    folder: tempfile::TempDir,
    cloud: &'a Cloud,
    /// Whether what is imported must be in the emulator.
    is_real: bool,
}

impl<'a> Tofu<'a> {
    /// A place with the providers of the tests. `is_real`: what is imported must be in the emulator.
    ///
    /// # Errors
    /// A tool could not be built, or the folder not be written.
    pub fn new(cloud: &'a Cloud, is_real: bool) -> Result<Self> {
        let tofu = Self { folder: tempfile::tempdir()?, cloud, is_real };
        let architecture = if cfg!(target_arch = "aarch64") { "linux_arm64" } else { "linux_amd64" };
        let provider = tools::path("terraform-provider-of-tests")?;
        for kind in ["aws", "azurerm", "google"] {
            let place = tofu.path("mirror").join("registry.opentofu.org/hashicorp").join(kind).join(VERSION).join(architecture);
            std::fs::create_dir_all(&place)?;
            std::os::unix::fs::symlink(&provider, place.join(format!("terraform-provider-{kind}_v{VERSION}")))?;
        }
        let settings = format!("provider_installation {{\n  filesystem_mirror {{\n    path = {:?}\n  }}\n}}\n", tofu.path("mirror"));
        std::fs::write(tofu.path("tofurc"), settings)?;
        Ok(tofu)
    }

    /// The folder of all that it writes.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command of the read-me, literally, as somebody of an account.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(&self, command: &str, folder: &Path, account: &str) -> Result<Output> {
        let path = std::env::join_paths(
            [tools::folder("tofu")?].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
        )?;
        // Each account of the emulator has a profile: its key is that account's root.
        let profile = format!("[client]\naws_access_key_id = {account}\naws_secret_access_key = test\n");
        std::fs::write(self.path("credentials"), profile)?;
        let mut sh = Command::new("sh");
        sh.args(["-c", command]).current_dir(folder).env_clear().env("PATH", path).env("HOME", self.folder.path());
        sh.env("TF_CLI_CONFIG_FILE", self.path("tofurc"))
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .env("TF_CLI_ARGS", "-no-color")
            .env("CHECKPOINT_DISABLE", "1");
        sh.env("AWS_SHARED_CREDENTIALS_FILE", self.path("credentials")).env("AWS_CONFIG_FILE", self.path("none"));
        sh.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_ENDPOINT_URL_STS", &self.cloud.endpoint).env("TF_VAR_aws_profile", "client");
        sh.env("CARETAKER_PROVIDER_JOURNAL", self.path("journal"));
        if self.is_real {
            sh.env("CARETAKER_PROVIDER_EMULATOR", &self.cloud.endpoint);
        }
        Ok(sh.output()?)
    }

    /// The same, where it must go well.
    ///
    /// # Errors
    /// It fails; with what it said.
    pub fn text(&self, command: &str, folder: &Path, account: &str) -> Result<String> {
        let output = self.run(command, folder, account)?;
        let (out, error) = (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{command} in {}: {out}{error}", folder.display());
        Ok(out)
    }

    /// What the providers wrote down since it was last asked.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn journal(&self) -> Result<Vec<Value>> {
        let text = std::fs::read_to_string(self.path("journal")).unwrap_or_default();
        std::fs::write(self.path("journal"), "")?;
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

/// The commands that the read-me tells to run in each folder, in their order.
#[must_use]
pub fn commands(read_me: &str) -> Vec<&str> {
    read_me.lines().filter_map(|line| line.split_once(". `")?.1.strip_suffix('`')).filter(|line| line.starts_with("tofu ")).collect()
}
