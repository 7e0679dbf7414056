/*
 * Sagas: undo what was done, in reverse order, when a later step fails.
 *
 *     static refrain_result book(refrain_saga *saga, void *trip)
 *     {
 *         refrain_undo(saga, "give the seat back", step("free-seat", trip));
 *         REFRAIN_CHECK(refrain_doing(refrain_call(step("book-seat", trip)), "book the seat"));
 *         refrain_undo(saga, "give the room back", step("free-room", trip));
 *         return refrain_doing(refrain_call(step("book-room", trip)), "book the room");
 *     }
 *
 *     return refrain_run_saga("book the trip", book, trip);
 *
 * Register a compensation *before* the step that it undoes: a step that fails half way is undone, too. So write
 * compensations that do no harm when there is nothing to undo. Each is tried again by its own retry policy, and the
 * next begins when it has ended; so let it try hard, but not for ever, or those before it never come.
 */
#ifndef REFRAIN_SAGA_H
#define REFRAIN_SAGA_H

#include "op.h"

typedef struct refrain_saga refrain_saga;

typedef refrain_result refrain_saga_body(refrain_saga *saga, void *context);

/*
 * Runs `body`; when it fails, runs the compensations that it registered, the last one first. One that fails for good
 * keeps no other from running; nor does a cancel request, of the run or of a scope around the saga.
 *
 * The failure says what this saga was doing, which compensations failed, then why it failed:
 * `book the trip (1 of 2 compensations failed: give the room back): book the room: no vacancy`. Its details are
 * `{"compensations": [{"undo": ..., "failure": null or why}, ...]}`, and the run's log has a line for each compensation
 * as it begins and as it fails.
 */
refrain_result refrain_run_saga(const char *doing, refrain_saga_body *body, void *context);

/* Registers an activity that undoes the next step; it is started only if the saga fails. What it points to must live
 * until then. */
void refrain_undo(refrain_saga *saga, const char *name, refrain_activity activity);

/* As `refrain_undo`, for what takes more than one activity. `context` must live until the saga's end. */
void refrain_undo_by(refrain_saga *saga, const char *name, refrain_result (*compensate)(void *context), void *context);

#endif
