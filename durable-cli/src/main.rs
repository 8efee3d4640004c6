//! The binary `durable`: the command line without a program's code.

fn main() -> std::process::ExitCode {
    durable_cli::main()
}
