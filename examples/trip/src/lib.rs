//! Books a trip, of which a part or the whole may be called off at any time; what was booked is given back then.
//!
//! To cancel is to ask. The host ends nothing by itself when someone asks a run to end: the code says what is given up,
//! what is cleaned up, and what goes on.
//!
//! * **A part**: the car is rented in a [`CancelScope`] of its own, which the signal `no-car` cancels. What runs in it is
//!   given up, the rest of the trip is not. The car that is held is given back in a [`shield`]: if the whole trip is
//!   called off at that moment, giving back goes on.
//! * **The whole**: a scope [`with_run`](CancelScope::with_run) is canceled with the run, and the scopes in it with it. In
//!   it is a [`saga`], and so all that was booked is given back, the last first.
//! * **A crash** changes nothing of that: a compensation is an activity or a timer as any other. A host that dies in the
//!   middle of them goes on with the next.
//!
//! An office takes a booking by a file in its folder, and removes the file when it takes the booking back, after some
//! notice. So it needs the host's `fs` plugin with a directory to write to. `cargo xtask example trip` calls off a car,
//! and then a whole trip, and kills the host while that is being undone.

use std::time::Duration;

use refrain_sdk::{
    Activity, CancelScope, Context, Failure, Retry, Saga, Signal, activity, info, is_cancel_requested, mins,
    saga, secs, shield, sleep_named, workflow,
};
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Trip {
    /// By which its bookings are known.
    number: String,
    /// The directory of the offices' files, by its name in the host's configuration.
    offices: String,
    /// Milliseconds from the last booking to the departure, after which nothing is called off any more.
    departs_in_ms: u64,
    /// How many milliseconds an office takes to take a booking back.
    notice_ms: u64,
}

/// What the traveler has at the departure.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Itinerary {
    bookings: Vec<String>,
}

const CAR_IS_READY: Signal<()> = Signal::new("car-is-ready").doc("The office has found the car.");

const NO_CAR: Signal<String> = Signal::new("no-car").doc("The traveler wants no car, and why.");

/// Books a flight, a hotel and a car, and waits for the departure.
#[workflow(signals(CAR_IS_READY, NO_CAR))]
async fn trip(trip: Trip) -> Result<Itinerary, Failure> {
    let doing = format!("book trip `{}`", trip.number);
    CancelScope::with_run().run(saga(&doing, async |saga| book(&trip, saga).await)).await
}

async fn book(trip: &Trip, saga: &mut Saga) -> Result<Itinerary, Failure> {
    let mut bookings = Vec::new();
    for what in ["flight", "hotel"] {
        saga.undo(format!("give the {what} back"), trip.give_back(what));
        trip.take(what).await.with_context(|| format!("book the {what}"))?;
        bookings.push(what.to_owned());
    }
    saga.undo("give the car back", trip.give_back("car"));
    if rent_car(trip).await.context("rent the car")? {
        bookings.push("car".to_owned());
    }
    info!("booked: {}", bookings.join(", "));
    sleep_named(Duration::from_millis(trip.departs_in_ms), "departure").await;
    Ok(Itinerary { bookings })
}

/// Whether there is a car.
async fn rent_car(trip: &Trip) -> Result<bool, Failure> {
    let scope = CancelScope::new();
    NO_CAR.handle({
        let scope = scope.clone();
        async move |why: String| scope.cancel(&why)
    });
    let rented = scope.run(async {
        trip.take("car").await?;
        CAR_IS_READY.recv().await;
        Ok(())
    });
    match rented.await {
        Ok(()) => Ok(true),
        // The car alone was canceled, and the trip goes on without it.
        Err(why) if scope.is_canceled() && !is_cancel_requested() => {
            info!(because = why, "no car");
            shield(trip.give_back("car")).await?;
            Ok(false)
        }
        Err(why) => Err(why),
    }
}

impl Trip {
    fn booking(&self, what: &str) -> Booking {
        Booking { directory: self.offices.clone(), path: format!("trips/{}/{what}", self.number) }
    }

    /// An office takes a booking.
    fn take(&self, what: &str) -> Activity<IgnoredAny> {
        /// One that is full says so for good; the rest passes, or is no trip.
        const ATTEMPTS: u32 = 5;
        #[derive(Serialize)]
        struct Input {
            #[serde(flatten)]
            booking: Booking,
            content: String,
            create_parents: bool,
        }
        let content = format!("{what} of trip {}\n", self.number);
        let input = Input { booking: self.booking(what), content, create_parents: true };
        activity("fs.write", &input)
            .start_to_close(secs(30))
            .retry(Retry::default().maximum_attempts(ATTEMPTS))
            .summary(format!("take the {what}"))
    }

    /// An office takes a booking back. That it has none is as good.
    fn give_back(&self, what: &str) -> impl Future<Output = Result<(), Failure>> + use<> {
        /// What is not given back costs money: with the intervals of `patient`, it is tried for a day.
        const ATTEMPTS: u32 = 150;
        let patient = Retry::default().maximum_interval(mins(10)).maximum_attempts(ATTEMPTS);
        let notice = Duration::from_millis(self.notice_ms);
        let summary = format!("give the {what} back");
        let input = self.booking(what);
        async move {
            sleep_named(notice, &format!("notice to {summary}")).await;
            activity::<IgnoredAny>("fs.remove", &input)
                .start_to_close(secs(30))
                .retry(patient)
                .summary(summary)
                .await
                .map(drop)
        }
    }
}

#[derive(Serialize)]
struct Booking {
    directory: String,
    path: String,
}

refrain_sdk::component!(trip);

#[cfg(test)]
mod tests;
