/** `Date` on the run's clock. */
import { now } from "./time";

const Native = Date;

function construct(this: unknown, ...args: unknown[]): string | Date {
  if (new.target === undefined) return new Native(milliseconds()).toString();
  return Reflect.construct(Native, args.length === 0 ? [milliseconds()] : args, new.target) as Date;
}

function milliseconds(): number {
  return Math.floor(now());
}

/** The language's `Date`, in which only the present is another. */
export const DurableDate = construct as unknown as DateConstructor;
Object.defineProperties(construct, {
  name: { value: "Date" },
  length: { value: 7 },
  prototype: { value: Native.prototype },
  now: { value: milliseconds, writable: true, configurable: true },
  UTC: { value: Native.UTC, writable: true, configurable: true },
  parse: { value: Native.parse, writable: true, configurable: true },
});
Object.defineProperty(Native.prototype, "constructor", { value: construct, writable: true, configurable: true });
