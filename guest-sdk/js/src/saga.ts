/** Sagas: undo what was done, in reverse order, when a later step fails. */
import { Failure } from "./failure";
import { log } from "./log";
import { CancelScope, shield } from "./scope";

/** How many failed compensations a message names; the details have all of them. */
const NAMED = 5;

/** The compensations registered so far; see {@link saga}. */
export interface Saga {
  /**
   * Registers what undoes the next step. It is called only if the saga fails; give what it starts a retry policy of its
   * own.
   */
  undo(name: string, compensation: () => unknown): void;
}

/** One compensation that ran: its name, and why it failed, if it did. */
export interface Compensated {
  readonly undo: string;
  readonly failure: string | null;
}

/** The details of a failed {@link saga}, in the order in which the compensations ran. */
export interface Compensations {
  readonly compensations: readonly Compensated[];
}

/**
 * Runs `body`; when it fails, runs the compensations that it registered, the last one first.
 *
 * Register a compensation *before* the step that it undoes: a step that fails half way is undone too. So write
 * compensations that do no harm when there is nothing to undo.
 *
 * ```ts
 * const step = (name: string) => activity(name, "order 7", { startToClose: "30s" });
 * await saga("book the trip", async (saga) => {
 *   saga.undo("give the seat back", () => step("free-seat"));
 *   await context("book the seat", step("book-seat"));
 *   saga.undo("give the room back", () => step("free-room"));
 *   await context("book the room", step("book-room"));
 * });
 * ```
 *
 * Each compensation is tried again by its own retry policy, and the next begins when it has ended; so let it try hard,
 * but not for ever, or those before it never come. One that fails for good does not keep the others from running. When
 * the run was asked to end, or the {@link CancelScope} around it was canceled, compensations run all the same.
 *
 * The failure says what this saga was doing, which compensations failed, then why it failed: `book the trip (1 of 2
 * compensations failed: give the room back): book the room: no vacancy`. Its details are the {@link Compensations}, and
 * the run's log has a line for each as it begins and as it fails. An error that is no {@link Failure} is a bug, and
 * undoes nothing: the run is parked as it stands.
 */
export async function saga<T>(doing: string, body: (saga: Saga) => T | PromiseLike<T>): Promise<T> {
  const registered: { name: string; compensation: () => unknown }[] = [];
  const saga: Saga = {
    undo: (name, compensation) => {
      registered.push({ name, compensation });
    },
  };
  try {
    // A scope of its own: when one around it is canceled, the body is given up alone, and the compensations run.
    return await new CancelScope().run(() => body(saga));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const why = error;
    const compensations: Compensated[] = [];
    for (const { name, compensation } of registered.reverse()) {
      log.info(`undo: ${name}`, { because: why });
      const failure = await shield(() => undo(compensation));
      if (failure !== null) log.error(`could not ${name}: ${failure}`);
      compensations.push({ undo: name, failure });
    }
    throw why.context(doing + shown(compensations)).withDetails({ compensations });
  }
}

/** Why it failed, if it did. */
async function undo(compensation: () => unknown): Promise<string | null> {
  try {
    await compensation();
    return null;
  } catch (error) {
    if (error instanceof Failure) return error.toString();
    throw error;
  }
}

function shown(compensations: readonly Compensated[]): string {
  const failed = compensations.filter(({ failure }) => failure !== null);
  if (failed.length === 0) return "";
  const names = failed.slice(0, NAMED).map(({ undo }) => undo);
  const more = failed.length > NAMED ? ", ..." : "";
  return ` (${failed.length} of ${compensations.length} compensations failed: ${names.join(", ")}${more})`;
}
