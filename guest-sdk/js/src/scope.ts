/**
 * Scopes: what is canceled together.
 *
 * A *run* of a scope is one function that runs in it. Runs form a tree, by the code in which each was begun.
 */
import { changed, isQuiet, startLooking, stopLooking, type Looking } from "./conditions";
import { Failure } from "./failure";
import { onCancelRequest, requestedToCancel, type Op } from "./inbox";
import { mustBeInRun } from "./jobs";
import { DurablePromise } from "./promise";
import { currentRegion, Region } from "./region";

/**
 * Cancels what was started in it, all at once.
 *
 * ```ts
 * const scope = new CancelScope();
 * const copies = scope.run(() => all(["a", "b", "c"].map((disk) => copy(disk))));
 * void stop.receive().then(() => scope.cancel("stopped by hand"));
 * await copies;
 * ```
 *
 * What belongs to a scope are the activities and the children that code of a function which it {@link run}s has
 * started, however deep in what that calls. When it is canceled:
 *
 * 1. Each of them that is still open is asked to end, in the order in which they were started, as by
 *    {@link Running.cancel}. What was detached is not asked.
 * 2. What would be started in it from then on fails at once as canceled. Nobody else hears of it.
 * 3. Its code goes on: it sees the failures, and may clean up in a {@link shield}.
 * 4. Timers, receivers and conditions have nobody to ask. So when nothing that belongs to the scope is open any more,
 *    no shield is at work, and everything that could go on has run, they fail as canceled, with the reason; and what
 *    its code then still starts fails at once. A function that waits for something else even so is left alone, and
 *    the scope's failure is of kind canceled.
 *
 * A scope that is run in another's code is canceled with it, after what is the outer one's own, and 4. counts what
 * belongs to the inner one too. A {@link saga}'s body is such a scope, and its compensations are shielded: they run
 * whenever the scope around it is canceled, wherever the saga stood. What is sent to other executions belongs to no
 * scope.
 */
export class CancelScope {
  private reason: string | undefined;
  private readonly runs = new Set<ScopeRun>();
  private readonly withRun: boolean;

  /** `withRun`: cancel it also when someone asks the run to end. */
  constructor(options: { withRun?: boolean } = {}) {
    this.withRun = options.withRun ?? false;
  }

  /** Runs a function in this scope. More than one may run in the same scope. */
  run<T>(body: () => T | PromiseLike<T>): Promise<T> {
    mustBeInRun("a scope");
    const outer = currentRegion()?.run;
    const run = new ScopeRun(this, outer);
    this.runs.add(run);
    const outerReason = outer?.scope.canceledFor();
    if (outerReason !== undefined) this.cancel(outerReason);
    let stopListening = () => {};
    if (this.withRun) {
      const requested = requestedToCancel();
      if (requested !== undefined) this.cancel(requested);
      else stopListening = onCancelRequest((reason) => this.cancel(reason));
    }
    if (this.reason !== undefined) startLooking(run);
    return run.begin(body, () => {
      stopListening();
      this.runs.delete(run);
    });
  }

  /** Cancels it. The first reason counts; a scope is canceled once and for all. */
  cancel(reason: string): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    changed();
    for (const run of [...this.runs]) run.cancel(reason);
  }

  /** Whether it was canceled. */
  get isCanceled(): boolean {
    return this.reason !== undefined;
  }

  /** @internal Why it was canceled, once it was. */
  canceledFor(): string | undefined {
    return this.reason;
  }
}

/** @internal One function that runs in a scope. */
export class ScopeRun implements Looking {
  /** What belongs to it and has not ended, in the order in which it was started. */
  readonly ops = new Set<Op<unknown>>();
  private readonly nested = new Set<ScopeRun>();
  private readonly region: Region;
  private readonly result = new DurablePromise<unknown>();
  shields = 0;

  constructor(
    readonly scope: CancelScope,
    private readonly outer: ScopeRun | undefined,
  ) {
    outer?.nested.add(this);
    this.region = new Region(currentRegion(), this);
  }

  begin<T>(body: () => T | PromiseLike<T>, over: () => void): Promise<T> {
    const ended = () => {
      this.region.end();
      this.outer?.nested.delete(this);
      stopLooking(this);
      over();
    };
    const begun = this.region.enter(() => DurablePromise.try(body));
    void begun.then(
      (value) => {
        ended();
        this.result.resolve(value);
      },
      (error: unknown) => {
        ended();
        this.result.rejectOnce(error);
      },
    );
    return this.result as DurablePromise<T>;
  }

  cancel(reason: string): void {
    for (const op of [...this.ops]) if (op.isOpen()) op.cancel(reason);
    startLooking(this);
    for (const nested of [...this.nested]) nested.scope.cancel(reason);
  }

  /** Everything has run: fails what still waits, if nothing in it can end any more. */
  look(): void {
    const reason = this.scope.canceledFor();
    if (reason === undefined || !isQuiet() || this.isBusy()) return;
    // Who waits for the scope goes on, and may make conditions true.
    changed();
    const why = Failure.canceled(reason);
    if (this.region.givenUp === undefined) return this.region.giveUp(why);
    stopLooking(this);
    this.result.rejectOnce(why);
  }

  /** Whether something may still be seen to end by its code, or must not be cut off. */
  private isBusy(): boolean {
    return this.shields > 0 || some(this.ops, (op) => op.isOpen()) || some(this.nested, (run) => run.isBusy());
  }
}

function some<T>(items: Iterable<T>, is: (item: T) => boolean): boolean {
  for (const item of items) if (is(item)) return true;
  return false;
}

/** @internal Why nothing may be started by the code that calls this: it was given up, or its scope is canceled. */
export function refusal(): Failure | undefined {
  const region = currentRegion();
  const reason = region?.run?.scope.canceledFor();
  return region?.givenUp ?? (reason === undefined ? undefined : Failure.canceled(reason));
}

/**
 * Runs a function outside of the scopes around it: what it starts belongs to none of them, they wait until it has
 * ended, and it is not given up with what has lost a {@link select} or {@link timeout}. It is where code that was
 * canceled cleans up; {@link saga}s do so by themselves.
 *
 * ```ts
 * await scope.run(async () => {
 *   try {
 *     await activity("work", "bench 7", { startToClose: "1h" });
 *   } finally {
 *     await shield(() => activity("tidy up", "bench 7", { startToClose: "1m" }));
 *   }
 * });
 * ```
 */
export function shield<T>(body: () => T | PromiseLike<T>): Promise<T> {
  mustBeInRun("a shield");
  const outer = currentRegion();
  const run = outer?.run;
  if (run !== undefined) run.shields += 1;
  const region = new Region(outer, undefined, true);
  const ended = () => {
    region.end();
    if (run === undefined) return;
    run.shields -= 1;
    changed();
  };
  const begun = region.enter(() => DurablePromise.try(body));
  return begun.then(
    (value) => {
      ended();
      return value;
    },
    (error: unknown) => {
      ended();
      throw error;
    },
  );
}
