/** The workflows by which the guests of all languages are compared: their histories must be the same. */
import {
  activity,
  all,
  canceled,
  child,
  condition,
  context,
  continueAsNew,
  Failure,
  log,
  now,
  patched,
  query,
  randomBytes,
  s,
  saga,
  select,
  signal,
  sleep,
  update,
  uuid,
  workflow,
  type ActivityOptions,
} from "refrain-sdk";

const TASK: ActivityOptions = { startToClose: "10s" };

function echo<T>(input: T) {
  return activity<T>("echo", input, TASK as ActivityOptions<T>);
}

function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, index) => index + 1);
}

const count = s.object({ n: s.natural() });

export const sequence = workflow(
  { name: "sequence", doc: "One activity after the other.", input: count, output: s.integer() },
  async ({ n }) => {
    let total = 0;
    for (const i of upTo(n)) total += await echo(i);
    return total;
  },
);

export const parallel = workflow(
  { name: "parallel", doc: "Activities beside each other.", input: count, output: s.array(s.integer()) },
  async ({ n }) => all(upTo(n).map(echo)),
);

export const retries = workflow({ name: "retries", doc: "One that fails twice, and one that fails for good." }, async () => {
  await activity("flaky", { fail_times: 2 }, { ...TASK, retry: { initialInterval: 10, maximumAttempts: 5 } });
  const id = "abc123";
  const stop = context(`stop container ${id}`, activity("broken", id, TASK));
  await context(`stop-and-snapshot for container ${id}`, stop);
});

export const timer = workflow(
  { name: "timer", doc: "Sleeps.", input: s.object({ ms: s.natural() }), output: s.string() },
  async ({ ms }) => {
    await sleep(ms);
    return "slept";
  },
);

const go = signal("go", { input: s.string() });

export const selects = workflow(
  { name: "select", doc: "A signal or a timer.", input: s.object({ ms: s.natural() }), signals: [go] },
  async ({ ms }) => {
    const first = await select({ signal: go.receive(), timer: sleep(ms) });
    return first.key === "signal" ? { signal: first.value } : { timer: true };
  },
);

export const trip = workflow({ name: "saga", doc: "Undoes what it did." }, () =>
  saga("trip", async (saga) => {
    saga.undo("cancel hotel", () => echo("cancel hotel"));
    await echo("book hotel");
    saga.undo("cancel flight", () => echo("cancel flight"));
    await echo("book flight");
    saga.undo("cancel car", () => echo("cancel car"));
    await context("book the car", activity("broken", "book car", TASK));
  }),
);

export const fanOut = workflow(
  { name: "fan_out", doc: "Many activities at once.", input: count, output: s.integer() },
  async ({ n }) => (await all(upTo(n).map(echo))).reduce((sum, i) => sum + i, 0),
);

export const reads = workflow({ name: "reads", doc: "What a run may read." }, async () => {
  const [first, second] = [now(), now()];
  const bytes = randomBytes(8).length;
  const version4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  return { moves_on: second > first, uuid: version4.test(uuid()), bytes };
});

export const logs = workflow({ name: "log", doc: "Two lines." }, async () => {
  log.info("hello", { n: 1 });
  log.warn("careful");
  return null;
});

const add = signal("add", { input: s.number() });
const finish = signal("finish", { input: s.null() });
const total = query("total", { input: s.null(), output: s.number() });

export const queries = workflow(
  { name: "query", doc: "Adds up, and tells.", output: s.number(), signals: [add, finish], queries: [total] },
  async () => {
    let sum = 0;
    total.handle(() => sum);
    add.handle((n) => {
      sum += n;
    });
    await finish.receive();
    return sum;
  },
);

const addTo = update("add", { input: s.number(), output: s.number() });

export const updates = workflow(
  {
    name: "update",
    doc: "Adds up until it is enough.",
    input: s.object({ until: s.number() }),
    output: s.number(),
    updates: [addTo],
  },
  async ({ until }) => {
    let sum = 0;
    addTo.handle(
      (n) => (sum += n),
      (n) => {
        if (n <= 0) throw new Failure(`${n} is not positive`, { type: "not-positive" });
      },
    );
    await condition(() => sum >= until);
    return sum;
  },
);

export const parent = workflow(
  { name: "child", doc: "Lets a child do it.", input: count, output: s.integer() },
  ({ n }) => child(sequence, { n }),
);

export const continues = workflow(
  { name: "continue_as_new", doc: "Three runs.", input: s.object({ round: s.integer() }) },
  async ({ round }) => (round < 3 ? continueAsNew({ round: round + 1 }) : { rounds: round }),
);

export const cleansUp = workflow({ name: "cancel_cleanup", doc: "Cleans up when it is canceled." }, async () => {
  const first = await select({ timer: sleep("1d"), canceled: canceled() });
  if (first.key === "timer") return "slept";
  await echo("clean up");
  throw Failure.canceled(first.value);
});

export const changes = workflow({ name: "patched", doc: "Has been changed." }, async () =>
  patched("change") ? await echo("new") : await echo("old"),
);

export const bug = workflow({ name: "bug", doc: "Is wrong." }, async () => {
  throw new Error("this is a bug");
});
