//! Guests that wait: what they hold, and that dropping them gives it back.

use refrain_engine::guest::{Guest, Stop};
use refrain_engine::ids::Digest;
use refrain_engine::run::Run;
use refrain_sandbox::SandboxOptions;

use crate::owner::{Owner, started};
use crate::text_guest::sleeper;

async fn suspended(owner: &Owner, digest: Digest) -> Box<dyn Guest> {
    let mut guest = owner.open(digest).await;
    let (_, stop) = guest.run(Box::new(Run::new(started(digest), 1))).await;
    assert!(matches!(stop, Stop::Wait), "{stop:?}");
    guest
}

#[tokio::test]
async fn a_suspended_guest_that_is_dropped_gives_everything_back() {
    let owner = Owner::small();
    let digest = owner.push(sleeper(&[1])).await.unwrap().digest;
    let guest = suspended(&owner, digest).await;
    assert_eq!(owner.sandbox.resident_instances(), 1);
    assert_eq!(owner.sandbox.resident_bytes(), guest.resident_bytes());
    assert!(guest.resident_bytes() > 2 * 64 * 1024, "its memory of two pages counts");
    drop(guest);
    assert_eq!((owner.sandbox.resident_instances(), owner.sandbox.resident_bytes()), (0, 0));
}

#[tokio::test]
async fn a_thousand_guests_are_suspended_at_once() {
    let owner = Owner::new(SandboxOptions { max_instances: Some(1_000), ..SandboxOptions::default() });
    let digest = owner.push(sleeper(&[1])).await.unwrap().digest;
    for round in 0..2 {
        let mut guests = Vec::new();
        for _ in 0..owner.sandbox.max_resident() {
            guests.push(suspended(&owner, digest).await);
        }
        assert_eq!(owner.sandbox.resident_instances(), 1_000, "round {round}");
        drop(guests);
        assert_eq!(owner.sandbox.resident_instances(), 0, "round {round}");
    }
}

#[tokio::test]
async fn guests_beyond_the_pool_are_unavailable_until_others_are_dropped() {
    let owner = Owner::small();
    let digest = owner.push(sleeper(&[1])).await.unwrap().digest;
    let mut guests = Vec::new();
    let refused = loop {
        let mut guest = owner.open(digest).await;
        match guest.run(Box::new(Run::new(started(digest), 1))).await {
            (_, Stop::Wait) => guests.push(guest),
            (_, stop) => break stop,
        }
    };
    assert!(matches!(&refused, Stop::Unavailable(reason) if reason.contains("limit")), "{refused:?}");
    assert!(guests.len() >= owner.sandbox.max_resident());
    drop(guests);
    drop(suspended(&owner, digest).await);
}
