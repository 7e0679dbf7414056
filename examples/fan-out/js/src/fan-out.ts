/**
 * Many batches of many tasks, a few of them at once; what fails is counted, and stops nothing else.
 *
 * `fan_out` gives each batch to a child, `batch`, which does its tasks. No journal has more than a few entries for each
 * batch or each task of one batch: that is what children are for when there is much to do. A journal has an end, and is
 * read whole when a run comes back.
 *
 * * **A few at once**: with a `limit`, `allSettled` takes the next from its iterator when one has ended, so a million
 *   batches need neither a million open ops nor the memory for them.
 * * **Partial failures**: unlike `all` it goes on, and gives what became of each. A task that fails is a number in its
 *   batch's result. A batch of which nothing can be done fails, and is a number in the result of all.
 * * **Local activities** are recorded with the step that starts them, without a commit of their own. They suit tasks that
 *   are short and may well be done again when the host dies.
 *
 * A task hashes a file, `batch-0007/task-0042` of a directory that the host's `fs` plugin may read.
 */
import { allSettled, CancelScope, child, Failure, localActivity, log, s, workflow, type Infer } from "refrain-sdk";

const FanOut = s.object({
  source: s.string("The directory of the files, by its name in the host's configuration."),
  batches: s.natural(),
  tasks: s.natural("How many tasks each batch has."),
  batches_at_once: s.natural("How many batches are under way at once; at least 1."),
  tasks_at_once: s.natural("How many tasks of a batch are; at least 1."),
});

const Count = s.object({ done: s.natural(), failed: s.natural() });

const Summary = s.object({
  batches: Count,
  tasks: s.object({ done: s.natural(), failed: s.natural() }, "Those of the batches that failed are in neither number."),
  bytes: s.natural("Of all files."),
  reasons: s.array(s.string(), "Why some of the batches failed."),
});

const Batch = s.object({ source: s.string(), number: s.natural(), tasks: s.natural(), at_once: s.natural() });
type Batch = Infer<typeof Batch>;

const Did = s.object({ tasks: Count, bytes: s.natural() });

/** How many reasons are told: the first few tell what is wrong, and the histories of the batches have the others. */
const REASONS = 5;

/** What fails three times within a second or two is a matter for people. */
const ATTEMPTS = 3;

export const fanOut = workflow(
  {
    name: "fan_out",
    doc: "Does all tasks of all batches, and counts what could not be done.",
    input: FanOut,
    output: Summary,
  },
  async ({ source, batches, tasks, batches_at_once, tasks_at_once }) => {
    if (batches_at_once === 0 || tasks_at_once === 0) {
      throw new Failure("`batches_at_once` or `tasks_at_once` is 0: give at least 1", { nonRetryable: true });
    }
    function* children() {
      for (let number = 0; number < batches; number += 1) {
        yield () => child(batch, { source, number, tasks, at_once: tasks_at_once });
      }
    }
    // Who calls it off ends the batches that are under way, and those that are not never start.
    const scope = new CancelScope({ withRun: true });
    const outcomes = await scope.run(() => allSettled(children(), { limit: batches_at_once }));
    const summary = { batches: { done: 0, failed: 0 }, tasks: { done: 0, failed: 0 }, bytes: 0, reasons: [] as string[] };
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") {
        summary.batches.done += 1;
        summary.tasks.done += outcome.value.tasks.done;
        summary.tasks.failed += outcome.value.tasks.failed;
        summary.bytes += outcome.value.bytes;
      } else {
        if (outcome.reason.isCanceled) throw outcome.reason;
        summary.batches.failed += 1;
        if (summary.reasons.length < REASONS) summary.reasons.push(`${outcome.reason}`);
      }
    }
    log.info("all batches have ended", summary.batches);
    return summary;
  },
);

export const batch = workflow(
  { name: "batch", doc: "Does the tasks of one batch. It fails when none of them can be done.", input: Batch, output: Did },
  async (batch) => {
    function* tasks() {
      for (let number = 0; number < batch.tasks; number += 1) yield () => task(batch, number);
    }
    const did = { tasks: { done: 0, failed: 0 }, bytes: 0 };
    let last: Failure | undefined;
    for (const outcome of await allSettled(tasks(), { limit: batch.at_once })) {
      if (outcome.status === "fulfilled") {
        did.tasks.done += 1;
        did.bytes += outcome.value.size;
      } else {
        did.tasks.failed += 1;
        last = outcome.reason;
      }
    }
    if (last !== undefined && did.tasks.done === 0) {
      throw last.context(`batch ${batch.number}: none of ${batch.tasks} tasks can be done`);
    }
    return did;
  },
);

function task(batch: Batch, number: number) {
  const padded = (n: number) => String(n).padStart(4, "0");
  const path = `batch-${padded(batch.number)}/task-${padded(number)}`;
  return localActivity<{ size: number }>(
    "fs.hash",
    { directory: batch.source, path },
    { startToClose: "30s", retry: { maximumAttempts: ATTEMPTS } },
  );
}
