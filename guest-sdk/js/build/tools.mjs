/** Finds the npm packages that the builder needs. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The SDK's own directory. */
export const SDK = resolve(fileURLToPath(import.meta.url), "../..");

/** The contract that the SDK stands on: at the top in Refrain's repository, in the SDK's folder where `refrain new` put it. */
export const WIT = [join(SDK, "wit"), resolve(SDK, "../../wit")].find((folder) => existsSync(join(folder, "world.wit")));

/** Where packages are looked for: `$REFRAIN_NODE_MODULES` if that is set, else where the SDK and the project have them. */
function roots() {
  const given = process.env.REFRAIN_NODE_MODULES;
  return given ? [join(resolve(given), "_")] : [join(SDK, "package.json"), join(process.cwd(), "package.json")];
}

function find(path) {
  for (const root of roots()) {
    try {
      return createRequire(root).resolve(path);
    } catch (error) {
      if (error.code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  const name = /^(@[^/]+\/)?[^/]+/.exec(path)[0];
  throw new Error(`the npm package ${name} is not installed: run \`npm install\` (looked in ${roots().map((root) => join(root, "..")).join(", ")})`);
}

/** Imports a package. */
export async function load(name) {
  return await import(pathToFileURL(find(name)).href);
}

/** The script that a package runs as a command. */
export function commandOf(name, path) {
  return join(find(`${name}/package.json`), "..", path);
}
