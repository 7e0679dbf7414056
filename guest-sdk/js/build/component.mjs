/** From a project's entry file to a component. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { bundle } from "./bundle.mjs";
import { inSources, lineTable } from "./lines.mjs";
import { load, WIT } from "./tools.mjs";

/**
 * @param {{ entry: string, output: string, root?: string, size?: boolean }} options
 * @returns {Promise<{ bytes: number, script: number, warnings: string }>}
 */
export async function build({ entry, output, root = process.cwd(), size = false }) {
  const { code, map, warnings } = await bundle(entry);
  const script = code + lineTable(map, root);
  const { componentize } = await load("componentize-qjs");
  const made = componentize({ witPath: WIT, world: "workflow", jsSource: script, sync: true, optSize: size });
  const { component } = await made.catch((error) => {
    // Modules are loaded when a component is made, so that runs need not.
    const [, why] = /JavaScript module evaluation: ([^]*)$/.exec(error.message) ?? [];
    if (why === undefined) throw error;
    throw new Error(`the workflows' modules cannot be loaded: ${inSources(why, map, root)}`);
  });
  mkdirSync(dirname(resolve(output)), { recursive: true });
  writeFileSync(output, component);
  return { bytes: component.length, script: script.length, warnings };
}
