//! Every point of a sweep, worked out from its text: what a plan is written from.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use sim_core::columns::{policy_labels, policy_params};
use sim_core::config::{Arrivals, ConfigFault, Scenario};

use super::file::SweepFile;
use super::grid::{Grid, lets_through};
use super::identity::{self, COMMIT, Digest, ENGINE, Id, SCHEMA};
use super::inputs::{Files, Inputs};
use super::needs::{self, Needs};
use super::plan::{Point, Subject};
use super::recipe::Recipe;
use super::replicate::Replications;
use super::rules;
use super::survey::Survey;

/// More combinations than this are a slip of the pen.
pub const COMBINATIONS_MAX: u64 = 1_000_000;

/// A sweep worked out: its points in order, and what they have in common.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What its scenarios are made from.
    pub recipe: Recipe,
    /// Digest of all points in order and of what is reported of them.
    pub id: Id,
    /// Name of the base scenario.
    pub scenario: String,
    /// The points in order.
    pub points: Vec<Point>,
    /// What is simulated.
    pub subjects: Vec<Sketch>,
    /// How often every subject is run.
    pub replications: Replications,
    /// Labels of policies, as [`Point::label`] numbers them.
    pub labels: Vec<String>,
    /// Parameters of policies, as [`Sketch::params`] numbers them.
    params: Vec<String>,
    /// Subjects whose warm-up is found together.
    groups: Vec<Vec<u32>>,
}

/// A subject, in little room: there may be a million of them.
#[derive(Clone, Copy, Debug)]
pub struct Sketch {
    /// Digest of all that its results depend on.
    pub id: Id,
    /// The first point that needs it.
    pub point: u32,
    /// How many points need it.
    pub points: u32,
    /// Its seed.
    pub seed: u64,
    /// What one run of it takes.
    pub needs: Needs,
    params: u32,
    group: Option<u32>,
}

impl Draft {
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
        let base_name = base.value.clone();
        let name = Some(base_name.as_str());
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
        let inputs = Inputs {
            sweep: sweep.to_owned(),
            base: text.clone(),
            overrides: overrides.to_vec(),
            ..Inputs::default()
        };
        let recipe = Recipe::new(file, inputs).map_err(|faults| refused(name, &text, faults))?;
        Builder { recipe, kept: RefCell::default(), files }.build(faults)
    }

    /// A subject in full; those it is compared with are numbered as in the draft.
    pub fn subject(&self, number: u32) -> Subject {
        let Sketch { id, point, points, seed, needs, params, group } =
            self.subjects[number as usize];
        Subject {
            id,
            point,
            points,
            seed,
            needs,
            params: self.params[params as usize].clone(),
            compared: group.map_or_else(Vec::new, |group| self.groups[group as usize].clone()),
        }
    }

    /// The label of a point's policy, distinct within the sweep.
    pub fn label(&self, point: &Point) -> &str {
        &self.labels[point.label as usize]
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

/// A plan in the making.
struct Builder<'a> {
    recipe: Recipe,
    /// Of this, `files` and `traces` are filled as scenarios name them.
    kept: RefCell<Inputs>,
    files: &'a dyn Files,
}

impl Builder<'_> {
    fn build(self, mut faults: Vec<ConfigFault>) -> Result<Draft, PlanFaults> {
        let Recipe { file, inputs, grid, .. } = &self.recipe;
        faults.extend(rules::unsettable(file, &inputs.overrides));
        let combinations = match grid.len() {
            Some(len) if len <= COMBINATIONS_MAX => len,
            _ => {
                faults.push(rules::too_many(file, COMBINATIONS_MAX));
                return Err(self.refused(faults));
            }
        };
        // Rules with slips in them would keep points away whose faults could be told as well.
        let sound = rules::are_sound(file, grid);
        let mut gathered = Gathered { are_rules_sound: sound, ..Gathered::default() };
        let mut survey = Survey::new(file);
        for combination in 0..combinations {
            self.look_at(combination, &mut gathered, &mut survey);
        }
        faults.extend(survey.faults(grid));
        faults.extend(rules::check(file, grid, &gathered.policies, &gathered.matched));
        if faults.is_empty() && gathered.points.is_empty() {
            faults.push(rules::nothing_left(file));
        }
        let baselines = rules::baselines(file, grid, &gathered.points, &|point| {
            gathered.labels[point.label as usize].clone()
        });
        // Whoever names a value that is none has been told so.
        let told = faults.iter().any(|fault| fault.key.starts_with("baseline."));
        faults.extend(baselines.as_ref().err().filter(|_| !told).map(|fault| (**fault).clone()));
        let (Ok(baselines), true) = (baselines, faults.is_empty()) else {
            return Err(self.refused(faults));
        };
        Ok(self.finish(gathered, &baselines))
    }

    /// Makes the scenario of a combination, and a point of each of its policies.
    fn look_at(&self, combination: u64, gathered: &mut Gathered, survey: &mut Survey) {
        let Recipe { file, grid, .. } = &self.recipe;
        let SweepFile { include, exclude, .. } = file;
        let values = grid.values(combination);
        gathered.note_matches(file, grid, &values, None);
        let sound = gathered.are_rules_sound;
        if sound && lets_through(grid, include, exclude, &values, None) == Some(false) {
            return;
        }
        let read = |name: &str| self.text_of(name);
        survey.saw(&values);
        let scenario = match self.recipe.scenario(combination, &read) {
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
            gathered.note_matches(file, grid, &values, Some(&label));
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
        let text = self.files.text(self.recipe.base_name(), name)?;
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
        let digest = self.files.trace(self.recipe.base_name(), &trace.file).map_err(|why| {
            Box::new(ConfigFault::new("workload.arrivals.trace.file", why).found(&trace.file))
        })?;
        self.kept.borrow_mut().traces.insert(trace.file.clone(), digest.clone());
        Ok(Some(digest))
    }

    fn refused(&self, faults: Vec<ConfigFault>) -> PlanFaults {
        PlanFaults {
            base: self.recipe.inputs.base.clone(),
            base_name: Some(self.recipe.base_name().to_owned()),
            faults: sorted(faults),
        }
    }

    fn finish(self, gathered: Gathered, baselines: &[Option<u32>]) -> Draft {
        let Gathered { mut points, mut subjects, labels, params, scenario, replications, .. } =
            gathered;
        let own: Vec<Id> = subjects.iter().map(|subject| subject.id).collect();
        let groups: Vec<Vec<u32>> = gathered.groups.into_values().collect();
        for (number, group) in groups.iter().enumerate() {
            let ids: BTreeSet<Id> = group.iter().map(|subject| own[*subject as usize]).collect();
            for subject in group {
                let of = &mut subjects[*subject as usize];
                of.id = identity::compared(of.id, &ids);
                of.group = Some(number as u32);
            }
        }
        for (point, baseline) in points.iter_mut().zip(baselines) {
            point.baseline = *baseline;
        }
        let Inputs { files, traces, .. } = self.kept.into_inner();
        let mut recipe = self.recipe;
        (recipe.inputs.files, recipe.inputs.traces) = (files, traces);
        let id = identity::digest(b"");
        let mut draft =
            Draft { recipe, id, scenario, points, subjects, replications, labels, params, groups };
        draft.id = plan_id(&draft);
        draft
    }
}

/// The points found so far.
#[derive(Default)]
struct Gathered {
    points: Vec<Point>,
    subjects: Vec<Sketch>,
    by_id: BTreeMap<Id, u32>,
    labels: Vec<String>,
    by_label: BTreeMap<String, u32>,
    params: Vec<String>,
    by_params: BTreeMap<String, u32>,
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
            let params = policy_params(&single.policies[0]);
            self.subjects.push(Sketch {
                id,
                point: self.points.len() as u32,
                points: 0,
                seed: scenario.seed,
                needs: needs::of(&single),
                params: numbered(&mut self.params, &mut self.by_params, params),
                group: None,
            });
            if single.warmup_auto {
                let group = identity::without_policy(&single, trace);
                self.groups.entry(group).or_default().push(subject);
            }
        }
        self.subjects[subject as usize].points += 1;
        if self.points.is_empty() {
            self.scenario.clone_from(&scenario.name);
            self.replications = Replications::of(scenario);
        }
        let label = numbered(&mut self.labels, &mut self.by_label, label);
        let policy = policy as u32;
        self.points.push(Point { combination, policy, label, subject, baseline: None });
    }
}

/// The number of a text that many have.
fn numbered(texts: &mut Vec<String>, known: &mut BTreeMap<String, u32>, text: String) -> u32 {
    *known.entry(text).or_insert_with_key(|text| {
        texts.push(text.clone());
        texts.len() as u32 - 1
    })
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

fn plan_id(draft: &Draft) -> Id {
    let Recipe { file, grid, .. } = &draft.recipe;
    let mut digest = Digest::default();
    digest.part(&SCHEMA.to_le_bytes()).part(ENGINE.as_bytes()).part(COMMIT.as_bytes());
    digest.part(file.name.as_bytes()).part(draft.scenario.as_bytes());
    let Replications { least, most, targets } = &draft.replications;
    digest.part(&least.to_le_bytes());
    if !targets.is_empty() {
        digest.part(&most.to_le_bytes()).part(format!("{targets:?}").as_bytes());
    }
    for key in grid.keys() {
        digest.part(key.as_bytes());
    }
    for metric in &file.metrics {
        digest.part(metric.name.as_bytes());
    }
    for point in &draft.points {
        digest.part(draft.subjects[point.subject as usize].id.to_string().as_bytes());
        digest.part(draft.label(point).as_bytes());
        digest.part(&point.baseline.map_or(u64::MAX, u64::from).to_le_bytes());
        for text in grid.texts(point.combination) {
            digest.part(text.as_bytes());
        }
    }
    digest.finish()
}
