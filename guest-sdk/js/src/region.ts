/**
 * Regions: what is begun together and given up together.
 *
 * JavaScript cannot drop an `async` function that waits. What it can do is to fail what the function waits for, so
 * the SDK keeps account of that: each function that it is given to run has a region, regions form a tree, and what is
 * started by code of a region belongs to it (the promises see to that, see {@link Context}). To give a region up is
 *
 * 1. to give up each thing that its code waits for: what its inner regions wait for first, then its own, in the order
 *    in which they were started. A timer is canceled and detached, an activity or a child is detached, a receiver
 *    takes no signal;
 * 2. to reject those promises with a failure of kind canceled, so that `finally` and `catch` blocks run;
 * 3. to let all that its code starts from then on fail at once, so that a `catch` cannot go on with the work. What
 *    is {@link shield}ed is out of all this, so that it can clean up.
 */
import { current, within, type Context } from "./jobs";
import type { Failure } from "./failure";
import type { ScopeRun } from "./scope";
import type { Wait } from "./wait";

export class Region {
  /** What its code waits for, in the order in which it was started. */
  readonly waits = new Set<Wait<unknown>>();
  readonly inner = new Set<Region>();
  /** Why it was given up, once it was. */
  givenUp: Failure | undefined;

  /** `run` is the innermost scope's, `undefined` where there is none. What is shielded is in none of them. */
  constructor(
    private outer: Region | undefined,
    readonly run: ScopeRun | undefined,
    shielded = false,
  ) {
    if (shielded || outer === undefined) return;
    this.givenUp = outer.givenUp;
    outer.inner.add(this);
  }

  /** Calls `body` as its code. */
  enter<T>(body: () => T): T {
    return within({ region: this, update: current()?.update }, body);
  }

  /** Its code has ended. What that left open is now the outer one's. */
  end(): void {
    const outer = this.outer;
    if (outer === undefined) return;
    // A shield's, in what was given up.
    if (outer.givenUp !== undefined) this.giveUp(outer.givenUp);
    outer.inner.delete(this);
    for (const wait of [...this.waits]) wait.moveTo(outer);
    for (const region of this.inner) {
      region.outer = outer;
      outer.inner.add(region);
    }
  }

  /** Gives up all that its code waits for. */
  giveUp(why: Failure): void {
    if (this.givenUp !== undefined) return;
    this.givenUp = why;
    for (const region of [...this.inner]) region.giveUp(why);
    for (const wait of [...this.waits]) wait.giveUp(why);
  }

  /** Whether something that its code waits for has happened, though its turn has not come. */
  hasNews(): boolean {
    return [...this.inner].some((region) => region.hasNews()) || [...this.waits].some((wait) => wait.hasNews());
  }
}

/** The region of the code that runs now. */
export function currentRegion(): Region | undefined {
  return current()?.region;
}

/** What a run's first code belongs to. */
export function root(): Context {
  return { region: new Region(undefined, undefined), update: undefined };
}
