//! A server for ssh on this machine, on a free port and with keys of its own: what stands for machines
//! without a batch system.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::processes::{Owned, PATIENCE, daemon, limited, tied, wait_for};

/// Names under which this machine stands for several.
pub const HOSTS: [&str; 2] = ["h0", "h1"];

/// The server; it ends with it.
pub struct Ssh {
    client: PathBuf,
    _daemon: Owned,
}

impl Ssh {
    /// Starts it in a folder that is there.
    pub fn start(folder: &Path) -> Self {
        // As root it insists on this folder, which is usually made when the machine starts.
        if !Path::new("/run/sshd").exists() {
            let _ = std::fs::create_dir("/run/sshd");
        }
        for name in ["host_key", "client_key"] {
            let mut keygen = limited("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(folder.join(name));
            assert!(keygen.status().expect("started").success());
        }
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.expect("a free port").port();
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nPidFile none\nHostKey {folder}/host_key\n\
             AuthorizedKeysFile {folder}/client_key.pub\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\n",
            folder = folder.display()
        );
        let config = folder.join("sshd_config");
        std::fs::write(&config, text).expect("written");
        let mut sshd = tied(daemon("sshd"));
        sshd.args(["-D", "-f"]).arg(&config).arg("-E").arg(folder.join("sshd.log"));
        let daemon = Owned(sshd.stdin(Stdio::null()).spawn().expect("started"));
        let text = format!(
            "Host {hosts}\nHostName 127.0.0.1\nPort {port}\nIdentityFile {folder}/client_key\n\
             IdentitiesOnly yes\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n",
            hosts = HOSTS.join(" "),
            folder = folder.display()
        );
        let client = folder.join("ssh_config");
        std::fs::write(&client, text).expect("written");
        let ssh = Self { client, _daemon: daemon };
        wait_for("the server", PATIENCE, || {
            let mut command = limited("ssh");
            command.arg("-F").arg(&ssh.client).args([HOSTS[0], "true"]).stderr(Stdio::null());
            command.status().expect("started").success().then_some(())
        });
        ssh
    }

    /// The command that reaches the hosts.
    pub fn command(&self) -> String {
        format!("ssh -F {}", self.client.display())
    }
}
