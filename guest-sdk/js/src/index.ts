/**
 * Write durable workflows for Refrain as ordinary `async` functions; see the README for how it works.
 *
 * @module
 */
import "./globals.types";

export {
  activitiesOf,
  activity,
  localActivity,
  type Activities,
  type ActivityOptions,
  type Cancellation,
} from "./activity";
export { type Work } from "./begin";
export { canceled, isCancelRequested, orCanceled } from "./cancel";
export {
  child,
  watchChild,
  type ChildOptions,
  type IdReusePolicy,
  type ParentClosePolicy,
  type WatchedChild,
} from "./child";
export { all, allSettled, select, timeout, type AllOptions, type Selected, type Settled } from "./combine";
export { condition } from "./conditions";
export { type Duration } from "./duration";
export { Execution, external } from "./external";
export { context, Failure, type Cause, type FailureKind, type FailureOptions } from "./failure";
export { allHandlersFinished } from "./handlers";
export { info, random, randomBytes, uuid, type Info } from "./info";
export { log, type Log, type LogFields } from "./log";
export { query, type Query, type RequestOptions } from "./queries";
export { type Retry } from "./retry";
export { saga, type Compensated, type Compensations, type Saga } from "./saga";
export { s, type Infer, type Optional, type Schema } from "./schema";
export { CancelScope, shield } from "./scope";
export { signal, type MessageOptions, type Signal } from "./signals";
export { Elapsed, now, sleep, sleepUntil, type SleepOptions } from "./time";
export { currentUpdate, update, type Update, type UpdateInfo } from "./updates";
export { getVersion, patched } from "./version";
export { keep } from "./wait";
export { type Running } from "./work";
export {
  ContinueAsNew,
  continueAsNew,
  workflow,
  type NextOptions,
  type Workflow,
  type WorkflowOptions,
} from "./workflow";
