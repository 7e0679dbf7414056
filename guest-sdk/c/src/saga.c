/*
 * Sagas: undo what was done, in reverse order, when a later step fails.
 */
#include "internal.h"

typedef struct {
    const char *name;
    refrain_activity activity;
    refrain_result (*compensate)(void *context); /* null: the activity */
    void *context;
} compensation;

struct refrain_saga {
    compensation *compensations;
    size_t count, capacity;
};

/* How many failed compensations a message names; the details have all of them. */
enum { NAMED = 5 };

static compensation *add(refrain_saga *saga, const char *name)
{
    saga->compensations =
        refrain__grown(saga->compensations, saga->count, &saga->capacity, sizeof *saga->compensations);
    compensation *fresh = &saga->compensations[saga->count++];
    fresh->name = refrain__copy_text(name);
    return fresh;
}

void refrain_undo(refrain_saga *saga, const char *name, refrain_activity activity)
{
    add(saga, name)->activity = activity;
}

void refrain_undo_by(refrain_saga *saga, const char *name, refrain_result (*compensate)(void *context), void *context)
{
    compensation *fresh = add(saga, name);
    fresh->compensate = compensate;
    fresh->context = context;
}

static refrain_result run_one(const compensation *one)
{
    refrain_scope *shield = refrain_shield_begin();
    refrain_result result = one->compensate ? one->compensate(one->context) : refrain_call(one->activity);
    refrain_shield_end(shield);
    return result;
}

static refrain_result compensate(const refrain_saga *saga, const char *doing, const refrain_failure *why)
{
    refrain_json *compensated = refrain_array();
    buffer names = {0};
    size_t failed = 0;
    for (size_t i = saga->count; i--;) {
        const compensation *one = &saga->compensations[i];
        refrain_log(REFRAIN_LEVEL_INFO, REFRAIN_FIELDS({"because", refrain_failure_text(why)}), "undo: %s", one->name);
        refrain_result result = run_one(one);
        const char *text = result.failure ? refrain_failure_text(result.failure) : NULL;
        if (text) {
            refrain_log_error("could not %s: %s", one->name, text);
            if (failed < NAMED) {
                if (failed) refrain__put_text(&names, ", ");
                refrain__put_text(&names, one->name);
            }
            failed++;
        }
        refrain_push(compensated, refrain_jsonf("{'undo': %s, 'failure': %s}", one->name, text));
    }
    const refrain_failure *failure =
        failed ? refrain_context(why, "%s (%zu of %zu compensations failed: %s%s)", doing, failed, saga->count,
                                 refrain__take_text(&names, NULL), failed > NAMED ? ", ..." : "")
               : refrain_context(why, "%s", doing);
    return refrain_failed(refrain_with_details(failure, refrain_jsonf("{'compensations': %p}", (void *)compensated)));
}

refrain_result refrain_run_saga(const char *doing, refrain_saga_body *body, void *context)
{
    refrain_saga *saga = refrain_new(refrain_saga);
    /* A scope of its own: when one around it is canceled, the body is given up alone, and the compensations run. */
    refrain_scope *scope = refrain_scope_begin();
    refrain_result result = body(saga, context);
    refrain_scope_end(scope);
    return result.failure ? compensate(saga, doing, result.failure) : result;
}
