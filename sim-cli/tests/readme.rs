//! The commands of the README and of `docs/` are tests: each `$ lbsim ...` line is run against the real
//! binary, and what they link to is there.

use assert_cmd::Command;

/// The repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn text(name: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}/{name}")).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Goal: nobody copies a command from the documents that does not work.
/// Method: the lines as they stand, comments cut off; runs and sweeps are shortened by further
/// settings, and write to a folder of the test.
#[test]
fn commands_of_the_documents_work() {
    let room = tempfile::tempdir().expect("a folder");
    // What a command writes below `out/` a later one may read.
    let here = |word: &str| match word.strip_prefix("out/") {
        Some(rest) => room.path().join(rest).display().to_string(),
        None => word.to_owned(),
    };
    for (name, least) in [("README.md", 8), ("docs/trade-offs.md", 3), ("docs/cluster.md", 6)] {
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
            let mut arguments: Vec<String> = command.split_whitespace().map(here).collect();
            let shorter = ["--set", "duration=300ms", "--set", "warmup=50ms", "--replications"];
            match arguments[0].as_str() {
                "run" => {
                    arguments.extend(shorter.map(str::to_owned));
                    arguments.push("1".to_owned());
                    let nothing_breaks = ["--set", "faults=[]", "--set", "expect={}"];
                    arguments.extend(nothing_breaks.map(str::to_owned));
                }
                "sweep" if arguments[1] == "plan" || arguments[1].starts_with("data/") => {
                    arguments.extend(shorter.map(str::to_owned));
                    arguments.push("2".to_owned());
                }
                _ => {}
            }
            let mut lbsim = Command::new(env!("CARGO_BIN_EXE_lbsim"));
            lbsim.current_dir(ROOT).args(&arguments).assert().success();
            if arguments[1] == "submit" {
                // Here nobody else does what was submitted.
                let (plan, out) = (here("out/plan.json"), here("out/cluster"));
                let mut cluster = Command::new(env!("CARGO_BIN_EXE_lbsim"));
                cluster.args(["sweep", "run", "--plan", &plan, "--out", &out]).assert().success();
            }
        }
    }
}

/// Goal: no link of the documents leads nowhere. Method: every relative link names a file or folder.
#[test]
fn links_of_the_documents_lead_somewhere() {
    for (name, folder) in
        [("README.md", ""), ("docs/trade-offs.md", "docs/"), ("docs/cluster.md", "docs/")]
    {
        for link in text(name).split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") {
                let path = format!("{ROOT}/{folder}{target}");
                assert!(std::path::Path::new(&path).exists(), "{name} links to {target}");
            }
        }
    }
}
