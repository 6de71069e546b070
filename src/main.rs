use std::process::ExitCode;

fn main() -> ExitCode {
    prepress::transport::cli::main()
}
