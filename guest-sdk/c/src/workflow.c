/*
 * From a table of workflows to what a component exports.
 */
#include "internal.h"

#include <string.h>

refrain_result refrain_continue_as_new(refrain_next next)
{
    refrain_next *kept = refrain_new(refrain_next);
    *kept = next;
    return (refrain_result){.next = kept};
}

/* A run that fails as canceled because someone asked for it has been canceled, not failed. */
static void failed(abi_completion *completion, const refrain_failure *failure)
{
    abi_failure wire = refrain__to_failure(failure);
    if (refrain_is_canceled(failure) && refrain_cancel_requested()) {
        completion->tag = ABI_CANCELED;
        completion->u.canceled = wire.details;
    } else {
        completion->tag = ABI_FAILED;
        completion->u.failed = wire;
    }
}

static void continued(abi_completion *completion, const refrain_next *next)
{
    size_t count = 0;
    for (const unread_signal *signal = refrain__run.unread; signal; signal = signal->next) count++;
    abi_unread *unread = refrain_new_array(abi_unread, count);
    size_t i = 0;
    for (const unread_signal *signal = refrain__run.unread; signal; signal = signal->next)
        unread[i++] = (abi_unread){refrain__to_string(signal->name), signal->input};
    completion->tag = ABI_CONTINUE_AS_NEW;
    completion->u.next = (abi_next_run){.workflow = refrain__to_option_string(next->workflow),
                                        .input = refrain__to_payload(next->input),
                                        .newest_version = next->newest_version,
                                        .run_timeout = refrain__to_option_duration(next->run_timeout)};
    completion->u.next.unread.items = unread;
    completion->u.next.unread.len = count;
}

/* Says what is left behind: signals by name, in the order in which the first of each came. */
static void warn_of_unread(void)
{
    for (const unread_signal *signal = refrain__run.unread; signal; signal = signal->next) {
        channel *of_name = refrain__channel(signal->name);
        if (of_name->first != signal) continue;
        uint64_t count = 0;
        for (const unread_signal *each = signal; each; each = each->next_of_name) count++;
        refrain_log(
            REFRAIN_LEVEL_WARN,
            REFRAIN_FIELDS({"signal", signal->name}, {"count", refrain_text("%llu", (unsigned long long)count)}),
            "ended with unread signals");
    }
}

static void warn_of_unfinished(void)
{
    for (const handled *each = refrain__run.handled; each; each = each->next)
        if (each->running)
            refrain_log(REFRAIN_LEVEL_WARN, REFRAIN_FIELDS({"count", refrain_text("%zu", each->running)}),
                        "ended before handlers of %s `%s` had finished", each->kind, each->name);
}

static void begin_run(void)
{
    memset(&refrain__run, 0, sizeof refrain__run);
    refrain__run.changed = true;
    refrain__run.current = &refrain__run.main;
}

/* The workflow's own function, so that a bug in it is told with its name. */
static refrain_result call(const refrain_workflow *workflow, const abi_payload *payload)
{
    const refrain_type *type = workflow->input ? workflow->input : &refrain_type_null;
    refrain_result value = refrain__from_payload(payload);
    void *input = refrain_alloc(type->size);
    const refrain_failure *why = value.failure ? value.failure : refrain_decode(type, value.value, input);
    if (!why) return workflow->run(input);
    /* The same input fails in the same way each time. */
    const refrain_failure *bad = refrain_fail("bad-input", "input of workflow `%s`", workflow->name);
    return refrain_failed(refrain_non_retryable(refrain_caused_by(bad, why)));
}

void refrain__run_workflow(const refrain_workflow *workflow, const abi_payload *input, abi_completion *completion)
{
    begin_run();
    refrain_result result = call(workflow, input);
    if (refrain__run.main.scope) REFRAIN_BUG("the workflow `%s` ended in a scope that it began", workflow->name);
    if (result.failure) {
        failed(completion, result.failure);
    } else if (result.next) {
        continued(completion, result.next);
    } else {
        completion->tag = ABI_COMPLETED;
        completion->u.completed = refrain__to_payload(result.value);
    }
    refrain__run.current = &refrain__run.nobody;
    if (completion->tag != ABI_CONTINUE_AS_NEW) warn_of_unread();
    warn_of_unfinished();
    /* Returning ends the run as well, and every query after that. */
    if (refrain__run.query_count) refrain__finish_run(completion);
}

/* What is called with the parts of a completion is an import with sixteen arguments: each is that of the widest case.
 */
static void finish(const abi_completion *c)
{
    const abi_payload *p = &c->u.completed;
    const abi_failure *f = &c->u.failed;
    const abi_option_payload *o = &c->u.canceled;
    const abi_next_run *n = &c->u.next;
#define P(pointer) ((uintptr_t)(pointer))
#define S(string) P((string).data), (string).len
    switch (c->tag) {
    case ABI_COMPLETED:
        abi_control_finish(c->tag, S(p->content_type), S(p->data), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        return;
    case ABI_FAILED: {
        const abi_payload *d = &f->details.value;
        abi_control_finish(c->tag, f->kind, S(f->error_type), S(f->message), S(f->stack), f->details.some,
                           P(d->content_type.data), d->content_type.len, S(d->data), f->non_retryable,
                           P(f->causes.items), f->causes.len);
        return;
    }
    case ABI_CANCELED:
        abi_control_finish(c->tag, o->some, S(o->value.content_type), S(o->value.data), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        return;
    default:
        abi_control_finish(c->tag, n->workflow.some, S(n->workflow.value), S(n->input.content_type), S(n->input.data),
                           n->newest_version, n->run_timeout.some, n->run_timeout.value.seconds,
                           n->run_timeout.value.nanoseconds, P(n->unread.items), n->unread.len, P(n->more.items),
                           n->more.len);
    }
#undef S
#undef P
}

void refrain__finish_run(const abi_completion *completion)
{
    finish(completion);
    for (;;) {
        abi_events events;
        abi_wait_next(ABI_EVERYTHING, NULL, 0, &events);
        /* Only in a test whose run has ended. */
        if (!events.len) return;
        for (size_t i = 0; i < events.len; i++)
            if (events.items[i].tag == ABI_MESSAGE && events.items[i].u.message.tag == ABI_QUERY)
                refrain__answer_query(&events.items[i].u.message);
    }
}

/* What a component has */

static abi_option_string schema(const refrain_type *type)
{
    return refrain__to_option_string(refrain_schema(type ? type : &refrain_type_any));
}

static void add_message(abi_message_types *to, abi_message_type *items, const char *name, const char *doc,
                        const refrain_type *input, const refrain_type *output, bool answers)
{
    items[to->len] = (abi_message_type){
        .name = refrain__to_string(name), .doc = refrain__to_string(doc), .input_schema = schema(input)};
    if (answers) items[to->len].output_schema = schema(output);
    to->items = items;
    to->len++;
}

static size_t count_of(const void *const *list)
{
    size_t count = 0;
    while (list && list[count]) count++;
    return count;
}

static abi_workflow_type describe(const refrain_workflow *workflow)
{
    abi_workflow_type type = {
        .name = refrain__to_string(workflow->name),
        .doc = refrain__to_string(workflow->doc),
        .input_schema = schema(workflow->input ? workflow->input : &refrain_type_null),
        .output_schema = schema(workflow->output),
        .on_trap = workflow->fails_on_trap,
    };
    abi_message_type *items = refrain_new_array(abi_message_type, count_of((const void *const *)workflow->signals));
    for (const refrain_signal *const *at = workflow->signals; at && *at; at++)
        add_message(&type.signals, items, (*at)->name, (*at)->doc, (*at)->input, NULL, false);
    items = refrain_new_array(abi_message_type, count_of((const void *const *)workflow->queries));
    for (const refrain_query *const *at = workflow->queries; at && *at; at++)
        add_message(&type.queries, items, (*at)->name, (*at)->doc, (*at)->input ? (*at)->input : &refrain_type_null,
                    (*at)->output, true);
    items = refrain_new_array(abi_message_type, count_of((const void *const *)workflow->updates));
    for (const refrain_update *const *at = workflow->updates; at && *at; at++)
        add_message(&type.updates, items, (*at)->name, (*at)->doc, (*at)->input, (*at)->output, true);
    return type;
}

void refrain__describe(const refrain_workflow *const *workflows, abi_manifest *manifest)
{
    size_t count = count_of((const void *const *)workflows);
    abi_workflow_type *types = refrain_new_array(abi_workflow_type, count);
    for (size_t i = 0; i < count; i++) types[i] = describe(workflows[i]);
    manifest->sdk = refrain__to_string("refrain-sdk for C " REFRAIN_SDK_VERSION);
    manifest->workflows.items = types;
    manifest->workflows.len = count;
}
