/*
 * What the host does when a workflow under test calls it.
 */
#include "refrain_testing.h"

#include <string.h>

#include "../src/internal.h"

typedef struct work {
    const char *name;
    refrain_duration takes;
    refrain_work *run;
    void *context;
    struct work *next;
} work;

/* What will happen: by the time at which it is due, then in the order in which it was said. */
typedef struct due {
    refrain_duration at;
    bool is_query;
    uint64_t op;
    uint8_t cancellation;
    abi_event event;
    struct due *previous, *next;
} due;

typedef struct name {
    const char *text;
    struct name *next;
} name;

typedef struct {
    const char **items;
    size_t count, capacity;
} lines;

typedef struct {
    bool delivered, accepted, ended;
    refrain_result result;
} sent_update;

struct refrain_test {
    work *activities, *children;
    name *missing;
    due *first, *last;
    due **ops; /* what is due of an op, by its number */
    size_t op_capacity;
    uint64_t op;
    refrain_duration clock;
    uint32_t reads;
    uint64_t randomness;
    lines calls, log;
    refrain_result *answers;
    size_t answer_count, answer_capacity;
    sent_update *updates;
    size_t update_count, update_capacity;
    bool asked;        /* a query was delivered, and the workflow has not waited since */
    const char *tried; /* what it called that no query may */
    bool ended;
    refrain_duration ended_at;
    bool has_limit;
    refrain_duration long_from;
};

static refrain_test *test;

refrain_test *refrain_test_new(void)
{
    return test = refrain_new(refrain_test);
}

void refrain_test_free_all(void)
{
    refrain__memory_reset();
    memset(&refrain__run, 0, sizeof refrain__run);
    test = NULL;
}

/* Words */

static void add_line(lines *to, const char *line)
{
    to->items = refrain__grown(to->items, to->count + 1, &to->capacity, sizeof *to->items);
    to->items[to->count++] = line;
    to->items[to->count] = NULL;
}

#define CALL(...) add_line(&test->calls, refrain_text(__VA_ARGS__))

static const char *text_of(const char *data, size_t len)
{
    return len ? refrain_copy(data, len) : "";
}

static const char *of(abi_string text)
{
    return text_of(text.data, text.len);
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

static int compare(refrain_duration a, refrain_duration b)
{
    return refrain_compare((refrain_instant){a.seconds, a.nanoseconds}, (refrain_instant){b.seconds, b.nanoseconds});
}

static refrain_duration after_now(refrain_duration d)
{
    refrain_instant at =
        refrain_later((refrain_instant){test->clock.seconds, test->clock.nanoseconds}, d);
    return (refrain_duration){at.seconds, at.nanoseconds};
}

static const refrain_failure *by_host(const char *type, const char *message)
{
    return refrain__failure(REFRAIN_HOST, type, message);
}

/* What is due */

static void schedule(due *what)
{
    due *before = test->last;
    while (before && compare(before->at, what->at) > 0) before = before->previous;
    what->previous = before;
    what->next = before ? before->next : test->first;
    if (what->next) what->next->previous = what;
    else test->last = what;
    if (before) before->next = what;
    else test->first = what;
}

static void unschedule(due *what)
{
    if (what->previous) what->previous->next = what->next;
    else test->first = what->next;
    if (what->next) what->next->previous = what->previous;
    else test->last = what->previous;
    if (what->op) test->ops[what->op] = NULL;
}

static void schedule_end(uint64_t op, refrain_duration at, uint8_t cancellation, refrain_result outcome)
{
    due *end = refrain_new(due);
    end->at = at;
    end->op = op;
    end->cancellation = cancellation;
    end->event.tag = ABI_FINISHED;
    end->event.u.finished.op = op;
    end->event.u.finished.outcome = refrain__to_outcome(outcome);
    while (op >= test->op_capacity)
        test->ops = refrain__grown(test->ops, test->op_capacity, &test->op_capacity, sizeof *test->ops);
    test->ops[op] = end;
    schedule(end);
}

static abi_message *schedule_message(refrain_duration at, uint8_t tag)
{
    due *message = refrain_new(due);
    message->at = at;
    message->is_query = tag == ABI_QUERY;
    message->event.tag = ABI_MESSAGE;
    message->event.u.message.tag = tag;
    schedule(message);
    return &message->event.u.message;
}

/* Setting up */

static void add_work(work **to, const char *name, refrain_duration takes, refrain_work *run, void *context)
{
    work *fresh = refrain_new(work);
    *fresh = (work){name, takes, run, context, *to};
    *to = fresh;
}

void refrain_test_activity(refrain_test *of_test, const char *name, refrain_duration takes, refrain_work *run,
                           void *context)
{
    add_work(&of_test->activities, name, takes, run, context);
}

void refrain_test_child(refrain_test *of_test, const char *workflow, refrain_duration takes, refrain_work *run,
                        void *context)
{
    add_work(&of_test->children, workflow, takes, run, context);
}

void refrain_test_without_execution(refrain_test *of_test, const char *workflow_id)
{
    name *fresh = refrain_new(name);
    *fresh = (name){workflow_id, of_test->missing};
    of_test->missing = fresh;
}

void refrain_test_signal(refrain_test *of_test, refrain_duration after, const char *signal, const refrain_json *input)
{
    (void)of_test;
    abi_message *message = schedule_message(after, ABI_SIGNAL);
    message->u.signal.name = refrain__to_string(signal);
    message->u.signal.input = refrain__to_payload(input);
}

void refrain_test_query(refrain_test *of_test, refrain_duration after, const char *query, const refrain_json *input)
{
    (void)of_test;
    abi_message *message = schedule_message(after, ABI_QUERY);
    message->u.query.name = refrain__to_string(query);
    message->u.query.input = refrain__to_payload(input);
}

void refrain_test_update(refrain_test *of_test, refrain_duration after, const char *update, const refrain_json *input)
{
    abi_message *message = schedule_message(after, ABI_UPDATE);
    uint64_t number = of_test->update_count;
    message->u.update.request = number;
    message->u.update.update_id = refrain__to_string(refrain_text("update-%llu", (unsigned long long)number));
    message->u.update.name = refrain__to_string(update);
    message->u.update.input = refrain__to_payload(input);
    of_test->updates =
        refrain__grown(of_test->updates, of_test->update_count, &of_test->update_capacity, sizeof *of_test->updates);
    of_test->updates[of_test->update_count++] = (sent_update){0};
}

void refrain_test_cancel(refrain_test *of_test, refrain_duration after, const char *reason)
{
    (void)of_test;
    schedule_message(after, ABI_CANCEL_REQUESTED)->u.cancel_requested.reason = refrain__to_string(reason);
}

void refrain_test_long_journal(refrain_test *of_test, refrain_duration after)
{
    of_test->has_limit = true;
    of_test->long_from = after;
}

/* Running */

static void reject_unanswered(void)
{
    for (size_t i = 0; i < test->update_count; i++) {
        sent_update *update = &test->updates[i];
        if (!update->delivered || update->accepted || update->ended) continue;
        update->ended = true;
        update->result = refrain_failed(by_host("not-handled", "nobody has accepted or rejected the update"));
    }
}

const refrain_ended *refrain_test_run(refrain_test *of_test, const refrain_workflow *workflow,
                                      const refrain_json *input)
{
    abi_payload payload = refrain__to_payload(input);
    abi_completion completion = {0};
    test = of_test;
    add_line(&test->calls, NULL);
    add_line(&test->log, NULL);
    test->calls.count = test->log.count = 0;
    refrain__run_workflow(workflow, &payload, &completion);
    reject_unanswered();
    for (const due *left = test->first; left; left = left->next)
        if (left->is_query) {
            abi_answer answer = {.answer = refrain__to_outcome(
                                     refrain_failed(by_host("not-served", "the run has ended, and handled no query")))};
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
    ended->elapsed = test->ended ? test->ended_at : test->clock;
    ended->calls = test->calls.items;
    ended->call_count = test->calls.count;
    ended->log = test->log.items;
    ended->log_count = test->log.count;
    ended->answers = test->answers;
    ended->answer_count = test->answer_count;
    refrain_result *updates = refrain_new_array(refrain_result, test->update_count);
    for (size_t i = 0; i < test->update_count; i++)
        updates[i] = test->updates[i].ended ? test->updates[i].result
                                            : refrain_failed(by_host("run-ended", "the run ended before"));
    ended->updates = updates;
    ended->update_count = test->update_count;
    return ended;
}

/* Whether the workflow may change something now: called by what does. */
static bool may(const char *import)
{
    if (test->asked)
        test->tried = refrain_text("the query's handling called %s: a query only looks, and may not", import);
    return !test->asked;
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
    uint64_t op = ++test->op;
    const char *priority = a->options.priority.some ? refrain_text(" priority=%d", a->options.priority.value) : "";
    CALL("%llu = %s %s %s%s%s%s", (unsigned long long)op, what, of(a->name), of(a->input.data),
         option("task-queue", a->options.task_queue), priority, more_of(&a->options.more, ""));
    const work *known = find_work(test->activities, of(a->name), "activity");
    refrain_result outcome = known->run(refrain__from_payload(&a->input).value, known->context);
    refrain_duration takes = known->takes;
    const abi_option_duration *limit = a->options.start_to_close_timeout.some
                                           ? &a->options.start_to_close_timeout
                                           : &a->options.schedule_to_close_timeout;
    if (limit->some && compare(takes, from(limit->value)) > 0) {
        takes = from(limit->value);
        outcome = refrain_failed(refrain__failure(
            REFRAIN_TIMEOUT, "start-to-close",
            refrain_text("activity `%s` took longer than %s", known->name, shown(takes))));
    }
    schedule_end(op, after_now(takes), a->options.cancellation, outcome);
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
    uint64_t op = ++test->op;
    refrain_duration delay = {seconds, nanoseconds};
    CALL("%llu = timer %s%s%s", (unsigned long long)op, shown(delay), has_summary ? " " : "", text_of(summary, len));
    schedule_end(op, after_now(delay), REFRAIN_TRY_CANCEL, refrain_done(NULL));
    return op;
}

void abi_child_start(const abi_child *c, abi_child_ops *ops)
{
    static const char *const REUSE[] = {"", " id-reuse=allow-failed-only", " id-reuse=reject"};
    static const char *const CLOSE[] = {"", " parent-close=request-cancel", " parent-close=abandon"};
    *ops = (abi_child_ops){0};
    if (!may("child.start")) return;
    *ops = (abi_child_ops){test->op + 1, test->op + 2};
    test->op += 2;
    const char *workflow = of(c->workflow);
    CALL("%llu, %llu = child %s %s%s%s%s%s%s%s%s", (unsigned long long)ops->started,
         (unsigned long long)ops->finished, workflow, of(c->input.data), option("id", c->options.workflow_id),
         option("component", c->options.component), option("task-queue", c->options.task_queue),
         option("summary", c->options.summary), REUSE[c->options.id_reuse], CLOSE[c->options.parent_close],
         more_of(&c->options.memo, "memo:"));
    const char *id = c->options.workflow_id.some
                         ? of(c->options.workflow_id.value)
                         : refrain_text("child-%llu", (unsigned long long)ops->finished);
    const work *known = find_work(test->children, workflow, "child");
    refrain_result outcome = known->run(refrain__from_payload(&c->input).value, known->context);
    outcome = refrain_doing(outcome, "child workflow %s (id \"%s\") failed", quoted(c->workflow), id);
    refrain_json *ids = refrain_jsonf("{'workflow_id': %s, 'run_id': %s}", id, refrain_text("%s-run", id));
    /* To cancel the first has no effect. */
    schedule_end(ops->started, test->clock, REFRAIN_WAIT_FOR_CANCELLATION, refrain_done(ids));
    schedule_end(ops->finished, after_now(known->takes), c->options.cancellation, outcome);
}

static uint64_t send(const char *what, const char *id, const char *run, const char *more)
{
    uint64_t op = ++test->op;
    CALL("%llu = %s %s%s%s", (unsigned long long)op, what, id, run, more);
    refrain_result outcome = refrain_done(NULL);
    for (const name *missing = test->missing; missing; missing = missing->next)
        if (strcmp(missing->text, id) == 0)
            outcome = refrain_failed(by_host("not-found", refrain_text("there is no workflow `%s`", id)));
    schedule_end(op, test->clock, REFRAIN_WAIT_FOR_CANCELLATION, outcome);
    return op;
}

static const char *run_of(uint32_t has_run, const char *run, size_t len)
{
    return has_run ? refrain_text(" run=\"%s\"", text_of(run, len)) : "";
}

uint64_t abi_external_signal(const char *id, size_t id_len, uint32_t has_run, const char *run, size_t run_len,
                             const char *signal, size_t signal_len, const char *content_type, size_t content_type_len,
                             const char *data, size_t data_len)
{
    (void)content_type, (void)content_type_len;
    if (!may("external.signal")) return 0;
    return send("signal", text_of(id, id_len), run_of(has_run, run, run_len),
                refrain_text(" %s %s", text_of(signal, signal_len), text_of(data, data_len)));
}

uint64_t abi_external_cancel(const char *id, size_t id_len, uint32_t has_run, const char *run, size_t run_len,
                             const char *reason, size_t reason_len)
{
    (void)reason, (void)reason_len;
    if (!may("external.request-cancel")) return 0;
    return send("request-cancel", text_of(id, id_len), run_of(has_run, run, run_len), "");
}

/* Waiting */

void abi_wait_next(uint32_t interest, const uint64_t *ops, size_t ops_len, abi_events *result)
{
    (void)interest, (void)ops, (void)ops_len;
    reject_unanswered();
    if (test->ended) {
        for (due *each = test->first, *next; each; each = next) {
            next = each->next;
            if (!each->is_query) unschedule(each);
        }
    } else if (!test->asked) {
        CALL("wait");
    }
    test->asked = false;
    *result = (abi_events){0};
    due *first = test->first;
    if (!first && !test->ended) REFRAIN_BUG("the workflow waits for ever: nothing is due");
    if (!first) return;
    if (first->is_query) {
        /* Asked alone, of the run as its last step left it. */
        test->asked = true;
        unschedule(first);
        *result = (abi_events){&first->event, 1};
        return;
    }
    refrain_duration at = first->at;
    if (compare(at, test->clock) > 0) test->clock = at;
    test->reads = 0;
    size_t count = 0;
    for (const due *each = first; each && compare(each->at, at) == 0; each = each->next) count += !each->is_query;
    abi_event *events = refrain_new_array(abi_event, count);
    result->items = events;
    /* Queries of this moment come after what happens in it. */
    for (due *each = first, *next; each && result->len < count; each = next) {
        next = each->next;
        if (each->is_query) continue;
        unschedule(each);
        events[result->len++] = each->event;
        const abi_message *message = &each->event.u.message;
        if (each->event.tag == ABI_MESSAGE && message->tag == ABI_UPDATE)
            test->updates[message->u.update.request].delivered = true;
    }
}

void abi_wait_cancel(uint64_t op, const char *reason, size_t reason_len)
{
    if (!may("wait.cancel")) return;
    CALL("cancel %llu", (unsigned long long)op);
    due *end = op < test->op_capacity ? test->ops[op] : NULL;
    if (!end || end->cancellation == REFRAIN_WAIT_FOR_CANCELLATION) return;
    unschedule(end);
    schedule_end(op, test->clock, end->cancellation, refrain_failed(refrain_canceled(text_of(reason, reason_len))));
}

void abi_wait_detach(uint64_t op)
{
    if (!may("wait.detach")) return;
    CALL("detach %llu", (unsigned long long)op);
    due *end = op < test->op_capacity ? test->ops[op] : NULL;
    if (end) unschedule(end);
}

/* Messages */

void abi_messages_accept(uint64_t update)
{
    if (!may("messages.accept")) return;
    CALL("accept update-%llu", (unsigned long long)update);
    test->updates[update].accepted = true;
}

static void end_update(uint64_t update, refrain_result result)
{
    test->updates[update].ended = true;
    test->updates[update].result = result;
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
    if (test->tried) told = refrain_failed(by_host("query-tried-to-change", test->tried));
    test->tried = NULL;
    test->answers =
        refrain__grown(test->answers, test->answer_count, &test->answer_capacity, sizeof *test->answers);
    test->answers[test->answer_count++] = told;
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
        .journal_entries = test->calls.count,
        .continue_as_new_suggested = test->has_limit && compare(test->clock, test->long_from) >= 0,
    };
}

void abi_context_now(abi_instant *now)
{
    refrain_duration ahead = {0, test->reads++ * 1000};
    refrain_duration at = after_now(ahead);
    *now = (abi_instant){at.seconds, at.nanoseconds};
}

void abi_context_random_bytes(uint32_t len, abi_string *bytes)
{
    /* SplitMix64: a test wants the same values each time, not good ones. */
    unsigned char *out = refrain_alloc(len + 1);
    for (uint32_t i = 0; i < len; i++) {
        test->randomness += 0x9e3779b97f4a7c15u;
        uint64_t mixed = (test->randomness ^ test->randomness >> 30) * 0xbf58476d1ce4e5b9u;
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
    refrain__put_text(&line, refrain_text("%s %s", LEVELS[level], text_of(message, message_len)));
    for (size_t i = 0; i < fields_len; i++)
        refrain__put_text(&line, refrain_text(" %s=%s", of(fields[i].key), of(fields[i].value)));
    add_line(&test->log, refrain__take_text(&line, NULL));
}

void abi_control_finish(uint32_t tag, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, uintptr_t f,
                        uintptr_t g, uintptr_t h, uintptr_t i, uint64_t j, uintptr_t k, uintptr_t l, uintptr_t m,
                        uintptr_t n, uintptr_t o)
{
    /* What it says is the completion that the run comes back with. */
    (void)tag, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h, (void)i, (void)j, (void)k;
    (void)l, (void)m, (void)n, (void)o;
    test->ended = true;
    test->ended_at = test->clock;
}
