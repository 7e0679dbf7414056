import assert from "node:assert/strict";
import { test } from "node:test";
import { ActivityFailure, load } from "../testing/index.mjs";

const workflows = await load(new URL("./workflows/activities.ts", import.meta.url).pathname);

const echo = (input) => input;
const torn = () => {
  throw new ActivityFailure("torn", { type: "Torn", nonRetryable: true, details: 7 });
};

function steps(names) {
  return names.reduce((env, [name, takes]) => env.activity(name, echo, { takes }), workflows.env());
}

test("activities start at the call, and functions in the order in which they are given", () => {
  const ended = steps([["a", "1s"], ["b", "1s"], ["c", "1s"]]).run("eager");
  assert.equal(ended.result(), "abc");
  assert.deepEqual(ended.calls, ['1 = activity a "a"', '2 = activity b "b"', '3 = activity c "c"', "wait"]);
});

test("calls tell local activities and whose turn an activity takes", () => {
  const ended = steps([["train-m", "1s"]]).activity("look-up", (model) => `train-${model}`).run("routed");
  assert.equal(ended.result(), "train-m");
  const train =
    '2 = activity train-m "train-m" task-queue="gpu" priority=1 fairness-key="tenant \\"7\\"" fairness-weight=2.0';
  assert.deepEqual(ended.calls, ['1 = local activity look-up "m"', "wait", train, "wait"]);
});

test("activities of an interface are functions", () => {
  const ended = workflows.env().activity("fs.hash", ({ path }) => `hash of ${path}`).run("proxied");
  assert.equal(ended.result(), "hash of a");
  assert.equal(ended.calls[0], '1 = activity fs.hash {"path":"a"} task-queue="disk"');
});

test("a bounded fan-out starts the next when one ends and keeps the order of its inputs", () => {
  const ended = steps([["1", "1s"], ["2", "2s"], ["3", "3s"]]).run("five-by-two");
  assert.deepEqual(ended.result(), ["3", "1", "1", "1", "2"]);
  assert.equal(ended.elapsed, 5_000, "3 beside 1 + 1 + 1, then 2");
  assert.deepEqual(ended.calls.slice(0, 3), ['1 = activity 3 "3"', '2 = activity 1 "1"', "wait"]);
});

test("the first failure detaches what still runs", () => {
  const ended = steps([["1", "1s"], ["3", "3s"]]).activity("broken", torn, { takes: "2s" }).run("fails-fast");
  assert.equal(ended.failure.type, "Torn");
  assert.equal(ended.elapsed, 2_000);
  assert.equal(ended.calls.at(-1), "detach 3");
});

test("allSettled goes on when some fail", () => {
  const ended = steps([["1", "1s"], ["3", "3s"]]).activity("broken", torn, { takes: "2s" }).run("settles");
  assert.deepEqual(ended.result(), ["1", "Torn", "3"]);
});

test("a thousand events cost as much as a thousand times one", () => {
  assert.equal(workflows.env().run("many", 1_000).result(), 499_500);
  const began = performance.now();
  const ended = steps([["t0", "1s"], ["t1", "1s"], ["t2", "2s"]]).run("many-at-once", 10_000);
  assert.equal(ended.result(), 10_000);
  assert.ok(performance.now() - began < 5_000, "10,000 open ops are no quadratic work");
});

test("what nobody waits for goes on when it is detached, and a failure that nobody sees is told", () => {
  const ended = steps([["slow", "9s"]]).activity("broken", torn, { takes: "1s" }).run("floats");
  assert.equal(ended.result(), "done");
  assert.deepEqual(ended.calls.slice(0, 2), ['1 = activity slow "slow"', "detach 1"]);
  assert.deepEqual(ended.log, ["WARN ended with a failure that nobody has seen: torn"]);
});

test("an input that cannot be written says whose it was and starts nothing", () => {
  const ended = workflows.env().run("no-words");
  assert.deepEqual(ended.calls, []);
  for (const failure of ended.result()) assert.match(failure, /^not-json input of activity `a`: cannot be written as JSON/);
});

test("a result is held against its schema", () => {
  const fits = workflows.env().activity("count", () => ({ n: 7 })).run("checked");
  assert.deepEqual(fits.result(), { n: 7 });
  const { failure } = workflows.env().activity("count", () => ({ n: "7" })).run("checked");
  assert.equal(failure.message, 'result of activity `count`: field `n`: invalid type: string "7", expected integer');
});

test("context keeps kind, type, details and whether to retry, and the chain reads as one sentence", () => {
  assert.deepEqual(workflows.env().activity("broken", torn).run("chain").result(), {
    type: "Torn",
    nonRetryable: true,
    details: 7,
    message: "outer",
    causes: ["inner", "torn"],
    all: "outer: inner: torn",
  });
});

test("changes of code take the new path in a new run and the old one in an old run", () => {
  assert.deepEqual(workflows.env().run("changes").result(), [true, 3]);
  assert.deepEqual(workflows.env().old("a").old("b").run("changes").result(), [false, 1]);
});

test("a workflow may continue as new", () => {
  const { next } = workflows.env().run("countdown", 3);
  assert.deepEqual([next.input, next.newestVersion], [2, true]);
  assert.equal(workflows.env().run("countdown", 0).result(), "lift-off");
});

test("an input that does not fit fails for good and says why", () => {
  const { failure } = workflows.env().run("countdown", "three");
  assert.equal(failure.message, 'input of workflow `countdown`: invalid type: string "three", expected integer');
  assert.deepEqual([failure.type, failure.nonRetryable], ["bad-input", true]);
});

test("a workflow that the component lacks is not found", () => {
  const { failure } = workflows.env().run("nobody");
  assert.deepEqual([failure.kind, failure.type], ["host", "not-found"]);
  assert.equal(failure.message, "this component has no workflow `nobody`");
});

test("an error that is no failure traps, also where nobody looks", () => {
  assert.throws(() => workflows.env().run("bug"), /Cannot read properties of undefined/);
  assert.throws(() => workflows.env().run("floating-bug"), /nobody looks/);
});

test("what is exported under two names is one workflow", () => {
  assert.equal(workflows.describe().workflows.filter(({ name }) => name === "twins").length, 1);
});
