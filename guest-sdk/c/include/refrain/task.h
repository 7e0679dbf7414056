/*
 * Tasks: what runs beside the workflow's function.
 *
 * C has one stack, which is the workflow's own. A task has none: its function is called again for each part of it, and
 * goes on where it last waited. So what must live past a wait is a member of its struct, not a local variable:
 *
 *     typedef struct {
 *         refrain_task task;      // first
 *         refrain_op *reserving;
 *     } adding;
 *
 *     static void add(refrain_task *task)
 *     {
 *         adding *self = (adding *)task;
 *         const char *thing = *(const char *const *)task->input;
 *         cart *cart = task->context;
 *         refrain_result reserved;
 *         REFRAIN_BEGIN(task);
 *         self->reserving = refrain_start(reserve(thing));
 *         REFRAIN_AWAIT(task, reserved, self->reserving);
 *         if (reserved.failure) REFRAIN_RETURN(task, reserved);
 *         cart->count++;
 *         REFRAIN_RETURN(task, refrain_done(refrain_uint(cart->count)));
 *         REFRAIN_END(task);
 *     }
 *
 *     static const refrain_task_type ADDING = REFRAIN_TASK(add, adding);
 *
 * Between REFRAIN_BEGIN and REFRAIN_END no `switch` may go around a wait, as the macros are one themselves.
 */
#ifndef REFRAIN_TASK_H
#define REFRAIN_TASK_H

#include "wait.h"

struct refrain_task {
    const void *input;     /* of the signal or update that it handles; else null */
    void *context;         /* what the handler was set with, or `refrain_spawn` was given */
    refrain_result result; /* by REFRAIN_RETURN; what an update's sender gets */
    int waited;            /* what `refrain_wait_for` would have given for its last wait */
    /* The SDK's own: */
    int resume;
    const struct refrain_task_type *type;
    struct refrain_task_state *state;
};

typedef struct refrain_task_type {
    void (*run)(refrain_task *task);
    size_t size;
} refrain_task_type;

#define REFRAIN_TASK(function, T) {.run = (function), .size = sizeof(T)}

/* Begins a task. It runs first when the task that spawned it waits, after those that could go on before. */
refrain_task *refrain_spawn(const refrain_task_type *type, void *context);

/* Whether it has ended. */
bool refrain_task_ended(const refrain_task *task);

#define REFRAIN_BEGIN(task)   \
    switch ((task)->resume) { \
    case 0:

#define REFRAIN_END(task) \
    }                     \
    refrain_task_end((task), (refrain_result){0})

/* Ends the task. */
#define REFRAIN_RETURN(task, value)        \
    do {                                   \
        refrain_task_end((task), (value)); \
        return;                            \
    } while (0)

/* Waits; `(task)->waited` then says for which, as `refrain_wait_for` would. */
#define REFRAIN_WAIT(task, wait)                   \
    do {                                           \
        refrain_task_begin_wait((task), (wait));   \
        (task)->resume = __LINE__;                 \
        REFRAIN_FALLTHROUGH_                       \
    case __LINE__:                                 \
        if (!refrain_task_may_go_on(task)) return; \
    } while (0)

/* Waits for the end of an op, and puts its outcome into `variable`. `op` is evaluated twice. */
#define REFRAIN_AWAIT(task, variable, op)     \
    do {                                      \
        REFRAIN_WAIT((task), refrain_on(op)); \
        (variable) = refrain_outcome(op);     \
    } while (0)

/* The outcome of an op that has ended. */
refrain_result refrain_outcome(refrain_op *op);

/* What the macros call. */
void refrain_task_begin_wait(refrain_task *task, refrain_wait *wait);
bool refrain_task_may_go_on(refrain_task *task);
void refrain_task_end(refrain_task *task, refrain_result result);

#if defined(__GNUC__) || defined(__clang__)
#define REFRAIN_FALLTHROUGH_ __attribute__((fallthrough));
#else
#define REFRAIN_FALLTHROUGH_
#endif

#endif
