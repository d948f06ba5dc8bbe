//! `bench`: figures of speed and memory, each beside a goal. Speed is a ratio against a floor that is measured in the same run, so that it
//! says the same on a slow machine as on a fast one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use caretaker_testkit::emulator::Emulator;
use caretaker_testkit::{python, tools};
use serde_json::{Value, json};

use crate::world::target;
use crate::{bench_bundle, bench_clouds};

/// Largest ratio of the operator's time to the floor's.
const MAX_RATIO: f64 = 2.0;
/// Largest peak of the operator's memory, in MiB.
const MAX_RSS_MIB: f64 = 100.0;
/// Least speed of the adapter as a part of the bare loop's.
const MIN_SPEED: f64 = 0.9;
/// Most memory that a reading of many assets may take beyond one of few, in MiB.
const MAX_GROWTH_MIB: f64 = 64.0;
/// Few and many assets.
const FEW: usize = 10_000;
const MANY: usize = 100_000;
/// Largest ratio of the time that the last of many throttled accounts takes to what its quota alone allows: so none is starved.
const MAX_THROTTLED_RATIO: f64 = 1.2;
/// Least speed of sealing as a part of that of `tar | zstd | age`.
const MIN_SEALING: f64 = 0.9;
/// Largest peak of memory while a bundle of any size is sealed or verified, in MiB.
const MAX_SEALING_MIB: f64 = 64.0;
/// Turns of bare loop and adapter.
const ROUNDS: usize = 31;
/// Where the machines of the discovery are.
pub const REGION: &str = "eu-west-1";
pub const ACCOUNT: &str = "222222222222";
const PROVIDER: &str = "111111111111";
const ROLE: &str = "CaretakerAccess";
const EXTERNAL_ID: &str = "5f0c6a4e1b7d4c8a9e3f2d1c0b9a8f7e";

/// How the bench runs.
#[derive(clap::Args)]
pub struct Args {
    /// One part only.
    #[arg(value_enum)]
    part: Option<Part>,
    /// Number of clients of the line.
    #[arg(long, default_value_t = 200)]
    clients: usize,
    /// Mebibytes of the files in the bundle.
    #[arg(long, default_value_t = 1024)]
    mebibytes: usize,
    /// Number of machines of the discovery.
    #[arg(long, default_value_t = 10_000)]
    instances: usize,
    /// table or json.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Clients from nothing to Ready, beside a bare client that makes the same writes.
    Line,
    /// An account's machines read by the AWS adapter, beside a bare loop over the SDK.
    Discovery,
    /// Accounts with few and with many assets read into a store, on the emulator of AWS and the simulators of Azure and Google Cloud.
    Memory,
    /// Many accounts at once, each under a throttle, on the simulator of Google Cloud.
    Throttle,
    /// A bundle sealed and verified, beside stock tools.
    Bundle,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Table,
    Json,
}

/// One figure. Without a goal it is told, not judged.
struct Figure {
    name: String,
    value: f64,
    goal: Option<(String, bool)>,
}

impl Figure {
    fn told(name: impl Into<String>, value: f64) -> Self {
        Self { name: name.into(), value, goal: None }
    }

    fn at_most(name: &str, value: f64, most: f64) -> Self {
        Self { name: name.into(), value, goal: Some((format!("at most {most}"), value <= most)) }
    }

    fn at_least(name: &str, value: f64, least: f64) -> Self {
        Self { name: name.into(), value, goal: Some((format!("at least {least}"), value >= least)) }
    }

    fn json(&self) -> Value {
        let (goal, met) = self.goal.as_ref().map(|(goal, met)| (json!(goal), json!(met))).unwrap_or_default();
        json!({"name": self.name, "value": self.value, "goal": goal, "met": met})
    }
}

/// Runs the parts and judges the figures.
///
/// Fails where a goal is not met.
pub fn run(args: &Args) -> Result<()> {
    let folder = caretaker_testkit::cache().join("bench");
    std::fs::create_dir_all(&folder)?;
    let (mut figures, mut raw) = (Vec::new(), json!({}));
    if args.part.is_none_or(|part| part == Part::Line) {
        let found = line(&folder, args.clients)?;
        figures.extend(judge_line(&found)?);
        raw["line"] = found;
    }
    if args.part.is_none_or(|part| part == Part::Memory) {
        let found = memory(&folder)?;
        figures.extend(judge_memory(&found)?);
        raw["memory"] = found;
    }
    if args.part.is_none_or(|part| part == Part::Throttle) {
        let found = throttle()?;
        figures.extend(judge_throttle(&found)?);
        raw["throttle"] = found;
    }
    if args.part.is_none_or(|part| part == Part::Bundle) {
        let found = bundle(&folder, args.mebibytes)?;
        figures.extend(judge_bundle(&found)?);
        raw["bundle"] = found;
    }
    if args.part.is_none_or(|part| part == Part::Discovery) {
        let found = discovery(&folder, args.instances)?;
        figures.extend(judge_discovery(&found)?);
        raw["discovery"] = found;
    }
    match args.output {
        Output::Json => {
            let figures: Vec<Value> = figures.iter().map(Figure::json).collect();
            println!("{}", serde_json::to_string_pretty(&json!({"figures": figures, "raw": raw}))?);
        }
        Output::Table => print!("{}", table(&figures)),
    }
    let missed: Vec<&str> =
        figures.iter().filter(|figure| figure.goal.as_ref().is_some_and(|(_, met)| !met)).map(|figure| figure.name.as_str()).collect();
    ensure!(missed.is_empty(), "not met: {}", missed.join(", "));
    Ok(())
}

fn table(figures: &[Figure]) -> String {
    let width = figures.iter().map(|figure| figure.name.len()).max().unwrap_or_default();
    let mut text = format!("{:width$}  {:>10}  {:14}  MET\n", "FIGURE", "VALUE", "GOAL");
    for figure in figures {
        let (goal, met) = figure.goal.as_ref().map_or(("-", "-"), |(goal, met)| (goal.as_str(), if *met { "met" } else { "NOT MET" }));
        text.push_str(&format!("{:width$}  {:>10.2}  {goal:14}  {met}\n", figure.name, figure.value));
    }
    text
}

/// Builds with the bench profile; everything that is timed comes from here.
fn build(args: &[&str]) -> Result<()> {
    eprintln!("building: cargo build --profile bench {} (cold: about 3 minutes for the line, 15 for the discovery)", args.join(" "));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--profile", "bench"]).args(args).current_dir(crate::root());
    ensure!(command.status().context("run cargo")?.success(), "cargo build {} failed", args.join(" "));
    Ok(())
}

/// Cargo's folder of the bench profile.
pub fn built(name: &str) -> PathBuf {
    target().join("release").join(name)
}

/// Runs a measuring program, whose figures are one JSON document.
pub fn measure(command: &mut Command) -> Result<Value> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("run {:?}", command.get_program()))?;
    if !output.status.success() {
        bail!("{:?} failed", command.get_program());
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("read the figures of {:?}", command.get_program()))
}

fn line(folder: &Path, clients: usize) -> Result<Value> {
    tools::build(tools::CONTROL_PLANE)?;
    build(&["--bin", "operator-on-fake", "--bin", "bench-line"])?;
    let mut command = Command::new(built("bench-line"));
    command.args(["--clients", &clients.to_string()]).arg("--operator").arg(built("operator-on-fake"));
    measure(command.arg("--folder").arg(folder.join("line")))
}

fn number(found: &Value, name: &str) -> Result<f64> {
    found[name].as_f64().with_context(|| format!("the figure {name} is missing: {found}"))
}

fn judge_line(found: &Value) -> Result<Vec<Figure>> {
    let mut figures = vec![
        Figure::told("line: clients", number(found, "clients")?),
        Figure::told("line: seconds to Ready, operator", number(found, "operatorSeconds")?),
        Figure::told("line: seconds, floor", number(found, "floorSeconds")?),
        Figure::at_most("line: operator / floor", number(found, "ratio")?, MAX_RATIO),
        Figure::at_most("line: peak resident memory, MiB", number(found, "peakRssBytes")? / f64::from(1 << 20), MAX_RSS_MIB),
        Figure::told("line: processor seconds of the operator", number(found, "operatorCpuSeconds")?),
    ];
    for (verb, count) in found["requestsPerClient"].as_object().context("the requests by verb are missing")? {
        figures.push(Figure::told(format!("line: requests for a client, {verb}"), count.as_f64().unwrap_or_default()));
    }
    figures.push(Figure::at_most("line: writes in an idle minute", number(found, "idleWrites")?, 0.0));
    figures.push(Figure::told("line: renewals of the lease in it", number(found, "idleLeaseWrites")?));
    Ok(figures)
}

fn discovery(folder: &Path, instances: usize) -> Result<Value> {
    python::environment("ministack")?;
    build(&["--workspace", "--example", "discovery"])?;
    let emulator = Emulator::start(&folder.join("ministack.log"))?;
    eprintln!("making {instances} machines");
    let settings = aws_account(&emulator, "ec2:Describe*")?;
    emulator.cloud.call(&["instances", ACCOUNT, REGION, &instances.to_string()], "")?;
    let mut command = Command::new(built("examples/discovery"));
    command.envs(settings).env("BENCH_ENDPOINT", &emulator.cloud.endpoint).env("BENCH_ROUNDS", ROUNDS.to_string());
    measure(&mut command)
}

/// A provider, and an account whose role allows this; the settings of the programs that read it.
pub fn aws_account(emulator: &Emulator, allowed: &str) -> Result<Vec<(&'static str, String)>> {
    let user = emulator.cloud.call(&["provider", PROVIDER, "caretaker-bench"], "")?;
    let text = |key: &str| user[key].as_str().unwrap_or_default().to_owned();
    emulator.cloud.call(&["apply-kit", ACCOUNT], &kit(&text("arn"), allowed).to_string())?;
    Ok(vec![
        ("BENCH_ACCESS_KEY_ID", text("accessKeyId")),
        ("BENCH_SECRET_ACCESS_KEY", text("secretAccessKey")),
        ("BENCH_PRINCIPAL", text("arn")),
        ("BENCH_REGION", REGION.into()),
        ("BENCH_ACCOUNT", ACCOUNT.into()),
        ("BENCH_ROLE", ROLE.into()),
        ("BENCH_EXTERNAL_ID", EXTERNAL_ID.into()),
    ])
}

/// The role that is read with, in the form of the grant kit.
fn kit(principal: &str, allowed: &str) -> Value {
    let statement = |action: &str| json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]});
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
    }]});
    let policies = json!([{"PolicyName": "caretaker-read", "PolicyDocument": statement(allowed)}]);
    json!({"Resources": {"Access": {"Type": "AWS::IAM::Role", "Properties": {
        "RoleName": ROLE, "AssumeRolePolicyDocument": trust, "Policies": policies,
    }}}})
}

fn memory(folder: &Path) -> Result<Value> {
    python::environment("ministack")?;
    let programs = ["--bin", "caretaker-arm-simulator", "--bin", "caretaker-google-simulator", "--bin", "caretaker-aws-shim"];
    let examples = ["--example", "read-azure", "--example", "read-google", "--example", "read-aws"];
    build(&[&["--workspace"][..], &programs[..], &examples[..]].concat())?;
    let of =
        |read: fn(&Path, usize) -> Result<Value>| -> Result<Value> { Ok(json!({"few": read(folder, FEW)?, "many": read(folder, MANY)?})) };
    Ok(json!({"aws": of(bench_clouds::aws)?, "azure": of(bench_clouds::azure)?, "google": of(bench_clouds::google)?}))
}

fn judge_memory(found: &Value) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for cloud in ["aws", "azure", "google"] {
        let (few, many) = (&found[cloud]["few"], &found[cloud]["many"]);
        let mib = |of: &Value| Ok::<_, anyhow::Error>(number(of, "peakRssBytes")? / f64::from(1 << 20));
        figures.extend([
            Figure::told(format!("memory, {cloud}: assets"), number(many, "assets")?),
            Figure::told(format!("memory, {cloud}: seconds"), number(many, "seconds")?),
            Figure::told(format!("memory, {cloud}: peak with a tenth of them, MiB"), mib(few)?),
            Figure::at_most(&format!("memory, {cloud}: peak beyond that, MiB"), mib(many)? - mib(few)?, MAX_GROWTH_MIB),
            Figure::told(format!("memory, {cloud}: calls per 1,000 assets"), number(many, "calls")? * 1000.0 / number(many, "assets")?),
        ]);
    }
    Ok(figures)
}

fn throttle() -> Result<Value> {
    build(&["--workspace", "--bin", "caretaker-google-simulator", "--example", "throttled"])?;
    bench_clouds::throttled()
}

fn judge_throttle(found: &Value) -> Result<Vec<Figure>> {
    let accounts = found["accounts"].as_array().context("the accounts are missing")?;
    let of = |name: &str| accounts.iter().map(|account| number(account, name)).collect::<Result<Vec<f64>>>();
    let (seconds, calls, refused) = (of("seconds")?, of("calls")?, of("throttled")?);
    let (first, last) = (seconds.iter().copied().fold(f64::INFINITY, f64::min), seconds.iter().copied().fold(0.0, f64::max));
    Ok(vec![
        Figure::told("throttle: accounts at once", f64::from(u32::try_from(accounts.len())?)),
        Figure::told("throttle: calls in all", calls.iter().sum()),
        Figure::told("throttle: answered 429, of a hundred", 100.0 * refused.iter().sum::<f64>() / calls.iter().sum::<f64>()),
        Figure::told("throttle: seconds, the first account", first),
        Figure::told("throttle: seconds, the last account", last),
        Figure::at_most("throttle: last account / what the quota allows", last / number(found, "allowedSeconds")?, MAX_THROTTLED_RATIO),
    ])
}

fn bundle(folder: &Path, mebibytes: usize) -> Result<Value> {
    tools::build(&["age"])?;
    build(&["-p", "caretaker-bundle", "--example", "sealing"])?;
    bench_bundle::bundle(&folder.join("bundle"), mebibytes)
}

fn judge_bundle(found: &Value) -> Result<Vec<Figure>> {
    let mib = |name: &str| Ok::<_, anyhow::Error>(median(found, name)? / f64::from(1 << 20));
    let (ours, stock) = (median(found, "sealSeconds")?, median(found, "stockSealSeconds")?);
    Ok(vec![
        Figure::told("bundle: MiB of files", number(found, "mebibytes")?),
        Figure::told("bundle: seconds, sealing", ours),
        Figure::told("bundle: seconds, tar | zstd | age", stock),
        Figure::at_least("bundle: tar | zstd | age / sealing", stock / ours, MIN_SEALING),
        Figure::at_most("bundle: peak while sealing, MiB", mib("sealPeakRssBytes")?, MAX_SEALING_MIB),
        Figure::told("bundle: seconds, verifying", median(found, "verifySeconds")?),
        Figure::told("bundle: seconds, age | zstd | sha256sum", median(found, "stockOpenSeconds")?),
        Figure::at_most("bundle: peak while verifying, MiB", mib("verifyPeakRssBytes")?, MAX_SEALING_MIB),
    ])
}

fn median(found: &Value, name: &str) -> Result<f64> {
    let rounds = found["rounds"].as_array().context("the rounds are missing")?;
    let mut values = rounds.iter().map(|round| number(round, name)).collect::<Result<Vec<f64>>>()?;
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().context("there was no round")
}

fn judge_discovery(found: &Value) -> Result<Vec<Figure>> {
    let (bare, adapter) = (median(found, "bareSeconds")?, median(found, "adapterSeconds")?);
    Ok(vec![
        Figure::told("discovery: assets", median(found, "assets")?),
        Figure::told("discovery: calls per 1,000 assets", median(found, "calls")? * 1000.0 / median(found, "assets")?),
        Figure::told("discovery: seconds, bare loop", bare),
        Figure::told("discovery: seconds, adapter", adapter),
        Figure::at_least("discovery: bare loop / adapter", bare / adapter, MIN_SPEED),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_that_is_missed_shows() {
        let found = json!({
            "clients": 1, "operatorSeconds": 3.0, "floorSeconds": 1.0, "ratio": 3.0, "peakRssBytes": 1 << 20, "operatorCpuSeconds": 1.0,
            "requestsPerClient": {"get": 2.5}, "idleWrites": 0, "idleLeaseWrites": 6,
        });
        let shown = table(&judge_line(&found).unwrap());
        assert!(shown.lines().any(|line| line.contains("operator / floor") && line.ends_with("NOT MET")), "{shown}");
        assert!(shown.lines().any(|line| line.contains("peak resident") && line.ends_with(" met")), "{shown}");
    }

    #[test]
    fn a_bundle_that_is_sealed_slowly_shows() {
        let judged = |seconds: f64| {
            let round = json!({
                "sealSeconds": seconds, "sealPeakRssBytes": 1 << 24, "stockSealSeconds": 9.0,
                "verifySeconds": 1.0, "verifyPeakRssBytes": 65 << 20, "stockOpenSeconds": 1.0,
            });
            table(&judge_bundle(&json!({"mebibytes": 1024, "rounds": [round]})).unwrap())
        };
        let ends = |seconds: f64, part: &str, end: &str| judged(seconds).lines().any(|line| line.contains(part) && line.ends_with(end));
        assert!(ends(10.0, "/ sealing", " met") && ends(10.1, "/ sealing", "NOT MET"), "{}", judged(10.1));
        assert!(ends(10.0, "while sealing", " met") && ends(10.0, "while verifying", "NOT MET"), "{}", judged(10.0));
    }

    #[test]
    fn an_account_that_is_starved_shows() {
        let account = |seconds: f64| json!({"seconds": seconds, "calls": 200, "throttled": 0});
        let judged =
            |last: f64| table(&judge_throttle(&json!({"accounts": [account(10.0), account(last)], "allowedSeconds": 10.0})).unwrap());
        assert!(judged(12.0).ends_with(" met\n"), "{}", judged(12.0));
        assert!(judged(12.1).ends_with("NOT MET\n"), "{}", judged(12.1));
    }

    #[test]
    fn the_median_of_the_rounds_counts() {
        let found = json!({"rounds": [{"bareSeconds": 1.0}, {"bareSeconds": 9.0}, {"bareSeconds": 2.0}]});
        assert!((median(&found, "bareSeconds").unwrap() - 2.0).abs() < f64::EPSILON);
    }
}
