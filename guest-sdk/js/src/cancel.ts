/** The wish that a run end. */
import { begin, Combined, type Work } from "./begin";
import { Failure } from "./failure";
import { onCancelRequest, requestedToCancel } from "./inbox";
import { mustBeInRun } from "./jobs";
import { DurablePromise } from "./promise";
import { Wait } from "./wait";

/** Whether someone asked this run to end early. */
export function isCancelRequested(): boolean {
  return requestedToCancel() !== undefined;
}

/**
 * Waits until someone asks this run to end early; gives the reason.
 *
 * Nothing is canceled by itself: the workflow hears of it here or through {@link orCanceled}, and cleans up.
 */
export function canceled(): Promise<string> {
  mustBeInRun("canceled()");
  return new Canceled();
}

class Canceled extends Wait<string> {
  private stop = () => {};

  constructor() {
    super();
    if (!this.isPending()) return;
    const reason = requestedToCancel();
    if (reason !== undefined) this.fulfil(reason);
    else {
      this.stop = onCancelRequest((reason) => {
        this.stop();
        this.fulfil(reason);
      });
    }
  }

  protected release(): void {
    this.stop();
  }
}

/**
 * What comes of `work`, or a failure of kind canceled as soon as someone asks this run to end. `work` is then given up.
 *
 * It is all that most workflows need: the failure passes through the {@link saga}s, which undo, and a workflow that
 * throws it ends as canceled. A function is not called when the request is already there.
 *
 * ```ts
 * await orCanceled(sleep("30d"));
 * await orCanceled(async () => { ... });
 * ```
 */
export function orCanceled<T>(work: Work<T>): Promise<T> {
  mustBeInRun("orCanceled()");
  const requested = requestedToCancel();
  if (requested !== undefined) {
    const why = Failure.canceled(requested);
    if (typeof work !== "function") begin(work).giveUp(why);
    return DurablePromise.reject(why);
  }
  const begun = begin(work);
  const result = new Combined<T>([begun]);
  const stop = onCancelRequest((reason) => {
    stop();
    result.giveUp(Failure.canceled(reason));
  });
  begun.promise.then(
    (value) => {
      stop();
      result.resolve(value);
    },
    (error: unknown) => {
      stop();
      result.rejectOnce(error);
    },
  );
  return result;
}
