/** A workflow that waits for a person. */
import { Failure, log, query, s, select, signal, sleep, workflow } from "refrain-sdk";

const Request = s.object({
  what: s.string("What is asked for."),
  remind_every_secs: s.default(s.natural(), 60, "Seconds from one reminder to the next."),
});

const Decision = s.object({
  approved: s.boolean(),
  by: s.string("Who decided."),
});

const Outcome = s.object({
  approved: s.boolean(),
  by: s.string(),
  reminders: s.natural("How often it had to remind."),
});

const decide = signal("decide", { input: Decision, doc: "Approves what is asked for, or does not." });

const remindersSoFar = query("reminders", { input: s.null(), output: s.natural(), doc: "How often it has reminded." });

export const {{ident}} = workflow(
  {
    name: "{{ident}}",
    doc: "Asks for something, and reminds until someone decides.",
    input: Request,
    output: Outcome,
    signals: [decide],
    queries: [remindersSoFar],
  },
  async ({ what, remind_every_secs }) => {
    if (what.trim() === "") throw new Failure("`what` is empty: say what is asked for");
    let reminders = 0;
    remindersSoFar.handle(() => reminders);
    log.info(`may I have ${what}?`);
    for (;;) {
      // Whichever is first. The host may be killed here, and the timer goes off when it was due.
      const first = await select({
        decision: decide.receive(),
        late: sleep(remind_every_secs * 1_000, { summary: "until the next reminder" }),
      });
      if (first.key === "decision") {
        const { approved, by } = first.value;
        log.info("it is decided", { by });
        return { approved, by, reminders };
      }
      reminders += 1;
      log.info(`may I still have ${what}?`, { reminder: reminders });
    }
  },
);
