import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../testing/index.mjs";

const workflows = await load(new URL("./workflows/messages.ts", import.meta.url).pathname);

const env = () => workflows.env();
const echo = (input) => input;
const updates = ({ calls }) => calls.filter((call) => call.includes("update-"));

function failure(of) {
  try {
    of();
  } catch (failure) {
    return failure;
  }
  throw new Error("it did not fail");
}

test("updates are validated, accepted and completed in order and see what those before them did", () => {
  const asked = [1, 3, 2].reduce((env, n) => env.update("1s", "add", n), env());
  const ended = asked.update("2s", "add", 5).signal("3s", "done", 0).run("adds", false);
  assert.deepEqual(updates(ended), [
    "accept update-0",
    "complete update-0: 1",
    "accept update-1",
    "complete update-1: 4",
    "reject update-2: 2 is even, and the sum is 4",
    "accept update-3",
    "complete update-3: 9",
  ]);
  assert.equal(failure(() => ended.updateResult(2)).type, "Even");
  assert.deepEqual([ended.updateStage(2), ended.updateResult(3), ended.result()], ["rejected", 9, 9]);
});

test("an update that starts the run meets its handler", () => {
  const ended = env().update(0, "add", 1).signal("1s", "done", 0).run("adds", false);
  assert.deepEqual(ended.calls.slice(0, 3), ["wait", "accept update-0", "complete update-0: 1"]);
});

test("an update meets a handler that is set in the step that got it and not in a later one", () => {
  const ended = env().update("500ms", "slow", "early").update("1s", "slow", "in time").run("handles-late");
  assert.equal(failure(() => ended.updateResult(0)).type, "not-handled");
  assert.equal(ended.updateResult(1), "in time");
});

test("an update that fits no handler is rejected and says why", () => {
  const asked = env().update("1s", "multiply", 1).update("1s", "add", "one").update("1s", "add", 13);
  const ended = asked.signal("2s", "done", 0).run("adds", false);
  const unknown = failure(() => ended.updateResult(0));
  assert.deepEqual([unknown.kind, unknown.type], ["host", "not-handled"]);
  assert.equal(unknown.message, "the workflow takes no update `multiply` now; it takes add, slow");
  const bad = failure(() => ended.updateResult(1));
  assert.equal(bad.message, 'input of update `add`: invalid type: string "one", expected integer');
  assert.deepEqual([bad.nonRetryable, ended.updateStage(1)], [true, "rejected"]);
  assert.equal(failure(() => ended.updateResult(2)).message, "bad luck");
  assert.equal(ended.updateStage(2), "completed", "let in, and failed");
});

test("a workflow without handlers leaves updates to the host", () => {
  const ended = env().update("1s", "add", 1).update("2m", "add", 1).signal("2s", "done", 7).run("no-handlers");
  assert.deepEqual(updates(ended), []);
  assert.equal(failure(() => ended.updateResult(0)).type, "not-handled");
  assert.equal(ended.updateStage(1), "admitted");
});

test("handlers run side by side, and those that the end cuts off are warned of", () => {
  const warning = "WARN ended before handlers of update `slow` had finished count=2";
  for (const [waits, elapsed, log] of [[true, 6_000, []], [false, 2_000, [warning]]]) {
    const offers = env().activity("a", echo, { takes: "5s" }).activity("b", echo, { takes: "3s" });
    const asked = offers.update("1s", "slow", "a").update("1s", "slow", "b").signal("2s", "done", 0);
    const ended = asked.run("adds", waits);
    assert.equal(ended.elapsed, elapsed);
    assert.deepEqual(ended.log, log);
    if (waits) assert.equal(ended.updateResult(0), "a");
    else assert.equal(failure(() => ended.updateResult(0)).type, "run-ended");
  }
});

test("a workflow that waits for its handlers handles what came with the last wait", () => {
  const asked = () => env().signal("1s", "done", 0).update("1s", "add", 7);
  assert.equal(asked().run("adds", true).updateResult(0), 7);
  assert.equal(failure(() => asked().run("adds", false).updateResult(0)).type, "not-handled");
});

test("a handler knows its update and nobody else does", () => {
  const ended = env().update("1s", "who").update("1.5s", "who").run("knows-who-asks");
  assert.deepEqual([0, 1].map((index) => ended.updateResult(index)), ["who by update-0", "who by update-1"]);
  assert.equal(ended.result(), null);
});

test("a signal handler begins in the order of the signals, also of those before it", () => {
  for (const late of [0, 5]) {
    const told = env().signal("1s", "done", 3).signal("1s", "done", 1).signal("2s", "done", "nothing");
    const ended = told.run("handles-signals", late);
    assert.deepEqual(ended.result(), ["begin 3", "begin 1", "end 1", "end 3"], `${late}`);
    const passedOver = 'ERROR signal passed over: invalid type: string "nothing", expected integer signal=done';
    assert.deepEqual(ended.log, [passedOver]);
  }
});

test("a handler that fails leaves a line in the log", () => {
  const ended = env().signal("1s", "done", 7).run("fails-in-handler");
  assert.deepEqual(ended.log, ["ERROR handler of signal `done` failed: no 7"]);
});

test("a continue-as-new in the middle of handlers is warned of", () => {
  const ended = env().update("1s", "add", 1).update("1s", "slow", "a").signal("1s", "done", 1).run("cut-off");
  const warned = ["signal `done`", "update `slow`"];
  assert.deepEqual(ended.log, warned.map((what) => `WARN ended before handlers of ${what} had finished count=1`));
  assert.deepEqual([ended.updateResult(0), ended.updateStage(1)], [1, "accepted"]);
});

test("unread signals go to the next run in the order in which they came", () => {
  const told = () => env().signal("1s", "done", 1).signal("1s", "another", 2).signal("1s", "done", 3);
  const ended = told().run("goes-on", 0);
  const all = [["done", 1], ["another", 2], ["done", 3]].map(([name, input]) => ({ name, input }));
  assert.deepEqual(ended.next.unread, all);
  assert.deepEqual(ended.log, [], "nothing is lost");
  assert.deepEqual(told().run("goes-on", 1).next.unread, all.slice(1));
});

test("signals wait for their reader in order, and unread ones are warned of", () => {
  const told = [["1s", 1], ["2s", 2], ["20s", 3], ["20s", 4]].reduce((env, [at, n]) => env.signal(at, "done", n), env());
  const ended = told.run("counts");
  assert.deepEqual(ended.result(), [1, 2, 3]);
  assert.deepEqual(ended.log, ["WARN ended with unread signals signal=done count=1"]);
});

test("who waited first gets the first signal", () => {
  assert.deepEqual(env().signal("1s", "done", 1).signal("1s", "done", 2).run("two-readers").result(), [1, 2]);
});

test("a condition that comes true makes others true in the same step", () => {
  const ended = env().signal("2s", "done", 0).run("passes-a-token", 3);
  assert.deepEqual(ended.result(), ["Elapsed", 0, 1, 2]);
  assert.deepEqual(ended.calls, ["1 = timer 1s", "wait", "wait"]);
});

test("a condition is looked at once for each wait", () => {
  // A query comes to an instance that must not go on because of it.
  const ended = env().query("15s", "anything").run("looks");
  assert.equal(ended.result(), 7, "at the call, before the first wait, and after each of five");
});

test("queries see what the workflow knows while it waits and after its end", () => {
  const asked = env().query("500ms", "seen", 7).query("2s", "seen", 10).query("1m", "seen", 2);
  const ended = asked.query("2.5s", "rests").cancel("2.6s").query("2.7s", "rests").run("watched", 3);
  assert.equal(ended.result(), 3);
  assert.equal(ended.elapsed, 3_000);
  assert.deepEqual([0, 1, 4].map((index) => ended.answer(index)), [0, 10, 6]);
  assert.equal(failure(() => ended.answer(2)).type, "Never");
  assert.equal(ended.answer(3), "soon");
  const calls = ["1 = timer 1s", "wait", "2 = timer 1s", "wait", "3 = timer 1s", "wait", "wait"];
  assert.deepEqual(ended.calls, calls, "queries leave no trace; the last wait but one got the cancel request");
});

test("a query that cannot be answered fails alone", () => {
  const ended = env().query("1s", "colour").query("1s", "seen", "seven").run("watched", 3);
  assert.equal(ended.result(), 3);
  const unknown = "the workflow answers no query `colour`; it answers seen, rests";
  assert.equal(failure(() => ended.answer(0)).message, unknown);
  assert.match(failure(() => ended.answer(1)).message, /^input of query `seen`: invalid type: string/);
  const unserved = env().signal("1s", "done", 1).query("1m", "seen", 1).run("no-handlers");
  assert.equal(failure(() => unserved.answer(0)).type, "not-served");
});

test("a handler that changes something or has a bug fails its query alone", () => {
  const asked = ["timer", "activity", "luck", "promise"].reduce((env, how) => env.query("1s", "bad", how), env());
  const ended = asked.activity("a", echo).run("misbehaves");
  assert.equal(ended.result(), "went on");
  assert.deepEqual(ended.calls, ["1 = timer 3s", "wait"]);
  const told = [0, 1, 2, 3].map((index) => failure(() => ended.answer(index)));
  const types = ["query-tried-to-change", "query-tried-to-change", "query-failed", "query-failed"];
  assert.deepEqual(told.map(({ type }) => type), types);
  assert.match(told[2].message, /^the workflow's code trapped: Error: bad: luck/);
  assert.match(told[3].message, /is asynchronous/);
});

test("describe tells names, documentation and schemas of workflows and messages", () => {
  const { sdk, workflows: all } = workflows.describe();
  assert.equal(sdk, "refrain-sdk for JavaScript 0.1.0");
  const adds = all.find(({ name }) => name === "adds");
  assert.equal(adds.inputSchema, '{"type":"boolean"}');
  assert.deepEqual([adds.outputSchema, adds.onTrap], [null, "park"]);
  const add = { name: "add", doc: "Adds to the sum.", inputSchema: '{"type":"integer"}', outputSchema: '{"type":"integer"}' };
  assert.equal(JSON.stringify(adds.updates[0]), JSON.stringify(add));
  const done = { name: "done", doc: "It is done.", inputSchema: '{"type":"integer"}', outputSchema: null };
  assert.equal(JSON.stringify(adds.signals), JSON.stringify([done]));
});
