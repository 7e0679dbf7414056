/*
 * Who waits for what, and who is looked at next: the queue under every wait that is made of others.
 *
 * A wait is a tree. What happens wakes the leaves that are listed for it. A leaf puts itself at the end of the queue of
 * the wait around it, once, and that wakes the one around that, up to the task. The task then looks only at those that
 * were woken, in the order in which they were. That order is the order of the events that the host delivered, so that
 * of two things that happen, the one that happened first is seen first, however deep it is nested; and ten thousand
 * waits cost no more per event than one does. Nothing here depends on addresses or on time.
 */
#include "waits.h"

static bool is_group(const refrain_wait *wait)
{
    return wait->kind == ANY || wait->kind == FIRST || wait->kind == ALL || wait->kind == BOUNDED;
}

/* Lists */

bool refrain__are_none(const waiters *these)
{
    return !these->first;
}

void refrain__enlist(refrain_wait *wait, waiters *in)
{
    if (wait->listed) return;
    wait->listed = in;
    wait->previous = in->last;
    if (in->last) in->last->next = wait;
    else in->first = wait;
    in->last = wait;
}

void refrain__unlist(refrain_wait *wait)
{
    waiters *in = wait->listed;
    if (!in) return;
    if (wait->previous) wait->previous->next = wait->next;
    else in->first = wait->next;
    if (wait->next) wait->next->previous = wait->previous;
    else in->last = wait->previous;
    wait->listed = NULL;
    wait->next = wait->previous = NULL;
}

refrain_wait *refrain__listener(task_state *task)
{
    refrain_wait *wait = refrain__make_wait(LISTENER);
    wait->task = task;
    return wait;
}

/* Waking */

static void enqueue(refrain_wait *group, refrain_wait *wait)
{
    wait->queued = true;
    wait->next_woken = NULL;
    if (group->u.group.last_woken) group->u.group.last_woken->next_woken = wait;
    else group->u.group.first_woken = wait;
    group->u.group.last_woken = wait;
    group->u.group.woken++;
}

static refrain_wait *dequeue(refrain_wait *group)
{
    refrain_wait *wait = group->u.group.first_woken;
    group->u.group.first_woken = wait->next_woken;
    if (!wait->next_woken) group->u.group.last_woken = NULL;
    group->u.group.woken--;
    wait->queued = false;
    return wait;
}

static void wake(refrain_wait *wait)
{
    for (; wait->parent; wait = wait->parent) {
        /* FIRST looks at all of them each time, in their order. */
        if (!is_group(wait->parent) || wait->parent->kind == FIRST) continue;
        if (wait->queued) return;
        enqueue(wait->parent, wait);
    }
    refrain__wake_task(wait->task);
}

void refrain__wake_all(const waiters *these)
{
    for (refrain_wait *wait = these->first; wait; wait = wait->next) wake(wait);
}

/* Beginning and ending */

static void prepare_in(refrain_wait *wait, refrain_wait *parent, int place)
{
    if (wait->prepared) REFRAIN_BUG("a refrain_wait was used twice");
    wait->prepared = true;
    wait->parent = parent;
    wait->place = place;
    if (wait->kind == ON_TIMER) wait->u.op.op = refrain_start_timer_named(wait->u.op.duration, wait->u.op.summary);
    if (!is_group(wait)) return;
    for (size_t i = 0; i < wait->u.group.count; i++) {
        prepare_in(wait->u.group.waits[i], wait, (int)i);
        /* Each is looked at once from the start. */
        if (wait->kind != FIRST) enqueue(wait, wait->u.group.waits[i]);
    }
    wait->u.group.open = wait->u.group.count;
}

void refrain__prepare(refrain_wait *wait, task_state *task)
{
    prepare_in(wait, NULL, 0);
    wait->task = task;
}

void refrain__finish(refrain_wait *wait)
{
    if (wait->finished) return;
    wait->finished = true;
    refrain__unlist(wait);
    if (wait->kind == ON_OP || wait->kind == ON_TIMER) {
        if (wait->u.op.hears_run) refrain__unlist(wait->u.op.hears_run);
        if (wait->kind == ON_TIMER && wait->u.op.op) refrain_drop(wait->u.op.op);
    }
    if (!is_group(wait)) return;
    for (size_t i = 0; i < wait->u.group.count; i++) refrain__finish(wait->u.group.waits[i]);
}

int refrain__which(const refrain_wait *wait)
{
    return wait->which;
}

/* Looking */

static bool poll_op(refrain_wait *wait)
{
    refrain_op *op = wait->u.op.op;
    if (op->delivered) {
        op->seen = true;
        return true;
    }
    if (op->dropped) REFRAIN_BUG("nobody hears of the end of an op that was dropped (%s)", op->name);
    refrain__enlist(wait, &op->waiters);
    /* After that, as what has ended is not asked to. */
    if (op->with_run) {
        if (refrain__run.cancel_reason) {
            op->with_run = false;
            refrain_cancel(op, refrain__run.cancel_reason);
        } else if (!wait->u.op.hears_run) {
            refrain_wait *hears = wait->u.op.hears_run = refrain__make_wait(LISTENER);
            hears->parent = wait;
            refrain__enlist(hears, &refrain__run.cancel_waiters);
        }
    }
    return false;
}

static bool poll_condition(refrain_wait *wait)
{
    if (wait->u.condition.predicate(wait->u.condition.context)) {
        /* Who waited goes on, and may make others true. */
        refrain__run.changed = true;
        return true;
    }
    refrain__enlist(wait, &refrain__run.conditions);
    return false;
}

/* One of a group; whether it has come, which ends it. */
static bool poll_member(refrain_wait *wait)
{
    if (!refrain__poll(wait)) return false;
    refrain__finish(wait);
    return true;
}

static bool poll_any(refrain_wait *group)
{
    for (size_t left = group->u.group.woken; left; left--) {
        refrain_wait *wait = dequeue(group);
        if (wait->finished || !poll_member(wait)) continue;
        group->which = wait->place;
        return true;
    }
    return false;
}

static bool poll_first(refrain_wait *group)
{
    for (size_t i = 0; i < group->u.group.count; i++)
        if (poll_member(group->u.group.waits[i])) {
            group->which = (int)i;
            return true;
        }
    return false;
}

/* Looks at those that were woken; whether one of them has failed and that is the end of all. */
static bool poll_woken(refrain_wait *group)
{
    for (size_t left = group->u.group.woken; left; left--) {
        refrain_wait *wait = dequeue(group);
        if (wait->finished || !poll_member(wait)) continue;
        group->u.group.open--;
        if (group->u.group.fails_fast && refrain_outcome(wait->u.op.op).failure) {
            group->which = wait->place;
            return true;
        }
    }
    return false;
}

static bool poll_all(refrain_wait *group)
{
    return poll_woken(group) || !group->u.group.open;
}

/* Starts as many as there is room for. */
static void fill(refrain_wait *group)
{
    while (group->u.group.open < group->u.group.limit && group->u.group.count < group->u.group.total) {
        size_t place = group->u.group.count;
        refrain_op *op = group->u.group.start(place, group->u.group.context);
        refrain_wait *wait = refrain_on(op);
        prepare_in(wait, group, (int)place);
        group->u.group.ops[place] = op;
        group->u.group.waits[place] = wait;
        group->u.group.count++;
        group->u.group.open++;
        enqueue(group, wait);
    }
}

static bool poll_bounded(refrain_wait *group)
{
    for (;;) {
        fill(group);
        size_t before = group->u.group.open;
        if (poll_woken(group)) return true;
        bool all_started = group->u.group.count == group->u.group.total;
        if (!group->u.group.open && all_started) return true;
        /* Those that ended made room for others, which want a first look. */
        if (group->u.group.open == before || all_started) return false;
    }
}

bool refrain__poll(refrain_wait *wait)
{
    switch (wait->kind) {
    case ON_OP:
    case ON_TIMER: return poll_op(wait);
    case ON_SIGNAL:
        if (refrain_try_receive(wait->u.signal.signal, wait->u.signal.out)) return true;
        refrain__enlist(wait, &refrain__channel(wait->u.signal.signal->name)->waiters);
        return false;
    case ON_CANCEL:
        if (refrain__run.cancel_reason) return true;
        refrain__enlist(wait, &refrain__run.cancel_waiters);
        return false;
    case ON_CONDITION: return poll_condition(wait);
    case ON_TASK:
        if (wait->u.ends->ended) return true;
        refrain__enlist(wait, &wait->u.ends->waiters);
        return false;
    case ANY: return poll_any(wait);
    case FIRST: return poll_first(wait);
    case ALL: return poll_all(wait);
    case BOUNDED: return poll_bounded(wait);
    case LISTENER: return false;
    }
    return false;
}
