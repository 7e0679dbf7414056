/** Signals: what others tell a run. */
import type { Execution } from "./external";
import type { Failure } from "./failure";
import * as inbox from "./inbox";
import { mustBeInRun } from "./jobs";
import { log } from "./log";
import { decode } from "./payload";
import type { Schema } from "./schema";
import { Wait } from "./wait";
import type { Payload } from "./wire";

export interface MessageOptions<I> {
  /** What it means, for people who may send it. */
  doc?: string;
  /** What it is sent with. */
  input?: Schema<I>;
}

/**
 * A kind of signal: its name and its type. All with one name are one queue.
 *
 * ```ts
 * const approved = signal("approved", { input: s.boolean(), doc: "Whether the order may be sent." });
 *
 * export const order = workflow({ name: "order", signals: [approved] }, async () =>
 *   (await approved.receive()) ? "sent" : "refused",
 * );
 * ```
 *
 * Signals that come while nobody waits are kept, and those that are still unread when the run
 * {@link continueAsNew continues as new} are the first that the next one gets. In any other case they end with the run,
 * and a warning in its log says so. One whose input does not fit is passed over, with an error in the run's log: who
 * sends nonsense must not be able to end a workflow.
 */
export interface Signal<T> extends MessageOptions<T> {
  readonly name: string;
  /** Waits for the next one. Who waited first gets the first. */
  receive(): Promise<T>;
  /** The next one, `undefined` if none is there. */
  tryReceive(): T | undefined;
  /** All that are there, in the order in which they came. */
  drain(): T[];
  /**
   * Handles this signal from now on, in place of the handler before, if there was one: each beside the workflow's own
   * code, so that several may be under way at once. They begin in the order in which the signals came, those that are
   * unread first. {@link receive} gets none any more.
   *
   * A handler that fails leaves a line in the run's log. A workflow that ends cuts its handlers off: wait for
   * {@link allHandlersFinished}.
   */
  handle(handler: (input: T) => unknown): void;
  /** Sends it to another execution: {@link Execution.signal} with the name and the type of this one. */
  sendTo(target: Execution, input: T): Promise<void>;
}

/** The signal of that name. */
export function signal<T = unknown>(name: string, options: MessageOptions<T> = {}): Signal<T> {
  return new SignalOf<T>(name, options.input, options.doc);
}

class SignalOf<T> implements Signal<T> {
  constructor(
    readonly name: string,
    readonly input: Schema<T> | undefined,
    readonly doc: string | undefined,
  ) {}

  receive(): Promise<T> {
    mustBeInRun(`signal \`${this.name}\``);
    return new Receive<T>(this.name, (input) => this.read(input));
  }

  tryReceive(): T | undefined {
    mustBeInRun(`signal \`${this.name}\``);
    for (;;) {
      const taken = inbox.takeSignal(this.name);
      if (taken === undefined) return undefined;
      const read = this.read(taken.input);
      if (read !== undefined) return read.value;
    }
  }

  drain(): T[] {
    const all: T[] = [];
    while (inbox.hasUnread(this.name)) {
      const taken = inbox.takeSignal(this.name);
      const read = taken && this.read(taken.input);
      if (read !== undefined) all.push(read.value);
    }
    return all;
  }

  handle(handler: (input: T) => unknown): void {
    mustBeInRun(`signal \`${this.name}\``);
    inbox.handleSignal(this.name, (input) => {
      const read = this.read(input);
      return read && (() => handler(read.value));
    });
  }

  sendTo(target: Execution, input: T): Promise<void> {
    return target.signal(this.name, input);
  }

  /** `undefined` for one that does not fit. */
  private read(input: Payload): { value: T } | undefined {
    try {
      return { value: decode(input, this.input) };
    } catch (error) {
      log.error(`signal passed over: ${error as Failure}`, { signal: this.name });
      return undefined;
    }
  }
}

/** The next signal of a name. To give it up takes none. */
class Receive<T> extends Wait<T> {
  private taken: inbox.Taken | undefined;
  private readonly receiver = () => this.take();

  constructor(
    private readonly name: string,
    private readonly read: (input: Payload) => { value: T } | undefined,
  ) {
    super();
    if (!this.isPending()) return;
    this.take();
    if (this.isPending()) inbox.waitForSignal(name, this.receiver);
  }

  override hasNews(): boolean {
    return this.isPending() && inbox.hasUnread(this.name);
  }

  protected release(): void {
    inbox.stopWaitingForSignal(this.name, this.receiver);
  }

  protected override giveBack(): void {
    if (this.taken !== undefined) inbox.giveSignalBack(this.name, this.taken);
    this.taken = undefined;
  }

  private take(): void {
    for (;;) {
      const taken = inbox.takeSignal(this.name);
      if (taken === undefined) return;
      const read = this.read(taken.input);
      if (read === undefined) continue;
      this.taken = taken;
      inbox.stopWaitingForSignal(this.name, this.receiver);
      return this.fulfil(read.value);
    }
  }
}
