/** What a run may know: itself, and randomness. */
import { Execution } from "./external";
import { Failure } from "./failure";
import { context } from "./host";
import { mustBeInRun } from "./jobs";
import type { Instant } from "./wire";

/** What a run knows about itself. */
export interface Info {
  /** The namespace that it belongs to. */
  readonly namespace: string;
  /** The execution's id. */
  readonly workflowId: string;
  /** This run's id. */
  readonly runId: string;
  /** The first run of this chain of continue-as-new, retry and reset. */
  readonly firstRunId: string;
  /** The run that this one continues. */
  readonly continuedRunId: string | undefined;
  /** The workflow's name. */
  readonly workflow: string;
  /** The task queue of its activities. */
  readonly taskQueue: string;
  /** From 1; counts the attempts of the run's own retry policy. */
  readonly attempt: number;
  /** Why the attempt before this one failed. */
  readonly lastFailure: Failure | undefined;
  /** When it began. */
  readonly startedAt: Date;
  /** Who started it as a child. */
  readonly parent: Execution | undefined;
  /** The top of the tree of parents. */
  readonly root: Execution | undefined;
  /** The journal's length when the latest wait returned. */
  readonly journalEntries: number;
  /** The journal's size then. */
  readonly journalBytes: number;
  /** The journal nears its limit: {@link continueAsNew} when it suits. */
  readonly continueAsNewSuggested: boolean;
}

/** What this run knows about itself. */
export function info(): Info {
  mustBeInRun("info()");
  const { continuedRunId, lastFailure, startedAt, parent, root, more: _, ...same } = context.info();
  return {
    ...same,
    continuedRunId: continuedRunId ?? undefined,
    lastFailure: lastFailure === null ? undefined : Failure.fromWire(lastFailure),
    startedAt: dateOf(startedAt),
    parent: parent === null ? undefined : Execution.fromWire(parent),
    root: root === null ? undefined : Execution.fromWire(root),
  };
}

function dateOf({ seconds, nanoseconds }: Instant): Date {
  return new Date(seconds * 1_000 + Math.floor(nanoseconds / 1_000_000));
}

/** The most that the host gives at once. */
const RANDOM_BYTES_AT_ONCE = 65_536;

/** Bytes of the run's own random stream: the same on every replay. */
export function randomBytes(length: number): Uint8Array {
  mustBeInRun("randomness");
  const bytes = new Uint8Array(length);
  for (let start = 0; start < length; start += RANDOM_BYTES_AT_ONCE) {
    bytes.set(context.randomBytes(Math.min(length - start, RANDOM_BYTES_AT_ONCE)), start);
  }
  return bytes;
}

/** A random number from 0 up to but not 1, the same on every replay. `Math.random()` is this. */
export function random(): number {
  const view = new DataView(randomBytes(8).buffer);
  // As many bits as the mantissa holds: each multiple of 2^-53 below 1 is equally likely.
  const high = view.getUint32(4, true);
  const low = view.getUint32(0, true) >>> 11;
  return (high * 2 ** 21 + low) / 2 ** 53;
}

/** A version 4 UUID, the same on every replay. `crypto.randomUUID()` is this. */
export function uuid(): string {
  mustBeInRun("randomness");
  return context.uuid();
}
