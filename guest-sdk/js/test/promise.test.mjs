import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../testing/index.mjs";
import { PROGRAMS } from "./programs.mjs";

const workflows = await load(new URL("./workflows/programs.ts", import.meta.url).pathname);

for (const [name, program] of Object.entries(PROGRAMS)) {
  test(`promises keep the language's order: ${name}`, async () => {
    const expected = [];
    await program((what) => expected.push(String(what)));
    assert.deepEqual(workflows.env().run("runs", name).result(), expected);
  });
}
