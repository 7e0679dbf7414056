/*
 * What goes wrong: retries, a failure's way to the run's end, undoing, and a bug.
 */
#include <assert.h>

#include "suite.h"

/* The activity that fails for good. */
static refrain_activity broken(const char *input)
{
    return (refrain_activity){.name = "broken", .input = refrain_string(input), .start_to_close = refrain_seconds(10)};
}

static refrain_result retries(const void *input)
{
    (void)input;
    REFRAIN_CHECK(refrain_call((refrain_activity){
        .name = "flaky",
        .input = refrain_jsonf("{'fail_times': 2}"),
        .start_to_close = refrain_seconds(10),
        .retry = {.initial_interval = refrain_millis(10), .maximum_attempts = 5},
    }));
    refrain_result stopped = refrain_doing(refrain_call(broken("abc123")), "stop container abc123");
    return refrain_doing(stopped, "stop-and-snapshot for container abc123");
}

const refrain_workflow RETRIES = {
    .name = "retries",
    .doc = "Needs three attempts for one activity, and fails by another.",
    .output = &refrain_type_string,
    .run = retries,
};

static refrain_result trip(refrain_saga *saga, void *context)
{
    (void)context;
    refrain_undo(saga, "cancel hotel", echo(refrain_string("cancel hotel")));
    REFRAIN_CHECK(refrain_call(echo(refrain_string("book hotel"))));
    refrain_undo(saga, "cancel flight", echo(refrain_string("cancel flight")));
    REFRAIN_CHECK(refrain_call(echo(refrain_string("book flight"))));
    refrain_undo(saga, "cancel car", echo(refrain_string("cancel car")));
    REFRAIN_CHECK(refrain_doing(refrain_call(broken("book car")), "book the car"));
    return refrain_done(NULL);
}

static refrain_result saga(const void *input)
{
    (void)input;
    return refrain_run_saga("trip", trip, NULL);
}

const refrain_workflow SAGA = {
    .name = "saga",
    .doc = "Books a trip, of which the last part is not to be had.",
    .output = &refrain_type_null,
    .run = saga,
};

static refrain_result bug(const void *input)
{
    (void)input;
    assert(!"this is a bug");
    return refrain_done(NULL);
}

const refrain_workflow BUG = {.name = "bug", .doc = "Has a bug.", .output = &refrain_type_null, .run = bug};
