/*
 * What the host does when a workflow under test calls it.
 */
#include <string.h>

#include "env.h"

/* Words */

static const char *of(abi_string text)
{
    return refrain__text_of(text.data, text.len);
}

static const char *quoted(abi_string text)
{
    return refrain_write(refrain_string(of(text)), NULL);
}

static const char *shown(refrain_duration d)
{
    if (d.seconds && !d.nanoseconds) return refrain_text("%llus", (unsigned long long)d.seconds);
    if (!d.seconds && d.nanoseconds % 1000000 == 0) return refrain_text("%ums", d.nanoseconds / 1000000);
    char digits[10];
    memcpy(digits, refrain_text("%09u", d.nanoseconds), 10);
    size_t len = 9;
    while (len > 1 && digits[len - 1] == '0') len--;
    return refrain_text("%llu.%.*ss", (unsigned long long)d.seconds, (int)len, digits);
}

/* Whether the workflow may change something now: called by what does. */
static bool may(const char *import)
{
    if (refrain__test->asked)
        refrain__test->tried = refrain_text("the query's handling called %s: a query only looks, and may not", import);
    return !refrain__test->asked;
}

/* Activities, timers, children, others */

static const work *find_work(const work *in, const char *name, const char *what)
{
    for (; in; in = in->next)
        if (strcmp(in->name, name) == 0) return in;
    REFRAIN_BUG("this test has no %s `%s`", what, name);
}

static const char *more_of(const abi_named_list *more, const char *before)
{
    buffer text = {0};
    for (size_t i = 0; i < more->len; i++)
        refrain__put_text(&text,
                          refrain_text(" %s%s=%s", before, of(more->items[i].name), of(more->items[i].value.data)));
    return refrain__take_text(&text, NULL);
}

static const char *option(const char *key, abi_option_string text)
{
    return text.some ? refrain_text(" %s=%s", key, quoted(text.value)) : "";
}

static refrain_duration from(abi_duration d)
{
    return (refrain_duration){d.seconds, d.nanoseconds};
}

static uint64_t start(const char *what, const abi_activity *a)
{
    if (!may("activity.start")) return 0;
    uint64_t op = ++refrain__test->op;
    const char *priority = a->options.priority.some ? refrain_text(" priority=%d", a->options.priority.value) : "";
    CALL("%llu = %s %s %s%s%s%s", (unsigned long long)op, what, of(a->name), of(a->input.data),
         option("task-queue", a->options.task_queue), priority, more_of(&a->options.more, ""));
    const work *known = find_work(refrain__test->activities, of(a->name), "activity");
    refrain_result outcome = known->run(refrain__from_payload(&a->input).value, known->context);
    refrain_duration takes = known->takes;
    const abi_option_duration *limit = a->options.start_to_close_timeout.some ? &a->options.start_to_close_timeout
                                                                              : &a->options.schedule_to_close_timeout;
    if (limit->some && refrain__compare_durations(takes, from(limit->value)) > 0) {
        takes = from(limit->value);
        outcome = refrain_failed(
            refrain__failure(REFRAIN_TIMEOUT, "start-to-close",
                             refrain_text("activity `%s` took longer than %s", known->name, shown(takes))));
    }
    refrain__schedule_end(op, refrain__after_now(takes), a->options.cancellation, outcome);
    return op;
}

uint64_t abi_activity_start(const abi_activity *activity)
{
    return start("activity", activity);
}

uint64_t abi_activity_start_local(const abi_activity *activity)
{
    return start("local activity", activity);
}

uint64_t abi_timer_start(uint64_t seconds, uint32_t nanoseconds, uint32_t has_summary, const char *summary, size_t len)
{
    if (!may("timer.start")) return 0;
    uint64_t op = ++refrain__test->op;
    refrain_duration delay = {seconds, nanoseconds};
    CALL("%llu = timer %s%s%s", (unsigned long long)op, shown(delay), has_summary ? " " : "",
         refrain__text_of(summary, len));
    refrain__schedule_end(op, refrain__after_now(delay), REFRAIN_TRY_CANCEL, refrain_done(NULL));
    return op;
}

void abi_child_start(const abi_child *c, abi_child_ops *ops)
{
    static const char *const REUSE[] = {"", " id-reuse=allow-failed-only", " id-reuse=reject"};
    static const char *const CLOSE[] = {"", " parent-close=request-cancel", " parent-close=abandon"};
    *ops = (abi_child_ops){0};
    if (!may("child.start")) return;
    *ops = (abi_child_ops){refrain__test->op + 1, refrain__test->op + 2};
    refrain__test->op += 2;
    const char *workflow = of(c->workflow);
    CALL("%llu, %llu = child %s %s%s%s%s%s%s%s%s", (unsigned long long)ops->started, (unsigned long long)ops->finished,
         workflow, of(c->input.data), option("id", c->options.workflow_id), option("component", c->options.component),
         option("task-queue", c->options.task_queue), option("summary", c->options.summary), REUSE[c->options.id_reuse],
         CLOSE[c->options.parent_close], more_of(&c->options.memo, "memo:"));
    const char *id = c->options.workflow_id.some ? of(c->options.workflow_id.value)
                                                 : refrain_text("child-%llu", (unsigned long long)ops->finished);
    const work *known = find_work(refrain__test->children, workflow, "child");
    refrain_result outcome = known->run(refrain__from_payload(&c->input).value, known->context);
    outcome = refrain_doing(outcome, "child workflow %s (id \"%s\") failed", quoted(c->workflow), id);
    refrain_json *ids = refrain_jsonf("{'workflow_id': %s, 'run_id': %s}", id, refrain_text("%s-run", id));
    /* To cancel the first has no effect. */
    refrain__schedule_end(ops->started, refrain__test->clock, REFRAIN_WAIT_FOR_CANCELLATION, refrain_done(ids));
    refrain__schedule_end(ops->finished, refrain__after_now(known->takes), c->options.cancellation, outcome);
}

static uint64_t send(const char *what, const char *id, const char *run, const char *more)
{
    uint64_t op = ++refrain__test->op;
    CALL("%llu = %s %s%s%s", (unsigned long long)op, what, id, run, more);
    refrain_result outcome = refrain_done(NULL);
    for (const name *missing = refrain__test->missing; missing; missing = missing->next)
        if (strcmp(missing->text, id) == 0)
            outcome = refrain_failed(refrain__by_host("not-found", refrain_text("there is no workflow `%s`", id)));
    refrain__schedule_end(op, refrain__test->clock, REFRAIN_WAIT_FOR_CANCELLATION, outcome);
    return op;
}

static const char *run_of(uint32_t has_run, const char *run, size_t len)
{
    return has_run ? refrain_text(" run=\"%s\"", refrain__text_of(run, len)) : "";
}

uint64_t abi_external_signal(const char *id, size_t id_len, uint32_t has_run, const char *run, size_t run_len,
                             const char *signal, size_t signal_len, const char *content_type, size_t content_type_len,
                             const char *data, size_t data_len)
{
    (void)content_type, (void)content_type_len;
    if (!may("external.signal")) return 0;
    return send("signal", refrain__text_of(id, id_len), run_of(has_run, run, run_len),
                refrain_text(" %s %s", refrain__text_of(signal, signal_len), refrain__text_of(data, data_len)));
}

uint64_t abi_external_cancel(const char *id, size_t id_len, uint32_t has_run, const char *run, size_t run_len,
                             const char *reason, size_t reason_len)
{
    (void)reason, (void)reason_len;
    if (!may("external.request-cancel")) return 0;
    return send("request-cancel", refrain__text_of(id, id_len), run_of(has_run, run, run_len), "");
}

/* Waiting */

void abi_wait_next(uint32_t interest, const uint64_t *ops, size_t ops_len, abi_events *result)
{
    (void)interest, (void)ops, (void)ops_len;
    refrain__reject_unanswered();
    if (refrain__test->ended) {
        for (due *each = refrain__test->first, *next; each; each = next) {
            next = each->next;
            if (!each->is_query) refrain__unschedule(each);
        }
    } else if (!refrain__test->asked) {
        CALL("wait");
    }
    refrain__test->asked = false;
    *result = (abi_events){0};
    due *first = refrain__test->first;
    if (!first && !refrain__test->ended) REFRAIN_BUG("the workflow waits for ever: nothing is due");
    if (!first) return;
    if (first->is_query) {
        /* Asked alone, of the run as its last step left it. */
        refrain__test->asked = true;
        refrain__unschedule(first);
        *result = (abi_events){&first->event, 1};
        return;
    }
    refrain_duration at = first->at;
    if (refrain__compare_durations(at, refrain__test->clock) > 0) refrain__test->clock = at;
    refrain__test->reads = 0;
    size_t count = 0;
    for (const due *each = first; each && refrain__compare_durations(each->at, at) == 0; each = each->next)
        count += !each->is_query;
    abi_event *events = refrain_new_array(abi_event, count);
    result->items = events;
    /* Queries of this moment come after what happens in it. */
    for (due *each = first, *next; each && result->len < count; each = next) {
        next = each->next;
        if (each->is_query) continue;
        refrain__unschedule(each);
        events[result->len++] = each->event;
        const abi_message *message = &each->event.u.message;
        if (each->event.tag == ABI_MESSAGE && message->tag == ABI_UPDATE)
            refrain__test->updates[message->u.update.request].delivered = true;
    }
}

void abi_wait_cancel(uint64_t op, const char *reason, size_t reason_len)
{
    if (!may("wait.cancel")) return;
    CALL("cancel %llu", (unsigned long long)op);
    due *end = op < refrain__test->op_capacity ? refrain__test->ops[op] : NULL;
    if (!end || end->cancellation == REFRAIN_WAIT_FOR_CANCELLATION) return;
    refrain__unschedule(end);
    refrain__schedule_end(op, refrain__test->clock, end->cancellation,
                          refrain_failed(refrain_canceled(refrain__text_of(reason, reason_len))));
}

void abi_wait_detach(uint64_t op)
{
    if (!may("wait.detach")) return;
    CALL("detach %llu", (unsigned long long)op);
    due *end = op < refrain__test->op_capacity ? refrain__test->ops[op] : NULL;
    if (end) refrain__unschedule(end);
}

/* Messages */

void abi_messages_accept(uint64_t update)
{
    if (!may("messages.accept")) return;
    CALL("accept update-%llu", (unsigned long long)update);
    refrain__test->updates[update].accepted = true;
}

static void end_update(uint64_t update, refrain_result result)
{
    refrain__test->updates[update].ended = true;
    refrain__test->updates[update].result = result;
}

void abi_messages_reject(uint64_t update, uint32_t kind, const char *error_type, size_t error_type_len,
                         const char *message, size_t message_len, const char *stack, size_t stack_len,
                         uint32_t has_details, const char *details_type, size_t details_type_len, const char *details,
                         size_t details_len, uint32_t non_retryable, const abi_cause *causes, size_t causes_len)
{
    if (!may("messages.reject")) return;
    abi_failure wire = {.kind = (uint8_t)kind,
                        .error_type = {error_type, error_type_len},
                        .message = {message, message_len},
                        .stack = {stack, stack_len},
                        .details = {has_details, {{details_type, details_type_len}, {details, details_len}}},
                        .non_retryable = non_retryable,
                        .causes = {causes, causes_len}};
    const refrain_failure *why = refrain__from_failure(&wire);
    CALL("reject update-%llu: %s", (unsigned long long)update, refrain_failure_text(why));
    end_update(update, refrain_failed(why));
}

static refrain_result from_outcome(const abi_outcome *outcome)
{
    if (outcome->failed) return refrain_failed(refrain__from_failure(&outcome->u.failure));
    return refrain__from_payload(&outcome->u.ok);
}

void abi_messages_complete(const abi_answer *answer)
{
    if (!may("messages.complete")) return;
    refrain_result result = from_outcome(&answer->answer);
    CALL("complete update-%llu: %s", (unsigned long long)answer->request,
         result.failure ? refrain_failure_text(result.failure) : refrain_write(result.value, NULL));
    end_update(answer->request, result);
}

void abi_messages_answer(const abi_answer *answer)
{
    refrain_result told = from_outcome(&answer->answer);
    if (refrain__test->tried) told = refrain_failed(refrain__by_host("query-tried-to-change", refrain__test->tried));
    refrain__test->tried = NULL;
    refrain__test->answers = refrain__grown(refrain__test->answers, refrain__test->answer_count,
                                            &refrain__test->answer_capacity, sizeof *refrain__test->answers);
    refrain__test->answers[refrain__test->answer_count++] = told;
}

/* Context, log, end */

static abi_string fixed(const char *text)
{
    return refrain__to_string(text);
}

void abi_context_info(abi_run_info *info)
{
    *info = (abi_run_info){
        .namespace_ = fixed("default"),
        .workflow_id = fixed("test"),
        .run_id = fixed("test-run"),
        .first_run_id = fixed("test-run"),
        .workflow = fixed("test"),
        .task_queue = fixed("default"),
        .attempt = 1,
        .journal_entries = refrain__test->calls.count,
        .continue_as_new_suggested =
            refrain__test->has_limit && refrain__compare_durations(refrain__test->clock, refrain__test->long_from) >= 0,
    };
}

void abi_context_now(abi_instant *now)
{
    refrain_duration ahead = {0, refrain__test->reads++ * 1000};
    refrain_duration at = refrain__after_now(ahead);
    *now = (abi_instant){at.seconds, at.nanoseconds};
}

void abi_context_random_bytes(uint32_t len, abi_string *bytes)
{
    /* SplitMix64: a test wants the same values each time, not good ones. */
    unsigned char *out = refrain_alloc(len + 1);
    for (uint32_t i = 0; i < len; i++) {
        refrain__test->randomness += 0x9e3779b97f4a7c15u;
        uint64_t mixed = (refrain__test->randomness ^ refrain__test->randomness >> 30) * 0xbf58476d1ce4e5b9u;
        out[i] = (unsigned char)(mixed ^ mixed >> 27);
    }
    *bytes = (abi_string){(const char *)out, len};
}

void abi_context_uuid(abi_string *uuid)
{
    static const char HEX[] = "0123456789abcdef";
    char *text = refrain_copy("xxxxxxxx-xxxx-4xxx-axxx-xxxxxxxxxxxx", 36);
    for (char *at = text; *at; at++) {
        abi_string byte;
        if (*at != 'x') continue;
        abi_context_random_bytes(1, &byte);
        *at = HEX[byte.data[0] & 15];
    }
    *uuid = refrain__to_string(text);
}

uint32_t abi_version_patched(const char *id, size_t id_len)
{
    (void)id, (void)id_len;
    return 1;
}

uint32_t abi_version_get(const char *id, size_t id_len, uint32_t min, uint32_t max)
{
    (void)id, (void)id_len, (void)min;
    return max;
}

void abi_log_write(uint32_t level, const char *message, size_t message_len, const abi_field *fields, size_t fields_len)
{
    static const char *const LEVELS[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};
    buffer line = {0};
    refrain__put_text(&line, refrain_text("%s %s", LEVELS[level], refrain__text_of(message, message_len)));
    for (size_t i = 0; i < fields_len; i++)
        refrain__put_text(&line, refrain_text(" %s=%s", of(fields[i].key), of(fields[i].value)));
    refrain__add_line(&refrain__test->log, refrain__take_text(&line, NULL));
}

void abi_control_finish(uint32_t tag, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, uintptr_t f,
                        uintptr_t g, uintptr_t h, uintptr_t i, uint64_t j, uintptr_t k, uintptr_t l, uintptr_t m,
                        uintptr_t n, uintptr_t o)
{
    /* What it says is the completion that the run comes back with. */
    (void)tag, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h, (void)i, (void)j, (void)k;
    (void)l, (void)m, (void)n, (void)o;
    refrain__test->ended = true;
    refrain__test->ended_at = refrain__test->clock;
}
