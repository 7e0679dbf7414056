import { allSettled, child, external, Failure, s, signal, sleep, watchChild, workflow } from "refrain-sdk";

const done = signal<number>("done");

export const ships = workflow({ name: "ships", input: s.string() }, (id) =>
  child("ship", id, {
    id: `ship-${id}`,
    taskQueue: "port",
    parentClose: "abandon",
    idReuse: "reject",
    memo: { order: id },
    summary: "by sea",
    output: s.string(),
  }),
);

export const watches = workflow({ name: "watches" }, async () => {
  const { started, outcome } = watchChild<string>("ship", "7", { id: "ship-7" });
  const ship = await started;
  await done.sendTo(ship, 5);
  return outcome;
});

export const givesUp = workflow({ name: "gives-up", input: s.natural() }, async (cancellation) => {
  const ship = child<string>("ship", "7", {
    executionTimeout: "60s",
    cancellation: cancellation === 1 ? "wait-for-cancellation" : "try-cancel",
    cancelWithRun: cancellation === 2,
  });
  if (cancellation < 2) {
    await sleep("1s");
    ship.cancel("too slow");
  }
  return ship;
});

export const square = workflow({ name: "square", input: s.integer(), output: s.integer() }, async (n) => n * n);

export const sumOfSquares = workflow({ name: "sum-of-squares", input: s.array(s.integer()) }, async (numbers) => {
  const squares: number[] = await Promise.all(numbers.map((n) => child(square, n)));
  return squares.reduce((sum, n) => sum + n, 0);
});

export const tellsOthers = workflow({ name: "tells-others" }, async () => {
  const [near, far] = [external("near"), external("far", "1")];
  const sent = [near.signal("hello", "you"), far.signal("hello", 7), far.cancel("enough"), near.cancel("")];
  const outcomes = await allSettled(sent);
  return outcomes.map((outcome) => (outcome.status === "fulfilled" ? "sent" : `${outcome.reason}`));
});

export const noWords = workflow({ name: "no-words" }, async () => {
  const failures = await allSettled([
    external("near").signal("hello", 1n),
    child("ship", 1n),
    child("ship", "7", { memo: { order: 1n } }),
  ]);
  return failures.map((one) => (one.status === "rejected" && one.reason instanceof Failure ? `${one.reason}` : ""));
});
