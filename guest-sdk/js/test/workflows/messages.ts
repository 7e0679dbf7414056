import {
  activity,
  allHandlersFinished,
  condition,
  continueAsNew,
  currentUpdate,
  Failure,
  isCancelRequested,
  query,
  s,
  signal,
  sleep,
  timeout,
  update,
  workflow,
} from "refrain-sdk";

const done = signal("done", { input: s.integer(), doc: "It is done." });
const add = update("add", { input: s.integer(), output: s.integer(), doc: "Adds to the sum." });
const slow = update("slow", { input: s.string(), output: s.string() });
const step = (name: string) => activity<string>(name, name, { startToClose: "10s" });

/** Sums up until it is done; odd numbers are let in, and 13 is an error. */
export const adds = workflow(
  { name: "adds", input: s.boolean(), updates: [add, slow], signals: [done] },
  async (waitForHandlers) => {
    let sum = 0;
    add.handle(
      async (n) => {
        if (n === 13) throw new Failure("bad luck");
        return (sum += n);
      },
      (n) => {
        if (n % 2 === 0) throw new Failure(`${n} is even, and the sum is ${sum}`, { type: "Even" });
      },
    );
    slow.handle(step);
    await done.receive();
    if (waitForHandlers) await condition(allHandlersFinished);
    return sum;
  },
);

export const handlesLate = workflow({ name: "handles-late" }, async () => {
  await sleep("1s");
  slow.handle((name) => name);
  await sleep("1s");
});

export const noHandlers = workflow({ name: "no-handlers" }, () => done.receive());

const who = update("who", { input: s.null() });

export const knowsWhoAsks = workflow({ name: "knows-who-asks" }, async () => {
  who.handle(
    async () => {
      const before = currentUpdate();
      await sleep("1s");
      const after = currentUpdate();
      return `${before?.name} by ${after?.id}`;
    },
    () => {
      if (currentUpdate() === undefined) throw new Failure("no update");
    },
  );
  await sleep("5s");
  return currentUpdate() ?? null;
});

export const handlesSignals = workflow({ name: "handles-signals", input: s.natural() }, async (late) => {
  const seen: string[] = [];
  await sleep(late * 1_000);
  done.handle(async (n) => {
    seen.push(`begin ${n}`);
    await sleep(n * 1_000);
    seen.push(`end ${n}`);
  });
  await sleep((10 - late) * 1_000);
  await condition(allHandlersFinished);
  return seen;
});

export const failsInHandler = workflow({ name: "fails-in-handler" }, async () => {
  done.handle((n) => {
    throw new Failure(`no ${n}`);
  });
  await sleep("5s");
});

export const cutOff = workflow({ name: "cut-off" }, async () => {
  slow.handle(async (name) => {
    await sleep("1d");
    return name;
  });
  add.handle((n) => n);
  done.handle(() => sleep("60s"));
  await sleep("2s");
  return continueAsNew();
});

export const goesOn = workflow({ name: "goes-on", input: s.natural(), signals: [done] }, async (reads) => {
  await sleep("2s");
  for (let read = 0; read < reads; read += 1) await done.receive();
  return continueAsNew(reads);
});

export const counts = workflow({ name: "counts" }, async () => {
  await sleep("10s");
  const got = done.drain();
  got.push(await done.receive());
  return got;
});

export const twoReaders = workflow({ name: "two-readers" }, () => Promise.all([done.receive(), done.receive()]));

export const passesAToken = workflow({ name: "passes-a-token", input: s.natural() }, async (turns) => {
  let turn = -1;
  const seen: number[] = [];
  const take = async (mine: number) => {
    await condition(() => turn === mine);
    seen.push(mine);
    turn = mine + 1;
  };
  // The last one begins first, so that each needs a look of its own.
  for (let mine = turns - 1; mine >= 0; mine -= 1) void take(mine);
  const nobody = await timeout("1s", condition(() => turn === turns)).catch((error: unknown) => (error as Failure).type);
  turn = await done.receive();
  await condition(() => turn === turns);
  return [nobody, ...seen];
});

export const looks = workflow({ name: "looks" }, async () => {
  let slept = 0;
  let looked = 0;
  const fifth = condition(() => {
    looked += 1;
    return slept === 5;
  });
  const sleeps = async () => {
    for (; slept < 5; slept += 1) await sleep("10s");
  };
  await Promise.all([fifth, sleeps()]);
  return looked;
});

const seen = query("seen", { input: s.integer(), output: s.integer(), doc: "What has been seen, times the input." });
const rests = query<null, string>("rests");

export const watched = workflow({ name: "watched", input: s.natural(), queries: [seen, rests] }, async (seconds) => {
  let passed = 0;
  seen.handle((times) => passed * times);
  rests.handle(() => {
    if (!isCancelRequested()) throw new Failure("nobody asked it to end", { type: "Never" });
    return "soon";
  });
  for (; passed < seconds; passed += 1) await sleep("1s");
  return passed;
});

const bad = query<string, unknown>("bad");

export const misbehaves = workflow({ name: "misbehaves", queries: [bad] }, async () => {
  bad.handle((how) => {
    if (how === "timer") return void sleep("1s");
    if (how === "activity") return void step("a");
    if (how === "promise") return (async () => 1)();
    throw new Error(`bad: ${how}`);
  });
  await sleep("3s");
  return "went on";
});
