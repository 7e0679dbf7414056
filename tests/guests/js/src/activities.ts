/** Activities: one after the other, and many at once. */
import { activity, all, s, workflow, type Infer } from "refrain-sdk";

/** How many: from 1 to this. */
export const Count = s.object({ n: s.natural() });
export type Count = Infer<typeof Count>;

/** The activity that returns its input. */
export const echo = <T>(input: T) => activity<T>("echo", input, { startToClose: "10s" });

const upTo = ({ n }: Count) => Array.from({ length: n }, (_, index) => index + 1);

export const sequence = workflow(
  { name: "sequence", doc: "Adds up what one activity after the other returns.", input: Count, output: s.natural() },
  async (count) => {
    let total = 0;
    for (const i of upTo(count)) total += await echo(i);
    return total;
  },
);

export const parallel = workflow(
  {
    name: "parallel",
    doc: "Returns what activities return that run at once, in the order in which they were started.",
    input: Count,
    output: s.array(s.natural()),
  },
  async (count) => all(upTo(count).map(echo)),
);

export const fanOut = workflow(
  { name: "fan_out", doc: "Adds up what activities return that run at once.", input: Count, output: s.natural() },
  async (count) => (await all(upTo(count).map(echo))).reduce((sum, i) => sum + i, 0),
);
