//! The command line: one binary, two names. As `kubectl-caretaker` it is a kubectl plugin.

/// Prints a line. A reader that has stopped, such as `head`, is no failure: what follows is not seen, and the exit code stays. Whatever could speak to the
/// terminal is not printed: names, messages and answers come from clients and clouds.
macro_rules! outln {
    ($($arg:tt)*) => {{
        let text = $crate::cli::output::plain(&format!($($arg)*));
        let _ = std::io::Write::write_fmt(&mut std::io::stdout().lock(), format_args!("{text}\n"));
    }};
}

/// The same without the end of the line.
macro_rules! out {
    ($($arg:tt)*) => {{
        let text = $crate::cli::output::plain(&format!($($arg)*));
        let _ = std::io::Write::write_fmt(&mut std::io::stdout().lock(), format_args!("{text}"));
    }};
}

mod access;
mod account;
mod assessment;
mod backups;
mod bundle;
mod changes;
mod clients;
mod closing;
mod cluster;
mod exit;
mod gates;
mod incidents;
mod intake;
mod inventory;
mod isolation;
mod isolation_test;
mod ledger;
mod output;
mod page_test;
mod profiles;
mod progress;
mod readiness;
mod report;
mod responsibility;
mod risks;
mod run;
mod status;
#[cfg(test)]
mod told;
mod units;
mod world;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Looks after a managed service provider's clients, and lets them leave with everything.
#[derive(Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "\
Examples:
  kubectl caretaker status                     # all clients
  kubectl caretaker status acme                # one client, and what to do next
  kubectl caretaker kit acme --to FOLDER       # what the client applies to let us in
  kubectl caretaker exit acme --wait           # rehearse the exit; nothing is revoked
  kubectl caretaker exit acme --final --wait   # the exit
  kubectl caretaker accept acme --digest SHA256 --code CODE --by 'Jo Doe'
  caretaker bundle verify FILE --public-key RW…"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the operator in a cluster.
    Run(Box<run::Args>),
    /// Print the definitions of all kinds as YAML, for `kubectl apply -f -`.
    Crds,
    /// List, verify and open handover bundles, without a cluster.
    Bundle(bundle::Args),
    /// Show clients: what is ready, what is not, and what to do next.
    Status(clients::Clients),
    /// Show how many assets of which type a client has, and what has changed; with --store every one.
    Inventory(inventory::InventoryArgs),
    /// Show which parts of a client's accounts were read completely, and why others were not.
    Coverage(account::Which),
    /// Show every way into a client's accounts: since when it is proved, what is missing, what is too much, what ends soon.
    Access(account::Which),
    /// Show what the isolation test of a client's namespace has tried, and what came of it; --run makes one now.
    Isolation(isolation::IsolationArgs),
    /// Try what a pod in a client's namespace must and must not do. Runs in the pod of an isolation test.
    #[command(hide = true)]
    IsolationTest,
    /// List every call that is made in a client's cloud, with its permission and its reason. Needs no cluster.
    Permissions(access::PermissionsArgs),
    /// List or write the grant kits for a client: what they apply to let us in.
    Kit(account::KitArgs),
    /// Show whether clients could leave today, and what stands in the way.
    Readiness(clients::Clients),
    /// Report on a client: what is there, how much of it was read, what is not protected, and what is not as it should be.
    Assessment(assessment::Args),
    /// Show the packaged baselines; show tells what a changed one does to which client, and where clients deviate from it.
    Profiles(profiles::Args),
    /// Show in which phase of the contract clients are, what stands before the next one, and who must act.
    Gates(clients::Clients),
    /// Show what is not as it should be, who must act, until when, and what helps.
    Risks(clients::Clients),
    /// Show what of clients can be restored and from when, what cannot and why; plan shows what is written next.
    Backups(backups::Args),
    /// Show planned changes that wait for the client's yes; approve and reject say the client's word.
    Changes(changes::Args),
    /// Show what the service levels of a client's months came to, and whether a month would have passed.
    Report(Box<report::Args>),
    /// Show who does what of the controls of the frameworks that a client asked for.
    Responsibility(responsibility::Args),
    /// Show how many units clients are billed for, and with --store the assets behind them.
    Units(units::Args),
    /// Show the outages that a person must own: which tier was told, who took them.
    Incidents(incidents::Args),
    /// Take an incident: further tiers are not told of it.
    Ack(incidents::AckArgs),
    /// Try the way from a client's Alertmanager to the receiver of each tier, by a page that says that it is a test.
    PageTest(page_test::Args),
    /// Show what was done in a client's clouds and by its exits, verify the log of it, and plan how to take it back.
    Ledger(ledger::Args),
    /// Take a client in from another provider, and compare what was handed over with what is there.
    Intake(intake::Args),
    /// Begin an exit: a rehearsal, or the real one with --final.
    Exit(exit::ExitArgs),
    /// Accept the bundle of a final exit by its digest. After it our access is revoked.
    Accept(exit::AcceptArgs),
    /// Show the deadlines of a client's exit, what became of its data after it, and fetch the certificate of that.
    Closing(closing::Args),
    /// Print shell completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Parses and runs.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => block_on(run::run(*args)),
        Command::Crds => crds(),
        Command::Bundle(args) => return bundle::run(args),
        Command::Status(args) => block_on(status::run(args)),
        Command::Inventory(args) => block_on(inventory::inventory(args)),
        Command::Coverage(args) => block_on(inventory::coverage(args)),
        Command::Access(args) => block_on(access::access(args)),
        Command::Isolation(args) => block_on(isolation::run(args)),
        Command::IsolationTest => block_on(isolation_test::run()),
        Command::Permissions(args) => access::permissions(&args),
        Command::Kit(args) => block_on(account::kit(args)),
        Command::Readiness(args) => block_on(readiness::run(args)),
        Command::Assessment(args) => block_on(assessment::run(args)),
        Command::Profiles(args) => block_on(profiles::run(args)),
        Command::Gates(args) => block_on(gates::run(args)),
        Command::Risks(args) => block_on(risks::run(args)),
        Command::Backups(args) => block_on(backups::run(args)),
        Command::Changes(args) => block_on(changes::run(args)),
        Command::Report(args) => block_on(report::run(*args)),
        Command::Responsibility(args) => block_on(responsibility::run(args)),
        Command::Units(args) => block_on(units::run(args)),
        Command::Incidents(args) => block_on(incidents::run(args)),
        Command::Ack(args) => block_on(incidents::ack(args)),
        Command::PageTest(args) => block_on(page_test::run(args)),
        Command::Ledger(args) => block_on(ledger::run(args)),
        Command::Intake(args) => block_on(intake::run(args)),
        Command::Exit(args) => block_on(exit::exit(args)),
        Command::Accept(args) => block_on(exit::accept(args)),
        Command::Closing(args) => block_on(closing::run(args)),
        Command::Completions { shell } => {
            let name = if is_plugin() { "kubectl-caretaker" } else { "caretaker" };
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), name, &mut text);
            out!("{}", String::from_utf8_lossy(&text));
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_plugin() -> bool {
    std::env::args().next().is_some_and(|name| name.ends_with("kubectl-caretaker"))
}

fn block_on(future: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}

fn crds() -> anyhow::Result<()> {
    for crd in caretaker_api::all_crds() {
        outln!("---\n{}", serde_saphyr::to_string(&crd)?.trim_end());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
