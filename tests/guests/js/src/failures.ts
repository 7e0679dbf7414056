/** What goes wrong: retries, a failure's way to the run's end, undoing, and a bug. */
import { activity, context, s, saga, workflow } from "refrain-sdk";
import { echo } from "./activities";

/** The activity that fails for good. */
const broken = (input: string) => activity<string>("broken", input, { startToClose: "10s" });

export const retries = workflow(
  {
    name: "retries",
    doc: "Needs three attempts for one activity, and fails by another.",
    input: s.null(),
    output: s.string(),
  },
  async () => {
    const patient = { initialInterval: "10ms", maximumAttempts: 5 } as const;
    await activity("flaky", { fail_times: 2 }, { startToClose: "10s", retry: patient });
    const stop = context("stop container abc123", broken("abc123"));
    return await context("stop-and-snapshot for container abc123", stop);
  },
);

export const books = workflow(
  { name: "saga", doc: "Books a trip, of which the last part is not to be had.", input: s.null(), output: s.null() },
  () =>
    saga("trip", async (saga) => {
      saga.undo("cancel hotel", () => echo("cancel hotel"));
      await echo("book hotel");
      saga.undo("cancel flight", () => echo("cancel flight"));
      await echo("book flight");
      saga.undo("cancel car", () => echo("cancel car"));
      await context("book the car", broken("book car"));
      return null;
    }),
);

export const bug = workflow({ name: "bug", doc: "Has a bug.", input: s.null(), output: s.null() }, async () => {
  throw new Error("this is a bug");
});
