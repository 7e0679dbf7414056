/** From a project's entry file to a component. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { bundle } from "./bundle.mjs";
import { lineTable } from "./lines.mjs";
import { load, witDirectory } from "./tools.mjs";

/**
 * @param {{ entry: string, output: string, root?: string, stubWasi?: boolean, size?: boolean }} options
 * @returns {Promise<{ bytes: number, script: number, warnings: string }>}
 */
export async function build({ entry, output, root = process.cwd(), stubWasi = false, size = false }) {
  const { code, map, warnings } = await bundle(entry);
  const script = code + lineTable(map, root);
  const { componentize } = await load("componentize-qjs");
  const { component } = await componentize({
    witPath: witDirectory(),
    world: "workflow",
    jsSource: script,
    sync: true,
    optSize: size,
    stubWasi,
  });
  mkdirSync(dirname(resolve(output)), { recursive: true });
  writeFileSync(output, component);
  return { bytes: component.length, script: script.length, warnings };
}
