//! What does each policy cost, and does a larger fleet cost more?

use bench_harness::operations::{Operation, Subject};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use sim_core::config::PolicyConfig;
use sim_core::config::keys::POLICIES;

/// Question: what does an operation of each policy cost: a decision, a report with the choice that pays
/// for it, a note, an answer?
///
/// One iteration = one operation at a node that has heard every server. The bench of record, which also says
/// whether costs grow as stated, is `bench-harness decisions`; this one is for who works on a policy.
fn operations_by_policy(c: &mut Criterion) {
    for &(name, _) in POLICIES {
        let policy = PolicyConfig::named(name).expect("it is registered");
        let mut group = c.benchmark_group(format!("decisions/{name}"));
        group.sample_size(20);
        for servers in [100, 10_000] {
            let mut subject = Subject::new(&policy, servers);
            for operation in Operation::ALL {
                if operation == Operation::Note && !subject.hears_notes() {
                    continue;
                }
                group.bench_function(BenchmarkId::new(operation.name(), servers), |b| {
                    b.iter(|| subject.perform(operation));
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, operations_by_policy);
criterion_main!(benches);
