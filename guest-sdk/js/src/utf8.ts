/** Text to bytes and back, in an engine that has no `TextEncoder`. */

/** The engine's own base64 makes bytes of characters, where it has it: a loop in workflow code costs far more. */
interface Base64 {
  fromBase64?(text: string): Uint8Array;
  toBase64?(): string;
}

const ASCII = /^[\x00-\x7f]*$/;

/** How many arguments one call of `fromCharCode` gets. */
const CHUNK = 4096;

/** Half of a surrogate pair is written as U+FFFD. */
export function toUtf8(text: string): Uint8Array {
  const bytes = ASCII.test(text) ? text : unescape(encodeURIComponent(wellFormed(text)));
  const native = (Uint8Array as Base64).fromBase64;
  if (native !== undefined) return native.call(Uint8Array, btoa(bytes));
  const data = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i += 1) data[i] = bytes.charCodeAt(i);
  return data;
}

/** Throws when the bytes are not UTF-8. */
export function fromUtf8(data: Uint8Array): string {
  const base64 = (data as Base64).toBase64?.();
  const bytes = base64 === undefined ? joined(data) : atob(base64);
  return ASCII.test(bytes) ? bytes : decodeURIComponent(escape(bytes));
}

function joined(data: Uint8Array): string {
  let bytes = "";
  for (let start = 0; start < data.length; start += CHUNK) {
    bytes += String.fromCharCode(...data.subarray(start, start + CHUNK));
  }
  return bytes;
}

function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g, (unit) => (unit.length === 2 ? unit : "\ufffd"));
}
