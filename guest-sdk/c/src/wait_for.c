/*
 * Making waits, and waiting for them in the workflow's own function.
 */
#include "waits.h"

refrain_wait *refrain__make_wait(wait_kind kind)
{
    refrain_wait *wait = refrain_new(refrain_wait);
    wait->kind = kind;
    return wait;
}

refrain_wait *refrain_on(refrain_op *op)
{
    if (!op) REFRAIN_BUG("an op is a null pointer");
    refrain_wait *wait = refrain__make_wait(ON_OP);
    wait->u.op.op = op;
    return wait;
}

refrain_wait *refrain_on_signal(const refrain_signal *signal, void *out)
{
    refrain_wait *wait = refrain__make_wait(ON_SIGNAL);
    wait->u.signal.signal = signal;
    wait->u.signal.out = out;
    return wait;
}

refrain_wait *refrain_on_cancel(void)
{
    return refrain__make_wait(ON_CANCEL);
}

refrain_wait *refrain_on_condition(bool (*predicate)(void *context), void *context)
{
    refrain_wait *wait = refrain__make_wait(ON_CONDITION);
    wait->u.condition.predicate = predicate;
    wait->u.condition.context = context;
    return wait;
}

refrain_wait *refrain_on_task(refrain_task *task)
{
    refrain_wait *wait = refrain__make_wait(ON_TASK);
    wait->u.ends = task->state;
    return wait;
}

refrain_wait *refrain_after(refrain_duration duration)
{
    return refrain_after_named(duration, NULL);
}

refrain_wait *refrain_after_named(refrain_duration duration, const char *summary)
{
    refrain_wait *wait = refrain__make_wait(ON_TIMER);
    wait->u.op.duration = duration;
    wait->u.op.summary = summary;
    return wait;
}

static refrain_wait *group_of(wait_kind kind, refrain_wait *const *waits, size_t count)
{
    refrain_wait *group = refrain__make_wait(kind);
    group->u.group.waits = refrain_new_array(refrain_wait *, count);
    for (size_t i = 0; i < count; i++) group->u.group.waits[i] = waits[i];
    group->u.group.count = count;
    return group;
}

refrain_wait *refrain_any_of(refrain_wait *const *waits, size_t count)
{
    if (!count) REFRAIN_BUG("to wait for any of nothing would be for ever");
    return group_of(ANY, waits, count);
}

refrain_wait *refrain_first_of(refrain_wait *const *waits, size_t count)
{
    if (!count) REFRAIN_BUG("to wait for the first of nothing would be for ever");
    return group_of(FIRST, waits, count);
}

refrain_wait *refrain_all_of(refrain_wait *const *waits, size_t count)
{
    return group_of(ALL, waits, count);
}

/* Waiting, in the workflow's own function */

int refrain_wait_for(refrain_wait *wait)
{
    return refrain__block(wait) ? wait->which : REFRAIN_GIVEN_UP;
}

bool refrain_within(refrain_duration limit, refrain_wait *wait)
{
    return refrain_wait_for(refrain_first(wait, refrain_after(limit))) == 0;
}

const refrain_failure *refrain_or_canceled(refrain_wait *wait)
{
    if (!refrain_cancel_requested()) {
        int which = refrain_wait_for(refrain_first(wait, refrain_on_cancel()));
        if (which == 0) return NULL;
        if (which == REFRAIN_GIVEN_UP) return refrain__given_up().failure;
    }
    return refrain_canceled(refrain_cancel_reason());
}

static refrain_result wait_plainly(refrain_wait *wait)
{
    return refrain__block(wait) ? refrain_done(NULL) : refrain__given_up();
}

refrain_result refrain_until(bool (*predicate)(void *context), void *context)
{
    return wait_plainly(refrain_on_condition(predicate, context));
}

static refrain_wait *all_ops(refrain_op *const *ops, size_t count, bool fails_fast)
{
    refrain_wait *group = refrain__make_wait(ALL);
    group->u.group.waits = refrain_new_array(refrain_wait *, count);
    for (size_t i = 0; i < count; i++) group->u.group.waits[i] = refrain_on(ops[i]);
    group->u.group.count = count;
    group->u.group.fails_fast = fails_fast;
    group->which = -1;
    return group;
}

static refrain_wait *bounded(size_t limit, size_t count, refrain_starter *start, void *context, refrain_op **ops,
                             bool fails_fast)
{
    if (!limit) REFRAIN_BUG("a bounded join needs a limit of at least 1");
    refrain_wait *group = refrain__make_wait(BOUNDED);
    group->u.group.waits = refrain_new_array(refrain_wait *, count);
    group->u.group.total = count;
    group->u.group.limit = limit;
    group->u.group.start = start;
    group->u.group.context = context;
    group->u.group.ops = ops;
    group->u.group.fails_fast = fails_fast;
    group->which = -1;
    return group;
}

/* Waits for all or for a failure, after which what has not ended is dropped. */
static refrain_result try_all(refrain_wait *group, refrain_op *const *ops)
{
    refrain_result ended = wait_plainly(group);
    if (ended.failure || group->which < 0) return ended;
    for (size_t i = 0; i < group->u.group.count; i++) refrain_drop(ops[i]);
    return refrain_outcome(ops[group->which]);
}

refrain_result refrain_join(refrain_op *const *ops, size_t count)
{
    return wait_plainly(all_ops(ops, count, false));
}

refrain_result refrain_try_join(refrain_op *const *ops, size_t count)
{
    return try_all(all_ops(ops, count, true), ops);
}

refrain_result refrain_join_bounded(size_t limit, size_t count, refrain_starter *start, void *context, refrain_op **ops)
{
    return wait_plainly(bounded(limit, count, start, context, ops, false));
}

refrain_result refrain_try_join_bounded(size_t limit, size_t count, refrain_starter *start, void *context,
                                        refrain_op **ops)
{
    return try_all(bounded(limit, count, start, context, ops, true), ops);
}
