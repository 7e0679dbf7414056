/// <reference path="./imports.d.ts" />
/**
 * The one door to the host: the imports of `wit/`, an object of functions for each interface.
 *
 * In a component they are the host's; in a test they are those of the `Env` that runs it. Nothing else in the SDK
 * knows which of the two it is.
 */
import activityImports from "refrain:workflow/activity@0.1.0";
import childImports from "refrain:workflow/child@0.1.0";
import contextImports from "refrain:workflow/context@0.1.0";
import controlImports from "refrain:workflow/control@0.1.0";
import externalImports from "refrain:workflow/external@0.1.0";
import logImports from "refrain:workflow/log@0.1.0";
import messageImports from "refrain:workflow/messages@0.1.0";
import timerImports from "refrain:workflow/timer@0.1.0";
import versionImports from "refrain:workflow/version@0.1.0";
import waitImports from "refrain:workflow/wait@0.1.0";

import type * as wire from "./wire";

/** `refrain:workflow/activity` */
export const activities: {
  start(name: string, input: wire.Payload, options: wire.ActivityOptions): number;
  startLocal(name: string, input: wire.Payload, options: wire.ActivityOptions): number;
} = activityImports;

/** `refrain:workflow/timer` */
export const timers: {
  start(delay: wire.Duration, summary: string | null): number;
} = timerImports;

/** `refrain:workflow/child` */
export const children: {
  start(workflow: string, input: wire.Payload, options: wire.ChildOptions): wire.ChildOps;
} = childImports;

/** `refrain:workflow/external` */
export const externals: {
  signal(target: wire.Execution, name: string, input: wire.Payload): number;
  requestCancel(target: wire.Execution, reason: string): number;
} = externalImports;

/** `refrain:workflow/wait` */
export const waits: {
  next(interest: wire.Interest): wire.Event[];
  cancel(op: number, reason: string): void;
  detach(op: number): void;
} = waitImports;

/** `refrain:workflow/messages` */
export const messages: {
  accept(update: number): void;
  reject(update: number, reason: wire.Failure): void;
  complete(update: number, answer: wire.Outcome): void;
  answer(query: number, answer: wire.Outcome): void;
} = messageImports;

/** `refrain:workflow/context` */
export const context: {
  info(): wire.RunInfo;
  now(): wire.Instant;
  randomBytes(len: number): Uint8Array;
  uuid(): string;
} = contextImports;

/** `refrain:workflow/version` */
export const versions: {
  patched(id: string): boolean;
  getVersion(id: string, min: number, max: number): number;
} = versionImports;

/** `refrain:workflow/log` */
export const logs: {
  write(level: wire.LogLevel, message: string, fields: wire.LogField[]): void;
} = logImports;

/** `refrain:workflow/control` */
export const control: {
  finish(completion: wire.Completion): void;
} = controlImports;
