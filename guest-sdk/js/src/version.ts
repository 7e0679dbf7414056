/** Changing the code of workflows that still run. */
import { versions } from "./host";
import { mustBeInRun } from "./jobs";

/**
 * Whether this run takes the new path of a change: true in a run that gets here for the first time, false in one that
 * had passed here before the change. The same `id` gets the same answer for the whole run.
 *
 * ```ts
 * const charge = patched("charge-with-tax") ? "charge-with-tax" : "charge";
 * await activity(charge, 100, { startToClose: "10s" });
 * ```
 */
export function patched(id: string): boolean {
  mustBeInRun("patched()");
  return versions.patched(id);
}

/**
 * As {@link patched} for a place that changes more than once: `max` in a run that gets here for the first time, the
 * recorded version in its replays, `min` in a run that had passed before.
 *
 * A run that needs a version that is not between them is parked: it needs older code.
 */
export function getVersion(id: string, min: number, max: number): number {
  mustBeInRun("getVersion()");
  return versions.getVersion(id, min, max);
}
