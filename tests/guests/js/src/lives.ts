/** How runs begin others, go on as others, end when they are asked to, and change their code. */
import { child, continueAsNew, isCancelRequested, orCanceled, patched, s, shield, sleep, workflow } from "refrain-sdk";
import { Count, echo, sequence } from "./activities";

export const parent = workflow(
  { name: "child", doc: "Lets a child do the work.", input: Count, output: s.natural() },
  (count) => child(sequence, count),
);

export const rounds = workflow(
  {
    name: "continue_as_new",
    doc: "Goes on as a new run until the third.",
    input: s.object({ round: s.natural("From 1.") }),
    output: s.object({ rounds: s.natural("All of the chain.") }),
  },
  async ({ round }) => (round < 3 ? continueAsNew({ round: round + 1 }) : { rounds: round }),
);

export const cleansUp = workflow(
  {
    name: "cancel_cleanup",
    doc: "Sleeps for a day, and cleans up when it is asked to end before that.",
    input: s.null(),
    output: s.string(),
  },
  async () => {
    try {
      await orCanceled(sleep("1d"));
      return "slept";
    } finally {
      if (isCancelRequested()) await shield(() => echo("clean up"));
    }
  },
);

export const changed = workflow(
  { name: "patched", doc: "Takes the new path of a change.", input: s.null(), output: s.string() },
  async () => echo(patched("change") ? "new" : "old"),
);
