/*
 * Scopes: what is begun together and given up together.
 *
 * A scope is a part of a function, from `refrain_scope_begin` to `refrain_scope_end`. The activities and children that
 * are started in it belong to it. When it is canceled:
 *
 * 1. Each of them that is still open is asked to end, in the order in which they were started.
 * 2. What would be started in it from then on has failed at once as canceled. Nobody else hears of it.
 * 3. Its code goes on: it sees the failures, and may clean up in a shield.
 * 4. Timers and signals have no failure to see. So when nothing that belongs to the scope is open any more and
 * everything that could go on has run, a wait that would go on is given up: it fails as canceled, with the reason.
 *
 * Scopes nest: one that is begun in another is canceled with it. A saga's body is such a scope, and its compensations
 * are shielded. What is sent to other executions, and timers, belong to no scope. A task has none but its own.
 */
#ifndef REFRAIN_SCOPE_H
#define REFRAIN_SCOPE_H

#include "failure.h"

typedef struct refrain_scope refrain_scope;

/* A scope that is canceled by hand (a handler may do it), or with the one in which it was begun. */
refrain_scope *refrain_scope_begin(void);

/* One that is also canceled when someone asks the run to end. */
refrain_scope *refrain_scope_begin_with_run(void);

/* Ends the scope, which is the innermost. Ops that are still open go on. */
void refrain_scope_end(refrain_scope *scope);

/* Cancels it; the first reason counts. */
void refrain_scope_cancel(refrain_scope *scope, const char *reason);

/* Why it was canceled; null if it was not. */
const char *refrain_scope_canceled(const refrain_scope *scope);

/*
 * Takes what follows out of the scopes around it, up to `refrain_shield_end`: what is started there belongs to none of
 * them, and they wait until it has ended.
 */
refrain_scope *refrain_shield_begin(void);
void refrain_shield_end(refrain_scope *shield);

#endif
