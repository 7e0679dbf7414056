/*
 * What others say to a run: signals, queries and updates.
 */
#include "suite.h"

static const refrain_signal GO = {.name = "go", .doc = "Ends the wait.", .input = &refrain_type_string};

static refrain_result select(const void *input)
{
    const span *span = input;
    const char *word;
    switch (refrain_select(refrain_on_signal(&GO, &word), refrain_after(refrain_millis(span->ms)))) {
    case 0: return refrain_done(refrain_jsonf("{'signal': %s}", word));
    default: return refrain_done(refrain_jsonf("{'timer': true}"));
    }
}

const refrain_workflow SELECT = {
    .name = "select",
    .doc = "Waits for a signal or a timer.",
    .input = &SPAN,
    .run = select,
    .signals = REFRAIN_SIGNALS(&GO),
};

static void add_signal(const void *input, void *total)
{
    *(int64_t *)total += *(const int64_t *)input;
}

static refrain_result tell_total(const void *input, void *total)
{
    (void)input;
    return refrain_done(refrain_int(*(int64_t *)total));
}

static const refrain_signal ADD_SIGNAL = {
    .name = "add", .doc = "Adds to the total.", .input = &refrain_type_int64, .handle = add_signal};
static const refrain_signal FINISH = {.name = "finish", .doc = "Ends the run.", .input = &refrain_type_null};
static const refrain_query TOTAL = {
    .name = "total", .doc = "The total so far.", .output = &refrain_type_int64, .answer = tell_total};

static refrain_result query(const void *input)
{
    (void)input;
    int64_t *total = refrain_new(int64_t);
    refrain_handle_signal(&ADD_SIGNAL, total);
    refrain_handle_query(&TOTAL, total);
    REFRAIN_CHECK(refrain_receive(&FINISH, NULL));
    return refrain_done(refrain_int(*total));
}

const refrain_workflow QUERY = {
    .name = "query",
    .doc = "Adds up what signals bring until one says that it is enough.",
    .output = &refrain_type_int64,
    .run = query,
    .signals = REFRAIN_SIGNALS(&ADD_SIGNAL, &FINISH),
    .queries = REFRAIN_QUERIES(&TOTAL),
};

/* How much, and how much there is. */
typedef struct {
    int64_t until;
    int64_t total;
} goal;

static const refrain_field GOAL_FIELDS[] = {
    REFRAIN_FIELD(goal, until, &refrain_type_int64, "The total at which it is enough."),
};
static const refrain_type GOAL = REFRAIN_STRUCT("Goal", goal, GOAL_FIELDS);

static const refrain_failure *must_be_positive(const void *input, void *context)
{
    (void)context;
    long long n = *(const int64_t *)input;
    return n > 0 ? NULL : refrain_fail("not-positive", "%lld is not positive", n);
}

static refrain_result add_update(const void *input, void *context)
{
    goal *goal = context;
    goal->total += *(const int64_t *)input;
    return refrain_done(refrain_int(goal->total));
}

static const refrain_update ADD_UPDATE = {
    .name = "add",
    .doc = "Adds a positive number; the total then.",
    .input = &refrain_type_int64,
    .output = &refrain_type_int64,
    .validate = must_be_positive,
    .handle = add_update,
};

static bool is_reached(void *context)
{
    const goal *goal = context;
    return goal->total >= goal->until;
}

static refrain_result update(const void *input)
{
    goal *mine = refrain_new(goal);
    mine->until = ((const goal *)input)->until;
    refrain_handle_update(&ADD_UPDATE, mine);
    REFRAIN_CHECK(refrain_until(is_reached, mine));
    return refrain_done(refrain_int(mine->total));
}

const refrain_workflow UPDATE = {
    .name = "update",
    .doc = "Adds up what updates bring until it is enough.",
    .input = &GOAL,
    .output = &refrain_type_int64,
    .run = update,
    .updates = REFRAIN_UPDATES(&ADD_UPDATE),
};
