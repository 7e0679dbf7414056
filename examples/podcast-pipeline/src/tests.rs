//! The pipeline with children that are closures, and each child by itself.

use refrain_sdk::testing::Env;
use refrain_sdk::{Failure, millis, secs};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::fs::Place;
use super::{Assemble, Publish, Segment, Transcript, assemble, morse, podcast, publish, transcribe};

#[derive(Serialize)]
struct Episode {
    episode: &'static str,
    segments: u32,
    source: &'static str,
    target: &'static str,
    listen_ms: u64,
}

fn episode(segments: u32) -> Episode {
    Episode { episode: "pilot", segments, source: "source", target: "target", listen_ms: 700 }
}

#[derive(Serialize)]
struct File {
    content: &'static str,
}

/// Transcribes any segment in a second.
fn studio() -> Env {
    let transcribe = |segment: Segment| Ok(format!("WHAT {} SAYS", segment.place.path));
    Env::new()
        .slow_child("transcribe", secs(1), transcribe)
        .slow_child("assemble", secs(1), |input: Assemble| Ok(input.texts.len() * 3))
        .slow_child("publish", secs(1), |_: Publish| Ok(()))
}

#[test]
fn segments_are_transcribed_together_and_then_stage_follows_stage() {
    let ended = studio().run::<podcast>(&episode(3));
    let transcript = Transcript { directory: "target".to_owned(), path: "pilot.txt".to_owned(), words: 9 };
    assert_eq!(ended.result::<Transcript>().unwrap(), transcript);
    assert_eq!(ended.elapsed, secs(3));
    let ids = ["segment-1", "segment-2", "segment-3", "assemble", "publish"];
    let started: Vec<_> = ended.calls.iter().filter(|call| call.contains("= child ")).collect();
    assert_eq!(started.len(), ids.len());
    for (call, id) in started.iter().zip(ids) {
        assert!(call.contains(&format!("id=\"pilot-{id}\"")), "{call}");
    }
}

#[test]
fn no_more_than_a_few_segments_are_transcribed_at_once() {
    let ended = studio().run::<podcast>(&episode(20));
    assert_eq!(ended.elapsed, secs(3 + 2), "20 segments, 8 at once, and two more stages");
}

#[test]
fn a_segment_that_fails_for_good_fails_the_podcast_with_the_whole_chain() {
    let env = studio().child("transcribe", |segment: Segment| match segment.place.path.as_str() {
        "pilot/segment-2.morse" => Err(Failure::new("`......` is no letter").context("understand it")),
        _ => Ok("FINE"),
    });
    let failure = env.run::<podcast>(&episode(3)).result::<Transcript>().unwrap_err();
    let chain = [
        "podcast `pilot`",
        "transcribe segment 2 of 3",
        r#"child workflow "transcribe" (id "pilot-segment-2") failed"#,
        "understand it",
        "`......` is no letter",
    ];
    assert_eq!(failure.chain().collect::<Vec<_>>(), chain);
}

#[test]
fn a_podcast_that_is_called_off_cancels_its_children() {
    let ended = studio().cancel(millis(500), "nobody listens").run::<podcast>(&episode(2));
    assert!(ended.is_canceled());
    assert_eq!(ended.elapsed, millis(500));
}

fn segment() -> Segment {
    Segment { place: Place::new("source", "pilot/segment-1.morse"), listen_ms: 700 }
}

#[test]
fn a_segment_is_listened_to_and_understood() {
    let read = |_: IgnoredAny| Ok(File { content: "... --- ... / .- .-\n. -\n" });
    let ended = Env::new().activity("fs.read", read).run::<transcribe>(&segment());
    assert_eq!(ended.result::<String>().unwrap(), "SOS AA\nET");
    assert_eq!(ended.elapsed, millis(700));
}

#[test]
fn a_segment_that_is_not_uploaded_may_be_tried_again_and_a_garbled_one_names_what_it_heard() {
    let absent = |_: IgnoredAny| Err::<(), _>(Failure::typed("NotFound", "no such file").non_retryable());
    let ended = Env::new().activity("fs.read", absent).run::<transcribe>(&segment());
    let failure = ended.result::<String>().unwrap_err();
    assert_eq!((failure.error_type(), failure.is_non_retryable()), ("NotUploaded", false));
    assert_eq!(failure.to_string(), "`pilot/segment-1.morse` is not uploaded: no such file");

    let garbled = |_: IgnoredAny| Ok(File { content: "... ......" });
    let ended = Env::new().activity("fs.read", garbled).run::<transcribe>(&segment());
    let failure = ended.result::<String>().unwrap_err();
    assert_eq!(failure.error_type(), morse::GARBLED);
    assert_eq!(failure.to_string(), "understand `pilot/segment-1.morse`: `......` is no letter");
}

#[test]
fn the_transcript_is_a_draft_until_it_is_published() {
    let draft = Place::new("target", "pilot.txt.draft");
    #[derive(Deserialize)]
    struct Write {
        path: String,
        content: String,
    }
    let env = Env::new().activity("fs.write", |write: Write| {
        assert_eq!((write.path.as_str(), write.content.as_str()), ("pilot.txt.draft", "A B\nC\n"));
        Ok(())
    });
    let ended = env
        .run::<assemble>(&Assemble { texts: ["A B", "C"].map(str::to_owned).to_vec(), draft: draft.clone() });
    assert_eq!(ended.result::<usize>().unwrap(), 3);

    let env = Env::new().activity("fs.rename", |_: IgnoredAny| Ok(()));
    let ended = env.run::<publish>(&Publish { draft, path: "pilot.txt".to_owned() });
    assert!(ended.result::<()>().is_ok());
    let rename = r#"1 = activity fs.rename {"directory":"target","path":"pilot.txt.draft","to":"pilot.txt","replace":true}"#;
    assert_eq!(ended.calls[0], rename);
}
