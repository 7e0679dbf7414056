/*
 * What the run was told and has not used yet: ends of ops, signals, a cancel request.
 *
 * Events come in by `refrain__deliver` alone, and it calls nothing of the host.
 */
#include "internal.h"

#include <string.h>

/* Ops */

static refrain_op *make_op(uint64_t number, op_kind kind, const char *name)
{
    refrain_op *op = refrain_new(refrain_op);
    op->number = number;
    op->kind = kind;
    op->name = name;
    return op;
}

refrain_op *refrain__started(uint64_t number, op_kind kind, const char *name)
{
    run_state *run = &refrain__run;
    refrain_op *op = make_op(number, kind, name);
    /* The host counts them 1, 2, 3, so a plain table is as small as it is quick. */
    while (number >= run->ops_capacity)
        run->ops = refrain__grown(run->ops, run->ops_capacity, &run->ops_capacity, sizeof *run->ops);
    run->ops[number] = op;
    return op;
}

refrain_op *refrain__not_started(op_kind kind, const char *name, const refrain_failure *why)
{
    refrain_op *op = make_op(0, kind, name);
    op->delivered = op->decoded = true;
    op->outcome = refrain_failed(why);
    return op;
}

bool refrain__is_open(const refrain_op *op)
{
    return !op->delivered && !op->dropped;
}

static void deliver_end(uint64_t number, const abi_outcome *outcome)
{
    refrain_op *op = number < refrain__run.ops_capacity ? refrain__run.ops[number] : NULL;
    if (!op || op->dropped) return;
    op->delivered = true;
    op->ended = outcome;
    refrain__leave_scope(op);
    refrain__wake_all(&op->waiters);
}

/* Signals */

channel *refrain__channel(const char *name)
{
    run_state *run = &refrain__run;
    size_t low = 0, high = run->channel_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(run->channels[middle]->name, name);
        if (!order) return run->channels[middle];
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    run->channels = refrain__grown(run->channels, run->channel_count, &run->channel_capacity, sizeof *run->channels);
    memmove(run->channels + low + 1, run->channels + low, (run->channel_count - low) * sizeof *run->channels);
    run->channel_count++;
    channel *fresh = refrain_new(channel);
    fresh->name = name;
    return run->channels[low] = fresh;
}

static void keep(channel *channel, const abi_payload *input)
{
    run_state *run = &refrain__run;
    unread_signal *signal = refrain_new(unread_signal);
    signal->name = channel->name;
    signal->input = *input;
    if (channel->last) channel->last->next_of_name = signal;
    else channel->first = signal;
    channel->last = signal;
    signal->previous = run->last_unread;
    if (run->last_unread) run->last_unread->next = signal;
    else run->unread = signal;
    run->last_unread = signal;
}

/* The oldest unread one of a name. */
static unread_signal *take(channel *channel)
{
    run_state *run = &refrain__run;
    unread_signal *signal = channel->first;
    if (!signal) return NULL;
    channel->first = signal->next_of_name;
    if (!channel->first) channel->last = NULL;
    if (signal->previous) signal->previous->next = signal->next;
    else run->unread = signal->next;
    if (signal->next) signal->next->previous = signal->previous;
    else run->last_unread = signal->previous;
    return signal;
}

static void deliver_signal(const char *name, const abi_payload *input)
{
    channel *channel = refrain__channel(name);
    if (channel->handler) {
        refrain__begin_signal(channel, input);
        return;
    }
    keep(channel, input);
    refrain__wake_all(&channel->waiters);
}

bool refrain_try_receive(const refrain_signal *signal, void *out)
{
    const refrain_type *type = signal->input ? signal->input : &refrain_type_any;
    channel *channel = refrain__channel(signal->name);
    for (unread_signal *next; (next = take(channel));) {
        refrain_result input = refrain__from_payload(&next->input);
        const refrain_failure *why = input.failure;
        if (!why) why = refrain_decode(type, input.value, out ? out : refrain_alloc(type->size));
        if (!why) return true;
        refrain_log(REFRAIN_LEVEL_ERROR, REFRAIN_FIELDS({"signal", signal->name}), "signal passed over: %s",
                    refrain_failure_text(why));
    }
    return false;
}

refrain_result refrain_receive(const refrain_signal *signal, void *out)
{
    return refrain__block(refrain_on_signal(signal, out)) ? refrain_done(NULL) : refrain__given_up();
}

void refrain_handle_signal(const refrain_signal *signal, void *context)
{
    if (!signal->handle && !signal->task) REFRAIN_BUG("the signal `%s` has no handler to call", signal->name);
    channel *channel = refrain__channel(signal->name);
    channel->handler = signal;
    channel->context = context;
    for (unread_signal *next; (next = take(channel));) refrain__begin_signal(channel, &next->input);
}

/* The cancel request */

bool refrain_cancel_requested(void)
{
    return refrain__run.cancel_reason != NULL;
}

const char *refrain_cancel_reason(void)
{
    return refrain__run.cancel_reason;
}

/* All of it */

void refrain__deliver(const abi_event *event)
{
    if (event->tag == ABI_FINISHED) {
        deliver_end(event->u.finished.op, &event->u.finished.outcome);
        return;
    }
    const abi_message *message = &event->u.message;
    switch (message->tag) {
    case ABI_SIGNAL: deliver_signal(refrain__text(message->u.signal.name), &message->u.signal.input); break;
    case ABI_UPDATE: refrain__deliver_update(message); break;
    case ABI_CANCEL_REQUESTED:
        refrain__run.cancel_reason = refrain__text(message->u.cancel_requested.reason);
        refrain__wake_all(&refrain__run.cancel_waiters);
        break;
    /* Queries change nothing and are answered where they come in; what has an unknown kind is to be ignored. */
    default: break;
    }
}
