//! What goes wrong on purpose: for one step of one order, a number of times or for ever.

use serde::Deserialize;

use crate::books::Step;

/// An order's step that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    order: String,
    step: Step,
    /// How often; for ever if it does not say.
    times: Option<u32>,
    how: How,
}

/// In which way.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum How {
    /// It is refused, and has no effect.
    Refuse {
        /// As HTTP numbers it.
        status: u16,
        /// Whole seconds after which one may try again.
        retry_after: Option<u32>,
    },
    /// It has its effect, and is never answered.
    Silence,
}

/// All faults that are still to happen, those that were asked for first come first.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// What is to go wrong with this request, if anything.
    pub(crate) fn take(&mut self, order: &str, step: Step) -> Option<How> {
        let concerns = |fault: &Fault| fault.order == order && fault.step == step && fault.times != Some(0);
        let fault = self.0.iter_mut().find(|fault| concerns(fault))?;
        fault.times = fault.times.map(|times| times - 1);
        Some(fault.how.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_happens_as_often_as_it_says_to_its_own_order_and_step() {
        let fault = |times, how| Fault { order: "7".to_owned(), step: Step::Charge, times, how };
        let unavailable = How::Refuse { status: 503, retry_after: Some(1) };
        let mut faults = Faults::default();
        faults.add(fault(Some(2), unavailable.clone()));
        faults.add(fault(None, How::Silence));
        assert_eq!(faults.take("8", Step::Charge), None);
        assert_eq!(faults.take("7", Step::Refund), None);
        for expected in [&unavailable, &unavailable, &How::Silence, &How::Silence] {
            assert_eq!(faults.take("7", Step::Charge).as_ref(), Some(expected));
        }
    }
}
