/** Lengths of time, as people write them. */
import type { Duration as Wire } from "./wire";

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

type Unit = keyof typeof UNITS;

/** A number of milliseconds, or a text: `"250ms"`, `"10s"`, `"1.5h"`, `"7d"` (days of 24 hours). */
export type Duration = number | `${number}${Unit}`;

/** The number of milliseconds. Throws a `RangeError` for what is none, or negative. */
export function toMs(duration: Duration): number {
  const ms = typeof duration === "number" ? duration : parse(duration);
  if (!Number.isFinite(ms) || ms < 0) {
    throw new RangeError(`${JSON.stringify(duration)} is no length of time: give milliseconds from 0, or "10s", "5m", "2h", "7d"`);
  }
  return ms;
}

function parse(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(text);
  return parts === null ? NaN : Number(parts[1]) * UNITS[parts[2] as Unit];
}

export function toWire(duration: Duration): Wire {
  const ms = toMs(duration);
  const seconds = Math.floor(ms / 1_000);
  const nanoseconds = Math.round((ms - seconds * 1_000) * 1_000_000);
  return nanoseconds < 1_000_000_000 ? { seconds, nanoseconds } : { seconds: seconds + 1, nanoseconds: 0 };
}

export function toWireOr(duration: Duration | undefined): Wire | null {
  return duration === undefined ? null : toWire(duration);
}

/** For people: `2.5s`, `50ms`. */
export function show(duration: Duration): string {
  const ms = toMs(duration);
  return ms >= 1_000 ? `${ms / 1_000}s` : `${ms}ms`;
}
