/** From a project's entry file to a component. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { bundle } from "./bundle.mjs";
import { lineTable } from "./lines.mjs";
import { load, WIT } from "./tools.mjs";

/**
 * @param {{ entry: string, output: string, root?: string, size?: boolean }} options
 * @returns {Promise<{ bytes: number, script: number, warnings: string }>}
 */
export async function build({ entry, output, root = process.cwd(), size = false }) {
  const { code, map, warnings } = await bundle(entry);
  const script = code + lineTable(map, root);
  const { componentize } = await load("componentize-qjs");
  const { component } = await componentize({
    witPath: WIT,
    world: "workflow",
    jsSource: script,
    sync: true,
    optSize: size,
  });
  mkdirSync(dirname(resolve(output)), { recursive: true });
  writeFileSync(output, component);
  return { bytes: component.length, script: script.length, warnings };
}
