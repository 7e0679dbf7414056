/*
 * Tests: what is set up, what is due, and what came of it.
 */
#include <string.h>

#include "env.h"

refrain_test *refrain__test;

refrain_test *refrain_test_new(void)
{
    return refrain__test = refrain_new(refrain_test);
}

void refrain_test_free_all(void)
{
    refrain__memory_reset();
    memset(&refrain__run, 0, sizeof refrain__run);
    refrain__test = NULL;
}

/* What both halves use */

void refrain__add_line(lines *to, const char *line)
{
    to->items = refrain__grown(to->items, to->count + 1, &to->capacity, sizeof *to->items);
    to->items[to->count++] = line;
    to->items[to->count] = NULL;
}

const char *refrain__text_of(const char *data, size_t len)
{
    return len ? refrain_copy(data, len) : "";
}

int refrain__compare_durations(refrain_duration a, refrain_duration b)
{
    return refrain_compare((refrain_instant){a.seconds, a.nanoseconds}, (refrain_instant){b.seconds, b.nanoseconds});
}

refrain_duration refrain__after_now(refrain_duration d)
{
    refrain_instant at =
        refrain_later((refrain_instant){refrain__test->clock.seconds, refrain__test->clock.nanoseconds}, d);
    return (refrain_duration){at.seconds, at.nanoseconds};
}

const refrain_failure *refrain__by_host(const char *type, const char *message)
{
    return refrain__failure(REFRAIN_HOST, type, message);
}

/* What is due */

void refrain__schedule(due *what)
{
    due *before = refrain__test->last;
    while (before && refrain__compare_durations(before->at, what->at) > 0) before = before->previous;
    what->previous = before;
    what->next = before ? before->next : refrain__test->first;
    if (what->next) what->next->previous = what;
    else refrain__test->last = what;
    if (before) before->next = what;
    else refrain__test->first = what;
}

void refrain__unschedule(due *what)
{
    if (what->previous) what->previous->next = what->next;
    else refrain__test->first = what->next;
    if (what->next) what->next->previous = what->previous;
    else refrain__test->last = what->previous;
    if (what->op) refrain__test->ops[what->op] = NULL;
}

void refrain__schedule_end(uint64_t op, refrain_duration at, uint8_t cancellation, refrain_result outcome)
{
    due *end = refrain_new(due);
    end->at = at;
    end->op = op;
    end->cancellation = cancellation;
    end->event.tag = ABI_FINISHED;
    end->event.u.finished.op = op;
    end->event.u.finished.outcome = refrain__to_outcome(outcome);
    while (op >= refrain__test->op_capacity)
        refrain__test->ops = refrain__grown(refrain__test->ops, refrain__test->op_capacity, &refrain__test->op_capacity,
                                            sizeof *refrain__test->ops);
    refrain__test->ops[op] = end;
    refrain__schedule(end);
}

static abi_message *schedule_message(refrain_duration at, uint8_t tag)
{
    due *message = refrain_new(due);
    message->at = at;
    message->is_query = tag == ABI_QUERY;
    message->event.tag = ABI_MESSAGE;
    message->event.u.message.tag = tag;
    refrain__schedule(message);
    return &message->event.u.message;
}

static const char *of(abi_string text)
{
    return refrain__text_of(text.data, text.len);
}

/* Setting up */

static void add_work(work **to, const char *name, refrain_duration takes, refrain_work *run, void *context)
{
    work *fresh = refrain_new(work);
    *fresh = (work){name, takes, run, context, *to};
    *to = fresh;
}

void refrain_test_activity(refrain_test *set, const char *name, refrain_duration takes, refrain_work *run,
                           void *context)
{
    add_work(&set->activities, name, takes, run, context);
}

void refrain_test_child(refrain_test *set, const char *workflow, refrain_duration takes, refrain_work *run,
                        void *context)
{
    add_work(&set->children, workflow, takes, run, context);
}

void refrain_test_without_execution(refrain_test *set, const char *workflow_id)
{
    name *fresh = refrain_new(name);
    *fresh = (name){workflow_id, set->missing};
    set->missing = fresh;
}

void refrain_test_signal(refrain_test *set, refrain_duration after, const char *signal, const refrain_json *input)
{
    (void)set;
    abi_message *message = schedule_message(after, ABI_SIGNAL);
    message->u.signal.name = refrain__to_string(signal);
    message->u.signal.input = refrain__to_payload(input);
}

void refrain_test_query(refrain_test *set, refrain_duration after, const char *query, const refrain_json *input)
{
    (void)set;
    abi_message *message = schedule_message(after, ABI_QUERY);
    message->u.query.name = refrain__to_string(query);
    message->u.query.input = refrain__to_payload(input);
}

void refrain_test_update(refrain_test *set, refrain_duration after, const char *update, const refrain_json *input)
{
    abi_message *message = schedule_message(after, ABI_UPDATE);
    uint64_t number = set->update_count;
    message->u.update.request = number;
    message->u.update.update_id = refrain__to_string(refrain_text("update-%llu", (unsigned long long)number));
    message->u.update.name = refrain__to_string(update);
    message->u.update.input = refrain__to_payload(input);
    set->updates = refrain__grown(set->updates, set->update_count, &set->update_capacity, sizeof *set->updates);
    set->updates[set->update_count++] = (sent_update){0};
}

void refrain_test_cancel(refrain_test *set, refrain_duration after, const char *reason)
{
    (void)set;
    schedule_message(after, ABI_CANCEL_REQUESTED)->u.cancel_requested.reason = refrain__to_string(reason);
}

void refrain_test_long_journal(refrain_test *set, refrain_duration after)
{
    set->has_limit = true;
    set->long_from = after;
}

/* Running */

void refrain__reject_unanswered(void)
{
    for (size_t i = 0; i < refrain__test->update_count; i++) {
        sent_update *update = &refrain__test->updates[i];
        if (!update->delivered || update->accepted || update->ended) continue;
        update->ended = true;
        update->result = refrain_failed(refrain__by_host("not-handled", "nobody has accepted or rejected the update"));
    }
}

const refrain_ended *refrain_test_run(refrain_test *set, const refrain_workflow *workflow, const refrain_json *input)
{
    abi_payload payload = refrain__to_payload(input);
    abi_completion completion = {0};
    refrain__test = set;
    refrain__add_line(&refrain__test->calls, NULL);
    refrain__add_line(&refrain__test->log, NULL);
    refrain__test->calls.count = refrain__test->log.count = 0;
    refrain__run_workflow(workflow, &payload, &completion);
    refrain__reject_unanswered();
    for (const due *left = refrain__test->first; left; left = left->next)
        if (left->is_query) {
            abi_answer answer = {.answer = refrain__to_outcome(refrain_failed(
                                     refrain__by_host("not-served", "the run has ended, and handled no query")))};
            abi_messages_answer(&answer);
        }
    refrain_ended *ended = refrain_new(refrain_ended);
    ended->how = (refrain_how)completion.tag;
    switch (completion.tag) {
    case ABI_COMPLETED: ended->value = refrain__from_payload(&completion.u.completed).value; break;
    case ABI_FAILED: ended->failure = refrain__from_failure(&completion.u.failed); break;
    case ABI_CONTINUE_AS_NEW: ended->value = refrain__from_payload(&completion.u.next.input).value; break;
    default: break;
    }
    buffer unread = {0};
    for (size_t i = 0; completion.tag == ABI_CONTINUE_AS_NEW && i < completion.u.next.unread.len; i++) {
        const abi_unread *signal = &completion.u.next.unread.items[i];
        refrain__put_text(&unread, refrain_text("%s %s\n", of(signal->name), of(signal->input.data)));
    }
    ended->unread = refrain__take_text(&unread, NULL);
    ended->elapsed = refrain__test->ended ? refrain__test->ended_at : refrain__test->clock;
    ended->calls = refrain__test->calls.items;
    ended->call_count = refrain__test->calls.count;
    ended->log = refrain__test->log.items;
    ended->log_count = refrain__test->log.count;
    ended->answers = refrain__test->answers;
    ended->answer_count = refrain__test->answer_count;
    refrain_result *updates = refrain_new_array(refrain_result, refrain__test->update_count);
    for (size_t i = 0; i < refrain__test->update_count; i++)
        updates[i] = refrain__test->updates[i].ended
                         ? refrain__test->updates[i].result
                         : refrain_failed(refrain__by_host("run-ended", "the run ended before"));
    ended->updates = updates;
    ended->update_count = refrain__test->update_count;
    return ended;
}
