//! Figures, one line each.

use serde::Serialize;

/// One measured value.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What was measured.
    pub workload: &'static str,
    /// How many clients asked at once.
    pub clients: usize,
    /// Which value.
    pub metric: String,
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// The best that this machine could do, measured in the same run, in the same unit.
    pub limit: Option<f64>,
    /// Value by limit.
    pub ratio: Option<f64>,
}

/// Where figures go: to standard output, as soon as they are known.
#[derive(Debug)]
pub struct Report {
    json: bool,
    begun: bool,
}

impl Report {
    /// A table for people, or a line of JSON for each figure.
    pub fn new(json: bool) -> Self {
        Self { json, begun: false }
    }

    /// A figure without a limit.
    pub(super) fn value(
        &mut self,
        (workload, clients): (&'static str, usize),
        metric: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) {
        self.print(Figure {
            workload,
            clients,
            metric: metric.into(),
            value,
            unit,
            limit: None,
            ratio: None,
        });
    }

    /// A figure beside its limit.
    pub(super) fn against(
        &mut self,
        (workload, clients): (&'static str, usize),
        metric: impl Into<String>,
        value: f64,
        unit: &'static str,
        limit: f64,
    ) {
        let ratio = (limit > 0.0).then(|| value / limit);
        self.print(Figure {
            workload,
            clients,
            metric: metric.into(),
            value,
            unit,
            limit: Some(limit),
            ratio,
        });
    }

    #[expect(clippy::print_stdout, reason = "figures are what this command is asked for")]
    fn print(&mut self, figure: Figure) {
        if self.json {
            println!("{}", serde_json::to_string(&figure).unwrap_or_default());
            return;
        }
        if !std::mem::replace(&mut self.begun, true) {
            println!(
                "{:<10} {:>7}  {:<24} {:>12} {:<8} {:>12} {:>7}",
                "workload", "clients", "metric", "value", "unit", "limit", "ratio"
            );
        }
        let optional =
            |number: Option<f64>| number.map_or_else(|| "-".to_owned(), |number| format!("{number:.2}"));
        let Figure { workload, clients, metric, value, unit, limit, ratio } = figure;
        println!(
            "{workload:<10} {clients:>7}  {metric:<24} {value:>12.2} {unit:<8} {:>12} {:>7}",
            optional(limit),
            optional(ratio)
        );
    }
}
