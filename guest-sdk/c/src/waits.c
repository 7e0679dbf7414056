/*
 * Who waits for what, and who is looked at next: the queue under every wait that is made of others.
 *
 * A wait is a tree. What happens wakes the leaves that are listed for it. A leaf puts itself at the end of the queue of
 * the wait around it, once, and that wakes the one around that, up to the task. The task then looks only at those that
 * were woken, in the order in which they were. That order is the order of the events that the host delivered, so that
 * of two things that happen, the one that happened first is seen first, however deep it is nested; and ten thousand
 * waits cost no more per event than one does. Nothing here depends on addresses or on time.
 */
#include "internal.h"

typedef enum {
    ON_OP,
    ON_TIMER, /* an op of its own, which starts when the wait begins */
    ON_SIGNAL,
    ON_CANCEL,
    ON_CONDITION,
    ON_TASK,
    ANY,
    FIRST,
    ALL,
    BOUNDED,
    LISTENER
} wait_kind;

struct refrain_wait {
    wait_kind kind;
    bool prepared, finished;
    bool queued; /* in the queue of the wait around it */
    int place;   /* in the wait around it */
    int which;   /* of those in it came */
    refrain_wait *parent;
    task_state *task; /* without a parent */
    refrain_wait *next_woken;
    waiters *listed; /* where it waits */
    refrain_wait *next, *previous;
    union {
        struct {
            refrain_op *op;
            refrain_wait *hears_run; /* passes the run's cancel request on to the op */
            refrain_duration duration;
            const char *summary;
        } op;
        struct {
            const refrain_signal *signal;
            void *out;
        } signal;
        struct {
            bool (*predicate)(void *context);
            void *context;
        } condition;
        task_state *ends;
        struct {
            refrain_wait **waits;
            size_t count;
            size_t open; /* of those in it have not come */
            bool fails_fast;
            refrain_wait *first_woken, *last_woken;
            size_t woken;
            /* Of a bounded one, which makes them as it goes: */
            refrain_starter *start;
            void *context;
            refrain_op **ops;
            size_t limit, total;
        } group;
    } u;
};

static refrain_wait *make(wait_kind kind)
{
    refrain_wait *wait = refrain_new(refrain_wait);
    wait->kind = kind;
    return wait;
}

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
    refrain_wait *wait = make(LISTENER);
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
            refrain_wait *hears = wait->u.op.hears_run = make(LISTENER);
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

/* Making */

refrain_wait *refrain_on(refrain_op *op)
{
    if (!op) REFRAIN_BUG("an op is a null pointer");
    refrain_wait *wait = make(ON_OP);
    wait->u.op.op = op;
    return wait;
}

refrain_wait *refrain_on_signal(const refrain_signal *signal, void *out)
{
    refrain_wait *wait = make(ON_SIGNAL);
    wait->u.signal.signal = signal;
    wait->u.signal.out = out;
    return wait;
}

refrain_wait *refrain_on_cancel(void)
{
    return make(ON_CANCEL);
}

refrain_wait *refrain_on_condition(bool (*predicate)(void *context), void *context)
{
    refrain_wait *wait = make(ON_CONDITION);
    wait->u.condition.predicate = predicate;
    wait->u.condition.context = context;
    return wait;
}

refrain_wait *refrain_on_task(refrain_task *task)
{
    refrain_wait *wait = make(ON_TASK);
    wait->u.ends = task->state;
    return wait;
}

refrain_wait *refrain_after(refrain_duration duration)
{
    return refrain_after_named(duration, NULL);
}

refrain_wait *refrain_after_named(refrain_duration duration, const char *summary)
{
    refrain_wait *wait = make(ON_TIMER);
    wait->u.op.duration = duration;
    wait->u.op.summary = summary;
    return wait;
}

static refrain_wait *group_of(wait_kind kind, refrain_wait *const *waits, size_t count)
{
    refrain_wait *group = make(kind);
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
    refrain_wait *group = make(ALL);
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
    refrain_wait *group = make(BOUNDED);
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
