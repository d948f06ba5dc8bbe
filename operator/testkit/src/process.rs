//! Processes that end with the one that started them.
//!
//! Each is started through `setpriv --pdeathsig KILL` (util-linux, on every Debian), by one thread that lives as long as this process: the kernel sends
//! the signal when the starting thread ends, however it ends.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

type Job = (Command, mpsc::Sender<std::io::Result<Child>>);

fn starter() -> &'static Mutex<mpsc::Sender<Job>> {
    static STARTER: OnceLock<Mutex<mpsc::Sender<Job>>> = OnceLock::new();
    STARTER.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, answer) in jobs {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(sender)
    })
}

/// A command for [`spawn`]: the kernel kills its process when the thread that has started it ends.
pub fn mortal(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Starts what [`mortal`] has made as a process that ends with this one.
///
/// # Errors
/// It cannot be started.
///
/// # Panics
/// Another thread panicked while it started a process.
pub fn spawn(name: &str, command: Command) -> Result<Child> {
    let (sender, answer) = mpsc::channel();
    starter().lock().expect("no panic while held").send((command, sender)).context("the starting thread is gone")?;
    answer.recv()?.with_context(|| format!("start {name}; setpriv is part of util-linux"))
}

/// A process under our care. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program; its output goes to a log file.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(name: &str, program: &Path, args: &[String], env: &[(String, String)], log: &Path) -> Result<Self> {
        let out = File::options().create(true).append(true).open(log).with_context(|| format!("open {}", log.display()))?;
        let mut command = mortal(program);
        command.args(args).envs(env.iter().map(|(key, value)| (key, value)));
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let child = spawn(name, command)?;
        Ok(Self { name: name.to_owned(), child, log: log.to_path_buf() })
    }

    /// Process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The log file.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end (SIGTERM) and waits.
    ///
    /// # Errors
    /// It did not end in time.
    pub fn stop(&mut self, within: Duration) -> Result<i32> {
        // Once its end is known the id may be another process's.
        if !self.is_running() {
            return self.wait(within);
        }
        let status = Command::new("kill").args(["-TERM", &self.id().to_string()]).status()?;
        if !status.success() && self.is_running() {
            bail!("{} cannot be signalled", self.name);
        }
        self.wait(within)
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end. Returns the exit code, or minus the signal.
    ///
    /// # Errors
    /// It did not end in time.
    pub fn wait(&mut self, within: Duration) -> Result<i32> {
        use std::os::unix::process::ExitStatusExt;
        let began = Instant::now();
        while began.elapsed() < within {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code().unwrap_or_else(|| -status.signal().unwrap_or_default()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("{} did not end within {} s; see {}:\n{}", self.name, within.as_secs(), self.log.display(), tail(&self.log, 15))
    }

    /// Waits until a check passes; names the end of the log where the process dies meanwhile.
    ///
    /// # Errors
    /// The process died, or time is over.
    pub fn wait_until(&mut self, what: &str, within: Duration, mut check: impl FnMut() -> bool) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < within {
            if check() {
                return Ok(());
            }
            if !self.is_running() {
                bail!("{} ended while waiting for {what}:\n{}", self.name, tail(&self.log, 15));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("{}: {what} did not come within {} s:\n{}", self.name, within.as_secs(), tail(&self.log, 15))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last lines of a file.
#[must_use]
pub fn tail(path: &Path, lines: usize) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Holds a lock file against every other process and thread until the file is dropped.
///
/// # Errors
/// Its folder cannot be made or written.
pub fn hold(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let file = File::create(path).with_context(|| format!("make {}", path.display()))?;
    file.lock().with_context(|| format!("lock {}", path.display()))?;
    Ok(file)
}

/// First port that [`free_port`] gives.
const FIRST_PORT: u16 = 12_000;
/// First port that the kernel gives to connections that go out, by default (`net.ipv4.ip_local_port_range`).
const FIRST_OUTGOING: u16 = 32_768;

/// A free port on 127.0.0.1 that no other process of ours is given meanwhile, and no connection that goes out takes.
///
/// A port that the kernel picks is free only as long as nobody asks: between this answer and the start of whatever is to listen there, one of the many
/// connections of the tests beside it may be given the same one.
///
/// # Errors
/// There is none; the cache cannot be written.
pub fn free_port() -> Result<u16> {
    let file = crate::cache().join("ports");
    let _held = hold(&file.with_extension("lock"))?;
    let last = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse::<u16>().ok());
    let after = last.filter(|last| (FIRST_PORT..FIRST_OUTGOING - 1).contains(last)).map_or(FIRST_PORT, |last| last + 1);
    let mut ports = (after..FIRST_OUTGOING).chain(FIRST_PORT..after);
    let port = ports.find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).context("no port is free")?;
    std::fs::write(&file, port.to_string())?;
    Ok(port)
}

/// Runs a command to its end and returns its output.
///
/// # Errors
/// It failed; the error holds what it wrote.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("run {:?}", command.get_program()))?;
    if !output.status.success() {
        bail!(
            "{:?} {:?} failed: {}{}",
            command.get_program(),
            command.get_args().collect::<Vec<_>>(),
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&output.stdout)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_given_once_and_never_one_that_a_connection_may_take() -> Result<()> {
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(|| (0..20).map(|_| free_port()).collect::<Result<Vec<_>>>())).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().expect("no panic")?);
        }
        assert!(all.iter().all(|port| (FIRST_PORT..FIRST_OUTGOING).contains(port)), "{all:?}");
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 80, "a port was given twice");
        Ok(())
    }
}
