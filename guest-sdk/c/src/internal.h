/*
 * What the SDK's files know of each other. Nothing here is for others.
 */
#ifndef REFRAIN_INTERNAL_H
#define REFRAIN_INTERNAL_H

#include "../include/refrain.h"
#include "abi.h"

/* memory.c */

char *refrain__copy_text(const char *text);

/* Room for one more item behind `count`: `items`, or a larger copy of them. */
void *refrain__grown(void *items, size_t count, size_t *capacity, size_t size);

#ifndef __wasm__
/* Between two runs of a native test. */
void refrain__memory_reset(void);
#endif

/* buffer.c */

typedef struct {
    char *data;
    size_t len, capacity;
} buffer;

void refrain__put(buffer *to, const char *data, size_t len);
void refrain__put_char(buffer *to, char c);
void refrain__put_text(buffer *to, const char *text);
void refrain__put_uint(buffer *to, uint64_t value);

/* What was put, with a zero behind it. */
char *refrain__take_text(buffer *from, size_t *len);

enum { DECIMAL_SIZE = 24 };

/* The digits of a number, somewhere in `digits`. */
const char *refrain__decimal(char digits[DECIMAL_SIZE], uint64_t value);

/* Arguments of a function with any number of them, which a pointer can point to. */
typedef struct {
    va_list list;
} arguments;

/* A conversion of `printf` and, where it is one of integers, its argument. */
typedef struct {
    char conversion;
    bool negative;
    uint64_t magnitude;
} integer;

/* Reads the lengths and the conversion at `*at`. */
integer refrain__next_integer(const char **at, arguments *from);

/* number.c */

enum { NUMBER_SIZE = 40 };

/* Writes a number with a zero behind it; its length. */
size_t refrain__number_text(char *text, double value);

/* Reads a number whose form is right; false where it is larger than any. */
bool refrain__read_number(const char *text, size_t len, double *value);

/* json.c */

typedef struct {
    const char *key;
    size_t key_len;
    const refrain_json *value;
} member;

struct refrain_json {
    refrain_json_kind kind;
    bool negative; /* of an integer */
    size_t count;  /* of a text the bytes, of an array or object what is in it */
    size_t capacity;
    union {
        bool truth;
        uint64_t magnitude;
        double number;
        const char *text;
        const refrain_json **items;
        member *members;
    } u;
};

refrain_json *refrain__integer(bool negative, uint64_t magnitude);

/* A string of a text that is the run's already. */
refrain_json *refrain__string_of(const char *text, size_t len);

/* Adds a member whose key is new. */
void refrain__add(refrain_json *object, const char *key, size_t len, const refrain_json *value);

/* failure.c */

const refrain_failure *refrain__failure(refrain_failure_kind kind, const char *type, const char *message);

/* wire.c: to and from the records of the contract */

abi_string refrain__to_string(const char *text);
abi_option_string refrain__to_option_string(const char *text);
abi_duration refrain__to_duration(refrain_duration duration);
abi_option_duration refrain__to_option_duration(refrain_duration duration);
abi_payload refrain__to_payload(const refrain_json *value);
abi_failure refrain__to_failure(const refrain_failure *failure);
abi_outcome refrain__to_outcome(refrain_result result);
abi_option_retry refrain__to_retry(const refrain_retry *retry);
void refrain__to_more(abi_named_list *more, const char *key, const refrain_json *value);

/* A text of the host's; the null pointer where there is none. */
const char *refrain__text(abi_string text);
const char *refrain__option_text(abi_option_string text);
const refrain_failure *refrain__from_failure(const abi_failure *failure);

/* A value from a payload, or why it is none. */
refrain_result refrain__from_payload(const abi_payload *payload);

/* waits.c: who waits for what */

typedef struct {
    refrain_wait *first, *last;
} waiters;

typedef struct refrain_task_state task_state;

/* Wakes all of them, in the order in which they began to wait. */
void refrain__wake_all(const waiters *these);
bool refrain__are_none(const waiters *these);

/* One that wakes `task`, and nothing else; it is not in any list yet. */
refrain_wait *refrain__listener(task_state *task);
void refrain__enlist(refrain_wait *wait, waiters *in);
void refrain__unlist(refrain_wait *wait);

/* A wait begins: timers start, in the order in which they are listed. */
void refrain__prepare(refrain_wait *wait, task_state *task);

/* Whether what is waited for is so. Who is not ready will be woken. */
bool refrain__poll(refrain_wait *wait);

/* A wait is over: nothing wakes it any more, and timers that have not fired are ended. */
void refrain__finish(refrain_wait *wait);

/* Which of several it was. */
int refrain__which(const refrain_wait *wait);

/* inbox.c: what the run was told and has not used yet */

typedef enum { OP_ACTIVITY, OP_CHILD, OP_CHILD_STARTED, OP_TIMER, OP_SENT } op_kind;

struct refrain_op {
    uint64_t number; /* zero: it could not be started */
    op_kind kind;
    bool delivered; /* its end has come */
    bool seen;      /* and someone has looked */
    bool dropped;
    bool with_run; /* is asked to end when the run is */
    bool decoded;
    const char *name; /* what was started, for words about it */
    const abi_outcome *ended;
    refrain_result outcome; /* once `decoded` */
    waiters waiters;
    refrain_scope *scope;        /* that it belongs to */
    refrain_op *next, *previous; /* in its scope */
};

typedef struct unread_signal {
    const char *name;
    abi_payload input;
    struct unread_signal *next_of_name;
    struct unread_signal *next, *previous; /* among all, as they came */
} unread_signal;

typedef struct {
    const char *name;
    unread_signal *first, *last;
    waiters waiters;
    const refrain_signal *handler; /* gets what comes, in place of those who wait */
    void *context;
} channel;

channel *refrain__channel(const char *name);

/* Takes an event in, and wakes who waits for it or begins what handles it. */
void refrain__deliver(const abi_event *event);

/* An op that was just started, which the inbox hears of from now on; or that could not be, and why. */
refrain_op *refrain__started(uint64_t number, op_kind kind, const char *name);
refrain_op *refrain__not_started(op_kind kind, const char *name, const refrain_failure *why);

/* Whether its end is still to come, and wanted. */
bool refrain__is_open(const refrain_op *op);

/* scope.c */

struct refrain_scope {
    bool is_shield;
    bool with_run;
    const char *reason; /* why it was canceled, once it was */
    task_state *task;
    refrain_scope *outer, *inner;
    refrain_op *first, *last; /* what belongs to it and has not ended, in the order of their starts */
    refrain_wait *hears_run;  /* of `with_run`, until the run's cancel request has come */
    refrain_wait *settles;    /* among the conditions: looks at itself when everything has run */
};

/* Why nothing may be started now; null if it may. */
const refrain_failure *refrain__refusal(void);
void refrain__join_scope(refrain_op *op);
void refrain__leave_scope(refrain_op *op);

/* Passes the run's cancel request on to the scopes of a task. */
void refrain__hear(task_state *task);

/* Whether a task that cannot go on is to be given up. */
bool refrain__settle(task_state *task);

/* handlers.c */

typedef struct handled {
    const char *kind; /* `signal` or `update` */
    const char *name;
    size_t running;
    struct handled *next;
} handled;

typedef struct {
    const char *name, *id;
} update_info;

/* Begins a handler's task. */
task_state *refrain__handle(const char *kind, const char *name, const refrain_task_type *type, const void *input,
                            void *context);
void refrain__begin_signal(const channel *channel, const abi_payload *input);
void refrain__deliver_update(const abi_message *message);

/* Handles the update that came first; false if there is none. */
bool refrain__handle_next_update(void);
void refrain__answer_query(const abi_message *message);

/* run.c: tasks, and the one place where a run waits */

struct refrain_task_state {
    refrain_task *task; /* null: the workflow's own function */
    bool ready;         /* in the queue of those that can go on */
    bool ended;
    task_state *next; /* in that queue, or among what was spawned */
    refrain_wait *wait;
    refrain_scope *scope; /* the innermost */
    waiters waiters;
    handled *handled; /* of a handler */
    bool is_update;
    uint64_t request;
    update_info update;
};

typedef struct update_entry {
    const abi_message *message;
    struct update_entry *next;
} update_entry;

typedef struct {
    const refrain_update *update;
    void *context;
} update_handler;

typedef struct {
    const refrain_query *query;
    void *context;
} query_handler;

/* All that a run is. An instance has one; a native test has one after the other. */
typedef struct {
    task_state main;
    task_state nobody; /* is the current task where no task's code runs */
    task_state *current;
    task_state *ready, *last_ready;
    task_state *spawned, *last_spawned;

    refrain_op **ops; /* by their numbers */
    size_t ops_capacity;
    channel **channels; /* sorted by name */
    size_t channel_count, channel_capacity;
    unread_signal *unread, *last_unread;
    const char *cancel_reason; /* once there is a request */
    waiters cancel_waiters;

    waiters conditions;
    bool changed; /* something ran since conditions were looked at */

    update_entry *updates, *last_update;
    update_handler *update_handlers;
    size_t update_count, update_capacity;
    query_handler *query_handlers;
    size_t query_count, query_capacity;
    handled *handled;
    const update_info *current_update;

    uint32_t reads; /* how often the clock was read in this step */
} run_state;

extern run_state refrain__run;

void refrain__wake_task(task_state *task);

/* Takes a task up that runs when the one that made it waits. */
task_state *refrain__add_task(const refrain_task_type *type, const void *input, void *context);

/* Waits in the workflow's own function; false when it was given up. */
bool refrain__block(refrain_wait *wait);

/* The failure of what was given up in a canceled scope. */
refrain_result refrain__given_up(void);

/* workflow.c */

/* Runs a workflow to its end. In a real run it does not come back where the workflow answers queries. */
void refrain__run_workflow(const refrain_workflow *workflow, const abi_payload *input, abi_completion *completion);
void refrain__finish_run(const abi_completion *completion);
void refrain__describe(const refrain_workflow *const *workflows, abi_manifest *manifest);

#endif
