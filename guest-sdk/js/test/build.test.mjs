import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { bundle } from "../build/bundle.mjs";
import { inSources, lineTable } from "../build/lines.mjs";

const CLI = new URL("../build/cli.mjs", import.meta.url).pathname;
const directory = mkdtempSync(join(tmpdir(), "refrain-build-"));
after(() => rmSync(directory, { recursive: true }));

function build(source, ...more) {
  writeFileSync(join(directory, "flow.ts"), source);
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, "flow.ts", ...more], { cwd: directory });
  return { status, stdout: stdout.toString(), stderr: stderr.toString() };
}

const HELLO = `
import { workflow } from "refrain-sdk";
export const hello = workflow({ name: "hello" }, async () => "hello");
`;

test("an entry file becomes a component", () => {
  const { status, stdout, stderr } = build(HELLO, "--output", "out/hello.wasm");
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^out\/hello\.wasm: \d+ bytes, \d+ of them your code and the SDK's\n$/);
  const header = [...readFileSync(join(directory, "out/hello.wasm")).subarray(0, 8)];
  assert.deepEqual(header, [0, 0x61, 0x73, 0x6d, 0x0d, 0, 0x01, 0], "a component, and no core module");
});

test("what workflow code cannot have fails the build and says what to do", () => {
  for (const [source, expected] of [
    [`import fs from "node:fs"; export default fs;`, /has no "node:fs": do it in an activity/],
    [`import { get } from "http"; export default get;`, /has no "http": do it in an activity/],
    [`export const nothing = 1;`, /modules cannot be loaded: Error: the entry file exports no workflow/],
    [`${HELLO}\nconst at = Date.now();`, /Error: the clock can be used in a workflow alone[^]* at .*\(flow\.ts:5\)/],
    [`${HELLO}\nawait 1;`, /Top-level await/],
    [`export const = 1;`, /flow\.ts:1:13/],
  ]) {
    const { status, stderr } = build(source);
    assert.equal(status, 2, source);
    assert.match(stderr, expected);
  }
  assert.match(spawnSync(process.execPath, [CLI, "missing.ts"]).stderr.toString(), /^error: there is no file missing\.ts/);
});

test("a place in the bundle is a place in the sources, and the SDK's own are left out", async () => {
  const entry = join(directory, "flow.ts");
  writeFileSync(entry, `${HELLO}\nexport const boom = () => {\n  throw new Error("here");\n};\n`);
  const { code, map } = await bundle(entry);
  const line = code.split("\n").findIndex((text) => text.includes('throw new Error("here")')) + 1;
  const ours = code.split("\n").findIndex((text) => text.includes("function drain(")) + 1;
  const stack = `Error: here\n    at boom (componentize-qjs:user.js:${line}:9)\n    at x (componentize-qjs:user.js:${ours}:1)`;
  assert.equal(inSources(stack, map, directory), "Error: here\n    at boom (flow.ts:6)");
  assert.ok(lineTable(map, directory).length < 1_000, "the SDK's own lines are one run or two");
});
