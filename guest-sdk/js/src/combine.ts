/**
 * Several at once: all of them, the first of them, or one for a limited time.
 *
 * Promises have begun when they are given; functions are called in the order in which they are given.
 */
import { begin, Combined, giveUpOthers, type Begun, type Work } from "./begin";
import type { Duration } from "./duration";
import { Failure } from "./failure";
import { makeReady } from "./inbox";
import { mustBeInRun } from "./jobs";
import { sleep, Elapsed } from "./time";

type Branches = Readonly<Record<string, Work<unknown>>>;

/** What a branch gives. */
type Given<W> = W extends () => infer R ? Awaited<R> : Awaited<W>;

/** The branch that was first, and its value. */
export type Selected<B extends Branches> = {
  [K in keyof B & string]: { readonly key: K; readonly value: Given<B[K]> };
}[keyof B & string];

/**
 * Waits for the first of some branches; the others are given up before anything else runs.
 *
 * The one whose event happened first wins. Of those that are ready from the start, the uppermost wins. A branch that
 * fails first makes it fail.
 *
 * ```ts
 * const first = await select({ answer: answer.receive(), late: sleep("7d") });
 * return first.key === "answer" ? first.value : "nobody answered";
 * ```
 */
export function select<const B extends Branches>(branches: B): Promise<Selected<B>> {
  mustBeInRun("select()");
  const entries = Object.entries(branches).map(([key, work]) => ({ key, begun: begin(work) }));
  if (entries.length === 0) throw new TypeError("select() needs at least one branch, or it would wait for ever");
  const all = entries.map(({ begun }) => begun);
  const first = new Combined<{ key: string; value: unknown }>(all);
  for (const { key, begun } of entries) {
    begun.promise.then(
      (value) => {
        if (!first.isPending()) return;
        giveUpOthers(all, begun);
        first.resolve(Object.freeze({ key, value }));
      },
      (error: unknown) => {
        if (!first.isPending()) return;
        giveUpOthers(all, begun);
        first.rejectOnce(error);
      },
    );
  }
  return first as Promise<unknown> as Promise<Selected<B>>;
}

/**
 * What comes of `work`, or a failure of type `Elapsed` (and of class {@link Elapsed}) when that takes longer than
 * `limit`; `work` is then given up, unless it was {@link keep kept}. When both are there at once, the work has won.
 *
 * ```ts
 * await timeout("5m", answer.receive());
 * await timeout("1h", async () => { ... });
 * ```
 *
 * Of a function the timer is started first, then it is called.
 */
export function timeout<T>(limit: Duration, work: Work<T>): Promise<T> {
  mustBeInRun("timeout()");
  const timerFirst = typeof work === "function" ? begin(sleep(limit)) : undefined;
  const begun = begin(work);
  const timer = timerFirst ?? begin(sleep(limit));
  const result = new Combined<T>([begun, timer]);
  const settle = (how: () => void) => {
    if (!result.isPending()) return;
    timer.giveUp(Failure.canceled("in time"));
    how();
  };
  begun.promise.then(
    (value) => settle(() => result.resolve(value)),
    (error: unknown) => settle(() => result.rejectOnce(error)),
  );
  const elapse = () => {
    if (!result.isPending()) return;
    // What has happened by now is looked at first.
    if (begun.hasNews()) return makeReady(elapse);
    begun.giveUp(Failure.canceled("out of time"));
    result.rejectOnce(new Elapsed(limit));
  };
  timer.promise.then(elapse, (error: unknown) => result.rejectOnce(error));
  return result;
}

export interface AllOptions {
  /** How many at once; the next is taken from what is given when one has ended. For functions. */
  limit?: number;
}

/**
 * Waits for all; gives their values in the order in which they are given, whatever the order in which they ended.
 *
 * The first that fails makes it fail, and the others are given up then. (`Promise.all` lets them go on.)
 *
 * ```ts
 * const pages = await all(urls.map((url) => () => fetchPage(url)), { limit: 8 });
 * ```
 */
export function all<const W extends readonly Work<unknown>[]>(
  works: W,
  options?: AllOptions,
): Promise<{ -readonly [K in keyof W]: Given<W[K]> }>;
export function all<T>(works: Iterable<Work<T>>, options?: AllOptions): Promise<T[]>;
export function all(works: Iterable<Work<unknown>>, options: AllOptions = {}): Promise<unknown> {
  return fanOut(works, options, (value) => ({ value }), undefined);
}

/** What became of one of {@link allSettled}. */
export type Settled<T> =
  | { readonly status: "fulfilled"; readonly value: T }
  | { readonly status: "rejected"; readonly reason: Failure };

/**
 * As {@link all}, and goes on when some fail: gives what became of each. Errors that are no {@link Failure} are bugs,
 * and make it fail.
 */
export function allSettled<const W extends readonly Work<unknown>[]>(
  works: W,
  options?: AllOptions,
): Promise<{ -readonly [K in keyof W]: Settled<Given<W[K]>> }>;
export function allSettled<T>(works: Iterable<Work<T>>, options?: AllOptions): Promise<Settled<T>[]>;
export function allSettled(works: Iterable<Work<unknown>>, options: AllOptions = {}): Promise<unknown> {
  return fanOut(
    works,
    options,
    (value): { value: Settled<unknown> } => ({ value: { status: "fulfilled", value } }),
    (reason) => ({ value: { status: "rejected", reason } }),
  );
}

/** Runs works, at most `limit` of them at once. `failed` says what stands for one that failed; without it all fails. */
function fanOut(
  works: Iterable<Work<unknown>>,
  { limit = Infinity }: AllOptions,
  done: (value: unknown) => { value: unknown },
  failed: ((reason: Failure) => { value: unknown }) | undefined,
): Promise<unknown[]> {
  mustBeInRun("all()");
  if (!(limit >= 1)) throw new RangeError(`a limit of ${limit}: give at least 1`);
  const source = works[Symbol.iterator]();
  const values: unknown[] = [];
  const running = new Set<Begun<unknown>>();
  let exhausted = false;
  const members: Begun<unknown> = {
    promise: undefined as never,
    giveUp: (why) => {
      exhausted = true;
      for (const one of [...running]) one.giveUp(why);
    },
    hasNews: () => [...running].some((one) => one.hasNews()),
  };
  const result = new Combined<unknown[]>([members]);
  const stop = (error: unknown) => {
    if (!result.isPending()) return;
    members.giveUp(Failure.canceled("another one has failed"));
    result.rejectOnce(error);
  };
  const fill = () => {
    try {
      while (!exhausted && running.size < limit) {
        const next = source.next();
        if (next.done === true) exhausted = true;
        else start(next.value);
      }
    } catch (error) {
      return stop(error);
    }
    if (exhausted && running.size === 0) result.resolve(values);
  };
  const start = (work: Work<unknown>) => {
    const place = values.push(undefined) - 1;
    const begun = begin(work);
    running.add(begun);
    const end = (outcome: { value: unknown }) => {
      if (!running.delete(begun) || !result.isPending()) return;
      values[place] = outcome.value;
      fill();
    };
    begun.promise.then(
      (value) => end(done(value)),
      (error: unknown) => {
        if (failed !== undefined && error instanceof Failure) return end(failed(error));
        running.delete(begun);
        stop(error);
      },
    );
  };
  fill();
  return result;
}
