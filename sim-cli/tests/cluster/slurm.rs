//! A Slurm of two nodes on this machine: a controller, two node daemons, and a munge of its own, all in
//! one folder and on free ports, without systemd and without touching a Slurm that is installed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::processes::{Owned, PATIENCE, Process, daemon, kill, limited, tied, wait_for};

/// The nodes.
const NODES: [&str; 2] = ["n0", "n1"];

/// What it is told, but for folders, ports and the user. Times are short, so that the death of a node is
/// noticed in seconds and not in five minutes; `cred_expire` is how long a task that was put into the
/// queue again has to wait there (two minutes by default).
const SETTINGS: &str = "\
ClusterName=lbsim
SlurmctldHost=localhost(127.0.0.1)
AuthType=auth/munge
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=6
KillWait=5
MinJobAge=300
JobRequeue=1
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
";

/// The daemons; they and whatever they started end with it.
pub struct Slurm {
    folder: PathBuf,
    daemons: Vec<Owned>,
}

impl Slurm {
    /// Starts all daemons in a folder that is there, and waits until both nodes can be used.
    pub fn start(folder: &Path) -> Self {
        let mut slurm = Self { folder: folder.to_owned(), daemons: Vec::new() };
        std::fs::create_dir(slurm.path("state")).expect("made");
        slurm.make_key();
        let mut munged = tied(daemon("munged"));
        munged.args(["--foreground", "--force"]);
        for (option, name) in [
            ("socket", "munge.socket"),
            ("key-file", "munge.key"),
            ("log-file", "munged.log"),
            ("pid-file", "munged.pid"),
            ("seed-file", "munge.seed"),
        ] {
            munged.arg(format!("--{option}={}", slurm.path(name).display()));
        }
        slurm.spawn(munged, "munged.out");
        wait_for("munge", PATIENCE, || slurm.path("munge.socket").exists().then_some(()));
        std::fs::write(slurm.path("slurm.conf"), slurm.settings()).expect("written");
        let mut controller = tied(daemon("slurmctld"));
        controller.args(["-D", "-c"]);
        slurm.spawn(controller, "slurmctld.out");
        for node in NODES {
            slurm.start_node(node);
        }
        wait_for("two idle nodes", PATIENCE, || {
            let (_, states) = slurm.ask("sinfo", &["--noheader", "--Node", "--format=%T"]);
            (states.lines().filter(|state| *state == "idle").count() == NODES.len()).then_some(())
        });
        slurm
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Whoever has the key may start programs as this user, so nobody else has it.
    fn make_key(&self) {
        let mut key = [0; 1024];
        let mut random = File::open("/dev/urandom").expect("there");
        random.read_exact(&mut key).expect("endless");
        let mut options = File::options();
        let file = options.write(true).create_new(true).mode(0o600).open(self.path("munge.key"));
        file.and_then(|mut file| file.write_all(&key)).expect("written");
    }

    fn settings(&self) -> String {
        let user = limited("id").arg("-un").output().expect("started").stdout;
        let user = String::from_utf8(user).expect("a name");
        let user = user.trim();
        let folder = self.folder.display();
        // All are taken before the first is given back, so they differ.
        let taken = [0; 3].map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let [control, ports @ ..] = taken.each_ref().map(|l| l.local_addr().expect("bound").port());
        let mut text = SETTINGS.to_owned();
        let _ = write!(
            text,
            "SlurmUser={user}\nSlurmdUser={user}\nSlurmctldPort={control}\n\
             AuthInfo=socket={folder}/munge.socket,cred_expire=5\n\
             StateSaveLocation={folder}/state\nSlurmdSpoolDir={folder}/spool-%n\n\
             SlurmctldPidFile={folder}/slurmctld.pid\nSlurmdPidFile={folder}/slurmd-%n.pid\n\
             SlurmctldLogFile={folder}/slurmctld.log\nSlurmdLogFile={folder}/slurmd-%n.log\n"
        );
        for (node, port) in NODES.iter().zip(ports) {
            let _ = writeln!(
                text,
                "NodeName={node} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=4000"
            );
        }
        text
    }

    fn start_node(&mut self, node: &str) {
        let mut daemon = tied(daemon("slurmd"));
        daemon.args(["-D", "-N", node]);
        self.spawn(daemon, &format!("slurmd-{node}.out"));
    }

    fn spawn(&mut self, mut command: Command, output: &str) {
        let file = File::create(self.path(output)).expect("made");
        command.stdin(Stdio::null()).stdout(file.try_clone().expect("a handle")).stderr(file);
        self.daemons.push(Owned(self.with_settings(&mut command).spawn().expect("started")));
    }

    /// Makes a command talk to this Slurm.
    pub fn with_settings<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("SLURM_CONF", self.path("slurm.conf"))
    }

    /// Success and standard output of one of Slurm's commands.
    pub fn ask(&self, program: &str, arguments: &[&str]) -> (bool, String) {
        let mut command = limited(program);
        let output = self.with_settings(command.args(arguments)).output().expect("started");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// How many tasks of a job run or wait.
    pub fn open_tasks(&self, job: &str) -> Option<usize> {
        let (good, tasks) = self.ask("squeue", &["--noheader", "--array", "--job", job]);
        good.then(|| tasks.lines().count())
    }

    /// State and number of restarts of every task of a job, by number of the task.
    pub fn tasks(&self, job: &str) -> Vec<Task> {
        let (_, text) = self.ask("scontrol", &["--oneliner", "show", "job", job]);
        let mut tasks: Vec<Task> = text.lines().filter_map(Task::read).collect();
        tasks.sort_by_key(|task| task.number);
        tasks
    }

    /// All processes of a node: its daemon, those that watch over tasks, and the tasks themselves.
    pub fn processes_of(&self, node: &str) -> Vec<Process> {
        let log = self.path(&format!("slurmd-{node}.log"));
        let is_task = |process: &Process| {
            process.variable("SLURMD_NODENAME").as_deref() == Some(node) && self.owns(*process)
        };
        Process::all().filter(|process| is_task(process) || process.has_open(&log)).collect()
    }

    /// The batch script of a task on a node, which Slurm tells when the time is almost over; as soon as its
    /// worker is there, since before it could not pass that on.
    pub fn script_of(&self, node: &str, task: u32) -> Option<Process> {
        let is_of_task =
            |process: &Process| process.variable("SLURM_ARRAY_TASK_ID") == Some(task.to_string());
        let all = self.processes_of(node).into_iter().filter(is_of_task);
        let all: Vec<(Process, Vec<String>)> = all.map(|p| (p, p.words())).collect();
        let has = |part: &'static str| {
            let found = all.iter().find(|(_, words)| words.iter().any(|word| word.ends_with(part)));
            found.map(|(process, _)| *process)
        };
        has("--shard")?;
        has("slurm_script")
    }

    /// Numbers of the tasks that a node is working on.
    pub fn tasks_on(&self, node: &str) -> BTreeSet<u32> {
        let processes = self.processes_of(node);
        let numbers =
            processes.iter().filter_map(|p| p.variable("SLURM_ARRAY_TASK_ID")?.parse().ok());
        numbers.collect()
    }

    fn owns(&self, process: Process) -> bool {
        let settings = self.path("slurm.conf").display().to_string();
        process.variable("SLURM_CONF") == Some(settings)
    }

    /// The node loses its power.
    pub fn kill_node(&self, node: &str) {
        // Until nothing is left: a daemon may be starting something.
        wait_for("the end of a node", PATIENCE, || {
            let processes = self.processes_of(node);
            kill(&processes);
            processes.is_empty().then_some(())
        });
    }

    /// What the controller wrote, for whoever has to find out why a test failed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("slurmctld.log")).unwrap_or_default()
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the controller's log:\n{}", self.log());
        }
        self.daemons.clear();
        for _ in 0..20 {
            let left = |process: &Process| self.owns(*process) || process.has_open(&self.folder);
            let left: Vec<Process> = Process::all().filter(left).collect();
            if left.is_empty() {
                return;
            }
            kill(&left);
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
}

/// What Slurm knows of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its number in the array.
    pub number: u32,
    /// `COMPLETED`, where all is well.
    pub state: String,
    /// How often it was started again.
    pub restarts: u32,
    /// Nodes it was on last.
    pub node: String,
}

impl Task {
    /// From a line of `scontrol --oneliner show job`.
    fn read(line: &str) -> Option<Self> {
        let field = |name: &str| {
            line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        };
        Some(Self {
            number: field("ArrayTaskId")?.parse().ok()?,
            state: field("JobState")?.to_owned(),
            restarts: field("Restarts")?.parse().ok()?,
            node: field("NodeList")?.to_owned(),
        })
    }
}
