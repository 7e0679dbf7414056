/** The types of the globals that workflow code has beside those of the language. */
export {};

interface RunConsole {
  log(...values: unknown[]): void;
  info(...values: unknown[]): void;
  debug(...values: unknown[]): void;
  trace(...values: unknown[]): void;
  warn(...values: unknown[]): void;
  error(...values: unknown[]): void;
  assert(holds: unknown, ...values: unknown[]): void;
}

declare global {
  /** Writes to the run's log. */
  var console: RunConsole;
  /** Randomness of the run's own stream. */
  var crypto: {
    randomUUID(): string;
    getRandomValues<T extends ArrayBufferView>(array: T): T;
  };
  /** The run's clock; `timeOrigin` is the run's beginning. */
  var performance: { now(): number; readonly timeOrigin: number };

  /** A durable timer. */
  function setTimeout(callback: (...args: any[]) => unknown, delay?: number, ...args: unknown[]): number;
  /** A durable timer, started again whenever it fires. */
  function setInterval(callback: (...args: any[]) => unknown, delay?: number, ...args: unknown[]): number;
  function clearTimeout(id: number | undefined): void;
  function clearInterval(id: number | undefined): void;
  function queueMicrotask(callback: () => unknown): void;
  /** Of data: objects, arrays, maps, sets, dates, bytes, errors, and what is none of them but a primitive value. */
  function structuredClone<T>(value: T): T;
  function atob(base64: string): string;
  function btoa(bytes: string): string;

  class TextEncoder {
    readonly encoding: string;
    encode(text?: string): Uint8Array;
  }
  class TextDecoder {
    readonly encoding: string;
    constructor(label?: string);
    decode(bytes?: ArrayBuffer | ArrayBufferView): string;
  }
}
