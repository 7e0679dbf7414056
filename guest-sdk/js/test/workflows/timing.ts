import {
  activity,
  canceled,
  Elapsed,
  Failure,
  info,
  keep,
  log,
  now,
  orCanceled,
  random,
  randomBytes,
  s,
  saga,
  select,
  signal,
  sleep,
  sleepUntil,
  timeout,
  uuid,
  workflow,
} from "refrain-sdk";

const step = (name: string) => activity<string>(name, name, { startToClose: "10s" });
const done = signal("done", { input: s.integer() });

export const doneOrLate = workflow({ name: "done-or-late", input: s.natural(), signals: [done] }, async (limit) => {
  const first = await select({ late: sleep(limit * 1_000), done: done.receive() });
  return first.key === "done" ? first.value : null;
});

export const deepAndShallow = workflow({ name: "deep-and-shallow" }, async () => {
  const deep = async (levels: number): Promise<string> => (levels === 0 ? step("deep") : await deep(levels - 1));
  const first = await select({ shallow: () => step("shallow"), deep: () => deep(20) });
  return first.key;
});

export const selectsReady = workflow({ name: "selects-ready" }, async () => {
  await sleep("2s");
  const first = await select({ ready: Promise.resolve("ready"), done: done.receive() });
  return [first.key, await done.receive()];
});

export const reminds = workflow({ name: "reminds" }, async () => {
  let reminders = 0;
  let reminder = sleep("2s");
  for (;;) {
    const first = await select({ done: done.receive(), reminder: keep(reminder) });
    if (first.key === "done" && first.value === 0) return reminders;
    if (first.key === "done") continue;
    reminders += 1;
    reminder = sleep("2s");
  }
});

export const impatient = workflow({ name: "impatient" }, async () => {
  const slow = step("slow");
  try {
    return await timeout("2s", keep(slow));
  } catch (error) {
    if (!(error instanceof Elapsed)) throw error;
    slow.cancel("too slow");
    try {
      return await slow;
    } catch (canceled) {
      throw (canceled as Failure).context(error.toString());
    }
  }
});

export const nested = workflow({ name: "nested" }, async () => {
  const seen: string[] = [];
  const inner = async () => {
    try {
      await timeout("5s", async () => {
        await Promise.all([step("work"), sleep("1d")]);
      });
    } catch (error) {
      seen.push(`inner ${error}`);
      await sleep("1s").catch((error: unknown) => seen.push(`then ${error}`));
      throw error;
    } finally {
      seen.push("finally");
    }
  };
  try {
    await timeout("1s", inner);
  } catch (error) {
    seen.push(`outer ${error}`);
  }
  await sleep("1s");
  return seen;
});

export const both = workflow({ name: "both", input: s.natural() }, async (seconds) => {
  const work = async () => {
    await sleep(seconds * 1_000);
    return "in time";
  };
  return timeout("2s", work).catch((error: unknown) => (error as Failure).type);
});

export const sleeper = workflow({ name: "sleeper", input: s.natural() }, async (reads) => {
  for (let round = 0; round < 2; round += 1) {
    let begun = now();
    for (let read = 1; read < reads; read += 1) begun = now();
    const deadline = begun + 10_000;
    await sleepUntil(deadline);
    if (now() < deadline) throw new Failure(`${reads} reads: early`);
  }
});

export const reads = workflow({ name: "reads" }, async () => {
  const [a, b] = [now(), now()];
  log.info("bytes", { length: randomBytes(70_000).length, nested: { a: 1 }, why: new Failure("x") });
  const dice = random();
  return [a < b, uuid() !== uuid(), dice >= 0 && dice < 1, info().workflow];
});

function clones(): boolean[] {
  const shared = { n: 1 };
  const value = { a: [shared, shared], map: new Map([[1, new Set([2])]]), at: new Date(7), bytes: new Uint8Array([1]) };
  const loop: { self?: unknown } = {};
  loop.self = loop;
  const [copy, looped] = [structuredClone(value), structuredClone(loop)];
  let refused = false;
  try {
    structuredClone(() => {});
  } catch {
    refused = true;
  }
  return [
    JSON.stringify(copy) === JSON.stringify(value) && copy.a !== value.a,
    copy.a[0] === copy.a[1] && copy.a[0] !== shared,
    copy.map.get(1)?.has(2) === true && copy.at.getTime() === 7 && copy.bytes[0] === 1,
    looped.self === looped,
    refused,
  ];
}

export const globals = workflow({ name: "globals" }, async () => {
  const order: unknown[] = [];
  const begun = new Date();
  const cleared = setTimeout(() => order.push("cleared"), 1_000);
  clearTimeout(cleared);
  const interval = setInterval(() => {
    order.push("interval");
    if (order.length === 2) clearInterval(interval);
  }, 1_000);
  await new Promise<void>((resolve) => setTimeout(resolve, 2_500));
  queueMicrotask(() => order.push("microtask"));
  await null;
  console.log("took", Date.now() - begun.getTime(), { ms: true });
  const bytes = crypto.getRandomValues(new Uint32Array(2));
  return {
    order,
    elapsed: Date.now() - begun.getTime(),
    year: begun.getUTCFullYear(),
    isDate: begun instanceof Date && new Date(0) instanceof Date && typeof Date() === "string",
    random: Math.random() !== Math.random(),
    uuid: crypto.randomUUID().length,
    bytes: bytes[0] !== bytes[1],
    performance: performance.now() >= 2_500,
    text: new TextDecoder().decode(new TextEncoder().encode("häßlich € 𝄞")),
    clone: clones(),
  };
});

export const cancelable = workflow({ name: "cancelable", input: s.boolean() }, (withRun) =>
  saga("work", async (saga) => {
    saga.undo("clean up", () => step("clean"));
    return withRun
      ? await activity("slow", "slow", { startToClose: "10s", cancelWithRun: true })
      : await orCanceled(step("slow"));
  }),
);

export const hears = workflow({ name: "hears" }, async () => {
  const first = await select({ canceled: canceled(), slept: sleep("1d") });
  const again = await orCanceled(() => step("never")).catch((error: unknown) => String(error));
  return [first, again];
});

export const waitsForEver = workflow({ name: "waits-for-ever" }, () => new Promise(() => {}));
