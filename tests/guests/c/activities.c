/*
 * Activities: one after the other, and many at once.
 */
#include "suite.h"

static const refrain_field COUNT_FIELDS[] = {
    REFRAIN_FIELD(count, n, &refrain_type_uint64, "From 1 to this."),
};
const refrain_type COUNT = REFRAIN_STRUCT("Count", count, COUNT_FIELDS);

static const refrain_type NUMBERS = REFRAIN_LIST_OF(&refrain_type_uint64);

refrain_activity echo(const refrain_json *input)
{
    return (refrain_activity){.name = "echo", .input = input, .start_to_close = refrain_seconds(10)};
}

static refrain_result sequence(const void *input)
{
    const count *count = input;
    uint64_t total = 0;
    for (uint64_t i = 1; i <= count->n; i++) {
        uint64_t n;
        REFRAIN_CHECK(refrain_await_as(refrain_start(echo(refrain_uint(i))), &refrain_type_uint64, &n));
        total += n;
    }
    return refrain_done(refrain_uint(total));
}

const refrain_workflow SEQUENCE = {
    .name = "sequence",
    .doc = "Adds up what one activity after the other returns.",
    .input = &COUNT,
    .output = &refrain_type_uint64,
    .run = sequence,
};

/* Starts so many, and waits for all of them. */
static refrain_result echo_all(uint64_t n, refrain_op ***ops)
{
    *ops = refrain_new_array(refrain_op *, n);
    for (uint64_t i = 0; i < n; i++) (*ops)[i] = refrain_start(echo(refrain_uint(i + 1)));
    return refrain_try_join(*ops, n);
}

static refrain_result parallel(const void *input)
{
    const count *count = input;
    refrain_op **ops;
    REFRAIN_CHECK(echo_all(count->n, &ops));
    refrain_json *outputs = refrain_array();
    for (uint64_t i = 0; i < count->n; i++) refrain_push(outputs, refrain_outcome(ops[i]).value);
    return refrain_done(outputs);
}

const refrain_workflow PARALLEL = {
    .name = "parallel",
    .doc = "Returns what activities return that run at once, in the order in which they were started.",
    .input = &COUNT,
    .output = &NUMBERS,
    .run = parallel,
};

static refrain_result fan_out(const void *input)
{
    const count *count = input;
    refrain_op **ops;
    REFRAIN_CHECK(echo_all(count->n, &ops));
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count->n; i++) sum += refrain_as_uint(refrain_outcome(ops[i]).value);
    return refrain_done(refrain_uint(sum));
}

const refrain_workflow FAN_OUT = {
    .name = "fan_out",
    .doc = "Adds up what activities return that run at once.",
    .input = &COUNT,
    .output = &refrain_type_uint64,
    .run = fan_out,
};
