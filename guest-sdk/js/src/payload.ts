/**
 * Values on their way in and out: JSON, always written in the same way.
 *
 * A replay compares bytes, so a value must be written alike each time. `JSON.stringify` writes an object's properties
 * in the order in which they were set (those whose names are whole numbers first) and without spaces.
 */
import { Failure } from "./failure";
import { check, type Schema } from "./schema";
import { fromUtf8, toUtf8 } from "./utf8";
import type { NamedPayload, Payload } from "./wire";

/** What JSON payloads are marked with. */
const JSON_TYPE = "application/json";

/** Writes a value; `undefined` is `null`. Throws a failure of type `not-json` for what JSON cannot hold. */
export function encode(value: unknown): Payload {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new Failure(`cannot be written as JSON: ${messageOf(error)}`, { type: "not-json" });
  }
  return { contentType: JSON_TYPE, data: toUtf8(text ?? "null") };
}

/** As {@link encode}, with something in place of what cannot be written. */
export function encodeOr(value: unknown, instead: (why: Failure) => unknown): Payload {
  try {
    return encode(value);
  } catch (error) {
    return encode(instead(error as Failure));
  }
}

/** Reads a value, and holds it against a schema where there is one. Throws a failure of type `bad-json`. */
export function decode<T>(payload: Payload, schema?: Schema<T>): T {
  if (payload.contentType !== JSON_TYPE) {
    const message = `the payload is \`${payload.contentType}\`, expected \`${JSON_TYPE}\``;
    throw new Failure(message, { type: "content-type" });
  }
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(payload.data));
  } catch (error) {
    throw new Failure(messageOf(error), { type: "bad-json" });
  }
  return (schema === undefined ? value : check(schema, value)) as T;
}

/** A named text. */
export function named(key: string, value: string): NamedPayload {
  return [key, encode(value)];
}

/** A named number, which is written as one with a fraction, as it is in the other languages. What is none is `null`. */
export function namedNumber(key: string, value: number): NamedPayload {
  const text = Number.isInteger(value) ? value.toFixed(1) : JSON.stringify(value);
  return [key, { contentType: JSON_TYPE, data: toUtf8(text) }];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
