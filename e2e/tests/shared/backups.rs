//! Backups that restore: a condition that speaks of recovery points, a gap found with its cause and its cure, and evidence that outlives the cloud's.

use anyhow::{Context, Result, ensure};
use caretaker_aws_shim::{Fault, Job, Point, Restore, Rows, disk};
use caretaker_e2e::{Client, Lab, lab};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// A region that no other test makes plans in.
const REGION: &str = "eu-south-2";

/// Asks for a visit of the policy now.
fn poke(lab: &Lab, namespace: &str) -> Result<()> {
    let stamp = format!("caretaker.dev/requested-at={}", std::time::UNIX_EPOCH.elapsed()?.as_nanos());
    lab.kubectl.run(&["annotate", "--overwrite", "bp", "main", "-n", namespace, &stamp]).map(drop)
}

fn ago(hours: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(hours)
}

/// The client of the test, with its two machines.
struct Watched {
    lab: &'static Lab,
    client: Client,
    ids: Vec<String>,
}

const NAMESPACE: &str = "client-restorable";
const POLICY: [&str; 4] = ["bp", "main", "-n", NAMESPACE];
const VAULT: &str = "caretaker-restorable-main";
const ROLE_IS_GONE: &str = "IAM Role CaretakerBackupService cannot be assumed by AWS Backup";

impl Watched {
    fn told(&self, is: &str, reason: &str) -> Result<String> {
        self.lab.condition(&POLICY, "BackupsProtected", is, reason)
    }

    fn poke(&self) -> Result<()> {
        poke(self.lab, NAMESPACE)
    }

    fn arn(&self, number: usize) -> String {
        format!("arn:aws:ec2:{REGION}:{}:instance/{}", self.client.account, self.ids[number])
    }

    /// Objects in place protect nothing; a point of each machine does.
    fn points_decide(&self) -> Result<()> {
        let image = |number: usize| format!("arn:aws:ec2:{REGION}::image/ami-{number:017x}");
        // Vault, plan and selection are in place, and nothing is protected yet: the first run is not due. The client is Ready all the same.
        let message = self.told("Unknown", "Progressing")?;
        ensure!(message.starts_with("0 of 2 assets") && message.contains("of 2 the first recovery point is not due yet"), "{message}");
        self.lab.condition(&POLICY, "BackupsReady", "True", "Settled")?;

        // The nightly run came: both machines have a point that can be restored.
        self.lab.watch.backups(&self.client.account, REGION, |held| {
            for number in 0..self.ids.len() {
                held.points.push(Point::new(&image(number), VAULT, &self.arn(number), ago(9)));
            }
        });
        self.poke()?;
        let message = self.told("True", "Settled")?;
        ensure!(message == "all 2 assets can be restored to a moment within 26 hours", "{message}");
        self.lab.condition(&["mc", "restorable"], "BackupsProtected", "True", "Settled")?;
        Ok(())
    }

    /// An old point, a partial one and a failed job.
    fn a_gap_has_its_cure(&self) -> Result<()> {
        let image = |number: usize| format!("arn:aws:ec2:{REGION}::image/ami-{number:017x}");
        // The point of one machine is five days old, a partial one came since, and the last job failed.
        self.lab.watch.backups(&self.client.account, REGION, |held| {
            held.points[1].created = ago(120);
            let partial = Point { status: "PARTIAL".into(), ..Point::new(&image(7), VAULT, &self.arn(1), ago(2)) };
            held.points.push(partial);
            held.jobs.push(Job::failed("job-1", VAULT, &self.arn(1), (ago(1), ROLE_IS_GONE)));
        });
        self.poke()?;
        let message = self.told("False", "NotAllProtected")?;
        ensure!(message.contains("1 of 2 assets") && message.contains("5 days old") && message.contains(ROLE_IS_GONE), "{message}");
        self.lab.condition(&["mc", "restorable"], "BackupsProtected", "False", "NotAllProtected")?;
        self.lab.kubectl.wait(&["mc/restorable"], "condition=Ready", caretaker_e2e::PATIENCE)?;
        let shown = self.lab.plugin(&["backups", "restorable"])?;
        let flat = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [&self.ids[1], "Failing", "is not whole", ROLE_IS_GONE, "applies the kit again", "2 selected: 1 protected, 1 failing"] {
            ensure!(flat.contains(part), "{part} is not in\n{shown}");
        }
        let plan = self.lab.plugin(&["backups", "plan", "restorable"])?;
        ensure!(plan.contains("T03:30:00Z") && plan.contains("as the policy says"), "{plan}");
        let events = self.lab.kubectl.run(&["get", "events", "-n", NAMESPACE, "-o", "json"])?;
        ensure!(events.contains("NotAllProtected"), "the moment is told in an event");
        // Clients of other tests count as well.
        let metrics = self.lab.metrics()?;
        let failing = metrics.lines().find_map(|line| line.strip_prefix("caretaker_backup_assets{state=\"failing\"} "));
        ensure!(failing.and_then(|count| count.parse().ok()) >= Some(1), "{metrics}");
        Ok(())
    }

    /// A job that AWS no longer lists.
    fn what_the_cloud_forgets_is_kept(&self) -> Result<()> {
        // The cloud forgets the job; the store does not.
        let found = self.lab.kubectl.get(&POLICY)?;
        let store = self.lab.installed.volume("store");
        let coverage = store.join(found["status"]["protection"]["address"].as_str().context("an address")?);
        let verdicts = std::fs::read_to_string(&coverage)?;
        ensure!(verdicts.lines().count() == 2 && verdicts.contains("\"Failing\"") && verdicts.contains("\"Protected\""), "{verdicts}");
        let days = coverage.with_file_name("jobs").join(format!("{}.ndjson", ago(1).strftime("%F")));
        self.lab.watch.backups(&self.client.account, REGION, |held| {
            held.jobs.clear();
            held.points[1].created = ago(3);
        });
        self.poke()?;
        self.told("True", "Settled")?;
        let kept = std::fs::read_to_string(&days).with_context(|| days.display().to_string())?;
        ensure!(kept.contains("job-1") && kept.contains(ROLE_IS_GONE), "{kept}");
        Ok(())
    }

    /// A kind that is switched off, and a region that refuses.
    fn what_is_left_out_or_refuses_is_told(&self) -> Result<()> {
        // A kind that the client has switched off in the region: today's points hold, and what comes is told.
        self.lab.watch.backups(&self.client.account, REGION, |held| held.left_out.insert("EC2".into()));
        self.poke()?;
        self.lab.until("the word about the kind that is left out", || {
            let shown = self.lab.plugin(&["backups", "restorable"])?;
            ensure!(shown.contains("At risk") && shown.contains("leaves out EC2"), "{shown}");
            Ok(())
        })?;
        self.told("True", "Settled")?;

        // A region that refuses is never True, and says nothing of what it holds.
        {
            let _faults =
                self.lab.faults(vec![Fault::error(&format!("backup/{REGION}/GET:backup-vaults:{VAULT}"), 403, "AccessDeniedException")]);
            self.poke()?;
            let message = self.told("Unknown", "Incomplete")?;
            ensure!(message.contains(REGION) && message.contains("ListRecoveryPointsByBackupVault"), "{message}");
        }
        self.poke()?;
        self.told("True", "Settled")?;
        Ok(())
    }

    /// A lock that the policy breaks.
    fn a_lock_forbids(&self) -> Result<()> {
        // A lock that wants more days than the policy says is told, and nothing is written.
        self.lab.watch.backups(&self.client.account, REGION, |held| held.locks.insert(VAULT.into(), 60));
        self.poke()?;
        let message = self.lab.condition(&POLICY, "BackupsReady", "False", "LockForbids")?;
        ensure!(message.contains("at least 60 days, while the policy says 35"), "{message}");
        Ok(())
    }
}

#[test]
fn a_policy_is_true_by_recovery_points_only_and_each_gap_has_its_cure() -> Result<()> {
    let (lab, client) = (lab(), Client::new("restorable", "200000000501", REGION));
    let made = lab.cloud.call(&["instances", &client.account, REGION, "2", "web", "db"], "")?;
    let ids: Vec<String> = made["ids"].as_array().context("machines")?.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    lab.onboard(&client)?;
    let watched = Watched { lab, client, ids };
    watched.points_decide()?;
    let writes = lab.writes_into(&watched.client.account);
    watched.a_gap_has_its_cure()?;
    watched.what_the_cloud_forgets_is_kept()?;
    watched.what_is_left_out_or_refuses_is_told()?;
    watched.a_lock_forbids()?;
    let since = lab.writes_into(&watched.client.account);
    ensure!(since == writes, "watching wrote in the cloud: {since:?} after {writes:?}");
    Ok(())
}

/// Asks for a test each week, and waits until the inventory is read.
fn with_restore_test(lab: &Lab, client: &Client) -> Result<()> {
    let mut document = client.document();
    document["spec"]["backups"]["restoreTest"] = serde_json::json!({"every": "Week"});
    lab.kubectl.apply(&document.to_string())?;
    lab.grant(client)?;
    lab.kubectl.wait(&["mc/proven"], "condition=Ready", caretaker_e2e::PATIENCE).map(drop)
}

#[test]
fn a_restore_test_passes_with_its_time_and_what_is_left_behind_is_told() -> Result<()> {
    let lab = lab();
    let mut client = Client::new("proven", "200000000502", REGION);
    client.allow.push("RestoreTest".into());
    let disks = ["vol-00000000000000001", "vol-00000000000000009"];
    let rows = vec![disk((REGION, disks[0]), 8, &[("backup", "daily")]), disk((REGION, disks[1]), 8, &[])];
    lab.watch.set_rows("ec2/DescribeVolumes", &client.account, REGION, Rows::These(rows));
    let arn = |id: &str| format!("arn:aws:ec2:{REGION}:{}:volume/{id}", client.account);
    let point = format!("arn:aws:ec2:{REGION}::snapshot/snap-00000000000000001");
    lab.watch
        .backups(&client.account, REGION, |held| held.points.push(Point::new(&point, "caretaker-proven-main", &arn(disks[0]), ago(9))));
    with_restore_test(lab, &client)?;
    let (namespace, policy) = ("client-proven", ["bp", "main", "-n", "client-proven"]);
    lab.condition(&policy, "BackupsReady", "True", "Settled")?;
    poke(lab, namespace)?;

    // AWS is told to restore the one disk that is protected, and nothing has been restored yet.
    lab.condition(&policy, "RestoreTested", "Unknown", "Progressing")?;
    let name = "caretaker_proven_main";
    let sampled = lab.watch.backups(&client.account, REGION, |held| held.restore_tests.get(name).map(|test| test.selection.clone()));
    ensure!(sampled.as_ref().is_some_and(|held| held["ProtectedResourceArns"][0] == arn(disks[0])), "{sampled:?}");

    // It was restored within 12 minutes; the verdict is given once, and the record has the time.
    let began = ago(1);
    let run = |id: &str, restored: Option<&str>, is_deletable: bool| Restore {
        id: id.into(),
        test: name.into(),
        source: arn(disks[0]),
        point: point.clone(),
        began,
        ends: began + SignedDuration::from_secs(720),
        restored: restored.map(&arn),
        verdict: None,
        is_deletable,
    };
    lab.watch.backups(&client.account, REGION, |held| held.restores.push(run("run-1", Some(disks[1]), true)));
    poke(lab, namespace)?;
    let message = lab.condition(&policy, "RestoreTested", "True", "Proven")?;
    ensure!(message.contains("in 720 s") && message.contains(disks[0]), "{message}");
    let verdicts = || lab.writes_into(&client.account).iter().filter(|call| call.contains("validations")).count();
    let (verdict, count) = (lab.watch.backups(&client.account, REGION, |held| held.restores[0].verdict.clone()), verdicts());
    ensure!(verdict.is_some_and(|(word, _)| word == "SUCCESSFUL") && count == 1, "one verdict: {count}");
    poke(lab, namespace)?;
    lab.until("the record of what is gone", || {
        let record = lab.kubectl.get(&policy)?["status"]["restoreTests"]["records"][0].clone();
        ensure!(record["result"] == "Passed" && record["rtoSeconds"] == 720 && record["removed"] == true, "{record}");
        ensure!(record["digest"].as_str().is_some_and(|digest| digest.len() == 64), "{record}");
        Ok(())
    })?;
    ensure!(verdicts() == 1, "a second pass gave another verdict");
    let store = lab.installed.volume("store").display().to_string();
    let ledger = lab.plugin(&["ledger", "show", "proven", "--store", &store])?;
    ensure!(ledger.contains("720 s") && ledger.contains("passed"), "the ledger has the record: {ledger}");

    // Another one passes, and AWS cannot delete what it restored: the command is told.
    lab.watch.backups(&client.account, REGION, |held| held.restores.push(run("run-2", Some(disks[1]), false)));
    poke(lab, namespace)?;
    lab.until("the second verdict", || {
        ensure!(verdicts() == 2, "{} verdicts", verdicts());
        Ok(())
    })?;
    poke(lab, namespace)?;
    let message = lab.condition(&policy, "RestoreTested", "False", "Failed")?;
    ensure!(message.contains(&format!("aws ec2 delete-volume --region {REGION} --volume-id {}", disks[1])), "{message}");
    Ok(())
}
