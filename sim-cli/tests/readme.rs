//! The README's commands are tests: each `$ lbsim ...` line of it is run against the real binary.

use assert_cmd::Command;

/// Goal: nobody copies a command from the README that does not work.
/// Method: the lines as they stand, comments cut off; runs are shortened by further settings.
#[test]
fn commands_of_the_readme_work() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let readme = std::fs::read_to_string(format!("{root}/README.md")).expect("there is a README");
    let commands: Vec<&str> = readme
        .lines()
        .filter_map(|line| {
            line.strip_prefix("$ lbsim ").or(line.strip_prefix("$ cargo run --release -- "))
        })
        .map(|line| line.split('#').next().unwrap_or(line).trim())
        .collect();
    assert!(commands.len() >= 5, "the README has lost its commands: {commands:?}");
    for command in commands {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        if arguments[0] == "run" {
            arguments.extend(["--set", "duration=300ms", "--set", "warmup=50ms"]);
            arguments.extend(["--set", "faults=[]", "--set", "expect={}", "--replications", "1"]);
        }
        let mut lbsim = Command::new(env!("CARGO_BIN_EXE_lbsim"));
        lbsim.current_dir(root).args(&arguments).assert().success();
    }
}
