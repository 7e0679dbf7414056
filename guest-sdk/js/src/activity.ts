/** Activities: work with side effects, done outside the workflow. */
import { toWireOr, type Duration } from "./duration";
import { encodeFor, Failure } from "./failure";
import { activities } from "./host";
import { mustBeInRun } from "./jobs";
import { decode, named, namedNumber } from "./payload";
import * as retries from "./retry";
import type { Retry } from "./retry";
import type { Schema } from "./schema";
import { refusal } from "./scope";
import { Unstarted, Work, type Running } from "./work";
import type { ActivityOptions as WireOptions, Cancellation } from "./wire";

/** What `cancel` does to the work: asks it and fails at once, asks it and waits for what comes of it, or does not ask. */
export type { Cancellation } from "./wire";

interface Common<T> {
  /** At most this long from an attempt's scheduling to its start. What takes longer is not retried. */
  scheduleToStart?: Duration;
  /** An attempt that is silent for longer is retried. */
  heartbeat?: Duration;
  /** When and how often to try again. */
  retry?: Retry;
  /**
   * Whose work it is: the workers that poll this queue; without it the run's own. What a plugin of the host offers, the
   * host does itself, unless its configuration says otherwise of the queue.
   */
  taskQueue?: string;
  /** What {@link Running.cancel} does to the work; `"try-cancel"` by default. */
  cancellation?: Cancellation;
  /**
   * When someone asks the run to end, ask the activity too, and wait for what comes of it. Without it, a cancel request
   * is the workflow's own matter; leave it out where the work must be done all the same, as in compensations.
   */
  cancelWithRun?: boolean;
  /** 1 (first) to 5; 3 by default. Of what waits in a task queue, lower numbers start first. */
  priority?: number;
  /**
   * Whose turn it takes in its task queue, for example a tenant's: of what waits with the same priority, each key gets
   * its turn, however much another has waiting. A key of weight 2 gets two turns where another gets one; 0.001 to 1000.
   */
  fairness?: { key: string; weight?: number };
  /** One line for people who read the history. */
  summary?: string;
  /** Holds the result against a schema. */
  output?: Schema<T>;
}

/** How to go about an activity. One of `startToClose` and `scheduleToClose` is required. */
export type ActivityOptions<T = unknown> = Common<T> &
  (
    | {
        /** At most this long for each attempt. An attempt that takes longer is retried. */
        startToClose: Duration;
        /** At most this long for all attempts together. */
        scheduleToClose?: Duration;
      }
    | { startToClose?: Duration; scheduleToClose: Duration }
  );

/**
 * Starts an activity, at the call. What is returned is a promise of its result, which is rejected with a
 * {@link Failure} when it fails for good.
 *
 * ```ts
 * const text = await activity<string>("greet", "Ada", { startToClose: "10s", retry: { maximumAttempts: 3 } });
 * ```
 *
 * Two at once:
 *
 * ```ts
 * const left = activity<number>("count", "left", { startToClose: "10s" });
 * const right = activity<number>("count", "right", { startToClose: "10s" });
 * return (await left) + (await right);
 * ```
 */
export function activity<T = unknown>(name: string, input: unknown, options: ActivityOptions<T>): Running<T> {
  return start(activities.start, name, input, options);
}

/**
 * Starts a local activity: short work that needs no scheduling of its own, such as a lookup. The host runs it in its
 * own process at once, and what comes of it is recorded with the step, so that it costs no write of its own to the
 * disk before it starts and after it ended.
 *
 * What is faster is weaker, too: it runs *before* the step that starts it is durable. If the host dies in that moment,
 * the work was done and nobody knows; the step is done again, and may then decide otherwise (the time is another). So
 * take it for what does no harm twice or in vain, and {@link activity} for the rest.
 *
 * It is awaited, retried and canceled as an {@link activity} is. An attempt that takes longer than a few milliseconds
 * goes on as an ordinary one, and so does a retry that is more than a second away. It always runs in the host: a type
 * that none of the host's plugins offers fails as `not-found`, and `taskQueue`, `priority` and `fairness` are without
 * effect.
 */
export function localActivity<T = unknown>(name: string, input: unknown, options: ActivityOptions<T>): Running<T> {
  return start(activities.startLocal, name, input, options);
}

function start<T>(
  how: typeof activities.start,
  name: string,
  input: unknown,
  options: ActivityOptions<T>,
): Running<T> {
  mustBeInRun(`activity \`${name}\``);
  const refused = refusal();
  if (refused !== undefined) return new Unstarted<T>(refused);
  let payload;
  try {
    payload = encodeFor(`input of activity \`${name}\``, input);
  } catch (error) {
    return new Unstarted<T>(error as Failure);
  }
  return new Work<T>(
    how(name, payload, toWire(options)),
    options.cancelWithRun ?? false,
    (output) => {
      try {
        return decode(output, options.output);
      } catch (error) {
        throw (error as Failure).context(`result of activity \`${name}\``);
      }
    },
    (failure) => failure,
  );
}

function toWire(options: ActivityOptions<any>): WireOptions {
  const { retry, fairness } = options;
  const more = fairness === undefined ? [] : [named("fairness-key", fairness.key)];
  if (fairness?.weight !== undefined) more.push(namedNumber("fairness-weight", fairness.weight));
  return {
    taskQueue: options.taskQueue ?? null,
    scheduleToCloseTimeout: toWireOr(options.scheduleToClose),
    scheduleToStartTimeout: toWireOr(options.scheduleToStart),
    startToCloseTimeout: toWireOr(options.startToClose),
    heartbeatTimeout: toWireOr(options.heartbeat),
    retry: retry === undefined ? null : retries.toWire(retry),
    cancellation: options.cancellation ?? "try-cancel",
    priority: options.priority ?? null,
    summary: options.summary ?? null,
    more,
  };
}

/** The functions of `T` as activities, each named as its property. */
export type Activities<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer A) => infer R
    ? (input: A[0], more?: Partial<ActivityOptions>) => Running<Awaited<R>>
    : never;
};

/**
 * The activities that someone offers, as functions; `options` hold for each.
 *
 * ```ts
 * interface Mail {
 *   send(letter: { to: string; text: string }): void;
 * }
 * const mail = activitiesOf<Mail>({ startToClose: "1m" });
 * await mail.send({ to: "ada@example.com", text: "Welcome" });
 * ```
 *
 * `prefix` comes before each name: `{ prefix: "fs." }` makes `hash` the activity `fs.hash`.
 */
export function activitiesOf<T>(options: ActivityOptions & { prefix?: string }): Activities<T> {
  const { prefix = "", ...common } = options;
  const start = (name: string) => (input?: unknown, more?: Partial<ActivityOptions>) =>
    activity(prefix + name, input ?? null, { ...common, ...more } as ActivityOptions);
  return new Proxy({} as Activities<T>, {
    get: (_, name) => (typeof name === "string" && name !== "then" ? start(name) : undefined),
  });
}
