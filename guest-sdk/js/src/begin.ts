/** Work as it is given to {@link select}, {@link timeout} and the others, and how they give up what has lost. */
import { mustBeInRun } from "./jobs";
import { DurablePromise } from "./promise";
import { Region } from "./region";
import { Failure } from "./failure";
import { Kept, LOST, Wait } from "./wait";

/**
 * A promise, whose work has begun; or a function that begins it.
 *
 * What has lost is given up: of a promise of the SDK (an activity, a child, a timer, a receiver, a combination of
 * those) nobody hears any more; a function is given up with all that it waits for, and its `catch` and `finally` blocks
 * run, with a failure of kind canceled. Of a promise that an `async` function has returned nothing is known but that:
 * it goes on, as in `Promise.race`. So give the function.
 */
export type Work<T> = PromiseLike<T> | (() => T | PromiseLike<T>);

export interface Begun<T> {
  readonly promise: PromiseLike<T>;
  giveUp(why: Failure): void;
  /** Whether something that it waits for has happened, though its turn has not come. */
  hasNews(): boolean;
}

/** Work that was begun together, and ends as one. */
export class Combined<T> extends DurablePromise<T> {
  constructor(private readonly members: readonly Begun<unknown>[]) {
    super();
  }

  giveUp(why: Failure): void {
    if (!this.isPending()) return;
    this.markHandled();
    this.rejectOnce(why);
    for (const member of this.members) member.giveUp(why);
  }

  hasNews(): boolean {
    return this.isPending() && this.members.some((member) => member.hasNews());
  }
}

/** Begins it, if it has not begun. */
export function begin<T>(work: Work<T>): Begun<T> {
  if (typeof work === "function") return call(work);
  if (work instanceof Wait || work instanceof Combined) {
    return { promise: work, giveUp: (why) => work.giveUp(why), hasNews: () => work.hasNews() };
  }
  const promise = work instanceof Kept ? (work.promise as PromiseLike<T>) : work;
  return { promise, giveUp: () => {}, hasNews: () => promise instanceof Wait && promise.hasNews() };
}

function call<T>(body: () => T | PromiseLike<T>): Begun<T> {
  const outer = mustBeInRun("a combination").region;
  const region = new Region(outer, outer.run);
  let promise: Promise<T>;
  try {
    promise = DurablePromise.resolve(region.enter(body)) as Promise<T>;
  } catch (error) {
    promise = DurablePromise.reject(error);
  }
  void promise.then(
    () => region.end(),
    () => region.end(),
  );
  return { promise, giveUp: (why) => region.giveUp(why), hasNews: () => region.hasNews() };
}

/** Gives up all but one. */
export function giveUpOthers(begun: readonly Begun<unknown>[], winner?: Begun<unknown>): void {
  const why = Failure.canceled(LOST);
  for (const one of begun) if (one !== winner) one.giveUp(why);
}
