/*
 * Why something failed: a chain that is read from the outside in as one sentence, `what was done: why: why`.
 *
 * A failure is a value, and a null pointer means that nothing failed. None is ever changed: each function here gives a
 * new one that shares what is below it.
 */
#ifndef REFRAIN_FAILURE_H
#define REFRAIN_FAILURE_H

#include <stdbool.h>

#include "json.h"

/* Who says that it went wrong. */
typedef enum {
    REFRAIN_APPLICATION, /* workflow or activity code */
    REFRAIN_CANCELED,
    REFRAIN_TIMEOUT,
    REFRAIN_TERMINATED,
    REFRAIN_HOST,
    REFRAIN_OTHER
} refrain_failure_kind;

typedef struct refrain_failure refrain_failure;

struct refrain_failure {
    refrain_failure_kind kind;
    const char *type;         /* what failed, for programs: `ConnectionRefused`, `start-to-close` */
    const char *message;      /* what this level was doing */
    const char *stack;        /* of the code that failed, for people; may be empty */
    const char *details_type; /* the content type of `details` */
    const char *details;      /* data for programs, null if there are none: see `refrain_details` */
    size_t details_len;
    bool non_retryable;           /* no retry policy retries it; told of the outermost level alone */
    const refrain_failure *cause; /* why; null at the chain's end */
};

/* A failure of the workflow's own. Retry policies compare the type with their non-retryable ones; null is `Failure`. */
const refrain_failure *refrain_fail(const char *type, const char *format, ...) REFRAIN_PRINTF(2, 3);

/* A failure of kind canceled. A workflow that returns one after it was asked to cancel ends as canceled. */
const refrain_failure *refrain_canceled(const char *reason);

/* No retry policy retries it. */
const refrain_failure *refrain_non_retryable(const refrain_failure *failure);

/* With data for programs. */
const refrain_failure *refrain_with_details(const refrain_failure *failure, const refrain_json *details);

/* Says what was being done. The new level keeps kind and type, and whether it may be retried. Null stays null. */
const refrain_failure *refrain_context(const refrain_failure *failure, const char *format, ...) REFRAIN_PRINTF(2, 3);

/* Puts `why` under the whole of `failure`. */
const refrain_failure *refrain_caused_by(const refrain_failure *failure, const refrain_failure *why);

bool refrain_is_canceled(const refrain_failure *failure);
bool refrain_is_timeout(const refrain_failure *failure);

/* The whole chain as one sentence. */
const char *refrain_failure_text(const refrain_failure *failure);

/* The outermost details of the chain that are JSON; null where there are none. */
const refrain_json *refrain_details(const refrain_failure *failure);

/* What comes of something: a value, or a failure. */
typedef struct {
    const refrain_json *value;       /* null is the value `null` */
    const refrain_failure *failure;  /* null where it went well */
    const struct refrain_next *next; /* how a workflow goes on as a new run, see workflow.h; else null */
} refrain_result;

/* It went well. */
refrain_result refrain_done(const refrain_json *value);

/* It did not. */
refrain_result refrain_failed(const refrain_failure *failure);

/* `result`, of which a failure says what was being done. */
refrain_result refrain_doing(refrain_result result, const char *format, ...) REFRAIN_PRINTF(2, 3);

/*
 * Ends this function with the failure of `result`, if it has one; else puts its value into `variable`.
 *
 *     const refrain_json *room;
 *     REFRAIN_TRY(room, refrain_doing(refrain_call(book_room(guest)), "book the room"));
 */
#define REFRAIN_TRY(variable, result)                      \
    do {                                                   \
        refrain_result refrain_tried_ = (result);          \
        if (refrain_tried_.failure) return refrain_tried_; \
        (variable) = refrain_tried_.value;                 \
    } while (0)

/* As REFRAIN_TRY, for what has no value that is of use. */
#define REFRAIN_CHECK(result)                              \
    do {                                                   \
        refrain_result refrain_tried_ = (result);          \
        if (refrain_tried_.failure) return refrain_tried_; \
    } while (0)

/*
 * A bug: writes the text to the run's log, with the place, and ends the instance. The run is parked and keeps all that
 * it has recorded, so that a fixed version can take over, unless the workflow says otherwise (`fails_on_trap`).
 * `assert` and `abort` do the same.
 */
#define REFRAIN_BUG(...) refrain_bug(__FILE__, __LINE__, __func__, __VA_ARGS__)

void refrain_bug(const char *file, int line, const char *function, const char *format, ...)
    REFRAIN_PRINTF(4, 5) REFRAIN_NORETURN;

#endif
