/*
 * What the tests of the SDK share: checks that say what is and what was expected, and the workflows' usual
 * surroundings.
 */
#ifndef CHECK_H
#define CHECK_H

#include <refrain.h>
#include <refrain_testing.h>

/* A test, and the list of a file's. */
typedef struct {
    const char *name;
    void (*run)(void);
} check_test;

extern const check_test JSON_TESTS[], TEXT_TESTS[], TYPE_TESTS[], RUN_TESTS[], WAIT_TESTS[], MESSAGE_TESTS[],
    SCOPE_TESTS[], BUG_TESTS[], END_TESTS[];

#define TEST(function) {#function, function}

void check_true(const char *file, int line, bool truth, const char *what);
void check_text(const char *file, int line, const char *is, const char *expected);
void check_number(const char *file, int line, long long is, long long expected);

#define CHECK(truth) check_true(__FILE__, __LINE__, (truth), #truth)
#define CHECK_TEXT(is, expected) check_text(__FILE__, __LINE__, (is), (expected))
#define CHECK_NUMBER(is, expected) check_number(__FILE__, __LINE__, (long long)(is), (long long)(expected))

/* A run's result as text: its value, or `!` and why it failed, or `canceled`, or `next` and the next run's input. */
const char *check_result(const refrain_ended *ended);

/* The outcome of one thing, as above. */
const char *check_outcome(refrain_result result);

/* Calls, or lines of the log, joined with `; `. */
const char *check_lines(const char *const *lines, size_t count);
const char *check_calls(const refrain_ended *ended);

/* An activity that returns its input, after so many seconds. */
void check_echo(refrain_test *test, const char *name, uint64_t seconds);

/* Calls the activity of that name with its own name, within ten seconds. */
refrain_activity check_step(const char *name);

#endif
