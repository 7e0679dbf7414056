/** Payloads of a test's host. */

export function encode(value) {
  return { contentType: "application/json", data: new TextEncoder().encode(JSON.stringify(value) ?? "null") };
}

export function decode(payload) {
  return JSON.parse(text(payload));
}

/** The payload as a call shows it. */
export function text(payload) {
  return new TextDecoder().decode(payload.data);
}
