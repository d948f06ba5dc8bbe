//! What the client does at the end: opens the bundle, reads the code in it, and accepts.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use caretaker_testkit::process::run;
use serde_json::Value;

use crate::{Client, Lab, binary};

impl Client {
    /// The code that stands in a sealed bundle of this client; its signature is beside it.
    ///
    /// # Errors
    /// The bundle does not open, or has no code.
    pub fn code(&self, bundle: &Path, public_key: &str) -> Result<String> {
        let folder = tempfile::tempdir()?;
        let (identity, into) = (folder.path().join("identity.txt"), folder.path().join("opened"));
        std::fs::write(&identity, &self.identity)?;
        std::fs::create_dir(&into)?;
        let mut open = Command::new(binary());
        open.args(["bundle", "open"]).arg(bundle).args(["--public-key", public_key, "--identity"]).arg(identity);
        run(open.arg("--into").arg(&into))?;
        let bag = std::fs::read_dir(&into)?.next().context("the bundle has a folder")??.path();
        let told: Value = serde_json::from_slice(&std::fs::read(bag.join("data/15-acceptance.json"))?)?;
        Ok(told["code"].as_str().with_context(|| format!("no code in {told}"))?.to_owned())
    }
}

impl Lab {
    /// The client accepts the bundle of its final exit: the digest and the code, with further arguments.
    ///
    /// # Errors
    /// There is no bundle, it does not open, or the acceptance is refused.
    pub fn accept(&self, client: &Client, further: &[&str]) -> Result<String> {
        let listed = self.kubectl.get(&["handovers", "-n", &format!("client-{}", client.name)])?;
        let is_final = |object: &&Value| object["spec"]["mode"] == "Final" && object["spec"]["cancelled"].is_null();
        let handover = listed["items"].as_array().into_iter().flatten().find(is_final).context("a final exit")?;
        let bundle = &handover["status"]["bundle"];
        let (digest, address) = (bundle["sha256"].as_str().context("a digest")?, bundle["address"].as_str().context("an address")?);
        let profile = self.kubectl.get(&["pprof", "default"])?;
        let key = profile["status"]["signing"]["publicKey"].as_str().context("a public key")?;
        let code = client.code(&self.installed.volume("store").join(address), key)?;
        // As Windows prints a digest, and as people type a code from paper.
        let (digest, code) = (digest.to_uppercase(), code.to_lowercase().replace('-', " "));
        let args = ["accept", &client.name, "--digest", &digest, "--code", &code, "--by", "Jo Doe"];
        self.plugin(&[&args, further].concat())
    }

    /// A bucket in the client's account, and the Secret with the keys to it that a destination names. Gives the keys.
    ///
    /// # Errors
    /// The emulator or the API server refuses.
    pub fn bucket(&self, client: &Client, bucket: &str, secret: &str) -> Result<Value> {
        let keys = self.cloud.call(&["bucket", &client.account, bucket], "")?;
        let data = serde_json::json!({
            "aws_access_key_id": keys["accessKeyId"], "aws_secret_access_key": keys["secretAccessKey"], "aws_region": "us-east-1",
            "aws_endpoint": self.cloud.endpoint, "aws_allow_http": "true",
        });
        let object = serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret, "namespace": caretaker_testkit::operator::NAMESPACE}, "stringData": data,
        });
        self.kubectl.apply(&object.to_string())?;
        Ok(keys)
    }

    /// Names of what lies in a bucket of the client's.
    ///
    /// # Errors
    /// The emulator refuses.
    pub fn in_bucket(&self, client: &Client, bucket: &str) -> Result<Vec<String>> {
        let objects = self.cloud.call(&["objects", &client.account, bucket], "")?;
        Ok(objects.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
    }
}
