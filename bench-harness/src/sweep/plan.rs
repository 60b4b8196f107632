//! Every point and every run of a sweep, worked out before the first one starts.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use sim_core::columns::{METRICS, policy_labels, policy_params};
use sim_core::config::document::{Node, Overlay, Text, parse_file};
use sim_core::config::{Arrivals, ConfigFault, Scenario, Source};

use super::file::{Setting, SweepFile};
use super::grid::{Grid, POLICY, lets_through};
use super::identity::{self, COMMIT, Digest, ENGINE, Id, SCHEMA};
use super::inputs::{Files, Inputs};
use super::needs::{self, Needs};
use super::policies;
use super::replicate::Replications;
use super::rules;
use super::survey::Survey;

/// More combinations than this are a slip of the pen.
pub const COMBINATIONS_MAX: u64 = 1_000_000;

/// A sweep: its points in order, and what they have in common.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the sweep file says.
    pub file: SweepFile,
    /// What the plan was made from.
    pub inputs: Inputs,
    /// Digest of all points in order and of what is reported of them: two folders with equal ids hold
    /// parts of the same sweep.
    pub id: Id,
    /// Name of the base scenario.
    pub scenario: String,
    /// The axes.
    pub grid: Grid,
    /// The points in order.
    pub points: Vec<Point>,
    /// What is simulated: points that are the same but for their place on an axis share one.
    pub subjects: Vec<Subject>,
    /// How often every subject is run.
    pub replications: Replications,
    /// Labels of policies, as [`Point::label`] numbers them.
    labels: Vec<String>,
    base: Node,
}

/// A combination of the axes and one policy of the scenario that it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Number of the combination in the grid.
    pub combination: u64,
    /// Number of the policy in the combination's scenario.
    pub policy: u32,
    /// Number of the policy's label in the plan.
    label: u32,
    /// What is simulated for it.
    pub subject: u32,
    /// The point that it is compared with; itself, if it is a baseline.
    pub baseline: Option<u32>,
}

/// A scenario with one policy.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Digest of all that its results depend on.
    pub id: Id,
    /// The first point that needs it.
    pub point: u32,
    /// Its seed.
    pub seed: u64,
    /// The policy's parameters, as in `policy_params`.
    pub params: String,
    /// What one run of it takes.
    pub needs: Needs,
    /// Subjects that differ from it in the policy alone, itself included, if their warm-up has yet to
    /// be found: they are measured in the same window, so it is found for all of them.
    pub compared: Vec<u32>,
}

impl Plan {
    /// Works out a sweep from its text and the files that it names.
    ///
    /// # Errors
    /// Everything that is wrong with the sweep, its base, and the scenarios they make.
    pub fn new(
        sweep: &str,
        overrides: &[(String, String)],
        files: &dyn Files,
    ) -> Result<Self, PlanFaults> {
        let refused = |base_name: Option<&str>, base: &str, faults| PlanFaults {
            base: base.to_owned(),
            base_name: base_name.map(str::to_owned),
            faults,
        };
        let (file, mut faults) =
            SweepFile::parse(sweep).map_err(|faults| refused(None, "", faults))?;
        let Some(base) = &file.base else {
            return Err(refused(None, "", sorted(faults)));
        };
        let name = Some(base.value.as_str());
        let text = match files.base(&base.value) {
            Ok(text) => text,
            Err(why) => {
                let mut fault = ConfigFault::new("base", why).found(&base.value);
                (fault.origin, fault.span) =
                    (sim_core::config::Origin::Overlay, Some(base.place.span.clone()));
                faults.push(fault);
                return Err(refused(name, "", sorted(faults)));
            }
        };
        let root = parse_file(&text, Text::File).map_err(|faults| refused(name, &text, faults))?;
        let inputs = Inputs {
            sweep: sweep.to_owned(),
            base: text,
            overrides: overrides.to_vec(),
            ..Inputs::default()
        };
        let kept = RefCell::default();
        Builder { file, inputs, kept, base: root, files }.build(faults)
    }

    /// Works out the sweep of a folder of results again.
    ///
    /// # Errors
    /// If this build makes something else of it.
    pub fn restore(inputs: &Inputs) -> Result<Self, PlanFaults> {
        Self::new(&inputs.sweep, &inputs.overrides, inputs)
    }

    /// The texts of a point's axes: one a key, in the order of [`Grid::keys`].
    pub fn coordinates(&self, point: &Point) -> impl Iterator<Item = &str> {
        self.grid.texts(point.combination)
    }

    /// The label of a point's policy, distinct within the sweep.
    pub fn label(&self, point: &Point) -> &str {
        &self.labels[point.label as usize]
    }

    /// The labels of all policies, in the order in which points have them.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The id of a run.
    pub fn run(&self, subject: u32, replication: u32) -> Id {
        identity::run(self.subjects[subject as usize].id, replication)
    }

    /// The scenario of a subject, with exactly its policy.
    pub fn scenario(&self, subject: u32) -> Scenario {
        let point = &self.points[self.subjects[subject as usize].point as usize];
        let texts = Texts { file: &self.file, inputs: &self.inputs, base: &self.base };
        let read = |name: &str| Files::text(&self.inputs, "", name);
        let scenario = texts.scenario(&self.grid, point.combination, &read);
        let mut scenario = scenario.expect("it was checked when the plan was made");
        scenario.policies = vec![scenario.policies.swap_remove(point.policy as usize)];
        scenario.expect.clear();
        scenario
    }

    /// A name for a point in messages: `policy = random, heartbeat.interval = 20ms`.
    pub fn describe(&self, point: &Point) -> String {
        let keys = self.grid.keys().zip(self.coordinates(point));
        let mut parts: Vec<String> = keys
            .filter(|(key, _)| *key != POLICY)
            .map(|(key, text)| format!("{key} = {text}"))
            .collect();
        parts.insert(0, format!("policy = {}", self.label(point)));
        parts.join(", ")
    }
}

/// What is wrong with a sweep.
#[derive(Clone, Debug)]
pub struct PlanFaults {
    /// The text of the base scenario, as far as it could be read.
    pub base: String,
    /// Path of the base scenario as written, if it is.
    pub base_name: Option<String>,
    /// The faults: those of the sweep file have the origin `Overlay`, those of the base `File`.
    pub faults: Vec<ConfigFault>,
}

/// What scenarios are made from.
struct Texts<'a> {
    file: &'a SweepFile,
    inputs: &'a Inputs,
    base: &'a Node,
}

impl Texts<'_> {
    /// The scenario of a combination, with all its policies.
    fn scenario(
        &self,
        grid: &Grid,
        combination: u64,
        read: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<Scenario, Vec<ConfigFault>> {
        let Self { file, inputs, base } = self;
        let values = grid.values(combination);
        let settings = file.settings.iter().map(|Setting { key, key_place, value }| Overlay {
            key,
            key_place,
            value,
        });
        let varied = file.axes.iter().zip(&values).flat_map(|(axis, value)| {
            axis.keys.iter().map(|key| Overlay {
                key: &key.key,
                key_place: &key.key_place,
                value: &key.values[*value],
            })
        });
        let overlays: Vec<Overlay<'_>> = settings.chain(varied).collect();
        let metrics: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        let source = Source {
            text: &inputs.base,
            overrides: &inputs.overrides,
            read,
            metrics: Some(&metrics),
            check: None,
        };
        source.parse_over((*base).clone(), &inputs.sweep, &overlays)
    }
}

/// A plan in the making.
struct Builder<'a> {
    file: SweepFile,
    inputs: Inputs,
    /// Of this, `files` and `traces` are filled as scenarios name them.
    kept: RefCell<Inputs>,
    base: Node,
    files: &'a dyn Files,
}

impl Builder<'_> {
    fn build(self, mut faults: Vec<ConfigFault>) -> Result<Plan, PlanFaults> {
        let labels = policies::labels(&self.file.axes);
        let grid = Grid::new(&self.file.axes, labels.as_deref());
        faults.extend(rules::unsettable(&self.file, &self.inputs.overrides));
        let combinations = match grid.len() {
            Some(len) if len <= COMBINATIONS_MAX => len,
            _ => {
                faults.push(rules::too_many(&self.file, COMBINATIONS_MAX));
                return Err(self.refused(faults));
            }
        };
        // Rules with slips in them would keep points away whose faults could be told as well.
        let sound = rules::are_sound(&self.file, &grid);
        let mut gathered = Gathered { are_rules_sound: sound, ..Gathered::default() };
        let mut survey = Survey::new(&self.file);
        for combination in 0..combinations {
            self.look_at(&grid, combination, &mut gathered, &mut survey);
        }
        faults.extend(survey.faults(&grid));
        faults.extend(rules::check(&self.file, &grid, &gathered.policies, &gathered.matched));
        if faults.is_empty() && gathered.points.is_empty() {
            faults.push(rules::nothing_left(&self.file));
        }
        let baselines = rules::baselines(&self.file, &grid, &gathered.points, &|point| {
            gathered.labels[point.label as usize].clone()
        });
        // Whoever names a value that is none has been told so.
        let told = faults.iter().any(|fault| fault.key.starts_with("baseline."));
        faults.extend(baselines.as_ref().err().filter(|_| !told).map(|fault| (**fault).clone()));
        let (Ok(baselines), true) = (baselines, faults.is_empty()) else {
            return Err(self.refused(faults));
        };
        Ok(self.finish(grid, gathered, &baselines))
    }

    /// Makes the scenario of a combination, and a point of each of its policies.
    fn look_at(&self, grid: &Grid, combination: u64, gathered: &mut Gathered, survey: &mut Survey) {
        let SweepFile { include, exclude, .. } = &self.file;
        let values = grid.values(combination);
        gathered.note_matches(&self.file, grid, &values, None);
        let sound = gathered.are_rules_sound;
        if sound && lets_through(grid, include, exclude, &values, None) == Some(false) {
            return;
        }
        let read = |name: &str| self.text_of(name);
        let texts = Texts { file: &self.file, inputs: &self.inputs, base: &self.base };
        survey.saw(&values);
        let scenario = match texts.scenario(grid, combination, &read) {
            Ok(scenario) => scenario,
            Err(faults) => return survey.note(combination, &values, faults),
        };
        let trace = match self.trace_of(&scenario) {
            Ok(trace) => trace,
            Err(fault) => return survey.note(combination, &values, vec![*fault]),
        };
        let labels =
            grid.labels(combination).map_or_else(|| policy_labels(&scenario), <[String]>::to_vec);
        for (policy, label) in labels.into_iter().enumerate() {
            gathered.note_matches(&self.file, grid, &values, Some(&label));
            gathered.policies.insert(label.clone());
            if lets_through(grid, include, exclude, &values, Some(&label)) == Some(true) {
                gathered.add(combination, policy, label, &scenario, trace.as_deref());
            }
        }
    }

    /// A small file that a scenario names; kept with the results.
    fn text_of(&self, name: &str) -> Result<String, String> {
        if let Some(text) = self.kept.borrow().files.get(name) {
            return Ok(text.clone());
        }
        let base = self.file.base.as_ref().map_or("", |base| &base.value);
        let text = self.files.text(base, name)?;
        self.kept.borrow_mut().files.insert(name.to_owned(), text.clone());
        Ok(text)
    }

    /// The digest of the scenario's trace, if it has one.
    fn trace_of(&self, scenario: &Scenario) -> Result<Option<String>, Box<ConfigFault>> {
        let Arrivals::Trace(trace) = &scenario.workload.arrivals else {
            return Ok(None);
        };
        if let Some(digest) = self.kept.borrow().traces.get(&trace.file) {
            return Ok(Some(digest.clone()));
        }
        let base = self.file.base.as_ref().map_or("", |base| &base.value);
        let digest = self.files.trace(base, &trace.file).map_err(|why| {
            Box::new(ConfigFault::new("workload.arrivals.trace.file", why).found(&trace.file))
        })?;
        self.kept.borrow_mut().traces.insert(trace.file.clone(), digest.clone());
        Ok(Some(digest))
    }

    fn refused(&self, faults: Vec<ConfigFault>) -> PlanFaults {
        PlanFaults {
            base: self.inputs.base.clone(),
            base_name: self.file.base.as_ref().map(|base| base.value.clone()),
            faults: sorted(faults),
        }
    }

    fn finish(self, grid: Grid, gathered: Gathered, baselines: &[Option<u32>]) -> Plan {
        let Gathered { mut points, mut subjects, labels, scenario, replications, groups, .. } =
            gathered;
        let own: Vec<Id> = subjects.iter().map(|subject| subject.id).collect();
        for group in groups.into_values() {
            let ids: BTreeSet<Id> = group.iter().map(|subject| own[*subject as usize]).collect();
            for subject in &group {
                let of = &mut subjects[*subject as usize];
                of.id = identity::compared(of.id, &ids);
                of.compared.clone_from(&group);
            }
        }
        for (point, baseline) in points.iter_mut().zip(baselines) {
            point.baseline = *baseline;
        }
        let Inputs { files, traces, .. } = self.kept.into_inner();
        let mut plan = Plan {
            file: self.file,
            inputs: Inputs { files, traces, ..self.inputs },
            id: identity::digest(b""),
            scenario,
            grid,
            points,
            subjects,
            replications,
            labels,
            base: self.base,
        };
        plan.id = plan_id(&plan);
        plan
    }
}

/// The points found so far.
#[derive(Default)]
struct Gathered {
    points: Vec<Point>,
    subjects: Vec<Subject>,
    by_id: BTreeMap<Id, u32>,
    labels: Vec<String>,
    by_label: BTreeMap<String, u32>,
    /// Whether rules are to be heeded at all.
    are_rules_sound: bool,
    /// Labels of all policies, let through or not.
    policies: BTreeSet<String>,
    /// Whether each `include`, then each `exclude`, has matched something.
    matched: Vec<bool>,
    scenario: String,
    replications: Replications,
    /// Subjects whose warm-up is found together, by a digest of their scenario without the policy.
    groups: BTreeMap<Id, Vec<u32>>,
}

impl Gathered {
    fn note_matches(
        &mut self,
        file: &SweepFile,
        grid: &Grid,
        values: &[usize],
        label: Option<&str>,
    ) {
        let rules = file.include.iter().chain(&file.exclude);
        self.matched.resize(file.include.len() + file.exclude.len(), false);
        for (matched, rule) in self.matched.iter_mut().zip(rules) {
            *matched |= grid.matches(rule, values, label) == Some(true);
        }
    }

    fn add(
        &mut self,
        combination: u64,
        policy: usize,
        label: String,
        scenario: &Scenario,
        trace: Option<&str>,
    ) {
        let mut single = scenario.clone();
        single.policies = vec![scenario.policies[policy].clone()];
        let id = identity::subject(&single, trace);
        let next = self.subjects.len() as u32;
        let subject = *self.by_id.entry(id).or_insert(next);
        if subject == next {
            self.subjects.push(Subject {
                id,
                point: self.points.len() as u32,
                seed: scenario.seed,
                params: policy_params(&single.policies[0]),
                needs: needs::of(&single),
                compared: Vec::new(),
            });
            if single.warmup_auto {
                let group = identity::without_policy(&single, trace);
                self.groups.entry(group).or_default().push(subject);
            }
        }
        if self.points.is_empty() {
            self.scenario.clone_from(&scenario.name);
            self.replications = Replications {
                least: scenario.replications,
                most: scenario.replications_max,
                targets: scenario.target.clone(),
            };
        }
        let next = self.labels.len() as u32;
        let labels = &mut self.labels;
        let label = *self.by_label.entry(label).or_insert_with_key(|label| {
            labels.push(label.clone());
            next
        });
        let policy = policy as u32;
        self.points.push(Point { combination, policy, label, subject, baseline: None });
    }
}

/// The faults of the base, then those of the sweep, then those of overrides, each from top to bottom.
fn sorted(mut faults: Vec<ConfigFault>) -> Vec<ConfigFault> {
    use sim_core::config::Origin;
    faults.sort_by_key(|fault| {
        let layer = match fault.origin {
            Origin::File => 0,
            Origin::Overlay => 1,
            Origin::Override(_) => 2,
        };
        (layer, fault.span.as_ref().map_or(0, |span| span.start))
    });
    faults
}

fn plan_id(plan: &Plan) -> Id {
    let mut digest = Digest::default();
    digest.part(&SCHEMA.to_le_bytes()).part(ENGINE.as_bytes()).part(COMMIT.as_bytes());
    digest.part(plan.file.name.as_bytes()).part(plan.scenario.as_bytes());
    let Replications { least, most, targets } = &plan.replications;
    digest.part(&least.to_le_bytes());
    if !targets.is_empty() {
        digest.part(&most.to_le_bytes()).part(format!("{targets:?}").as_bytes());
    }
    for key in plan.grid.keys() {
        digest.part(key.as_bytes());
    }
    for metric in &plan.file.metrics {
        digest.part(metric.name.as_bytes());
    }
    for point in &plan.points {
        digest.part(plan.run(point.subject, 0).to_string().as_bytes());
        digest.part(plan.label(point).as_bytes());
        digest.part(&point.baseline.map_or(u64::MAX, u64::from).to_le_bytes());
        for text in plan.coordinates(point) {
            digest.part(text.as_bytes());
        }
    }
    digest.finish()
}
