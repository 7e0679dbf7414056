//! Publishes the transcript of a podcast, whose segments come as Morse code.
//!
//! | stage | child | id | |
//! |---|---|---|---|
//! | 1 | `transcribe` | `EPISODE-segment-N` | one for each segment, a few at once |
//! | 2 | `assemble` | `EPISODE-assemble` | when all are transcribed |
//! | 3 | `publish` | `EPISODE-publish` | when the transcript is whole |
//!
//! A child is an execution as any other: with an id, a history, and a retry policy of its own, by which a run that failed
//! is followed by another while the parent just waits. So a stage is a child here where people want to look at it alone,
//! or try it again as a whole; what is neither is a function.
//!
//! * **What is tried again** says the policy of the child, and what its failures say of themselves. A segment that is not
//!   uploaded yet fails the activity for good, and the child for now; one that is garbled stays so.
//! * **What fails** fails the parent with the whole chain: `podcast ...: transcribe segment 2 of 4: child workflow
//!   "transcribe" (id "...") failed: ...`. The children that still run are terminated with it, as nobody wants their work
//!   any more.
//!
//! It needs the host's `fs` plugin, with a directory to read and one to write. `cargo xtask example podcast-pipeline`
//! uploads a segment late, kills the host meanwhile, and then sends a garbled one.

use std::time::Duration;

use refrain_sdk::{
    Child, Context, Failure, Retry, child_of, info, millis, sleep_named, try_join_bounded, workflow,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod fs;
mod morse;

use fs::Place;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Podcast {
    /// Its segments are `EPISODE/segment-1.morse` and so on, its transcript is `EPISODE.txt`.
    episode: String,
    /// How many segments there are.
    segments: u32,
    /// The directory of the segments, by its name in the host's configuration.
    source: String,
    /// The directory for the transcript, by its name in the host's configuration.
    target: String,
    /// How many milliseconds it takes to listen to a segment.
    listen_ms: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Transcript {
    /// Where it is, and who has it.
    directory: String,
    path: String,
    words: usize,
}

/// How many segments are transcribed at once.
const AT_ONCE: usize = 8;

/// A segment that is not uploaded after so many attempts is not under way.
const ATTEMPTS: u32 = 20;

/// Transcribes the segments of an episode, puts them together, and publishes what it says.
#[workflow]
async fn podcast(podcast: Podcast) -> Result<Transcript, Failure> {
    stages(&podcast).await.with_context(|| format!("podcast `{}`", podcast.episode))
}

async fn stages(podcast: &Podcast) -> Result<Transcript, Failure> {
    let Podcast { episode, segments, .. } = podcast;
    let transcribed = (1..=*segments).map(async |number| {
        let doing = || format!("transcribe segment {number} of {segments}");
        podcast.transcribe(number).await.with_context(doing)
    });
    let texts = try_join_bounded(AT_ONCE, transcribed).await?;
    info!(segments = texts.len(), "transcribed");

    let draft = Place::new(&podcast.target, format!("{episode}.txt.draft"));
    let words = child_of::<assemble>(&Assemble { texts, draft: draft.clone() })
        .id(format!("{episode}-assemble"))
        .cancel_with_run()
        .await
        .context("assemble the transcript")?;

    let path = format!("{episode}.txt");
    child_of::<publish>(&Publish { draft, path: path.clone() })
        .id(format!("{episode}-publish"))
        .cancel_with_run()
        .await
        .context("publish the transcript")?;
    Ok(Transcript { directory: podcast.target.clone(), path, words })
}

impl Podcast {
    fn transcribe(&self, number: u32) -> Child<String> {
        let Self { episode, source, listen_ms, .. } = self;
        let place = Place::new(source, format!("{episode}/segment-{number}.morse"));
        // The intervals suit an example; people upload within hours.
        let patient = Retry::default()
            .initial_interval(millis(500))
            .backoff_coefficient(1.0)
            .maximum_attempts(ATTEMPTS)
            .non_retryable(morse::GARBLED);
        child_of::<transcribe>(&Segment { place, listen_ms: *listen_ms })
            .id(format!("{episode}-segment-{number}"))
            .retry(patient)
            .cancel_with_run()
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Segment {
    place: Place,
    listen_ms: u64,
}

/// Listens to a segment and writes down what it says.
#[workflow]
async fn transcribe(segment: Segment) -> Result<String, Failure> {
    let path = &segment.place.path;
    let code = match fs::read(&segment.place).await {
        Ok(file) => file.content,
        // The plugin says it for good, as it looks now and nobody promised it the file: a new failure says it otherwise.
        Err(why) if why.error_type() == "NotFound" => {
            return Err(Failure::typed("NotUploaded", format!("`{path}` is not uploaded")).caused_by(why));
        }
        Err(why) => return Err(why).with_context(|| format!("read `{path}`")),
    };
    sleep_named(Duration::from_millis(segment.listen_ms), "listening").await;
    morse::decode(&code).with_context(|| format!("understand `{path}`"))
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Assemble {
    /// In their order.
    texts: Vec<String>,
    draft: Place,
}

/// Writes the whole transcript down; how many words it has.
#[workflow]
async fn assemble(input: Assemble) -> Result<usize, Failure> {
    let text = input.texts.join("\n") + "\n";
    fs::write(&input.draft, &text).await?;
    Ok(text.split_whitespace().count())
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Publish {
    draft: Place,
    path: String,
}

/// Gives the draft its name.
#[workflow]
async fn publish(input: Publish) -> Result<(), Failure> {
    fs::rename(&input.draft, &input.path).await.map(drop)
}

refrain_sdk::component!(podcast, transcribe, assemble, publish);

#[cfg(test)]
mod tests;
