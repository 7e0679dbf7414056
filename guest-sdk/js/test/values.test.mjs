import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../testing/index.mjs";

const workflows = await load(new URL("./workflows/values.ts", import.meta.url).pathname);

test("an input that fits gets its defaults and is returned as it is", () => {
  for (const [input, more] of [
    [{ what: "a" }, { times: 3, tags: [] }],
    [{ what: "a", times: 0, tags: ["x"], comment: "c", limits: { cpu: 1.5 }, nothing: null }, {}],
    [{ what: "a", times: 1, tags: [], stage: "expired" }, {}],
    [{ what: "a", times: 1, tags: [], stage: { decided: { by: "Ada" } } }, {}],
  ]) {
    assert.deepEqual(workflows.env().run("echoes", input).result(), { ...input, ...more });
  }
});

test("what does not fit is told with its field", () => {
  for (const [input, expected] of [
    [[], "invalid type: array, expected object"],
    [null, "invalid type: null, expected object"],
    [{}, "missing field `what`"],
    [{ what: 7 }, "field `what`: invalid type: number 7, expected string"],
    [{ what: "a", times: 1.5 }, "field `times`: invalid type: number 1.5, expected integer"],
    [{ what: "a", times: -1 }, "field `times`: invalid value: number -1, expected at least 0"],
    [{ what: "a", tags: ["b", 3] }, "field `tags[1]`: invalid type: number 3, expected string"],
    [{ what: "a", limits: { cpu: "1" } }, 'field `limits.cpu`: invalid type: string "1", expected number'],
    [{ what: "a", stage: "done" }, 'field `stage`: invalid value: string "done", expected one of "waiting", "expired"'],
    [{ what: "a", stage: { decided: { by: 1 } } }, "field `stage.decided.by`: invalid type: number 1, expected string"],
    [{ what: "a", toString: 1 }, "unknown field `toString`, expected `what`, `times`, `comment`, `tags`, `limits`, `stage`, `nothing`"],
  ]) {
    const { failure } = workflows.env().run("echoes", input);
    assert.equal(failure.message, `input of workflow \`echoes\`: ${expected}`);
    assert.deepEqual([failure.type, failure.nonRetryable], ["bad-input", true]);
  }
  assert.match(workflows.env().run("plain", { n: 10 }).failure.message, /field `n`: invalid value: number 10, expected at most 9$/);
  assert.equal(workflows.env().run("plain", { n: 9 }).result(), 9);
});

test("what is written again has its properties in the order of the schema", () => {
  const ended = workflows.env().run("echoes", { tags: [], comment: "c", what: "a" });
  assert.deepEqual(Object.keys(ended.result()), ["what", "times", "comment", "tags"]);
});

test("texts and numbers come back as they were", () => {
  const values = ["", "häßlich € 𝄞 \u0000\u001f\u2028 \"\\/", "\ud800", "x".repeat(100_000), [1, -0.5, 1e21, 2 ** 53], { b: 1, a: null }];
  for (const value of values) assert.deepEqual(workflows.env().run("anything", value).result(), value);
});

test("lengths of time are milliseconds or texts, and what is none is refused", () => {
  const durations = [0, 0.5, 1_500, "250ms", "1.5s", "2m", "1h", "7d"];
  const ended = workflows.env().run("sleeps", durations);
  const timers = ended.calls.filter((call) => call !== "wait").map((call) => call.split(" ").at(-1));
  assert.deepEqual(timers, ["0ms", "0.5ms", "1.5s", "250ms", "1.5s", "120s", "3600s", "604800s"]);
  for (const none of ["", "10", "1 day", "-1s", -1, null, "1e3s"]) {
    assert.throws(() => workflows.env().run("sleeps", [none]), /is no length of time/, JSON.stringify(none));
  }
});

test("describe tells schemas", () => {
  const { inputSchema } = workflows.describe().workflows.find(({ name }) => name === "echoes");
  const schema = JSON.parse(inputSchema);
  assert.deepEqual(schema.required, ["what"]);
  assert.deepEqual(schema.properties.what, { type: "string", description: "What is to be approved." });
  assert.deepEqual(schema.properties.times, { type: "integer", minimum: 0, default: 3 });
  assert.equal(schema.additionalProperties, false);
});
