/*
 * Handlers of signals, updates and queries, and those of them that are under way.
 */
#include "internal.h"

#include <string.h>

/* A handler that is a plain function is a task that has one part. */

typedef struct {
    refrain_task task;
    const refrain_signal *signal;
    const refrain_update *update;
} plain;

static void run_plain(refrain_task *task)
{
    plain *self = (plain *)task;
    refrain_result result = {0};
    if (self->signal) self->signal->handle(task->input, task->context);
    else result = self->update->handle(task->input, task->context);
    refrain_task_end(task, result);
}

static const refrain_task_type PLAIN = REFRAIN_TASK(run_plain, plain);

static handled *find_handled(const char *kind, const char *name)
{
    handled **at = &refrain__run.handled;
    for (; *at; at = &(*at)->next)
        if (strcmp((*at)->kind, kind) == 0 && strcmp((*at)->name, name) == 0) return *at;
    *at = refrain_new(handled);
    (*at)->kind = kind;
    (*at)->name = name;
    return *at;
}

task_state *refrain__handle(const char *kind, const char *name, const refrain_task_type *type, const void *input,
                            void *context)
{
    task_state *state = refrain__add_task(type, input, context);
    state->handled = find_handled(kind, name);
    state->handled->running++;
    return state;
}

bool refrain_handlers_finished(void *unused)
{
    (void)unused;
    for (const handled *each = refrain__run.handled; each; each = each->next)
        if (each->running) return false;
    return !refrain__run.updates;
}

/* A copy of what a message brings, as a C value. */
static const refrain_failure *read_input(const refrain_type *type, const abi_payload *payload, void **input)
{
    refrain_result value = refrain__from_payload(payload);
    if (value.failure) return value.failure;
    *input = refrain_alloc(type->size);
    return refrain_decode(type, value.value, *input);
}

/* Signals */

void refrain__begin_signal(const channel *channel, const abi_payload *payload)
{
    const refrain_signal *signal = channel->handler;
    void *input;
    const refrain_failure *why = read_input(signal->input ? signal->input : &refrain_type_any, payload, &input);
    if (why) {
        refrain_log(REFRAIN_LEVEL_ERROR, REFRAIN_FIELDS({"signal", signal->name}), "signal passed over: %s",
                    refrain_failure_text(why));
        return;
    }
    task_state *state =
        refrain__handle("signal", signal->name, signal->task ? signal->task : &PLAIN, input, channel->context);
    if (!signal->task) ((plain *)state->task)->signal = signal;
}

/* Updates */

void refrain_handle_update(const refrain_update *update, void *context)
{
    run_state *run = &refrain__run;
    if (!update->handle && !update->task) REFRAIN_BUG("the update `%s` has no handler to call", update->name);
    /* The newest is the last of those that are named in words about them. */
    for (size_t i = 0; i < run->update_count; i++)
        if (strcmp(run->update_handlers[i].update->name, update->name) == 0) {
            run->update_count--;
            memmove(run->update_handlers + i, run->update_handlers + i + 1,
                    (run->update_count - i) * sizeof *run->update_handlers);
            break;
        }
    run->update_handlers =
        refrain__grown(run->update_handlers, run->update_count, &run->update_capacity, sizeof *run->update_handlers);
    run->update_handlers[run->update_count++] = (update_handler){update, context};
}

void refrain__deliver_update(const abi_message *message)
{
    run_state *run = &refrain__run;
    update_entry *entry = refrain_new(update_entry);
    entry->message = message;
    if (run->last_update) run->last_update->next = entry;
    else run->updates = entry;
    run->last_update = entry;
}

static void reject(uint64_t request, const refrain_failure *why)
{
    abi_failure f = refrain__to_failure(why);
    const abi_payload *details = &f.details.value;
    abi_messages_reject(request, f.kind, f.error_type.data, f.error_type.len, f.message.data, f.message.len,
                        f.stack.data, f.stack.len, f.details.some, details->content_type.data,
                        details->content_type.len, details->data.data, details->data.len, f.non_retryable,
                        f.causes.items, f.causes.len);
}

static const refrain_failure *not_handled(const char *name)
{
    buffer known = {0};
    for (size_t i = 0; i < refrain__run.update_count; i++) {
        if (i) refrain__put_text(&known, ", ");
        refrain__put_text(&known, refrain__run.update_handlers[i].update->name);
    }
    const char *message =
        refrain_text("the workflow takes no update `%s` now; it takes %s", name, refrain__take_text(&known, NULL));
    return refrain__failure(REFRAIN_HOST, "not-handled", message);
}

static void handle_update(const abi_message *message)
{
    uint64_t request = message->u.update.request;
    const char *name = refrain__text(message->u.update.name);
    const update_handler *handler = NULL;
    for (size_t i = 0; i < refrain__run.update_count; i++)
        if (strcmp(refrain__run.update_handlers[i].update->name, name) == 0) handler = &refrain__run.update_handlers[i];
    if (!handler) {
        reject(request, not_handled(name));
        return;
    }
    const refrain_update *update = handler->update;
    void *input;
    const refrain_failure *why =
        read_input(update->input ? update->input : &refrain_type_any, &message->u.update.input, &input);
    if (why) {
        const refrain_failure *bad = refrain_fail("bad-input", "input of update `%s`", name);
        reject(request, refrain_non_retryable(refrain_caused_by(bad, why)));
        return;
    }
    update_info current = {update->name, refrain__text(message->u.update.update_id)};
    if (update->validate) {
        refrain__run.current_update = &current;
        why = update->validate(input, handler->context);
        refrain__run.current_update = NULL;
        if (why) {
            reject(request, why);
            return;
        }
    }
    abi_messages_accept(request);
    task_state *state =
        refrain__handle("update", update->name, update->task ? update->task : &PLAIN, input, handler->context);
    if (!update->task) ((plain *)state->task)->update = update;
    state->is_update = true;
    state->request = request;
    state->update = current;
}

bool refrain__handle_next_update(void)
{
    run_state *run = &refrain__run;
    update_entry *next = run->updates;
    if (!next) return false;
    run->updates = next->next;
    if (!run->updates) run->last_update = NULL;
    /* A workflow that handles none leaves them to the host, which rejects them. */
    if (run->update_handlers) handle_update(next->message);
    run->changed = true;
    return true;
}

const char *refrain_current_update(const char **name)
{
    const update_info *current = refrain__run.current_update;
    if (current && name) *name = current->name;
    return current ? current->id : NULL;
}

/* Queries */

void refrain_handle_query(const refrain_query *query, void *context)
{
    run_state *run = &refrain__run;
    if (!query->answer) REFRAIN_BUG("the query `%s` has no handler to call", query->name);
    for (size_t i = 0; i < run->query_count; i++)
        if (strcmp(run->query_handlers[i].query->name, query->name) == 0) {
            run->query_count--;
            memmove(run->query_handlers + i, run->query_handlers + i + 1,
                    (run->query_count - i) * sizeof *run->query_handlers);
            break;
        }
    run->query_handlers =
        refrain__grown(run->query_handlers, run->query_count, &run->query_capacity, sizeof *run->query_handlers);
    run->query_handlers[run->query_count++] = (query_handler){query, context};
}

static refrain_result answer(const char *name, const abi_payload *payload)
{
    buffer known = {0};
    for (size_t i = 0; i < refrain__run.query_count; i++) {
        const query_handler *handler = &refrain__run.query_handlers[i];
        const refrain_query *query = handler->query;
        if (strcmp(query->name, name) == 0) {
            void *input;
            const refrain_failure *why = read_input(query->input ? query->input : &refrain_type_null, payload, &input);
            if (why) return refrain_failed(refrain_context(why, "input of query `%s`", name));
            return query->answer(input, handler->context);
        }
        if (i) refrain__put_text(&known, ", ");
        refrain__put_text(&known, query->name);
    }
    if (!known.len) refrain__put_text(&known, "none");
    const char *message =
        refrain_text("the workflow answers no query `%s`; it answers %s", name, refrain__take_text(&known, NULL));
    return refrain_failed(refrain__failure(REFRAIN_HOST, "not-found", message));
}

void refrain__answer_query(const abi_message *message)
{
    refrain_result told = answer(refrain__text(message->u.query.name), &message->u.query.input);
    abi_answer wire = {.request = message->u.query.request, .answer = refrain__to_outcome(told)};
    abi_messages_answer(&wire);
}
