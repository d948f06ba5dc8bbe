//! Days of service levels are read out of a client's own Prometheus, which runs in a pod behind the client's network policies.

use anyhow::{Context, Result, ensure};
use caretaker_e2e::in_pod::InPod;
use serde_json::json;

/// Of `acme`, whose stack runs.
pub fn are_read_out_of_a_pod(lab: &InPod) -> Result<()> {
    let objectives = json!([{"name": "machines", "target": "99.9", "uptime": {"source": "Machines"}}]);
    let patch = json!({"spec": {"serviceLevels": {"zone": "UTC", "objectives": objectives}}});
    let kubectl = lab.cluster.kubectl();
    kubectl.run(&["patch", "mc", "acme", "--type=merge", "-p", &patch.to_string()])?;
    let today = jiff::Timestamp::now().to_string();
    let report = ["sr", &today[..7], "-n", "client-acme"];
    lab.condition(&report, "LevelsCollected", "True", "Settled")?;
    let stored = || kubectl.get(&report).map(|object| object["status"]["daysStored"].as_u64().unwrap_or_default());
    // On the first day of a month no day of it is over.
    let is_first = today[8..10] == *"01";
    lab.until("a day that was read", || {
        let count = stored()?;
        (is_first || count > 0).then_some(()).with_context(|| format!("{count} days are stored"))
    })?;
    lab.condition(&["mc", "acme"], "LevelsCollected", "True", "Settled")?;
    let ready = lab.condition(&report, "Ready", "True", "Settled")?;
    ensure!(!ready.contains("cannot be read"), "{ready}");
    Ok(())
}
