//! `caretaker`: the operator, its tools, and the kubectl plugin.

mod cli;
mod clouds;

use std::process::ExitCode;

fn main() -> ExitCode {
    // One crypto provider for the API server, the clouds and the store.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("error: another crypto provider is installed already");
        return ExitCode::FAILURE;
    }
    cli::main()
}
