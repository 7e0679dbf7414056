/** The handlers of signals and updates that are under way, and the updates that wait for theirs. */
import { changed } from "./conditions";
import { fatal } from "./bugs";
import { Failure } from "./failure";
import { makeReady } from "./inbox";
import { mustBeInRun, within, type Context } from "./jobs";
import { log } from "./log";
import { DurablePromise } from "./promise";
import { Queue } from "./queue";
import type { Update } from "./wire";

export type Handled = "signal" | "update";

interface Running {
  readonly kind: Handled;
  readonly name: string;
  count: number;
}

let running = new Map<string, Running>();
let updates = new Queue<Update>();
let handleUpdate: ((update: Update) => void) | undefined;

/** Forgets everything: a new run begins. */
export function openHandlers(): void {
  running = new Map();
  updates = new Queue();
  handleUpdate = undefined;
}

/** The handlers that have not finished, and how many of each. */
export function unfinishedHandlers(): readonly Running[] {
  return [...running.values()].filter(({ count }) => count > 0);
}

/** Says how updates are handled. Without it they are left to the host, which rejects them. */
export function handleUpdatesBy(handle: (update: Update) => void): void {
  handleUpdate = handle;
}

/** Takes an update in. */
export function deliverUpdate(update: Update): void {
  updates.push(update);
}

/** Handles the update that came first, if there is one. */
export function handleNextUpdate(): boolean {
  const update = updates.shift();
  if (update === undefined) return false;
  handleUpdate?.(update);
  changed();
  return true;
}

/**
 * Runs a handler when it is its turn. It counts as under way from now on. Whoever has set it, it is no code of theirs:
 * it ends neither with them nor with their scope.
 */
export function runHandler(kind: Handled, name: string, body: () => unknown, update?: Context["update"]): void {
  const key = `${kind} ${name}`;
  const entry = running.get(key) ?? { kind, name, count: 0 };
  running.set(key, entry);
  entry.count += 1;
  const ended = () => {
    entry.count -= 1;
  };
  makeReady(() => {
    const place = mustBeInRun("a handler");
    const begun = within({ ...place, update }, () => DurablePromise.try(body));
    void begun.then(ended, (error: unknown) => {
      ended();
      if (!(error instanceof Failure)) return fatal(error);
      log.error(`handler of ${kind} \`${name}\` failed: ${error}`);
    });
  });
}

/**
 * Whether all handlers of signals and updates have finished, and every update that came has been handled. Wait for
 * it before the workflow ends, or they are cut off wherever they are:
 *
 * ```ts
 * await condition(allHandlersFinished);
 * return continueAsNew(state);
 * ```
 */
export function allHandlersFinished(): boolean {
  return updates.length === 0 && unfinishedHandlers().length === 0;
}
