/*
 * Write durable workflows for Refrain in plain C.
 *
 *     #include <refrain.h>
 *
 *     static refrain_result welcome(const void *input)
 *     {
 *         const char *name = *(const char *const *)input;
 *         refrain_sleep(refrain_days(1));   // the host may crash, and the component be replaced, meanwhile
 *         return refrain_call((refrain_activity){
 *             .name = "greet", .input = refrain_string(name), .start_to_close = refrain_seconds(10)});
 *     }
 *
 *     static const refrain_workflow WELCOME = {
 *         .name = "welcome", .doc = "Greets someone, a day late.", .input = &refrain_type_string, .run = welcome};
 *
 *     REFRAIN_COMPONENT(&WELCOME)
 *
 * The host records each call that a workflow makes and everything that it hears. After a crash it runs the workflow
 * again from the start and gives it the recorded answers, so the code must make the same calls each time. In a sandbox
 * it can hardly do otherwise.
 *
 * When things start is part of that record, and will never change:
 *
 * - Activities, children, timers and what is sent to others start at the call that names them: `refrain_start`,
 *   `refrain_start_child`, `refrain_start_timer`, `refrain_send`. Calls that wait as well (`refrain_call`,
 *   `refrain_sleep`) start at the call, too. C leaves the order open in which the arguments of a function are
 *   evaluated, so give each start a statement of its own. The timer of a `refrain_after` starts when the wait that it
 *   is given to begins.
 * - The workflow's function is one task among others: handlers of signals and updates, and what it has spawned. Tasks
 *   go on first come, first served, in the order of the events that woke them. `refrain_select` takes what happened
 *   first.
 * - A wait of the run brings all that has happened. First everything that waited for it goes on, then conditions are
 *   looked at, then updates are handled, until nothing can go on.
 *
 * Memory is taken from the run's arena (refrain/memory.h): nothing needs to be freed.
 */
#ifndef REFRAIN_H
#define REFRAIN_H

#include "refrain/context.h"
#include "refrain/failure.h"
#include "refrain/json.h"
#include "refrain/memory.h"
#include "refrain/messages.h"
#include "refrain/op.h"
#include "refrain/saga.h"
#include "refrain/scope.h"
#include "refrain/task.h"
#include "refrain/time.h"
#include "refrain/type.h"
#include "refrain/wait.h"
#include "refrain/workflow.h"

#endif
