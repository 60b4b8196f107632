//! `lbsim trace`: looks at recorded arrivals without running anything.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};
use sim_core::config::trace::FORMATS;
use sim_core::config::{Arrivals, Scenario, Source, TraceConfig};
use sim_core::workload::TraceSource;

use super::Traces;
use super::fit::Sample;
use crate::args::parse_override;
use crate::scenario_file::EXIT_BAD_INPUT;
use crate::{diagnostics, output};

/// What to do with a trace.
#[derive(Debug, Subcommand)]
pub enum TraceCommand {
    /// Fit arrival, service and key laws to it: lines for a scenario, the best law first
    Fit(FitArgs),
    /// Write it in the normal form: `t_us,service_us,key,class`
    Convert(FileArgs),
}

/// Arguments of `lbsim trace fit`.
#[derive(Debug, ClapArgs)]
pub struct FitArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Write quantiles of the service times here, for `service.empirical`
    #[arg(long, value_name = "CSV")]
    quantiles: Option<PathBuf>,
}

/// A trace.
#[derive(Debug, ClapArgs)]
pub struct FileArgs {
    /// The trace, plain, .gz or .zst
    #[arg(value_name = "FILE")]
    file: String,
    /// What its lines mean
    #[arg(long, value_name = "NAME", value_parser = FORMATS)]
    format: Option<String>,
    /// A key of `arrivals.trace`: `window=0s..60s`, `service=work_ms`, `format.azure_llm.base=20ms`
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_override)]
    set: Vec<(String, String)>,
}

/// Runs the command.
pub fn trace(command: &TraceCommand) -> ExitCode {
    let args = match command {
        TraceCommand::Fit(FitArgs { file, .. }) | TraceCommand::Convert(file) => file,
    };
    let config = match args.config() {
        Ok(config) => config,
        Err(code) => return code,
    };
    let traces = Traces::default();
    let done = traces.open(Path::new(&args.file), &config).and_then(|mut trace| match command {
        TraceCommand::Fit(fit) => fit.print(&mut *trace, &config),
        TraceCommand::Convert(_) => convert(&mut *trace),
    });
    // What was left out is counted once the reader is done.
    for tally in traces.tallies().iter().filter(|tally| tally.left_out() > 0) {
        eprintln!("{}: {tally}", if tally.bad_lines > 0 { "warning" } else { "note" });
    }
    done.unwrap_or_else(|message| {
        eprintln!("error: {message}");
        ExitCode::from(EXIT_BAD_INPUT)
    })
}

/// Text is printed in pieces of about this size [bytes]: a trace may be larger than memory.
const PRINT_BYTES: usize = 1 << 16;

/// A scenario around the trace, so that its keys are read and refused as in one.
const AROUND: &str = "name = \"trace\"\nduration = \"1s\"\n[[servers]]\ncount = 1\ncapacity = 1\n\
                      backlog = 0\nservice.constant = { mean = \"1ms\" }\n";

impl FileArgs {
    fn config(&self) -> Result<TraceConfig, ExitCode> {
        let key = |key: &str| format!("workload.arrivals.trace.{key}");
        let file = toml::Value::from(self.file.as_str()).to_string();
        let mut overrides = vec![(key("file"), file)];
        overrides.extend(self.format.iter().map(|name| (key("format"), format!("\"{name}\""))));
        overrides.extend(self.set.iter().map(|(name, value)| (key(name), value.clone())));
        let read = |_: &str| Err("a trace needs no other file".to_owned());
        let source =
            Source { text: AROUND, overrides: &overrides, read: &read, metrics: None, check: None };
        match source.parse() {
            Ok(Scenario { workload, .. }) => match workload.arrivals {
                Arrivals::Trace(config) => Ok(config),
                _ => unreachable!("the overrides say that arrivals are a trace"),
            },
            Err(faults) => {
                let style = diagnostics::Style::of_stderr();
                eprint!("{}", diagnostics::render(&self.file, AROUND, &faults, style));
                Err(ExitCode::from(EXIT_BAD_INPUT))
            }
        }
    }
}

impl FitArgs {
    fn print(&self, trace: &mut dyn TraceSource, config: &TraceConfig) -> Result<ExitCode, String> {
        let sample = Sample::read(trace)?;
        if let Some(path) = &self.quantiles {
            let text = sample.quantiles().ok_or("there are no service times, or all are equal")?;
            std::fs::write(path, text)
                .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        }
        Ok(output::print(&sample.report(config, &config.to_toml())))
    }
}

/// Prints the normal form, with all digits of the times.
fn convert(trace: &mut dyn TraceSource) -> Result<ExitCode, String> {
    let failed = |error: std::io::Error| format!("cannot write to standard output: {error}");
    let mut stdout = std::io::stdout().lock();
    let mut text = "t_us,service_us,key,class\n".to_owned();
    let us = |ns: u64| format!("{}.{:03}", ns / 1_000, ns % 1_000);
    while let Some(record) = trace.next()? {
        if text.len() > PRINT_BYTES {
            output::write_all(&mut stdout, &text).map_err(failed)?;
            text.clear();
        }
        let service = record.service_ns.map_or_else(String::new, us);
        let key = record.key.map_or_else(String::new, |key| format!("{key:016x}"));
        let _ = writeln!(text, "{},{service},{key},", us(record.at_ns));
    }
    output::write_all(&mut stdout, &text).map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}
