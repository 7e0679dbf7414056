//! Updates that are answered when a test wants them to be.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use refrain_sdk::{Failure, Signal, Update, all_handlers_finished, info, wait_condition, workflow};

const TAKE: Update<String, usize> =
    Update::new("take").doc("Takes a number for somebody, and is answered with it once the desk is open.");
const OPEN: Signal<()> =
    Signal::new("open").doc("Opens the desk: whoever has a number gets it, and it is over.");

/// Gives a number to each who has a name, and holds the answers back until the desk is open. Returns who took numbers.
#[workflow(updates(TAKE), signals(OPEN))]
pub async fn desk() -> Result<Vec<String>, Failure> {
    let (taken, open) = (Rc::<RefCell<Vec<String>>>::default(), Rc::new(Cell::new(false)));
    let (names, opened) = (taken.clone(), open.clone());
    TAKE.handle_validated(
        |name| match name.as_str() {
            "" => Err(Failure::typed("Nameless", "say who takes the number")),
            _ => Ok(()),
        },
        async move |name| {
            info!("{name} takes a number");
            names.borrow_mut().push(name);
            let number = names.borrow().len();
            wait_condition(|| opened.get()).await;
            Ok(number)
        },
    );
    OPEN.recv().await;
    open.set(true);
    wait_condition(all_handlers_finished).await;
    Ok(taken.take())
}
