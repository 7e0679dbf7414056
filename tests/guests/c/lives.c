/*
 * How runs begin others, go on as others, end when they are asked to, and change their code.
 */
#include "suite.h"

static refrain_result child(const void *input)
{
    return refrain_call_child((refrain_child){.workflow = "sequence", .input = refrain_encode(&COUNT, input)});
}

const refrain_workflow CHILD = {
    .name = "child",
    .doc = "Lets a child do the work.",
    .input = &COUNT,
    .output = &refrain_type_uint64,
    .run = child,
};

/* Which run of the chain it is. */
typedef struct {
    uint32_t round;
} round_input;

static const refrain_field ROUND_FIELDS[] = {
    REFRAIN_FIELD(round_input, round, &refrain_type_uint32, "From 1."),
};
static const refrain_type ROUND = REFRAIN_STRUCT("Round", round_input, ROUND_FIELDS);

static refrain_result continue_as_new(const void *input)
{
    const round_input *this = input;
    if (this->round < 3)
        return refrain_continue_as_new((refrain_next){.input = refrain_jsonf("{'round': %u}", this->round + 1)});
    return refrain_done(refrain_jsonf("{'rounds': %u}", this->round));
}

const refrain_workflow CONTINUE_AS_NEW = {
    .name = "continue_as_new",
    .doc = "Goes on as a new run until the third.",
    .input = &ROUND,
    .run = continue_as_new,
};

static refrain_result cancel_cleanup(const void *input)
{
    (void)input;
    const refrain_failure *canceled = refrain_or_canceled(refrain_after(refrain_days(1)));
    if (!canceled) return refrain_done(refrain_string("slept"));
    REFRAIN_CHECK(refrain_call(echo(refrain_string("clean up"))));
    return refrain_failed(canceled);
}

const refrain_workflow CANCEL_CLEANUP = {
    .name = "cancel_cleanup",
    .doc = "Sleeps for a day, and cleans up when it is asked to end before that.",
    .output = &refrain_type_string,
    .run = cancel_cleanup,
};

static refrain_result patched(const void *input)
{
    (void)input;
    return refrain_call(echo(refrain_string(refrain_patched("change") ? "new" : "old")));
}

const refrain_workflow PATCHED = {
    .name = "patched",
    .doc = "Takes the new path of a change.",
    .output = &refrain_type_string,
    .run = patched,
};
