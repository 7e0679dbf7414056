/** Children: executions that this run starts, and that know it as their parent. */
import { toWireOr, type Duration } from "./duration";
import { Execution } from "./external";
import { encodeFor, Failure } from "./failure";
import { children } from "./host";
import { Op } from "./inbox";
import { mustBeInRun } from "./jobs";
import { decode } from "./payload";
import * as retries from "./retry";
import type { Retry } from "./retry";
import type { Schema } from "./schema";
import { refusal } from "./scope";
import { LOST } from "./wait";
import { Unstarted, Work, type Running } from "./work";
import type { Workflow } from "./workflow";
import type { Cancellation, ChildOptions as WireOptions, IdReusePolicy, NamedPayload, ParentClosePolicy, Payload } from "./wire";

/** Whether an id may be used again whose execution has ended. */
export type { IdReusePolicy } from "./wire";
/** What happens to a child that still runs when its parent's run ends. */
export type { ParentClosePolicy } from "./wire";

export interface ChildOptions<T = unknown> {
  /** Its workflow id; without it one that nothing else has. One that is in use is a failure (`already-exists`). */
  id?: string;
  /** `"allow"` by default. */
  idReuse?: IdReusePolicy;
  /**
   * The component that has the workflow, in its current version. Without it this run's own component and version, if
   * that has it, else the only one that does.
   */
  component?: string;
  /** The task queue of its activities; without it this run's. */
  taskQueue?: string;
  /** At most this long for all its runs together. */
  executionTimeout?: Duration;
  /** At most this long for each of its runs. */
  runTimeout?: Duration;
  /** When and how often another run follows one that failed; without it none does. */
  retry?: Retry;
  /** What happens to it when this run ends first, also by continue-as-new; `"terminate"` by default. */
  parentClose?: ParentClosePolicy;
  /** What {@link Running.cancel} does; by default it is asked to cancel itself, and nobody waits for that. */
  cancellation?: Cancellation;
  /** When someone asks this run to end, cancel the child too, and wait for what comes of it. */
  cancelWithRun?: boolean;
  /** Notes that are kept with it, for people and programs that look for it. */
  memo?: Readonly<Record<string, unknown>>;
  /** One line for people who read the history. */
  summary?: string;
  /** Holds the result against a schema. */
  output?: Schema<T>;
}

/**
 * Starts a child workflow, at the call. What is returned is a promise of its result, over all its runs.
 *
 * ```ts
 * const receipt = await child(ship, "order 7", { id: "ship-7", executionTimeout: "14d" });
 * ```
 *
 * A workflow whose code is at hand gives its types; a name does for any other. A child that fails gives a failure that
 * says so, with the child's own chain under it: `child workflow "ship" (id "ship-7") failed: no vacancy`.
 */
export function child<I, O>(workflow: Workflow<I, O>, input: I, options?: ChildOptions<O>): Running<O>;
export function child<T = unknown>(workflow: string, input: unknown, options?: ChildOptions<T>): Running<T>;
export function child(workflow: string | Workflow<any, any>, input: unknown, options?: ChildOptions<any>): Running<unknown> {
  const { started, outcome } = begin(workflow, input, options);
  // The run is not woken for it.
  if (started instanceof Op) started.giveUp(Failure.canceled(LOST));
  return outcome;
}

/** A {@link watchChild}. */
export interface WatchedChild<T> {
  /** When it exists, and under which ids. */
  readonly started: Promise<Execution>;
  /** What becomes of it. */
  readonly outcome: Running<T>;
}

/**
 * As {@link child}, with a promise that says when the child exists, and under which ids. It costs the run a wait of its
 * own, so leave it out where nothing depends on it.
 *
 * ```ts
 * const { started, outcome } = watchChild(ship, "order 7");
 * await (await started).signal("address", "12 Main Street");
 * const receipt = await outcome;
 * ```
 */
export function watchChild<I, O>(workflow: Workflow<I, O>, input: I, options?: ChildOptions<O>): WatchedChild<O>;
export function watchChild<T = unknown>(workflow: string, input: unknown, options?: ChildOptions<T>): WatchedChild<T>;
export function watchChild(
  workflow: string | Workflow<any, any>,
  input: unknown,
  options?: ChildOptions<any>,
): WatchedChild<unknown> {
  return begin(workflow, input, options);
}

function begin(
  workflow: string | Workflow<any, any>,
  input: unknown,
  options: ChildOptions<any> = {},
): WatchedChild<unknown> {
  const name = typeof workflow === "string" ? workflow : workflow.name;
  // The host's words, which begin its own failures.
  const doing = `child workflow ${JSON.stringify(name)}`;
  mustBeInRun(doing);
  const refused = refusal();
  if (refused !== undefined) return unstarted(refused.context(doing));
  let payload;
  let wire;
  try {
    payload = encodeFor("input", input);
    wire = toWire(options);
  } catch (error) {
    if (error instanceof Failure) return unstarted(error.context(doing));
    throw error;
  }
  const ops = children.start(name, payload, wire);
  const started = new Op(ops.started, "detach", (outcome) => {
    if (outcome.tag === "err") throw ofChild(Failure.fromWire(outcome.val), doing);
    const ids = decode<{ workflow_id: string; run_id: string }>(outcome.val);
    return new Execution(ids.workflow_id, ids.run_id);
  });
  const read = (output: Payload): unknown => {
    try {
      return decode(output, options.output);
    } catch (error) {
      throw (error as Failure).context("result").context(doing);
    }
  };
  const outcome = new Work(ops.finished, options.cancelWithRun ?? false, read, (failure) => ofChild(failure, doing));
  return { started, outcome };
}

function unstarted(why: Failure): WatchedChild<unknown> {
  return { started: new Unstarted<Execution>(why), outcome: new Unstarted(why) };
}

function toWire(options: ChildOptions<any>): WireOptions {
  const { retry, memo = {} } = options;
  return {
    workflowId: options.id ?? null,
    idReuse: options.idReuse ?? "allow",
    component: options.component ?? null,
    taskQueue: options.taskQueue ?? null,
    executionTimeout: toWireOr(options.executionTimeout),
    runTimeout: toWireOr(options.runTimeout),
    retry: retry === undefined ? null : retries.toWire(retry),
    parentClose: options.parentClose ?? "terminate",
    cancellation: options.cancellation ?? "try-cancel",
    memo: Object.entries(memo).map(([key, value]): NamedPayload => [key, encodeFor(`memo \`${key}\``, value)]),
    summary: options.summary ?? null,
    more: [],
  };
}

/** Says which child it was, where the host has not. */
function ofChild(failure: Failure, doing: string): Failure {
  return failure.message.startsWith(doing) ? failure : failure.context(doing);
}
