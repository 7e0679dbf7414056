//! The trip against offices that keep their bookings in a set in place of a folder.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use refrain_sdk::testing::{Ended, Env};
use refrain_sdk::{Compensations, Failure, millis, secs};
use serde::{Deserialize, Serialize};

use super::{Itinerary, trip};

#[derive(Serialize)]
struct Input {
    number: &'static str,
    offices: &'static str,
    departs_in_ms: u64,
    notice_ms: u64,
}

const INPUT: Input = Input { number: "7", offices: "target", departs_in_ms: 60_000, notice_ms: 1_000 };

/// As long as an office takes to give notice.
const NOTICE: Duration = secs(1);

#[derive(Deserialize)]
struct Asked {
    path: String,
}

/// Offices of which `full` takes no bookings, and the bookings that they have.
fn offices(full: &'static str) -> (Env, Rc<RefCell<BTreeSet<String>>>) {
    let bookings = Rc::new(RefCell::new(BTreeSet::new()));
    let (takes, gives_back) = (bookings.clone(), bookings.clone());
    let env = Env::new()
        .activity("fs.write", move |asked: Asked| {
            if asked.path.ends_with(full) {
                return Err(Failure::typed("Full", "everything is taken"));
            }
            takes.borrow_mut().insert(asked.path);
            Ok(())
        })
        .activity("fs.remove", move |asked: Asked| Ok(gives_back.borrow_mut().remove(&asked.path)));
    (env, bookings)
}

/// What was given back, in that order.
fn given_back(ended: &Ended) -> Vec<&str> {
    let removals = ended.calls.iter().filter(|call| call.contains("activity fs.remove"));
    removals.filter_map(|call| call.rsplit('/').next()?.strip_suffix("\"}")).collect()
}

#[test]
fn a_trip_that_nobody_calls_off_has_everything() {
    let (env, bookings) = offices("nothing");
    let ended = env.signal(secs(5), "car-is-ready", &()).run::<trip>(&INPUT);
    let expected = ["flight", "hotel", "car"].map(str::to_owned).to_vec();
    assert_eq!(ended.result::<Itinerary>().unwrap(), Itinerary { bookings: expected });
    assert_eq!(ended.elapsed, secs(65));
    assert_eq!(bookings.borrow().len(), 3);
}

#[test]
fn a_car_that_is_not_wanted_is_given_back_alone() {
    let (env, bookings) = offices("nothing");
    let ended = env.signal(secs(5), "no-car", &"we walk").run::<trip>(&INPUT);
    let expected = ["flight", "hotel"].map(str::to_owned).to_vec();
    assert_eq!(ended.result::<Itinerary>().unwrap(), Itinerary { bookings: expected });
    assert_eq!(given_back(&ended), ["car"]);
    assert_eq!(ended.elapsed, secs(5) + NOTICE + secs(60));
    assert_eq!(*bookings.borrow(), BTreeSet::from(["trips/7/flight", "trips/7/hotel"].map(str::to_owned)));
}

#[test]
fn a_trip_that_is_called_off_gives_everything_back_wherever_it_stands() {
    // While the car is awaited; and while the departure is.
    for (car_is_ready_after, called_off_after) in [(secs(9), secs(3)), (secs(1), secs(30))] {
        let (env, bookings) = offices("nothing");
        let env = env.signal(car_is_ready_after, "car-is-ready", &());
        let ended = env.cancel(called_off_after, "the flu").run::<trip>(&INPUT);
        assert!(ended.is_canceled());
        assert_eq!(given_back(&ended), ["car", "hotel", "flight"]);
        assert_eq!(ended.elapsed, called_off_after + 3 * NOTICE);
        assert!(bookings.borrow().is_empty());
    }
}

#[test]
fn a_trip_that_is_called_off_while_the_car_is_given_back_waits_for_that() {
    let (env, bookings) = offices("nothing");
    let env = env.signal(secs(5), "no-car", &"we walk");
    let ended = env.cancel(secs(5) + millis(500), "the flu").run::<trip>(&INPUT);
    assert!(ended.is_canceled());
    // The second time there is nothing to give back: the compensation does not know that it was.
    assert_eq!(given_back(&ended), ["car", "car", "hotel", "flight"]);
    assert_eq!(ended.elapsed, secs(5) + 4 * NOTICE);
    assert!(bookings.borrow().is_empty());
}

#[test]
fn without_a_hotel_the_flight_is_given_back() {
    let (env, bookings) = offices("hotel");
    let failure = env.run::<trip>(&INPUT).result::<Itinerary>().unwrap_err();
    assert_eq!(failure.to_string(), "book trip `7`: book the hotel: everything is taken");
    let compensations = failure.details::<Compensations>().unwrap();
    assert_eq!((compensations.compensations.len(), compensations.failed().count()), (2, 0));
    assert!(bookings.borrow().is_empty());
}
