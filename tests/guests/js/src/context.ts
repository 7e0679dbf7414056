/** What a run asks its host for besides work: time, randomness, and a log. */
import { log, now, randomBytes, s, sleep, uuid, workflow } from "refrain-sdk";

/** How long, in milliseconds. */
export const Time = s.object({ ms: s.natural() });

export const timer = workflow(
  { name: "timer", doc: "Sleeps.", input: Time, output: s.string() },
  async ({ ms }) => {
    await sleep(ms);
    return "slept";
  },
);

/** What is so of what was read. */
const Reads = s.object({
  moves_on: s.boolean("Whether the second look at the clock showed a later time."),
  uuid: s.boolean("Whether the UUID is one of version 4, in lower case."),
  bytes: s.natural("How many random bytes there were."),
});

const VERSION_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export const reads = workflow(
  {
    name: "reads",
    doc: "Reads the clock twice, random bytes and a UUID, in this order.",
    input: s.null(),
    output: Reads,
  },
  async () => {
    const [first, second] = [now(), now()];
    const bytes = randomBytes(8).length;
    return { moves_on: second > first, uuid: VERSION_4.test(uuid()), bytes };
  },
);

export const logs = workflow(
  { name: "log", doc: "Writes two lines to the run's log.", input: s.null(), output: s.null() },
  async () => {
    log.info("hello", { n: 1 });
    log.warn("careful");
    return null;
  },
);
