#!/usr/bin/env node
/** `refrain-build`: checks a project's types, and makes a component of it. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { build } from "./component.mjs";
import { commandOf } from "./tools.mjs";

const USAGE = `Usage: refrain-build [OPTIONS] <ENTRY>

Makes a component of the workflows that a file exports

Arguments:
  <ENTRY>  The TypeScript or JavaScript file

Options:
  -o, --output <FILE>  The component; \`dist/<ENTRY's name>.wasm\` unless given
      --no-check       Do not check types (they are if there is a tsconfig.json, by the project's own tsc)
      --size           Take the smaller and slower build of the engine
  -h, --help           Print help
`;

function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      output: { type: "string", short: "o" },
      "no-check": { type: "boolean" },
      size: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    process.exit(0);
  }
  if (positionals.length !== 1) throw new Error(`give one entry file\n\n${USAGE}`);
  const [entry] = positionals;
  if (!existsSync(entry)) throw new Error(`there is no file ${entry}`);
  const name = /([^/\\]+?)(\.[^./\\]+)?$/.exec(entry)?.[1] ?? "workflows";
  return { entry, output: values.output ?? `dist/${name}.wasm`, values };
}

function checkTypes() {
  const tsc = spawnSync(process.execPath, [commandOf("typescript", "bin/tsc"), "--noEmit"], { stdio: "inherit" });
  if (tsc.error) throw tsc.error;
  if (tsc.status !== 0) process.exit(1);
}

try {
  const { entry, output, values } = options();
  if (!values["no-check"] && existsSync(resolve("tsconfig.json"))) checkTypes();
  const built = await build({ entry, output, size: values.size ?? false });
  if (built.warnings !== "") process.stderr.write(`${built.warnings}\n`);
  process.stdout.write(`${output}: ${built.bytes} bytes, ${built.script} of them your code and the SDK's\n`);
} catch (error) {
  process.stderr.write(`error: ${error.message}\n`);
  process.exit(2);
}
