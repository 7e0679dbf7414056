/** Failures on their way into and out of a workflow under test. */
import { decode, encode } from "./json.mjs";

/** What an activity or a child of a test throws to fail in a way of its own; any other error fails with its name as type. */
export class ActivityFailure extends Error {
  /** @param {string} message @param {{ type?: string, nonRetryable?: boolean, details?: unknown }} options */
  constructor(message, { type = "Failure", nonRetryable = false, details } = {}) {
    super(message);
    Object.assign(this, { type, nonRetryable, details });
  }
}

/** Why a workflow, a query or an update under test failed. Its message is the whole chain. */
export class WorkflowFailure extends Error {
  constructor(wire) {
    super([wire, ...wire.causes].map(({ message }) => message).join(": "));
    this.kind = wire.kind;
    this.type = wire.errorType;
    this.nonRetryable = wire.nonRetryable;
    /** The messages of the chain, outermost first. */
    this.chain = [wire, ...wire.causes].map(({ message }) => message);
    const details = [wire, ...wire.causes].find(({ details }) => details !== null)?.details;
    /** The outermost details that there are. */
    this.details = details ? decode(details) : undefined;
  }
}

/** A failure as the host tells it. */
export function wire(kind, errorType, message, causes = []) {
  return { kind, errorType, message, stack: "", details: null, nonRetryable: false, causes };
}

/** What an error of a test's function is to the workflow. */
export function fromError(error) {
  const failure = wire("application", error.type ?? error.name, error.message);
  const details = error.details === undefined ? null : encode(error.details);
  return { ...failure, nonRetryable: error.nonRetryable ?? false, details };
}

/** A failure with what was being done said. */
export function inContext(failure, doing) {
  const { kind, errorType, message, stack, details, nonRetryable, causes } = failure;
  const outer = wire(kind, errorType, doing, [{ kind, errorType, message, stack, details }, ...causes]);
  return { ...outer, nonRetryable };
}

/** The chain as one sentence. */
export function sentence(failure) {
  return [failure, ...failure.causes].map(({ message }) => message).join(": ");
}
