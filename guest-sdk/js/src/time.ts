/** Time: durable timers, and the run's clock. */
import { show, toWire, type Duration } from "./duration";
import { context, timers } from "./host";
import { Failure } from "./failure";
import { Op } from "./inbox";
import { mustBeInRun } from "./jobs";
import { DurablePromise } from "./promise";
import { givenUp } from "./wait";

/** By how many microseconds each call moves the clock on, says `wit/`. */
const TICK = 1;

/** How often the clock was read in this step. */
let reads = 0;

/** A step begins, with the clock as it is. */
export function beginStep(): void {
  reads = 0;
}

/**
 * The run's time in milliseconds since 1970, with fractions: the same on every replay, never running back, and moving
 * on by a microsecond with each call. `Date.now()` and `new Date()` are this, in whole milliseconds.
 */
export function now(): number {
  mustBeInRun("the clock");
  reads += 1;
  const { seconds, nanoseconds } = context.now();
  return seconds * 1_000 + nanoseconds / 1_000_000;
}

export interface SleepOptions {
  /** One line for people who read the history. */
  summary?: string;
}

/**
 * Waits, durably: the host may crash or forget the run meanwhile. The timer starts at the call.
 *
 * ```ts
 * await sleep("30d", { summary: "until the trial ends" });
 * ```
 */
export function sleep(duration: Duration, options: SleepOptions = {}): Promise<void> {
  return startTimer(toWire(duration), options.summary);
}

/**
 * Waits until the run's time is `deadline`, a `Date` or milliseconds since 1970; one that has passed waits for nothing
 * but the next step.
 */
export function sleepUntil(deadline: Date | number, options: SleepOptions = {}): Promise<void> {
  mustBeInRun("sleepUntil");
  // Timers count from the step's time, of which the clock is ahead by what it was read before: without that, the run's
  // time would not yet be the deadline when the timer fires.
  const ahead = BigInt(reads * TICK) * 1_000n;
  reads += 1;
  const { seconds, nanoseconds } = context.now();
  const step = BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds) - ahead;
  const until = BigInt(Math.ceil(Number(deadline) * 1_000)) * 1_000n;
  const delay = until > step ? until - step : 0n;
  const wire = { seconds: Number(delay / 1_000_000_000n), nanoseconds: Number(delay % 1_000_000_000n) };
  return startTimer(wire, options.summary);
}

/** @internal */
export function startTimer(delay: ReturnType<typeof toWire>, summary: string | undefined): Promise<void> {
  mustBeInRun("a timer");
  const why = givenUp();
  if (why !== undefined) return DurablePromise.reject(why);
  // Only giving it up cancels it: every outcome means that it fired.
  return new Op(timers.start(delay, summary ?? null), "cancel", () => undefined);
}

/** A {@link timeout} has passed. As a failure it is of type `Elapsed`. */
export class Elapsed extends Failure {
  constructor(limit: Duration) {
    super(`nothing came within ${show(limit)}`, { type: "Elapsed" });
  }
}
