//! The commands of the README and of `docs/` are tests: each `$ lbsim ...` line is run against the real
//! binary, and what they link to is there.

use assert_cmd::Command;

/// The repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn text(name: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}/{name}")).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Goal: nobody copies a command from the documents that does not work.
/// Method: the lines as they stand, comments cut off; runs are shortened by further settings.
#[test]
fn commands_of_the_documents_work() {
    for (name, least) in [("README.md", 5), ("docs/trade-offs.md", 3)] {
        let document = text(name);
        let commands: Vec<&str> = document
            .lines()
            .filter_map(|line| {
                line.strip_prefix("$ lbsim ").or(line.strip_prefix("$ cargo run --release -- "))
            })
            .map(|line| line.split('#').next().unwrap_or(line).trim())
            .collect();
        assert!(commands.len() >= least, "{name} has lost its commands: {commands:?}");
        for command in commands {
            let mut arguments: Vec<&str> = command.split_whitespace().collect();
            if arguments[0] == "run" {
                arguments.extend(["--set", "duration=300ms", "--set", "warmup=50ms"]);
                arguments.extend(["--set", "faults=[]", "--set", "expect={}"]);
                arguments.extend(["--replications", "1"]);
            }
            let mut lbsim = Command::new(env!("CARGO_BIN_EXE_lbsim"));
            lbsim.current_dir(ROOT).args(&arguments).assert().success();
        }
    }
}

/// Goal: no link of the documents leads nowhere. Method: every relative link names a file or folder.
#[test]
fn links_of_the_documents_lead_somewhere() {
    for (name, folder) in [("README.md", ""), ("docs/trade-offs.md", "docs/")] {
        for link in text(name).split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") {
                let path = format!("{ROOT}/{folder}{target}");
                assert!(std::path::Path::new(&path).exists(), "{name} links to {target}");
            }
        }
    }
}
