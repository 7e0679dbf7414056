/*
 * Runs all tests, or those whose names contain the argument.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static const char *running;
static int failures;

static void fail(const char *file, int line)
{
    failures++;
    fprintf(stderr, "%s:%d: in %s: ", file, line, running);
}

void check_true(const char *file, int line, bool truth, const char *what)
{
    if (truth) return;
    fail(file, line);
    fprintf(stderr, "not so: %s\n", what);
}

void check_text(const char *file, int line, const char *is, const char *expected)
{
    if (is && strcmp(is, expected) == 0) return;
    fail(file, line);
    fprintf(stderr, "\n  is       %s\n  expected %s\n", is ? is : "(null)", expected);
}

void check_number(const char *file, int line, long long is, long long expected)
{
    if (is == expected) return;
    fail(file, line);
    fprintf(stderr, "is %lld, expected %lld\n", is, expected);
}

const char *check_outcome(refrain_result result)
{
    if (result.failure) return refrain_text("!%s", refrain_failure_text(result.failure));
    return refrain_write(result.value, NULL);
}

const char *check_result(const refrain_ended *ended)
{
    switch (ended->how) {
    case REFRAIN_COMPLETED: return refrain_write(ended->value, NULL);
    case REFRAIN_FAILED: return refrain_text("!%s", refrain_failure_text(ended->failure));
    case REFRAIN_ENDED_CANCELED: return "canceled";
    case REFRAIN_CONTINUED: return refrain_text("next %s", refrain_write(ended->value, NULL));
    }
    return "";
}

const char *check_lines(const char *const *lines, size_t count)
{
    const char *all = "";
    for (size_t i = 0; i < count; i++) all = refrain_text("%s%s%s", all, i ? "; " : "", lines[i]);
    return all;
}

const char *check_calls(const refrain_ended *ended)
{
    return check_lines(ended->calls, ended->call_count);
}

static refrain_result give_back(const refrain_json *input, void *context)
{
    (void)context;
    return refrain_done(input);
}

void check_echo(refrain_test *test, const char *name, uint64_t seconds)
{
    refrain_test_activity(test, name, refrain_seconds(seconds), give_back, NULL);
}

refrain_activity check_step(const char *name)
{
    return (refrain_activity){.name = name, .input = refrain_string(name), .start_to_close = refrain_seconds(10)};
}

int main(int count, char **arguments)
{
    const check_test *const files[] = {JSON_TESTS, TEXT_TESTS,    TYPE_TESTS,  RUN_TESTS,
                                       WAIT_TESTS, MESSAGE_TESTS, SCOPE_TESTS, BUG_TESTS};
    int ran = 0;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        for (const check_test *test = files[i]; test->name; test++) {
            if (count > 1 && !strstr(test->name, arguments[1])) continue;
            running = test->name;
            test->run();
            refrain_test_free_all();
            ran++;
        }
    printf("%d tests, %d failures\n", ran, failures);
    return failures || !ran ? EXIT_FAILURE : EXIT_SUCCESS;
}
