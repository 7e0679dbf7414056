/** When to try again. */
import { toWire as duration, toWireOr, type Duration } from "./duration";
import { namedNumber } from "./payload";
import type { RetryPolicy } from "./wire";

/** When and how often the host tries an activity or a child again; by default without end, 1 s to 100 s apart. */
export interface Retry {
  /** The time from the first failure to the second attempt; 1 s by default. */
  initialInterval?: Duration;
  /** How much longer each interval is than the one before, at least 1; 2 by default. */
  backoffCoefficient?: number;
  /** The longest interval; 100 times the first one by default. */
  maximumInterval?: Duration;
  /** How many attempts at most, the first one included; 0, the default, is without limit. */
  maximumAttempts?: number;
  /** Failures of these types end the attempts. */
  nonRetryableTypes?: readonly string[];
  /**
   * Shortens each interval by a random part of at most this share of it, 0 to 1, so that what failed together is not
   * tried again together; 0 by default.
   */
  jitter?: number;
}

const ZERO = { seconds: 0, nanoseconds: 0 };

/** Zeros mean the host's defaults, so that they are written in one place. */
export function toWire(retry: Retry): RetryPolicy {
  const { initialInterval, backoffCoefficient, maximumInterval, maximumAttempts, nonRetryableTypes, jitter } = retry;
  return {
    initialInterval: initialInterval === undefined ? ZERO : duration(initialInterval),
    backoffCoefficient: backoffCoefficient ?? 0,
    maximumInterval: toWireOr(maximumInterval),
    maximumAttempts: maximumAttempts ?? 0,
    nonRetryableErrorTypes: [...(nonRetryableTypes ?? [])],
    more: jitter === undefined ? [] : [namedNumber("jitter", jitter)],
  };
}
