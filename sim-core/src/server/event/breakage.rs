//! What planned faults do to a server under the event kernel.

use super::state::{Down, Failing, Server};
use super::{EventServers, Job};
use crate::ids::ServerId;
use crate::network::{Responses, Stage, Status};
use crate::plan::Change;
use crate::rng::Purpose;
use crate::server::event::codel::Waits;
use crate::server::{LatencyMean, overlap_ns};
use crate::setup::Setup;
use crate::time::Nanos;

impl EventServers {
    /// See [`crate::server::Servers::change`].
    pub fn change(
        &mut self,
        setup: &Setup,
        id: ServerId,
        index: u32,
        at_ns: Nanos,
        change: Change,
        out: &mut Responses,
    ) {
        self.catch_up(setup, index, at_ns);
        let server = &mut self.servers[index as usize];
        match change {
            Change::Slow(slowdown) => server.slow = Some(slowdown),
            Change::Heal => server.slow = None,
            Change::Recover => {
                server.down = None;
                server.start(at_ns);
            }
            Change::Crash { silent } => self.crash(setup, index, at_ns, silent, out),
            Change::FailFast(share) => {
                let stream = || setup.server_stream(Purpose::ServerFault, id);
                let failing = || Box::new(Failing { share, stream: stream() });
                server.failing.get_or_insert_with(failing).share = share;
            }
            Change::Sound => server.failing.iter_mut().for_each(|failing| failing.share = 0.0),
            Change::Slots(slots) => self.set_slots(setup, index, at_ns, slots, out),
            Change::AllSlots => {
                let slots = setup.groups[server.group].capacity;
                self.set_slots(setup, index, at_ns, slots, out);
            }
            Change::Join => {
                server.absent = false;
                server.start(at_ns);
            }
            Change::Drain => server.stage = Stage::Draining,
            Change::Resume => server.stage = Stage::Serving,
            Change::Leave => server.stage = Stage::Leaving,
        }
        self.settle(setup, at_ns, index, None, out);
        self.look_ahead(setup, setup.ticks.tick_of(at_ns), index);
    }

    fn crash(
        &mut self,
        setup: &Setup,
        index: u32,
        at_ns: Nanos,
        silent: bool,
        out: &mut Responses,
    ) {
        let server = &mut self.servers[index as usize];
        server.down = Some(Down { silent });
        // What was about to leave does not come back.
        server.absent |= server.stage == Stage::Leaving;
        server.latency = LatencyMean::default();
        server.signals.iter_mut().for_each(|signals| signals.forget());
        let active = std::mem::take(&mut server.active);
        let waiting = std::mem::take(&mut server.waiting);
        server.lost += (active.len() + waiting.len()) as u32;
        if !server.shares(setup) {
            for &job in &active {
                let begin_ns = self.jobs[job as usize].begin_ns;
                server.busy_ns += overlap_ns(setup, begin_ns, at_ns);
            }
        }
        if let Some(temper) = &mut server.temper {
            temper.waits = Waits::default();
            temper.pace.iter_mut().for_each(super::pace::Pace::clear);
        }
        for job in active.into_iter().chain(waiting.iter()) {
            let Job { node, slot, attempt, answer_delay_ns, .. } = self.jobs[job as usize];
            if !silent {
                let reset_ns = at_ns + answer_delay_ns;
                out.push(&setup.ticks, node, reset_ns, Status::Lost, (slot, attempt));
            }
            self.release(index, job);
        }
    }

    /// Changes the number of slots; those that come free are taken at once.
    fn set_slots(
        &mut self,
        setup: &Setup,
        index: u32,
        at_ns: Nanos,
        slots: u32,
        out: &mut Responses,
    ) {
        let tick = setup.ticks.tick_of(at_ns);
        self.servers[index as usize].slots = slots;
        while self.begin_next(setup, tick, at_ns, index, out) {}
    }
}

impl Server {
    /// It starts anew, cold.
    const fn start(&mut self, at_ns: Nanos) {
        if let Some(temper) = &mut self.temper {
            temper.started_ns = at_ns;
        }
    }

    /// Whether all in it are served at once.
    pub fn shares(&self, setup: &Setup) -> bool {
        setup.groups[self.group].conduct.as_ref().is_some_and(|conduct| conduct.shares())
    }
}
