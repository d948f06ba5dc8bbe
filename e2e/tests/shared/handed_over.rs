//! What a receiver does with a bundle: types what its documents say, reads it with a reader of their own, and applies the monitoring in an empty namespace.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use caretaker_e2e::{Client, Lab, lab};
use caretaker_testkit::process::run;
use caretaker_testkit::{python, source_root, tools};
use serde_json::{Value, json};

/// What the client wrote where anybody can read it. It must stand nowhere in the bundle.
const SECRET: &str = "hunter2hunter2";

/// A bundle as it is delivered: the two files, the identity, and the key that the provider tells by telephone.
struct Delivered {
    sealed: PathBuf,
    signature: PathBuf,
    identity: String,
    key: String,
    handover: Value,
}

impl Delivered {
    fn name(&self) -> String {
        self.sealed.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// A folder with what the receiver has, and nothing else.
    fn folder(&self) -> Result<tempfile::TempDir> {
        let folder = tempfile::tempdir()?;
        std::fs::copy(&self.sealed, folder.path().join(self.name()))?;
        std::fs::copy(&self.signature, folder.path().join(format!("{}.minisig", self.name())))?;
        std::fs::write(folder.path().join("identity.txt"), &self.identity)?;
        Ok(folder)
    }
}

/// Two machines, one of which tells secrets in its tags, and monitoring whose receivers do.
fn client(lab: &Lab) -> Result<Client> {
    let client = Client::new("export", "200000000070", "eu-west-1");
    let login = format!("postgres://app:{SECRET}@db.example/x");
    let machines = lab.cloud.call(&["instances", &client.account, "eu-west-1", "2", "web", &login], "")?;
    let machine = machines["ids"][0].as_str().context("a machine")?.to_owned();
    lab.cloud.call(&["tag", &client.account, "eu-west-1", &machine, "db_password", SECRET], "")?;
    let mut document = client.document();
    document["spec"]["monitoring"] = json!({"prober": "blackbox.monitoring.svc:9115", "tiers": [
        {"name": "tier-1", "afterMinutes": 0, "webhookUrl": format!("https://hooks.example/services/T0/B0/{SECRET}")},
        {"name": "tier-2", "afterMinutes": 30, "webhookSecret": {"name": "pager", "key": "url"}},
    ]});
    let said = warnings(lab, &document)?;
    ensure!(said.contains("webhookSecret") && !said.contains(SECRET), "the address that is a secret is not flagged, or repeated: {said}");
    let said = warnings(lab, &Client::new("quiet", "200000000071", "eu-west-1").document())?;
    ensure!(!said.contains("webhookSecret"), "a plain address is flagged: {said}");
    lab.kubectl.apply(&document.to_string())?;
    let pager = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pager", "namespace": "client-export"},
        "stringData": {"url": format!("https://desk:{SECRET}@desk.example/a")},
    });
    lab.until("the client's namespace", || lab.kubectl.apply(&pager.to_string()).map(drop))?;
    lab.grant(&client)?;
    lab.condition(&["ca", "prod", "-n", "client-export"], "InventoryComplete", "True", "")?;
    lab.until("the targets", || {
        let targets = lab.kubectl.get(&["ms", "main", "-n", "client-export"])?["status"]["targets"].clone();
        ensure!(targets == 2, "{targets}");
        Ok(())
    })?;
    Ok(client)
}

/// What people read beside the answer when they apply a document.
fn warnings(lab: &Lab, document: &Value) -> Result<String> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), document.to_string())?;
    let apply = ["apply", "--dry-run=server", "-f"];
    let kubectl = tools::path("kubectl")?;
    let output = Command::new(kubectl).arg("--kubeconfig").arg(&lab.kubectl.kubeconfig).args(apply).arg(file.path()).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{said}");
    Ok(said)
}

fn rehearse(lab: &Lab, client: &Client) -> Result<Delivered> {
    lab.plugin(&["exit", &client.name, "--wait"])?;
    let handovers = lab.kubectl.get(&["handovers", "-n", "client-export"])?;
    let handover = handovers["items"][0].clone();
    let address = handover["status"]["bundle"]["address"].as_str().context("the bundle has an address")?;
    let sealed = lab.installed.volume("store").join(address);
    let key = lab.kubectl.get(&["pprof", "default"])?["status"]["signing"]["publicKey"].as_str().context("a public key")?.to_owned();
    Ok(Delivered { signature: format!("{}.minisig", sealed.display()).into(), sealed, identity: client.identity.clone(), key, handover })
}

/// The blocks of a language in a document.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(fence.as_str()).skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}

/// Types a block in a folder, with a shell that stops at the first error, on a machine that has a tape. `tar` is the named program.
fn type_in(folder: &Path, block: &str, tar: &str) -> Result<String> {
    let programs = tempfile::tempdir()?;
    let link = |name: &str, to: &Path| std::os::unix::fs::symlink(to, programs.path().join(name));
    for tool in ["minisign", "age", "kubectl"] {
        link(tool, &tools::path(tool)?)?;
    }
    link("tar", Path::new(tar))?;
    let path = format!("{}:{}", programs.path().display(), std::env::var("PATH").unwrap_or_default());
    run(Command::new("sh").args(["-e", "-u", "-c", block]).current_dir(folder).env("PATH", path).env("TAPE", "/dev/nst0"))
}

/// X03.
fn documents_are_typed(delivered: &Delivered) -> Result<tempfile::TempDir> {
    let format = std::fs::read_to_string(source_root().join("operator/bundle/FORMAT.md"))?;
    let format = format.replace("acme-final-8a1b.tar.zst.age", &delivered.name()).replace("RW…", &delivered.key);
    let commands = blocks(&format.replace("acme-final", "export-rehearsal"), "sh");
    ensure!(commands.len() == 2, "FORMAT.md has a block for Linux and one for macOS");
    let folder = delivered.folder()?;
    type_in(folder.path(), &commands[0], "/usr/bin/tar")?;
    let data = folder.path().join("export-rehearsal/data");
    let read_me = std::fs::read_to_string(data.join("00-READ-ME-FIRST.md"))?;
    let own = blocks(&read_me, "sh");
    ensure!(own.len() >= 3, "{read_me}");
    for (commands, tar) in [(&commands[1], "/usr/bin/bsdtar"), (&own[0], "/usr/bin/tar"), (&own[1], "/usr/bin/bsdtar")] {
        let folder = delivered.folder()?;
        type_in(folder.path(), commands, tar).with_context(|| commands.clone())?;
        ensure!(folder.path().join("export-rehearsal/data/index.html").is_file(), "{commands}");
        // One byte less, and the same words end with an error.
        let folder = delivered.folder()?;
        let sealed = folder.path().join(delivered.name());
        let whole = std::fs::read(&sealed)?;
        std::fs::write(&sealed, &whole[..whole.len() - 1])?;
        ensure!(type_in(folder.path(), commands, tar).is_err(), "a bundle that was cut is taken: {commands}");
    }
    same_words_on_windows(&read_me, &own[0])?;
    Ok(folder)
}

/// There is no PowerShell here. Its lines that call the tools are those that were just run; the others are its own.
fn same_words_on_windows(read_me: &str, linux: &str) -> Result<()> {
    let windows = blocks(read_me, "powershell").pop().context("a block for Windows")?;
    let called = |text: &str| -> Vec<String> {
        let is_tool = |line: &&str| ["minisign", "age", "zstd", "tar", "cd"].contains(&line.split(' ').next().unwrap_or_default());
        text.lines().filter(is_tool).map(str::to_owned).collect()
    };
    ensure!(called(&windows) == called(linux) && called(linux).len() == 5, "{windows}");
    Ok(())
}

/// X05.
fn no_secret_is_told(bag: &Path) -> Result<()> {
    for entry in std::fs::read_dir(bag.join("data/02-inventory"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "zst") {
            run(Command::new("zstd").args(["-q", "-d", "--rm"]).arg(&path))?;
        }
    }
    let found = Command::new("grep").args(["-r", "-l", "-F", SECRET]).arg(bag).output()?;
    ensure!(found.stdout.is_empty(), "a secret is in {}", String::from_utf8_lossy(&found.stdout));
    let references = std::fs::read_to_string(bag.join("data/11-credentials/references.json"))?;
    ensure!(references.contains("\"db_password\""), "the tag's name is on no list: {references}");
    let lines = std::fs::read_to_string(bag.join("data/02-inventory/prod.ndjson"))?;
    ensure!(lines.contains("\"db_password\":\"[withheld]\"") && lines.contains("postgres://[withheld]@db.example/x"), "{lines}");
    Ok(())
}

/// N11, and that the format's page is enough to write a reader from.
fn a_stranger_reads_the_same(lab: &Lab, delivered: &Delivered) -> Result<()> {
    let folder = delivered.folder()?;
    let (sealed, identity, tar) =
        (folder.path().join(delivered.name()), folder.path().join("identity.txt"), folder.path().join("bundle.tar"));
    let packed = folder.path().join("bundle.tar.zst");
    run(Command::new(tools::path("age")?).arg("-d").arg("-i").arg(&identity).arg("-o").arg(&packed).arg(&sealed))?;
    run(Command::new("zstd").args(["-q", "-d", "-o"]).arg(&tar).arg(&packed))?;
    let reader = source_root().join("e2e/python/reader.py");
    let python = python::environment("judges")?;
    let read = |tar: &Path| run(Command::new(&python).arg(&reader).arg(tar).arg(&delivered.signature));
    let told: Value = serde_json::from_str(&read(&tar)?)?;
    let count = told["files"].as_object().map_or(0, serde_json::Map::len);
    ensure!(told["entries"].as_u64() > Some(5), "the ledger tells the exit up to here: {}", told["entries"]);

    let (sealed, identity) = (sealed.display().to_string(), identity.display().to_string());
    let key = ["--public-key", delivered.key.as_str(), "--identity", identity.as_str(), "-o", "json"];
    let ours = |words: &[&str]| -> Result<Value> { Ok(serde_json::from_str(&lab.plugin(&[&["bundle"], words, &key].concat())?)?) };
    let verified = ours(&["verify", &sealed])?;
    ensure!(verified["inside"]["files"] == count, "{verified} and {count}");
    let listed = ours(&["list", &sealed])?;
    ensure!(listed.as_array().is_some_and(|files| files.len() == count), "{listed}");
    ensure!(ours(&["gaps", &sealed])? == told["gaps"], "{}", told["gaps"]);
    ensure!(ours(&["diff", &sealed, &sealed])?["files"]["changed"] == json!([]), "a bundle differs from itself");
    let steps = delivered.handover["status"]["steps"].to_string();
    ensure!(steps.contains(&format!("{count} files")), "Build says another number than {count}: {steps}");
    ensure!(delivered.handover["status"]["bundle"]["gaps"] == told["gaps"].as_array().map_or(0, Vec::len), "{}", told["gaps"]);

    let mut damaged = std::fs::read(&tar)?;
    damaged[700] ^= 1;
    std::fs::write(&tar, damaged)?;
    ensure!(read(&tar).is_err(), "the reader takes a tar that was changed");
    Ok(())
}

/// A file that the prometheus-operator generated.
fn generated(lab: &Lab, (secret, key): (&str, &str), parts: &[&str]) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let python = python::environment("judges")?;
    let unpack = "import sys,base64,gzip; sys.stdout.write(gzip.decompress(base64.b64decode(sys.stdin.read())).decode())";
    lab.until(&format!("{parts:?} in {secret}"), || {
        let found = lab.kubectl.get(&["secret", secret, "-n", "monitoring"])?;
        let file = folder.path().join("packed");
        std::fs::write(&file, found["data"][key].as_str().context("the key is there")?)?;
        let text = run(Command::new(&python).args(["-c", unpack]).stdin(std::fs::File::open(&file)?))?;
        ensure!(parts.iter().all(|part| text.contains(part)), "{text}");
        Ok(text)
    })
}

/// X04: as the read-me says, in a namespace that has nothing.
fn monitoring_loads(lab: &Lab, bag: &Path) -> Result<()> {
    lab.kubectl.run(&["create", "namespace", "monitoring"])?;
    let read_me = std::fs::read_to_string(bag.join("data/00-READ-ME-FIRST.md"))?;
    let apply = blocks(&read_me, "sh").into_iter().find(|block| block.contains("kubectl")).context("the read-me says how it is applied")?;
    let block = format!("export KUBECONFIG='{}'\n{apply}", lab.kubectl.kubeconfig.display());
    let said = type_in(bag, &block, "/usr/bin/tar")?;
    for kind in
        ["serviceaccount/", "secret/", "prometheus.", "alertmanager.", "prometheusrule.", "scrapeconfig.", "probe.", "alertmanagerconfig."]
    {
        ensure!(said.contains(kind), "{kind} is not applied: {said}");
    }
    let folder = tempfile::tempdir()?;
    let file = |name: &str, text: &str| -> Result<PathBuf> {
        let path = folder.path().join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    };
    let machines = ["scrapeConfig/monitoring/main-targets-0", "instance_id:", "job_name: probe/monitoring/main-public-0"];
    let address = "alertmanager-main-0.alertmanager-operated:9093";
    let prometheus = generated(lab, ("prometheus-main", "prometheus.yaml.gz"), &[machines.as_slice(), &[address]].concat())?;
    ensure!(!prometheus.contains("client-export"), "it leads back to where it came from: {prometheus}");
    let plain: Vec<&str> = prometheus.lines().filter(|line| !line.contains("/etc/prometheus/")).collect();
    let plain = file("prometheus.yaml", &plain.join("\n").replace("$(POD_NAME)", "pod"))?;
    run(Command::new(tools::path("promtool")?).args(["check", "config", "--syntax-only"]).arg(plain))?;
    ensure!(prometheus.contains("rule_files:"), "no rule is loaded: {prometheus}");
    lab.until("the rules", || {
        let maps = lab.kubectl.get(&["configmaps", "-n", "monitoring", "-l", "prometheus-name=main"])?;
        let rules = maps["items"].as_array().into_iter().flatten().filter_map(|map| map["data"].as_object()).flat_map(|data| data.values());
        let rules =
            rules.filter_map(Value::as_str).find(|text| text.contains("InstanceDown")).context("InstanceDown is in no rule file")?;
        run(Command::new(tools::path("promtool")?).args(["check", "rules"]).arg(file("rules.yaml", rules)?)).map(drop)
    })?;
    let receivers = ["http://replace-me.invalid/tier-1", "http://replace-me.invalid/tier-2", "tier=~\"tier-1|\"", "tier=\"tier-2\""];
    let alertmanager = generated(lab, ("alertmanager-main-generated", "alertmanager.yaml.gz"), &receivers)?;
    let alertmanager = file("alertmanager.yaml", &alertmanager)?;
    run(Command::new(tools::path("amtool")?).arg("check-config").arg(&alertmanager))?;
    let routed =
        run(Command::new(tools::path("amtool")?).args(["config", "routes", "test", "tier=tier-2", "--config.file"]).arg(&alertmanager))?;
    ensure!(routed.contains("monitoring/main-tier-tier-2/tier-2"), "tier-2's alerts go to {routed}");
    lab.kubectl.run(&["delete", "namespace", "monitoring", "--wait=false"])?;
    Ok(())
}

#[test]
fn a_receiver_types_what_the_documents_say_and_goes_on_without_us() -> Result<()> {
    let lab = lab();
    let client = client(lab)?;
    let delivered = rehearse(lab, &client)?;
    a_stranger_reads_the_same(lab, &delivered)?;
    let folder = documents_are_typed(&delivered)?;
    let bag = folder.path().join("export-rehearsal");
    no_secret_is_told(&bag)?;
    monitoring_loads(lab, &bag)
}
