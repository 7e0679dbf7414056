/**
 * `Promise` as workflow code sees it: the language's, on the SDK's own [queue](./jobs.ts).
 *
 * It keeps the order of jobs that ECMAScript prescribes, so what runs when is known from the language alone. Beyond
 * the language it remembers where in the program a reaction was registered (see {@link Context}), and which
 * rejections nobody has looked at.
 */
import { current, enqueue, within, type Context } from "./jobs";

type Resolve<T> = (value: T | PromiseLike<T>) => void;
type Reject = (reason?: unknown) => void;
type State = "pending" | "fulfilled" | "rejected";

interface Reaction {
  readonly place: Context | undefined;
  readonly fulfilled: (value: unknown) => void;
  readonly rejected: (reason: unknown) => void;
}

/** Rejections that nobody has looked at, in the order in which they came: since the last {@link freshReasons}, and before. */
let fresh = new Set<DurablePromise<unknown>>();
let old = new Set<DurablePromise<unknown>>();

/** Given to the constructor by subclasses that settle themselves. */
const NO_EXECUTOR = () => {};

export class DurablePromise<T> implements Promise<T> {
  private state: State = "pending";
  private result: unknown = undefined;
  private reactions: Reaction[] = [];
  private handled = false;
  /** Resolved, perhaps with another promise that has not settled yet. */
  private resolved = false;

  constructor(executor: (resolve: Resolve<T>, reject: Reject) => void = NO_EXECUTOR) {
    if (typeof executor !== "function") throw new TypeError(`Promise resolver ${String(executor)} is not a function`);
    if (executor === NO_EXECUTOR) return;
    try {
      executor(
        (value) => this.resolve(value),
        (reason) => this.rejectOnce(reason),
      );
    } catch (error) {
      this.rejectOnce(error);
    }
  }

  get [Symbol.toStringTag](): string {
    return "Promise";
  }

  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: any) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const derived = new DurablePromise<A | B>();
    const settle = (handler: (value: never) => unknown) => (value: unknown) => {
      try {
        derived.resolve(handler(value as never) as A | B);
      } catch (error) {
        derived.rejectOnce(error);
      }
    };
    this.react({
      place: current(),
      fulfilled:
        typeof onFulfilled === "function" ? settle(onFulfilled) : (value) => derived.resolve(value as A | B),
      rejected: typeof onRejected === "function" ? settle(onRejected) : (reason) => derived.rejectOnce(reason),
    });
    return derived;
  }

  catch<B = never>(onRejected?: ((reason: any) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.then(undefined, onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<T> {
    if (typeof onFinally !== "function") return this.then();
    return this.then(
      (value) => DurablePromise.resolve(onFinally()).then(() => value),
      (reason: unknown) =>
        DurablePromise.resolve(onFinally()).then(() => {
          throw reason;
        }),
    );
  }

  /** Whether it has neither a value nor a reason yet. */
  isPending(): boolean {
    return this.state === "pending";
  }

  /** Its value or reason, once it has one. */
  settled(): { status: "fulfilled"; value: T } | { status: "rejected"; value?: never; reason: unknown } | undefined {
    switch (this.state) {
      case "pending":
        return undefined;
      case "fulfilled":
        return { status: "fulfilled", value: this.result as T };
      case "rejected":
        return { status: "rejected", reason: this.result };
    }
  }

  /** Resolves it, unless it was resolved or rejected before. */
  resolve(value: T | PromiseLike<T>): void {
    if (this.resolved) return;
    this.resolved = true;
    if (value === (this as unknown)) {
      return this.settle("rejected", new TypeError("a promise cannot be resolved with itself"));
    }
    let then: unknown;
    try {
      then = isObject(value) ? value.then : undefined;
    } catch (error) {
      return this.settle("rejected", error);
    }
    if (typeof then !== "function") return this.settle("fulfilled", value);
    const place = current();
    enqueue(() => within(place, () => this.follow(value, then)));
  }

  /** Rejects it, unless it was resolved or rejected before. */
  rejectOnce(reason: unknown): void {
    if (this.resolved) return;
    this.resolved = true;
    this.settle("rejected", reason);
  }

  /** Nobody has to look at its rejection. */
  markHandled(): void {
    this.handled = true;
    fresh.delete(this);
    old.delete(this);
  }

  private follow(value: unknown, then: Function): void {
    let called = false;
    const once = (settle: (value: unknown) => void) => (value: unknown) => {
      if (called) return;
      called = true;
      settle(value);
    };
    const again = (value: unknown) => {
      this.resolved = false;
      this.resolve(value as T);
    };
    const reject = once((reason) => this.settle("rejected", reason));
    try {
      then.call(value, once(again), reject);
    } catch (error) {
      reject(error);
    }
  }

  private settle(state: "fulfilled" | "rejected", result: unknown): void {
    this.state = state;
    this.result = result;
    if (state === "rejected" && !this.handled) fresh.add(this);
    const reactions = this.reactions;
    this.reactions = [];
    for (const reaction of reactions) this.schedule(reaction);
  }

  private react(reaction: Reaction): void {
    this.markHandled();
    if (this.state === "pending") this.reactions.push(reaction);
    else this.schedule(reaction);
  }

  private schedule(reaction: Reaction): void {
    const react = this.state === "fulfilled" ? reaction.fulfilled : reaction.rejected;
    enqueue(() => within(reaction.place, () => react(this.result)));
  }

  static resolve(): Promise<void>;
  static resolve<T>(value: T): Promise<Awaited<T>>;
  static resolve(value?: unknown): Promise<unknown> {
    if (value instanceof DurablePromise) return value;
    const promise = new DurablePromise<unknown>();
    promise.resolve(value);
    return promise;
  }

  static reject<T = never>(reason?: unknown): Promise<T> {
    const promise = new DurablePromise<T>();
    promise.rejectOnce(reason);
    return promise;
  }

  static withResolvers<T>(): { promise: Promise<T>; resolve: Resolve<T>; reject: Reject } {
    const promise = new DurablePromise<T>();
    return {
      promise,
      resolve: (value) => promise.resolve(value),
      reject: (reason) => promise.rejectOnce(reason),
    };
  }

  static try<T>(body: (...args: unknown[]) => T | PromiseLike<T>, ...args: unknown[]): Promise<T> {
    return new DurablePromise<T>((resolve) => resolve(body(...args)));
  }

  static all(values: Iterable<unknown>): Promise<unknown[]> {
    return gather(values, (item, settled, reject) => item.then(settled, reject));
  }

  static allSettled(values: Iterable<unknown>): Promise<unknown[]> {
    return gather(values, (item, settled) =>
      item.then(
        (value) => settled({ status: "fulfilled", value }),
        (reason: unknown) => settled({ status: "rejected", reason }),
      ),
    );
  }

  static any(values: Iterable<unknown>): Promise<unknown> {
    const first = new DurablePromise<unknown>();
    const reasons = gather(values, (item, settled) => item.then((value) => first.resolve(value), settled));
    void reasons.then((reasons) =>
      first.rejectOnce(new AggregateError(reasons, "all promises were rejected")),
    );
    return first;
  }

  static race(values: Iterable<unknown>): Promise<unknown> {
    return new DurablePromise<unknown>((resolve, reject) => {
      for (const value of values) void DurablePromise.resolve(value).then(resolve, reject);
    });
  }
}

// Named as the language's, which is what it stands for in stack traces and in what is printed.
Object.defineProperty(DurablePromise, "name", { value: "Promise" });

function gather(
  values: Iterable<unknown>,
  join: (item: Promise<unknown>, settled: (value: unknown) => void, reject: Reject) => unknown,
): Promise<unknown[]> {
  return new DurablePromise<unknown[]>((resolve, reject) => {
    const results: unknown[] = [];
    let open = 1;
    const closeOne = () => {
      open -= 1;
      if (open === 0) resolve(results);
    };
    let index = 0;
    for (const value of values) {
      const place = index++;
      results.push(undefined);
      open += 1;
      join(
        DurablePromise.resolve(value),
        (result) => {
          results[place] = result;
          closeOne();
        },
        reject,
      );
    }
    closeOne();
  });
}

function isObject(value: unknown): value is { then?: unknown } {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** The reasons of rejections that came since the last call, and that nobody has looked at. */
export function freshReasons(): unknown[] {
  const promises = fresh;
  fresh = new Set();
  for (const promise of promises) old.add(promise);
  return [...promises].map(reasonOf);
}

/** The reasons of all rejections that nobody has looked at, in the order in which they came. */
export function unhandledReasons(): unknown[] {
  freshReasons();
  return [...old].map(reasonOf);
}

function reasonOf(promise: DurablePromise<unknown>): unknown {
  const settled = promise.settled();
  return settled?.status === "rejected" ? settled.reason : undefined;
}

/** Forgets about rejections: a new run begins. */
export function resetUnhandled(): void {
  fresh = new Set();
  old = new Set();
}
