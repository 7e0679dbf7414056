/** One file of a project's entry file and all that it imports. */
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { load, SDK } from "./tools.mjs";

/** What workflow code cannot have, and what it uses instead. */
const OUTSIDE = /^node:|^(assert|buffer|child_process|cluster|crypto|dgram|dns|events|fs|http|http2|https|net|os|path|process|stream|timers|tls|url|util|vm|worker_threads|zlib)(\/|$)/;

/** Lets the sources of the SDK be imported by its name, wherever the project is. */
const sdk = {
  name: "refrain-sdk",
  setup(build) {
    build.onResolve({ filter: /^refrain-sdk$/ }, () => ({ path: join(SDK, "src/index.ts") }));
    build.onResolve({ filter: OUTSIDE }, async ({ path, kind, importer, resolveDir, pluginData }) => {
      if (pluginData === "asked") return undefined;
      const found = await build.resolve(path, { kind, importer, resolveDir, pluginData: "asked" });
      if (found.errors.length === 0 && !found.external) return found;
      const text = `workflow code runs in a sandbox, which has no ${JSON.stringify(path)}: do it in an activity`;
      return { errors: [{ text }] };
    });
  },
};

/**
 * Bundles `entry`. `async` functions become generators over the global `Promise`, which is then the SDK's: the engine
 * runs its own promises from a queue that nobody can drain.
 *
 * @param {string} entry The project's file that exports the workflows.
 * @param {{ format?: "esm" | "cjs" }} options `cjs` is for tests, which see bugs as they are.
 * @returns {Promise<{ code: string, map: { sources: string[], mappings: string }, warnings: string }>}
 */
export async function bundle(entry, { format = "esm" } = {}) {
  const esbuild = await load("esbuild");
  const path = resolve(entry);
  const from = (file) => JSON.stringify(join(SDK, file));
  // The globals first: other modules may take hold of them when they are loaded.
  const contents = [
    `import ${from("src/globals.ts")};`,
    `import * as workflows from ${JSON.stringify(path)};`,
    `import { component, trapping } from ${from("src/component.ts")};`,
    `export const definition = ${format === "esm" ? "trapping(component(workflows))" : "component(workflows)"};`,
  ].join("\n");
  const result = await esbuild.build({
    stdin: { contents, resolveDir: dirname(path), sourcefile: "refrain-entry.ts", loader: "ts" },
    bundle: true,
    write: false,
    format,
    outfile: "workflow.js",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["refrain", "module", "import", "default"],
    target: "es2016",
    supported: { bigint: true, "object-rest-spread": true },
    external: ["refrain:*"],
    plugins: [sdk],
    charset: "utf8",
    legalComments: "none",
    sourcemap: "external",
    tsconfigRaw: { compilerOptions: { useDefineForClassFields: true, verbatimModuleSyntax: true } },
    logLevel: "silent",
  }).catch(async (error) => {
    if (!error.errors) throw error;
    throw new Error((await esbuild.formatMessages(error.errors, { kind: "error", color: false })).join("\n").trim());
  });
  const [map, code] = result.outputFiles;
  return {
    code: code.text,
    map: JSON.parse(map.text),
    warnings: (await esbuild.formatMessages(result.warnings, { kind: "warning", color: false })).join("\n"),
  };
}

/** A source as people know it, relative to the project; `undefined` for what is the SDK's. */
export function sourceName(source, root) {
  const path = resolve(source);
  const isOurs = !relative(SDK, path).startsWith("..") && !isAbsolute(relative(SDK, path));
  return isOurs || source.endsWith("refrain-entry.ts") ? undefined : relative(root, path);
}
