/*
 * Scopes: what is canceled with them, what is not, and how they end.
 */
#include <string.h>

#include "check.h"

static void stop(const void *input, void *scope)
{
    (void)input;
    refrain_scope_cancel(scope, "stopped");
    /* The first reason counts, and nothing is canceled twice. */
    refrain_scope_cancel(scope, "stopped again");
    CHECK_TEXT(refrain_scope_canceled(scope), "stopped");
}

static const refrain_signal DONE = {.name = "done", .handle = stop};

/* A scope that the signal `done` cancels. */
static refrain_scope *until_done(void)
{
    refrain_scope *scope = refrain_scope_begin();
    refrain_handle_signal(&DONE, scope);
    return scope;
}

static refrain_result nothing(const refrain_json *input, void *context)
{
    (void)context;
    return refrain_done(input);
}

static refrain_test *with_stop(uint64_t at)
{
    refrain_test *test = refrain_test_new();
    refrain_test_signal(test, refrain_seconds(at), "done", NULL);
    return test;
}

static refrain_result works(const void *input)
{
    (void)input;
    refrain_op *outside = refrain_start(check_step("outside"));
    refrain_scope *scope = until_done();
    refrain_op *ship = refrain_start_child((refrain_child){.workflow = "ship", .input = refrain_string("7")});
    refrain_drop(refrain_start(check_step("dropped")));
    refrain_op *a = refrain_start(check_step("a"));
    const char *failures = refrain_failure_text(refrain_await(a).failure);
    failures = refrain_text("%s, %s", failures, refrain_failure_text(refrain_await(ship).failure));
    failures = refrain_text("%s, %s", failures, refrain_failure_text(refrain_call(check_step("late")).failure));
    refrain_result late = refrain_call_child((refrain_child){.workflow = "late"});
    failures = refrain_text("%s, %s", failures, refrain_failure_text(late.failure));
    refrain_scope_end(scope);
    /* The scope is over: what starts here is in none. */
    REFRAIN_CHECK(refrain_call(check_step("after")));
    refrain_drop(outside);
    return refrain_done(refrain_string(failures));
}

static const refrain_workflow WORKS = {.name = "works", .run = works};

static void a_canceled_scope_cancels_what_is_open_in_it_and_starts_nothing_more(void)
{
    refrain_test *test = with_stop(1);
    check_echo(test, "outside", 9), check_echo(test, "dropped", 9), check_echo(test, "a", 9);
    check_echo(test, "late", 1), check_echo(test, "after", 1);
    refrain_test_child(test, "ship", refrain_seconds(60), nothing, NULL);
    const refrain_ended *ended = refrain_test_run(test, &WORKS, NULL);
    CHECK_TEXT(check_result(ended), "\"stopped, child workflow \\\"ship\\\": stopped, stopped, "
                                    "child workflow \\\"late\\\": stopped\"");
    CHECK_TEXT(check_calls(ended),
               "1 = activity outside \"outside\"; 2, 3 = child ship \"7\"; detach 2; "
               "4 = activity dropped \"dropped\"; detach 4; 5 = activity a \"a\"; wait; cancel 3; cancel 5; wait; "
               "6 = activity after \"after\"; wait; detach 1");
}

static bool never(void *context)
{
    (void)context;
    return false;
}

static refrain_result sleeps(const void *input)
{
    const char *what = *(const char *const *)input;
    refrain_scope *scope = until_done();
    refrain_op *held = refrain_start(check_step("held"));
    refrain_result result = refrain_done(refrain_string(what));
    const refrain_signal signal = {.name = "never"};
    if (strcmp(what, "sleeps") == 0) result = refrain_sleep(refrain_days(1));
    else if (strcmp(what, "receives") == 0) result = refrain_receive(&signal, NULL);
    else if (strcmp(what, "waits") == 0) result = refrain_until(never, NULL);
    else if (strcmp(what, "selects") == 0)
        CHECK_NUMBER(refrain_select(refrain_after(refrain_days(1)), refrain_on_cancel()), REFRAIN_GIVEN_UP);
    else if (strcmp(what, "joins") == 0) result = refrain_join(&held, 1);
    refrain_scope_end(scope);
    return result;
}

static const refrain_workflow SLEEPS = {.name = "sleeps", .input = &refrain_type_string, .run = sleeps};

static void a_wait_that_cannot_fail_is_given_up_when_nothing_in_its_scope_is_open_any_more(void)
{
    static const char *const CASES[][2] = {
        {"sleeps", "!stopped"},     {"receives", "!stopped"}, {"waits", "!stopped"},
        {"selects", "\"selects\""}, {"joins", "null"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        refrain_test *test = with_stop(1);
        check_echo(test, "held", 9);
        const refrain_ended *ended = refrain_test_run(test, &SLEEPS, refrain_string(CASES[i][0]));
        CHECK_TEXT(check_result(ended), CASES[i][1]);
        CHECK_NUMBER(ended->elapsed.seconds, 1);
    }
}

static void a_timer_of_a_scope_ends_with_it_and_what_has_ended_is_not_canceled(void)
{
    static const struct {
        int held, stop;
        const char *calls;
    } CASES[] = {
        {9, 1, "1 = activity held \"held\"; 2 = timer 86400s; wait; cancel 1; wait; cancel 2; detach 2"},
        {1, 2, "1 = activity held \"held\"; 2 = timer 86400s; wait; wait; cancel 2; detach 2"},
    };
    for (size_t i = 0; i < 2; i++) {
        refrain_test *test = with_stop((uint64_t)CASES[i].stop);
        check_echo(test, "held", (uint64_t)CASES[i].held);
        CHECK_TEXT(check_calls(refrain_test_run(test, &SLEEPS, refrain_string("sleeps"))), CASES[i].calls);
    }
}

static refrain_result patient(const void *input)
{
    (void)input;
    refrain_scope *scope = until_done();
    refrain_activity activity = check_step("patient");
    activity.cancellation = REFRAIN_WAIT_FOR_CANCELLATION;
    refrain_start(activity);
    refrain_result slept = refrain_sleep(refrain_days(1));
    refrain_scope_end(scope);
    return slept;
}

static const refrain_workflow PATIENT = {.name = "patient", .run = patient};

static void a_scope_waits_for_work_that_is_waited_for(void)
{
    refrain_test *test = with_stop(1);
    check_echo(test, "patient", 9);
    const refrain_ended *ended = refrain_test_run(test, &PATIENT, NULL);
    CHECK_TEXT(check_result(ended), "!stopped");
    CHECK_NUMBER(ended->elapsed.seconds, 9);
}

static refrain_result nests(const void *input)
{
    bool shielded = *(const bool *)input;
    refrain_scope *outer = until_done();
    refrain_scope *shield = shielded ? refrain_shield_begin() : NULL;
    refrain_scope *inner = refrain_scope_begin();
    refrain_result result = refrain_call(check_step("inner"));
    refrain_scope_end(inner);
    if (shield) refrain_shield_end(shield);
    refrain_scope_end(outer);
    return result;
}

static const refrain_workflow NESTS = {.name = "nests", .input = &refrain_type_bool, .run = nests};

static void a_scope_is_canceled_with_the_one_around_it_unless_it_is_shielded(void)
{
    for (int shielded = 0; shielded < 2; shielded++) {
        refrain_test *test = with_stop(1);
        check_echo(test, "inner", 5);
        const refrain_ended *ended = refrain_test_run(test, &NESTS, refrain_bool(shielded));
        CHECK_TEXT(check_result(ended), shielded ? "\"inner\"" : "!stopped");
        CHECK_NUMBER(ended->elapsed.seconds, shielded ? 5 : 1);
    }
}

static refrain_result starts_in_a_canceled_one(const void *input)
{
    (void)input;
    refrain_json *outcomes = refrain_array();
    refrain_scope *scope = refrain_scope_begin();
    refrain_scope_cancel(scope, "closed");
    refrain_push(outcomes, refrain_string(check_outcome(refrain_call(check_step("a")))));
    refrain_scope *nested = refrain_scope_begin();
    refrain_push(outcomes, refrain_string(check_outcome(refrain_call(check_step("b")))));
    refrain_scope_end(nested);
    refrain_scope *shield = refrain_shield_begin();
    refrain_push(outcomes, refrain_string(check_outcome(refrain_call(check_step("d")))));
    refrain_shield_end(shield);
    refrain_scope_end(scope);
    return refrain_done(outcomes);
}

static const refrain_workflow STARTS = {.name = "starts", .run = starts_in_a_canceled_one};

static void what_starts_in_a_canceled_scope_fails_at_once_and_what_is_shielded_does_not(void)
{
    refrain_test *test = refrain_test_new();
    check_echo(test, "d", 1);
    const refrain_ended *ended = refrain_test_run(test, &STARTS, NULL);
    CHECK_TEXT(check_result(ended), "[\"!closed\",\"!closed\",\"\\\"d\\\"\"]");
    CHECK_TEXT(check_calls(ended), "1 = activity d \"d\"; wait");
}

static refrain_result book(refrain_saga *saga, void *context)
{
    (void)context;
    refrain_undo(saga, "free the seat", check_step("free-seat"));
    REFRAIN_CHECK(refrain_call(check_step("seat")));
    REFRAIN_CHECK(refrain_sleep(refrain_seconds(5)));
    refrain_undo(saga, "free the room", check_step("free-room"));
    return refrain_call(check_step("room"));
}

static refrain_result books(const void *input)
{
    refrain_scope *scope = *(const bool *)input ? refrain_scope_begin_with_run() : until_done();
    refrain_result booked = refrain_run_saga("book the trip", book, NULL);
    refrain_scope_end(scope);
    return booked;
}

static const refrain_workflow BOOKS = {.name = "books", .input = &refrain_type_bool, .run = books};

static void a_saga_in_a_canceled_scope_undoes_wherever_it_stood(void)
{
    static const struct {
        uint64_t at;
        int undone;
    } STOPS[] = {{1, 1}, {4, 1}, {8, 2}};
    for (size_t i = 0; i < 6; i++) {
        bool with_run = i % 2;
        uint64_t at = STOPS[i / 2].at;
        refrain_test *test = with_run ? refrain_test_new() : with_stop(at);
        if (with_run) refrain_test_cancel(test, refrain_seconds(at), "enough");
        check_echo(test, "seat", 2), check_echo(test, "free-seat", 1);
        check_echo(test, "room", 2), check_echo(test, "free-room", 1);
        const refrain_ended *ended = refrain_test_run(test, &BOOKS, refrain_bool(with_run));
        CHECK_TEXT(check_result(ended), with_run ? "canceled" : "!book the trip: stopped");
        CHECK_NUMBER(ended->elapsed.seconds, at + (uint64_t)STOPS[i / 2].undone);
        CHECK(strstr(check_calls(ended), "free-seat") != NULL);
        CHECK((strstr(check_calls(ended), "free-room") != NULL) == (STOPS[i / 2].undone == 2));
    }
}

typedef struct {
    refrain_task task;
    refrain_scope *scope;
    refrain_op *op;
} scoped;

static void step_in_a_scope(refrain_task *task)
{
    scoped *self = (scoped *)task;
    refrain_result outcome;
    REFRAIN_BEGIN(task);
    self->scope = refrain_scope_begin_with_run();
    self->op = refrain_start(check_step("scoped"));
    REFRAIN_AWAIT(task, outcome, self->op);
    CHECK(refrain_is_canceled(outcome.failure));
    REFRAIN_WAIT(task, refrain_after(refrain_days(1)));
    CHECK_NUMBER(task->waited, REFRAIN_GIVEN_UP);
    refrain_scope_end(self->scope);
    REFRAIN_RETURN(task, outcome);
    REFRAIN_END(task);
}

static const refrain_task_type SCOPED = REFRAIN_TASK(step_in_a_scope, scoped);

static refrain_result spawns(const void *input)
{
    (void)input;
    refrain_scope *scope = refrain_scope_begin();
    refrain_task *task = refrain_spawn(&SCOPED, NULL);
    refrain_wait_for(refrain_on_task(task));
    refrain_scope_end(scope);
    return task->result;
}

static const refrain_workflow SPAWNS = {.name = "spawns", .run = spawns};

static void a_task_has_scopes_of_its_own(void)
{
    refrain_test *test = refrain_test_new();
    check_echo(test, "scoped", 5);
    refrain_test_cancel(test, refrain_seconds(1), "enough");
    const refrain_ended *ended = refrain_test_run(test, &SPAWNS, NULL);
    CHECK_TEXT(check_result(ended), "canceled");
    CHECK_TEXT(check_calls(ended),
               "1 = activity scoped \"scoped\"; wait; cancel 1; wait; 2 = timer 86400s; cancel 2; detach 2");
}

static refrain_result escapes(const void *input)
{
    (void)input;
    refrain_scope *scope = refrain_scope_begin();
    refrain_op *op = refrain_start(check_step("long"));
    refrain_scope_end(scope);
    refrain_scope_cancel(scope, "too late");
    return refrain_await(op);
}

static const refrain_workflow ESCAPES = {.name = "escapes", .run = escapes};

static void what_outlives_its_scope_is_no_longer_the_scopes(void)
{
    refrain_test *test = refrain_test_new();
    check_echo(test, "long", 3);
    CHECK_TEXT(check_result(refrain_test_run(test, &ESCAPES, NULL)), "\"long\"");
}

const check_test SCOPE_TESTS[] = {
    TEST(a_canceled_scope_cancels_what_is_open_in_it_and_starts_nothing_more),
    TEST(a_wait_that_cannot_fail_is_given_up_when_nothing_in_its_scope_is_open_any_more),
    TEST(a_timer_of_a_scope_ends_with_it_and_what_has_ended_is_not_canceled),
    TEST(a_scope_waits_for_work_that_is_waited_for),
    TEST(a_scope_is_canceled_with_the_one_around_it_unless_it_is_shielded),
    TEST(what_starts_in_a_canceled_scope_fails_at_once_and_what_is_shielded_does_not),
    TEST(a_saga_in_a_canceled_scope_undoes_wherever_it_stood),
    TEST(a_task_has_scopes_of_its_own),
    TEST(what_outlives_its_scope_is_no_longer_the_scopes),
    {0},
};
