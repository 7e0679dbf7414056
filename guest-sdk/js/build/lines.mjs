/**
 * Which line of the sources a line of the bundle was, for the stack traces in a run's log.
 *
 * A source map is too large to carry along, and says more than is asked. What goes into the component is one short
 * text: runs of lines that follow each other in one source.
 */
import { sourceName } from "./bundle.mjs";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The numbers of a segment of a source map, which are written in base 64 with a sign and a continuation bit. */
function numbers(segment) {
  const all = [];
  let value = 0;
  let shift = 0;
  for (const digit of segment) {
    const bits = DIGITS.indexOf(digit);
    value += (bits & 31) * 2 ** shift;
    if (bits & 32) {
      shift += 5;
    } else {
      all.push(value % 2 === 1 ? -Math.floor(value / 2) : value / 2);
      value = 0;
      shift = 0;
    }
  }
  return all;
}

/** For each line of the bundle the source and the line there, both counted from 0; `undefined` for none. */
function* lines(mappings) {
  let source = 0;
  let line = 0;
  for (const text of mappings.split(";")) {
    let first;
    for (const segment of text === "" ? [] : text.split(",")) {
      const [, sourceStep, lineStep] = numbers(segment);
      if (sourceStep === undefined) continue;
      source += sourceStep;
      line += lineStep;
      first ??= { source, line };
    }
    yield first;
  }
}

/** The source of lines that nobody asks about: the SDK's own, and helpers of the bundler. */
const NOBODYS = -1;

/**
 * Runs of lines that follow each other in a source: the first line in the bundle, the source's number, the line there.
 *
 * @param {{ sources: string[], mappings: string }} map
 * @param {string} root The directory that people call sources relative to.
 */
function table(map, root) {
  const sources = [];
  const numbers = map.sources.map((source) => {
    const name = sourceName(source, root);
    return name === undefined ? NOBODYS : sources.push(name) - 1;
  });
  const runs = [];
  let before = { source: undefined, line: 0 };
  let at = 0;
  for (const place of lines(map.mappings)) {
    at += 1;
    const source = place === undefined ? NOBODYS : numbers[place.source];
    const line = source === NOBODYS ? 0 : place.line + 1;
    const follows = source === before.source && (source === NOBODYS || line === before.line + 1);
    if (!follows) runs.push([at, source, line]);
    before = { source, line };
  }
  return { sources, runs };
}

/** Code that tells the SDK where the lines of the bundle are from, to be put behind the bundle. */
export function lineTable(map, root) {
  const { sources, runs } = table(map, root);
  return `\n__refrainLines(${JSON.stringify(sources)}, ${JSON.stringify(runs.flat().join(" "))});\n`;
}

/** The same for a text of the builder, which has met an error while the bundle was loaded. */
export function inSources(text, map, root) {
  const { sources, runs } = table(map, root);
  const shown = text.split("\n").flatMap((line) => {
    const place = /^(\s*at .*?\(?)componentize-qjs:user\.js:(\d+)(?::\d+)?(\)?)$/.exec(line);
    if (place === null) return [line];
    const [first, source, there] = runs.findLast(([first]) => first <= Number(place[2])) ?? [0, NOBODYS, 0];
    return source === NOBODYS ? [] : [`${place[1]}${sources[source]}:${there + Number(place[2]) - first}${place[3]}`];
  });
  return shown.join("\n").trimEnd();
}
