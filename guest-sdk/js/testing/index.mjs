/**
 * Workflows under test: in Node, against a host that is scripted, in time that passes by itself.
 *
 * ```js
 * import assert from "node:assert/strict";
 * import { test } from "node:test";
 * import { load } from "refrain-sdk/testing";
 *
 * const workflows = await load("src/workflows.ts");
 *
 * test("the greeting comes a day late", () => {
 *   const env = workflows.env().activity("greet", (name) => `Hello, ${name}`);
 *   const ended = env.run("welcome", { name: "Ada" });
 *   assert.equal(ended.result(), "Hello, Ada");
 *   assert.deepEqual(ended.calls, ["1 = timer 86400s", "wait", '2 = activity greet "Ada"', "wait"]);
 * });
 * ```
 */
import { Script, createContext } from "node:vm";
import { bundle } from "../build/bundle.mjs";
import { Env } from "./env.mjs";

export { ActivityFailure, WorkflowFailure } from "./failures.mjs";
export { Env } from "./env.mjs";
export { Ended } from "./ended.mjs";

/** The workflows that a file exports. */
export class Workflows {
  #script;

  constructor(code) {
    this.#script = new Script(`(function (require, exports, module) {${code}\n})`, { filename: "workflow.js" });
  }

  /** A new, empty world for a run of one of them. */
  env() {
    return new Env((imports) => this.instance(imports));
  }

  /** What the component says about itself. */
  describe() {
    const none = new Proxy({}, { get: (_, name) => () => { throw new Error(`describe calls ${String(name)}`); } });
    return this.instance(() => none).describe();
  }

  /**
   * A fresh instance: globals, modules and all, as each run has one. `imports` gives the functions of an interface.
   */
  instance(imports) {
    const module = { exports: {} };
    const load = (name) => {
      const found = /^refrain:workflow\/([a-z]+)@/.exec(name);
      if (found === null) throw new Error(`there is no module ${name}`);
      return imports(found[1]);
    };
    this.#script.runInContext(createContext({}))(load, module.exports, module);
    return module.exports.definition;
  }
}

/** Bundles a project's entry file, as the builder does. */
export async function load(entry) {
  const { code } = await bundle(entry, { format: "cjs" });
  return new Workflows(code);
}
