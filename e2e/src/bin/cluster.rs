//! A cluster with a real node in the folder that is given, until this process ends: what the test of the harness kills.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use caretaker_testkit::cluster::{BUSYBOX, Cluster, Options};

fn main() -> Result<()> {
    let folder: PathBuf = std::env::args_os().nth(1).context("give a folder")?.into();
    let began = Instant::now();
    let cluster = Cluster::start(&folder, &Options::default())?;
    println!("the node is Ready after {:.1} s", began.elapsed().as_secs_f64());
    cluster.run("default", "sleeper", BUSYBOX, &["-c", "sleep 3600"])?;
    println!("a pod runs after {:.1} s; kubeconfig {}", began.elapsed().as_secs_f64(), cluster.kubectl().kubeconfig.display());
    // A name that is there only when it is whole.
    let told = folder.join("told");
    std::fs::write(&told, format!("{}\n{}\n", cluster.network.outside(), cluster.network.cgroup()))?;
    std::fs::rename(told, folder.join("up"))?;
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}
