use std::process::ExitCode;

fn main() -> ExitCode {
    // A child that works on hostile bytes starts here as well.
    prepress::media::child::confined(std::env::args_os()).unwrap_or_else(prepress::transport::cli::main)
}
