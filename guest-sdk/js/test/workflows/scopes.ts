import {
  activity,
  all,
  CancelScope,
  child,
  condition,
  context,
  Failure,
  s,
  saga,
  shield,
  signal,
  sleep,
  workflow,
  type Running,
} from "refrain-sdk";

const done = signal("done");
const step = (name: string) => activity<string>(name, name, { startToClose: "100s" });
const shown = (work: PromiseLike<string>) => Promise.resolve(work).catch((error: unknown) => String(error));

/** Runs `body` in a scope that the signal `done` cancels. */
async function untilDone<T>(body: () => Promise<T>): Promise<T> {
  const scope = new CancelScope();
  void done.receive().then(() => {
    scope.cancel("stopped");
    // The first reason counts, and nothing is canceled twice.
    scope.cancel("stopped again");
  });
  return scope.run(body);
}

export const works = workflow({ name: "works" }, async () => {
  step("outside").catch(() => {});
  const failures = await untilDone(async () => {
    const ship = child<string>("ship", "7");
    step("dropped").detach();
    const first = await all([shown(step("a")), shown(ship)]);
    return [...first, await shown(step("late")), await shown(child<string>("late", "7"))];
  });
  // The scope is over: what starts here is in none.
  await step("after");
  return failures;
});

export const sleeps = workflow({ name: "sleeps", input: s.string() }, (what) =>
  untilDone(async () => {
    const held = step("held");
    held.catch(() => {});
    switch (what) {
      case "sleeps":
        await sleep("1d");
        break;
      case "waits for the held one":
        await shown(held);
        break;
      case "waits for nothing":
        await new Promise(() => {});
        break;
      case "cleans up with a condition": {
        let failed = false;
        void held.catch(() => (failed = true));
        await condition(() => failed);
        break;
      }
      case "cleans up in a shield":
        try {
          await sleep("1d");
        } finally {
          await shield(() => step("tidy"));
        }
    }
    return what;
  }),
);

export const waitsForCancellation = workflow({ name: "waits-for-cancellation" }, () =>
  untilDone(async () => {
    activity("patient", null, { startToClose: "1m", cancellation: "wait-for-cancellation" }).catch(() => {});
    await sleep("1d");
  }),
);

export const nests = workflow({ name: "nests", input: s.boolean() }, (shielded) => {
  const inner = () => new CancelScope().run(() => step("inner"));
  return untilDone(() => shown(shielded ? shield(inner) : inner()));
});

export const startsInCanceled = workflow({ name: "starts-in-canceled" }, async () => {
  const scope = new CancelScope();
  scope.cancel("closed");
  return [
    await shown(scope.run(() => step("a"))),
    await shown(scope.run(() => new CancelScope().run(() => step("b")))),
    await shown(scope.run(async () => shield(() => step("d")))),
    scope.isCanceled,
  ];
});

export const books = workflow({ name: "books", input: s.boolean() }, (withRun) => {
  const trip = () =>
    saga("book the trip", async (saga) => {
      saga.undo("free the seat", () => step("free-seat"));
      await step("seat");
      await sleep("5s");
      saga.undo("free the room", () => step("free-room"));
      await step("room");
    });
  return withRun ? new CancelScope({ withRun: true }).run(trip) : untilDone(trip);
});

export const escapes = workflow({ name: "escapes" }, async () => {
  const scope = new CancelScope();
  const { long } = await scope.run(async (): Promise<{ long: Running<string> }> => ({ long: step("long") }));
  scope.cancel("too late");
  return long;
});

export const trip = workflow({ name: "trip", input: s.string() }, (failAt) =>
  saga("book the trip", async (saga) => {
    for (const name of ["seat", "room", "car"]) {
      saga.undo(`free the ${name}`, () => step(`free-${name}`));
      await context(`book the ${name}`, activity("book", [name, name === failAt], { startToClose: "10s" }));
    }
    return "booked";
  }),
);

export const undoes = workflow({ name: "undoes", input: s.array(s.string()) }, (names) =>
  saga("work", (saga) => {
    for (const name of names) {
      saga.undo(name, () => {
        throw new Failure("stuck");
      });
    }
    throw new Failure("broken");
  }),
);

export const sagaWithBug = workflow({ name: "saga-with-bug" }, () =>
  saga("work", (saga) => {
    saga.undo("undo", () => step("undo"));
    throw new TypeError("a bug undoes nothing");
  }),
);
