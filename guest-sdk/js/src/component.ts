/** From the workflows of a project to what a component exports. */
import { trap } from "./bugs";
import { finish, run } from "./executor";
import { encodeFor, Failure } from "./failure";
import { requestedToCancel } from "./inbox";
import { decode } from "./payload";
import * as queries from "./queries";
import type { Schema } from "./schema";
import { badInput } from "./updates";
import { ContinueAsNew, isWorkflow, type Workflow } from "./workflow";
import type { Completion, Manifest, MessageType, Payload, WorkflowType } from "./wire";

/** Name and version of the SDK, for support. */
const SDK = "refrain-sdk for JavaScript 0.1.0";

/** The export `refrain:workflow/definition`. */
export interface Definition {
  describe(): Manifest;
  run(workflow: string, input: Payload): Completion;
}

/** The component of the workflows among `exported`, which is what the project's entry file exports. */
export function component(exported: Readonly<Record<string, unknown>>): Definition {
  const workflows = new Map<string, Workflow<unknown, unknown>>();
  for (const value of Object.values(exported)) {
    // What is exported under two names is one workflow.
    if (!isWorkflow(value) || workflows.get(value.name) === value) continue;
    if (workflows.has(value.name)) throw new Error(`there are two workflows \`${value.name}\``);
    workflows.set(value.name, value);
  }
  if (workflows.size === 0) {
    throw new Error("the entry file exports no workflow: `export const hello = workflow({ name: \"hello\" }, ...)`");
  }
  return {
    describe: () => ({ sdk: SDK, workflows: [...workflows.values()].map(describeOne) }),
    run: (name, input) => {
      const workflow = workflows.get(name);
      if (workflow === undefined) {
        return failed(Failure.of("host", "not-found", `this component has no workflow \`${name}\``));
      }
      // Returning ends the run as well, and every query after that.
      return run(
        () => call(workflow, input),
        (completion) => queries.areHandled() && finish(completion),
      );
    },
  };
}

/** The same for a host, which learns of a bug by a trap. */
export function trapping({ describe, run }: Definition): Definition {
  return {
    describe,
    run: (workflow, input) => {
      try {
        return run(workflow, input);
      } catch (error) {
        return trap(error);
      }
    },
  };
}

async function call(workflow: Workflow<unknown, unknown>, payload: Payload): Promise<Completion> {
  try {
    let input: unknown;
    try {
      input = decode(payload, workflow.input);
    } catch (error) {
      throw badInput(`input of workflow \`${workflow.name}\``, error);
    }
    const output = await workflow(input);
    if (output instanceof ContinueAsNew) return { tag: "continue-as-new", val: output.next };
    return { tag: "completed", val: encodeFor("result", output) };
  } catch (error) {
    if (error instanceof Failure) return failed(error);
    throw error;
  }
}

/** A run that fails as canceled because someone asked for it has been canceled, not failed. */
function failed(failure: Failure): Completion {
  const wire = failure.toWire();
  if (failure.isCanceled && requestedToCancel() !== undefined) return { tag: "canceled", val: wire.details };
  return { tag: "failed", val: wire };
}

function describeOne(workflow: Workflow<unknown, unknown>): WorkflowType {
  const { name, doc, input, output, signals = [], queries = [], updates = [], onTrap } = workflow;
  return {
    name,
    doc: doc ?? "",
    inputSchema: text(input),
    outputSchema: text(output),
    signals: signals.map((signal) => describeMessage({ ...signal, output: undefined })),
    queries: queries.map(describeMessage),
    updates: updates.map(describeMessage),
    onTrap: onTrap ?? "park",
    more: [],
  };
}

interface Described {
  readonly name: string;
  readonly doc?: string | undefined;
  readonly input?: Schema<any> | undefined;
  readonly output?: Schema<any> | undefined;
}

function describeMessage({ name, doc, input, output }: Described): MessageType {
  return { name, doc: doc ?? "", inputSchema: text(input), outputSchema: text(output) };
}

function text(schema: Schema<any> | undefined): string | null {
  return schema === undefined ? null : JSON.stringify(schema);
}
