/*
 * What a run may know: itself, randomness, which version of changed code it takes; and what it tells: its log.
 */
#ifndef REFRAIN_CONTEXT_H
#define REFRAIN_CONTEXT_H

#include "op.h"
#include "time.h"

/* What a run knows about itself. */
typedef struct {
    const char *namespace_id;
    const char *workflow_id;
    const char *run_id;
    const char *first_run_id;     /* of this chain of continue-as-new, retry and reset */
    const char *continued_run_id; /* that this one continues; null if none */
    const char *workflow;
    const char *task_queue;
    uint32_t attempt;                    /* from 1; counts those of the run's own retry policy */
    const refrain_failure *last_failure; /* of the attempt before this one; null if none */
    refrain_instant started_at;
    const refrain_execution *parent; /* null if none */
    const refrain_execution *root;   /* the top of the tree of parents; null if none */
    uint64_t journal_entries;        /* when the latest wait returned */
    uint64_t journal_bytes;
    bool continue_as_new_suggested; /* the journal nears its limit: continue as new when it suits */
} refrain_info;

const refrain_info *refrain_run_info(void);

/* Bytes of the run's own random stream: the same on every replay. */
void refrain_random_bytes(void *out, size_t len);

/* A random number: any, and one from 0 up to but not 1. */
uint64_t refrain_random(void);
double refrain_random_unit(void);

/* A version 4 UUID in lower case, the same on every replay. */
const char *refrain_uuid(void);

/*
 * Whether this run takes the new path of a change: true in a run that gets here for the first time, false in one that
 * had passed here before the change. The same id gets the same answer for the whole run.
 */
bool refrain_patched(const char *id);

/*
 * As `refrain_patched` for a place that changes more than once: `max` in a run that gets here for the first time, the
 * recorded number in its replays, `min` in a run that had passed before. Traps when this run needs a version that is
 * not between the two; it is then parked.
 */
uint32_t refrain_get_version(const char *id, uint32_t min, uint32_t max);

typedef enum {
    REFRAIN_LEVEL_TRACE,
    REFRAIN_LEVEL_DEBUG,
    REFRAIN_LEVEL_INFO,
    REFRAIN_LEVEL_WARN,
    REFRAIN_LEVEL_ERROR
} refrain_level;

typedef struct {
    const char *key;
    const char *value;
} refrain_log_field;

/*
 * Writes a line that is kept with the run, and not written again by a replay. The fields end with one without a key;
 * REFRAIN_FIELDS makes such a list:
 *
 *     refrain_log(REFRAIN_LEVEL_WARN, REFRAIN_FIELDS({"file", name}), "that is large");
 */
void refrain_log(refrain_level level, const refrain_log_field *fields, const char *format, ...) REFRAIN_PRINTF(3, 4);

#define REFRAIN_FIELDS(...)     \
    (const refrain_log_field[]) \
    {                           \
        __VA_ARGS__,            \
        {                       \
            NULL, NULL          \
        }                       \
    }

#define refrain_log_debug(...) refrain_log(REFRAIN_LEVEL_DEBUG, NULL, __VA_ARGS__)
#define refrain_log_info(...) refrain_log(REFRAIN_LEVEL_INFO, NULL, __VA_ARGS__)
#define refrain_log_warn(...) refrain_log(REFRAIN_LEVEL_WARN, NULL, __VA_ARGS__)
#define refrain_log_error(...) refrain_log(REFRAIN_LEVEL_ERROR, NULL, __VA_ARGS__)

#endif
