/*
 * Updates, queries, and handlers.
 */
#include <string.h>

#include "check.h"

static const refrain_signal DONE = {.name = "done", .input = &refrain_type_uint32};

/* A sum: odd numbers are let in, and 13 is an error. */

static const refrain_failure *must_be_odd(const void *input, void *sum)
{
    uint32_t n = *(const uint32_t *)input;
    return n % 2 ? NULL : refrain_fail("Even", "%u is even, and the sum is %u", n, *(uint32_t *)sum);
}

static refrain_result add(const void *input, void *sum)
{
    uint32_t n = *(const uint32_t *)input;
    if (n == 13) return refrain_failed(refrain_fail(NULL, "bad luck"));
    *(uint32_t *)sum += n;
    return refrain_done(refrain_uint(*(uint32_t *)sum));
}

static const refrain_update ADD = {.name = "add",
                                   .doc = "Adds to the sum.",
                                   .input = &refrain_type_uint32,
                                   .output = &refrain_type_uint32,
                                   .validate = must_be_odd,
                                   .handle = add};

typedef struct {
    refrain_task task;
    refrain_op *op;
} working;

static void work(refrain_task *task)
{
    working *self = (working *)task;
    refrain_result outcome;
    REFRAIN_BEGIN(task);
    self->op = refrain_start(check_step(*(const char *const *)task->input));
    REFRAIN_AWAIT(task, outcome, self->op);
    REFRAIN_RETURN(task, outcome);
    REFRAIN_END(task);
}

static const refrain_task_type WORKING = REFRAIN_TASK(work, working);
static const refrain_update SLOW = {.name = "slow", .input = &refrain_type_string, .task = &WORKING};

static refrain_result adds(const void *input)
{
    bool wait_for_handlers = *(const bool *)input;
    uint32_t *sum = refrain_new(uint32_t), n;
    refrain_handle_update(&ADD, sum);
    refrain_handle_update(&SLOW, NULL);
    REFRAIN_CHECK(refrain_receive(&DONE, &n));
    if (wait_for_handlers) REFRAIN_CHECK(refrain_until(refrain_handlers_finished, NULL));
    return refrain_done(refrain_uint(*sum));
}

static const refrain_workflow ADDS = {.name = "adds", .input = &refrain_type_bool, .run = adds};

static const char *of_updates(const refrain_ended *ended)
{
    const char *all = "";
    for (size_t i = 0; i < ended->call_count; i++)
        if (strstr(ended->calls[i], "update-")) all = refrain_text("%s%s%s", all, *all ? "; " : "", ended->calls[i]);
    return all;
}

static refrain_test *with_end(uint64_t seconds)
{
    refrain_test *test = refrain_test_new();
    check_echo(test, "a", 5), check_echo(test, "b", 3);
    refrain_test_signal(test, refrain_seconds(seconds), "done", refrain_int(0));
    return test;
}

static void updates_are_validated_accepted_and_completed_in_order_and_see_what_those_before_them_did(void)
{
    refrain_test *test = with_end(3);
    static const int NUMBERS[] = {1, 3, 2};
    for (int i = 0; i < 3; i++) refrain_test_update(test, refrain_seconds(1), "add", refrain_int(NUMBERS[i]));
    refrain_test_update(test, refrain_seconds(2), "add", refrain_int(5));
    const refrain_ended *ended = refrain_test_run(test, &ADDS, refrain_bool(false));
    CHECK_TEXT(of_updates(ended),
               "accept update-0; complete update-0: 1; accept update-1; complete update-1: 4; "
               "reject update-2: 2 is even, and the sum is 4; accept update-3; complete update-3: 9");
    CHECK_TEXT(ended->updates[2].failure->type, "Even");
    CHECK_TEXT(check_result(ended), "9");
}

static void an_update_that_starts_the_run_meets_its_handler(void)
{
    refrain_test *test = with_end(1);
    refrain_test_update(test, refrain_seconds(0), "add", refrain_int(1));
    const refrain_ended *ended = refrain_test_run(test, &ADDS, refrain_bool(false));
    CHECK_TEXT(check_lines(ended->calls, 3), "wait; accept update-0; complete update-0: 1");
}

static refrain_result handles_late(const void *input)
{
    (void)input;
    REFRAIN_CHECK(refrain_sleep(refrain_seconds(1)));
    refrain_handle_update(&ADD, refrain_new(uint32_t));
    return refrain_sleep(refrain_seconds(1));
}

static const refrain_workflow HANDLES_LATE = {.name = "handles_late", .run = handles_late};

static void an_update_meets_a_handler_that_is_set_in_the_step_that_got_it_and_not_in_a_later_one(void)
{
    refrain_test *test = refrain_test_new();
    refrain_test_update(test, refrain_millis(500), "add", refrain_int(1));
    refrain_test_update(test, refrain_seconds(1), "add", refrain_int(1));
    const refrain_ended *ended = refrain_test_run(test, &HANDLES_LATE, NULL);
    CHECK_TEXT(ended->updates[0].failure->type, "not-handled");
    CHECK_TEXT(check_outcome(ended->updates[1]), "1");
}

static void an_update_that_fits_no_handler_is_rejected_and_says_why(void)
{
    refrain_test *test = with_end(2);
    refrain_test_update(test, refrain_seconds(1), "multiply", refrain_int(1));
    refrain_test_update(test, refrain_seconds(1), "add", refrain_string("one"));
    refrain_test_update(test, refrain_seconds(1), "add", refrain_int(13));
    const refrain_ended *ended = refrain_test_run(test, &ADDS, refrain_bool(false));
    CHECK_TEXT(check_outcome(ended->updates[0]), "!the workflow takes no update `multiply` now; it takes add, slow");
    CHECK_NUMBER(ended->updates[0].failure->kind, REFRAIN_HOST);
    CHECK_TEXT(check_outcome(ended->updates[1]), "!input of update `add`: invalid type: string \"one\", expected u32");
    CHECK(ended->updates[1].failure->non_retryable);
    CHECK_TEXT(check_outcome(ended->updates[2]), "!bad luck");
    CHECK_TEXT(check_result(ended), "0");
}

static void handlers_run_side_by_side_and_those_that_the_end_cuts_off_are_warned_of(void)
{
    for (int waits = 0; waits < 2; waits++) {
        refrain_test *test = with_end(2);
        refrain_test_update(test, refrain_seconds(1), "slow", refrain_string("a"));
        refrain_test_update(test, refrain_seconds(1), "slow", refrain_string("b"));
        const refrain_ended *ended = refrain_test_run(test, &ADDS, refrain_bool(waits));
        CHECK_NUMBER(ended->elapsed.seconds, waits ? 6 : 2);
        CHECK_TEXT(check_outcome(ended->updates[0]), waits ? "\"a\"" : "!the run ended before");
        CHECK_TEXT(check_lines(ended->log, ended->log_count),
                   waits ? "" : "WARN ended before handlers of update `slow` had finished count=2");
        if (waits)
            CHECK_TEXT(of_updates(ended), "accept update-0; accept update-1; complete update-1: \"b\"; "
                                          "complete update-0: \"a\"");
    }
}

static void a_workflow_that_waits_for_its_handlers_handles_what_came_with_the_last_wait(void)
{
    for (int waits = 0; waits < 2; waits++) {
        refrain_test *test = with_end(1);
        refrain_test_update(test, refrain_seconds(1), "add", refrain_int(7));
        const refrain_ended *ended = refrain_test_run(test, &ADDS, refrain_bool(waits));
        CHECK_TEXT(check_outcome(ended->updates[0]), waits ? "7" : "!nobody has accepted or rejected the update");
    }
}

static refrain_result sleeps(const void *input)
{
    (void)input;
    return refrain_sleep(refrain_seconds(5));
}

static const refrain_workflow SLEEPS = {.name = "sleeps", .run = sleeps};

static void a_workflow_without_handlers_leaves_updates_to_the_host(void)
{
    refrain_test *test = refrain_test_new();
    refrain_test_update(test, refrain_seconds(1), "add", refrain_int(1));
    CHECK_TEXT(of_updates(refrain_test_run(test, &SLEEPS, NULL)), "");
}

/* Which update it is */

static const refrain_failure *must_be_known(const void *input, void *context)
{
    (void)input, (void)context;
    return refrain_current_update(NULL) ? NULL : refrain_fail(NULL, "no update");
}

typedef struct {
    refrain_task task;
    const char *before;
} asking;

static void tell_who(refrain_task *task)
{
    asking *self = (asking *)task;
    const char *name = "";
    REFRAIN_BEGIN(task);
    self->before = refrain_current_update(NULL);
    REFRAIN_WAIT(task, refrain_after(refrain_seconds(1)));
    CHECK_TEXT(refrain_current_update(&name), self->before);
    REFRAIN_RETURN(task, refrain_done(refrain_string(refrain_text("%s by %s", name, self->before))));
    REFRAIN_END(task);
}

static const refrain_task_type ASKING = REFRAIN_TASK(tell_who, asking);
static const refrain_update WHO = {.name = "who", .validate = must_be_known, .task = &ASKING};

static refrain_result knows_who_asks(const void *input)
{
    (void)input;
    refrain_handle_update(&WHO, NULL);
    REFRAIN_CHECK(refrain_sleep(refrain_seconds(5)));
    return refrain_done(refrain_bool(refrain_current_update(NULL) != NULL));
}

static const refrain_workflow KNOWS_WHO_ASKS = {.name = "knows_who_asks", .run = knows_who_asks};

static void a_handler_knows_its_update_and_nobody_else_does(void)
{
    refrain_test *test = refrain_test_new();
    refrain_test_update(test, refrain_seconds(1), "who", NULL);
    refrain_test_update(test, refrain_millis(1500), "who", NULL);
    const refrain_ended *ended = refrain_test_run(test, &KNOWS_WHO_ASKS, NULL);
    CHECK_TEXT(check_outcome(ended->updates[0]), "\"who by update-0\"");
    CHECK_TEXT(check_outcome(ended->updates[1]), "\"who by update-1\"");
    CHECK_TEXT(check_result(ended), "false");
}

/* Handlers of signals */

typedef struct {
    refrain_task task;
    uint32_t n;
} noting;

static void note(refrain_task *task)
{
    noting *self = (noting *)task;
    REFRAIN_BEGIN(task);
    self->n = *(const uint32_t *)task->input;
    refrain_push(task->context, refrain_string(refrain_text("begin %u", self->n)));
    REFRAIN_WAIT(task, refrain_after(refrain_seconds(self->n)));
    refrain_push(task->context, refrain_string(refrain_text("end %u", self->n)));
    REFRAIN_END(task);
}

static const refrain_task_type NOTING = REFRAIN_TASK(note, noting);
static const refrain_signal NOTED = {.name = "done", .input = &refrain_type_uint32, .task = &NOTING};

static refrain_result takes_notes(const void *input)
{
    uint32_t late = *(const uint32_t *)input;
    refrain_json *seen = refrain_array();
    REFRAIN_CHECK(refrain_sleep(refrain_seconds(late)));
    refrain_handle_signal(&NOTED, seen);
    REFRAIN_CHECK(refrain_sleep(refrain_seconds(10 - late)));
    REFRAIN_CHECK(refrain_until(refrain_handlers_finished, NULL));
    return refrain_done(seen);
}

static const refrain_workflow TAKES_NOTES = {.name = "takes_notes", .input = &refrain_type_uint32, .run = takes_notes};

static void a_signal_handler_begins_in_the_order_of_the_signals_also_of_those_before_it(void)
{
    for (int late = 0; late <= 5; late += 5) {
        refrain_test *test = refrain_test_new();
        refrain_test_signal(test, refrain_seconds(1), "done", refrain_int(3));
        refrain_test_signal(test, refrain_seconds(1), "done", refrain_int(1));
        refrain_test_signal(test, refrain_seconds(2), "done", refrain_string("nothing"));
        const refrain_ended *ended = refrain_test_run(test, &TAKES_NOTES, refrain_int(late));
        CHECK_TEXT(check_result(ended), "[\"begin 3\",\"begin 1\",\"end 1\",\"end 3\"]");
        CHECK_TEXT(check_lines(ended->log, ended->log_count),
                   "ERROR signal passed over: invalid type: string \"nothing\", expected u32 signal=done");
    }
}

static refrain_result cut_off(const void *input)
{
    (void)input;
    refrain_handle_update(&SLOW, NULL);
    refrain_handle_signal(&NOTED, refrain_array());
    REFRAIN_CHECK(refrain_sleep(refrain_seconds(2)));
    return refrain_continue_as_new((refrain_next){0});
}

static const refrain_workflow CUT_OFF = {.name = "cut_off", .run = cut_off};

static void a_continue_as_new_in_the_middle_of_handlers_is_warned_of(void)
{
    refrain_test *test = with_end(1);
    refrain_test_signal(test, refrain_seconds(1), "done", refrain_int(60));
    refrain_test_update(test, refrain_seconds(1), "slow", refrain_string("a"));
    const refrain_ended *ended = refrain_test_run(test, &CUT_OFF, NULL);
    CHECK_TEXT(check_lines(ended->log, ended->log_count),
               "WARN ended before handlers of signal `done` had finished count=1; "
               "WARN ended before handlers of update `slow` had finished count=1");
    CHECK_TEXT(check_outcome(ended->updates[0]), "!the run ended before");
}

static refrain_result goes_on(const void *input)
{
    REFRAIN_CHECK(refrain_sleep(refrain_seconds(2)));
    for (uint32_t reads = *(const uint32_t *)input; reads; reads--) REFRAIN_CHECK(refrain_receive(&DONE, NULL));
    return refrain_continue_as_new((refrain_next){0});
}

static const refrain_workflow GOES_ON = {.name = "goes_on", .input = &refrain_type_uint32, .run = goes_on};

static void unread_signals_go_to_the_next_run_in_the_order_in_which_they_came(void)
{
    for (int reads = 0; reads < 2; reads++) {
        refrain_test *test = refrain_test_new();
        refrain_test_signal(test, refrain_seconds(1), "done", refrain_int(1));
        refrain_test_signal(test, refrain_seconds(1), "another", refrain_int(2));
        refrain_test_signal(test, refrain_seconds(1), "done", refrain_int(3));
        const refrain_ended *ended = refrain_test_run(test, &GOES_ON, refrain_int(reads));
        CHECK_TEXT(ended->unread, reads ? "another 2\ndone 3\n" : "done 1\nanother 2\ndone 3\n");
        CHECK_NUMBER(ended->log_count, 0);
    }
}

/* Queries */

static refrain_result times_seen(const void *input, void *seen)
{
    return refrain_done(refrain_uint(*(const uint32_t *)input * *(uint32_t *)seen));
}

static refrain_result rests(const void *input, void *context)
{
    (void)input, (void)context;
    if (refrain_cancel_requested()) return refrain_done(refrain_string("soon"));
    return refrain_failed(refrain_fail("Never", "nobody asked it to end"));
}

static refrain_result misbehaves(const void *input, void *context)
{
    (void)input, (void)context;
    refrain_start(check_step("a"));
    return refrain_done(NULL);
}

static const refrain_query SEEN = {.name = "seen", .input = &refrain_type_uint32, .answer = times_seen};
static const refrain_query RESTS = {.name = "rests", .answer = rests};
static const refrain_query BAD = {.name = "bad", .answer = misbehaves};

static refrain_result watched(const void *input)
{
    uint32_t *seen = refrain_new(uint32_t);
    refrain_handle_query(&SEEN, seen);
    refrain_handle_query(&RESTS, NULL);
    refrain_handle_query(&BAD, NULL);
    for (uint32_t seconds = *(const uint32_t *)input; seconds; seconds--) {
        REFRAIN_CHECK(refrain_sleep(refrain_seconds(1)));
        ++*seen;
    }
    return refrain_done(refrain_uint(*seen));
}

static const refrain_workflow WATCHED = {.name = "watched", .input = &refrain_type_uint32, .run = watched};

static void queries_see_what_the_workflow_knows_while_it_waits_and_after_its_end(void)
{
    refrain_test *test = refrain_test_new();
    refrain_test_query(test, refrain_millis(500), "seen", refrain_int(7));
    refrain_test_query(test, refrain_seconds(2), "seen", refrain_int(10));
    refrain_test_query(test, refrain_minutes(1), "seen", refrain_int(2));
    refrain_test_query(test, refrain_millis(2500), "rests", NULL);
    refrain_test_cancel(test, refrain_millis(2600), "");
    refrain_test_query(test, refrain_millis(2700), "rests", NULL);
    const refrain_ended *ended = refrain_test_run(test, &WATCHED, refrain_int(3));
    CHECK_TEXT(check_result(ended), "3");
    CHECK_NUMBER(ended->elapsed.seconds, 3);
    static const char *const ANSWERS[] = {"0", "10", "!nobody asked it to end", "\"soon\"", "6"};
    CHECK_NUMBER(ended->answer_count, 5);
    for (size_t i = 0; i < 5; i++) CHECK_TEXT(check_outcome(ended->answers[i]), ANSWERS[i]);
    CHECK_TEXT(check_calls(ended), "1 = timer 1s; wait; 2 = timer 1s; wait; 3 = timer 1s; wait; wait");
}

static void a_query_that_is_not_there_does_not_fit_or_changes_something_fails_alone(void)
{
    refrain_test *test = refrain_test_new();
    refrain_test_query(test, refrain_millis(1), "nothing", NULL);
    refrain_test_query(test, refrain_millis(2), "seen", refrain_string("often"));
    refrain_test_query(test, refrain_millis(3), "bad", NULL);
    const refrain_ended *ended = refrain_test_run(test, &WATCHED, refrain_int(1));
    CHECK_TEXT(check_outcome(ended->answers[0]),
               "!the workflow answers no query `nothing`; it answers seen, rests, bad");
    CHECK_TEXT(check_outcome(ended->answers[1]),
               "!input of query `seen`: invalid type: string \"often\", expected u32");
    CHECK_TEXT(ended->answers[2].failure->type, "query-tried-to-change");
    CHECK_TEXT(check_result(ended), "1");
    CHECK_TEXT(check_calls(ended), "1 = timer 1s; wait");
}

const check_test MESSAGE_TESTS[] = {
    TEST(updates_are_validated_accepted_and_completed_in_order_and_see_what_those_before_them_did),
    TEST(an_update_that_starts_the_run_meets_its_handler),
    TEST(an_update_meets_a_handler_that_is_set_in_the_step_that_got_it_and_not_in_a_later_one),
    TEST(an_update_that_fits_no_handler_is_rejected_and_says_why),
    TEST(handlers_run_side_by_side_and_those_that_the_end_cuts_off_are_warned_of),
    TEST(a_workflow_that_waits_for_its_handlers_handles_what_came_with_the_last_wait),
    TEST(a_workflow_without_handlers_leaves_updates_to_the_host),
    TEST(a_handler_knows_its_update_and_nobody_else_does),
    TEST(a_signal_handler_begins_in_the_order_of_the_signals_also_of_those_before_it),
    TEST(a_continue_as_new_in_the_middle_of_handlers_is_warned_of),
    TEST(unread_signals_go_to_the_next_run_in_the_order_in_which_they_came),
    TEST(queries_see_what_the_workflow_knows_while_it_waits_and_after_its_end),
    TEST(a_query_that_is_not_there_does_not_fit_or_changes_something_fails_alone),
    {0},
};
