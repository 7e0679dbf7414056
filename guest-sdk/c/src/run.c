/*
 * Runs a workflow's tasks, one at a time and first come, first served, and waits when none can go on.
 *
 * The workflow's own function is a task, too, the only one with a stack. While it waits, this code runs on top of that
 * stack, lets the others go on, and comes back to it when it is its turn and what it waits for is so. So a function of
 * plain C stands in the same queue as everything else, and the order is that of the SDKs whose languages have
 * coroutines.
 */
#include "internal.h"

run_state refrain__run;

/* The queue */

static void append(task_state **first, task_state **last, task_state *task)
{
    task->next = NULL;
    if (*first) (*last)->next = task;
    else *first = task;
    *last = task;
}

void refrain__wake_task(task_state *task)
{
    if (task->ready || task->ended) return;
    task->ready = true;
    append(&refrain__run.ready, &refrain__run.last_ready, task);
}

static task_state *next_ready(void)
{
    run_state *run = &refrain__run;
    task_state *task = run->ready;
    if (!task) return NULL;
    run->ready = task->next;
    task->ready = false;
    return task;
}

task_state *refrain__add_task(const refrain_task_type *type, const void *input, void *context)
{
    run_state *run = &refrain__run;
    task_state *state = refrain_new(task_state);
    state->task = refrain_alloc(type->size);
    state->task->type = type;
    state->task->state = state;
    state->task->input = input;
    state->task->context = context;
    append(&run->spawned, &run->last_spawned, state);
    return state;
}

/* Takes over what was spawned: those that became ready before come first. */
static void adopt(void)
{
    run_state *run = &refrain__run;
    while (run->spawned) {
        task_state *task = run->spawned;
        run->spawned = task->next;
        refrain__wake_task(task);
    }
}

/* Waiting */

typedef enum { PENDING, READY, GIVEN_UP } polled;

static polled poll_task(task_state *task)
{
    refrain__hear(task);
    polled result = refrain__poll(task->wait) ? READY : refrain__settle(task) ? GIVEN_UP : PENDING;
    if (result == PENDING) return PENDING;
    refrain__finish(task->wait);
    task->wait = NULL;
    return result;
}

static void run_task(task_state *state)
{
    run_state *run = &refrain__run;
    /* A task can be woken after its end. */
    if (state->ended) return;
    run->current = state;
    run->current_update = state->is_update ? &state->update : NULL;
    state->task->type->run(state->task);
    run->current_update = NULL;
    if (!state->ended) {
        if (!state->wait) REFRAIN_BUG("a task returned without REFRAIN_RETURN or REFRAIN_END");
        run->current = &run->nobody;
        return;
    }
    if (state->is_update) {
        abi_answer answer = {.request = state->request, .answer = refrain__to_outcome(state->task->result)};
        abi_messages_complete(&answer);
    }
    if (state->handled) state->handled->running--;
    refrain__wake_all(&state->waiters);
    run->current = &run->nobody;
}

/* The one place where a workflow sleeps. All that came is delivered before anything runs on, so that
 * `refrain_try_receive` misses nothing that the journal says was delivered. */
static void sleep_until_something_happens(void)
{
    abi_events events;
    abi_wait_next(ABI_EVERYTHING, NULL, 0, &events);
    refrain__run.reads = 0;
    for (size_t i = 0; i < events.len; i++) {
        const abi_event *event = &events.items[i];
        if (event->tag == ABI_MESSAGE && event->u.message.tag == ABI_QUERY) {
            /* It has changed nothing. */
            refrain__answer_query(&event->u.message);
            continue;
        }
        refrain__deliver(event);
        adopt();
        refrain__run.changed = true;
    }
}

/* When nothing can go on: wakes those who wait for conditions, if something has changed for them. */
static bool wake_conditions(void)
{
    run_state *run = &refrain__run;
    bool wake = run->changed && !refrain__are_none(&run->conditions);
    run->changed = false;
    if (wake) refrain__wake_all(&run->conditions);
    return wake;
}

/* Lets others go on until it is the turn of the workflow's own function. */
static void run_others(void)
{
    run_state *run = &refrain__run;
    run->current = &run->nobody;
    adopt();
    for (;;) {
        for (task_state *task; (task = next_ready());) {
            if (task == &run->main) {
                run->current = task;
                return;
            }
            run_task(task);
            adopt();
        }
        if (wake_conditions()) continue;
        /* One after the other, so that each sees what those before it have done. */
        if (refrain__handle_next_update()) {
            adopt();
            continue;
        }
        sleep_until_something_happens();
    }
}

bool refrain__block(refrain_wait *wait)
{
    run_state *run = &refrain__run;
    if (run->current != &run->main)
        REFRAIN_BUG("something else than the workflow's own function waits: a handler, a validator and a predicate "
                    "cannot, and a task waits by REFRAIN_WAIT and REFRAIN_AWAIT");
    refrain__prepare(wait, &run->main);
    run->main.wait = wait;
    for (;;) {
        polled result = poll_task(&run->main);
        if (result != PENDING) return result == READY;
        run_others();
    }
}

refrain_result refrain__given_up(void)
{
    const refrain_scope *scope = refrain__run.current->scope;
    return refrain_failed(refrain_canceled(scope && scope->reason ? scope->reason : "given up"));
}

/* Tasks */

refrain_task *refrain_spawn(const refrain_task_type *type, void *context)
{
    return refrain__add_task(type, NULL, context)->task;
}

bool refrain_task_ended(const refrain_task *task)
{
    return task->state->ended;
}

void refrain_task_begin_wait(refrain_task *task, refrain_wait *wait)
{
    refrain__prepare(wait, task->state);
    task->state->wait = wait;
}

bool refrain_task_may_go_on(refrain_task *task)
{
    refrain_wait *wait = task->state->wait;
    polled result = poll_task(task->state);
    task->waited = result == READY ? refrain__which(wait) : REFRAIN_GIVEN_UP;
    return result != PENDING;
}

void refrain_task_end(refrain_task *task, refrain_result result)
{
    if (task->state->scope) REFRAIN_BUG("a task ended in a scope that it began");
    task->result = result;
    task->state->ended = true;
}
