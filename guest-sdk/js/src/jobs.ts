/**
 * The queue of jobs under every promise, and the place in the program that each job belongs to.
 *
 * The engine's own promises run from a queue that nobody outside can drain, and a synchronous export never reaches
 * the point where the engine would. So the SDK has a queue of its own: `await` compiles to it, and the executor
 * knows when it is empty, which is when a workflow can do nothing more until something happens.
 */
import { Queue } from "./queue";
import type { Region } from "./region";
import type { UpdateInfo } from "./updates";

/** What belongs to the code that runs now. A job is run with what was current when it was asked for. */
export interface Context {
  /** What is begun together and given up together. */
  readonly region: Region;
  /** The update whose validator or handler this is. */
  readonly update: UpdateInfo | undefined;
}

type Job = () => void;

let queue = new Queue<Job>();
let context: Context | undefined;

/** Puts a job at the end. */
export function enqueue(job: Job): void {
  queue.push(job);
}

/** Runs jobs, first come, first served, until none is left or `stop` says so. */
export function drain(stop: () => boolean): void {
  while (!stop()) {
    const job = queue.shift();
    if (job === undefined) return;
    job();
  }
}

/** Forgets all jobs: a new run begins. */
export function reset(): void {
  queue = new Queue();
  context = undefined;
}

/** Where the code that runs now belongs; `undefined` outside of a run. */
export function current(): Context | undefined {
  return context;
}

/** Where the code that runs now belongs. */
export function mustBeInRun(what: string): Context {
  if (context === undefined) {
    throw new Error(`${what} can be used in a workflow alone, not while its module is loaded`);
  }
  return context;
}

/** Calls `body` as code of another place. */
export function within<T>(place: Context | undefined, body: () => T): T {
  const outer = context;
  context = place;
  try {
    return body();
  } finally {
    context = outer;
  }
}
