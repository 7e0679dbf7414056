/*
 * Waiting for one of several, for all, for many; and tasks.
 */
#include <string.h>

#include "check.h"

static refrain_result fail_with(const refrain_json *input, void *message)
{
    (void)input;
    return refrain_failed(refrain_fail("Torn", "%s", (const char *)message));
}

static const refrain_signal DONE = {.name = "done", .input = &refrain_type_uint32};

/* Select */

static refrain_result done_or_late(const void *input)
{
    uint32_t n = 0;
    refrain_duration limit = refrain_seconds(*(const uint32_t *)input);
    if (refrain_select(refrain_after(limit), refrain_on_signal(&DONE, &n)) == 0) return refrain_done(NULL);
    return refrain_done(refrain_uint(n));
}

static const refrain_workflow DONE_OR_LATE = {
    .name = "done_or_late", .input = &refrain_type_uint32, .run = done_or_late};

static void select_takes_what_happened_first(void)
{
    static const struct {
        int limit;
        const char *result, *calls;
    } CASES[] = {
        {4, "null", "1 = timer 4s; wait"},
        /* One wait brings both, the signal first as it was sent before the timer was started. */
        {5, "7", "1 = timer 5s; wait"},
        {6, "7", "1 = timer 6s; wait; cancel 1; detach 1"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        refrain_test *test = refrain_test_new();
        refrain_test_signal(test, refrain_seconds(5), "done", refrain_int(7));
        const refrain_ended *ended = refrain_test_run(test, &DONE_OR_LATE, refrain_int(CASES[i].limit));
        CHECK_TEXT(check_result(ended), CASES[i].result);
        CHECK_TEXT(check_calls(ended), CASES[i].calls);
    }
}

static refrain_result nests(const void *input)
{
    (void)input;
    refrain_op *timer = refrain_start_timer(refrain_seconds(5));
    uint32_t n = 0;
    int which =
        refrain_select(refrain_any(refrain_on_signal(&DONE, &n), refrain_after(refrain_days(1))), refrain_on(timer));
    return refrain_done(refrain_jsonf("[%d, %u]", which, n));
}

static const refrain_workflow NESTS = {.name = "nests", .run = nests};

static void a_timer_of_a_wait_that_lost_is_ended_however_deep_it_is(void)
{
    refrain_test *test = refrain_test_new();
    refrain_test_signal(test, refrain_seconds(6), "done", refrain_int(7));
    const refrain_ended *ended = refrain_test_run(test, &NESTS, NULL);
    CHECK_TEXT(check_result(ended), "[1,0]");
    CHECK_TEXT(check_calls(ended), "1 = timer 5s; 2 = timer 86400s; wait; cancel 2; detach 2");
}

static refrain_result both_at_once(const void *input)
{
    bool ordered = *(const bool *)input;
    refrain_op *late = refrain_start(check_step("late"));
    refrain_op *early = refrain_start(check_step("early"));
    /* Both have ended, and nobody has looked. */
    REFRAIN_CHECK(refrain_sleep(refrain_seconds(5)));
    refrain_op *first = refrain_start(check_step("early"));
    refrain_op *second = refrain_start(check_step("early"));
    int ready = refrain_select(refrain_on(late), refrain_on(early));
    int came = ordered ? refrain_wait_for(refrain_first(refrain_on(second), refrain_on(first)))
                       : refrain_select(refrain_on(second), refrain_on(first));
    return refrain_done(refrain_jsonf("[%d, %d]", ready, came));
}

static const refrain_workflow BOTH_AT_ONCE = {.name = "both", .input = &refrain_type_bool, .run = both_at_once};

static void of_what_came_together_select_takes_the_earlier_and_first_the_one_that_is_listed_first(void)
{
    for (int ordered = 0; ordered < 2; ordered++) {
        refrain_test *test = refrain_test_new();
        check_echo(test, "late", 3), check_echo(test, "early", 1);
        CHECK_TEXT(check_result(refrain_test_run(test, &BOTH_AT_ONCE, refrain_bool(ordered))),
                   ordered ? "[0,0]" : "[0,1]");
    }
}

/* Signals */

static refrain_result counts(const void *input)
{
    (void)input;
    REFRAIN_CHECK(refrain_sleep(refrain_seconds(10)));
    refrain_json *got = refrain_array();
    uint32_t n;
    while (refrain_try_receive(&DONE, &n)) refrain_push(got, refrain_uint(n));
    REFRAIN_CHECK(refrain_receive(&DONE, &n));
    return refrain_done(refrain_push(got, refrain_uint(n)));
}

static const refrain_workflow COUNTS = {.name = "counts", .run = counts};

static void signals_wait_for_their_reader_in_order_and_unread_ones_are_warned_of(void)
{
    static const int AT[][2] = {{1, 1}, {2, 2}, {20, 3}, {20, 4}, {20, 5}};
    refrain_test *test = refrain_test_new();
    for (int i = 0; i < 5; i++)
        refrain_test_signal(test, refrain_seconds((uint64_t)AT[i][0]), "done", refrain_int(AT[i][1]));
    refrain_test_signal(test, refrain_seconds(3), "other", NULL);
    refrain_test_signal(test, refrain_seconds(3), "done", refrain_string("no number"));
    const refrain_ended *ended = refrain_test_run(test, &COUNTS, NULL);
    CHECK_TEXT(check_result(ended), "[1,2,3]");
    CHECK_TEXT(check_lines(ended->log, ended->log_count),
               "ERROR signal passed over: invalid type: string \"no number\", expected u32 signal=done; "
               "WARN ended with unread signals signal=other count=1; "
               "WARN ended with unread signals signal=done count=2");
}

/* Many */

static refrain_op *start_step(size_t place, void *names)
{
    return refrain_start(check_step(((const char *const *)names)[place]));
}

static refrain_result bounded(const void *input)
{
    (void)input;
    static const char *NAMES[] = {"3", "1", "1", "1", "2"};
    refrain_op *ops[5];
    REFRAIN_CHECK(refrain_try_join_bounded(2, 5, start_step, NAMES, ops));
    refrain_json *all = refrain_array();
    for (int i = 0; i < 5; i++) refrain_push(all, refrain_outcome(ops[i]).value);
    return refrain_done(all);
}

static const refrain_workflow BOUNDED = {.name = "bounded", .run = bounded};

static void a_bounded_join_starts_the_next_when_one_ends_and_keeps_the_order(void)
{
    refrain_test *test = refrain_test_new();
    check_echo(test, "1", 1), check_echo(test, "2", 2), check_echo(test, "3", 3);
    const refrain_ended *ended = refrain_test_run(test, &BOUNDED, NULL);
    CHECK_TEXT(check_result(ended), "[\"3\",\"1\",\"1\",\"1\",\"2\"]");
    CHECK_NUMBER(ended->elapsed.seconds, 5);
    CHECK_TEXT(check_lines(ended->calls, 5),
               "1 = activity 3 \"3\"; 2 = activity 1 \"1\"; wait; 3 = activity 1 \"1\"; wait");
}

static void a_bounded_join_ends_with_the_first_failure_and_starts_no_more(void)
{
    refrain_test *test = refrain_test_new();
    check_echo(test, "3", 3), check_echo(test, "2", 2);
    refrain_test_activity(test, "1", refrain_seconds(1), fail_with, refrain_text("torn"));
    const refrain_ended *ended = refrain_test_run(test, &BOUNDED, NULL);
    CHECK_TEXT(check_result(ended), "!torn");
    CHECK_TEXT(check_calls(ended), "1 = activity 3 \"3\"; 2 = activity 1 \"1\"; wait; detach 1");
}

static refrain_result fails_fast(const void *input)
{
    (void)input;
    static const char *const NAMES[] = {"1", "broken", "3"};
    refrain_op *ops[3];
    for (int i = 0; i < 3; i++) ops[i] = refrain_start(check_step(NAMES[i]));
    return refrain_try_join(ops, 3);
}

static const refrain_workflow FAILS_FAST = {.name = "fails_fast", .run = fails_fast};

static void the_first_failure_detaches_what_still_runs(void)
{
    refrain_test *test = refrain_test_new();
    check_echo(test, "1", 1), check_echo(test, "3", 3);
    refrain_test_activity(test, "broken", refrain_seconds(2), fail_with, refrain_text("torn"));
    const refrain_ended *ended = refrain_test_run(test, &FAILS_FAST, NULL);
    CHECK_TEXT(check_result(ended), "!torn");
    CHECK_NUMBER(ended->elapsed.seconds, 2);
    CHECK_TEXT(ended->calls[ended->call_count - 1], "detach 3");
}

static refrain_result many(const void *input)
{
    uint32_t n = *(const uint32_t *)input;
    refrain_op **ops = refrain_new_array(refrain_op *, n);
    for (uint32_t i = 0; i < n; i++) ops[i] = refrain_start_timer(refrain_seconds(i % 10));
    REFRAIN_CHECK(refrain_join(ops, n));
    return refrain_done(refrain_uint(n));
}

static const refrain_workflow MANY = {.name = "many", .input = &refrain_type_uint32, .run = many};

static void ten_thousand_open_ops_end_in_as_many_steps_as_they_take(void)
{
    const refrain_ended *ended = refrain_test_run(refrain_test_new(), &MANY, refrain_int(10000));
    CHECK_TEXT(check_result(ended), "10000");
    CHECK_NUMBER(ended->call_count, 10010);
}

/* Tasks */

typedef struct {
    uint32_t turn, turns;
    refrain_json *seen;
} token;

typedef struct {
    refrain_task task;
    token *token;
    uint32_t mine;
} turn;

static bool is_my_turn(void *context)
{
    const turn *self = context;
    return self->token->turn == self->mine;
}

static void take_turn(refrain_task *task)
{
    turn *self = (turn *)task;
    REFRAIN_BEGIN(task);
    /* The last one is spawned first, so that each needs a look of its own. */
    self->token = task->context;
    self->mine = --self->token->turns;
    REFRAIN_WAIT(task, refrain_on_condition(is_my_turn, self));
    refrain_push(self->token->seen, refrain_uint(self->mine));
    self->token->turn++;
    REFRAIN_END(task);
}

static const refrain_task_type TURN = REFRAIN_TASK(take_turn, turn);

static bool is_done(void *context)
{
    const token *token = context;
    return token->turn == 3;
}

static refrain_result passes_a_token(const void *input)
{
    (void)input;
    token *token = refrain_alloc(sizeof *token);
    token->turn = UINT32_MAX;
    token->turns = 3;
    token->seen = refrain_array();
    for (int i = 0; i < 3; i++) refrain_spawn(&TURN, token);
    CHECK(!refrain_within(refrain_seconds(1), refrain_on_condition(is_done, token)));
    REFRAIN_CHECK(refrain_receive(&DONE, &token->turn));
    REFRAIN_CHECK(refrain_until(is_done, token));
    return refrain_done(token->seen);
}

static const refrain_workflow PASSES_A_TOKEN = {.name = "passes_a_token", .run = passes_a_token};

static void a_condition_that_comes_true_makes_others_true_in_the_same_step(void)
{
    refrain_test *test = refrain_test_new();
    refrain_test_signal(test, refrain_seconds(2), "done", refrain_int(0));
    const refrain_ended *ended = refrain_test_run(test, &PASSES_A_TOKEN, NULL);
    CHECK_TEXT(check_result(ended), "[0,1,2]");
    CHECK_TEXT(check_calls(ended), "1 = timer 1s; wait; wait");
}

typedef struct {
    refrain_task task;
    refrain_op *op;
    const char *name;
} stepper;

static void step_twice(refrain_task *task)
{
    stepper *self = (stepper *)task;
    refrain_result outcome;
    REFRAIN_BEGIN(task);
    self->name = task->context;
    for (; strlen(self->name) < 3; self->name = refrain_text("%s+", self->name)) {
        self->op = refrain_start(check_step(self->name));
        REFRAIN_AWAIT(task, outcome, self->op);
        if (outcome.failure) REFRAIN_RETURN(task, outcome);
    }
    REFRAIN_RETURN(task, refrain_done(refrain_string(self->name)));
    REFRAIN_END(task);
}

static const refrain_task_type STEPPER = REFRAIN_TASK(step_twice, stepper);

static refrain_result side_by_side(const void *input)
{
    (void)input;
    refrain_task *a = refrain_spawn(&STEPPER, refrain_text("a"));
    refrain_task *b = refrain_spawn(&STEPPER, refrain_text("b"));
    refrain_op *mine = refrain_start(check_step("mine"));
    refrain_wait_for(refrain_all(refrain_on_task(a), refrain_on_task(b), refrain_on(mine)));
    CHECK(refrain_task_ended(a) && refrain_task_ended(b));
    return refrain_done(refrain_jsonf("[%p, %s]", (void *)refrain_string(refrain_as_string(a->result.value)),
                                      refrain_failure_text(b->result.failure)));
}

static const refrain_workflow SIDE_BY_SIDE = {.name = "side_by_side", .run = side_by_side};

static void tasks_go_on_beside_the_workflow_in_the_order_of_their_events(void)
{
    refrain_test *test = refrain_test_new();
    check_echo(test, "a", 2), check_echo(test, "b", 1), check_echo(test, "a+", 1), check_echo(test, "mine", 2);
    refrain_test_activity(test, "b+", refrain_seconds(1), fail_with, refrain_text("torn"));
    const refrain_ended *ended = refrain_test_run(test, &SIDE_BY_SIDE, NULL);
    CHECK_TEXT(check_result(ended), "[\"a++\",\"torn\"]");
    CHECK_TEXT(check_calls(ended),
               "1 = activity mine \"mine\"; 2 = activity a \"a\"; 3 = activity b \"b\"; wait; 4 = activity b+ \"b+\"; "
               "wait; 5 = activity a+ \"a+\"; wait");
}

static refrain_result leaves_a_task(const void *input)
{
    (void)input;
    refrain_spawn(&STEPPER, refrain_text("a"));
    return refrain_sleep(refrain_seconds(1));
}

static const refrain_workflow LEAVES_A_TASK = {.name = "leaves_a_task", .run = leaves_a_task};

static void what_tasks_have_open_at_the_end_is_left_to_the_host(void)
{
    refrain_test *test = refrain_test_new();
    check_echo(test, "a", 9);
    CHECK_TEXT(check_calls(refrain_test_run(test, &LEAVES_A_TASK, NULL)), "1 = timer 1s; 2 = activity a \"a\"; wait");
}

/* Conditions */

typedef struct {
    int looks, slept;
} looked;

static bool look(void *context)
{
    looked *counts = context;
    counts->looks++;
    return counts->slept == 5;
}

typedef struct {
    refrain_task task;
    int n;
} sleeper;

static void sleep_five_times(refrain_task *task)
{
    sleeper *self = (sleeper *)task;
    REFRAIN_BEGIN(task);
    for (self->n = 1; self->n <= 5; self->n++) {
        REFRAIN_WAIT(task, refrain_after(refrain_seconds(10)));
        ((looked *)task->context)->slept = self->n;
    }
    REFRAIN_END(task);
}

static const refrain_task_type SLEEPER = REFRAIN_TASK(sleep_five_times, sleeper);

static refrain_result looks(const void *input)
{
    (void)input;
    looked *counts = refrain_new(looked);
    refrain_spawn(&SLEEPER, counts);
    REFRAIN_CHECK(refrain_until(look, counts));
    return refrain_done(refrain_int(counts->looks));
}

static const refrain_workflow LOOKS = {.name = "looks", .run = looks};

static void a_condition_is_looked_at_once_for_each_wait(void)
{
    refrain_test *test = refrain_test_new();
    /* A query comes to an instance that must not go on because of it. */
    refrain_test_query(test, refrain_seconds(15), "anything", NULL);
    CHECK_TEXT(check_result(refrain_test_run(test, &LOOKS, NULL)), "7");
}

const check_test WAIT_TESTS[] = {
    TEST(select_takes_what_happened_first),
    TEST(a_timer_of_a_wait_that_lost_is_ended_however_deep_it_is),
    TEST(of_what_came_together_select_takes_the_earlier_and_first_the_one_that_is_listed_first),
    TEST(signals_wait_for_their_reader_in_order_and_unread_ones_are_warned_of),
    TEST(a_bounded_join_starts_the_next_when_one_ends_and_keeps_the_order),
    TEST(a_bounded_join_ends_with_the_first_failure_and_starts_no_more),
    TEST(the_first_failure_detaches_what_still_runs),
    TEST(ten_thousand_open_ops_end_in_as_many_steps_as_they_take),
    TEST(a_condition_that_comes_true_makes_others_true_in_the_same_step),
    TEST(tasks_go_on_beside_the_workflow_in_the_order_of_their_events),
    TEST(what_tasks_have_open_at_the_end_is_left_to_the_host),
    TEST(a_condition_is_looked_at_once_for_each_wait),
    {0},
};
