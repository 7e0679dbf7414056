//! What each language goes through, on one host and with one upload: compiling a large component takes its time.

use anyhow::{Context, Result, ensure};
use refrain_tests::{Client, Host};
use tokio::task::JoinSet;

use crate::component::Tongue;
use crate::expected;
use crate::play::{Play, Until};
use crate::scenarios::{SAGA, SCENARIOS, Scenario};

/// No instance stays in memory while it waits: all that comes finds the run by replay.
const EVICTS_AT_ONCE: &str = "[runtime]\nidle_timeout = \"0s\"\n";

/// All rounds of a language.
pub(crate) async fn all(tongue: Tongue) -> Result<()> {
    let Some(component) = tongue.component()? else { return Ok(()) };
    let mut host = Host::start().await?;
    let client = host.client();
    client.upload("suite", component).await?;
    describes_itself(&client).await?;
    undisturbed(tongue, &client).await.context("undisturbed")?;
    killed(tongue, &mut host).await.context("killed in the middle")?;
    swept(tongue, &mut host).await.context("killed at each turn")
}

/// Says what it offers, with words and schemas for people.
async fn describes_itself(client: &Client) -> Result<()> {
    let version = client.get("/v1/components/suite/versions/1").await?.ok()?;
    ensure!(
        version["sdk"].as_str().is_some_and(|sdk| sdk.starts_with("refrain-sdk for ")),
        "{}",
        version["sdk"]
    );
    let workflows = version["workflows"].as_array().context("no workflows")?;
    for scenario in SCENARIOS {
        let workflow = workflows.iter().find(|workflow| workflow["name"] == scenario.workflow);
        let workflow = workflow.with_context(|| format!("there is no workflow {}", scenario.workflow))?;
        ensure!(
            workflow["doc"].as_str().is_some_and(|doc| !doc.is_empty()),
            "nobody says what this is: {workflow}"
        );
        ensure!(workflow["input_schema"].is_object(), "{workflow}");
    }
    let names = |workflow: &str, kind: &str| -> Vec<&str> {
        let workflow = workflows.iter().find(|known| known["name"] == workflow);
        let messages = workflow.and_then(|workflow| workflow[kind].as_array());
        messages.into_iter().flatten().filter_map(|message| message["name"].as_str()).collect()
    };
    for (workflow, kind, expected) in [
        ("select", "signals", &["go"][..]),
        ("query", "signals", &["add", "finish"]),
        ("query", "queries", &["total"]),
        ("update", "updates", &["add"]),
        ("sequence", "signals", &[]),
    ] {
        ensure!(names(workflow, kind) == expected, "{kind} of {workflow}: {:?}", names(workflow, kind));
    }
    Ok(())
}

/// All scenarios, at once.
async fn undisturbed(tongue: Tongue, client: &Client) -> Result<()> {
    let plays = begin(client, "", |_| true).await?;
    together(plays.into_iter().map(|mut play| async move {
        play.go_on(Until::End).await?;
        let transcript = play.transcript().await?;
        expected::bless(tongue, play.scenario.name, &transcript)?;
        expected::check(tongue, play.scenario.name, &transcript)
    }))
    .await?;
    Ok(())
}

/// All scenarios, with one kill in the middle of all that have one.
async fn killed(tongue: Tongue, host: &mut Host) -> Result<()> {
    let client = host.client();
    let mut plays = begin(&client, "-killed", |scenario| !scenario.hurries).await?;
    plays.extend(begin(&client, "-killed", |scenario| scenario.hurries).await?);
    host.kill9().await?;
    host.configure(EVICTS_AT_ONCE)?;
    host.restart().await?;
    together(plays.into_iter().map(|mut play| async move {
        let had_middle = play.is_in_its_middle();
        play.go_on(Until::End).await?;
        expected::check(tongue, play.scenario.name, &play.transcript().await?)?;
        let lives = play.lives().await?;
        ensure!(lives == 1 + usize::from(had_middle), "it has events of {lives} lives of the host");
        Ok(())
    }))
    .await?;
    Ok(())
}

/// One run, with a kill after each task that is taken and after each that is ended.
async fn swept(tongue: Tongue, host: &mut Host) -> Result<()> {
    let saga = SCENARIOS.into_iter().find(|scenario| scenario.moves == SAGA).context("there is no saga")?;
    let mut play = Play::begin(&host.client(), saga, "saga-swept".to_owned()).await?;
    while play.go_on(Until::Turn).await? {
        host.kill9().await?;
        host.restart().await?;
    }
    expected::check(tongue, saga.name, &play.transcript().await?)
}

/// Starts runs of some scenarios, and plays each up to its middle, or to its end if it has none.
pub(crate) async fn begin(
    client: &Client,
    suffix: &str,
    which: impl Fn(&Scenario) -> bool,
) -> Result<Vec<Play>> {
    together(SCENARIOS.into_iter().filter(which).map(|scenario| {
        let (client, id) = (client.clone(), format!("{}{suffix}", scenario.name));
        async move {
            let mut play = Play::begin(&client, scenario, id).await?;
            play.go_on(Until::Middle).await?;
            Ok(play)
        }
    }))
    .await
}

/// Does everything at once, and tells of all that fails.
async fn together<T, F>(tasks: impl Iterator<Item = F>) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut set: JoinSet<Result<T>> = tasks.collect();
    let (mut done, mut failures) = (Vec::new(), Vec::new());
    while let Some(task) = set.join_next().await {
        match task? {
            Ok(value) => done.push(value),
            Err(failure) => failures.push(format!("{failure:#}")),
        }
    }
    failures.sort();
    ensure!(failures.is_empty(), "{} scenarios fail:\n{}", failures.len(), failures.join("\n"));
    Ok(done)
}
