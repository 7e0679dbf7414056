import { s, sleep, workflow, type Infer } from "refrain-sdk";

const Stage = s.union([s.oneOf(["waiting", "expired"]), s.object({ decided: s.object({ by: s.string() }) })]);

const Request = s.object({
  what: s.string("What is to be approved."),
  times: s.default(s.natural(), 3),
  comment: s.optional(s.string()),
  tags: s.default(s.array(s.string()), []),
  limits: s.optional(s.record(s.number())),
  stage: s.optional(Stage),
  nothing: s.optional(s.nullable(s.integer())),
});

export const echoes = workflow({ name: "echoes", input: Request, output: Request }, async (request) => {
  const typed: Infer<typeof Request> = request;
  return typed;
});

export const anything = workflow({ name: "anything" }, async (input) => input);

export const sleeps = workflow({ name: "sleeps" }, async (durations) => {
  for (const duration of durations as number[]) await sleep(duration);
});

/** Its type is written by hand. */
export const plain = workflow(
  { name: "plain", input: s.json<{ n: number }>({ type: "object", properties: { n: { minimum: 1, maximum: 9 } } }) },
  async ({ n }) => n,
);
