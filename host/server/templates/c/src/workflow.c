/*
 * A workflow that waits for a person.
 */
#include <refrain.h>
#include <string.h>

typedef struct {
    const char *what;
    uint64_t remind_every_secs;
} request;

static const refrain_field REQUEST_FIELDS[] = {
    REFRAIN_FIELD(request, what, &refrain_type_string, "What is asked for."),
    REFRAIN_FIELD_OR(request, remind_every_secs, &refrain_type_uint64, "60", "Seconds from one reminder to the next."),
};
static const refrain_type REQUEST = REFRAIN_STRUCT("Request", request, REQUEST_FIELDS);

typedef struct {
    bool approved;
    const char *by;
} decision;

static const refrain_field DECISION_FIELDS[] = {
    REFRAIN_FIELD(decision, approved, &refrain_type_bool, NULL),
    REFRAIN_FIELD(decision, by, &refrain_type_string, "Who decided."),
};
static const refrain_type DECISION = REFRAIN_STRUCT("Decision", decision, DECISION_FIELDS);

static const refrain_signal DECIDE = {
    .name = "decide", .doc = "Approves what is asked for, or does not.", .input = &DECISION};

typedef struct {
    bool approved;
    const char *by;
    uint32_t reminders;
} outcome;

static const refrain_field OUTCOME_FIELDS[] = {
    REFRAIN_FIELD(outcome, approved, &refrain_type_bool, NULL),
    REFRAIN_FIELD(outcome, by, &refrain_type_string, NULL),
    REFRAIN_FIELD(outcome, reminders, &refrain_type_uint32, "How often it had to remind."),
};
static const refrain_type OUTCOME = REFRAIN_STRUCT("Outcome", outcome, OUTCOME_FIELDS);

static refrain_result tell_reminders(const void *input, void *reminders)
{
    (void)input;
    return refrain_done(refrain_uint(*(uint32_t *)reminders));
}

static const refrain_query REMINDERS = {
    .name = "reminders",
    .doc = "How often it has reminded.",
    .output = &refrain_type_uint32,
    .answer = tell_reminders,
};

static refrain_result run(const void *input)
{
    const request *request = input;
    if (!request->what[strspn(request->what, " \t\r\n")])
        return refrain_failed(refrain_fail(NULL, "`what` is empty: say what is asked for"));
    /* Not on the stack: who asks after the end is told, too. */
    uint32_t *reminders = refrain_new(uint32_t);
    refrain_handle_query(&REMINDERS, reminders);
    refrain_log_info("may I have %s?", request->what);
    for (;;) {
        decision decision;
        refrain_wait *decided = refrain_on_signal(&DECIDE, &decision);
        refrain_wait *late = refrain_after_named(refrain_seconds(request->remind_every_secs), "until the next reminder");
        /* Whichever is first. The host may be killed here, and the timer goes off when it was due. */
        if (refrain_select(decided, late) == 0) {
            refrain_log(REFRAIN_LEVEL_INFO, REFRAIN_FIELDS({"by", decision.by}), "it is decided");
            outcome outcome = {decision.approved, decision.by, *reminders};
            return refrain_done(refrain_encode(&OUTCOME, &outcome));
        }
        ++*reminders;
        refrain_log(REFRAIN_LEVEL_INFO, REFRAIN_FIELDS({"reminder", refrain_text("%u", *reminders)}),
                    "may I still have %s?", request->what);
    }
}

static const refrain_workflow WORKFLOW = {
    .name = "{{ident}}",
    .doc = "Asks for something, and reminds until someone decides.",
    .input = &REQUEST,
    .output = &OUTCOME,
    .run = run,
    .signals = REFRAIN_SIGNALS(&DECIDE),
    .queries = REFRAIN_QUERIES(&REMINDERS),
};

REFRAIN_COMPONENT(&WORKFLOW)
