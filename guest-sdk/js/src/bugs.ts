/**
 * Bugs: errors that are no failures.
 *
 * Code that threw something unforeseen is in a state that nobody has thought about, so the step is not recorded: the
 * error is written to the run's log, and the instance traps. The host parks the run, and shows the line. Like the
 * language's own rule for rejections, an error counts when everything that could go on has run and nobody has looked
 * at it.
 */
import { logs } from "./host";

/** Words of errors for what a sandbox does not have, and what to use instead. */
const INSTEAD: readonly [words: RegExp, instead: string][] = [
  [/'?(fetch|XMLHttpRequest|WebSocket|process|require|Buffer)'? is not defined/, "workflow code reaches nothing outside: use an activity"],
  [/Maximum call stack|stack overflow/i, "a step's stack has a limit: use a loop"],
];

let found: { error: unknown } | undefined;

/** Forgets everything: a new run begins. */
export function openBugs(): void {
  found = undefined;
}

/** The run cannot go on. */
export function fatal(error: unknown): void {
  found ??= { error };
}

/** The bug that was found, if any. */
export function bug(): { readonly error: unknown } | undefined {
  return found;
}

/** Writes what was thrown out of a run to its log, and traps. */
export function trap(error: unknown): never {
  // All in the message and as the last call: the step is not recorded, and the host shows this line.
  logs.write("error", describe(error), []);
  // Whatever leaves the export traps; the engine adds what it is, so let that be short.
  throw "the error above";
}

/** The error with its whole traceback, and that of its causes. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return `a value that is no error was thrown: ${String(error)}`;
  const head = String(error);
  const stack = sourceStack(error.stack ?? "");
  // Some engines begin the stack with the message.
  const whole = stack.startsWith(head) ? stack : `${head}\n${stack}`;
  const cause = error.cause === undefined ? "" : `\ncaused by: ${describe(error.cause)}`;
  return `${whole.trimEnd()}${advice(error.message)}${cause}`;
}

function advice(message: string): string {
  const known = INSTEAD.find(([words]) => words.test(message));
  return known === undefined ? "" : `\n(${known[1]})`;
}

/** Where a line of the bundle is from; `undefined` for what is the SDK's own. Without a table nobody knows. */
let locate: ((line: number) => string | undefined) | undefined;

/**
 * Called by what the builder puts behind the bundle. `runs` has three numbers for each run of lines that follow each
 * other in a source: the first line in the bundle, the source's number (-1 for none), and the line there.
 */
function lines(sources: readonly string[], runs: string): void {
  const table = runs.split(" ").map(Number);
  locate = (line) => {
    let at = 0;
    while (at + 3 < table.length && (table[at + 3] as number) <= line) at += 3;
    const [first, source, there] = table.slice(at, at + 3) as [number, number, number];
    return source < 0 ? undefined : `${sources[source]}:${there + line - first}`;
  };
}
(globalThis as { __refrainLines?: unknown }).__refrainLines = lines;

/** The stack with places in the sources, without frames that are not the workflow's. */
function sourceStack(stack: string): string {
  if (locate === undefined) return stack;
  const lines = stack.split("\n").flatMap((line) => {
    if (/^\s*at .*\(native\)$/.test(line)) return [];
    const at = /^(\s*at .*?\(?)componentize-qjs:user\.js:(\d+)(?::\d+)?(\)?)$/.exec(line);
    if (at === null) return [line];
    const place = locate?.(Number(at[2]));
    return place === undefined ? [] : [`${at[1]}${place}${at[3]}`];
  });
  return lines.join("\n");
}
