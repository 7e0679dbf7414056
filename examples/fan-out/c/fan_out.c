/*
 * Many batches of many tasks, a few of them at once; what fails is counted, and stops nothing else.
 *
 * `fan_out` gives each batch to a child, `batch`, which does its tasks. A thousand batches of a hundred tasks are a
 * hundred thousand tasks, and no journal has more than a few entries for each batch or each task of one batch: that is
 * what children are for when there is much to do. A journal has an end, and is read whole when a run comes back.
 *
 * - A few at once: `refrain_join_bounded` starts the next when one has ended.
 * - Partial failures: it goes on, and each op has its own outcome. A task that fails is a number in its batch's result.
 * A batch of which nothing can be done fails, and is a number in the result of all.
 * - Local activities are recorded with the step that starts them, without a commit of their own. They suit tasks that
 *   are short and may well be done again when the host dies.
 *
 * A task hashes a file, `batch-0007/task-0042` of a directory that the host's `fs` plugin may read.
 */
#include <refrain.h>

typedef struct {
    const char *source;
    uint32_t batches, tasks, batches_at_once, tasks_at_once;
} fan_out_input;

static const refrain_field FAN_OUT_FIELDS[] = {
    REFRAIN_FIELD(fan_out_input, source, &refrain_type_string,
                  "The directory of the files, by its name in the host's configuration."),
    REFRAIN_FIELD(fan_out_input, batches, &refrain_type_uint32, NULL),
    REFRAIN_FIELD(fan_out_input, tasks, &refrain_type_uint32, "How many tasks each batch has."),
    REFRAIN_FIELD(fan_out_input, batches_at_once, &refrain_type_uint32,
                  "How many batches are under way at once; at least 1."),
    REFRAIN_FIELD(fan_out_input, tasks_at_once, &refrain_type_uint32, "How many tasks of a batch are; at least 1."),
};
static const refrain_type FAN_OUT_INPUT = REFRAIN_STRICT_STRUCT("FanOut", fan_out_input, FAN_OUT_FIELDS);

typedef struct {
    uint64_t done, failed;
} count;

static const refrain_field COUNT_FIELDS[] = {
    REFRAIN_FIELD(count, done, &refrain_type_uint64, NULL),
    REFRAIN_FIELD(count, failed, &refrain_type_uint64, NULL),
};
static const refrain_type COUNT = REFRAIN_STRUCT("Count", count, COUNT_FIELDS);

/* How many reasons are told: the first few tell what is wrong, and the histories of the batches have the others. */
enum { REASONS = 5 };

typedef struct {
    count batches, tasks;
    uint64_t bytes;
    const refrain_json *reasons;
} summary;

static const refrain_type TEXTS = REFRAIN_ANY_WITH_SCHEMA("{\"type\":\"array\",\"items\":{\"type\":\"string\"}}");
static const refrain_field SUMMARY_FIELDS[] = {
    REFRAIN_FIELD(summary, batches, &COUNT, NULL),
    REFRAIN_FIELD(summary, tasks, &COUNT, "Those of the batches that failed are in neither number."),
    REFRAIN_FIELD(summary, bytes, &refrain_type_uint64, "Of all files."),
    REFRAIN_FIELD(summary, reasons, &TEXTS, "Why some of the batches failed."),
};
static const refrain_type SUMMARY = REFRAIN_STRUCT("Summary", summary, SUMMARY_FIELDS);

typedef struct {
    const char *source;
    uint32_t number, tasks, at_once;
} batch_input;

static const refrain_field BATCH_FIELDS[] = {
    REFRAIN_FIELD(batch_input, source, &refrain_type_string, NULL),
    REFRAIN_FIELD(batch_input, number, &refrain_type_uint32, NULL),
    REFRAIN_FIELD(batch_input, tasks, &refrain_type_uint32, NULL),
    REFRAIN_FIELD(batch_input, at_once, &refrain_type_uint32, NULL),
};
static const refrain_type BATCH_INPUT = REFRAIN_STRUCT("Batch", batch_input, BATCH_FIELDS);

typedef struct {
    count tasks;
    uint64_t bytes;
} did;

static const refrain_field DID_FIELDS[] = {
    REFRAIN_FIELD(did, tasks, &COUNT, NULL),
    REFRAIN_FIELD(did, bytes, &refrain_type_uint64, NULL),
};
static const refrain_type DID = REFRAIN_STRUCT("Did", did, DID_FIELDS);

/* All batches */

static refrain_op *start_batch(size_t place, void *context)
{
    const fan_out_input *all = context;
    batch_input batch = {all->source, (uint32_t)place, all->tasks, all->tasks_at_once};
    return refrain_start_child((refrain_child){.workflow = "batch", .input = refrain_encode(&BATCH_INPUT, &batch)});
}

static refrain_result fan_out(const void *input)
{
    fan_out_input all = *(const fan_out_input *)input;
    if (!all.batches_at_once || !all.tasks_at_once) {
        const char *why = "`batches_at_once` or `tasks_at_once` is 0: give at least 1";
        return refrain_failed(refrain_non_retryable(refrain_fail(NULL, "%s", why)));
    }
    refrain_op **batches = refrain_new_array(refrain_op *, all.batches);
    /* Who calls it off ends the batches that are under way, and those that are not never start. */
    refrain_scope *scope = refrain_scope_begin_with_run();
    refrain_result joined = refrain_join_bounded(all.batches_at_once, all.batches, start_batch, &all, batches);
    refrain_scope_end(scope);
    REFRAIN_CHECK(joined);

    refrain_json *reasons = refrain_array();
    summary summary = {.reasons = reasons};
    for (uint32_t i = 0; i < all.batches; i++) {
        did did;
        const refrain_failure *why = refrain_await_as(batches[i], &DID, &did).failure;
        if (refrain_is_canceled(why)) return refrain_failed(why);
        if (why) {
            summary.batches.failed++;
            if (refrain_count(reasons) < REASONS) refrain_push(reasons, refrain_string(refrain_failure_text(why)));
            continue;
        }
        summary.batches.done++;
        summary.tasks.done += did.tasks.done;
        summary.tasks.failed += did.tasks.failed;
        summary.bytes += did.bytes;
    }
    refrain_log(REFRAIN_LEVEL_INFO,
                REFRAIN_FIELDS({"done", refrain_text("%llu", (unsigned long long)summary.batches.done)},
                               {"failed", refrain_text("%llu", (unsigned long long)summary.batches.failed)}),
                "all batches have ended");
    return refrain_done(refrain_encode(&SUMMARY, &summary));
}

/* One batch */

typedef struct {
    uint64_t size;
} file;

static const refrain_field FILE_FIELDS[] = {REFRAIN_FIELD(file, size, &refrain_type_uint64, NULL)};
static const refrain_type FILE_TYPE = REFRAIN_STRUCT("File", file, FILE_FIELDS);

static refrain_op *start_task(size_t place, void *context)
{
    const batch_input *batch = context;
    const char *path = refrain_text("batch-%04u/task-%04zu", batch->number, place);
    return refrain_start((refrain_activity){
        .name = "fs.hash",
        .input = refrain_jsonf("{'directory': %s, 'path': %s}", batch->source, path),
        .local = true,
        .start_to_close = refrain_seconds(30),
        /* What fails three times within a second or two is a matter for people. */
        .retry = {.maximum_attempts = 3},
    });
}

static refrain_result batch(const void *input)
{
    batch_input batch = *(const batch_input *)input;
    refrain_op **tasks = refrain_new_array(refrain_op *, batch.tasks);
    REFRAIN_CHECK(refrain_join_bounded(batch.at_once, batch.tasks, start_task, &batch, tasks));
    did did = {0};
    const refrain_failure *last = NULL;
    for (uint32_t i = 0; i < batch.tasks; i++) {
        file file;
        const refrain_failure *why = refrain_await_as(tasks[i], &FILE_TYPE, &file).failure;
        if (why) {
            did.tasks.failed++;
            last = why;
        } else {
            did.tasks.done++;
            did.bytes += file.size;
        }
    }
    if (last && !did.tasks.done)
        return refrain_failed(
            refrain_context(last, "batch %u: none of %u tasks can be done", batch.number, batch.tasks));
    return refrain_done(refrain_encode(&DID, &did));
}

static const refrain_workflow FAN_OUT = {
    .name = "fan_out",
    .doc = "Does all tasks of all batches, and counts what could not be done.",
    .input = &FAN_OUT_INPUT,
    .output = &SUMMARY,
    .run = fan_out,
};

static const refrain_workflow BATCH = {
    .name = "batch",
    .doc = "Does the tasks of one batch. It fails when none of them can be done.",
    .input = &BATCH_INPUT,
    .output = &DID,
    .run = batch,
};

REFRAIN_COMPONENT(&FAN_OUT, &BATCH)
