import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "refrain-sdk/testing";

const workflows = await load("src/workflows.ts");

test("it reminds until someone decides", () => {
  const env = workflows.env().query("61s", "reminders").signal("150s", "decide", { approved: true, by: "Ada" });
  const ended = env.run("{{ident}}", { what: "a holiday" });
  assert.equal(ended.answer(0), 1);
  assert.deepEqual(ended.result(), { approved: true, by: "Ada", reminders: 2 });
  assert.equal(ended.elapsed, 150_000, "of the workflow's time, and none of yours");
});

test("nothing is not to be had", () => {
  assert.equal(workflows.env().run("{{ident}}", { what: " " }).failure.message, "`what` is empty: say what is asked for");
});
