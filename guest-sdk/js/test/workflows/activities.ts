import {
  activitiesOf,
  activity,
  all,
  allSettled,
  context,
  continueAsNew,
  Failure,
  getVersion,
  localActivity,
  patched,
  s,
  sleep,
  workflow,
} from "refrain-sdk";

const step = (name: string) => activity<string>(name, name, { startToClose: "10s" });

export const eager = workflow({ name: "eager" }, async () => {
  const first = step("a");
  const [b, c] = await all([step("b"), () => step("c")]);
  return (await first) + b + c;
});

export const routed = workflow({ name: "routed" }, async () => {
  const near = await localActivity<string>("look-up", "m", { startToClose: "10s" });
  return activity(near, near, {
    startToClose: "10s",
    taskQueue: "gpu",
    priority: 1,
    fairness: { key: 'tenant "7"', weight: 2 },
  });
});

interface Files {
  hash(file: { path: string }): string;
}

export const proxied = workflow({ name: "proxied" }, async () => {
  const files = activitiesOf<Files>({ prefix: "fs.", startToClose: "10s" });
  return files.hash({ path: "a" }, { taskQueue: "disk" });
});

export const fiveByTwo = workflow({ name: "five-by-two" }, () =>
  all(["3", "1", "1", "1", "2"].map((name) => () => step(name)), { limit: 2 }),
);

export const failsFast = workflow({ name: "fails-fast" }, () => all(["1", "broken", "3"].map(step)));

export const settles = workflow({ name: "settles" }, async () => {
  const outcomes = await allSettled(["1", "broken", "3"].map(step));
  return outcomes.map((outcome) => (outcome.status === "fulfilled" ? outcome.value : outcome.reason.type));
});

export const many = workflow({ name: "many", input: s.natural() }, async (n) => {
  const each = async (seconds: number) => {
    await sleep(seconds * 1_000);
    return seconds;
  };
  const all = await Promise.all(Array.from({ length: n }, (_, index) => each(index)));
  return all.reduce((sum, one) => sum + one, 0);
});

export const manyAtOnce = workflow({ name: "many-at-once", input: s.natural() }, async (n) => {
  const works = Array.from({ length: n }, (_, index) => () => step(`t${index % 3}`));
  return (await all(works)).length;
});

export const floats = workflow({ name: "floats" }, async () => {
  void step("slow").detach();
  void step("broken");
  await sleep("5s");
  return "done";
});

export const noWords = workflow({ name: "no-words" }, async () => {
  const loop: { self?: unknown } = {};
  loop.self = loop;
  const failures = await allSettled([activity("a", loop, { startToClose: 1 }), activity("a", 1n, { startToClose: 1 })]);
  return failures.map((one) => (one.status === "rejected" ? `${one.reason.type} ${one.reason}`.slice(0, 60) : "?"));
});

export const checked = workflow({ name: "checked" }, () =>
  activity("count", null, { startToClose: "1s", output: s.object({ n: s.integer() }) }),
);

export const chain = workflow({ name: "chain" }, async () => {
  try {
    await context("outer", context("inner", step("broken")));
  } catch (error) {
    const { type, nonRetryable, details, message, causes } = error as Failure;
    return { type, nonRetryable, details, message, causes: causes.map(({ message }) => message), all: `${error}` };
  }
});

export const changes = workflow({ name: "changes" }, async () => [patched("a"), getVersion("b", 1, 3)]);

export const countdown = workflow({ name: "countdown", input: s.natural() }, async (n) =>
  n === 0 ? "lift-off" : continueAsNew(n - 1, { newestVersion: true }),
);

export const bug = workflow({ name: "bug" }, async () => {
  const nothing = undefined as unknown as { field: string };
  return nothing.field;
});

export const floatingBug = workflow({ name: "floating-bug" }, async () => {
  void (async () => {
    throw new TypeError("nobody looks");
  })();
  await sleep("1s");
});

export const twins = workflow({ name: "twins" }, async () => "one");
export { twins as again };
