/** Updates: what others ask a run to do, let in or turned down, worked on, and answered. */
import { fatal } from "./bugs";
import { encodeFor, Failure } from "./failure";
import { handleUpdatesBy, runHandler } from "./handlers";
import { messages } from "./host";
import { current, mustBeInRun, within } from "./jobs";
import { decode } from "./payload";
import type { RequestOptions } from "./queries";
import type { Outcome, Payload, Update as Wire } from "./wire";

/** Which update is handled; see {@link currentUpdate}. */
export interface UpdateInfo {
  /** Its id: the same in whatever way and however often its sender asks for it. */
  readonly id: string;
  readonly name: string;
}

/**
 * A kind of update: its name, what it is sent with, and what is answered.
 *
 * An update is a request that changes the run: it is checked, let in or turned down, worked on by its handler, and
 * answered. Set the handler before the first `await`, so that it is there whenever one comes; the run may even have
 * been started by it.
 *
 * ```ts
 * const add = update("add", { input: s.string(), output: s.integer(), doc: "Adds to the cart; how much is in it." });
 *
 * add.handle(
 *   async (thing) => {
 *     await activity("reserve", thing, { startToClose: "10s" });
 *     return cart.push(thing);
 *   },
 *   (thing) => {
 *     if (thing === "") throw new Failure("say what to add", { type: "Nothing" });
 *   },
 * );
 * ```
 *
 * Several may be under way at once. Each begins when all that the same wait delivered was taken in and everything that
 * could go on because of it has run; the updates of one wait in their order, each up to where it waits. One for which
 * there is no handler then is rejected (`not-handled`): updates do not wait for a handler, as signals do. So is one
 * whose input does not fit.
 *
 * Who sent an update that was let in gets what the handler returns, or the {@link Failure} that it throws; a run that
 * ends before that answers with a failure (`run-ended`): wait for {@link allHandlersFinished}.
 */
export interface Update<I, O> extends RequestOptions<I, O> {
  readonly name: string;
  /**
   * Handles this update from now on, in place of the handler before, if there was one. Who sent one for which
   * `validate` throws a {@link Failure} gets that, and the run forgets about it. The validator sees the run as it is
   * when the handler would begin. It only looks: it changes nothing, and starts nothing.
   */
  handle(handler: (input: I) => O | PromiseLike<O>, validate?: (input: I) => void): void;
}

/** Lets an update with that input in, or throws why not. What is returned works on it. */
type Begin = (input: Payload) => () => Promise<Payload>;

let handlers = new Map<string, Begin>();

/** Forgets all handlers: a new run begins. */
export function openUpdates(): void {
  handlers = new Map();
}

/** The update of that name. */
export function update<I = unknown, O = unknown>(name: string, options: RequestOptions<I, O> = {}): Update<I, O> {
  return {
    ...options,
    name,
    handle: (handler, validate) => {
      mustBeInRun(`update \`${name}\``);
      handleUpdatesBy(handleOne);
      handlers.delete(name);
      handlers.set(name, (payload) => {
        let input: I;
        try {
          input = decode(payload, options.input);
        } catch (error) {
          throw badInput(`input of update \`${name}\``, error);
        }
        validate?.(input);
        return async () => encodeFor(`answer to update \`${name}\``, await handler(input));
      });
    },
  };
}

/** @internal An input that does not fit; the same one does not fit the next time. */
export function badInput(what: string, cause: unknown): Failure {
  return new Failure(what, { type: "bad-input", nonRetryable: true, cause });
}

/** Accepts or rejects an update that a wait has delivered. */
function handleOne({ request, updateId, name, input }: Wire): void {
  const begin = handlers.get(name);
  if (begin === undefined) return messages.reject(request, notHandled(name).toWire());
  const info: UpdateInfo = { id: updateId, name };
  const place = mustBeInRun("an update");
  let work: () => Promise<Payload>;
  try {
    work = within({ ...place, update: info }, () => begin(input));
  } catch (error) {
    if (error instanceof Failure) return messages.reject(request, error.toWire());
    return fatal(error);
  }
  messages.accept(request);
  const complete = (answer: Outcome) => messages.complete(request, answer);
  const body = async () => {
    let val: Payload;
    try {
      val = await work();
    } catch (error) {
      if (!(error instanceof Failure)) return fatal(error);
      return complete({ tag: "err", val: error.toWire() });
    }
    complete({ tag: "ok", val });
  };
  runHandler("update", name, body, info);
}

function notHandled(name: string): Failure {
  const known = [...handlers.keys()].join(", ");
  return Failure.of("host", "not-handled", `the workflow takes no update \`${name}\` now; it takes ${known}`);
}

/** The update whose validator or handler this is called from; `undefined` anywhere else. */
export function currentUpdate(): UpdateInfo | undefined {
  return current()?.update;
}
