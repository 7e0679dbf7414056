/*
 * Workflows: what a component offers, and how a run ends.
 */
#ifndef REFRAIN_WORKFLOW_H
#define REFRAIN_WORKFLOW_H

#include "context.h"
#include "messages.h"
#include "type.h"

#define REFRAIN_SDK_VERSION "0.1.0"

typedef struct {
    const char *name;
    const char *doc;
    const refrain_type *input;  /* null: `refrain_type_null` */
    const refrain_type *output; /* for people; null: any */
    /*
     * Its code. `input` points to a value of the C type of `input`; an input that does not fit fails the run
     * (`bad-input`) before it comes here. What it returns is how the run ends; a failure of kind canceled after a
     * cancel request ends it as canceled.
     */
    refrain_result (*run)(const void *input);
    /* For people who may send them; each list ends with a null pointer. */
    const refrain_signal *const *signals;
    const refrain_query *const *queries;
    const refrain_update *const *updates;
    bool fails_on_trap; /* a bug fails the run; without it, the run is parked, and loses nothing */
} refrain_workflow;

/* The lists of a workflow: `.signals = REFRAIN_SIGNALS(&GO, &STOP)`. */
#define REFRAIN_SIGNALS(...)        \
    (const refrain_signal *const[]) \
    {                               \
        __VA_ARGS__, NULL           \
    }
#define REFRAIN_QUERIES(...)       \
    (const refrain_query *const[]) \
    {                              \
        __VA_ARGS__, NULL          \
    }
#define REFRAIN_UPDATES(...)        \
    (const refrain_update *const[]) \
    {                               \
        __VA_ARGS__, NULL           \
    }

/* Makes the module a component of these workflows: `REFRAIN_COMPONENT(&ORDER, &REFUND)`. Once in a module. */
#define REFRAIN_COMPONENT(...) const refrain_workflow *const refrain_workflows[] = {__VA_ARGS__, NULL};

extern const refrain_workflow *const refrain_workflows[];

/* The run that follows this one. */
typedef struct refrain_next {
    const refrain_json *input;
    const char *workflow;         /* null: the same */
    bool newest_version;          /* take the component's current version, not this run's */
    refrain_duration run_timeout; /* for the next run; zero: as this one's */
} refrain_next;

/*
 * Ends this run and goes on as a new one with a short journal: same id, new input. Signals and updates that this run
 * has not read go to the next one. What handlers have begun ends with this run: see `refrain_handlers_finished`.
 *
 *     return refrain_continue_as_new((refrain_next){.input = refrain_uint(round + 1)});
 */
refrain_result refrain_continue_as_new(refrain_next next);

#endif
