//! What each language goes through, on one host and with one upload: compiling a large component takes its time.

use anyhow::{Context, Result, ensure};
use refrain_tests::{Client, Host};

use crate::component::Tongue;
use crate::cross;
use crate::expected;
use crate::play::{Play, Until};
use crate::report::Report;
use crate::scenarios::{SAGA, SCENARIOS, Scenario};

/// No instance stays in memory while it waits: all that comes finds the run by replay.
const EVICTS_AT_ONCE: &str = "[runtime]\nidle_timeout = \"0s\"\n";

/// All rounds of a language.
pub(crate) async fn all(tongue: Tongue) -> Result<()> {
    let Some(component) = tongue.component()? else { return Ok(()) };
    let mut host = Host::start().await?;
    let client = host.client();
    let compiled = component.clone();
    let upload = upload(&client, component);
    let reference = if tongue == Tongue::Rust { None } else { Tongue::Rust.component()? };
    let taken_over = match reference {
        Some(reference) => {
            // Compiled beforehand: tasks that are in hand meanwhile have ten seconds.
            self::upload(&client, compiled).await?;
            self::upload(&client, reference).await?;
            cross::taken_over(tongue, &client, upload).await
        }
        None => upload.await.map(drop),
    };
    // One that fails hides nothing of the others.
    let outcomes = [
        taken_over,
        undisturbed(tongue, &client).await,
        killed(tongue, &mut host).await,
        swept(tongue, &mut host).await,
    ];
    let failures: Vec<String> =
        outcomes.into_iter().filter_map(Result::err).map(|failure| format!("{failure:#}")).collect();
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// Makes a component the current version; its number.
async fn upload(client: &Client, component: Vec<u8>) -> Result<u64> {
    let uploaded = client.upload("suite", component).await?;
    let version = uploaded["version"].as_u64().context("an upload has no version")?;
    describes_itself(client, version).await?;
    Ok(version)
}

/// Says what it offers, with words and schemas for people.
async fn describes_itself(client: &Client, version: u64) -> Result<()> {
    let version = client.get(&format!("/v1/components/suite/versions/{version}")).await?.ok()?;
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
    let mut report = Report::new(tongue, "undisturbed");
    let plays = SCENARIOS.into_iter().map(|scenario| {
        let client = client.clone();
        let play = async move {
            let mut play = Play::begin(&client, scenario, scenario.name.to_owned()).await?;
            play.go_on(Until::End).await?;
            let transcript = play.transcript().await?;
            expected::bless(tongue, scenario.name, &transcript)?;
            expected::check(tongue, scenario.name, &transcript)
        };
        (scenario.name, play)
    });
    report.passed_all(plays).await?;
    report.end()
}

/// All scenarios, with one kill in the middle of all that have one.
async fn killed(tongue: Tongue, host: &mut Host) -> Result<()> {
    let client = host.client();
    let mut report = Report::new(tongue, "killed");
    let patient = |scenario: &Scenario| !scenario.hurries;
    let mut plays = begin(&mut report, &client, "-killed", Until::Middle, patient).await?;
    plays.extend(begin(&mut report, &client, "-killed", Until::Middle, |scenario| scenario.hurries).await?);
    host.kill9().await?;
    host.configure(EVICTS_AT_ONCE)?;
    host.restart().await?;
    let plays = plays.into_iter().map(|mut play| {
        let scenario = play.scenario.name;
        let play = async move {
            let had_middle = play.is_under_way();
            play.go_on(Until::End).await?;
            expected::check(tongue, scenario, &play.transcript().await?)?;
            let lives = play.lives().await?;
            ensure!(lives == 1 + usize::from(had_middle), "it has events of {lives} lives of the host");
            Ok(())
        };
        (scenario, play)
    });
    report.passed_all(plays).await?;
    report.end()
}

/// One run, with a kill after each task that is taken and after each that is ended.
async fn swept(tongue: Tongue, host: &mut Host) -> Result<()> {
    let mut report = Report::new(tongue, "swept");
    let saga = SCENARIOS.into_iter().find(|scenario| scenario.moves == SAGA).context("there is no saga")?;
    let sweep = async {
        let mut play = Play::begin(&host.client(), saga, "saga-swept".to_owned()).await?;
        while play.go_on(Until::Turn).await? {
            host.kill9().await?;
            host.restart().await?;
        }
        expected::check(tongue, saga.name, &play.transcript().await?)
    };
    report.passed(saga.name, &sweep.await);
    report.end()
}

/// Starts runs of some scenarios, and plays each up to there, or to its end.
pub(crate) async fn begin(
    report: &mut Report,
    client: &Client,
    suffix: &str,
    until: Until,
    which: impl Fn(&Scenario) -> bool,
) -> Result<Vec<Play>> {
    let plays = SCENARIOS.into_iter().filter(which).map(|scenario| {
        let (client, id) = (client.clone(), format!("{}{suffix}", scenario.name));
        let play = async move {
            let mut play = Play::begin(&client, scenario, id).await?;
            play.go_on(until).await?;
            Ok(play)
        };
        (scenario.name, play)
    });
    report.together(plays).await
}
