/*
 * What a run asks its host for besides work: time, randomness, and a log.
 */
#include <string.h>

#include "suite.h"

static const refrain_field SPAN_FIELDS[] = {
    REFRAIN_FIELD(span, ms, &refrain_type_uint64, "Milliseconds."),
};
const refrain_type SPAN = REFRAIN_STRUCT("Time", span, SPAN_FIELDS);

static refrain_result timer(const void *input)
{
    const span *span = input;
    REFRAIN_CHECK(refrain_sleep(refrain_millis(span->ms)));
    return refrain_done(refrain_string("slept"));
}

const refrain_workflow TIMER = {
    .name = "timer", .doc = "Sleeps.", .input = &SPAN, .output = &refrain_type_string, .run = timer};

/* What is so of what was read. */
typedef struct {
    bool moves_on;
    bool uuid;
    uint64_t bytes;
} readings;

static const refrain_field READINGS_FIELDS[] = {
    REFRAIN_FIELD(readings, moves_on, &refrain_type_bool, "Whether the second look at the clock showed a later time."),
    REFRAIN_FIELD(readings, uuid, &refrain_type_bool, "Whether the UUID is one of version 4, in lower case."),
    REFRAIN_FIELD(readings, bytes, &refrain_type_uint64, "How many random bytes there were."),
};
static const refrain_type READINGS = REFRAIN_STRUCT("Reads", readings, READINGS_FIELDS);

static bool is_version_4(const char *uuid)
{
    static const char FORM[] = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";
    if (strlen(uuid) != sizeof FORM - 1) return false;
    for (size_t i = 0; FORM[i]; i++) {
        const char *allowed = FORM[i] == 'x' ? "0123456789abcdef" : FORM[i] == 'y' ? "89ab" : NULL;
        if (allowed ? !strchr(allowed, uuid[i]) : uuid[i] != FORM[i]) return false;
    }
    return true;
}

static refrain_result reads(const void *input)
{
    (void)input;
    refrain_instant first = refrain_now();
    refrain_instant second = refrain_now();
    unsigned char bytes[8];
    refrain_random_bytes(bytes, sizeof bytes);
    readings were = {refrain_compare(second, first) > 0, is_version_4(refrain_uuid()), sizeof bytes};
    return refrain_done(refrain_encode(&READINGS, &were));
}

const refrain_workflow READS = {
    .name = "reads",
    .doc = "Reads the clock twice, random bytes and a UUID, in this order.",
    .output = &READINGS,
    .run = reads,
};

static refrain_result log_two_lines(const void *input)
{
    (void)input;
    refrain_log(REFRAIN_LEVEL_INFO, REFRAIN_FIELDS({"n", "1"}), "hello");
    refrain_log_warn("careful");
    return refrain_done(NULL);
}

const refrain_workflow LOG = {
    .name = "log", .doc = "Writes two lines to the run's log.", .output = &refrain_type_null, .run = log_two_lines};
