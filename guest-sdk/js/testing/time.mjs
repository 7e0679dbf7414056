/** Lengths of time in tests, in milliseconds. */

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `"10s"`, `"1.5h"`, or a number of milliseconds. */
export function toMs(duration) {
  if (typeof duration === "number") return duration;
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration) ?? [];
  if (unit === undefined) throw new RangeError(`${JSON.stringify(duration)} is no length of time`);
  return Number(number) * UNITS[unit];
}

export function fromWire({ seconds, nanoseconds }) {
  return seconds * 1_000 + nanoseconds / 1_000_000;
}

export function toWire(ms) {
  const micros = Math.round(ms * 1_000);
  return { seconds: Math.floor(micros / 1_000_000), nanoseconds: (micros % 1_000_000) * 1_000 };
}

/** As people read it: `10s`, `1.5s`, `250ms`. */
export function show(ms) {
  return ms >= 1_000 ? `${ms / 1_000}s` : `${ms}ms`;
}
