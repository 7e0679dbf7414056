/**
 * What values look like: JSON Schemas, which people read when they start a workflow, and which the SDK holds inputs
 * against.
 *
 * A schema is a plain object. `s` writes them and knows the TypeScript type of each, so that a type need not be
 * written twice; `s.json<T>({...})` takes any JSON Schema, of which the keywords that are listed at {@link check} are
 * held and the others are for people.
 */
import { Failure } from "./failure";

declare const TYPE: unique symbol;

/** A JSON Schema of values of type `T`. */
export interface Schema<T = unknown> {
  readonly [TYPE]?: T;
  readonly [keyword: string]: unknown;
}

/** The type of what a schema describes. */
export type Infer<S> = S extends Schema<infer T> ? T : never;

declare const OPTIONAL: unique symbol;

/** The schema of a property that may be left out. */
export interface Optional<T> extends Schema<T> {
  readonly [OPTIONAL]: true;
}

type Properties = Readonly<Record<string, Schema<any>>>;
type OptionalKeys<P> = { [K in keyof P]: P[K] extends Optional<any> ? K : never }[keyof P];
type ObjectOf<P extends Properties> = Flat<
  { [K in Exclude<keyof P, OptionalKeys<P>>]: Infer<P[K]> } & { [K in OptionalKeys<P>]?: Infer<P[K]> }
>;
type Flat<T> = { [K in keyof T]: T[K] } & {};

const OPTIONAL_SCHEMAS = new WeakSet<object>();

function make<T>(schema: Record<string, unknown>, doc?: string): Schema<T> {
  return (doc === undefined ? schema : { ...schema, description: doc }) as Schema<T>;
}

/** Writes schemas. The last argument of each is a line for people. */
export const s = {
  /** Anything. */
  any: (doc?: string): Schema<any> => make({}, doc),
  null: (doc?: string): Schema<null> => make({ type: "null" }, doc),
  boolean: (doc?: string): Schema<boolean> => make({ type: "boolean" }, doc),
  string: (doc?: string): Schema<string> => make({ type: "string" }, doc),
  number: (doc?: string): Schema<number> => make({ type: "number" }, doc),
  /** A whole number. */
  integer: (doc?: string): Schema<number> => make({ type: "integer" }, doc),
  /** A whole number from 0. */
  natural: (doc?: string): Schema<number> => make({ type: "integer", minimum: 0 }, doc),
  array: <T>(items: Schema<T>, doc?: string): Schema<T[]> => make({ type: "array", items }, doc),
  /** An object with any keys, each of which has such a value. */
  record: <T>(values: Schema<T>, doc?: string): Schema<Record<string, T>> =>
    make({ type: "object", additionalProperties: values }, doc),
  /** One of these texts. */
  oneOf: <const T extends string>(values: readonly T[], doc?: string): Schema<T> => make({ enum: values }, doc),
  /** What fits one of these. */
  union: <const A extends readonly Schema<any>[]>(schemas: A, doc?: string): Schema<Infer<A[number]>> =>
    make({ anyOf: schemas }, doc),
  /** Such a value, or `null`. */
  nullable: <T>(schema: Schema<T>, doc?: string): Schema<T | null> =>
    make({ anyOf: [schema, { type: "null" }] }, doc),
  /** An object with these properties and no others. */
  object: <P extends Properties>(properties: P, doc?: string): Schema<ObjectOf<P>> => {
    const required = Object.keys(properties).filter((key) => {
      const schema = properties[key] as Schema;
      return !OPTIONAL_SCHEMAS.has(schema) && !("default" in schema);
    });
    return make({ type: "object", properties, required, additionalProperties: false }, doc);
  },
  /** A property that may be left out. */
  optional: <T>(schema: Schema<T>, doc?: string): Optional<T> => {
    const optional = make<T>({ ...schema }, doc) as Optional<T>;
    OPTIONAL_SCHEMAS.add(optional);
    return optional;
  },
  /** A property that may be left out, and is `value` then. */
  default: <T>(schema: Schema<T>, value: NoInfer<T>, doc?: string): Schema<T> =>
    make({ ...schema, default: value }, doc),
  /** Any JSON Schema. */
  json: <T>(schema: Readonly<Record<string, unknown>>): Schema<T> => make(schema),
};

/**
 * The value, with the defaults of properties that were left out; or a failure of type `bad-json` that names the
 * field.
 *
 * Held are `type`, `enum`, `const`, `properties`, `required`, `additionalProperties`, `items`, `anyOf`, `oneOf` (as
 * `anyOf`), `minimum`, `maximum`, `minLength`, `maxLength`, `minItems` and `maxItems`.
 */
export function check<T>(schema: Schema<T>, value: unknown): T {
  try {
    return checkAt(schema, value, "") as T;
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    const { path, why } = error;
    throw new Failure(path === "" ? why : `field \`${path}\`: ${why}`, { type: "bad-json" });
  }
}

/** What does not fit, where, and why. */
class Misfit {
  constructor(
    readonly path: string,
    readonly why: string,
  ) {}
}

function checkAt(schema: Schema, value: unknown, path: string): unknown {
  const alternatives = (schema["anyOf"] ?? schema["oneOf"]) as readonly Schema[] | undefined;
  if (alternatives !== undefined) return checkAny(alternatives, value, path);
  const { type, enum: values } = schema as { type?: unknown; enum?: readonly unknown[] };
  if (type !== undefined && !(Array.isArray(type) ? type : [type]).some((type) => isOf(type, value))) {
    const expected = Array.isArray(type) ? type.join(" or ") : String(type);
    throw new Misfit(path, `invalid type: ${shown(value)}, expected ${expected}`);
  }
  if (values !== undefined && !values.includes(value)) {
    const expected = values.map((value) => JSON.stringify(value)).join(", ");
    throw new Misfit(path, `invalid value: ${shown(value)}, expected one of ${expected}`);
  }
  if ("const" in schema && schema["const"] !== value) {
    throw new Misfit(path, `invalid value: ${shown(value)}, expected ${JSON.stringify(schema["const"])}`);
  }
  checkBounds(schema, value, path);
  if (Array.isArray(value)) return checkItems(schema, value, path);
  if (typeof value === "object" && value !== null) return checkProperties(schema, value, path);
  return value;
}

function checkAny(alternatives: readonly Schema[], value: unknown, path: string): unknown {
  let closest: Misfit | undefined;
  for (const alternative of alternatives) {
    try {
      return checkAt(alternative, value, path);
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      // The one that came furthest into the value says most.
      if (closest === undefined || error.path.length > closest.path.length) closest = error;
    }
  }
  throw closest ?? new Misfit(path, "nothing fits here");
}

function checkBounds(schema: Schema, value: unknown, path: string): void {
  const measures: [keyword: string, measure: number | undefined, below: boolean, what: string][] = [
    ["minimum", typeof value === "number" ? value : undefined, true, ""],
    ["maximum", typeof value === "number" ? value : undefined, false, ""],
    ["minLength", typeof value === "string" ? value.length : undefined, true, " characters"],
    ["maxLength", typeof value === "string" ? value.length : undefined, false, " characters"],
    ["minItems", Array.isArray(value) ? value.length : undefined, true, " items"],
    ["maxItems", Array.isArray(value) ? value.length : undefined, false, " items"],
  ];
  for (const [keyword, measure, below, what] of measures) {
    const bound = schema[keyword];
    if (measure === undefined || typeof bound !== "number") continue;
    if (below ? measure < bound : measure > bound) {
      throw new Misfit(path, `invalid value: ${shown(value)}, expected at ${below ? "least" : "most"} ${bound}${what}`);
    }
  }
}

function checkItems(schema: Schema, value: unknown[], path: string): unknown {
  const items = schema["items"] as Schema | undefined;
  return items === undefined ? value : value.map((item, index) => checkAt(items, item, `${path}[${index}]`));
}

/** Properties in the order of the schema, so that what is written again is always written alike; then the others. */
function checkProperties(schema: Schema, value: object, path: string): unknown {
  const properties = (schema["properties"] ?? {}) as Readonly<Record<string, Schema>>;
  const required = (schema["required"] ?? []) as readonly string[];
  const others = schema["additionalProperties"] as Schema | boolean | undefined;
  const given = value as Readonly<Record<string, unknown>>;
  const at = (key: string) => (path === "" ? key : `${path}.${key}`);
  const checked: Record<string, unknown> = {};
  for (const [key, property] of Object.entries(properties)) {
    if (Object.hasOwn(given, key)) checked[key] = checkAt(property, given[key], at(key));
    else if (required.includes(key)) throw new Misfit(path, `missing field \`${key}\``);
    else if ("default" in property) checked[key] = property["default"];
  }
  for (const [key, field] of Object.entries(given)) {
    if (Object.hasOwn(properties, key)) continue;
    if (others === false) {
      const known = Object.keys(properties).map((name) => `\`${name}\``);
      throw new Misfit(path, `unknown field \`${key}\`, expected ${known.length > 0 ? known.join(", ") : "none"}`);
    }
    checked[key] = typeof others === "object" ? checkAt(others, field, at(key)) : field;
  }
  return checked;
}

function isOf(type: unknown, value: unknown): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

/** The value in the words of a message: short, whatever it is. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "object" && value !== null) return "object";
  const text = JSON.stringify(value) ?? "undefined";
  const short = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  return value === null ? "null" : `${typeof value} ${short}`;
}
