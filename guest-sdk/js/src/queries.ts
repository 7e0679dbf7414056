/** Queries: what others ask a run, answered from what the workflow knows, by an instance that is thrown away. */
import { describe } from "./bugs";
import { encodeFor, Failure } from "./failure";
import { messages } from "./host";
import { mustBeInRun } from "./jobs";
import { decode } from "./payload";
import type { Schema } from "./schema";
import type { Outcome, Payload, Query as Wire } from "./wire";

export interface RequestOptions<I, O> {
  /** What it tells or does, for people who may send it. */
  doc?: string;
  /** What it is sent with. */
  input?: Schema<I>;
  /** What is answered. */
  output?: Schema<O>;
}

/**
 * A kind of query: its name, what it is asked with, and what is answered.
 *
 * ```ts
 * const left = query("left", { output: s.integer(), doc: "How many days are left." });
 *
 * export const countdown = workflow({ name: "countdown", input: s.integer(), queries: [left] }, async (days) => {
 *   left.handle(() => days);
 *   for (; days > 0; days -= 1) await sleep("1d");
 * });
 * ```
 *
 * Set the handler before the first `await`, so that it is there whenever someone asks. Each query is asked in an
 * instance of its own, which is brought to where the run stands, asked, and thrown away: what a handler changes is
 * gone, and one that starts, cancels or waits for anything fails its query (`query-tried-to-change`). An error fails
 * the query and nothing else. A run that has ended is asked too, by the handlers that it had.
 */
export interface Query<I, O> extends RequestOptions<I, O> {
  readonly name: string;
  /**
   * Answers this query from now on, in place of the handler before, if there was one. Who asks what cannot be answered
   * gets the {@link Failure} that it throws.
   */
  handle(handler: (input: I) => O): void;
}

type Handler = (input: Payload) => Payload;

/** They outlive the workflow's own code: a run that has ended is asked too. */
const handlers = new Map<string, Handler>();

/** Forgets all handlers: a new run begins. */
export function openQueries(): void {
  handlers.clear();
}

/** Whether any query has a handler. */
export function areHandled(): boolean {
  return handlers.size > 0;
}

/** The query of that name. */
export function query<I = null, O = unknown>(name: string, options: RequestOptions<I, O> = {}): Query<I, O> {
  return {
    ...options,
    name,
    handle: (handler) => {
      mustBeInRun(`query \`${name}\``);
      handlers.delete(name);
      handlers.set(name, (payload) => {
        const input = read(name, payload, options.input);
        return encodeFor(`answer to query \`${name}\``, mustBeThere(name, handler(input)));
      });
    },
  };
}

function read<I>(name: string, payload: Payload, schema: Schema<I> | undefined): I {
  try {
    return decode(payload, schema);
  } catch (error) {
    throw (error as Failure).context(`input of query \`${name}\``);
  }
}

/** A promise would be answered as `{}`. */
function mustBeThere<T>(name: string, answer: T): T {
  if (answer instanceof Promise) {
    throw new TypeError(`the handler of query \`${name}\` is asynchronous: answer from what the workflow knows`);
  }
  return answer;
}

/** Answers a query that a wait has delivered. */
export function answer({ request, name, input }: Wire): void {
  messages.answer(request, outcomeOf(name, input));
}

function outcomeOf(name: string, input: Payload): Outcome {
  try {
    const handler = handlers.get(name);
    if (handler === undefined) throw unknown(name);
    return { tag: "ok", val: handler(input) };
  } catch (error) {
    const failure =
      error instanceof Failure
        ? error
        : Failure.of("host", "query-failed", `the workflow's code trapped: ${describe(error)}`);
    return { tag: "err", val: failure.toWire() };
  }
}

function unknown(name: string): Failure {
  const known = handlers.size === 0 ? "none" : [...handlers.keys()].join(", ");
  return Failure.of("host", "not-found", `the workflow answers no query \`${name}\`; it answers ${known}`);
}
