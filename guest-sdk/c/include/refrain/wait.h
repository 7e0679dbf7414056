/*
 * Waiting for one of several things, or all of them.
 *
 * A `refrain_wait` says what is waited for. Making one starts nothing and asks nothing of the host, so they can be
 * arguments of each other:
 *
 *     const char *word;
 *     switch (refrain_select(refrain_on_signal(&GO, &word), refrain_after(refrain_hours(1)))) {
 *     case 0: ... // the signal came
 *     case 1: ... // an hour has passed
 *     }
 *
 * Each is used once. Ops that are waited for are only looked at: one that was not first goes on, and can be waited for
 * again; `refrain_drop` it where it is of no use any more.
 */
#ifndef REFRAIN_WAIT_H
#define REFRAIN_WAIT_H

#include "messages.h"
#include "op.h"

typedef struct refrain_wait refrain_wait;
typedef struct refrain_task refrain_task;

/* The end of an op, which `refrain_await` then gives. */
refrain_wait *refrain_on(refrain_op *op);

/* The next signal, read as its type into `out`, which may be null. */
refrain_wait *refrain_on_signal(const refrain_signal *signal, void *out);

/* Someone asks this run to end early. */
refrain_wait *refrain_on_cancel(void);

/* `predicate(context)` is true: see `refrain_until`. */
refrain_wait *refrain_on_condition(bool (*predicate)(void *context), void *context);

/* The end of a task, see task.h. */
refrain_wait *refrain_on_task(refrain_task *task);

/* That time has passed. Its timer starts when the wait begins, and is ended when something else was first. */
refrain_wait *refrain_after(refrain_duration duration);
refrain_wait *refrain_after_named(refrain_duration duration, const char *summary);

/* Any of `count` waits: the one whose event came first; of those that are so from the start the first one. */
refrain_wait *refrain_any_of(refrain_wait *const *waits, size_t count);

/* As `refrain_any_of`, but of those that are so at the same time the first one in the list, whichever came first. */
refrain_wait *refrain_first_of(refrain_wait *const *waits, size_t count);

/* All of `count` waits. */
refrain_wait *refrain_all_of(refrain_wait *const *waits, size_t count);

#define REFRAIN_WAITS_(...) \
    (refrain_wait *const[]){__VA_ARGS__}, sizeof((refrain_wait *const[]){__VA_ARGS__}) / sizeof(refrain_wait *)

#define refrain_any(...) refrain_any_of(REFRAIN_WAITS_(__VA_ARGS__))
#define refrain_first(...) refrain_first_of(REFRAIN_WAITS_(__VA_ARGS__))
#define refrain_all(...) refrain_all_of(REFRAIN_WAITS_(__VA_ARGS__))

/*
 * Waits. Gives which of `refrain_any` or `refrain_first` it was, zero for others, and REFRAIN_GIVEN_UP where the scope
 * around it was canceled (scope.h) and nothing else of it is left to wait for.
 */
int refrain_wait_for(refrain_wait *wait);

#define REFRAIN_GIVEN_UP (-1)

/* Waits for the first of several: `refrain_wait_for(refrain_any(...))`. */
#define refrain_select(...) refrain_wait_for(refrain_any(__VA_ARGS__))

/* Waits, but not longer than `limit`; whether it came in time. When both are there at once, it came in time. */
bool refrain_within(refrain_duration limit, refrain_wait *wait);

/*
 * Waits until it is so, or someone asks this run to end: null, or a failure of kind canceled with the reason, which a
 * workflow usually returns. What `wait` starts is not started when the request is there already.
 */
const refrain_failure *refrain_or_canceled(refrain_wait *wait);

/*
 * Waits until `predicate(context)` is true. It is called at once, and again whenever everything that could go on has
 * run; so it may only look, and only at what the workflow knows: time passes unseen. Fails in a canceled scope alone.
 */
refrain_result refrain_until(bool (*predicate)(void *context), void *context);

/* Waits for the ends of all ops. Each one's outcome is then there for `refrain_await`. */
refrain_result refrain_join(refrain_op *const *ops, size_t count);

/* As `refrain_join`, up to the first that fails, whose failure it gives; those that have not ended are dropped then. */
refrain_result refrain_try_join(refrain_op *const *ops, size_t count);

/* Starts one of many, in a bounded join. */
typedef refrain_op *refrain_starter(size_t place, void *context);

/*
 * Starts `count` ops and waits for all of them, at most `limit` at once: the next is started when one has ended. `ops`
 * has room for all of them.
 */
refrain_result refrain_join_bounded(size_t limit, size_t count, refrain_starter *start, void *context,
                                    refrain_op **ops);

/* As `refrain_join_bounded`, up to the first that fails; those that have not ended are dropped then. */
refrain_result refrain_try_join_bounded(size_t limit, size_t count, refrain_starter *start, void *context,
                                        refrain_op **ops);

#endif
