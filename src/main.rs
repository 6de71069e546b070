//! Parses the arguments and calls one command.

fn main() -> std::process::ExitCode {
    prepress::transport::cli::main()
}
