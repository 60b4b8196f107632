//! What happens at the servers of the reference engine.

use sim_core::network::Status;
use sim_core::plan::Change;
use sim_core::server::TickSums;
use sim_core::time::Nanos;

use super::Reference;
use super::agenda::Event;
use super::server::{Job, Start};

impl Reference {
    /// Sends an answer and forgets the job.
    fn answer(&mut self, at_ns: Nanos, id: u32, status: Status) {
        let Job { node, slot, attempt, answer_delay_ns, served_ns, .. } = self.jobs[id];
        let response = Event::Response { node, slot, attempt, status, served_ns };
        self.agenda.add(at_ns + answer_delay_ns, response, &self.jobs);
        self.jobs.remove(id);
    }

    pub(super) fn fault(&mut self, at_ns: Nanos, index: usize) {
        let fault = self.setup.plan.servers[index].clone();
        let silent = matches!(fault.change, Change::Crash { silent: true });
        for id in fault.first..fault.end {
            let server = &mut self.servers[id as usize];
            server.advance(&self.setup, at_ns);
            for job in server.change(&self.setup, at_ns, fault.change, &self.jobs) {
                if silent {
                    self.jobs.remove(job);
                } else {
                    self.answer(at_ns, job, Status::Lost);
                }
            }
            // More slots than before take in what waits.
            while self.start_next(at_ns, id) {}
            self.settle(at_ns, id, None);
            self.look_ahead(id);
        }
    }

    pub(super) fn attempt(&mut self, at_ns: Nanos, id: u32, job: u32) {
        if self.links.cut_to_server(self.jobs[job].node, id) {
            self.cut_off += 1;
            self.jobs.remove(job);
            return;
        }
        let server = &mut self.servers[id as usize];
        server.advance(&self.setup, at_ns);
        if let Some(status) = server.arrive(&self.setup, at_ns, job, &mut self.jobs[job]) {
            return self.answer(at_ns, job, status);
        }
        let expiry_ns = server.longest_wait_ns(&self.setup).map(|ns| at_ns.saturating_add(ns));
        if let Some(expiry_ns) = expiry_ns {
            let admission = self.jobs[job].admission;
            self.agenda.add(expiry_ns, Event::Expiry { server: id, admission, job }, &self.jobs);
        }
        let node = self.jobs[job].node;
        self.start_next(at_ns, id);
        self.settle(at_ns, id, Some(node));
        self.look_ahead(id);
    }

    /// Moves who is next at a server into a free slot, past those that are shed; false when there is
    /// nobody or no slot.
    fn start_next(&mut self, at_ns: Nanos, id: u32) -> bool {
        loop {
            match self.servers[id as usize].start_next(&self.setup, at_ns, &mut self.jobs) {
                Start::Nothing => return false,
                Start::Shed(job) => self.answer(at_ns, job, Status::Refused),
                Start::Runs(job, finish_ns) => {
                    if let Some(finish_ns) = finish_ns {
                        let admission = self.jobs[job].admission;
                        let completion = Event::Completion { server: id, admission, job };
                        self.agenda.add(finish_ns, completion, &self.jobs);
                    }
                    return true;
                }
            }
        }
    }

    /// Files the next look at a server whose speed can change; earlier ones are void.
    fn look_ahead(&mut self, id: u32) {
        let next = self.servers[id as usize].next_look(&self.setup);
        if let Some((at_ns, generation)) = next {
            self.agenda.add(at_ns, Event::Pace { server: id, generation }, &self.jobs);
        }
    }

    pub(super) fn look_at(&mut self, at_ns: Nanos, id: u32, generation: u32) {
        let server = &mut self.servers[id as usize];
        let (done, counts) = server.look(&self.setup, at_ns, generation, &self.jobs);
        if let Some(job) = done {
            self.complete(at_ns, id, self.jobs[job].admission, job);
        }
        if counts {
            self.look_ahead(id);
        }
    }

    /// Who has waited too long is shed.
    pub(super) fn expire(&mut self, at_ns: Nanos, id: u32, admission: u32, job: u32) {
        let server = &mut self.servers[id as usize];
        server.advance(&self.setup, at_ns);
        if server.expire(job, admission, &self.jobs) {
            self.answer(at_ns, job, Status::Refused);
            self.settle(at_ns, id, None);
            self.look_ahead(id);
        }
    }

    /// A node no longer waits for an attempt; a cut link keeps it from saying so.
    pub(super) fn cancel(&mut self, at_ns: Nanos, id: u32, (node, attempt): (u32, u32)) {
        if self.links.cut_to_server(node, id) {
            return;
        }
        let server = &mut self.servers[id as usize];
        server.advance(&self.setup, at_ns);
        if let Some(job) = server.cancel(&self.setup, at_ns, (node, attempt), &self.jobs) {
            self.jobs.remove(job);
            self.start_next(at_ns, id);
            self.settle(at_ns, id, None);
            self.look_ahead(id);
        }
    }

    pub(super) fn complete(&mut self, at_ns: Nanos, id: u32, admission: u32, job: u32) {
        let server = &mut self.servers[id as usize];
        let done = server.complete(&self.setup, at_ns, admission, job, &self.jobs);
        if let Some((begin_ns, spent_ns)) = done {
            let mut sums = TickSums::default();
            sums.complete(&self.setup, self.jobs[job].arrived_ns, begin_ns, at_ns);
            sums.add_to(&mut self.meters);
            self.jobs[job].served_ns = spent_ns;
            let finished = self.jobs[job];
            self.answer(at_ns, job, Status::Ok);
            self.start_next(at_ns, id);
            self.tell_of_completion(at_ns, id, &finished);
            self.settle(at_ns, id, None);
        }
    }
}
