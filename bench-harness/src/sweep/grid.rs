//! The combinations of the axes, and which of them rules let through.
//!
//! A combination is a number: that of the value on each axis, the first axis counting most. So
//! the order of the points is the order of these numbers, and nothing is kept for each of them.

use super::file::{Axis, Condition, Rule};
use super::value;

/// The key under which the policy of a point is known.
pub const POLICY: &str = "policy";

/// The axes of a sweep as texts.
#[derive(Clone, Debug)]
pub struct Grid {
    axes: Vec<GridAxis>,
}

#[derive(Clone, Debug)]
struct GridAxis {
    keys: Vec<String>,
    /// By value, then by key.
    texts: Vec<Vec<String>>,
    /// On the axis `policy`: by value, the labels of the policies it names.
    labels: Option<Vec<Vec<String>>>,
}

/// Where a key is: the number of the axis and of the key on it.
pub type Place = (usize, usize);

impl Grid {
    /// The grid of these axes; `labels` are those of the axis `policy`, by value.
    pub fn new(axes: &[Axis], labels: Option<&[Vec<String>]>) -> Self {
        let grid_axis = |axis: &Axis| GridAxis {
            keys: axis.keys.iter().map(|key| key.key.clone()).collect(),
            texts: (0..axis.len())
                .map(|i| axis.keys.iter().map(|key| value::text(&key.values[i])).collect())
                .collect(),
            labels: labels
                .filter(|_| axis.keys.iter().any(|key| key.key == POLICY))
                .map(<[_]>::to_vec),
        };
        Self { axes: axes.iter().map(grid_axis).collect() }
    }

    /// How many combinations there are; `None` if more than can be counted.
    pub fn len(&self) -> Option<u64> {
        self.axes.iter().try_fold(1_u64, |len, axis| len.checked_mul(axis.texts.len() as u64))
    }

    /// Whether an axis has no value.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// The number of the value on each axis.
    pub fn values(&self, combination: u64) -> Vec<usize> {
        let mut rest = combination;
        let mut values = vec![0; self.axes.len()];
        for (value, axis) in values.iter_mut().zip(&self.axes).rev() {
            let len = axis.texts.len() as u64;
            *value = (rest % len) as usize;
            rest /= len;
        }
        values
    }

    /// The combination of these values, one an axis.
    pub fn combination(&self, values: &[usize]) -> u64 {
        let digits = self.axes.iter().zip(values);
        digits.fold(0, |sum, (axis, value)| sum * axis.texts.len() as u64 + *value as u64)
    }

    /// All keys of all axes, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.axes.iter().flat_map(|axis| axis.keys.iter().map(String::as_str))
    }

    /// The texts of a combination, one a key.
    pub fn texts(&self, combination: u64) -> impl Iterator<Item = &str> {
        let values = self.values(combination);
        self.axes
            .iter()
            .zip(values)
            .flat_map(|(axis, value)| axis.texts[value].iter().map(String::as_str))
    }

    /// Where a key is.
    pub fn find(&self, key: &str) -> Option<Place> {
        let mut axes = self.axes.iter().enumerate();
        axes.find_map(|(i, axis)| Some((i, axis.keys.iter().position(|k| k == key)?)))
    }

    /// The texts of all values of the key at `place`.
    pub fn texts_of(&self, (axis, key): Place) -> impl Iterator<Item = &str> {
        self.axes[axis].texts.iter().map(move |texts| texts[key].as_str())
    }

    /// The labels of the value on the axis `policy`, if there is such an axis.
    pub fn labels(&self, combination: u64) -> Option<&[String]> {
        let (axis, _) = self.find(POLICY)?;
        let labels = self.axes[axis].labels.as_ref()?;
        labels.get(self.values(combination)[axis]).map(Vec::as_slice)
    }

    /// Whether a condition holds; `label` is that of the point's policy. `None`: that depends on a
    /// policy, and none is given.
    pub fn holds(
        &self,
        condition: &Condition,
        values: &[usize],
        label: Option<&str>,
    ) -> Option<bool> {
        let wanted = |text: &str| condition.values.iter().any(|node| value::text(node) == text);
        let place = self.find(&condition.key);
        if place.is_some_and(|(axis, key)| wanted(&self.axes[axis].texts[values[axis]][key])) {
            return Some(true);
        }
        if condition.key != POLICY {
            return Some(false);
        }
        // A value that names one policy tells the label by itself.
        let sole =
            || match place.map(|(axis, _)| self.axes[axis].labels.as_ref()?.get(values[axis])) {
                Some(Some(labels)) if labels.len() == 1 => Some(labels[0].as_str()),
                _ => None,
            };
        label.or_else(sole).map(wanted)
    }

    /// Whether all conditions of a rule hold.
    pub fn matches(&self, rule: &Rule, values: &[usize], label: Option<&str>) -> Option<bool> {
        let mut all = Some(true);
        for condition in &rule.conditions {
            match self.holds(condition, values, label) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => all = None,
            }
        }
        all
    }

    /// The values of an axis for which a condition on each of its keys holds that `rule` names, all
    /// of them if it names none.
    pub fn values_matching(&self, rule: &Rule, axis: usize) -> Vec<usize> {
        let mut values = vec![0; self.axes.len()];
        let matching = |value: &usize| {
            values[axis] = *value;
            rule.conditions.iter().all(|condition| {
                let on_axis = self.axes[axis].keys.contains(&condition.key);
                let labels = || {
                    let labels = self.axes[axis].labels.as_ref();
                    let named =
                        |node| labels.is_some_and(|l| l[*value].contains(&value::text(node)));
                    condition.values.iter().any(named)
                };
                !on_axis || self.holds(condition, &values, None) == Some(true) || labels()
            })
        };
        (0..self.axes[axis].texts.len()).filter(matching).collect()
    }

    /// Number of axes.
    pub fn axes(&self) -> usize {
        self.axes.len()
    }
}

/// Whether rules let a point through: it matches an `include` if there is any, and no `exclude`.
/// `None`: that depends on its policy.
pub fn lets_through(
    grid: &Grid,
    include: &[Rule],
    exclude: &[Rule],
    values: &[usize],
    label: Option<&str>,
) -> Option<bool> {
    let any = |rules: &[Rule]| {
        let mut found = Some(false);
        for rule in rules {
            match grid.matches(rule, values, label) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => found = None,
            }
        }
        found
    };
    let included = if include.is_empty() { Some(true) } else { any(include) };
    match (included, any(exclude)) {
        (Some(false), _) | (_, Some(true)) => Some(false),
        (Some(true), Some(false)) => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sim_core::config::document::{Node, Place as TextPlace, Text, Value};

    use super::super::file::AxisKey;
    use super::*;

    fn place() -> TextPlace {
        TextPlace { text: Text::Overlay, span: 0..0 }
    }

    fn number(value: usize) -> Node {
        Node { place: place(), value: Value::Whole(Some(value as i128)) }
    }

    /// An axis of `keys` keys; the value number `v` of key number `k` is `10 k + v`.
    fn axis(number_of: usize, keys: usize, values: usize) -> Axis {
        let key = |k: usize| AxisKey {
            key: format!("axis{number_of}.key{k}"),
            key_place: place(),
            values: (0..values).map(|v| number(10 * k + v)).collect(),
        };
        Axis { keys: (0..keys).map(key).collect() }
    }

    /// (axis, key, values) a condition.
    type Conditions = Vec<(usize, usize, Vec<usize>)>;

    fn rule(conditions: &Conditions) -> Rule {
        let condition = |(axis, key, values): &(usize, usize, Vec<usize>)| Condition {
            key: format!("axis{axis}.key{key}"),
            key_place: place(),
            values: values.iter().map(|v| number(10 * key + v)).collect(),
        };
        Rule { place: place(), conditions: conditions.iter().map(condition).collect() }
    }

    /// The slow and obvious way: nested loops, one list of numbers a point, and rules as they read.
    fn naive(
        shape: &[(usize, usize)],
        include: &[Conditions],
        exclude: &[Conditions],
    ) -> Vec<Vec<usize>> {
        let mut points: Vec<Vec<usize>> = vec![Vec::new()];
        for (_, values) in shape {
            let mut longer = Vec::new();
            for point in &points {
                for value in 0..*values {
                    let mut point = point.clone();
                    point.push(value);
                    longer.push(point);
                }
            }
            points = longer;
        }
        let matches = |point: &Vec<usize>, rule: &Conditions| {
            rule.iter().all(|(axis, _, values)| values.contains(&point[*axis]))
        };
        points.retain(|point| {
            (include.is_empty() || include.iter().any(|rule| matches(point, rule)))
                && !exclude.iter().any(|rule| matches(point, rule))
        });
        points
    }

    fn rules(shape: Vec<(usize, usize)>) -> impl Strategy<Value = Vec<Conditions>> {
        let condition = (0..shape.len()).prop_flat_map(move |axis| {
            let (keys, values) = shape[axis];
            (Just(axis), 0..keys, prop::collection::vec(0..values, 1..=2))
        });
        prop::collection::vec(prop::collection::vec(condition, 1..3), 0..3)
    }

    fn sweeps() -> impl Strategy<Value = (Vec<(usize, usize)>, Vec<Conditions>, Vec<Conditions>)> {
        let shape = prop::collection::vec((1_usize..3, 1_usize..5), 1..4);
        shape.prop_flat_map(|shape| (Just(shape.clone()), rules(shape.clone()), rules(shape)))
    }

    proptest! {
        /// Goal: combinations, zipped keys and rules give the points that nested loops give, in their
        /// order. Method: random axes and rules against the naive way.
        #[test]
        fn points_are_those_of_nested_loops((shape, include, exclude) in sweeps()) {
            let axes: Vec<Axis> =
                shape.iter().enumerate().map(|(i, (keys, values))| axis(i, *keys, *values)).collect();
            let grid = Grid::new(&axes, None);
            let of = |rules: &[Conditions]| rules.iter().map(rule).collect::<Vec<_>>();
            let (includes, excludes) = (of(&include), of(&exclude));
            let found: Vec<Vec<usize>> = (0..grid.len().expect("few"))
                .map(|combination| grid.values(combination))
                .filter(|v| lets_through(&grid, &includes, &excludes, v, None) == Some(true))
                .collect();
            prop_assert_eq!(&found, &naive(&shape, &include, &exclude));
            for values in found {
                let combination = grid.combination(&values);
                prop_assert_eq!(&grid.values(combination), &values);
                let texts: Vec<String> = grid.texts(combination).map(str::to_owned).collect();
                let expected: Vec<String> = shape.iter().zip(&values).flat_map(|((keys, _), value)| {
                    (0..*keys).map(move |key| (10 * key + value).to_string())
                }).collect();
                prop_assert_eq!(texts, expected);
            }
        }
    }
}
