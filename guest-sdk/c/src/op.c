/*
 * Starting things, and what became of them.
 */
#include "internal.h"

#include <string.h>

/* Activities */

refrain_op *refrain_start(refrain_activity activity)
{
    const refrain_failure *refused = refrain__refusal();
    if (refused) return refrain__not_started(OP_ACTIVITY, activity.name, refused);
    abi_activity wire = {.name = refrain__to_string(activity.name), .input = refrain__to_payload(activity.input)};
    wire.options.task_queue = refrain__to_option_string(activity.task_queue);
    wire.options.schedule_to_close_timeout = refrain__to_option_duration(activity.schedule_to_close);
    wire.options.schedule_to_start_timeout = refrain__to_option_duration(activity.schedule_to_start);
    wire.options.start_to_close_timeout = refrain__to_option_duration(activity.start_to_close);
    wire.options.heartbeat_timeout = refrain__to_option_duration(activity.heartbeat);
    wire.options.retry = refrain__to_retry(&activity.retry);
    wire.options.cancellation = (uint8_t)activity.cancellation;
    wire.options.priority.some = activity.priority != 0;
    wire.options.priority.value = activity.priority;
    wire.options.summary = refrain__to_option_string(activity.summary);
    if (activity.fairness_key)
        refrain__to_more(&wire.options.more, "fairness-key", refrain_string(activity.fairness_key));
    if (activity.fairness_weight)
        refrain__to_more(&wire.options.more, "fairness-weight", refrain_number(activity.fairness_weight));
    uint64_t number = activity.local ? abi_activity_start_local(&wire) : abi_activity_start(&wire);
    refrain_op *op = refrain__started(number, OP_ACTIVITY, activity.name);
    op->with_run = activity.cancel_with_run;
    refrain__join_scope(op);
    return op;
}

refrain_result refrain_call(refrain_activity activity)
{
    return refrain_await(refrain_start(activity));
}

/* Children */

/* The host's words, which begin its own failures of children. */
static const char *of_child(const char *workflow)
{
    return refrain_text("child workflow %s", refrain_write(refrain_string(workflow), NULL));
}

refrain_op *refrain_start_child_watched(refrain_child child, refrain_op **started)
{
    const char *doing = of_child(child.workflow);
    const refrain_failure *refused = refrain__refusal();
    if (refused) {
        if (started) *started = refrain__not_started(OP_CHILD_STARTED, doing, refrain_context(refused, "%s", doing));
        return refrain__not_started(OP_CHILD, doing, refrain_context(refused, "%s", doing));
    }
    abi_child wire = {.workflow = refrain__to_string(child.workflow), .input = refrain__to_payload(child.input)};
    wire.options.workflow_id = refrain__to_option_string(child.id);
    wire.options.id_reuse = (uint8_t)child.id_reuse;
    wire.options.component = refrain__to_option_string(child.component);
    wire.options.task_queue = refrain__to_option_string(child.task_queue);
    wire.options.execution_timeout = refrain__to_option_duration(child.execution_timeout);
    wire.options.run_timeout = refrain__to_option_duration(child.run_timeout);
    wire.options.retry = refrain__to_retry(&child.retry);
    wire.options.parent_close = (uint8_t)child.parent_close;
    wire.options.cancellation = (uint8_t)child.cancellation;
    for (size_t i = 0; i < refrain_count(child.memo); i++)
        refrain__to_more(&wire.options.memo, refrain_key_at(child.memo, i), refrain_value_at(child.memo, i));
    wire.options.summary = refrain__to_option_string(child.summary);
    abi_child_ops ops;
    abi_child_start(&wire, &ops);
    refrain_op *watched = refrain__started(ops.started, OP_CHILD_STARTED, doing);
    refrain_op *finished = refrain__started(ops.finished, OP_CHILD, doing);
    finished->with_run = child.cancel_with_run;
    refrain__join_scope(finished);
    /* Where nobody watches, the run is not to be woken for it. */
    if (started) *started = watched;
    else refrain_drop(watched);
    return finished;
}

refrain_op *refrain_start_child(refrain_child child)
{
    return refrain_start_child_watched(child, NULL);
}

refrain_result refrain_call_child(refrain_child child)
{
    return refrain_await(refrain_start_child(child));
}

/* Timers */

refrain_op *refrain_start_timer_named(refrain_duration duration, const char *summary)
{
    abi_option_string line = refrain__to_option_string(summary);
    uint64_t number =
        abi_timer_start(duration.seconds, duration.nanoseconds, line.some, line.value.data, line.value.len);
    return refrain__started(number, OP_TIMER, "timer");
}

refrain_op *refrain_start_timer(refrain_duration duration)
{
    return refrain_start_timer_named(duration, NULL);
}

/* Other executions */

static const char *shown(refrain_execution target)
{
    if (!target.run_id) return refrain_text("workflow `%s`", target.workflow_id);
    return refrain_text("run `%s` of workflow `%s`", target.run_id, target.workflow_id);
}

refrain_op *refrain_send(refrain_execution target, const char *signal, const refrain_json *input)
{
    abi_string id = refrain__to_string(target.workflow_id), name = refrain__to_string(signal);
    abi_option_string run = refrain__to_option_string(target.run_id);
    abi_payload payload = refrain__to_payload(input);
    uint64_t number =
        abi_external_signal(id.data, id.len, run.some, run.value.data, run.value.len, name.data, name.len,
                            payload.content_type.data, payload.content_type.len, payload.data.data, payload.data.len);
    return refrain__started(number, OP_SENT, refrain_text("signal `%s` to %s", signal, shown(target)));
}

refrain_op *refrain_send_cancel(refrain_execution target, const char *reason)
{
    abi_string id = refrain__to_string(target.workflow_id), why = refrain__to_string(reason);
    abi_option_string run = refrain__to_option_string(target.run_id);
    uint64_t number = abi_external_cancel(id.data, id.len, run.some, run.value.data, run.value.len, why.data, why.len);
    return refrain__started(number, OP_SENT, refrain_text("cancel request to %s", shown(target)));
}

/* Ending them */

void refrain_cancel(refrain_op *op, const char *reason)
{
    bool can_be = op->kind == OP_ACTIVITY || op->kind == OP_CHILD || op->kind == OP_TIMER;
    if (!can_be || !op->number || op->seen || op->dropped) return;
    abi_string why = refrain__to_string(reason);
    abi_wait_cancel(op->number, why.data, why.len);
}

void refrain_drop(refrain_op *op)
{
    if (op->dropped) return;
    bool open = refrain__is_open(op);
    op->dropped = true;
    refrain__leave_scope(op);
    if (!open) return;
    if (op->kind == OP_TIMER) {
        /* As nobody can see the difference, it is canceled as well, and no longer counts as open. */
        static const char WHY[] = "no longer waited for";
        abi_wait_cancel(op->number, WHY, sizeof WHY - 1);
    }
    abi_wait_detach(op->number);
}

bool refrain_has_ended(const refrain_op *op)
{
    return op->delivered;
}

/* What became of them */

static refrain_result of_what(const refrain_op *op, refrain_result outcome, const char *part)
{
    switch (op->kind) {
    case OP_ACTIVITY: return part ? refrain_doing(outcome, "%s of activity `%s`", part, op->name) : outcome;
    case OP_CHILD:
    case OP_CHILD_STARTED:
        if (part && op->kind == OP_CHILD) outcome = refrain_doing(outcome, "%s", part);
        /* Says which child it was, where the host has not. */
        if (outcome.failure && strncmp(outcome.failure->message, op->name, strlen(op->name)) != 0)
            outcome = refrain_doing(outcome, "%s", op->name);
        return outcome;
    case OP_SENT: return refrain_doing(outcome, "%s", op->name);
    case OP_TIMER: return outcome;
    }
    return outcome;
}

refrain_result refrain_outcome(refrain_op *op)
{
    if (!op->delivered) REFRAIN_BUG("the outcome of an op was asked for before its end (%s)", op->name);
    if (op->decoded) return op->outcome;
    op->decoded = true;
    if (op->ended->failed) {
        op->outcome = of_what(op, refrain_failed(refrain__from_failure(&op->ended->u.failure)), NULL);
    } else {
        op->outcome = refrain__from_payload(&op->ended->u.ok);
        if (op->outcome.failure) op->outcome = of_what(op, op->outcome, "result");
    }
    return op->outcome;
}

refrain_result refrain_await(refrain_op *op)
{
    return refrain__block(refrain_on(op)) ? refrain_outcome(op) : refrain__given_up();
}

refrain_result refrain_await_as(refrain_op *op, const refrain_type *type, void *out)
{
    refrain_result outcome = refrain_await(op);
    if (outcome.failure) return outcome;
    const refrain_failure *why = refrain_decode(type, outcome.value, out);
    return why ? of_what(op, refrain_failed(why), "result") : outcome;
}
