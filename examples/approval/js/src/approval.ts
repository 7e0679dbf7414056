/**
 * Waits for a person's approval. Who is asked first is reminded until a second person is asked as well, and what nobody
 * decides in time has expired.
 *
 * Whoever may send signals may send this one, too early, too late, or without being asked; so the workflow looks at each
 * decision and says in its log why it does not count.
 */
import {
  Elapsed,
  keep,
  log,
  orCanceled,
  query,
  s,
  select,
  signal,
  sleep,
  timeout,
  workflow,
  type Infer,
} from "refrain-sdk";

/** How long people have who are not told otherwise. */
const DAY_MS = 24 * 60 * 60 * 1_000;

const Request = s.object({
  what: s.string("What is to be approved."),
  approver: s.string("Who is asked first."),
  escalate_to: s.string("Who is asked as well when the first one does not decide."),
  remind_every_ms: s.default(s.natural(), DAY_MS / 12, "Milliseconds from one reminder to the next."),
  escalate_after_ms: s.default(s.natural(), DAY_MS / 3, "Milliseconds until the second one is asked."),
  expire_after_ms: s.default(s.natural(), DAY_MS, "Milliseconds until it is too late."),
});
type Request = Infer<typeof Request>;

const Decision = s.object({
  by: s.string("Who decides."),
  approved: s.boolean("Whether it may be done."),
  comment: s.default(s.string(), "", "What there is to say about it."),
});
type Decision = Infer<typeof Decision>;

const decide = signal("decide", { input: Decision, doc: "A decision of one of those who are asked." });

const State = s.object({
  stage: s.union([s.oneOf(["waiting", "expired"]), s.object({ decided: Decision })], "How far it is."),
  asked: s.array(s.string(), "Whose decision counts."),
  reminders: s.natural("How often they were reminded."),
  ignored: s.natural("How many decisions did not count: of others, or too late."),
});
type State = Infer<typeof State>;

const tellState = query("state", { input: s.null(), output: State, doc: "How far it is, and who is asked." });

export const approval = workflow(
  {
    name: "approval",
    doc: "Asks for an approval until there is one, or it is too late.",
    input: Request,
    output: State,
    signals: [decide],
    queries: [tellState],
  },
  async (request) => {
    const state: State = { stage: "waiting", asked: [request.approver], reminders: 0, ignored: 0 };
    tellState.handle(() => state);
    log.info(`${request.approver} is asked: ${request.what}`);
    try {
      const decided = await orCanceled(timeout(request.expire_after_ms, () => decision(request, state)));
      log.info(`${decided.by} has decided`, { approved: decided.approved });
      state.stage = { decided };
    } catch (error) {
      if (!(error instanceof Elapsed)) throw error;
      log.warn(`too late: ${error}`);
      state.stage = "expired";
    }
    // Of what comes later the sender hears: the run is over. What came with the last event is told here.
    for (const late of decide.drain()) ignore(state, late, "it comes too late");
    return state;
  },
);

/** The first decision that counts. Whoever is slow loses nothing but the right to be the only one. */
async function decision(request: Request, state: State): Promise<Decision> {
  try {
    return await timeout(request.escalate_after_ms, () => ask(request, state));
  } catch (error) {
    if (!(error instanceof Elapsed)) throw error;
  }
  log.warn(`${request.approver} does not answer, so ${request.escalate_to} is asked too`);
  state.asked.push(request.escalate_to);
  return ask(request, state);
}

/** Reminds those who are asked until one of them decides. */
async function ask(request: Request, state: State): Promise<Decision> {
  const rest = () => sleep(request.remind_every_ms, { summary: request.what });
  let reminder = rest();
  for (;;) {
    const first = await select({ decision: decide.receive(), reminder: keep(reminder) });
    if (first.key === "decision") {
      if (state.asked.includes(first.value.by)) return first.value;
      ignore(state, first.value, "nobody has asked them");
    } else {
      state.reminders += 1;
      log.info(`${state.asked.join(" or ")}, remember: ${request.what}`, { reminder: state.reminders });
      reminder = rest();
    }
  }
}

function ignore(state: State, decision: Decision, why: string): void {
  log.warn(`the decision of ${decision.by} does not count: ${why}`, { approved: decision.approved });
  state.ignored += 1;
}
