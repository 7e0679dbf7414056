/*
 * A wait: a node of the tree that says what is waited for. See waits.c.
 */
#ifndef REFRAIN_WAITS_H
#define REFRAIN_WAITS_H

#include "internal.h"

typedef enum {
    ON_OP,
    ON_TIMER, /* an op of its own, which starts when the wait begins */
    ON_SIGNAL,
    ON_CANCEL,
    ON_CONDITION,
    ON_TASK,
    ANY,
    FIRST,
    ALL,
    BOUNDED,
    LISTENER
} wait_kind;

struct refrain_wait {
    wait_kind kind;
    bool prepared, finished;
    bool queued; /* in the queue of the wait around it */
    int place;   /* in the wait around it */
    int which;   /* of those in it came */
    refrain_wait *parent;
    task_state *task; /* without a parent */
    refrain_wait *next_woken;
    waiters *listed; /* where it waits */
    refrain_wait *next, *previous;
    union {
        struct {
            refrain_op *op;
            refrain_wait *hears_run; /* passes the run's cancel request on to the op */
            refrain_duration duration;
            const char *summary;
        } op;
        struct {
            const refrain_signal *signal;
            void *out;
        } signal;
        struct {
            bool (*predicate)(void *context);
            void *context;
        } condition;
        task_state *ends;
        struct {
            refrain_wait **waits;
            size_t count;
            size_t open; /* of those in it have not come */
            bool fails_fast;
            refrain_wait *first_woken, *last_woken;
            size_t woken;
            /* Of a bounded one, which makes them as it goes: */
            refrain_starter *start;
            void *context;
            refrain_op **ops;
            size_t limit, total;
        } group;
    } u;
};

refrain_wait *refrain__make_wait(wait_kind kind);

#endif
