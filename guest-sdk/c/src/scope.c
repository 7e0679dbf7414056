/*
 * Scopes: what is begun together and given up together. Those of a task are a stack, the innermost at its top.
 */
#include "internal.h"

static refrain_scope *innermost(void)
{
    refrain_scope *scope = refrain__run.current->scope;
    return scope && !scope->is_shield ? scope : NULL;
}

const refrain_failure *refrain__refusal(void)
{
    refrain_scope *scope = innermost();
    return scope && scope->reason ? refrain_canceled(scope->reason) : NULL;
}

void refrain__join_scope(refrain_op *op)
{
    refrain_scope *scope = innermost();
    if (!scope) return;
    op->scope = scope;
    op->previous = scope->last;
    if (scope->last) scope->last->next = op;
    else scope->first = op;
    scope->last = op;
}

void refrain__leave_scope(refrain_op *op)
{
    refrain_scope *scope = op->scope;
    if (!scope) return;
    if (op->previous) op->previous->next = op->next;
    else scope->first = op->next;
    if (op->next) op->next->previous = op->previous;
    else scope->last = op->previous;
    op->scope = NULL;
    op->next = op->previous = NULL;
}

static refrain_scope *begin(bool is_shield, bool with_run)
{
    task_state *task = refrain__run.current;
    refrain_scope *scope = refrain_new(refrain_scope);
    scope->is_shield = is_shield;
    scope->with_run = with_run;
    scope->task = task;
    scope->outer = task->scope;
    task->scope = scope;
    if (scope->outer) scope->outer->inner = scope;
    if (is_shield) return scope;
    if (scope->outer && !scope->outer->is_shield && scope->outer->reason)
        refrain_scope_cancel(scope, scope->outer->reason);
    if (with_run && refrain__run.cancel_reason) {
        scope->with_run = false;
        refrain_scope_cancel(scope, refrain__run.cancel_reason);
    }
    return scope;
}

refrain_scope *refrain_scope_begin(void)
{
    return begin(false, false);
}

refrain_scope *refrain_scope_begin_with_run(void)
{
    return begin(false, true);
}

refrain_scope *refrain_shield_begin(void)
{
    return begin(true, false);
}

static void end(refrain_scope *scope, bool is_shield)
{
    if (!scope || scope->task->scope != scope || scope->is_shield != is_shield)
        REFRAIN_BUG("a scope was ended that is not the innermost");
    if (scope->hears_run) refrain__unlist(scope->hears_run);
    if (scope->settles) refrain__unlist(scope->settles);
    while (scope->first) refrain__leave_scope(scope->first);
    scope->task->scope = scope->outer;
    if (scope->outer) scope->outer->inner = NULL;
}

void refrain_scope_end(refrain_scope *scope)
{
    end(scope, false);
}

void refrain_shield_end(refrain_scope *shield)
{
    end(shield, true);
}

void refrain_scope_cancel(refrain_scope *scope, const char *reason)
{
    if (scope->reason || scope->is_shield) return;
    scope->reason = refrain__copy_text(reason ? reason : "");
    refrain__run.changed = true;
    for (refrain_op *op = scope->first; op; op = op->next) refrain_cancel(op, scope->reason);
    if (scope->task->wait) refrain__wake_task(scope->task);
    if (scope->inner) refrain_scope_cancel(scope->inner, scope->reason);
}

const char *refrain_scope_canceled(const refrain_scope *scope)
{
    return scope->reason;
}

static void hear(refrain_scope *scope)
{
    if (scope->outer) hear(scope->outer);
    if (!scope->with_run) return;
    if (refrain__run.cancel_reason) {
        scope->with_run = false;
        refrain_scope_cancel(scope, refrain__run.cancel_reason);
    } else if (!scope->hears_run) {
        scope->hears_run = refrain__listener(scope->task);
        refrain__enlist(scope->hears_run, &refrain__run.cancel_waiters);
    }
}

void refrain__hear(task_state *task)
{
    if (task->scope) hear(task->scope);
}

/* Whether something may still be seen to end by its code. What is in a shield must not be cut off, and does not come
 * here. */
bool refrain__settle(task_state *task)
{
    refrain_scope *scope = task->scope;
    if (!scope || scope->is_shield || !scope->reason) return false;
    if (!scope->first && !refrain__run.changed) {
        /* Who waits for the scope goes on, and may make conditions true. */
        refrain__run.changed = true;
        return true;
    }
    if (!scope->settles) scope->settles = refrain__listener(task);
    refrain__enlist(scope->settles, &refrain__run.conditions);
    return false;
}
