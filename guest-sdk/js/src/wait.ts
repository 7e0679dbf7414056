/**
 * What workflow code can wait for: promises that can be given up.
 *
 * Giving up is what {@link select}, {@link timeout} and the others do with what has lost, and what happens to all that
 * a given up function waits for. It says to the host that the end is no longer wanted.
 */
import { Failure } from "./failure";
import { currentRegion, type Region } from "./region";
import { DurablePromise } from "./promise";

/** Why what has lost is given up. */
export const LOST = "no longer waited for";

export abstract class Wait<T> extends DurablePromise<T> {
  private region = currentRegion();

  constructor() {
    super();
    const why = this.region?.givenUp;
    if (why === undefined) this.region?.waits.add(this);
    else this.reject(why);
  }

  /** Ends it with a value. */
  protected fulfil(value: T): void {
    this.leave();
    this.resolve(value);
  }

  /** Ends it with a failure. */
  protected reject(why: unknown): void {
    this.leave();
    this.rejectOnce(why);
  }

  /** It is now another region's. */
  moveTo(region: Region): void {
    this.region?.waits.delete(this);
    this.region = region;
    region.waits.add(this);
  }

  /** Nobody waits for it any more. Its promise is rejected, and nobody has to look at that. */
  giveUp(why: Failure): void {
    if (!this.isPending()) return this.giveBack();
    this.release();
    this.markHandled();
    this.reject(why);
  }

  /** Tells whoever would end it that it is no longer wanted. */
  protected abstract release(): void;

  /** It has ended, and what it has got is not wanted. */
  protected giveBack(): void {}

  /** Whether what it waits for has happened, though its turn has not come. */
  hasNews(): boolean {
    return false;
  }

  private leave(): void {
    this.region?.waits.delete(this);
  }
}

/** Why the code that calls this was given up, if it was: such code starts nothing. */
export function givenUp(): Failure | undefined {
  return currentRegion()?.givenUp;
}

/**
 * The same promise, for a {@link select}, {@link timeout} or other combinator that shall not give it up when it has
 * not won.
 *
 * ```ts
 * const copy = activity<number>("copy", "/data", { startToClose: "1h" });
 * try {
 *   return await timeout("5m", keep(copy));
 * } catch (error) {
 *   if (!(error instanceof Elapsed)) throw error;
 *   log.warn("slow today");
 *   return await copy;
 * }
 * ```
 */
export function keep<T>(promise: PromiseLike<T>): Promise<T> {
  return new Kept(promise);
}

/** Made by {@link keep}. */
export class Kept<T> extends DurablePromise<T> {
  constructor(readonly promise: PromiseLike<T>) {
    super();
    promise.then(
      (value) => this.resolve(value),
      (reason: unknown) => this.rejectOnce(reason),
    );
    this.markHandled();
  }
}
