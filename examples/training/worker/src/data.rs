//! The data: measured flowers, shuffled, split, and brought to one scale.

use anyhow::{Context, Result, ensure};

use crate::text;

/// Fisher's flowers; `README.md` of the example says more.
const IRIS: &str = include_str!("../../data/iris.csv");

/// A flower: what was measured, and which one it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Example {
    pub(crate) features: Vec<f64>,
    /// Its place in [`Data::classes`].
    pub(crate) class: usize,
}

/// What brings a measurement to the scale of the training data, where its mean is 0 and its deviation 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scale {
    pub(crate) means: Vec<f64>,
    pub(crate) deviations: Vec<f64>,
}

/// Data to learn from and data to be tested with.
#[derive(Debug, PartialEq)]
pub(crate) struct Data {
    pub(crate) classes: Vec<String>,
    pub(crate) scale: Scale,
    pub(crate) train: Vec<Example>,
    pub(crate) test: Vec<Example>,
}

impl Data {
    /// The flowers in an order that the seed alone decides, the last of them for the test. The scale is that of the
    /// training data: what the model is tested with must not have had a part in it.
    pub(crate) fn prepare(seed: u64, test_share: f64) -> Result<Self> {
        let (classes, mut examples) = read_csv(IRIS).context("read the data set")?;
        shuffle(&mut examples, seed);
        let test = (examples.len() as f64 * test_share).round() as usize;
        ensure!(
            test > 0 && test < examples.len(),
            "`test_share` is {test_share}: give a number between 0 and 1 that leaves examples on both sides"
        );
        let mut train = examples;
        let mut test = train.split_off(train.len() - test);
        let scale = Scale::of(&train);
        for example in train.iter_mut().chain(&mut test) {
            scale.apply(&mut example.features);
        }
        Ok(Self { classes, scale, train, test })
    }

    /// As a file keeps it.
    pub(crate) fn to_text(&self) -> String {
        let example = |word: &str, example: &Example| {
            let mut line = text::numbers(word, &example.features);
            line.insert_str(line.len() - 1, &format!(" {}", self.classes[example.class]));
            line
        };
        let scale =
            [text::numbers("means", &self.scale.means), text::numbers("deviations", &self.scale.deviations)];
        let train = self.train.iter().map(|one| example("train", one));
        let test = self.test.iter().map(|one| example("test", one));
        std::iter::once(text::line("classes", &self.classes)).chain(scale).chain(train).chain(test).collect()
    }

    /// From a file.
    pub(crate) fn from_text(text: &str) -> Result<Self> {
        let scale = Scale { means: Vec::new(), deviations: Vec::new() };
        let mut data = Self { classes: Vec::new(), scale, train: Vec::new(), test: Vec::new() };
        for (word, values) in text::lines(text) {
            match word {
                "classes" => data.classes = values.iter().map(|name| (*name).to_owned()).collect(),
                "means" => data.scale.means = text::parse(&values)?,
                "deviations" => data.scale.deviations = text::parse(&values)?,
                "train" => data.train.push(example(&values, &data.classes)?),
                "test" => data.test.push(example(&values, &data.classes)?),
                other => anyhow::bail!("a line begins with `{other}`, which means nothing here"),
            }
        }
        let columns = data.scale.means.len();
        let is_whole = |example: &Example| example.features.len() == columns;
        ensure!(
            !data.train.is_empty() && data.train.iter().chain(&data.test).all(is_whole),
            "the prepared data are not whole: prepare them again"
        );
        Ok(data)
    }
}

/// Measurements, and the name of the class.
fn example(values: &[&str], classes: &[String]) -> Result<Example> {
    let (name, features) = values.split_last().context("an example is empty")?;
    let class = classes.iter().position(|class| class == name);
    let class = class.with_context(|| format!("`{name}` is no class of the data"))?;
    Ok(Example { features: text::parse(features)?, class })
}

/// The classes, in the order in which they come, and the examples.
fn read_csv(csv: &str) -> Result<(Vec<String>, Vec<Example>)> {
    let (mut classes, mut examples) = (Vec::new(), Vec::new());
    for (row, line) in csv.lines().enumerate().skip(1) {
        let values: Vec<&str> = line.split(',').collect();
        if let Some(name) = values.last().filter(|name| !classes.iter().any(|class| class == *name)) {
            classes.push((*name).to_owned());
        }
        examples.push(example(&values, &classes).with_context(|| format!("line {}", row + 1))?);
    }
    Ok((classes, examples))
}

/// Fisher and Yates's shuffle.
fn shuffle(examples: &mut [Example], seed: u64) {
    let mut state = seed;
    for last in (1..examples.len()).rev() {
        examples.swap(last, (random(&mut state) % (last as u64 + 1)) as usize);
    }
}

/// SplitMix64: the next number after `state`.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Scale {
    fn of(examples: &[Example]) -> Self {
        let columns = examples.first().map_or(0, |example| example.features.len());
        let mean =
            |value: &dyn Fn(&Example) -> f64| examples.iter().map(value).sum::<f64>() / examples.len() as f64;
        let means: Vec<f64> = (0..columns).map(|column| mean(&|example| example.features[column])).collect();
        let variance = |column: usize| mean(&|example| (example.features[column] - means[column]).powi(2));
        let deviations = (0..columns).map(|column| variance(column).sqrt()).collect();
        Self { means, deviations }
    }

    fn apply(&self, features: &mut [f64]) {
        for (feature, (mean, deviation)) in features.iter_mut().zip(self.means.iter().zip(&self.deviations)) {
            *feature = (*feature - mean) / deviation;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_training_data_have_mean_0_and_deviation_1_and_all_flowers_are_in_one_part() {
        let data = Data::prepare(7, 0.2).unwrap();
        assert_eq!(data.classes, ["setosa", "versicolor", "virginica"]);
        assert_eq!((data.train.len(), data.test.len()), (120, 30));
        let scale = Scale::of(&data.train);
        assert!(scale.means.iter().all(|mean| mean.abs() < 1e-12), "{scale:?}");
        assert!(scale.deviations.iter().all(|deviation| (deviation - 1.0).abs() < 1e-12), "{scale:?}");
        let of_class = |class| data.train.iter().chain(&data.test).filter(|one| one.class == class).count();
        assert_eq!([of_class(0), of_class(1), of_class(2)], [50, 50, 50]);
    }

    #[test]
    fn the_seed_decides_the_order() {
        assert_eq!(Data::prepare(7, 0.2).unwrap(), Data::prepare(7, 0.2).unwrap());
        assert_ne!(Data::prepare(7, 0.2).unwrap().test, Data::prepare(8, 0.2).unwrap().test);
    }

    #[test]
    fn a_file_keeps_them_to_the_last_bit() {
        let data = Data::prepare(7, 0.2).unwrap();
        assert_eq!(Data::from_text(&data.to_text()).unwrap(), data);
        let text = data.to_text();
        assert!(Data::from_text(text.split_once("train").unwrap().0).is_err(), "half of a file is no data");
    }

    #[test]
    fn a_share_that_leaves_a_side_empty_is_refused() {
        for share in [0.0, 1.0, -1.0, f64::NAN, 0.001] {
            let error = Data::prepare(7, share).unwrap_err().to_string();
            assert!(error.contains("test_share"), "{error}");
        }
    }
}
