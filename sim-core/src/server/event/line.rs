//! The attempts that wait at one server, in the order of admission.
//!
//! Whoever leaves from the middle leaves a gap behind, which goes when an end of the line comes to
//! it, or when there are more gaps than attempts: so everything is O(1), spread over many calls.

use std::collections::VecDeque;

use super::Job;

/// No attempt any more.
const GAP: u32 = u32::MAX;
/// So many gaps are always allowed: closing them costs a walk.
const GAPS: u32 = 32;

/// See the module documentation. A job that waits keeps in [`Job::position`] where it stands: the
/// number of jobs that had left at the front when it came, and that stood before it.
#[derive(Clone, Debug, Default)]
pub struct Line {
    jobs: VecDeque<u32>,
    gaps: u32,
    /// What the places count from (modulo 2^32).
    base: u32,
}

impl Line {
    /// Attempts that wait.
    pub fn len(&self) -> usize {
        self.jobs.len() - self.gaps as usize
    }

    /// The attempts that wait, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.jobs.iter().copied().filter(|&job| job != GAP)
    }

    /// Puts a job at the end.
    pub fn push(&mut self, jobs: &mut [Job], job: u32) {
        if self.gaps > GAPS && self.gaps as usize > self.len() {
            self.close_gaps(jobs);
        }
        jobs[job as usize].position = self.base.wrapping_add(self.jobs.len() as u32);
        self.jobs.push_back(job);
    }

    /// Takes the job that waits longest.
    pub fn pop_first(&mut self) -> Option<u32> {
        let job = self.jobs.pop_front()?;
        self.base = self.base.wrapping_add(1);
        self.trim();
        Some(job)
    }

    /// Takes the job that came last.
    pub fn pop_last(&mut self) -> Option<u32> {
        let job = self.jobs.pop_back()?;
        self.trim();
        Some(job)
    }

    /// Takes a job out, wherever it stands.
    pub fn remove(&mut self, jobs: &[Job], job: u32) {
        let at = jobs[job as usize].position.wrapping_sub(self.base) as usize;
        assert_eq!(self.jobs[at], job, "a job that waits knows its place");
        self.jobs[at] = GAP;
        self.gaps += 1;
        self.trim();
    }

    /// No gap stands at an end.
    fn trim(&mut self) {
        while self.jobs.front() == Some(&GAP) {
            self.jobs.pop_front();
            self.base = self.base.wrapping_add(1);
            self.gaps -= 1;
        }
        while self.jobs.back() == Some(&GAP) {
            self.jobs.pop_back();
            self.gaps -= 1;
        }
    }

    fn close_gaps(&mut self, jobs: &mut [Job]) {
        self.jobs.retain(|&job| job != GAP);
        self.gaps = 0;
        for (place, &job) in (0u32..).zip(&self.jobs) {
            jobs[job as usize].position = self.base.wrapping_add(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, RngExt, stream};

    /// Goal: a line is a list, whatever leaves it and where. Method: random pushes, pops and removals
    /// against a plain list, from a base about to overflow; and a pattern that leaves nothing but gaps.
    #[test]
    fn a_line_is_a_list_from_which_anyone_may_leave() {
        for seed in 0..40 {
            let mut rng = stream(seed, 0, Purpose::Policy, 0);
            let mut jobs = vec![Job::default(); 400];
            let mut free: Vec<u32> = (0..400).collect();
            let mut line = Line { base: u32::MAX - 50, ..Line::default() };
            let mut list: Vec<u32> = Vec::new();
            for step in 0..2_000 {
                match rng.random_range(0..5) {
                    0 if step % 3 == 0 => {
                        let newest = line.pop_last();
                        assert_eq!(newest, list.pop());
                        free.extend(newest);
                    }
                    0 => {
                        let first = line.pop_first();
                        assert_eq!(first, (!list.is_empty()).then(|| list.remove(0)));
                        free.extend(first);
                    }
                    1 | 2 if !list.is_empty() => {
                        let job = list.remove(rng.random_range(0..list.len()));
                        line.remove(&jobs, job);
                        free.push(job);
                    }
                    _ => {
                        let Some(job) = free.pop() else { continue };
                        line.push(&mut jobs, job);
                        list.push(job);
                    }
                }
                assert!(line.iter().eq(list.iter().copied()), "seed {seed}, step {step}");
                assert_eq!(line.len(), list.len(), "seed {seed}, step {step}");
            }
        }
        let mut jobs = vec![Job::default(); 2];
        let mut line = Line::default();
        for step in 0..10_000 {
            line.push(&mut jobs, step % 2);
            if step > 0 {
                line.remove(&jobs, (step + 1) % 2);
            }
            assert!(line.jobs.len() <= 3 + GAPS as usize, "step {step}");
        }
    }
}
