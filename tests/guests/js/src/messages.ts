/** What others say to a run: signals, queries and updates. */
import { condition, Failure, query, s, select, signal, sleep, update, workflow } from "refrain-sdk";
import { Time } from "./context";

const go = signal("go", { input: s.string(), doc: "Ends the wait." });

/** What came first: the signal, and what it said; or the timer. */
const First = s.union([s.object({ signal: s.string() }), s.object({ timer: s.boolean() })]);

export const selects = workflow(
  { name: "select", doc: "Waits for a signal or a timer.", input: Time, output: First, signals: [go] },
  async ({ ms }) => {
    const first = await select({ signal: go.receive(), timer: sleep(ms) });
    return first.key === "signal" ? { signal: first.value } : { timer: true };
  },
);

const addSignal = signal("add", { input: s.integer(), doc: "Adds to the total." });
const finish = signal("finish", { input: s.null(), doc: "Ends the run." });
const total = query("total", { input: s.null(), output: s.integer(), doc: "The total so far." });

export const tells = workflow(
  {
    name: "query",
    doc: "Adds up what signals bring until one says that it is enough.",
    input: s.null(),
    output: s.integer(),
    signals: [addSignal, finish],
    queries: [total],
  },
  async () => {
    let sum = 0;
    addSignal.handle((n) => {
      sum += n;
    });
    total.handle(() => sum);
    await finish.receive();
    return sum;
  },
);

const addUpdate = update("add", {
  input: s.integer(),
  output: s.integer(),
  doc: "Adds a positive number; the total then.",
});

export const updates = workflow(
  {
    name: "update",
    doc: "Adds up what updates bring until it is enough.",
    input: s.object({ until: s.integer("The total at which it is enough.") }),
    output: s.integer(),
    updates: [addUpdate],
  },
  async ({ until }) => {
    let sum = 0;
    addUpdate.handle(
      (n) => (sum += n),
      (n) => {
        if (n <= 0) throw new Failure(`${n} is not positive`, { type: "not-positive" });
      },
    );
    await condition(() => sum >= until);
    return sum;
  },
);
