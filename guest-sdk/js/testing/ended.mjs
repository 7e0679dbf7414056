/** How a run under test ended, and how it got there. */
import { decode } from "./json.mjs";
import { WorkflowFailure } from "./failures.mjs";

export class Ended {
  #completion;
  #answers;
  #updates;

  constructor({ completion, elapsed, calls, log, answers, updates }) {
    this.#completion = completion;
    this.#answers = answers;
    this.#updates = updates;
    /** The run's time from its start to its end, in milliseconds. */
    this.elapsed = elapsed;
    /**
     * Commands in their order: `1 = activity greet "Ada"`, `2 = timer 10s`, `wait`, `cancel 2`, `detach 1`.
     *
     * What an activity says about its turn is at the end: `3 = activity train "m" task-queue="gpu" priority=1`. A local
     * one is `4 = local activity look-up "m"`. A child has two ops, of its start and of its end: `5, 6 = child ship "m"
     * id="ship-7"`. What is sent to others: `7 = signal order-7 approved true`, `8 = request-cancel order-7`. Updates,
     * by index: `accept update-0`, `reject update-1: why`, `complete update-0: 3`.
     */
    this.calls = calls;
    /** The run's log: `INFO message key=value`. */
    this.log = log;
  }

  /** What the workflow returned. Throws a {@link WorkflowFailure} when it failed. */
  result() {
    const { tag, val } = this.#completion;
    if (tag === "completed") return decode(val);
    if (tag === "failed") throw new WorkflowFailure(val);
    throw new Error(`the run ended otherwise: ${tag}`);
  }

  /** Why it failed. Throws when it did not. */
  get failure() {
    const { tag, val } = this.#completion;
    if (tag !== "failed") throw new Error(`the run did not fail: ${tag} ${tag === "completed" ? JSON.stringify(decode(val)) : ""}`);
    return new WorkflowFailure(val);
  }

  /** Whether it was canceled. */
  get isCanceled() {
    return this.#completion.tag === "canceled";
  }

  /** The next run, when this one continued as new: its input, the workflow's name, and the signals that go to it. */
  get next() {
    const { tag, val } = this.#completion;
    if (tag !== "continue-as-new") return undefined;
    // An array of this realm, so that it equals those of the test.
    const unread = Array.from(val.unread, ({ name, input }) => ({ name, input: decode(input) }));
    return { input: decode(val.input), workflow: val.workflow, newestVersion: val.newestVersion, unread };
  }

  /** The answer to the query with this index, in the order in which they were asked. */
  answer(index) {
    return outcome(this.#answers[index], `query ${index}`);
  }

  /** How far the update with this index came: `admitted`, `rejected`, `accepted` or `completed`. */
  updateStage(index) {
    return this.#updates[index].stage;
  }

  /** What the sender of the update with this index got. */
  updateResult(index) {
    return outcome(this.#updates[index].outcome, `update ${index}`);
  }
}

function outcome(outcome, what) {
  if (outcome === undefined) throw new Error(`there is no ${what}`);
  if (outcome.tag === "err") throw new WorkflowFailure(outcome.val);
  return decode(outcome.val);
}
