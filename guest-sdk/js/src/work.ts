/**
 * Activities and children: work that can be canceled, by hand, with the run, or with the scope that it was started
 * in.
 */
import { Failure } from "./failure";
import { onCancelRequest, Op, requestedToCancel } from "./inbox";
import { DurablePromise } from "./promise";
import { currentRegion } from "./region";
import { LOST } from "./wait";
import type { Payload } from "./wire";

/** Work that was started: a promise of what becomes of it. */
export interface Running<T> extends Promise<T> {
  /**
   * Asks it to end. Await the promise to see what came of it: the result, when that was faster, or a failure for which
   * {@link Failure.isCanceled} is true.
   */
  cancel(reason: string): void;
  /**
   * Gives up its outcome: the work goes on, and the run is not woken when it ends. A promise that is merely not awaited
   * is not detached, as nobody can tell when it is out of use.
   */
  detach(): void;
}

export class Work<T> extends Op<T> implements Running<T> {
  private readonly run = currentRegion()?.run;
  private stopListening = () => {};

  constructor(op: number, withRun: boolean, read: (output: Payload) => T, failed: (failure: Failure) => Failure) {
    super(op, "detach", (outcome) => {
      this.over();
      if (outcome.tag === "err") throw failed(Failure.fromWire(outcome.val));
      return read(outcome.val);
    });
    this.run?.ops.add(this as Op<unknown>);
    if (!withRun) return;
    const requested = requestedToCancel();
    if (requested !== undefined) this.cancel(requested);
    else this.stopListening = onCancelRequest((reason) => this.cancel(reason));
  }

  detach(): void {
    this.giveUp(Failure.canceled(LOST));
  }

  protected override release(): void {
    super.release();
    this.over();
  }

  private over(): void {
    this.run?.ops.delete(this as Op<unknown>);
    this.stopListening();
  }
}

/** Work that could not be started. */
export class Unstarted<T> extends DurablePromise<T> implements Running<T> {
  constructor(why: Failure) {
    super();
    this.rejectOnce(why);
  }

  cancel(): void {}

  detach(): void {
    this.markHandled();
  }
}
