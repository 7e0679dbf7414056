/** The world of a workflow under test: activities, children, and what comes when. */
import { Ended } from "./ended.mjs";
import { wire } from "./failures.mjs";
import { ScriptedHost } from "./host.mjs";
import { encode } from "./json.mjs";
import { Schedule } from "./schedule.mjs";
import { toMs } from "./time.mjs";

/** Times are counted from the run's start, `"10s"` or milliseconds. Each method returns the `Env`. */
export class Env {
  #instance;
  #world = {
    activities: new Map(),
    children: new Map(),
    missing: new Set(),
    schedule: new Schedule(),
    updates: [],
    longFrom: Infinity,
    old: new Map(),
  };

  /** Use `workflows.env()`. */
  constructor(instance) {
    this.#instance = instance;
  }

  /**
   * An activity: what `work` returns is its result, what it throws is its failure. Nothing is tried again here.
   *
   * @param {string} name
   * @param {(input: any) => unknown} work
   * @param {{ takes?: string | number }} options How long it takes; no time by default.
   */
  activity(name, work, { takes = 0 } = {}) {
    this.#world.activities.set(name, { work, takes: toMs(takes) });
    return this;
  }

  /** The children of a workflow: what `work` returns stands for their result. */
  child(workflow, work, { takes = 0 } = {}) {
    this.#world.children.set(workflow, { work, takes: toMs(takes) });
    return this;
  }

  /** Children of that workflow cannot be started: `already-exists`, for example. */
  refusedChild(workflow, type) {
    this.#world.children.set(workflow, { refused: type });
    return this;
  }

  /** There is no execution with that id: what is sent to it fails (`not-found`). */
  withoutExecution(workflowId) {
    this.#world.missing.add(workflowId);
    return this;
  }

  /** A signal that comes some time after the start. */
  signal(after, name, input = null) {
    return this.#message(after, { tag: "signal", val: { name, input: encode(input) } });
  }

  /** A cancel request that comes some time after the start. */
  cancel(after, reason = "") {
    return this.#message(after, { tag: "cancel-requested", val: { reason } });
  }

  /** An update that comes some time after the start; its id is `update-0`, the next one's `update-1`. */
  update(after, name, input = null) {
    const request = this.#world.updates.push({ stage: "admitted", outcome: undefined, delivered: false }) - 1;
    const val = { request, updateId: `update-${request}`, name, input: encode(input) };
    return this.#message(after, { tag: "update", val });
  }

  /** A query that is asked some time after the start, before what ends then; also after the run's end. */
  query(after, name, input = null) {
    const message = { tag: "query", val: { request: 0, name, input: encode(input) } };
    this.#world.schedule.add(toMs(after), { message, query: true });
    return this;
  }

  /** Some time after the start the journal nears its limit: `info().continueAsNewSuggested` is true from then on. */
  suggestContinueAsNew(after) {
    this.#world.longFrom = toMs(after);
    return this;
  }

  /** The run passed the place of that change before the change was there: `patched` is false, `getVersion` is this. */
  old(id, version = 0) {
    this.#world.old.set(id, version);
    return this;
  }

  /**
   * Runs a workflow to its end. Throws what the workflow throws that is no failure, and when it waits though nothing
   * will come. An `Env` is used once.
   */
  run(workflow, input = null) {
    const host = new ScriptedHost(this.#world, workflow);
    const completion = this.#instance((name) => host.imports[name]).run(workflow, encode(input));
    host.rejectUnanswered();
    const answers = [...host.answers];
    for (const _ of this.#world.schedule.queries) {
      answers.push({ tag: "err", val: wire("host", "not-served", "the run has ended, and handled no query") });
    }
    const updates = this.#world.updates.map(({ stage, outcome }) => ({ stage, outcome: outcome ?? RUN_ENDED }));
    const { calls, log, elapsed } = host;
    return new Ended({ completion, calls, log, elapsed, answers, updates });
  }

  #message(after, message) {
    this.#world.schedule.add(toMs(after), { message });
    return this;
  }
}

const RUN_ENDED = { tag: "err", val: wire("host", "run-ended", "the run ended before it answered the update") };
