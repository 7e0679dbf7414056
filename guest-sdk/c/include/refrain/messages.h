/*
 * What others tell a run, ask it, or ask it to do: signals, queries, updates, and the wish that it end.
 *
 * Each is a constant that names it and its types, listed with the workflow for people who may send it:
 *
 *     static const refrain_signal APPROVED = {.name = "approved", .input = &refrain_type_bool};
 *
 * Handlers are functions that run between two waits, from their beginning to their end: one that waits is a bug that
 * says so. What takes longer is a task (task.h), which can be a handler, too.
 */
#ifndef REFRAIN_MESSAGES_H
#define REFRAIN_MESSAGES_H

#include "failure.h"
#include "type.h"

struct refrain_task_type;

/* A kind of signal: one way, no reply. All with one name are one queue. */
typedef struct {
    const char *name;
    const char *doc;
    const refrain_type *input; /* null: `refrain_type_any` */
    /* For `refrain_handle_signal`, one of: */
    void (*handle)(const void *input, void *context);
    const struct refrain_task_type *task;
} refrain_signal;

/*
 * Waits for the next signal and reads it into `out`, which may be null. One whose input does not fit is passed over,
 * with an error in the run's log: who sends nonsense must not be able to end a workflow. Fails in a canceled scope
 * alone.
 *
 * Signals that come while nobody waits are kept. Those that are unread when the run continues as new are the first that
 * the next one gets; in any other case they end with the run, and a warning in its log says so.
 */
refrain_result refrain_receive(const refrain_signal *signal, void *out);

/* The next one, if it is there; whether it was. */
bool refrain_try_receive(const refrain_signal *signal, void *out);

/*
 * Handles the signal from now on, those that are unread first, in the order in which they came. `refrain_receive` gets
 * none any more. What tasks have begun is cut off by the workflow's end: see `refrain_handlers_finished`.
 */
void refrain_handle_signal(const refrain_signal *signal, void *context);

/* A kind of query: answered from what the workflow knows, changing nothing. */
typedef struct {
    const char *name;
    const char *doc;
    const refrain_type *input;  /* null: `refrain_type_null` */
    const refrain_type *output; /* for people; null: any */
    refrain_result (*answer)(const void *input, void *context);
} refrain_query;

/*
 * Answers the query from now on. Call it before the first wait, so that it is there whenever someone asks.
 *
 * Each query is asked in an instance of its own, which is brought to where the run stands, asked, and thrown away; one
 * that starts or waits for anything fails (`query-tried-to-change`). A run that has ended is asked, too: what `context`
 * points to must not be on the stack (memory.h).
 */
void refrain_handle_query(const refrain_query *query, void *context);

/* A kind of update: a request that changes the run; checked, let in or turned down, worked on, and answered. */
typedef struct {
    const char *name;
    const char *doc;
    const refrain_type *input;  /* null: `refrain_type_any` */
    const refrain_type *output; /* for people; null: any */
    /* Null lets every one in whose input fits. Only looks: it changes nothing, and starts nothing. */
    const refrain_failure *(*validate)(const void *input, void *context);
    /* One of: */
    refrain_result (*handle)(const void *input, void *context);
    const struct refrain_task_type *task;
} refrain_update;

/*
 * Handles the update from now on. Call it before the first wait, as updates do not wait for a handler: one for which
 * there is none is rejected (`not-handled`), and so is one whose input does not fit. They are handled when everything
 * that could go on has run, in their order, each up to where it waits.
 */
void refrain_handle_update(const refrain_update *update, void *context);

/* The id of the update whose validator or handler this is called from, and in `*name` its name; else null. */
const char *refrain_current_update(const char **name);

/*
 * Whether all handlers of signals and updates have finished, and every update that came was handled. Wait for it before
 * the workflow ends where there are tasks among them: `refrain_until(refrain_handlers_finished, NULL)`.
 */
bool refrain_handlers_finished(void *unused);

/* Whether someone asked this run to end early, and why (else null). Nothing is canceled by itself: see
 * `refrain_or_canceled`. */
bool refrain_cancel_requested(void);
const char *refrain_cancel_reason(void);

#endif
