/*
 * A host for native tests: a workflow runs without WebAssembly, in no time.
 *
 *     cc -I refrain-sdk/include -I refrain-sdk/testing flow.c test.c refrain-sdk/src/(all).c
 *         refrain-sdk/testing/(all).c
 *
 *     refrain_test *test = refrain_test_new();
 *     refrain_test_activity(test, "greet", refrain_seconds(0), greet, NULL);
 *     const refrain_ended *ended = refrain_test_run(test, &WELCOME, refrain_string("Ada"));
 *     assert(ended->how == REFRAIN_COMPLETED);
 *
 * Time is skipped: a wait takes what is due first and sets the clock to it, so a workflow that sleeps for a year is
 * tested in microseconds. What is due at the same time is delivered by one wait, in the order in which it was started.
 * An activity is called once for each start, whatever its retry policy says: what the function returns stands for the
 * outcome of the last attempt. Children are functions, too.
 *
 * All memory is the tests': `refrain_test_free_all` gives it back, with everything that came of them.
 */
#ifndef REFRAIN_TESTING_H
#define REFRAIN_TESTING_H

#include <refrain.h>

typedef struct refrain_test refrain_test;

/* What stands for an activity or a child. */
typedef refrain_result refrain_work(const refrain_json *input, void *context);

/* An empty one. One test runs at a time. */
refrain_test *refrain_test_new(void);

/* Gives back all that tests had, and all that the SDK's functions gave since the last time. */
void refrain_test_free_all(void);

/* An activity or the children of a workflow, which take that long. */
void refrain_test_activity(refrain_test *test, const char *name, refrain_duration takes, refrain_work *work,
                           void *context);
void refrain_test_child(refrain_test *test, const char *workflow, refrain_duration takes, refrain_work *work,
                        void *context);

/* There is no execution of that id: what is sent to it fails (`not-found`). Everything else arrives. */
void refrain_test_without_execution(refrain_test *test, const char *workflow_id);

/* What comes some time after the start; queries also after the run's end. Updates have the ids `update-0`, `update-1`.
 */
void refrain_test_signal(refrain_test *test, refrain_duration after, const char *name, const refrain_json *input);
void refrain_test_query(refrain_test *test, refrain_duration after, const char *name, const refrain_json *input);
void refrain_test_update(refrain_test *test, refrain_duration after, const char *name, const refrain_json *input);
void refrain_test_cancel(refrain_test *test, refrain_duration after, const char *reason);

/* From then on the journal counts as long (`continue_as_new_suggested`). */
void refrain_test_long_journal(refrain_test *test, refrain_duration after);

typedef enum { REFRAIN_COMPLETED, REFRAIN_FAILED, REFRAIN_ENDED_CANCELED, REFRAIN_CONTINUED } refrain_how;

/* How a run ended, and how it got there. */
typedef struct {
    refrain_how how;
    const refrain_json *value; /* the result, or the next run's input */
    const refrain_failure *failure;
    refrain_duration elapsed; /* the run's time from its start to its end */
    /*
     * Commands in their order: `1 = activity greet "Ada"`, `2 = timer 10s`, `wait`, `cancel 2`, `detach 1`,
     * `3 = local activity look-up "m"`, `4, 5 = child ship "m" id="ship-7"`, `6 = signal order-7 approved true`,
     * `7 = request-cancel order-7`, `accept update-0`, `reject update-1: why`, `complete update-0: 3`. Of activities
     * that say so: ` task-queue="gpu" priority=1 fairness-key="t" fairness-weight=2.0`.
     */
    const char *const *calls; /* ends with a null pointer */
    size_t call_count;
    const char *const *log; /* lines of the run's log: `INFO message key=value` */
    size_t log_count;
    const refrain_result *answers; /* to the queries, in the order in which they were asked */
    size_t answer_count;
    const refrain_result *updates; /* what came of the updates; a failure `run-ended` or `not-handled` is the host's */
    size_t update_count;
    const char *unread; /* signals that go to the next run: `name input`, one a line */
} refrain_ended;

/* Runs a workflow to its end. One that waits though nothing will come is a bug. */
const refrain_ended *refrain_test_run(refrain_test *test, const refrain_workflow *workflow, const refrain_json *input);

#endif
