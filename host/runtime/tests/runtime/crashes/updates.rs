//! Stops in the middle of updates: who waits for one gets one answer.

use super::*;

/// What became of an update, as a client of a host that may fail sees it.
async fn answer_to(host: &Host, id: &str, update_id: &str) -> Result<String, Error> {
    let progress = host.update_progress(id, update_id, WaitStage::Completed, A_DAY).await?;
    assert!(progress.reached || !host.is_sound(), "{update_id} hangs: {progress:?}");
    if progress.reached { Ok(told(&progress)) } else { Err(Error::ShuttingDown) }
}

#[test]
fn updates() {
    let clients = |_: &World| -> Lasting {
        let heard = Arc::new(Mutex::new(BTreeMap::new()));
        Box::new(move |host| {
            let heard = Arc::clone(&heard);
            Box::pin(async move {
                host.try_start("counter", "c", "0").await?;
                let updates = [("a", "add", 1), ("r", "refuse", 0), ("i", "ignored", 0), ("l", "later", 50)];
                for (id, name, input) in updates.into_iter().chain([("b", "add", 2), ("f", "fail", 0)]) {
                    host.update("c", send(id, name, input)).await?;
                    let admitted = host.update_progress("c", id, WaitStage::Admitted, A_DAY).await?;
                    assert!(admitted.reached, "what was acknowledged is there");
                }
                for id in ["a", "r", "i", "l", "b", "f"] {
                    let answer = answer_to(&host, "c", id).await?;
                    let before = heard.lock().unwrap().insert(id, answer.clone());
                    assert!(before.is_none_or(|before| before == answer), "{id} has another answer now");
                }
                host.update("c", send("end", "end", 0)).await?;
                assert_eq!(answer_to(&host, "c", "end").await?, "3");
                ended(&host, "c").await
            })
        })
    };
    sweep_with(counter, &clients, 1, &json(3));
}

#[test]
fn updates_to_runs_that_are_continued() {
    fn workflows(world: &World) {
        ends(world, OnTrap::Park);
    }
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("ends", "e", r#""renew""#).await?;
            for id in ["accepted", "admitted"] {
                host.update("e", send(id, "u", 0)).await?;
                host.settle().await;
            }
            for (id, how) in [("accepted", "continued-as-new"), ("admitted", "completed")] {
                let answer = answer_to(&host, "e", id).await?;
                assert_eq!(answer, format!("{RUN_ENDED} ({how}) before the update was completed"), "{id}");
            }
            ended(&host, "e").await
        })
    };
    sweep(workflows, client, 1, &json(0));
}

#[test]
fn updates_with_starts() {
    let client: Client = |host| {
        Box::pin(async move {
            for (id, name) in [("one", "add"), ("two", "add"), ("end", "end")] {
                host.start_with("counter", "c", with_update(send(id, name, 2))).await?;
                answer_to(&host, "c", id).await?;
            }
            ended(&host, "c").await
        })
    };
    sweep(counter, client, 1, &json(4));
}
