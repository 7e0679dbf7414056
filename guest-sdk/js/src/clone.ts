/** `structuredClone` of data. */

/** A copy that shares nothing; what is there twice, is there twice in the copy. Throws for what is no data. */
export function clone<T>(value: T): T {
  return copy(value, new Map()) as T;
}

function copy(value: unknown, known: Map<object, unknown>): unknown {
  if (typeof value === "function" || typeof value === "symbol") {
    throw new TypeError(`${String(value)} cannot be cloned: it is no data`);
  }
  if (typeof value !== "object" || value === null) return value;
  if (known.has(value)) return known.get(value);
  const remember = <C>(made: C): C => {
    known.set(value, made);
    return made;
  };
  if (value instanceof Date) return remember(new Date(value.getTime()));
  if (value instanceof ArrayBuffer) return remember(value.slice(0));
  if (ArrayBuffer.isView(value)) {
    const { constructor, byteOffset, byteLength } = value as Uint8Array;
    const bytes = value.buffer.slice(byteOffset, byteOffset + byteLength);
    return remember(Reflect.construct(constructor, [bytes]));
  }
  if (value instanceof Map) {
    const made = remember(new Map<unknown, unknown>());
    for (const [key, item] of value) made.set(copy(key, known), copy(item, known));
    return made;
  }
  if (value instanceof Set) {
    const made = remember(new Set<unknown>());
    for (const item of value) made.add(copy(item, known));
    return made;
  }
  if (value instanceof Error) return remember(Object.assign(new Error(value.message), { name: value.name }));
  const made = remember<Record<string, unknown> | unknown[]>(Array.isArray(value) ? [] : {});
  for (const [key, item] of Object.entries(value)) (made as Record<string, unknown>)[key] = copy(item, known);
  return made;
}
