/** Workflows, as they are defined, and how they go on as a new run. */
import { toWireOr, type Duration } from "./duration";
import { encodeFor } from "./failure";
import type { Query } from "./queries";
import type { Schema } from "./schema";
import type { Signal } from "./signals";
import type { Update } from "./updates";
import type { NextRun } from "./wire";

export interface WorkflowOptions<I, O> {
  /** The name by which it is started. */
  name: string;
  /** What it does, for people who start it. */
  doc?: string;
  /** What it is started with. An input that does not fit fails the run, which is not tried again. */
  input?: Schema<I>;
  /** What whoever waits for it gets. */
  output?: Schema<O>;
  /** The signals that it takes. */
  signals?: readonly Signal<any>[];
  /** The queries that it answers. */
  queries?: readonly Query<any, any>[];
  /** The updates that it takes. */
  updates?: readonly Update<any, any>[];
  /**
   * What becomes of a run whose code throws what is no {@link Failure}, which is a bug: `"park"`, the default, keeps it
   * as it is, so that a fixed version can take over; `"fail"` fails it.
   */
  onTrap?: "park" | "fail";
}

/** A workflow, made by {@link workflow}. */
export interface Workflow<I, O> extends WorkflowOptions<I, O> {
  /** Its code: called in a run alone, where it is a function like any other. */
  (input: I): Promise<O | ContinueAsNew>;
  readonly name: string;
}

const WORKFLOW = Symbol.for("refrain.workflow");

/**
 * Defines a workflow. Each that the project's entry file exports is one of the component.
 *
 * ```ts
 * export const welcome = workflow(
 *   { name: "welcome", doc: "Greets someone, a day late.", input: s.object({ name: s.string() }) },
 *   async ({ name }) => {
 *     await sleep("1d"); // the host may crash, and the component be replaced, meanwhile
 *     return await activity<string>("greet", name, { startToClose: "10s" });
 *   },
 * );
 * ```
 */
export function workflow<I = unknown, O = unknown>(
  options: WorkflowOptions<I, O>,
  code: (input: I) => Promise<O | ContinueAsNew>,
): Workflow<I, O> {
  const run = (input: I) => code(input);
  // A function's own `name` is read-only.
  Object.defineProperty(run, "name", { value: options.name });
  const { name: _, ...others } = options;
  return Object.assign(run, others, { [WORKFLOW]: true }) as unknown as Workflow<I, O>;
}

export function isWorkflow(value: unknown): value is Workflow<unknown, unknown> {
  return typeof value === "function" && WORKFLOW in value;
}

export interface NextOptions {
  /** Take the component's newest version, not this run's. */
  newestVersion?: boolean;
  /** Go on as another workflow of the component. */
  workflow?: string | Workflow<any, any>;
  /** At most this long for the next run; without it as long as for this one. */
  runTimeout?: Duration;
}

/** The end of a run that goes on as a new one; made by {@link continueAsNew}. */
export class ContinueAsNew {
  /** @internal */
  constructor(readonly next: NextRun) {}
}

/**
 * Ends this run, where it is returned, and goes on as a new one with a short journal: same id, new input.
 *
 * Signals and updates that this run has not read go to the next one, in the order in which they came. What handlers
 * have begun ends with this run: wait for {@link allHandlersFinished} where there are any, or who sent an update that
 * was let in gets a failure (`run-ended`). Warnings in the run's log say what was left.
 *
 * ```ts
 * export const poll = workflow({ name: "poll", input: s.integer() }, async (round) => {
 *   const found = await activity<string | null>("look", round, { startToClose: "10s" });
 *   if (found !== null) return found;
 *   await sleep("1h");
 *   return continueAsNew(round + 1);
 * });
 * ```
 */
export function continueAsNew(input: unknown = null, options: NextOptions = {}): ContinueAsNew {
  const { workflow, newestVersion = false, runTimeout } = options;
  return new ContinueAsNew({
    workflow: workflow === undefined ? null : typeof workflow === "string" ? workflow : workflow.name,
    input: encodeFor("input of the next run", input),
    newestVersion,
    runTimeout: toWireOr(runTimeout),
    unread: [],
    more: [],
  });
}
