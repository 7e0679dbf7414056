/**
 * The language's own clock, timers, randomness and console, so that code which knows nothing of Refrain does the right
 * thing: all of them lead to the run.
 *
 * Loaded before any other module of a component. While modules are loaded, which is when the component is built, there
 * is no run: the clock and randomness throw then, as what they gave would be the same for ever.
 */
import "./globals.types";
import { fatal } from "./bugs";
import { clone } from "./clone";
import { DurableDate } from "./date";
import { info, random, randomBytes, uuid } from "./info";
import { enqueue, current, within } from "./jobs";
import { hasLog, log, show } from "./log";
import { DurablePromise } from "./promise";
import { now, startTimer } from "./time";
import { toWire } from "./duration";
import { Failure } from "./failure";
import { fromUtf8, toUtf8 } from "./utf8";

type Callback = (...args: unknown[]) => unknown;

function define(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
}

define("Promise", DurablePromise);
define("Date", DurableDate);
define("queueMicrotask", (callback: Callback) => {
  const place = current();
  enqueue(() => within(place, () => callOut(callback, [])));
});
Object.defineProperty(Math, "random", { value: random, writable: true, configurable: true });

/** What a callback throws is nobody's to catch. */
function callOut(callback: Callback, args: readonly unknown[]): void {
  try {
    callback(...args);
  } catch (error) {
    fatal(error);
  }
}

const timers = new Map<number, { cancel(): void }>();
let lastTimer = 0;

function set(callback: Callback, delay: number | undefined, args: readonly unknown[], again: boolean): number {
  const id = ++lastTimer;
  const arm = () => {
    // As everywhere in the language, what is no number is 0.
    const timer = startTimer(toWire(Math.max(0, Number(delay) || 0)), undefined);
    const fired = () => {
      if (!timers.has(id)) return;
      timers.delete(id);
      if (again) arm();
      callOut(callback, args);
    };
    timers.set(id, { cancel: () => "giveUp" in timer && (timer as Cancelable).giveUp(Failure.canceled("cleared")) });
    timer.then(fired, () => timers.delete(id));
  };
  arm();
  return id;
}

interface Cancelable {
  giveUp(why: Failure): void;
}

function clear(id: unknown): void {
  const timer = timers.get(Number(id));
  timers.delete(Number(id));
  timer?.cancel();
}

define("setTimeout", (callback: Callback, delay?: number, ...args: unknown[]) => set(callback, delay, args, false));
define("setInterval", (callback: Callback, delay?: number, ...args: unknown[]) => set(callback, delay, args, true));
define("clearTimeout", clear);
define("clearInterval", clear);

define("crypto", {
  randomUUID: uuid,
  getRandomValues: <T extends ArrayBufferView>(array: T): T => {
    const { buffer, byteOffset, byteLength } = array;
    new Uint8Array(buffer, byteOffset, byteLength).set(randomBytes(byteLength));
    return array;
  },
});

define("performance", {
  /** Milliseconds since the run began. */
  now: () => now() - info().startedAt.getTime(),
  get timeOrigin() {
    return info().startedAt.getTime();
  },
});

const print = (level: "trace" | "debug" | "info" | "warn" | "error") => (...values: unknown[]) => {
  if (hasLog()) log[level](values.map(show).join(" "));
};
define("console", {
  log: print("info"),
  info: print("info"),
  debug: print("debug"),
  trace: print("trace"),
  warn: print("warn"),
  error: print("error"),
  assert: (holds: unknown, ...values: unknown[]) => {
    if (!holds) print("error")("assertion failed", ...values);
  },
});

class Utf8Encoder {
  readonly encoding = "utf-8";

  encode(text = ""): Uint8Array {
    return toUtf8(text);
  }
}

class Utf8Decoder {
  readonly encoding = "utf-8";

  constructor(label = "utf-8") {
    if (!/^utf-?8$/i.test(label)) throw new RangeError(`the encoding ${label} is not supported`);
  }

  decode(bytes: ArrayBuffer | ArrayBufferView = new Uint8Array()): string {
    if (bytes instanceof ArrayBuffer) return fromUtf8(new Uint8Array(bytes));
    return fromUtf8(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }
}
define("TextEncoder", Utf8Encoder);
define("TextDecoder", Utf8Decoder);

define("structuredClone", clone);

// When something is collected is nobody's promise, and must not be seen.
delete (globalThis as { FinalizationRegistry?: unknown }).FinalizationRegistry;
