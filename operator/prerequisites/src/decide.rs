//! What a command needs, and what is said where a machine does not have it. Nothing here looks at the machine.

/// A command of `cargo xtask`, by what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// The whole test run.
    Test,
    /// The demo, the benchmark, the parts for a developer's own runs: control plane, emulator, simulators and their judges.
    Parts,
    /// Nothing but the compiler: generating, checking, the fast loop of tests.
    Compiler,
}

impl Command {
    /// By the arguments of `cargo xtask`.
    #[must_use]
    pub fn of(args: &[&str]) -> Self {
        let starts_nothing = ["--down", "--help", "-h"].iter().any(|flag| args.contains(flag));
        match args {
            _ if starts_nothing => Self::Compiler,
            // With a name it is the fast loop.
            ["test"] => Self::Test,
            ["demo" | "bench" | "up" | "clouds" | "tools" | "release", ..] => Self::Parts,
            _ => Self::Compiler,
        }
    }
}

/// The machine's Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Python {
    /// There is none, or none that is new enough.
    Missing,
    /// It cannot make environments: Debian has what that takes in a package of its own.
    WithoutVenv,
    /// It can.
    Ready,
}

/// What was found on a machine.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Python.
    pub python: Python,
    /// A Go that builds the tools, or fetches the Go that does.
    pub go: bool,
    /// Node.js with npm, new enough for Microsoft's validator.
    pub node: bool,
    /// Go and Node.js can be had as Python packages, which exist for this kind of machine.
    pub wheels: bool,
    /// The `zstd` command.
    pub zstd: bool,
    /// libarchive's `tar`.
    pub bsdtar: bool,
    /// util-linux's `setpriv`, which has a process end with the one that started it.
    pub setpriv: bool,
    /// A Chromium, in which pages are opened.
    pub browser: bool,
    /// Packages that a real node needs and that are not there; none where this user cannot have a node at all.
    pub for_a_node: Vec<&'static str>,
    /// A port on 127.0.0.1 can be listened on.
    pub loopback: bool,
    /// Memory that is free, in MiB; `None` where the machine does not say.
    pub memory_mib: Option<u64>,
    /// Room where things are built, in MiB; `None` where the machine does not say.
    pub disk_mib: Option<u64>,
    /// The operator and the control plane were built here before.
    pub is_built: bool,
    /// The machine has Debian's packages.
    pub apt: bool,
    /// We may install packages.
    pub is_root: bool,
}

/// What a machine lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Packages, by their names in Debian.
    pub packages: Vec<&'static str>,
    /// What no package gives.
    pub faults: Vec<String>,
}

/// Free memory for a first build, in MiB: the compiler takes most of it for the SDK of EC2.
const MEMORY_TO_BUILD: u64 = 7_000;
/// Free memory for a run of what is built, in MiB: three control planes at a time in the tests, one elsewhere.
const MEMORY_TO_RUN: [u64; 2] = [4_000, 2_000];
/// Room for a first build, in MiB.
const DISK_TO_BUILD: u64 = 20_000;
/// Room for a run of what is built, in MiB.
const DISK_TO_RUN: u64 = 3_000;

/// What a machine lacks for a command.
#[must_use]
pub fn missing(command: Command, facts: &Facts) -> Missing {
    let mut missing = Missing::default();
    if command == Command::Compiler {
        return missing;
    }
    let mut package = |there: bool, packages: &[&'static str]| {
        if !there {
            missing.packages.extend(packages);
        }
    };
    match facts.python {
        Python::Ready => {}
        Python::WithoutVenv => package(false, &["python3-venv"]),
        Python::Missing => package(false, &["python3", "python3-venv"]),
    }
    package(facts.go || facts.wheels, &["golang-go"]);
    package(facts.node || facts.wheels, &["nodejs", "npm"]);
    package(facts.setpriv, &["util-linux"]);
    if command == Command::Test {
        package(facts.zstd, &["zstd"]);
        package(facts.bsdtar, &["libarchive-tools"]);
        package(facts.for_a_node.is_empty(), &facts.for_a_node);
        // Whoever cannot install packages need not: the tests that open pages are skipped, and say so.
        package(facts.browser || !facts.apt || !facts.is_root, &["chromium"]);
    }
    if !facts.loopback {
        missing.faults.push("no port on 127.0.0.1 can be listened on; everything that is started listens there".to_owned());
    }
    let to_run = if command == Command::Test { MEMORY_TO_RUN[0] } else { MEMORY_TO_RUN[1] };
    let (memory, disk, why) =
        if facts.is_built { (to_run, DISK_TO_RUN, "to run") } else { (MEMORY_TO_BUILD, DISK_TO_BUILD, "to build for the first time") };
    for (name, found, needed) in [("memory", facts.memory_mib, memory), ("disk", facts.disk_mib, disk)] {
        if let Some(found) = found.filter(|found| *found < needed) {
            missing.faults.push(format!("{found} MiB of {name} are free, and {needed} MiB are needed {why}"));
        }
    }
    missing
}

impl Missing {
    /// Whether nothing is missing.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.packages.is_empty() && self.faults.is_empty()
    }

    /// The command that installs the packages, as its arguments; `None` where none is missing or the machine is none of Debian's.
    #[must_use]
    pub fn install(&self, facts: &Facts) -> Option<Vec<&'static str>> {
        if self.packages.is_empty() || !facts.apt {
            return None;
        }
        let mut line = if facts.is_root { Vec::new() } else { vec!["sudo"] };
        line.extend(["apt-get", "install", "-y", "--no-install-recommends"]);
        line.extend(&self.packages);
        Some(line)
    }

    /// One line for all packages, and one for each other fault.
    #[must_use]
    pub fn told(&self, facts: &Facts) -> Vec<String> {
        let mut lines = self.faults.clone();
        if let Some(line) = self.install(facts) {
            lines.push(format!("packages are missing; install them with: {}", line.join(" ")));
        } else if !self.packages.is_empty() {
            lines.push(format!("please install what Debian has in these packages: {}", self.packages.join(" ")));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Facts {
        Facts {
            python: Python::Ready,
            go: true,
            node: true,
            wheels: true,
            zstd: true,
            bsdtar: true,
            setpriv: true,
            browser: true,
            for_a_node: Vec::new(),
            loopback: true,
            memory_mib: Some(8_000),
            disk_mib: Some(30_000),
            is_built: false,
            apt: true,
            is_root: true,
        }
    }

    #[test]
    fn each_command_asks_for_what_it_uses_and_for_nothing_else() {
        use Command::{Compiler, Parts, Test};
        type Change = fn(&mut Facts);
        let cases: [(&str, Change, Command, &[&str], usize); 25] = [
            ("a machine with everything", |_| {}, Test, &[], 0),
            ("bsdtar opens a bundle in the tests", |f| f.bsdtar = false, Test, &["libarchive-tools"], 0),
            ("and nowhere else", |f| f.bsdtar = false, Parts, &[], 0),
            ("so does zstd", |f| f.zstd = false, Test, &["zstd"], 0),
            ("and nowhere else", |f| f.zstd = false, Parts, &[], 0),
            ("pods run on a node in the tests", |f| f.for_a_node = vec!["nftables", "busybox"], Test, &["nftables", "busybox"], 0),
            ("and nowhere else", |f| f.for_a_node = vec!["nftables"], Parts, &[], 0),
            ("pages are opened in the tests", |f| f.browser = false, Test, &["chromium"], 0),
            ("by who can install a browser", |f| (f.browser, f.is_root) = (false, false), Test, &[], 0),
            ("and nowhere else", |f| f.browser = false, Parts, &[], 0),
            ("Debian's Python without venv", |f| f.python = Python::WithoutVenv, Parts, &["python3-venv"], 0),
            ("no Python", |f| f.python = Python::Missing, Parts, &["python3", "python3-venv"], 0),
            ("Go comes as a Python package", |f| f.go = false, Parts, &[], 0),
            ("Node.js comes as a Python package", |f| f.node = false, Parts, &[], 0),
            (
                "neither does on an uncommon machine",
                |f| (f.go, f.node, f.wheels) = (false, false, false),
                Parts,
                &["golang-go", "nodejs", "npm"],
                0,
            ),
            ("an uncommon machine that has both", |f| f.wheels = false, Parts, &[], 0),
            ("processes must end with their parent", |f| f.setpriv = false, Parts, &["util-linux"], 0),
            ("no network namespace with a loopback", |f| f.loopback = false, Parts, &[], 1),
            ("little memory for a first build", |f| f.memory_mib = Some(5_000), Parts, &[], 1),
            ("enough where it is built", |f| (f.memory_mib, f.is_built) = (Some(5_000), true), Test, &[], 0),
            ("little even then, for the tests", |f| (f.memory_mib, f.is_built) = (Some(3_000), true), Test, &[], 1),
            ("the demo has one control plane", |f| (f.memory_mib, f.is_built) = (Some(3_000), true), Parts, &[], 0),
            ("a full disk", |f| (f.disk_mib, f.is_built) = (Some(1_000), true), Parts, &[], 1),
            ("a machine that does not say", |f| (f.memory_mib, f.disk_mib) = (None, None), Test, &[], 0),
            ("the fast loop needs the compiler", |f| (f.python, f.zstd, f.loopback) = (Python::Missing, false, false), Compiler, &[], 0),
        ];
        for (why, change, command, packages, faults) in cases {
            let mut facts = all();
            change(&mut facts);
            let missing = missing(command, &facts);
            assert_eq!((missing.packages.as_slice(), missing.faults.len()), (packages, faults), "{why}: {missing:?}");
            assert_eq!(missing.is_nothing(), packages.is_empty() && faults == 0, "{why}");
        }
    }

    #[test]
    fn all_packages_are_named_in_one_line_that_can_be_typed() {
        let mut facts = Facts { zstd: false, bsdtar: false, python: Python::WithoutVenv, disk_mib: Some(5), ..all() };
        let told = |facts: &Facts| missing(Command::Test, facts).told(facts);
        let line = "apt-get install -y --no-install-recommends python3-venv zstd libarchive-tools";
        assert_eq!(told(&facts)[1], format!("packages are missing; install them with: {line}"));
        assert!(told(&facts)[0].starts_with("5 MiB of disk are free"), "{:?}", told(&facts));
        facts.is_root = false;
        assert!(told(&facts)[1].ends_with(&format!("sudo {line}")), "{:?}", told(&facts));
        facts.apt = false;
        assert!(told(&facts)[1].ends_with("python3-venv zstd libarchive-tools"), "{:?}", told(&facts));
        assert_eq!(missing(Command::Test, &facts).install(&facts), None);
        assert!(missing(Command::Test, &all()).told(&all()).is_empty());
    }

    #[test]
    fn a_command_is_known_by_its_arguments() {
        for (args, command, why) in [
            (&["test"][..], Command::Test, "the README's command"),
            (&["test", "core"], Command::Compiler, "the fast loop"),
            (&["demo"], Command::Parts, "the README's command"),
            (&["demo", "--keep"], Command::Parts, "with a flag"),
            (&["demo", "--down"], Command::Compiler, "it only stops"),
            (&["bench", "line"], Command::Parts, "a part of the benchmark"),
            (&["demo", "--help"], Command::Compiler, "it only tells"),
            (&["check"], Command::Compiler, "it starts nothing"),
            (&[], Command::Compiler, "it shows its help"),
        ] {
            assert_eq!(Command::of(args), command, "{why}: {args:?}");
        }
    }
}
