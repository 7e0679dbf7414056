/*
 * What a run may know, and its log.
 */
#include "internal.h"

#include <string.h>

static const refrain_execution *to_execution(const abi_option_execution *from)
{
    if (!from->some) return NULL;
    refrain_execution *execution = refrain_new(refrain_execution);
    execution->workflow_id = refrain__text(from->value.workflow_id);
    execution->run_id = refrain__option_text(from->value.run_id);
    return execution;
}

const refrain_info *refrain_run_info(void)
{
    abi_run_info from;
    abi_context_info(&from);
    refrain_info *info = refrain_new(refrain_info);
    *info = (refrain_info){
        .namespace_id = refrain__text(from.namespace_),
        .workflow_id = refrain__text(from.workflow_id),
        .run_id = refrain__text(from.run_id),
        .first_run_id = refrain__text(from.first_run_id),
        .continued_run_id = refrain__option_text(from.continued_run_id),
        .workflow = refrain__text(from.workflow),
        .task_queue = refrain__text(from.task_queue),
        .attempt = from.attempt,
        .last_failure = from.last_failure.some ? refrain__from_failure(&from.last_failure.value) : NULL,
        .started_at = {from.started_at.seconds, from.started_at.nanoseconds},
        .parent = to_execution(&from.parent),
        .root = to_execution(&from.root),
        .journal_entries = from.journal_entries,
        .journal_bytes = from.journal_bytes,
        .continue_as_new_suggested = from.continue_as_new_suggested,
    };
    return info;
}

void refrain_random_bytes(void *out, size_t len)
{
    enum { AT_ONCE = 65536 /* the most that the host gives */ };
    char *to = out;
    while (len) {
        abi_string bytes;
        abi_context_random_bytes(len < AT_ONCE ? (uint32_t)len : AT_ONCE, &bytes);
        memcpy(to, bytes.data, bytes.len);
        to += bytes.len;
        len -= bytes.len;
    }
}

uint64_t refrain_random(void)
{
    unsigned char bytes[8];
    refrain_random_bytes(bytes, sizeof bytes);
    uint64_t value = 0;
    for (size_t i = sizeof bytes; i--;) value = value << 8 | bytes[i];
    return value;
}

double refrain_random_unit(void)
{
    /* As many bits as the fraction holds: each multiple of 2^-53 below 1 is equally likely. */
    return (double)(refrain_random() >> 11) / 9007199254740992.0;
}

const char *refrain_uuid(void)
{
    abi_string uuid;
    abi_context_uuid(&uuid);
    return refrain__text(uuid);
}

bool refrain_patched(const char *id)
{
    return abi_version_patched(id, strlen(id)) != 0;
}

uint32_t refrain_get_version(const char *id, uint32_t min, uint32_t max)
{
    return abi_version_get(id, strlen(id), min, max);
}

void refrain_log(refrain_level level, const refrain_log_field *fields, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    const char *message = refrain_text_v(format, list);
    va_end(list);
    size_t count = 0;
    while (fields && fields[count].key) count++;
    abi_field *wire = refrain_new_array(abi_field, count);
    for (size_t i = 0; i < count; i++)
        wire[i] = (abi_field){refrain__to_string(fields[i].key), refrain__to_string(fields[i].value)};
    abi_log_write((uint32_t)level, message, strlen(message), wire, count);
}
