/** Other executions: what is sent to them. */
import { encodeFor, Failure } from "./failure";
import { externals } from "./host";
import { Op } from "./inbox";
import { mustBeInRun } from "./jobs";
import { DurablePromise } from "./promise";
import { givenUp } from "./wait";
import type { Execution as Wire } from "./wire";

/** One run of an execution, or whichever run of it is current. */
export class Execution {
  constructor(
    readonly workflowId: string,
    /** `undefined`: its current run. */
    readonly runId?: string,
  ) {}

  /**
   * Sends it a signal, at the call; {@link Signal.sendTo} knows the signal's type.
   *
   * The promise says when the signal is durable there, or why it cannot be: there is no such execution (`not-found`),
   * or it has ended (`closed`).
   */
  signal(name: string, input: unknown = null): Promise<void> {
    const doing = `signal \`${name}\` to ${this}`;
    return send(doing, () => {
      const payload = encodeFor(`input of ${doing}`, input);
      return externals.signal(this.toWire(), name, payload);
    });
  }

  /**
   * Asks it to cancel itself, at the call.
   *
   * The promise says when the request is durable there, which is not yet its end.
   */
  cancel(reason: string): Promise<void> {
    return send(`cancel request to ${this}`, () => externals.requestCancel(this.toWire(), reason));
  }

  toString(): string {
    const workflow = `workflow \`${this.workflowId}\``;
    return this.runId === undefined ? workflow : `run \`${this.runId}\` of ${workflow}`;
  }

  /** @internal */
  static fromWire({ workflowId, runId }: Wire): Execution {
    return new Execution(workflowId, runId ?? undefined);
  }

  private toWire(): Wire {
    return { workflowId: this.workflowId, runId: this.runId ?? null };
  }
}

/**
 * The current run of the execution with this id, whichever that is when something is sent to it; or the run with this
 * id and no other.
 *
 * ```ts
 * const shelf = external("shelf-3");
 * await shelf.signal("restock", "apples");
 * await shelf.cancel("closed for the winter");
 * ```
 */
export function external(workflowId: string, runId?: string): Execution {
  return new Execution(workflowId, runId);
}

function send(doing: string, start: () => number): Promise<void> {
  mustBeInRun(doing);
  const why = givenUp();
  if (why !== undefined) return DurablePromise.reject(why);
  let op;
  try {
    op = start();
  } catch (error) {
    if (error instanceof Failure) return DurablePromise.reject(error);
    throw error;
  }
  return new Op<void>(op, "detach", (outcome) => {
    if (outcome.tag === "err") throw Failure.fromWire(outcome.val).context(doing);
  });
}
