/**
 * What the run was told and has not used yet: ends of ops, signals, a cancel request; and who waits for it.
 *
 * A wait's events are {@link deliver}ed all at once, so that `tryReceive` misses nothing that the journal says was
 * delivered. What they set going is run afterwards, one event at a time and each as far as it comes: of two things
 * that happen, what the first one leads to is done before the second one is seen, however deep in the code it is
 * waited for.
 */
import { waits } from "./host";
import { runHandler } from "./handlers";
import { Queue } from "./queue";
import { LOST, Wait } from "./wait";
import type { Event, Message, Outcome, Payload, UnreadSignal } from "./wire";

/** What becomes of an op whose end is no longer wanted. */
export type Unwanted =
  /** The work goes on; its end is never delivered. */
  | "detach"
  /** As nobody can see the difference, it is canceled as well, and no longer counts as open. */
  | "cancel";

export type SignalHandler = (input: Payload) => (() => unknown) | undefined;

/** A signal that can be given back. */
export interface Taken {
  /** Its place among all signals that came. */
  readonly place: number;
  readonly input: Payload;
}

interface Channel {
  readonly unread: Queue<Taken>;
  readonly waiting: Set<() => void>;
  handler: SignalHandler | undefined;
}

/** What events have set going, in their order. */
let ready = new Queue<() => void>();
const ops = new Map<number, Op<unknown>>();
const channels = new Map<string, Channel>();
let arrivals = 0;
let cancelReason: string | undefined;
const cancelListeners = new Set<(reason: string) => void>();

/** Forgets everything: a new run begins. */
export function open(): void {
  ready = new Queue();
  ops.clear();
  channels.clear();
  arrivals = 0;
  cancelReason = undefined;
  cancelListeners.clear();
}

/** The run has ended. Returns the signals that were not read, in the order in which they came. */
export function close(): UnreadSignal[] {
  const unread = [...channels].flatMap(([name, channel]) => channel.unread.drain().map((signal) => ({ name, ...signal })));
  return unread.sort((a, b) => a.place - b.place).map(({ name, input }) => ({ name, input }));
}

/** Adds to what is set going. */
export function makeReady(start: () => void): void {
  ready.push(start);
}

/** Takes what was set going first. */
export function takeReady(): (() => void) | undefined {
  return ready.shift();
}

/** Takes an event in. */
export function deliver(event: Event): void {
  if (event.tag === "message") return deliverMessage(event.val);
  // Without an entry nobody wants it.
  const op = ops.get(event.val.op);
  if (op === undefined) return;
  op.outcome = event.val.outcome;
  makeReady(() => op.finish());
}

function deliverMessage(message: Message): void {
  // The executor gives queries and updates to those who answer them; what has an unknown kind is to be ignored.
  if (message.tag === "signal") {
    const { name, input } = message.val;
    const channel = channelOf(name);
    if (channel.handler !== undefined) return handle(name, channel.handler, input);
    channel.unread.push({ place: ++arrivals, input });
    makeReady(() => wakeReceivers(channel));
  } else if (message.tag === "cancel-requested") {
    const { reason } = message.val;
    cancelReason = reason;
    makeReady(() => {
      for (const listener of [...cancelListeners]) listener(reason);
    });
  }
}

/** The end of an op that was started. */
export class Op<T> extends Wait<T> {
  outcome: Outcome | undefined;

  constructor(
    readonly id: number,
    private readonly unwanted: Unwanted,
    private readonly take: (outcome: Outcome) => T,
  ) {
    super();
    ops.set(id, this as Op<unknown>);
  }

  /** Whether its end is still to come, and wanted. */
  isOpen(): boolean {
    return this.isPending() && this.outcome === undefined;
  }

  /** Asks the host to end it. */
  cancel(reason: string): void {
    if (this.isPending()) waits.cancel(this.id, reason);
  }

  /** Its end is there, and it is its turn. */
  finish(): void {
    if (this.outcome === undefined || !this.isPending()) return;
    ops.delete(this.id);
    try {
      this.fulfil(this.take(this.outcome));
    } catch (error) {
      this.reject(error);
    }
  }

  override hasNews(): boolean {
    return this.isPending() && this.outcome !== undefined;
  }

  protected release(): void {
    ops.delete(this.id);
    if (this.outcome !== undefined) return;
    if (this.unwanted === "cancel") waits.cancel(this.id, LOST);
    waits.detach(this.id);
  }
}

function channelOf(name: string): Channel {
  let channel = channels.get(name);
  if (channel === undefined) {
    channel = { unread: new Queue(), waiting: new Set(), handler: undefined };
    channels.set(name, channel);
  }
  return channel;
}

function wakeReceivers(channel: Channel): void {
  for (const receiver of channel.waiting) {
    if (channel.unread.length === 0) return;
    receiver();
  }
}

export function hasUnread(name: string): boolean {
  return (channels.get(name)?.unread.length ?? 0) > 0;
}

/** Takes the oldest unread signal of that name. */
export function takeSignal(name: string): Taken | undefined {
  return channels.get(name)?.unread.shift();
}

/** Gives back a signal that nobody has looked at. */
export function giveSignalBack(name: string, signal: Taken): void {
  const { unread } = channelOf(name);
  const all = [...unread.drain(), signal];
  for (const one of all.sort((a, b) => a.place - b.place)) unread.push(one);
}

/** Calls `receiver` when there are signals of that name, after those who waited before. */
export function waitForSignal(name: string, receiver: () => void): void {
  channelOf(name).waiting.add(receiver);
}

export function stopWaitingForSignal(name: string, receiver: () => void): void {
  channels.get(name)?.waiting.delete(receiver);
}

/** From now on `handler` gets the signals of that name, beginning with those that are unread. */
export function handleSignal(name: string, handler: SignalHandler): void {
  const channel = channelOf(name);
  channel.handler = handler;
  for (const { input } of channel.unread.drain()) handle(name, handler, input);
}

function handle(name: string, handler: SignalHandler, input: Payload): void {
  const start = handler(input);
  if (start !== undefined) runHandler("signal", name, start);
}

/** The reason given with the cancel request, once there is one. */
export function requestedToCancel(): string | undefined {
  return cancelReason;
}

/** Calls `listener` when the cancel request comes, after those who asked before. Returns how to stop. */
export function onCancelRequest(listener: (reason: string) => void): () => void {
  cancelListeners.add(listener);
  return () => cancelListeners.delete(listener);
}
