import assert from "node:assert/strict";
import { test } from "node:test";
import { ActivityFailure, load } from "../testing/index.mjs";

const workflows = await load(new URL("./workflows/children.ts", import.meta.url).pathname);

const env = () => workflows.env();
const echo = (input) => input;

test("a child starts with its options and its start is not waited for", () => {
  const ended = env().child("ship", (id) => `sent ${id}`, { takes: "3s" }).run("ships", "7");
  assert.equal(ended.result(), "sent 7");
  const start =
    '1, 2 = child ship "7" id="ship-7" task-queue="port" summary="by sea" id-reuse=reject parent-close=abandon memo:order="7"';
  assert.deepEqual(ended.calls, [start, "detach 1", "wait"]);
});

test("a child that fails gives the whole chain", () => {
  const sinks = () => {
    throw new ActivityFailure("the ship sank", { type: "Sunk", details: 40 });
  };
  const { failure } = env().child("ship", sinks).run("ships", "7");
  assert.equal(failure.message, 'child workflow "ship" (id "ship-7") failed: the ship sank');
  assert.deepEqual([failure.type, failure.details], ["Sunk", 40]);
  const refused = env().refusedChild("ship", "already-exists").run("ships", "7").failure;
  assert.equal(refused.message, 'child workflow "ship" was not started: its id is "ship-7"');
  assert.deepEqual([refused.kind, refused.type], ["host", "already-exists"]);
  const wrong = env().child("ship", () => 7).run("ships", "7").failure;
  assert.equal(wrong.message, 'child workflow "ship": result: invalid type: number 7, expected string');
});

test("a child whose start is watched tells its ids", () => {
  const ended = env().child("ship", echo, { takes: "3s" }).run("watches");
  assert.equal(ended.result(), "7");
  assert.deepEqual(ended.calls, [
    '1, 2 = child ship "7" id="ship-7"',
    "wait",
    '3 = signal ship-7 run="ship-7-run" done 5',
    "wait",
    "wait",
  ]);
  const refused = env().refusedChild("ship", "not-found").run("watches");
  assert.equal(refused.failure.type, "not-found");
  assert.equal(refused.calls.at(-1), "wait");
});

test("a child is canceled by hand or with the run and waited for if wanted", () => {
  for (const [cancellation, takes, elapsed, expected] of [
    [0, "9s", 1_000, 'child workflow "ship": too slow'],
    [1, "9s", 9_000, undefined],
    [0, "1s", 1_000, undefined],
    [1, "90s", 60_000, 'child workflow "ship" (id "child-2") timed out: the execution took longer than 60s'],
  ]) {
    const ended = env().child("ship", echo, { takes }).run("gives-up", cancellation);
    if (expected === undefined) assert.equal(ended.result(), "7");
    else assert.equal(ended.failure.message, expected);
    assert.equal(ended.elapsed, elapsed);
  }
  const ended = env().child("ship", echo, { takes: "9s" }).cancel("2s", "enough").run("gives-up", 2);
  assert.deepEqual([ended.isCanceled, ended.elapsed], [true, 2_000]);
});

test("a child whose code is at hand is started by its name and its types", () => {
  assert.equal(env().child("square", (n) => n * n).run("sum-of-squares", [1, 2, 3]).result(), 14);
});

test("what is sent to others is sent at the call and fails by name", () => {
  const ended = env().withoutExecution("far").run("tells-others");
  assert.deepEqual(ended.result(), [
    "sent",
    "signal `hello` to run `1` of workflow `far`: there is no workflow `far`",
    "cancel request to run `1` of workflow `far`: there is no workflow `far`",
    "sent",
  ]);
  assert.deepEqual(ended.calls, [
    '1 = signal near hello "you"',
    '2 = signal far run="1" hello 7',
    '3 = request-cancel far run="1"',
    "4 = request-cancel near",
    "wait",
  ]);
});

test("an input that cannot be written says whose it was and starts nothing", () => {
  const ended = env().run("no-words");
  const why = "cannot be written as JSON: Do not know how to serialize a BigInt";
  assert.deepEqual(ended.result(), [
    `input of signal \`hello\` to workflow \`near\`: ${why}`,
    `child workflow "ship": input: ${why}`,
    `child workflow "ship": memo \`order\`: ${why}`,
  ]);
  assert.deepEqual(ended.calls, []);
});
