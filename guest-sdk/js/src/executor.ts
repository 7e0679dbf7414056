/** Runs a workflow: one event after the other, each as far as it leads, and waits when nothing can go on. */
import { bug, describe as describeBug, openBugs } from "./bugs";
import * as conditions from "./conditions";
import { Failure } from "./failure";
import { deliverUpdate, handleNextUpdate, openHandlers, unfinishedHandlers } from "./handlers";
import { control, waits } from "./host";
import * as inbox from "./inbox";
import * as jobs from "./jobs";
import { log } from "./log";
import { freshReasons, resetUnhandled, unhandledReasons, type DurablePromise } from "./promise";
import * as queries from "./queries";
import { root } from "./region";
import { beginStep } from "./time";
import { openUpdates } from "./updates";
import type { Completion, UnreadSignal } from "./wire";

/**
 * Runs `main` to its end, and hands its completion to `over`, as code of the run still. Throws the bug that keeps it from
 * that. What else is under way ends with it: what that has open is the host's to end.
 */
export function run(main: () => Promise<Completion>, over: (completion: Completion) => void): Completion {
  jobs.reset();
  resetUnhandled();
  openBugs();
  inbox.open();
  queries.openQueries();
  openUpdates();
  conditions.openConditions();
  openHandlers();
  beginStep();
  return jobs.within(root(), () => {
    const completion = handOn(runToEnd(main));
    over(completion);
    return completion;
  });
}

function runToEnd(main: () => Promise<Completion>): Completion {
  let workflow: DurablePromise<Completion> | undefined;
  /** The workflow has ended, or cannot go on: nothing else runs then. */
  const over = (): boolean => bug() !== undefined || workflow?.isPending() === false;
  /** Runs what can go on. Returns how the workflow ended, if it did. */
  const settle = (): Completion | undefined => {
    jobs.drain(over);
    const found = bug();
    if (found !== undefined) throw found.error;
    const end = workflow?.settled();
    if (end?.status === "rejected") throw end.reason;
    return end?.value;
  };

  inbox.makeReady(() => {
    workflow = main() as DurablePromise<Completion>;
    workflow.markHandled();
  });
  for (;;) {
    for (let start = inbox.takeReady(); start !== undefined; start = inbox.takeReady()) {
      start();
      const completion = settle();
      if (completion !== undefined) return completion;
    }
    const looked = conditions.toLookAt();
    for (const one of looked) {
      if (!conditions.isLooking(one)) continue;
      one.look();
      const completion = settle();
      if (completion !== undefined) return completion;
    }
    if (looked.length > 0) continue;
    // One after the other, so that each sees what those before it have done.
    if (handleNextUpdate()) {
      const completion = settle();
      if (completion !== undefined) return completion;
      continue;
    }
    throwUnhandledBugs();
    wait();
  }
}

/** The one place where a workflow sleeps. All that came is delivered before anything runs on. */
function wait(): void {
  const events = waits.next({ tag: "everything" });
  beginStep();
  for (const event of events) {
    if (event.tag === "message" && event.val.tag === "query") {
      // It has changed nothing.
      queries.answer(event.val.val);
      continue;
    }
    if (event.tag === "message" && event.val.tag === "update") deliverUpdate(event.val.val);
    else inbox.deliver(event);
    conditions.changed();
  }
}

/** As the language's own rule: an error that nobody looks at is not passed over. */
function throwUnhandledBugs(): void {
  for (const reason of freshReasons()) {
    // A failure may still be waited for: it is what became of work that was started early.
    if (!(reason instanceof Failure)) throw reason;
  }
}

/**
 * Hands unread signals on to the run that follows, if one does, and says what is left behind: signals by name,
 * handlers, and failures that nobody has seen.
 */
function handOn(completion: Completion): Completion {
  const unread = inbox.close();
  if (completion.tag === "continue-as-new") completion.val.unread = unread;
  else warnOfUnread(unread);
  for (const { kind, name, count } of unfinishedHandlers()) {
    log.warn(`ended before handlers of ${kind} \`${name}\` had finished`, { count });
  }
  for (const reason of unhandledReasons()) {
    if (!(reason instanceof Failure)) log.error(`ended with an error that nobody has seen: ${describeBug(reason)}`);
    else if (!reason.isCanceled) log.warn(`ended with a failure that nobody has seen: ${reason}`);
  }
  return completion;
}

function warnOfUnread(unread: UnreadSignal[]): void {
  const counts = new Map<string, number>();
  for (const { name } of unread) counts.set(name, (counts.get(name) ?? 0) + 1);
  for (const [name, count] of counts) log.warn("ended with unread signals", { signal: name, count });
}

/** Ends the run. Where it is replayed for a query that comes after its end, answers that. */
export function finish(completion: Completion): void {
  control.finish(completion);
  for (;;) {
    const events = waits.next({ tag: "everything" });
    // None only in a test whose run has ended.
    if (events.length === 0) return;
    for (const event of events) {
      if (event.tag === "message" && event.val.tag === "query") queries.answer(event.val.val);
    }
  }
}
