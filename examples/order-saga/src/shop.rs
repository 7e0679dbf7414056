//! The shop's services, as activities of the host's `http` plugin: what is asked of them, and how patiently.
//!
//! Each request carries an `Idempotency-Key` that is the same for all attempts, which the plugin sees to; so a
//! repeated request is answered as the first was, and has no second effect.

use std::time::Duration;

use refrain_sdk::{Activity, Failure, Retry, activity, days, hours, millis, mins, secs};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Order;

/// How often and for how long something is tried.
struct Patience {
    /// For one answer.
    attempt: Duration,
    /// From the first failure to the second attempt; each interval is twice the one before.
    first_interval: Duration,
    longest_interval: Duration,
    limit: Limit,
}

enum Limit {
    /// What does not work soon is undone.
    Attempts(u32),
    /// What must not stay half done is tried as long as there is hope, and then it is for people: meanwhile what was done
    /// before it waits to be undone.
    For(Duration),
}

const RESERVE: Patience = Patience {
    attempt: secs(5),
    first_interval: millis(100),
    longest_interval: secs(1),
    limit: Limit::Attempts(5),
};

/// Payment services are away for longer, and say so with `Retry-After`, which is honoured whatever stands here.
const CHARGE: Patience = Patience {
    attempt: secs(15),
    first_interval: millis(200),
    longest_interval: secs(10),
    limit: Limit::Attempts(6),
};

/// What has not been answered by then will not be: better to ask again.
const SHIP: Patience = Patience {
    attempt: secs(2),
    first_interval: millis(100),
    longest_interval: secs(5),
    limit: Limit::Attempts(4),
};

const RELEASE: Patience = Patience {
    attempt: secs(5),
    first_interval: millis(100),
    longest_interval: mins(1),
    limit: Limit::For(days(3)),
};

/// Money is what customers forgive last.
const REFUND: Patience = Patience {
    attempt: secs(15),
    first_interval: millis(100),
    longest_interval: mins(5),
    limit: Limit::For(days(7)),
};

/// A parcel that is under way for longer is beyond recall, and the money waits behind it.
const CALL_BACK: Patience = Patience {
    attempt: secs(10),
    first_interval: millis(100),
    longest_interval: mins(1),
    limit: Limit::For(hours(6)),
};

/// What the `http` plugin answers of a request that went well.
#[derive(Debug, Deserialize)]
pub struct Response<T> {
    pub body: T,
}

#[derive(Debug, Deserialize)]
pub struct Reserved {
    /// How many more there are.
    pub left: u32,
}

#[derive(Debug, Deserialize)]
pub struct Charged {
    /// What the customer has left, in cents.
    pub balance: u64,
}

#[derive(Debug, Deserialize)]
pub struct Shipped {
    pub tracking: String,
}

/// Nothing to tell.
#[derive(Debug, Deserialize)]
pub struct Undone {}

/// A step's answer. When the run is to end, the step is given up; what it has done by then is undone.
pub async fn ask<T: DeserializeOwned>(step: Activity<Response<T>>) -> Result<T, Failure> {
    step.cancel_with_run().await.map(|response| response.body).map_err(in_its_own_words)
}

/// The plugin says which status was answered, and has the body among the details: the shop's own reason is the end of
/// the chain.
fn in_its_own_words(failure: Failure) -> Failure {
    #[derive(Deserialize)]
    struct Details {
        body: Refusal,
    }
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    match failure.details::<Details>() {
        Some(Details { body: Refusal { error } }) => failure.caused_by(Failure::new(error)),
        None => failure,
    }
}

/// The shop, for one order.
pub struct Shop<'a> {
    order: &'a Order,
}

impl<'a> Shop<'a> {
    pub fn new(order: &'a Order) -> Self {
        Self { order }
    }

    pub fn reserve(&self) -> Activity<Response<Reserved>> {
        #[derive(Serialize)]
        struct Goods<'a> {
            sku: &'a str,
            quantity: u32,
        }
        let Order { sku, quantity, .. } = self.order;
        self.put("reservations", Goods { sku, quantity: *quantity }, &RESERVE)
    }

    pub fn release(&self) -> Activity<Response<Undone>> {
        self.delete("reservations", &RELEASE)
    }

    pub fn charge(&self) -> Activity<Response<Charged>> {
        #[derive(Serialize)]
        struct Payment<'a> {
            customer: &'a str,
            cents: u64,
        }
        let Order { customer, cents, .. } = self.order;
        self.put("charges", Payment { customer, cents: *cents }, &CHARGE)
    }

    pub fn refund(&self) -> Activity<Response<Undone>> {
        self.delete("charges", &REFUND)
    }

    pub fn ship(&self) -> Activity<Response<Shipped>> {
        #[derive(Serialize)]
        struct Parcel {}
        self.put("shipments", Parcel {}, &SHIP)
    }

    pub fn call_back(&self) -> Activity<Response<Undone>> {
        self.delete("shipments", &CALL_BACK)
    }

    fn put<T: DeserializeOwned>(
        &self,
        what: &str,
        body: impl Serialize,
        patience: &Patience,
    ) -> Activity<Response<T>> {
        self.request("PUT", what, Some(body), patience)
    }

    fn delete(&self, what: &str, patience: &Patience) -> Activity<Response<Undone>> {
        self.request("DELETE", what, None::<()>, patience)
    }

    fn request<T: DeserializeOwned>(
        &self,
        method: &'static str,
        what: &str,
        body: Option<impl Serialize>,
        patience: &Patience,
    ) -> Activity<Response<T>> {
        #[derive(Serialize)]
        struct Request<B> {
            method: &'static str,
            url: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            body: Option<B>,
        }
        let Order { shop, number, .. } = self.order;
        let url = format!("{shop}/{what}/{number}");
        let retry = Retry::default()
            .initial_interval(patience.first_interval)
            .maximum_interval(patience.longest_interval);
        let request = activity("http.request", &Request { method, url, body })
            .start_to_close(patience.attempt)
            .summary(format!("{method} {what}"));
        match patience.limit {
            Limit::Attempts(attempts) => request.retry(retry.maximum_attempts(attempts)),
            Limit::For(time) => request.retry(retry).schedule_to_close(time),
        }
    }
}
