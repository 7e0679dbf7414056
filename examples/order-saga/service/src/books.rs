//! The shop's books: what was reserved, charged and shipped for each order, and what that did to stock and accounts.
//!
//! Knows nothing of HTTP but the numbers by which it says no. Each change is made once for its idempotency key:
//! whoever repeats a request is told again what the first was told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Where the money of charges goes.
const TILL: &str = "till";

/// What is done for an order, or undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    Reserve,
    Release,
    Charge,
    Refund,
    Ship,
    CallBack,
}

/// A step with what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Reserve(Goods),
    Release,
    Charge(Payment),
    Refund,
    Ship,
    CallBack,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Goods {
    sku: String,
    quantity: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payment {
    customer: String,
    cents: u64,
}

/// Why not. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// As HTTP numbers it.
    pub(crate) status: u16,
    pub(crate) why: String,
}

/// Of one sort of goods, how many are where. Their sum never changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct Stock {
    available: u32,
    reserved: u32,
    shipped: u32,
}

/// What has become of one side of an order.
#[derive(Debug, Default)]
enum Side<T> {
    #[default]
    Untouched,
    Done(T),
    /// For ever: a request that was given up and undone may still be under way, and must find that it is too late.
    Undone,
}

#[derive(Debug, Default)]
struct Order {
    goods: Side<Goods>,
    payment: Side<Payment>,
    parcel: Side<()>,
}

/// A change of the books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Effect {
    order: String,
    step: Step,
    key: String,
}

/// A request that went well, by its idempotency key.
#[derive(Debug)]
struct Answered {
    order: String,
    request: Request,
    answer: Value,
}

/// All that the shop knows.
#[derive(Debug)]
pub(crate) struct Books {
    stock: BTreeMap<String, Stock>,
    /// Cents by customer, and those in the till. Their sum never changes.
    accounts: BTreeMap<String, u64>,
    orders: BTreeMap<String, Order>,
    answered: BTreeMap<String, Answered>,
    effects: Vec<Effect>,
}

impl Request {
    pub(crate) fn step(&self) -> Step {
        match self {
            Self::Reserve(_) => Step::Reserve,
            Self::Release => Step::Release,
            Self::Charge(_) => Step::Charge,
            Self::Refund => Step::Refund,
            Self::Ship => Step::Ship,
            Self::CallBack => Step::CallBack,
        }
    }
}

impl Refusal {
    pub(crate) fn new(status: u16, why: impl Into<String>) -> Self {
        Self { status, why: why.into() }
    }
}

impl Books {
    /// The books of a shop that has these goods, and customers with so many cents.
    pub(crate) fn open(stock: &[(&str, u32)], customers: &[(&str, u64)]) -> Self {
        let shelf = |available: u32| Stock { available, ..Stock::default() };
        let accounts = customers.iter().chain([&(TILL, 0)]);
        Self {
            stock: stock.iter().map(|(sku, count)| ((*sku).to_owned(), shelf(*count))).collect(),
            accounts: accounts.map(|(customer, cents)| ((*customer).to_owned(), *cents)).collect(),
            orders: BTreeMap::new(),
            answered: BTreeMap::new(),
            effects: Vec::new(),
        }
    }

    /// Does what is asked, unless it was done under this key before.
    pub(crate) fn handle(&mut self, key: &str, number: &str, request: Request) -> Result<Value, Refusal> {
        if let Some(before) = self.answered.get(key) {
            if before.order != number || before.request != request {
                return Err(Refusal::new(
                    422,
                    format!("the idempotency key `{key}` was used for another request"),
                ));
            }
            return Ok(before.answer.clone());
        }
        let order = self.orders.entry(number.to_owned()).or_default();
        let (changed, answer) = match &request {
            Request::Reserve(goods) => order.reserve(goods, &mut self.stock)?,
            Request::Release => order.release(&mut self.stock)?,
            Request::Charge(payment) => order.charge(payment, &mut self.accounts)?,
            Request::Refund => order.refund(&mut self.accounts)?,
            Request::Ship => order.ship(number, &mut self.stock)?,
            Request::CallBack => order.call_back(&mut self.stock)?,
        };
        if changed {
            let (order, step, key) = (number.to_owned(), request.step(), key.to_owned());
            self.effects.push(Effect { order, step, key });
        }
        let answered = Answered { order: number.to_owned(), request, answer: answer.clone() };
        self.answered.insert(key.to_owned(), answered);
        Ok(answer)
    }

    /// Everything there is to know, for those who check it.
    pub(crate) fn ledger(&self) -> Value {
        json!({ "stock": self.stock, "accounts": self.accounts, "effects": self.effects })
    }
}

/// Whether the books changed, and what the customer is told.
type Outcome = Result<(bool, Value), Refusal>;

impl Order {
    fn reserve(&mut self, goods: &Goods, stock: &mut BTreeMap<String, Stock>) -> Outcome {
        self.goods.check_untouched("reserved")?;
        let Goods { sku, quantity } = goods;
        let stock = stock.get_mut(sku).ok_or_else(|| Refusal::new(404, format!("there is no `{sku}`")))?;
        let left = stock.available.checked_sub(*quantity);
        let Some(left) = left else {
            let why = format!("{quantity} of `{sku}` are wanted, and {} are there", stock.available);
            return Err(Refusal::new(409, why));
        };
        stock.available = left;
        stock.reserved += quantity;
        self.goods = Side::Done(goods.clone());
        Ok((true, json!({ "left": left })))
    }

    fn release(&mut self, stock: &mut BTreeMap<String, Stock>) -> Outcome {
        if let Side::Done(()) = self.parcel {
            return Err(Refusal::new(409, "the goods were shipped: call the parcel back first"));
        }
        let Some(goods) = self.goods.undo() else { return Ok((false, json!({}))) };
        let stock = stock.entry(goods.sku).or_default();
        stock.reserved -= goods.quantity;
        stock.available += goods.quantity;
        Ok((true, json!({})))
    }

    fn charge(&mut self, payment: &Payment, accounts: &mut BTreeMap<String, u64>) -> Outcome {
        self.payment.check_untouched("charged")?;
        let Payment { customer, cents } = payment;
        let no_such = || Refusal::new(404, format!("there is no customer `{customer}`"));
        let account = accounts.get_mut(customer).ok_or_else(no_such)?;
        let Some(balance) = account.checked_sub(*cents) else {
            let why = format!("the card of `{customer}` was declined: {cents} cents are more than it has");
            return Err(Refusal::new(402, why));
        };
        *account = balance;
        *accounts.entry(TILL.to_owned()).or_default() += cents;
        self.payment = Side::Done(payment.clone());
        Ok((true, json!({ "balance": balance })))
    }

    fn refund(&mut self, accounts: &mut BTreeMap<String, u64>) -> Outcome {
        let Some(payment) = self.payment.undo() else { return Ok((false, json!({}))) };
        *accounts.entry(TILL.to_owned()).or_default() -= payment.cents;
        *accounts.entry(payment.customer).or_default() += payment.cents;
        Ok((true, json!({})))
    }

    fn ship(&mut self, number: &str, stock: &mut BTreeMap<String, Stock>) -> Outcome {
        self.parcel.check_untouched("shipped")?;
        let (Side::Done(goods), Side::Done(_)) = (&self.goods, &self.payment) else {
            return Err(Refusal::new(409, format!("order `{number}` is not both reserved and paid")));
        };
        let stock = stock.entry(goods.sku.clone()).or_default();
        stock.reserved -= goods.quantity;
        stock.shipped += goods.quantity;
        self.parcel = Side::Done(());
        Ok((true, json!({ "tracking": format!("parcel-{number}") })))
    }

    fn call_back(&mut self, stock: &mut BTreeMap<String, Stock>) -> Outcome {
        if self.parcel.undo().is_none() {
            return Ok((false, json!({})));
        }
        if let Side::Done(goods) = &self.goods {
            let stock = stock.entry(goods.sku.clone()).or_default();
            stock.shipped -= goods.quantity;
            stock.reserved += goods.quantity;
        }
        Ok((true, json!({})))
    }
}

impl<T> Side<T> {
    /// `done` says in one word what would be done.
    fn check_untouched(&self, done: &str) -> Result<(), Refusal> {
        match self {
            Self::Untouched => Ok(()),
            Self::Done(_) => {
                Err(Refusal::new(409, format!("the order is {done}, under another idempotency key")))
            }
            Self::Undone => {
                Err(Refusal::new(410, format!("too late to be {done}: the order was called off")))
            }
        }
    }

    /// What there was to undo.
    fn undo(&mut self) -> Option<T> {
        match std::mem::replace(self, Self::Undone) {
            Self::Done(done) => Some(done),
            Self::Untouched | Self::Undone => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn books() -> Books {
        Books::open(&[("teapot", 10)], &[("Ada", 1_000)])
    }

    fn reserve(quantity: u32) -> Request {
        Request::Reserve(Goods { sku: "teapot".to_owned(), quantity })
    }

    fn charge(cents: u64) -> Request {
        Request::Charge(Payment { customer: "Ada".to_owned(), cents })
    }

    /// Stock (available, reserved, shipped) and accounts (Ada, till).
    fn state(books: &Books) -> ([u32; 3], [u64; 2]) {
        let Stock { available, reserved, shipped } = books.stock["teapot"];
        ([available, reserved, shipped], [books.accounts["Ada"], books.accounts[TILL]])
    }

    #[test]
    fn each_step_moves_goods_or_money_and_its_undoing_moves_them_back() {
        let mut books = books();
        let steps = [
            (reserve(3), ([7, 3, 0], [1_000, 0])),
            (charge(400), ([7, 3, 0], [600, 400])),
            (Request::Ship, ([7, 0, 3], [600, 400])),
            (Request::CallBack, ([7, 3, 0], [600, 400])),
            (Request::Refund, ([7, 3, 0], [1_000, 0])),
            (Request::Release, ([10, 0, 0], [1_000, 0])),
        ];
        for (key, (request, expected)) in steps.into_iter().enumerate() {
            books.handle(&key.to_string(), "7", request.clone()).unwrap();
            assert_eq!(state(&books), expected, "{request:?}");
        }
        assert_eq!(books.effects.len(), 6);
    }

    #[test]
    fn a_repeated_request_has_one_effect_and_one_answer() {
        let mut books = books();
        let first = books.handle("key", "7", reserve(3)).unwrap();
        assert_eq!(books.handle("key", "7", reserve(3)).unwrap(), first);
        assert_eq!((state(&books).0, books.effects.len()), ([7, 3, 0], 1));
        for (order, request) in [("8", reserve(3)), ("7", reserve(4)), ("7", Request::Release)] {
            assert_eq!(books.handle("key", order, request).unwrap_err().status, 422);
        }
        assert_eq!(books.handle("other", "7", reserve(3)).unwrap_err().status, 409);
    }

    #[test]
    fn what_was_undone_before_it_came_never_happens() {
        let mut books = books();
        assert_eq!(books.handle("1", "7", Request::Refund), Ok(json!({})));
        assert_eq!(books.handle("2", "7", charge(400)).unwrap_err().status, 410);
        assert_eq!((state(&books).1, books.effects.len()), ([1_000, 0], 0));
    }

    #[test]
    fn what_cannot_be_is_refused_and_changes_nothing() {
        let mut books = books();
        for (request, status) in [(reserve(11), 409), (charge(1_001), 402), (Request::Ship, 409)] {
            assert_eq!(books.handle("key", "7", request).unwrap_err().status, status);
        }
        assert_eq!((state(&books), books.effects.len()), (([10, 0, 0], [1_000, 0]), 0));
        books.handle("1", "7", reserve(1)).unwrap();
        books.handle("2", "7", charge(1)).unwrap();
        books.handle("3", "7", Request::Ship).unwrap();
        assert_eq!(books.handle("4", "7", Request::Release).unwrap_err().status, 409);
    }
}
