/*
 * Ops: what is started now and ends later. Activities, timers, children, and what is sent to other workflows.
 *
 * Everything that is not given is zero, which is the default. What is started goes on while the workflow does, so two
 * activities at once are two starts before the first `refrain_await`.
 */
#ifndef REFRAIN_OP_H
#define REFRAIN_OP_H

#include "failure.h"
#include "time.h"
#include "type.h"

/* Something that was started. */
typedef struct refrain_op refrain_op;

/*
 * Waits for the end of an op: its result, or why it failed. One that has ended gives the same again each time.
 *
 * Only the workflow's own function can wait, with what it calls. Tasks wait by REFRAIN_AWAIT (task.h).
 */
refrain_result refrain_await(refrain_op *op);

/* As `refrain_await`, and reads the result as a type into `out`, a failure if it does not fit. */
refrain_result refrain_await_as(refrain_op *op, const refrain_type *type, void *out);

/* Whether a wait has brought the end of an op. */
bool refrain_has_ended(const refrain_op *op);

/*
 * Asks an op to end. Await it to see what came of it: the result, when that was faster, or a failure of kind canceled.
 * What was sent cannot be called back.
 */
void refrain_cancel(refrain_op *op, const char *reason);

/*
 * Gives up the outcome of an op: nobody hears of it any more. An activity or a child goes on; a timer is canceled. What
 * is open when the workflow ends is canceled by the host; children have a policy for that.
 */
void refrain_drop(refrain_op *op);

/* How many types of failures a retry policy names at most. */
enum { REFRAIN_NON_RETRYABLE_MOST = 8 };

/* When and how often the host tries again; all zero is without end, 1 s to 100 s apart. */
typedef struct {
    refrain_duration initial_interval; /* from the first failure to the second attempt; zero: 1 s */
    double backoff_coefficient;        /* how much longer each interval is than the one before, at least 1; zero: 2 */
    refrain_duration maximum_interval; /* the longest interval; zero: a hundred times the first */
    uint32_t maximum_attempts;         /* the first one included; zero: no limit */
    const char *non_retryable[REFRAIN_NON_RETRYABLE_MOST]; /* failures of these types end the attempts */
    double jitter; /* each interval is shortened by a random part of at most this share of it, 0 to 1 */
} refrain_retry;

/* What `refrain_cancel` does to the work. */
typedef enum {
    REFRAIN_TRY_CANCEL,            /* ask it to stop; the op fails as canceled at once */
    REFRAIN_WAIT_FOR_CANCELLATION, /* ask it to stop; the op gets whatever it then answers */
    REFRAIN_ABANDON                /* do not tell it; the op fails as canceled at once */
} refrain_cancellation;

/*
 * An activity: work with side effects, done outside the workflow, at least once, its outcome recorded once. One of
 * `start_to_close` and `schedule_to_close` is required. Of times, zero is none.
 */
typedef struct {
    const char *name;
    const refrain_json *input;
    refrain_duration start_to_close;    /* at most so long for each attempt; what takes longer is retried */
    refrain_duration schedule_to_close; /* at most so long for all attempts together */
    refrain_duration schedule_to_start; /* at most so long until a worker takes it; not retried */
    refrain_duration heartbeat;         /* an attempt that is silent for longer is retried */
    refrain_retry retry;                /* all zero: without end, 1 s to 100 s apart */
    refrain_cancellation cancellation;
    bool cancel_with_run; /* when someone asks the run to end, ask the activity too, and wait for what comes of it */
    bool local;       /* run by the host itself at once, before the step that starts it is durable: for short work that
                         does no harm twice or in vain. Queue, priority and fairness are without effect. */
    uint8_t priority; /* 1 (first) to 5; zero: 3. Of what waits in a task queue, lower numbers start first. */
    const char *task_queue;   /* null: the run's own */
    const char *fairness_key; /* whose turn it takes in its queue, for example a tenant's; null: of all without one */
    double fairness_weight;   /* how large the share of that key is, 0.001 to 1000; zero: 1 */
    const char *summary;      /* one line for people who read the history */
} refrain_activity;

/* Starts an activity. In a canceled scope nothing is started, and the op has failed as canceled. */
refrain_op *refrain_start(refrain_activity activity);

/* Starts an activity and waits for it. */
refrain_result refrain_call(refrain_activity activity);

/* What a closed execution of the same id means for the start of a child. */
typedef enum {
    REFRAIN_REUSE_ALLOW,
    REFRAIN_REUSE_ALLOW_FAILED_ONLY, /* only if its latest run did not complete */
    REFRAIN_REUSE_REJECT
} refrain_id_reuse;

/* What happens to a child when this run ends first, also by continue-as-new. */
typedef enum { REFRAIN_CLOSE_TERMINATE, REFRAIN_CLOSE_REQUEST_CANCEL, REFRAIN_CLOSE_ABANDON } refrain_parent_close;

/* A child: an execution that this run starts, and that knows it as its parent. */
typedef struct {
    const char *workflow;
    const refrain_json *input;
    const char *id; /* its workflow id; null: one that nothing else has. One in use is a failure (`already-exists`). */
    refrain_id_reuse id_reuse;
    const char *component;  /* that has the workflow, in its current version; null: this run's own, else the only one */
    const char *task_queue; /* of its activities; null: this run's */
    refrain_duration execution_timeout; /* for all its runs together */
    refrain_duration run_timeout;       /* for each of its runs */
    refrain_retry retry;                /* all zero: a run that failed is not followed by another */
    refrain_parent_close parent_close;
    refrain_cancellation cancellation;
    bool cancel_with_run;     /* as of an activity */
    const refrain_json *memo; /* an object: notes that are kept with it, for people and programs that look for it */
    const char *summary;
} refrain_child;

/* Starts a child; the op is its end, over all its runs. */
refrain_op *refrain_start_child(refrain_child child);

/*
 * As `refrain_start_child`, with a second op in `*started`: its result is `{"workflow_id": ..., "run_id": ...}` once
 * the child exists. It costs the run a wait of its own.
 */
refrain_op *refrain_start_child_watched(refrain_child child, refrain_op **started);

/* Starts a child and waits for its end. */
refrain_result refrain_call_child(refrain_child child);

/* Starts a timer. `refrain_drop` ends one that nobody waits for any more. */
refrain_op *refrain_start_timer(refrain_duration duration);
refrain_op *refrain_start_timer_named(refrain_duration duration, const char *summary);

/* Another execution. */
typedef struct {
    const char *workflow_id;
    const char *run_id; /* null: its current run */
} refrain_execution;

/*
 * Sends a signal. The op ends when it is durable there, or fails because it cannot be: there is no such execution
 * (`not-found`), or it has ended (`closed`).
 */
refrain_op *refrain_send(refrain_execution target, const char *signal, const refrain_json *input);

/* Asks another execution to cancel itself. The op ends when the request is durable there, which is not its end. */
refrain_op *refrain_send_cancel(refrain_execution target, const char *reason);

#endif
