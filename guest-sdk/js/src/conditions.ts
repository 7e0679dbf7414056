/**
 * Conditions: waiting until what the workflow knows is so.
 *
 * Nothing tells when a variable has changed, so each condition is looked at again when everything that could go on has
 * run, and after another one came true; in the order in which they began to wait. That order, and when it happens,
 * depend on nothing but the events of the journal.
 */
import { DurablePromise } from "./promise";
import { Wait, givenUp } from "./wait";

/** Something that is looked at when everything has run. */
export interface Looking {
  look(): void;
}

const looking = new Set<Looking>();
let somethingChanged = true;

/** Forgets everything: a new run begins. */
export function openConditions(): void {
  looking.clear();
  somethingChanged = true;
}

/** Something has run or is going to, which may have made a condition true. */
export function changed(): void {
  somethingChanged = true;
}

/** Nothing has run since the conditions were last looked at but they themselves, and none of them came true. */
export function isQuiet(): boolean {
  return !somethingChanged;
}

/** What is to be looked at now that nothing can go on: all, if something has changed for them. */
export function toLookAt(): Looking[] {
  const look = somethingChanged ? [...looking] : [];
  somethingChanged = false;
  return look;
}

/** Whether it is still waiting; looking at another one may have ended it. */
export function isLooking(one: Looking): boolean {
  return looking.has(one);
}

export function startLooking(one: Looking): void {
  looking.add(one);
}

export function stopLooking(one: Looking): void {
  looking.delete(one);
}

/**
 * Waits until `predicate` is true.
 *
 * ```ts
 * let sum = 0;
 * paid.handle((part) => {
 *   sum += part;
 * });
 * await timeout("14d", condition(() => sum >= price));
 * ```
 *
 * The predicate is called at once, and again whenever everything that could go on has run: at least once for each
 * wait of the workflow, so it costs as much as there are conditions, while what waits for a signal or an activity
 * costs nothing until that is there. It may only look, as how often it is called is nobody's promise. What it looks at
 * is what the workflow knows: time passes unseen, so give it a limit with {@link timeout}.
 */
export function condition(predicate: () => boolean): Promise<void> {
  if (givenUp() === undefined && predicate()) {
    // Who waited goes on, and may make others true.
    changed();
    return DurablePromise.resolve();
  }
  return new Condition(predicate);
}

class Condition extends Wait<void> implements Looking {
  constructor(private readonly predicate: () => boolean) {
    super();
    if (this.isPending()) startLooking(this);
  }

  look(): void {
    let isTrue: boolean;
    try {
      isTrue = this.predicate();
    } catch (error) {
      stopLooking(this);
      return this.reject(error);
    }
    if (!isTrue) return;
    changed();
    stopLooking(this);
    this.fulfil(undefined);
  }

  protected release(): void {
    stopLooking(this);
  }
}
