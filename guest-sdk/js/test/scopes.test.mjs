import assert from "node:assert/strict";
import { test } from "node:test";
import { ActivityFailure, load } from "../testing/index.mjs";

const workflows = await load(new URL("./workflows/scopes.ts", import.meta.url).pathname);

const echo = (input) => input;

function env(names) {
  const all = Object.entries(names);
  return all.reduce((env, [name, takes]) => env.activity(name, echo, { takes: takes * 1_000 }), workflows.env());
}

test("a canceled scope cancels what is open in it and starts nothing more", () => {
  const world = env({ outside: 60, dropped: 60, a: 60, late: 1, after: 1 }).child("ship", echo, { takes: "1m" });
  const ended = world.signal("1s", "done").run("works");
  assert.deepEqual(ended.result(), [
    "stopped",
    'child workflow "ship": stopped',
    "stopped",
    'child workflow "late": stopped',
  ]);
  assert.deepEqual(ended.calls.slice(0, 12), [
    '1 = activity outside "outside"',
    '2, 3 = child ship "7"',
    "detach 2",
    '4 = activity dropped "dropped"',
    "detach 4",
    '5 = activity a "a"',
    "wait",
    "cancel 3",
    "cancel 5",
    "wait",
    '6 = activity after "after"',
    "wait",
  ]);
});

test("in a canceled scope what cannot be asked to end fails when nothing in it is open any more", () => {
  for (const [what, expected, elapsed] of [
    ["sleeps", "stopped", 1_000],
    ["waits for nothing", "stopped", 1_000],
    ["waits for the held one", undefined, 1_000],
    ["cleans up with a condition", undefined, 1_000],
    ["cleans up in a shield", "stopped", 3_000],
  ]) {
    const ended = env({ held: 60, tidy: 2 }).signal("1s", "done").run("sleeps", what);
    if (expected === undefined) assert.equal(ended.result(), what);
    else assert.deepEqual([ended.failure.kind, ended.failure.message], ["canceled", expected], what);
    assert.equal(ended.elapsed, elapsed, what);
  }
});

test("what has ended is not canceled though nobody has seen it", () => {
  const ended = env({ held: 1 }).signal("2s", "done").run("sleeps", "sleeps");
  const calls = ['1 = activity held "held"', "2 = timer 86400s", "wait", "wait", "cancel 2", "detach 2"];
  assert.deepEqual(ended.calls, calls);
});

test("a timer of a scope ends with it", () => {
  const ended = env({ held: 60 }).signal("1s", "done").run("sleeps", "sleeps");
  const calls = ['1 = activity held "held"', "2 = timer 86400s", "wait", "cancel 1", "wait", "cancel 2", "detach 2"];
  assert.deepEqual(ended.calls, calls);
});

test("a scope waits for work that is waited for", () => {
  const ended = env({ patient: 9 }).signal("1s", "done").run("waits-for-cancellation");
  assert.deepEqual([ended.failure.kind, ended.elapsed], ["canceled", 9_000]);
});

test("a scope is canceled with the one around it unless it is shielded", () => {
  for (const [shielded, expected, elapsed] of [[false, "stopped", 1_000], [true, "inner", 5_000]]) {
    const ended = env({ inner: 5 }).signal("1s", "done").run("nests", shielded);
    assert.equal(ended.result(), expected);
    assert.equal(ended.elapsed, elapsed, "the outer one waits for the shield");
  }
});

test("what starts in a canceled scope fails at once and what is shielded does not", () => {
  const ended = env({ d: 1 }).run("starts-in-canceled");
  assert.deepEqual(ended.result(), ["closed", "closed", "d", true]);
  assert.deepEqual(ended.calls, ['1 = activity d "d"', "wait"]);
});

test("a saga in a canceled scope undoes wherever it stood", () => {
  const undone = ({ calls }) => calls.filter((call) => call.includes("free-")).map((call) => call.split(" ")[3]);
  for (const [at, expected] of [
    [1, ["free-seat"]],
    [4, ["free-seat"]],
    [8, ["free-room", "free-seat"]],
  ]) {
    const world = () => env({ seat: 2, "free-seat": 1, room: 2, "free-room": 1 });
    const ended = world().signal(at * 1_000, "done").run("books", false);
    assert.deepEqual([ended.failure.kind, ended.failure.message], ["canceled", "book the trip: stopped"], `${at}`);
    assert.deepEqual(undone(ended), expected, `${at}`);
    assert.equal(ended.elapsed, (at + expected.length) * 1_000, "each undoes in a second");
    const canceled = world().cancel(at * 1_000, "enough").run("books", true);
    assert.ok(canceled.isCanceled, `${at}`);
    assert.deepEqual(undone(canceled), expected, `${at}`);
  }
});

test("what outlives its function is no longer the scope's", () => {
  assert.equal(env({ long: 3 }).run("escapes").result(), "long");
});

function travelAgency() {
  const fail = (message) => {
    throw new ActivityFailure(message);
  };
  const book = ([, fails]) => (fails ? fail("none left") : null);
  return env({ "free-seat": 0, "free-car": 0 })
    .activity("book", book)
    .activity("free-room", () => fail("the phone is busy"));
}

test("a saga undoes in reverse order and says what became of it", () => {
  const ended = travelAgency().run("trip", "car");
  const whole = "book the trip (1 of 3 compensations failed: free the room): book the car: none left";
  assert.equal(ended.failure.message, whole);
  assert.deepEqual(ended.failure.details, {
    compensations: [
      { undo: "free the car", failure: null },
      { undo: "free the room", failure: "the phone is busy" },
      { undo: "free the seat", failure: null },
    ],
  });
  assert.deepEqual(ended.log.slice(0, 3), [
    "INFO undo: free the car because=book the car: none left",
    "INFO undo: free the room because=book the car: none left",
    "ERROR could not free the room: the phone is busy",
  ]);
});

test("a message names the first compensations that failed", () => {
  for (const [names, expected] of [
    ["a", "work (1 of 1 compensations failed: a): broken"],
    ["e d c b a", "work (5 of 5 compensations failed: a, b, c, d, e): broken"],
    ["f e d c b a", "work (6 of 6 compensations failed: a, b, c, d, e, ...): broken"],
  ]) {
    assert.equal(env({}).run("undoes", names.split(" ")).failure.message, expected);
  }
});

test("a saga that succeeds or has a bug undoes nothing", () => {
  const ended = travelAgency().run("trip", "");
  assert.equal(ended.result(), "booked");
  assert.ok(ended.calls.every((call) => !call.includes("free")));
  assert.throws(() => env({}).run("saga-with-bug"), /a bug undoes nothing/);
});
