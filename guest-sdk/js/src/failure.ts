/** Why something failed, told from the outside in. */
import { decode, encode, encodeOr } from "./payload";
import type * as wire from "./wire";

export type FailureKind = wire.FailureKind;

/** One level of a failure's chain, below the outermost. */
export interface Cause {
  readonly kind: FailureKind;
  readonly type: string;
  readonly message: string;
}

export interface FailureOptions {
  /** What failed, for programs; without it `Failure`. Retry policies compare it with their `nonRetryableTypes`. */
  type?: string;
  /** No retry policy retries this failure. */
  nonRetryable?: boolean;
  /** Data for programs. What cannot be written as JSON is replaced by the reason. */
  details?: unknown;
  /** Why: a failure or any other error, with all that is under it. */
  cause?: unknown;
}

/**
 * Why a workflow or an activity failed: a chain that reads as one sentence, `what was done: why: why`.
 *
 * A workflow that throws one fails. Any other error is a bug in the code: the run is parked, until code that does
 * better takes over (see {@link WorkflowOptions.onTrap}). `Failure.from(error)` makes a failure of one that was
 * expected.
 *
 * ```ts
 * if (rooms === 0) throw new Failure("no vacancy", { type: "NoVacancy", nonRetryable: true });
 * ```
 */
export class Failure extends Error {
  /** Who says that it failed. */
  readonly kind: FailureKind;
  /** What failed, for programs: `ConnectionRefused`, `start-to-close`. */
  readonly type: string;
  /** Whether retry policies leave this failure alone. */
  readonly nonRetryable: boolean;
  /** What is under it, outermost first. */
  readonly causes: readonly Cause[];
  private readonly wire: wire.Failure;

  constructor(message: string, options: FailureOptions = {}) {
    super(message);
    const { type = "Failure", nonRetryable = false, details, cause } = options;
    const own: wire.Failure = {
      kind: "application",
      errorType: type,
      message,
      stack: "",
      details: details === undefined ? null : encodeOr(details, (why) => why.toString()),
      nonRetryable,
      causes: cause === undefined ? [] : under(Failure.from(cause)),
    };
    this.wire = own;
    this.kind = own.kind;
    this.type = own.errorType;
    this.nonRetryable = own.nonRetryable;
    this.causes = causesOf(own);
  }

  /** A failure of kind canceled. A workflow that throws it after someone asked to cancel ends as canceled. */
  static canceled(reason: string): Failure {
    return Failure.of("canceled", "canceled", reason);
  }

  /**
   * The failure that `error` is or stands for: its type is the error's name, and its causes are the error's.
   */
  static from(error: unknown): Failure {
    if (error instanceof Failure) return error;
    if (!(error instanceof Error)) return new Failure(String(error));
    return new Failure(error.message, { type: error.name, cause: error.cause });
  }

  /** The outermost details that there are, `undefined` without any. */
  get details(): unknown {
    const levels: readonly wire.Cause[] = [this.wire, ...this.wire.causes];
    const details = levels.find((level) => level.details !== null)?.details;
    try {
      return details ? decode(details) : undefined;
    } catch {
      // Not JSON.
      return undefined;
    }
  }

  /** Whether it was canceled. */
  get isCanceled(): boolean {
    return this.kind === "canceled";
  }

  /** Whether a timeout passed. */
  get isTimeout(): boolean {
    return this.kind === "timeout";
  }

  /** Says what was being done. The new level keeps kind and type, and whether it may be retried. */
  context(doing: string): Failure {
    return Failure.fromWire({
      kind: this.kind,
      errorType: this.type,
      message: doing,
      stack: "",
      details: null,
      nonRetryable: this.nonRetryable,
      causes: under(this),
    });
  }

  /** The same failure with `why` at the end of its chain. */
  causedBy(why: unknown): Failure {
    return Failure.fromWire({ ...this.wire, causes: [...this.wire.causes, ...under(Failure.from(why))] });
  }

  /** The same failure with these details. */
  withDetails(details: unknown): Failure {
    return Failure.fromWire({ ...this.wire, details: encodeOr(details, (why) => why.toString()) });
  }

  /** The whole chain, as one sentence. */
  override toString(): string {
    return [this.message, ...this.causes.map((cause) => cause.message)].join(": ");
  }

  /** @internal */
  static of(kind: FailureKind, errorType: string, message: string): Failure {
    const wire = { kind, errorType, message, stack: "", details: null, nonRetryable: false, causes: [] };
    return Failure.fromWire(wire);
  }

  /** @internal */
  static fromWire(wire: wire.Failure): Failure {
    const failure = new Failure(wire.message);
    const { kind, errorType: type, nonRetryable } = wire;
    return Object.assign(failure, { kind, type, nonRetryable, causes: causesOf(wire), wire });
  }

  /** @internal */
  toWire(): wire.Failure {
    return this.wire;
  }
}

Object.defineProperty(Failure.prototype, "name", { value: "Failure", configurable: true, writable: true });

/** The failure as a chain of causes, itself first. */
function under(failure: Failure): wire.Cause[] {
  const { kind, errorType, message, stack, details, causes } = failure.toWire();
  return [{ kind, errorType, message, stack, details }, ...causes];
}

function causesOf(wire: wire.Failure): Cause[] {
  return wire.causes.map(({ kind, errorType, message }) => ({ kind, type: errorType, message }));
}

/**
 * Adds to a failure what was being done; other errors pass as they are.
 *
 * ```ts
 * await context("stop container abc123", stop("abc123"));
 * ```
 *
 * The failure then reads `stop container abc123: ...`.
 */
export async function context<T>(doing: string, work: PromiseLike<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof Failure ? error.context(doing) : error;
  }
}

/** @internal The payload of a value, with what it is for said where it cannot be written. */
export function encodeFor(what: string, value: unknown): wire.Payload {
  try {
    return encode(value);
  } catch (error) {
    throw error instanceof Failure ? error.context(what) : error;
  }
}
