//! The reference engine: one global heap of events, one thread, no windows, no batches.
//!
//! It keeps the rules of the model in the plainest way that is still sensible, and it shares with
//! `sim-core` only what has one right answer: random streams, laws, the merge of beliefs, the
//! sums that are counted. Event order, queues, requests, retries and timeouts are written again.
//!
//! Total order of events: time; at one moment first what happens on a boundary (the end, faults,
//! heartbeats, reports, messages of nodes by sender, rounds, observation), then servers (completions
//! by admission, attempts by node), then nodes (responses by status, attempt; deadlines; attempts given
//! up, retries, hedges; waits; clients; arrivals).

mod agenda;
mod arrivals;
mod budgets;
mod clients;
mod judge;
mod node;
mod pace;
mod peers;
mod requests;
mod scan;
mod server;
mod serving;
mod signals;
mod subsets;

use std::cmp::Reverse;

use sim_core::config::{Arrivals, Scenario};
use sim_core::heartbeat;
use sim_core::ids::{NodeId, ServerId};
use sim_core::judge::track::Now;
use sim_core::latency_table::LatencyTable;
use sim_core::links::Links;
use sim_core::meters::RecentTable;
use sim_core::metrics::{Observations, SamplePlan, sample_members};
use sim_core::misreport::{self, Misreport};
use sim_core::network::Report;
use sim_core::notes::Note;
use sim_core::oracle::Oracle;
use sim_core::outcome;
use sim_core::peer_network::PeerMessage;
use sim_core::policy::Notice;
use sim_core::result::{Bin, RunResult, ServerResult};
use sim_core::rng::{Purpose, Stream};
use sim_core::roster::{Roster, Standing};
use sim_core::server::Meters;
use sim_core::setup::Setup;
use sim_core::time::Nanos;
use sim_core::truth::Truth;
use sim_core::workload::{TraceRecord, TraceSource};
use smallvec::{SmallVec, smallvec};

use agenda::{Agenda, Entry, Event, Parcels};
use clients::Clients;
pub use node::LatencyChoice;
use node::Node;
use server::{Job, Jobs, Server};

/// The whole state of a run.
struct Reference {
    setup: Setup,
    agenda: Agenda,
    jobs: Jobs,
    clients: Clients,
    servers: Vec<Server>,
    heartbeat_streams: Vec<Stream>,
    /// When each server sent its newest heartbeat, in quanta.
    sent: Vec<u32>,
    misreports: Vec<Misreport>,
    nodes: Vec<Node>,
    roster: Roster,
    choice: LatencyChoice,
    /// A look at changes is on the agenda.
    looking: bool,
    messages: Parcels<PeerMessage>,
    notes: Parcels<Note>,
    links: Links,
    /// Attempts that a partition kept from their server.
    cut_off: u64,
    truth: Truth,
    oracle: Oracle,
    meters: Meters,
    observations: Observations,
    latency: [LatencyTable; 2],
    recent: RecentTable,
    trace: Option<Box<dyn TraceSource>>,
    trace_turn: u32,
    /// The records of the `Recorded` event on the agenda with their nodes: those of one moment.
    recorded: Vec<(u32, TraceRecord)>,
    /// The record after them, if it has been read.
    next_record: Option<TraceRecord>,
}

/// Runs `policy` of a checked scenario in `replication` and gives what the windowed engine must
/// give.
///
/// # Panics
/// When a trace cannot be read: this engine serves tests and benches only.
pub fn simulate(
    scenario: &Scenario,
    policy: usize,
    replication: u32,
    choice: LatencyChoice,
    trace: Option<Box<dyn TraceSource>>,
) -> RunResult {
    let setup = Setup::new(scenario, policy, replication);
    let roster = Roster::new(&setup);
    let mut reference = Reference {
        agenda: Agenda::default(),
        jobs: Jobs::default(),
        clients: Clients::new(&setup),
        servers: (0..setup.servers).map(|id| Server::new(&setup, ServerId(id))).collect(),
        heartbeat_streams: Vec::new(),
        sent: vec![0; setup.servers as usize],
        misreports: (0..setup.servers)
            .map(|id| Misreport::new(setup.server_stream(misreport::STREAM, ServerId(id))))
            .collect(),
        nodes: (0..setup.nodes)
            .map(|id| {
                let arrivals = &scenario.workload.arrivals;
                Node::new(&setup, arrivals, NodeId(id), choice, &roster)
            })
            .collect(),
        roster,
        choice,
        looking: false,
        messages: Parcels::default(),
        notes: Parcels::default(),
        links: Links::default(),
        cut_off: 0,
        truth: Truth::new(&setup),
        oracle: Oracle::default(),
        meters: Meters::default(),
        observations: Observations::default(),
        latency: Default::default(),
        recent: RecentTable::default(),
        trace,
        trace_turn: 0,
        recorded: Vec::new(),
        next_record: None,
        setup,
    };
    for (id, node) in (0u32..).zip(&mut reference.nodes) {
        node.bench.rules.is_running = reference.roster.is_running(id);
    }
    reference.plan(matches!(scenario.workload.arrivals, Arrivals::Trace(_)));
    let end_ns = reference.run();
    reference.finish(policy, end_ns)
}

impl Reference {
    /// What is known to happen from the start.
    fn plan(&mut self, traced: bool) {
        let setup = &self.setup;
        let quantum_ns = setup.ticks.quantum_ns;
        for (index, planned) in setup.plan.servers.iter().enumerate() {
            self.agenda.add(planned.quantum * quantum_ns, Event::Fault(index), &self.jobs);
        }
        for (index, planned) in setup.plan.reports.iter().enumerate() {
            self.agenda.add(planned.quantum * quantum_ns, Event::ReportFault(index), &self.jobs);
        }
        for cut in &setup.plan.links {
            self.agenda.add(cut.quantum * quantum_ns, Event::Cut, &self.jobs);
        }
        for planned in &setup.plan.nodes {
            self.agenda.add(planned.quantum * quantum_ns, Event::NodeFaults, &self.jobs);
        }
        for id in 0..setup.servers {
            let mut stream = setup.server_stream(Purpose::Heartbeat, ServerId(id));
            let due_ns = heartbeat::first_due_ns(setup, &mut stream);
            let quantum = heartbeat::quantum_after(setup, due_ns, 0);
            self.agenda.add(
                quantum * quantum_ns,
                Event::Heartbeat { server: id, due_ns },
                &self.jobs,
            );
            self.heartbeat_streams.push(stream);
        }
        let interesting = |quantum: &u64| {
            let at_ns = quantum * quantum_ns;
            quantum.is_multiple_of(setup.herd_quanta)
                || quantum.is_multiple_of(setup.sample_quanta)
                || at_ns == setup.window_end_ns
        };
        for quantum in (1..=setup.ticks.quantum_from(setup.window_end_ns)).filter(interesting) {
            self.agenda.add(quantum * quantum_ns, Event::Observe, &self.jobs);
        }
        self.agenda.add(setup.window_end_ns + quantum_ns, Event::EndCheck, &self.jobs);
        for (id, node) in (0u32..).zip(&self.nodes) {
            if node.traffic.next_ns() < Nanos::MAX {
                self.agenda.add(node.traffic.next_ns(), Event::Arrival { node: id }, &self.jobs);
            }
        }
        self.start_clients();
        self.plan_rounds();
        self.plan_subsets();
        self.look_from(0);
        self.agenda.add(0, Event::Judge, &self.jobs);
        if traced {
            self.read_trace();
        }
    }

    /// Events in order, until the run is over; returns when that was [ns].
    fn run(&mut self) -> Nanos {
        while let Some(Reverse(Entry((at_ns, ..), event))) = self.agenda.0.pop() {
            match event {
                Event::EndCheck => {
                    let idle = self.nodes.iter().all(Node::is_idle);
                    if idle || at_ns >= self.setup.limit_ns {
                        return at_ns;
                    }
                    self.agenda.add(
                        at_ns + self.setup.ticks.quantum_ns,
                        Event::EndCheck,
                        &self.jobs,
                    );
                }
                Event::Fault(index) => self.fault(at_ns, index),
                Event::NodeFaults => self.node_faults(at_ns),
                Event::Listed => self.renew_subsets(at_ns / self.setup.ticks.quantum_ns),
                Event::Heartbeat { server, due_ns } => self.heartbeat(at_ns, server, due_ns),
                Event::ReportFault(index) => {
                    let planned = self.setup.plan.reports[index].clone();
                    for id in planned.first..planned.end {
                        self.misreports[id as usize].change(planned.change);
                    }
                }
                Event::Cut => {
                    self.links.advance(&self.setup, at_ns / self.setup.ticks.quantum_ns);
                }
                Event::Report { node, report } => {
                    let cut = self.links.cut_to_node(report.server, node);
                    if !cut && self.roster.standing(node) != Standing::Down {
                        self.hear(at_ns, node, report);
                    }
                }
                Event::Message { node, from, message, .. } => {
                    let message = self.messages.take(message);
                    if !self.links.cut_between(from, node) {
                        self.message(at_ns, node, message);
                    }
                }
                Event::Members { node } => self.members(at_ns, node),
                Event::Round { node } => self.round(at_ns, node),
                Event::Look => self.look(at_ns),
                Event::Judge => {
                    self.judge(at_ns);
                    for (node, waiting) in (0u32..).zip(&self.nodes) {
                        if !waiting.bench.waiters.is_empty() {
                            self.agenda.add(at_ns, Event::Serve { node }, &self.jobs);
                        }
                    }
                }
                Event::Observe => self.observe(at_ns),
                Event::Serve { node } => self.serve(at_ns, node),
                Event::Completion { server, admission, job } => {
                    self.complete(at_ns, server, admission, job);
                }
                Event::Pace { server, generation } => self.look_at(at_ns, server, generation),
                Event::Expiry { server, admission, job } => {
                    self.expire(at_ns, server, admission, job);
                }
                Event::Attempt { server, job } => self.attempt(at_ns, server, job),
                Event::Cancel { server, node, attempt } => {
                    self.cancel(at_ns, server, (node, attempt));
                }
                Event::Probe { server, node, number } => {
                    self.answer_probe(at_ns, server, (node, number));
                }
                Event::Reply(reply) => self.take_reply(at_ns, reply),
                Event::Note { note, .. } => {
                    let note = self.notes.take(note);
                    self.note(at_ns, &note);
                }
                Event::Response { .. }
                | Event::Deadline { .. }
                | Event::GiveUp { .. }
                | Event::Retry { .. }
                | Event::Hedge { .. }
                | Event::WaitEnd { .. } => self.request(at_ns, event),
                Event::Open { node } => self.open(at_ns, node),
                Event::Client { client } => self.client(at_ns, client),
                Event::Arrival { node } => {
                    self.arrive(at_ns, node);
                    let next_ns = self.nodes[node as usize].traffic.next_ns();
                    if next_ns < Nanos::MAX {
                        self.agenda.add(next_ns, Event::Arrival { node }, &self.jobs);
                    }
                }
                Event::Recorded => {
                    for (node, record) in std::mem::take(&mut self.recorded) {
                        self.nodes[node as usize].traffic.feed(record);
                        self.arrive(at_ns, node);
                    }
                    self.read_trace();
                }
            }
        }
        unreachable!("the check for the end is always on the agenda")
    }

    fn send(&mut self, node: u32, at_ns: Nanos, server: u32, job: Job) {
        let job = self.jobs.add(Job { node, ..job });
        self.agenda.add(at_ns, Event::Attempt { server, job }, &self.jobs);
    }

    /// Of what one server said that arrives at one moment, the agenda knows no order: two reports
    /// may bear the same version.
    fn hear(&mut self, at_ns: Nanos, node: u32, report: Report) {
        let mut heard: SmallVec<[Report; 1]> = smallvec![report];
        while let Some(Reverse(Entry((next_ns, ..), Event::Report { node: n, report: r }))) =
            self.agenda.0.peek()
            && (*next_ns, *n, r.server) == (at_ns, node, report.server)
        {
            heard.push(*r);
            self.agenda.0.pop();
        }
        heard.sort_by_key(Report::order);
        self.nodes[node as usize].listen(&self.setup, at_ns);
        for report in &heard {
            self.nodes[node as usize].hear(report);
        }
    }

    fn heartbeat(&mut self, at_ns: Nanos, id: u32, due_ns: Nanos) {
        let setup = &self.setup;
        let quantum = at_ns / setup.ticks.quantum_ns;
        let stream = &mut self.heartbeat_streams[id as usize];
        let snapshot = self.servers[id as usize].snapshot(setup, at_ns);
        if snapshot.up {
            self.sent[id as usize] = quantum as u32;
            let mut report = heartbeat::report(ServerId(id), quantum, &snapshot);
            let mut misreport = Some(&mut self.misreports[id as usize]).filter(|m| m.is_on());
            if let Some(misreport) = &mut misreport {
                report = misreport.distort(report);
            }
            let mut told = Vec::new();
            heartbeat::send(setup, ServerId(id), quantum, stream, misreport, |node, arrival| {
                let at_ns = arrival * setup.ticks.quantum_ns;
                self.agenda.add(at_ns, Event::Report { node, report }, &self.jobs);
                if setup.needs.notes == Some(Notice::Heartbeats) {
                    told.push((node, at_ns));
                }
            });
            for (node, arrival_ns) in told {
                self.tell_with_heartbeat(at_ns, id, node, arrival_ns);
            }
            if self.setup.needs.notes.is_some_and(Notice::is_of_idleness) {
                self.reconsider(at_ns, id);
            }
            if snapshot.departs() {
                self.servers[id as usize].depart();
            }
        }
        let setup = &self.setup;
        let stream = &mut self.heartbeat_streams[id as usize];
        let due_ns = heartbeat::next_due_ns(setup, due_ns, stream);
        let next = heartbeat::quantum_after(setup, due_ns, quantum) * setup.ticks.quantum_ns;
        self.agenda.add(next, Event::Heartbeat { server: id, due_ns }, &self.jobs);
    }

    fn observe(&mut self, at_ns: Nanos) {
        let setup = &self.setup;
        let quantum = at_ns / setup.ticks.quantum_ns;
        if quantum.is_multiple_of(setup.herd_quanta) {
            let picks = self.servers.iter_mut().map(|server| std::mem::take(&mut server.herd));
            let (most, total) =
                picks.fold((0, 0), |(most, sum), picks| (picks.max(most), sum + u64::from(picks)));
            self.observations.note_picks(setup, at_ns, most, total);
        }
        if quantum.is_multiple_of(setup.sample_quanta) {
            let plan = SamplePlan::new(setup, quantum);
            let mut bin = Bin::default();
            for server in &self.servers {
                let (active, waiting) = server.parts(setup);
                bin.active += u64::from(active);
                bin.waiting += u64::from(waiting);
            }
            let loads: Vec<u32> =
                plan.servers().map(|id| self.servers[id as usize].load()).collect();
            let roster = &self.roster;
            let running = (0..).zip(&self.nodes).filter(|&(id, _)| roster.is_running(id));
            let views = running.map(|(_, node)| &node.view);
            let clusters = self.nodes.iter().map(|node| &node.talk.cluster);
            sample_members(setup, roster, clusters, &mut bin);
            self.observations.sample_views(setup, quantum, views, &plan, &loads, &mut bin);
            let meters = self.nodes.iter().map(|node| &node.meters);
            self.observations.close_bin(bin, meters, &mut self.recent);
            if at_ns >= setup.window_start_ns {
                let held = |node: usize, server: u32| {
                    let held = self.nodes[node].view.held(ServerId(server));
                    held.filter(|_| self.roster.is_running(node as u32))
                };
                self.observations.consistency.watch(setup, quantum, held);
                self.look_from(at_ns + self.setup.ticks.quantum_ns);
            }
        }
    }

    /// Looks at every boundary from `at_ns` on, as long as a change is watched.
    fn look_from(&mut self, at_ns: Nanos) {
        if !self.looking {
            self.looking = true;
            self.agenda.add(at_ns, Event::Look, &self.jobs);
        }
    }

    fn look(&mut self, at_ns: Nanos) {
        let quantum_ns = self.setup.ticks.quantum_ns;
        self.looking = false;
        let Self { setup, roster, nodes, sent, observations, .. } = self;
        let newest = |server: u32| sent[server as usize];
        let held = |node: usize, server: u32| {
            nodes[node].view.held(ServerId(server)).filter(|_| roster.is_running(node as u32))
        };
        observations.consistency.look(setup, at_ns / quantum_ns, newest, held);
        let takes =
            |observer: u32, node| nodes[observer as usize].talk.cluster.takes_for_live(node);
        observations.look_at_members(setup, at_ns / quantum_ns, roster, takes);
        if observations.consistency.is_watching() || observations.agreement.is_pending() {
            self.look_from(at_ns + quantum_ns);
        }
    }

    fn finish(mut self, policy: usize, end_ns: Nanos) -> RunResult {
        let setup = &self.setup;
        let quantum = end_ns / setup.ticks.quantum_ns;
        self.truth.advance(setup, quantum);
        let now = Now { setup, truth: &self.truth, quantum };
        let on_their_way = self.agenda.0.iter();
        let on_their_way =
            on_their_way.filter(|entry| matches!(entry.0.1, Event::Attempt { .. })).count();
        let connections: Vec<_> = (0..setup.servers).map(|id| self.connections(id)).collect();
        let servers = self.servers.iter_mut().zip(connections).map(|(server, connections)| {
            ServerResult { connections, ..server.result(setup, end_ns, &self.jobs) }
        });
        let servers = servers.collect();
        let nodes = self.nodes.iter_mut().map(|node| node.result(&now)).collect();
        let [_, latency] = self.latency;
        outcome::assemble(
            policy,
            setup,
            end_ns,
            nodes,
            servers,
            &self.meters,
            latency,
            self.observations,
            on_their_way as u64,
            self.cut_off,
        )
    }
}
