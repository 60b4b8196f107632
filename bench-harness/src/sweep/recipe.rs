//! How the scenario of a combination is made: the base, what the sweep sets, what varies, what `--set`
//! says.

use sim_core::columns::METRICS;
use sim_core::config::document::{Node, Overlay, Text, parse_file};
use sim_core::config::{ConfigFault, Scenario, Source};

use super::file::{Setting, SweepFile};
use super::grid::Grid;
use super::inputs::Inputs;
use super::policies;

/// What scenarios are made from.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// What the sweep file says.
    pub file: SweepFile,
    /// The texts of all that decides.
    pub inputs: Inputs,
    /// The axes.
    pub grid: Grid,
    base: Node,
}

impl Recipe {
    /// The recipe of these texts.
    ///
    /// # Errors
    /// The syntax errors of the base scenario.
    pub fn new(file: SweepFile, inputs: Inputs) -> Result<Self, Vec<ConfigFault>> {
        let base = parse_file(&inputs.base, Text::File)?;
        let labels = policies::labels(&file.axes);
        let grid = Grid::new(&file.axes, labels.as_deref());
        Ok(Self { file, inputs, grid, base })
    }

    /// The scenario of a combination, with all its policies; `read` gives the small files that it names.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn scenario(
        &self,
        combination: u64,
        read: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<Scenario, Vec<ConfigFault>> {
        let Self { file, inputs, grid, base } = self;
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
        source.parse_over(base.clone(), &inputs.sweep, &overlays)
    }

    /// Path of the base scenario as written.
    pub fn base_name(&self) -> &str {
        self.file.base.as_ref().map_or("", |base| &base.value)
    }
}
