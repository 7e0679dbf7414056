/** The run's log: lines that are kept with the run, and not written again by a replay. */
import { logs } from "./host";
import { current } from "./jobs";
import type { LogLevel } from "./wire";

/** Values by key. Texts and errors are written as they are, others as JSON. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  trace(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/**
 * Writes to the run's log. `console` writes here too, without fields.
 *
 * ```ts
 * log.info("copied", { file: name, bytes });
 * ```
 */
export const log: Log = {
  trace: (message, fields) => write("trace", message, fields),
  debug: (message, fields) => write("debug", message, fields),
  info: (message, fields) => write("info", message, fields),
  warn: (message, fields) => write("warn", message, fields),
  error: (message, fields) => write("error", message, fields),
};

function write(level: LogLevel, message: string, fields: LogFields = {}): void {
  const shown = Object.entries(fields).map(([key, value]) => ({ key, value: show(value) }));
  logs.write(level, message, shown);
}

/** Whether there is a log: there is none while a module is loaded. */
export function hasLog(): boolean {
  return current() !== undefined;
}

/** A value as a line of a log has it. */
export function show(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Error) return String(value);
  if (typeof value === "bigint" || typeof value === "symbol" || typeof value === "function") return String(value);
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
