/*
 * Bugs: each says what it is before the end. Each has a process of its own.
 */
#define _POSIX_C_SOURCE 200809L

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static void a_handler(const void *input, void *context)
{
    (void)input, (void)context;
    refrain_sleep(refrain_seconds(1));
}

static const refrain_signal GO = {.name = "go", .handle = a_handler};

static refrain_result with_a_handler_that_waits(const void *input)
{
    (void)input;
    refrain_handle_signal(&GO, NULL);
    return refrain_sleep(refrain_days(1));
}

static refrain_result with_a_dropped_op(const void *input)
{
    (void)input;
    refrain_op *timer = refrain_start_timer(refrain_seconds(1));
    refrain_drop(timer);
    return refrain_await(timer);
}

static refrain_result with_a_wait_used_twice(const void *input)
{
    (void)input;
    refrain_wait *wait = refrain_after(refrain_seconds(1));
    refrain_wait_for(wait);
    refrain_wait_for(wait);
    return refrain_done(NULL);
}

static refrain_result with_an_early_look(const void *input)
{
    (void)input;
    return refrain_outcome(refrain_start_timer(refrain_seconds(1)));
}

static refrain_result with_an_open_scope(const void *input)
{
    (void)input;
    refrain_scope_begin();
    return refrain_done(NULL);
}

static refrain_result with_bad_json(const void *input)
{
    (void)input;
    return refrain_done(refrain_jsonf("{'a': %d", 1));
}

static void return_early(refrain_task *task)
{
    (void)task;
}

static const refrain_task_type EARLY = {return_early, sizeof(refrain_task)};

static refrain_result with_a_task_that_returns(const void *input)
{
    (void)input;
    refrain_spawn(&EARLY, NULL);
    return refrain_sleep(refrain_seconds(1));
}

static const struct {
    refrain_result (*run)(const void *input);
    const char *said;
} BUGS[] = {
    {with_a_handler_that_waits, "something else than the workflow's own function waits: a handler"},
    {with_a_dropped_op, "nobody hears of the end of an op that was dropped (timer)"},
    {with_a_wait_used_twice, "a refrain_wait was used twice"},
    {with_an_early_look, "the outcome of an op was asked for before its end (timer)"},
    {with_an_open_scope, "the workflow `buggy` ended in a scope that it began"},
    {with_bad_json, "the example `{'a': %d` is no JSON: EOF while parsing an object at line 1 column 9"},
    {with_a_task_that_returns, "a task returned without REFRAIN_RETURN or REFRAIN_END"},
};

static const char *said_by(refrain_result (*run)(const void *input))
{
    static char said[1024];
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t child = fork();
    if (!child) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        const refrain_workflow workflow = {.name = "buggy", .run = run};
        refrain_test *test = refrain_test_new();
        refrain_test_signal(test, refrain_seconds(1), "go", NULL);
        refrain_test_run(test, &workflow, NULL);
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    for (ssize_t got; (got = read(ends[0], said + len, sizeof said - 1 - len)) > 0;) len += (size_t)got;
    said[len] = 0;
    close(ends[0]);
    int status;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    return said;
}

static void each_bug_says_what_it_is_and_where(void)
{
    for (size_t i = 0; i < sizeof BUGS / sizeof BUGS[0]; i++) {
        const char *said = said_by(BUGS[i].run);
        CHECK(strncmp(said, "bug at ", 7) == 0);
        if (!strstr(said, BUGS[i].said)) CHECK_TEXT(said, BUGS[i].said);
    }
}

const check_test BUG_TESTS[] = {
    TEST(each_bug_says_what_it_is_and_where),
    {0},
};
