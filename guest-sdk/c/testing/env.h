/*
 * What the two halves of the scripted host know of each other: a test, what is due in it, and what was called.
 */
#ifndef REFRAIN_TESTING_ENV_H
#define REFRAIN_TESTING_ENV_H

#include "../src/internal.h"
#include "refrain_testing.h"

typedef struct work {
    const char *name;
    refrain_duration takes;
    refrain_work *run;
    void *context;
    struct work *next;
} work;

/* What will happen: by the time at which it is due, then in the order in which it was said. */
typedef struct due {
    refrain_duration at;
    bool is_query;
    uint64_t op;
    uint8_t cancellation;
    abi_event event;
    struct due *previous, *next;
} due;

typedef struct name {
    const char *text;
    struct name *next;
} name;

typedef struct {
    const char **items;
    size_t count, capacity;
} lines;

typedef struct {
    bool delivered, accepted, ended;
    refrain_result result;
} sent_update;

struct refrain_test {
    work *activities, *children;
    name *missing;
    due *first, *last;
    due **ops; /* what is due of an op, by its number */
    size_t op_capacity;
    uint64_t op;
    refrain_duration clock;
    uint32_t reads;
    uint64_t randomness;
    lines calls, log;
    refrain_result *answers;
    size_t answer_count, answer_capacity;
    sent_update *updates;
    size_t update_count, update_capacity;
    bool asked;        /* a query was delivered, and the workflow has not waited since */
    const char *tried; /* what it called that no query may */
    bool ended;
    refrain_duration ended_at;
    bool has_limit;
    refrain_duration long_from;
};

/* The one that runs. */
extern refrain_test *refrain__test;

void refrain__add_line(lines *to, const char *line);

#define CALL(...) refrain__add_line(&refrain__test->calls, refrain_text(__VA_ARGS__))

int refrain__compare_durations(refrain_duration a, refrain_duration b);
refrain_duration refrain__after_now(refrain_duration d);
const refrain_failure *refrain__by_host(const char *type, const char *message);

void refrain__schedule(due *what);
void refrain__unschedule(due *what);
void refrain__schedule_end(uint64_t op, refrain_duration at, uint8_t cancellation, refrain_result outcome);

/* The host does so with updates that nobody has accepted or rejected in the step that got them. */
void refrain__reject_unanswered(void);

/* What takes a text of the contract that may have no zero behind it. */
const char *refrain__text_of(const char *data, size_t len);

#endif
