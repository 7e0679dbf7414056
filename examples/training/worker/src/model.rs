//! Logistic regression for any number of classes, by gradient descent: from nothing but arithmetic.
//!
//! A class's score is a weighted sum of the features; the scores' softmax are the classes' probabilities. Learning moves
//! the weights against the gradient of the cross-entropy, always by all examples in their order, so that the same data
//! and settings lead to the same weights, bit for bit.

use anyhow::{Context, Result, ensure};

use crate::data::{Data, Example, Scale};
use crate::text;

/// How strongly large weights are held back. Without it, classes that a line separates would drive them to infinity.
const DECAY: f64 = 1e-3;

/// A model, finished or not: a checkpoint is a model that is to learn more.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Model {
    /// How many steps it has learned.
    pub(crate) step: u64,
    classes: Vec<String>,
    /// Of the data that it learned from, so that it can be used with measurements as they are.
    scale: Scale,
    /// One row for each class: a weight for each feature, then one of its own.
    weights: Vec<Vec<f64>>,
}

impl Model {
    /// One that has learned nothing.
    pub(crate) fn new(data: &Data) -> Self {
        let row = vec![0.0; data.scale.means.len() + 1];
        let weights = vec![row; data.classes.len()];
        Self { step: 0, classes: data.classes.clone(), scale: data.scale.clone(), weights }
    }

    /// One step. Returns the loss before it.
    pub(crate) fn learn(&mut self, examples: &[Example], rate: f64) -> f64 {
        let mut gradient: Vec<Vec<f64>> = self.weights.iter().map(|row| vec![0.0; row.len()]).collect();
        let mut loss = 0.0;
        for example in examples {
            let (probabilities, surprise) = self.judge(example);
            loss += surprise;
            for (class, row) in gradient.iter_mut().enumerate() {
                let truth = if class == example.class { 1.0 } else { 0.0 };
                let error = probabilities[class] - truth;
                for (sum, feature) in row.iter_mut().zip(example.features.iter().chain(&[1.0])) {
                    *sum += error * feature;
                }
            }
        }
        let share = 1.0 / examples.len() as f64;
        for (row, sums) in self.weights.iter_mut().zip(&gradient) {
            for (weight, sum) in row.iter_mut().zip(sums) {
                *weight -= rate * (sum * share + DECAY * *weight);
            }
        }
        self.step += 1;
        loss * share
    }

    /// The mean cross-entropy.
    pub(crate) fn loss(&self, examples: &[Example]) -> f64 {
        examples.iter().map(|example| self.judge(example).1).sum::<f64>() / examples.len() as f64
    }

    /// The part of the examples that it tells right.
    pub(crate) fn accuracy(&self, examples: &[Example]) -> f64 {
        let best = |example: &Example| {
            let scores = self.scores(&example.features);
            (0..scores.len()).max_by(|left, right| scores[*left].total_cmp(&scores[*right]))
        };
        let right = examples.iter().filter(|example| best(example) == Some(example.class)).count();
        right as f64 / examples.len() as f64
    }

    /// The classes' probabilities, and how far the truth is from them: the negative logarithm of its own.
    fn judge(&self, example: &Example) -> (Vec<f64>, f64) {
        let scores = self.scores(&example.features);
        // Without the highest, so that no exponential is too large for a number.
        let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut probabilities: Vec<f64> = scores.iter().map(|score| (score - highest).exp()).collect();
        let sum: f64 = probabilities.iter().sum();
        probabilities.iter_mut().for_each(|probability| *probability /= sum);
        (probabilities, sum.ln() + highest - scores[example.class])
    }

    fn scores(&self, features: &[f64]) -> Vec<f64> {
        let score = |row: &Vec<f64>| row.iter().zip(features.iter().chain(&[1.0])).map(|(w, x)| w * x).sum();
        self.weights.iter().map(score).collect()
    }

    /// As a file keeps it.
    pub(crate) fn to_text(&self) -> String {
        let head = [
            text::line("step", [self.step]),
            text::line("classes", &self.classes),
            text::numbers("means", &self.scale.means),
            text::numbers("deviations", &self.scale.deviations),
        ];
        head.into_iter().chain(self.weights.iter().map(|row| text::numbers("weights", row))).collect()
    }

    /// From a file.
    pub(crate) fn from_text(text: &str) -> Result<Self> {
        let scale = Scale { means: Vec::new(), deviations: Vec::new() };
        let mut model = Self { step: 0, classes: Vec::new(), scale, weights: Vec::new() };
        for (word, values) in text::lines(text) {
            match word {
                "step" => model.step = values.concat().parse().context("the step is not a number")?,
                "classes" => model.classes = values.iter().map(|name| (*name).to_owned()).collect(),
                "means" => model.scale.means = text::parse(&values)?,
                "deviations" => model.scale.deviations = text::parse(&values)?,
                "weights" => model.weights.push(text::parse(&values)?),
                other => anyhow::bail!("a line begins with `{other}`, which means nothing here"),
            }
        }
        let columns = model.scale.means.len() + 1;
        ensure!(
            !model.classes.is_empty()
                && model.weights.len() == model.classes.len()
                && model.weights.iter().all(|row| row.len() == columns),
            "the model is not whole"
        );
        Ok(model)
    }

    /// Whether it can go on learning from these data.
    pub(crate) fn fits(&self, data: &Data) -> bool {
        self.classes == data.classes && self.scale == data.scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 0.1;

    fn learned(steps: usize) -> (Model, Data) {
        let data = Data::prepare(7, 0.2).unwrap();
        let mut model = Model::new(&data);
        for _ in 0..steps {
            model.learn(&data.train, RATE);
        }
        (model, data)
    }

    #[test]
    fn it_learns_what_it_was_not_shown() {
        let (nothing, data) = learned(0);
        assert!(
            (nothing.loss(&data.train) - 3.0_f64.ln()).abs() < 1e-12,
            "three classes, one as likely as another"
        );
        let (model, data) = learned(1_000);
        assert!(model.loss(&data.train) < 0.2, "{}", model.loss(&data.train));
        assert!(model.accuracy(&data.test) >= 0.9, "{}", model.accuracy(&data.test));
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        const NEAR: f64 = 1e-6;
        let (before, data) = learned(10);
        let mut after = before.clone();
        after.learn(&data.train, 1.0);
        for class in 0..before.weights.len() {
            for column in 0..before.weights[class].len() {
                let weight = before.weights[class][column];
                let loss_at = |weight: f64| {
                    let mut model = before.clone();
                    model.weights[class][column] = weight;
                    model.loss(&data.train)
                };
                let slope = (loss_at(weight + NEAR) - loss_at(weight - NEAR)) / (2.0 * NEAR);
                let gradient = weight - after.weights[class][column] - DECAY * weight;
                assert!(
                    (slope - gradient).abs() < 1e-6,
                    "class {class}, column {column}: {slope} {gradient}"
                );
            }
        }
    }

    #[test]
    fn one_that_was_kept_in_a_file_learns_as_if_it_had_not_been() {
        let (whole, data) = learned(200);
        let (half, _) = learned(77);
        let mut model = Model::from_text(&half.to_text()).unwrap();
        assert_eq!(model, half);
        for _ in 77..200 {
            model.learn(&data.train, RATE);
        }
        assert_eq!(model.to_text(), whole.to_text());
    }

    #[test]
    fn half_of_a_file_is_no_model() {
        let text = learned(1).0.to_text();
        for cut in [0, text.find("weights").unwrap(), text.len() - 40] {
            assert!(Model::from_text(&text[..cut]).is_err(), "{}", &text[..cut]);
        }
    }
}
