import { s, workflow } from "refrain-sdk";
// @ts-expect-error It is plain JavaScript.
import { PROGRAMS } from "../programs.mjs";

type Program = (say: (what: unknown) => void) => Promise<void>;

export const runs = workflow({ name: "runs", input: s.string() }, async (name) => {
  const said: string[] = [];
  await (PROGRAMS as Record<string, Program>)[name]?.((what) => said.push(String(what)));
  return said;
});
