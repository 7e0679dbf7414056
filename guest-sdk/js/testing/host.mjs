/** The host of a workflow under test: the imports of `wit/`, scripted. */
import { fromError, inContext, sentence, wire } from "./failures.mjs";
import { encode, text } from "./json.mjs";
import { fromWire, show, toWire } from "./time.mjs";

/** When runs under test begin: an ordinary day. */
const START = Date.UTC(2026, 0, 1);

const DONE = { tag: "ok", val: encode(null) };

export class ScriptedHost {
  calls = [];
  log = [];
  answers = [];
  #world;
  #workflow;
  #op = 0;
  #clock = 0;
  #reads = 0;
  #random = 0n;
  /** A query was delivered, and the workflow has not waited since. */
  #asked = false;
  /** What the query's handler called that none may. */
  #tried;
  #endedAt;

  constructor(world, workflow) {
    this.#world = world;
    this.#workflow = workflow;
  }

  /** The run's time at its end. */
  get elapsed() {
    return this.#endedAt ?? this.#clock;
  }

  imports = {
    activity: {
      start: (name, input, options) => this.#startActivity("activity", name, input, options),
      startLocal: (name, input, options) => this.#startActivity("local activity", name, input, options),
    },
    timer: { start: (delay, summary) => this.#startTimer(fromWire(delay), summary) },
    child: { start: (workflow, input, options) => this.#startChild(workflow, input, options) },
    external: {
      signal: (target, name, input) => this.#send("signal", target, ` ${name} ${text(input)}`),
      requestCancel: (target) => this.#send("request-cancel", target, ""),
    },
    wait: {
      next: () => this.#next(),
      cancel: (op, reason) => this.#cancel(op, reason),
      detach: (op) => {
        this.#change("wait.detach", `detach ${op}`);
        this.#world.schedule.takeOp(op);
      },
    },
    messages: {
      accept: (update) => {
        this.#change("messages.accept", `accept update-${update}`);
        this.#answerOnce(update).stage = "accepted";
      },
      reject: (update, reason) => {
        this.#change("messages.reject", `reject update-${update}: ${sentence(reason)}`);
        Object.assign(this.#answerOnce(update), { stage: "rejected", outcome: { tag: "err", val: reason } });
      },
      complete: (update, answer) => this.#complete(update, answer),
      answer: (_query, answer) => {
        const tried = this.#tried && { tag: "err", val: wire("host", "query-tried-to-change", this.#tried) };
        this.answers.push(tried ?? answer);
        this.#tried = undefined;
      },
    },
    context: {
      info: () => this.#info(),
      now: () => toWire(START + this.#clock + this.#reads++ / 1_000),
      randomBytes: (length) => Uint8Array.from({ length }, () => this.#randomByte()),
      uuid: () => {
        const hex = Array.from({ length: 16 }, () => this.#randomByte().toString(16).padStart(2, "0")).join("");
        return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, "$1-$2-4$3-a$4-$5");
      },
    },
    version: {
      patched: (id) => !this.#world.old.has(id),
      getVersion: (id, min, max) => (this.#world.old.has(id) ? Math.max(min, this.#world.old.get(id)) : max),
    },
    log: {
      write: (level, message, fields) => {
        const shown = fields.map(({ key, value }) => ` ${key}=${value}`).join("");
        this.log.push(`${level.toUpperCase()} ${message}${shown}`);
      },
    },
    control: {
      finish: () => {
        this.#endedAt = this.#clock;
      },
    },
  };

  /** The step has ended: what it was to accept or to reject is rejected. */
  rejectUnanswered() {
    for (const update of this.#world.updates.filter(({ delivered }) => delivered)) {
      const outcome = { tag: "err", val: wire("host", "not-handled", "the workflow did not handle the update") };
      Object.assign(update, { delivered: false, stage: "rejected", outcome });
    }
  }

  #startActivity(what, name, input, options) {
    const op = ++this.#op;
    this.#change("activity.start", `${op} = ${what} ${name} ${text(input)}${routing(options)}`);
    const known = this.#world.activities.get(name);
    if (known === undefined) throw new Error(`this Env has no activity \`${name}\``);
    let { takes } = known;
    let outcome = perform(known.work, input);
    const limit = options.startToCloseTimeout ?? options.scheduleToCloseTimeout;
    if (limit !== null && takes > fromWire(limit)) {
      takes = fromWire(limit);
      outcome = failed(wire("timeout", "start-to-close", `activity \`${name}\` took longer than ${show(takes)}`));
    }
    const { cancellation } = options;
    this.#world.schedule.add(this.#clock + takes, { op, cancellation, outcome });
    return op;
  }

  #startTimer(delay, summary) {
    const op = ++this.#op;
    this.#change("timer.start", `${op} = timer ${show(delay)}${summary === null ? "" : ` ${summary}`}`);
    this.#world.schedule.add(this.#clock + delay, { op, cancellation: "try-cancel", outcome: DONE });
    return op;
  }

  #startChild(workflow, input, options) {
    const [started, finished] = [this.#op + 1, this.#op + 2];
    this.#op = finished;
    this.#change("child.start", `${started}, ${finished} = child ${workflow} ${text(input)}${ofChild(options)}`);
    const known = this.#world.children.get(workflow);
    if (known === undefined) throw new Error(`this Env has no child \`${workflow}\``);
    const id = options.workflowId ?? `child-${finished}`;
    const name = `child workflow ${JSON.stringify(workflow)}`;
    let begun = { tag: "ok", val: encode({ workflow_id: id, run_id: `${id}-run` }) };
    let outcome;
    let takes = known.takes ?? 0;
    if (known.refused) {
      outcome = begun = failed(wire("host", known.refused, `${name} was not started: its id is ${JSON.stringify(id)}`));
    } else {
      outcome = perform(known.work, input, (failure) => inContext(failure, `${name} (id ${JSON.stringify(id)}) failed`));
      const limits = [
        ["execution", options.executionTimeout],
        ["run", options.runTimeout],
      ].filter(([, limit]) => limit !== null && takes > fromWire(limit));
      for (const [which, limit] of limits.sort((a, b) => fromWire(a[1]) - fromWire(b[1])).slice(0, 1)) {
        takes = fromWire(limit);
        const why = wire("timeout", which, `the ${which} took longer than ${show(takes)}`);
        outcome = failed(inContext(why, `${name} (id ${JSON.stringify(id)}) timed out`));
      }
    }
    // To cancel the first has no effect.
    this.#world.schedule.add(this.#clock, { op: started, cancellation: "wait-for-cancellation", outcome: begun });
    const { cancellation } = options;
    this.#world.schedule.add(this.#clock + takes, { op: finished, cancellation, outcome });
    return { started, finished };
  }

  #send(what, { workflowId, runId }, more) {
    const op = ++this.#op;
    const run = runId === null ? "" : ` run=${JSON.stringify(runId)}`;
    this.#change(`external.${what}`, `${op} = ${what} ${workflowId}${run}${more}`);
    const isMissing = this.#world.missing.has(workflowId);
    const outcome = isMissing ? failed(wire("host", "not-found", `there is no workflow \`${workflowId}\``)) : DONE;
    this.#world.schedule.add(this.#clock, { op, cancellation: "wait-for-cancellation", outcome });
    return op;
  }

  #next() {
    const { schedule } = this.#world;
    this.rejectUnanswered();
    if (this.#endedAt !== undefined) schedule.keepQueries();
    else if (!this.#asked) this.calls.push("wait");
    this.#asked = false;
    const { first } = schedule;
    if (first === undefined) {
      if (this.#endedAt !== undefined) return [];
      throw new Error("the workflow waits for ever: nothing is scheduled");
    }
    if (first.query) {
      // Asked alone, of the run as its last step left it.
      this.#asked = true;
      schedule.takeFirst();
      return [{ tag: "message", val: first.message }];
    }
    this.#clock = Math.max(first.at, this.#clock);
    this.#reads = 0;
    return schedule.takeMoment().map(({ op, outcome, message }) => {
      if (message === undefined) return { tag: "finished", val: { op, outcome } };
      if (message.tag === "update") this.#world.updates[message.val.request].delivered = true;
      return { tag: "message", val: message };
    });
  }

  #cancel(op, reason) {
    this.#change("wait.cancel", `cancel ${op}`);
    const ending = this.#world.schedule.takeOp(op);
    if (ending === undefined) return;
    const { at, cancellation, outcome } = ending;
    if (cancellation === "wait-for-cancellation") this.#world.schedule.add(at, { op, cancellation, outcome });
    else this.#world.schedule.add(this.#clock, { op, cancellation, outcome: failed(wire("canceled", "canceled", reason)) });
  }

  #complete(index, answer) {
    const shown = answer.tag === "ok" ? text(answer.val) : sentence(answer.val);
    this.#change("messages.complete", `complete update-${index}: ${shown}`);
    const update = this.#world.updates[index];
    if (update.stage !== "accepted") throw new Error(`update-${index} cannot be completed`);
    Object.assign(update, { stage: "completed", outcome: answer });
  }

  #answerOnce(index) {
    const update = this.#world.updates[index];
    if (!update.delivered) throw new Error(`update-${index} cannot be accepted or rejected now`);
    update.delivered = false;
    return update;
  }

  /** Remembers a command, which a query's handler may not call. */
  #change(call, shown) {
    if (this.#asked) {
      this.#tried = `the query's handling called ${call}: a query only looks, and may not`;
      throw new Error(this.#tried);
    }
    this.calls.push(shown);
  }

  #info() {
    return {
      namespace: "default",
      workflowId: "test",
      runId: "test-run",
      firstRunId: "test-run",
      continuedRunId: null,
      workflow: this.#workflow,
      taskQueue: "default",
      attempt: 1,
      lastFailure: null,
      startedAt: toWire(START),
      parent: null,
      root: null,
      journalEntries: this.calls.length,
      journalBytes: 0,
      continueAsNewSuggested: this.#clock >= this.#world.longFrom,
      more: [],
    };
  }

  /** SplitMix64: a test wants the same values each time, not good ones. */
  #randomByte() {
    const wrap = (value) => BigInt.asUintN(64, value);
    this.#random = wrap(this.#random + 0x9e3779b97f4a7c15n);
    const mixed = wrap((this.#random ^ (this.#random >> 30n)) * 0xbf58476d1ce4e5b9n);
    return Number((mixed ^ (mixed >> 27n)) & 0xffn);
  }
}

function failed(failure) {
  return { tag: "err", val: failure };
}

function perform(work, input, wrap = (failure) => failure) {
  try {
    return { tag: "ok", val: encode(work(JSON.parse(text(input)))) };
  } catch (error) {
    return failed(wrap(fromError(error)));
  }
}

/** Where an activity is sent and when it gets its turn, as far as the workflow says. */
function routing({ taskQueue, priority, more }) {
  return [
    taskQueue === null ? "" : ` task-queue=${JSON.stringify(taskQueue)}`,
    priority === null ? "" : ` priority=${priority}`,
    ...more.map(([key, value]) => ` ${key}=${text(value)}`),
  ].join("");
}

/** What the workflow says about a child besides its input. */
function ofChild({ workflowId, component, taskQueue, summary, idReuse, parentClose, memo }) {
  const texts = { id: workflowId, component, "task-queue": taskQueue, summary };
  return [
    ...Object.entries(texts).map(([name, value]) => (value === null ? "" : ` ${name}=${JSON.stringify(value)}`)),
    idReuse === "allow" ? "" : ` id-reuse=${idReuse}`,
    parentClose === "terminate" ? "" : ` parent-close=${parentClose}`,
    ...memo.map(([key, value]) => ` memo:${key}=${text(value)}`),
  ].join("");
}
