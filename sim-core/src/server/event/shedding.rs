//! What is turned away though it was let in.

use super::agenda::Named;
use super::{EventServers, Job};
use crate::network::{Responses, Status};
use crate::setup::Setup;
use crate::time::Nanos;

impl EventServers {
    /// Whether a job is shed that could start now: it then is answered and gone.
    pub(super) fn sheds(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        server: u32,
        index: u32,
        out: &mut Responses,
    ) -> bool {
        let state = &mut self.servers[server as usize];
        let Some(temper) = &mut state.temper else { return false };
        let shed = setup.groups[state.group].conduct.as_ref().map(|conduct| conduct.shed);
        let Some(codel) = shed.and_then(|shed| shed.codel) else { return false };
        let wait_ns = at_ns - self.jobs[index as usize].arrived_ns;
        let sheds = temper.waits.sheds(codel, at_ns, wait_ns);
        if sheds {
            self.shed(setup, at_ns, server, index, out);
        }
        sheds
    }

    /// Turns away a job that was let in, and is neither in a slot nor in the queue any more.
    pub(super) fn shed(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        server: u32,
        index: u32,
        out: &mut Responses,
    ) {
        self.servers[server as usize].shed += 1;
        let Job { node, slot, attempt, answer_delay_ns, .. } = self.jobs[index as usize];
        let answer_ns = at_ns + answer_delay_ns;
        out.push(&setup.ticks, node, answer_ns, Status::Refused, (slot, attempt));
        self.release(server, index);
    }

    /// Sheds a job that has waited for as long as it may, if it still waits.
    pub(super) fn expire(
        &mut self,
        setup: &Setup,
        tick: u64,
        at_ns: Nanos,
        server: u32,
        Named { job: index, use_count, .. }: Named,
        out: &mut Responses,
    ) {
        let state = &mut self.servers[server as usize];
        let job = &self.jobs[index as usize];
        if job.use_count != use_count || job.is_in_service(state, index) {
            return;
        }
        state.waiting.remove(&self.jobs, index);
        self.catch_up(setup, server, at_ns);
        self.shed(setup, at_ns, server, index, out);
        self.settle(setup, at_ns, server, None, out);
        self.look_ahead(setup, tick, server);
    }
}
