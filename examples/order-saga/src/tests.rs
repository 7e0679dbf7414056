//! The workflow against a shop that is a list of what it was asked, and refuses what it is told to.

use std::cell::RefCell;
use std::rc::Rc;

use refrain_sdk::testing::{Ended, Env};
use refrain_sdk::{Compensated, Compensations, Failure, secs};
use serde::{Deserialize, Serialize};

use super::{Receipt, order};

/// What the shop was asked: `PUT charges`.
type Asked = Rc<RefCell<Vec<String>>>;

#[derive(Deserialize)]
struct Request {
    method: String,
    url: String,
}

#[derive(Serialize)]
struct Response {
    status: u16,
    body: Body,
}

/// The answers to all requests in one.
#[derive(Serialize)]
struct Body {
    left: u32,
    balance: u64,
    tracking: &'static str,
}

/// The details of a request that was refused.
#[derive(Serialize)]
struct Refused {
    status: u16,
    body: Reason,
}

#[derive(Serialize)]
struct Reason {
    error: &'static str,
}

#[derive(Serialize)]
struct Input {
    number: &'static str,
    customer: &'static str,
    sku: &'static str,
    quantity: u32,
    cents: u64,
    shop: &'static str,
}

const INPUT: Input =
    Input { number: "7", customer: "Ada", sku: "teapot", quantity: 2, cents: 4_200, shop: "http://shop" };

/// A shop that answers each request after a second and refuses some, as the plugin would say it.
fn shop(asked: &Asked, refused: &'static [&'static str]) -> Env {
    let asked = asked.clone();
    Env::new().slow_activity("http.request", secs(1), move |request: Request| {
        let path = request.url.strip_prefix("http://shop/").and_then(|path| path.strip_suffix("/7"));
        let request = format!("{} {}", request.method, path.expect("a path of this order"));
        let is_refused = refused.contains(&request.as_str());
        asked.borrow_mut().push(request);
        if is_refused {
            let details = Refused { status: 409, body: Reason { error: "the shop does not want to" } };
            return Err(Failure::typed("HttpStatus", "the answer is 409")
                .non_retryable()
                .with_details(&details));
        }
        Ok(Response { status: 200, body: Body { left: 5, balance: 100, tracking: "parcel-7" } })
    })
}

/// How the run ended, and what the shop was asked.
fn run(refused: &'static [&'static str]) -> (Ended, Vec<String>) {
    let asked = Asked::default();
    let ended = shop(&asked, refused).run::<order>(&INPUT);
    let asked = asked.borrow().clone();
    (ended, asked)
}

fn compensations(failure: &Failure) -> Vec<Compensated> {
    failure.details::<Compensations>().expect("the compensations are told").compensations
}

#[test]
fn an_order_that_goes_well_undoes_nothing() {
    let (ended, asked) = run(&[]);
    let receipt = Receipt { number: "7".to_owned(), cents: 4_200, tracking: "parcel-7".to_owned() };
    assert_eq!(ended.result::<Receipt>().unwrap(), receipt);
    assert_eq!(asked, ["PUT reservations", "PUT charges", "PUT shipments"]);
}

#[test]
fn a_step_that_fails_is_undone_with_all_before_it_the_last_one_first() {
    let cases: [(&[&str], &str, &[&str]); 3] = [
        (&["PUT reservations"], "reserve the goods", &["reservations"]),
        (&["PUT charges"], "charge the customer", &["charges", "reservations"]),
        (&["PUT shipments"], "ship the goods", &["shipments", "charges", "reservations"]),
    ];
    for (refused, doing, undone) in cases {
        let (ended, asked) = run(refused);
        let failure = ended.result::<Receipt>().unwrap_err();
        assert_eq!(
            failure.to_string(),
            format!("order `7`: {doing}: the answer is 409: the shop does not want to")
        );
        assert!(compensations(&failure).iter().all(|one| one.failure.is_none()), "{failure}");
        let deleted: Vec<_> = asked.iter().filter_map(|request| request.strip_prefix("DELETE ")).collect();
        assert_eq!(deleted, undone);
    }
}

#[test]
fn a_compensation_that_fails_is_told_and_keeps_no_other_from_running() {
    let (ended, asked) = run(&["PUT shipments", "DELETE charges"]);
    let failure = ended.result::<Receipt>().unwrap_err();
    let whole = "order `7` (1 of 3 compensations failed: refund the customer): ship the goods: the answer is 409: the shop does not want to";
    assert_eq!(failure.to_string(), whole);
    let compensations = compensations(&failure);
    let told: Vec<_> = compensations.iter().map(|one| (one.undo.as_str(), one.failure.as_deref())).collect();
    let expected = [
        ("call the parcel back", None),
        ("refund the customer", Some("the answer is 409")),
        ("release the goods", None),
    ];
    assert_eq!(told, expected);
    assert_eq!(asked.last().map(String::as_str), Some("DELETE reservations"));
}

#[test]
fn an_order_that_is_canceled_midway_is_undone() {
    let asked = Asked::default();
    let ended = shop(&asked, &[]).cancel(secs(1) + secs(1) / 2, "changed my mind").run::<order>(&INPUT);
    assert!(ended.is_canceled());
    // It was being charged, so that nobody knows whether it was.
    let expected = ["PUT reservations", "PUT charges", "DELETE charges", "DELETE reservations"];
    assert_eq!(*asked.borrow(), expected);
}
