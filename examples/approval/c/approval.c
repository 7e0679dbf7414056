/*
 * Waits for a person's approval. Who is asked first is reminded until a second person is asked as well, and what nobody
 * decides in time has expired.
 *
 * Whoever may send signals may send this one, too early, too late, or without being asked; so the workflow looks at
 * each decision and says in its log why it does not count.
 */
#include <refrain.h>
#include <string.h>

typedef struct {
    const char *what, *approver, *escalate_to;
    uint64_t remind_every_ms, escalate_after_ms, expire_after_ms;
} request;

/* Without other times, people are reminded every two hours, escalated after eight, and have a day. */
static const refrain_field REQUEST_FIELDS[] = {
    REFRAIN_FIELD(request, what, &refrain_type_string, "What is to be approved."),
    REFRAIN_FIELD(request, approver, &refrain_type_string, "Who is asked first."),
    REFRAIN_FIELD(request, escalate_to, &refrain_type_string,
                  "Who is asked as well when the first one does not decide."),
    REFRAIN_FIELD_OR(request, remind_every_ms, &refrain_type_uint64, "7200000",
                     "Milliseconds from one reminder to the next."),
    REFRAIN_FIELD_OR(request, escalate_after_ms, &refrain_type_uint64, "28800000",
                     "Milliseconds until the second one is asked."),
    REFRAIN_FIELD_OR(request, expire_after_ms, &refrain_type_uint64, "86400000", "Milliseconds until it is too late."),
};
static const refrain_type REQUEST = REFRAIN_STRICT_STRUCT("Request", request, REQUEST_FIELDS);

typedef struct {
    const char *by;
    bool approved;
    const char *comment;
} decision;

static const refrain_field DECISION_FIELDS[] = {
    REFRAIN_FIELD(decision, by, &refrain_type_string, "Who decides."),
    REFRAIN_FIELD(decision, approved, &refrain_type_bool, "Whether it may be done."),
    REFRAIN_FIELD_OR(decision, comment, &refrain_type_string, "\"\"", "What there is to say about it."),
};
static const refrain_type DECISION = REFRAIN_STRICT_STRUCT("Decision", decision, DECISION_FIELDS);

static const refrain_signal DECIDE = {
    .name = "decide", .doc = "A decision of one of those who are asked.", .input = &DECISION};

/* Asked are the first one and, from some time on, the second. */
enum { ASKED_MOST = 2 };

typedef struct {
    const refrain_json *stage;
    struct {
        const char *const *items;
        size_t count;
    } asked;
    uint32_t reminders, ignored;
    const char *names[ASKED_MOST];
} state;

static const refrain_type STAGE = REFRAIN_ANY_WITH_SCHEMA(
    "{\"oneOf\":[{\"enum\":[\"waiting\",\"expired\"]},{\"type\":\"object\",\"required\":[\"decided\"]}]}");
static const refrain_type NAMES = REFRAIN_LIST_OF(&refrain_type_string);
static const refrain_field STATE_FIELDS[] = {
    REFRAIN_FIELD(state, stage, &STAGE, "How far it is."),
    REFRAIN_FIELD(state, asked, &NAMES, "Whose decision counts."),
    REFRAIN_FIELD(state, reminders, &refrain_type_uint32, "How often they were reminded."),
    REFRAIN_FIELD(state, ignored, &refrain_type_uint32, "How many decisions did not count: of others, or too late."),
};
static const refrain_type STATE = REFRAIN_STRUCT("State", state, STATE_FIELDS);

static refrain_result tell(const void *input, void *state)
{
    (void)input;
    return refrain_done(refrain_encode(&STATE, state));
}

static const refrain_query TELL = {
    .name = "state", .doc = "How far it is, and who is asked.", .output = &STATE, .answer = tell};

static void add_asked(state *state, const char *name)
{
    state->names[state->asked.count++] = name;
}

static bool is_asked(const state *state, const char *name)
{
    for (size_t i = 0; i < state->asked.count; i++)
        if (strcmp(state->asked.items[i], name) == 0) return true;
    return false;
}

static void ignore(state *state, const decision *decision, const char *why)
{
    refrain_log(REFRAIN_LEVEL_WARN, REFRAIN_FIELDS({"approved", decision->approved ? "true" : "false"}),
                "the decision of %s does not count: %s", decision->by, why);
    state->ignored++;
}

static refrain_op *start_reminder(const request *request)
{
    return refrain_start_timer_named(refrain_millis(request->remind_every_ms), request->what);
}

static void remind(const request *request, state *state)
{
    const char *who = state->names[0];
    if (state->asked.count == ASKED_MOST) who = refrain_text("%s or %s", who, state->names[1]);
    state->reminders++;
    refrain_log(REFRAIN_LEVEL_INFO, REFRAIN_FIELDS({"reminder", refrain_text("%u", state->reminders)}),
                "%s, remember: %s", who, request->what);
}

/* Waits for a decision that counts, and puts into the state what came of it; a failure when the run was canceled. */
static const refrain_failure *decide(const request *request, state *state)
{
    refrain_op *expiry = refrain_start_timer(refrain_millis(request->expire_after_ms));
    refrain_op *escalation = refrain_start_timer(refrain_millis(request->escalate_after_ms));
    refrain_op *reminder = start_reminder(request);
    const refrain_failure *canceled = NULL;
    enum { DECIDED, REMINDED, EXPIRED, CANCELED, ESCALATED };
    for (bool waits = true; waits;) {
        decision decision;
        refrain_wait *waited[] = {refrain_on_signal(&DECIDE, &decision), refrain_on(reminder), refrain_on(expiry),
                                  refrain_on_cancel(), refrain_on(escalation)};
        size_t count = state->asked.count == ASKED_MOST ? ESCALATED : ESCALATED + 1;
        /* Who decides at the last moment decides in time. */
        switch (refrain_wait_for(refrain_first_of(waited, count))) {
        case DECIDED:
            if (is_asked(state, decision.by)) {
                refrain_log(REFRAIN_LEVEL_INFO, REFRAIN_FIELDS({"approved", decision.approved ? "true" : "false"}),
                            "%s has decided", decision.by);
                state->stage = refrain_jsonf("{'decided': %p}", (void *)refrain_encode(&DECISION, &decision));
                waits = false;
            } else {
                ignore(state, &decision, "nobody has asked them");
            }
            break;
        case REMINDED:
            remind(request, state);
            reminder = start_reminder(request);
            break;
        case ESCALATED:
            refrain_drop(reminder);
            refrain_log_warn("%s does not answer, so %s is asked too", request->approver, request->escalate_to);
            add_asked(state, request->escalate_to);
            reminder = start_reminder(request);
            break;
        case EXPIRED:
            refrain_log_warn("too late: nobody has decided");
            state->stage = refrain_string("expired");
            waits = false;
            break;
        case CANCELED: canceled = refrain_canceled(refrain_cancel_reason()); waits = false;
        }
    }
    refrain_drop(reminder);
    refrain_drop(escalation);
    refrain_drop(expiry);
    return canceled;
}

static refrain_result approval(const void *input)
{
    const request *request = input;
    state *state = refrain_alloc(sizeof *state);
    state->stage = refrain_string("waiting");
    state->asked.items = state->names;
    add_asked(state, request->approver);
    refrain_handle_query(&TELL, state);
    refrain_log_info("%s is asked: %s", request->approver, request->what);
    const refrain_failure *canceled = decide(request, state);
    if (canceled) return refrain_failed(canceled);
    /* Of what comes later the sender hears: the run is over. What came with the last event is told here. */
    for (decision late; refrain_try_receive(&DECIDE, &late);) ignore(state, &late, "it comes too late");
    return refrain_done(refrain_encode(&STATE, state));
}

static const refrain_workflow APPROVAL = {
    .name = "approval",
    .doc = "Asks for an approval until there is one, or it is too late.",
    .input = &REQUEST,
    .output = &STATE,
    .run = approval,
    .signals = REFRAIN_SIGNALS(&DECIDE),
    .queries = REFRAIN_QUERIES(&TELL),
};

REFRAIN_COMPONENT(&APPROVAL)
