import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../testing/index.mjs";

const workflows = await load(new URL("./workflows/timing.ts", import.meta.url).pathname);

const echo = (input) => input;
const env = () => workflows.env();

test("select takes what happened first", () => {
  for (const [limit, expected, last] of [[4, null, "wait"], [5, null, "wait"], [6, 7, "detach 1"]]) {
    // At 5 one wait brings both; the signal was said first, and so comes first.
    const ended = env().signal("5s", "done", 7).run("done-or-late", limit);
    assert.equal(ended.result(), limit === 5 ? 7 : expected, `${limit}`);
    assert.equal(ended.calls.at(-1), last, `${limit}`);
  }
});

test("a timer that lost is canceled and detached", () => {
  const ended = env().signal("1s", "done", 7).run("done-or-late", 60);
  assert.deepEqual(ended.calls, ["1 = timer 60s", "wait", "cancel 1", "detach 1"]);
});

test("what is waited for deep in the code is seen as soon as what is not", () => {
  for (const [first, second] of [["deep", "shallow"], ["shallow", "deep"]]) {
    // The shorter one began last where it is the shallow one; both end in one wait, in the order of their ends.
    const ended = env().activity(first, echo, { takes: "1s" }).activity(second, echo, { takes: "2s" });
    assert.equal(ended.run("deep-and-shallow").result(), first);
  }
});

test("of what is ready from the start the uppermost wins, and a receiver that lost takes no signal", () => {
  const ended = env().signal("1s", "done", 7).run("selects-ready");
  assert.deepEqual(ended.result(), ["ready", 7]);
});

test("what is kept is not given up by who has lost", () => {
  const ended = env().signal("1s", "done", 1).signal("5s", "done", 0).run("reminds");
  assert.equal(ended.result(), 2);
  const calls = ["1 = timer 2s", "wait", "wait", "2 = timer 2s", "wait", "3 = timer 2s", "wait"];
  assert.deepEqual(ended.calls, calls, "the last one is the host's to end");
});

test("a timeout leaves what it was lent to be canceled", () => {
  const slow = (takes) => env().activity("slow", echo, { takes }).run("impatient");
  const ended = slow("5s");
  assert.equal(ended.failure.message, "nothing came within 2s: too slow");
  assert.deepEqual(ended.calls, ['1 = activity slow "slow"', "2 = timer 2s", "wait", "cancel 1", "wait"]);
  const quick = slow("1s");
  assert.equal(quick.result(), "slow");
  assert.deepEqual(quick.calls.slice(2), ["wait", "cancel 2", "detach 2"]);
});

test("a function that is out of time is given up with all that it waits for, and its blocks run", () => {
  const ended = env().activity("work", echo, { takes: "9s" }).run("nested");
  assert.deepEqual(ended.result(), [
    "outer nothing came within 1s",
    "inner out of time",
    "then out of time",
    "finally",
  ]);
  assert.deepEqual(ended.calls, [
    "1 = timer 1s",
    "2 = timer 5s",
    '3 = activity work "work"',
    "4 = timer 86400s",
    "wait",
    "detach 3",
    "cancel 4",
    "detach 4",
    "cancel 2",
    "detach 2",
    "5 = timer 1s",
    "wait",
  ]);
});

test("when both are there at once, the work has won", () => {
  for (const [seconds, expected] of [[1, "in time"], [2, "in time"], [3, "Elapsed"]]) {
    assert.equal(env().run("both", seconds).result(), expected, `${seconds}`);
  }
});

test("a deadline has passed for who waited for it however often the clock was read before", () => {
  for (const reads of [0, 1, 2, 1_000]) env().run("sleeper", reads).result();
});

test("time and randomness move on", () => {
  const ended = env().run("reads");
  assert.deepEqual(ended.result(), [true, true, true, "reads"]);
  assert.deepEqual(ended.log, ['INFO bytes length=70000 nested={"a":1} why=x']);
});

test("the language's own clock, timers, randomness and console lead to the run", () => {
  const ended = env().run("globals");
  const { elapsed, ...result } = ended.result();
  assert.equal(elapsed, 2_500);
  assert.deepEqual(result, {
    order: ["interval", "interval", "microtask"],
    year: 2026,
    isDate: true,
    random: true,
    uuid: 36,
    bytes: true,
    performance: true,
    text: "häßlich € 𝄞",
    clone: [true, true, true, true, true],
  });
  assert.deepEqual(ended.log, ['INFO took 2500 {"ms":true}']);
  assert.deepEqual(ended.calls.slice(0, 3), ["1 = timer 1s", "cancel 1", "detach 1"]);
});

test("a canceled run cleans up and ends as canceled", () => {
  for (const [withRun, call] of [[true, "cancel 1"], [false, "detach 1"]]) {
    const ended = env().activity("slow", echo, { takes: "9s" }).activity("clean", echo).cancel("1s", "enough");
    const { isCanceled, elapsed, calls } = ended.run("cancelable", withRun);
    assert.ok(isCanceled);
    assert.equal(elapsed, 1_000);
    assert.equal(calls[2], call);
    assert.ok(calls.includes('2 = activity clean "clean"'), calls.join("\n"));
  }
});

test("who asks hears of the cancel request, and nothing starts after it", () => {
  const ended = env().cancel("1s", "enough").run("hears");
  assert.deepEqual(ended.result(), [{ key: "canceled", value: "enough" }, "enough"]);
  assert.deepEqual(ended.calls, ["1 = timer 86400s", "wait", "cancel 1", "detach 1"]);
});

test("a workflow for which nothing will come is told in a test", () => {
  assert.throws(() => env().run("waits-for-ever"), /waits for ever/);
});
