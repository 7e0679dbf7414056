/*
 * Workflows against the scripted host: what is called in which order, and what comes out.
 */
#include <string.h>

#include "check.h"

static refrain_result fail_with(const refrain_json *input, void *message)
{
    (void)input;
    return refrain_failed(refrain_fail("Torn", "%s", (const char *)message));
}

/* When things start */

static refrain_result out_of_order(const void *input)
{
    (void)input;
    refrain_activity later = check_step("b");
    refrain_op *a = refrain_start(check_step("a"));
    refrain_op *b = refrain_start(later);
    refrain_op *c = refrain_start(check_step("c"));
    REFRAIN_CHECK(refrain_await(c));
    REFRAIN_CHECK(refrain_await(b));
    return refrain_await(a);
}

static const refrain_workflow OUT_OF_ORDER = {.name = "out_of_order", .run = out_of_order};

static void activities_start_at_the_call_and_wait_for_nobody(void)
{
    refrain_test *test = refrain_test_new();
    check_echo(test, "a", 1), check_echo(test, "b", 2), check_echo(test, "c", 1);
    const refrain_ended *ended = refrain_test_run(test, &OUT_OF_ORDER, NULL);
    CHECK_TEXT(check_result(ended), "\"a\"");
    CHECK_TEXT(check_calls(ended), "1 = activity a \"a\"; 2 = activity b \"b\"; 3 = activity c \"c\"; wait; wait");
}

static refrain_result routed(const void *input)
{
    (void)input;
    refrain_activity look = check_step("look-up");
    look.local = true;
    REFRAIN_CHECK(refrain_call(look));
    refrain_activity train = check_step("train");
    train.task_queue = "gpu";
    train.priority = 1;
    train.fairness_key = "tenant \"7\"";
    train.fairness_weight = 2;
    return refrain_call(train);
}

static const refrain_workflow ROUTED = {.name = "routed", .run = routed};

static void calls_tell_local_activities_and_whose_turn_an_activity_takes(void)
{
    refrain_test *test = refrain_test_new();
    check_echo(test, "look-up", 0), check_echo(test, "train", 1);
    CHECK_TEXT(check_calls(refrain_test_run(test, &ROUTED, NULL)),
               "1 = local activity look-up \"look-up\"; wait; 2 = activity train \"train\" task-queue=\"gpu\" "
               "priority=1 fairness-key=\"tenant \\\"7\\\"\" fairness-weight=2.0; wait");
}

static refrain_result impatient(const void *input)
{
    (void)input;
    refrain_op *slow = refrain_start(check_step("slow"));
    if (!refrain_within(refrain_seconds(2), refrain_on(slow))) refrain_cancel(slow, "too slow");
    return refrain_await(slow);
}

static const refrain_workflow IMPATIENT = {.name = "impatient", .run = impatient};

static void a_timeout_leaves_an_op_to_be_canceled(void)
{
    refrain_test *test = refrain_test_new();
    check_echo(test, "slow", 5);
    const refrain_ended *ended = refrain_test_run(test, &IMPATIENT, NULL);
    CHECK_TEXT(check_result(ended), "!too slow");
    CHECK(ended->how == REFRAIN_FAILED && refrain_is_canceled(ended->failure));
    CHECK_TEXT(check_calls(ended), "1 = activity slow \"slow\"; 2 = timer 2s; wait; cancel 1; wait");
    test = refrain_test_new();
    check_echo(test, "slow", 2);
    ended = refrain_test_run(test, &IMPATIENT, NULL);
    CHECK_TEXT(check_result(ended), "\"slow\"");
    CHECK_TEXT(check_calls(ended), "1 = activity slow \"slow\"; 2 = timer 2s; wait");
}

static refrain_result slow_activity(const void *input)
{
    (void)input;
    return refrain_call(check_step("slow"));
}

static const refrain_workflow SLOW = {.name = "slow", .run = slow_activity};

static void an_activity_that_takes_too_long_is_a_timeout(void)
{
    refrain_test *test = refrain_test_new();
    check_echo(test, "slow", 11);
    const refrain_ended *ended = refrain_test_run(test, &SLOW, NULL);
    CHECK(ended->how == REFRAIN_FAILED && refrain_is_timeout(ended->failure));
    CHECK_TEXT(ended->failure->type, "start-to-close");
}

/* Results of other types */

static refrain_result as_number(const void *input)
{
    (void)input;
    int64_t n;
    REFRAIN_CHECK(refrain_await_as(refrain_start(check_step("word")), &refrain_type_int64, &n));
    return refrain_done(refrain_int(n));
}

static const refrain_workflow AS_NUMBER = {.name = "as_number", .run = as_number};

static void a_result_that_does_not_fit_says_whose_it_is(void)
{
    refrain_test *test = refrain_test_new();
    check_echo(test, "word", 0);
    CHECK_TEXT(check_result(refrain_test_run(test, &AS_NUMBER, NULL)),
               "!result of activity `word`: invalid type: string \"word\", expected i64");
}

/* Inputs and ends */

static refrain_result countdown(const void *input)
{
    uint32_t n = *(const uint32_t *)input;
    if (!n) return refrain_done(refrain_string("lift-off"));
    return refrain_continue_as_new((refrain_next){.input = refrain_uint(n - 1), .newest_version = true});
}

static const refrain_workflow COUNTDOWN = {.name = "countdown", .input = &refrain_type_uint32, .run = countdown};

static void a_workflow_may_continue_as_new(void)
{
    CHECK_TEXT(check_result(refrain_test_run(refrain_test_new(), &COUNTDOWN, refrain_int(3))), "next 2");
    CHECK_TEXT(check_result(refrain_test_run(refrain_test_new(), &COUNTDOWN, refrain_int(0))), "\"lift-off\"");
}

static void an_input_that_does_not_fit_fails_for_good_and_says_why(void)
{
    const refrain_ended *ended = refrain_test_run(refrain_test_new(), &COUNTDOWN, refrain_string("three"));
    CHECK_TEXT(check_result(ended), "!input of workflow `countdown`: invalid type: string \"three\", expected u32");
    CHECK_TEXT(ended->failure->type, "bad-input");
    CHECK(ended->failure->non_retryable);
}

static refrain_result until_long(const void *input)
{
    uint32_t n = *(const uint32_t *)input;
    for (; !refrain_run_info()->continue_as_new_suggested; n++) REFRAIN_CHECK(refrain_sleep(refrain_seconds(1)));
    return refrain_continue_as_new((refrain_next){.input = refrain_uint(n)});
}

static const refrain_workflow UNTIL_LONG = {.name = "until_long", .input = &refrain_type_uint32, .run = until_long};

static void a_journal_counts_as_long_from_the_time_that_the_test_says(void)
{
    refrain_test *test = refrain_test_new();
    refrain_test_long_journal(test, refrain_seconds(3));
    CHECK_TEXT(check_result(refrain_test_run(test, &UNTIL_LONG, refrain_int(4))), "next 7");
}

/* Time and randomness */

static refrain_result reads(const void *input)
{
    (void)input;
    refrain_instant a = refrain_now(), b = refrain_now();
    unsigned char *bytes = refrain_alloc(70000);
    refrain_random_bytes(bytes, 70000);
    double unit = refrain_random_unit();
    refrain_log(REFRAIN_LEVEL_INFO, REFRAIN_FIELDS({"unit", unit >= 0 && unit < 1 ? "fine" : "bad"}), "read");
    return refrain_done(refrain_bool(refrain_compare(a, b) < 0 && strcmp(refrain_uuid(), refrain_uuid()) != 0 &&
                                     strlen(refrain_uuid()) == 36));
}

static const refrain_workflow READS = {.name = "reads", .run = reads};

static void time_and_randomness_move_on(void)
{
    const refrain_ended *ended = refrain_test_run(refrain_test_new(), &READS, NULL);
    CHECK_TEXT(check_result(ended), "true");
    CHECK_TEXT(check_lines(ended->log, ended->log_count), "INFO read unit=fine");
}

static refrain_result sleeps_until(const void *input)
{
    uint32_t reads = *(const uint32_t *)input;
    for (int i = 0; i < 2; i++) {
        refrain_instant begun = refrain_now();
        for (uint32_t n = 1; n < reads; n++) begun = refrain_now();
        refrain_instant deadline = refrain_later(begun, refrain_seconds(10));
        REFRAIN_CHECK(refrain_sleep_until(deadline));
        CHECK(refrain_compare(refrain_now(), deadline) >= 0);
    }
    /* One that has passed. */
    return refrain_sleep_until((refrain_instant){1, 0});
}

static const refrain_workflow SLEEPS_UNTIL = {
    .name = "sleeps_until", .input = &refrain_type_uint32, .run = sleeps_until};

static void a_deadline_has_passed_for_who_waited_for_it_however_often_the_clock_was_read_before(void)
{
    static const uint32_t READ[] = {1, 2, 1000};
    for (size_t i = 0; i < sizeof READ / sizeof READ[0]; i++) {
        const refrain_ended *ended = refrain_test_run(refrain_test_new(), &SLEEPS_UNTIL, refrain_uint(READ[i]));
        CHECK_TEXT(check_result(ended), "null");
        CHECK_TEXT(ended->calls[ended->call_count - 2], "3 = timer 0ms");
    }
}

/* Sagas */

static refrain_result book(const refrain_json *input, void *fails)
{
    if (strcmp(refrain_as_string(input), fails) == 0) return refrain_failed(refrain_fail(NULL, "none left"));
    return refrain_done(NULL);
}

static refrain_result book_all(refrain_saga *saga, void *context)
{
    (void)context;
    static const char *const NAMES[] = {"seat", "room", "car"};
    for (size_t i = 0; i < 3; i++) {
        refrain_undo(saga, refrain_text("free the %s", NAMES[i]), check_step(refrain_text("free-%s", NAMES[i])));
        refrain_activity activity = check_step("book");
        activity.input = refrain_string(NAMES[i]);
        REFRAIN_CHECK(refrain_doing(refrain_call(activity), "book the %s", NAMES[i]));
    }
    return refrain_done(NULL);
}

static refrain_result trip(const void *input)
{
    (void)input;
    return refrain_run_saga("book the trip", book_all, NULL);
}

static const refrain_workflow TRIP = {.name = "trip", .run = trip};

static refrain_test *travel_agency(const char *fails)
{
    refrain_test *test = refrain_test_new();
    refrain_test_activity(test, "book", refrain_seconds(0), book, refrain_copy(fails, strlen(fails)));
    refrain_test_activity(test, "free-room", refrain_seconds(0), fail_with, refrain_text("the phone is busy"));
    check_echo(test, "free-seat", 0), check_echo(test, "free-car", 0);
    return test;
}

static void a_saga_undoes_in_reverse_order_and_says_what_became_of_it(void)
{
    const refrain_ended *ended = refrain_test_run(travel_agency("car"), &TRIP, NULL);
    CHECK_TEXT(check_result(ended),
               "!book the trip (1 of 3 compensations failed: free the room): book the car: none left");
    CHECK_TEXT(refrain_write(refrain_details(ended->failure), NULL),
               "{\"compensations\":[{\"undo\":\"free the car\",\"failure\":null},{\"undo\":\"free the room\","
               "\"failure\":\"the phone is busy\"},{\"undo\":\"free the seat\",\"failure\":null}]}");
    CHECK_TEXT(check_lines(ended->log, 3), "INFO undo: free the car because=book the car: none left; "
                                           "INFO undo: free the room because=book the car: none left; "
                                           "ERROR could not free the room: the phone is busy");
}

static void a_saga_that_succeeds_undoes_nothing(void)
{
    const refrain_ended *ended = refrain_test_run(travel_agency(""), &TRIP, NULL);
    CHECK_TEXT(check_result(ended), "null");
    CHECK(!strstr(check_calls(ended), "free"));
}

static refrain_result stuck(void *context)
{
    (void)context;
    return refrain_failed(refrain_fail(NULL, "stuck"));
}

static refrain_result break_after(refrain_saga *saga, void *names)
{
    for (const char *at = names; *at; at++) refrain_undo_by(saga, refrain_copy(at, 1), stuck, NULL);
    return refrain_failed(refrain_fail(NULL, "broken"));
}

static refrain_result undoes(const void *input)
{
    const char *names = *(const char *const *)input;
    return refrain_run_saga("work", break_after, refrain_copy(names, strlen(names)));
}

static const refrain_workflow UNDOES = {.name = "undoes", .input = &refrain_type_string, .run = undoes};

static void a_message_names_the_first_compensations_that_failed(void)
{
    static const char *const CASES[][2] = {
        {"a", "!work (1 of 1 compensations failed: a): broken"},
        {"edcba", "!work (5 of 5 compensations failed: a, b, c, d, e): broken"},
        {"fedcba", "!work (6 of 6 compensations failed: a, b, c, d, e, ...): broken"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        CHECK_TEXT(check_result(refrain_test_run(refrain_test_new(), &UNDOES, refrain_string(CASES[i][0]))),
                   CASES[i][1]);
}

static refrain_result work_slowly(refrain_saga *saga, void *slow)
{
    refrain_undo(saga, "clean up", check_step("clean"));
    refrain_op *op = slow;
    /* The op that is not asked by itself is given up. */
    const refrain_failure *canceled = refrain_or_canceled(refrain_on(op));
    if (!canceled) return refrain_await(op);
    refrain_drop(op);
    return refrain_failed(canceled);
}

static refrain_result await_slowly(refrain_saga *saga, void *slow)
{
    refrain_undo(saga, "clean up", check_step("clean"));
    return refrain_await(slow);
}

static refrain_result cancelable(const void *input)
{
    refrain_activity slow = check_step("slow");
    slow.cancel_with_run = *(const bool *)input;
    refrain_op *op = refrain_start(slow);
    return refrain_run_saga("work", slow.cancel_with_run ? await_slowly : work_slowly, op);
}

static const refrain_workflow CANCELABLE = {.name = "cancelable", .input = &refrain_type_bool, .run = cancelable};

static void a_canceled_run_cleans_up_and_ends_as_canceled(void)
{
    for (int with_run = 0; with_run < 2; with_run++) {
        refrain_test *test = refrain_test_new();
        check_echo(test, "slow", 9), check_echo(test, "clean", 0);
        refrain_test_cancel(test, refrain_seconds(1), "enough");
        const refrain_ended *ended = refrain_test_run(test, &CANCELABLE, refrain_bool(with_run));
        CHECK_TEXT(check_result(ended), "canceled");
        CHECK_NUMBER(ended->elapsed.seconds, 1);
        CHECK_TEXT(ended->calls[2], with_run ? "cancel 1" : "detach 1");
        CHECK(strstr(check_calls(ended), "2 = activity clean \"clean\"") != NULL);
    }
}

/* Children and others */

static refrain_result ship(const refrain_json *input, void *context)
{
    (void)context;
    if (strcmp(refrain_as_string(input), "nowhere") == 0) return refrain_failed(refrain_fail("Lost", "no road"));
    return refrain_done(refrain_string("on its way"));
}

static refrain_result ships(const void *input)
{
    refrain_child child = {.workflow = "ship",
                           .input = refrain_string(*(const char *const *)input),
                           .id = "ship-7",
                           .id_reuse = REFRAIN_REUSE_REJECT,
                           .parent_close = REFRAIN_CLOSE_ABANDON,
                           .memo = refrain_jsonf("{'for': 'Ada'}")};
    refrain_op *started;
    refrain_op *shipped = refrain_start_child_watched(child, &started);
    const refrain_json *ids;
    REFRAIN_TRY(ids, refrain_await(started));
    refrain_execution target = {.workflow_id = refrain_as_string(refrain_get(ids, "workflow_id"))};
    refrain_op *sent = refrain_send(target, "address", refrain_string("12 Main Street"));
    REFRAIN_CHECK(refrain_await(sent));
    REFRAIN_CHECK(refrain_await(refrain_send_cancel((refrain_execution){"shelf", "run-1"}, "closed")));
    refrain_result outcome = refrain_await(shipped);
    CHECK(refrain_await(shipped).failure == outcome.failure);
    return outcome;
}

static const refrain_workflow SHIPS = {.name = "ships", .input = &refrain_type_string, .run = ships};

static void children_are_started_sent_signals_and_told_of(void)
{
    for (int there = 0; there < 2; there++) {
        refrain_test *test = refrain_test_new();
        refrain_test_child(test, "ship", refrain_seconds(5), ship, NULL);
        const refrain_ended *ended = refrain_test_run(test, &SHIPS, refrain_string(there ? "home" : "nowhere"));
        CHECK_TEXT(check_result(ended),
                   there ? "\"on its way\"" : "!child workflow \"ship\" (id \"ship-7\") failed: no road");
        CHECK_TEXT(check_lines(ended->calls + 1, ended->call_count - 1),
                   "wait; 3 = signal ship-7 address \"12 Main Street\"; wait; 4 = request-cancel shelf run=\"run-1\"; "
                   "wait; wait");
        CHECK_TEXT(ended->calls[0], refrain_text("1, 2 = child ship \"%s\" id=\"ship-7\" id-reuse=reject "
                                                 "parent-close=abandon memo:for=\"Ada\"",
                                                 there ? "home" : "nowhere"));
    }
}

static refrain_result sends(const void *input)
{
    (void)input;
    return refrain_await(refrain_send((refrain_execution){.workflow_id = "shelf"}, "restock", NULL));
}

static const refrain_workflow SENDS = {.name = "sends", .run = sends};

static void what_is_sent_to_nobody_says_so(void)
{
    refrain_test *test = refrain_test_new();
    refrain_test_without_execution(test, "shelf");
    CHECK_TEXT(check_result(refrain_test_run(test, &SENDS, NULL)),
               "!signal `restock` to workflow `shelf`: there is no workflow `shelf`");
}

static refrain_result unwatched(const void *input)
{
    (void)input;
    return refrain_call_child((refrain_child){.workflow = "ship", .input = refrain_string("x")});
}

static const refrain_workflow UNWATCHED = {.name = "unwatched", .run = unwatched};

static void who_does_not_watch_a_childs_start_is_not_woken_for_it(void)
{
    refrain_test *test = refrain_test_new();
    refrain_test_child(test, "ship", refrain_seconds(5), ship, NULL);
    CHECK_TEXT(check_calls(refrain_test_run(test, &UNWATCHED, NULL)), "1, 2 = child ship \"x\"; detach 1; wait");
}

const check_test RUN_TESTS[] = {
    TEST(activities_start_at_the_call_and_wait_for_nobody),
    TEST(calls_tell_local_activities_and_whose_turn_an_activity_takes),
    TEST(a_timeout_leaves_an_op_to_be_canceled),
    TEST(an_activity_that_takes_too_long_is_a_timeout),
    TEST(a_result_that_does_not_fit_says_whose_it_is),
    TEST(a_workflow_may_continue_as_new),
    TEST(an_input_that_does_not_fit_fails_for_good_and_says_why),
    TEST(a_journal_counts_as_long_from_the_time_that_the_test_says),
    TEST(time_and_randomness_move_on),
    TEST(a_deadline_has_passed_for_who_waited_for_it_however_often_the_clock_was_read_before),
    TEST(a_saga_undoes_in_reverse_order_and_says_what_became_of_it),
    TEST(a_saga_that_succeeds_undoes_nothing),
    TEST(a_message_names_the_first_compensations_that_failed),
    TEST(a_canceled_run_cleans_up_and_ends_as_canceled),
    TEST(children_are_started_sent_signals_and_told_of),
    TEST(what_is_sent_to_nobody_says_so),
    TEST(who_does_not_watch_a_childs_start_is_not_woken_for_it),
    {0},
};
