/*
 * The contract of `wit/` as C: what the host's functions take and give, byte for byte as the component model lays it
 * out. Nothing here knows what the SDK makes of it.
 *
 * The records have the layout that a C compiler for wasm32 gives these structs anyway: fields in order, each aligned as
 * its type, an option or a variant as a tag of one byte and a payload behind it. So a list of records is an array of
 * structs, and nothing is copied from one form into another. Imports take up to sixteen plain arguments; what would
 * need more is given by a pointer to a struct of them, and what is more than one result is written to the last
 * pointer. `_Static_assert`s in abi.c hold the layout; the host compares the signatures when it makes the component.
 *
 * In a native build the imports are plain functions, and testing/ has them.
 */
#ifndef REFRAIN_ABI_H
#define REFRAIN_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __wasm__
#define ABI_IMPORT(interface, function) \
    __attribute__((import_module("refrain:workflow/" interface "@0.1.0"), import_name(function)))
#define ABI_EXPORT(function) __attribute__((export_name(function)))
#else
#define ABI_IMPORT(interface, function)
#define ABI_EXPORT(function)
#endif

/* types */

typedef struct {
    const char *data;
    size_t len;
} abi_string;

typedef struct {
    bool some;
    abi_string value;
} abi_option_string;

typedef struct {
    uint64_t seconds;
    uint32_t nanoseconds;
} abi_duration;

/* An instant has the same shape. */
typedef abi_duration abi_instant;

typedef struct {
    bool some;
    abi_duration value;
} abi_option_duration;

typedef struct {
    abi_string content_type;
    abi_string data;
} abi_payload;

typedef struct {
    bool some;
    abi_payload value;
} abi_option_payload;

typedef struct {
    abi_string name;
    abi_payload value;
} abi_named;

typedef struct {
    const abi_named *items;
    size_t len;
} abi_named_list;

typedef struct {
    uint8_t kind;
    abi_string error_type;
    abi_string message;
    abi_string stack;
    abi_option_payload details;
} abi_cause;

typedef struct {
    uint8_t kind;
    abi_string error_type;
    abi_string message;
    abi_string stack;
    abi_option_payload details;
    bool non_retryable;
    struct {
        const abi_cause *items;
        size_t len;
    } causes;
} abi_failure;

typedef struct {
    bool failed;
    union {
        abi_payload ok;
        abi_failure failure;
    } u;
} abi_outcome;

typedef struct {
    abi_duration initial_interval;
    double backoff_coefficient;
    abi_option_duration maximum_interval;
    uint32_t maximum_attempts;
    struct {
        const abi_string *items;
        size_t len;
    } non_retryable_error_types;
    abi_named_list more;
} abi_retry;

typedef struct {
    bool some;
    abi_retry value;
} abi_option_retry;

typedef struct {
    abi_string workflow_id;
    abi_option_string run_id;
} abi_execution;

typedef struct {
    bool some;
    abi_execution value;
} abi_option_execution;

typedef struct {
    abi_string name;
    abi_payload input;
} abi_unread;

typedef struct {
    abi_option_string workflow;
    abi_payload input;
    bool newest_version;
    abi_option_duration run_timeout;
    struct {
        const abi_unread *items;
        size_t len;
    } unread;
    abi_named_list more;
} abi_next_run;

enum { ABI_COMPLETED, ABI_FAILED, ABI_CANCELED, ABI_CONTINUE_AS_NEW };

typedef struct {
    uint8_t tag;
    union {
        abi_payload completed;
        abi_failure failed;
        abi_option_payload canceled;
        abi_next_run next;
    } u;
} abi_completion;

/* context */

typedef struct {
    abi_string namespace_;
    abi_string workflow_id;
    abi_string run_id;
    abi_string first_run_id;
    abi_option_string continued_run_id;
    abi_string workflow;
    abi_string task_queue;
    uint32_t attempt;
    struct {
        bool some;
        abi_failure value;
    } last_failure;
    abi_instant started_at;
    abi_option_execution parent;
    abi_option_execution root;
    uint64_t journal_entries;
    uint64_t journal_bytes;
    bool continue_as_new_suggested;
    abi_named_list more;
} abi_run_info;

ABI_IMPORT("context", "info") void abi_context_info(abi_run_info *result);
ABI_IMPORT("context", "now") void abi_context_now(abi_instant *result);
ABI_IMPORT("context", "random-bytes") void abi_context_random_bytes(uint32_t len, abi_string *result);
ABI_IMPORT("context", "uuid") void abi_context_uuid(abi_string *result);

/* activity */

typedef struct {
    abi_string name;
    abi_payload input;
    struct {
        abi_option_string task_queue;
        abi_option_duration schedule_to_close_timeout;
        abi_option_duration schedule_to_start_timeout;
        abi_option_duration start_to_close_timeout;
        abi_option_duration heartbeat_timeout;
        abi_option_retry retry;
        uint8_t cancellation;
        struct {
            bool some;
            uint8_t value;
        } priority;
        abi_option_string summary;
        abi_named_list more;
    } options;
} abi_activity;

ABI_IMPORT("activity", "start") uint64_t abi_activity_start(const abi_activity *activity);
ABI_IMPORT("activity", "start-local") uint64_t abi_activity_start_local(const abi_activity *activity);

/* timer */

ABI_IMPORT("timer", "start")
uint64_t abi_timer_start(uint64_t seconds, uint32_t nanoseconds, uint32_t has_summary, const char *summary, size_t len);

/* child */

typedef struct {
    abi_string workflow;
    abi_payload input;
    struct {
        abi_option_string workflow_id;
        uint8_t id_reuse;
        abi_option_string component;
        abi_option_string task_queue;
        abi_option_duration execution_timeout;
        abi_option_duration run_timeout;
        abi_option_retry retry;
        uint8_t parent_close;
        uint8_t cancellation;
        abi_named_list memo;
        abi_option_string summary;
        abi_named_list more;
    } options;
} abi_child;

typedef struct {
    uint64_t started;
    uint64_t finished;
} abi_child_ops;

ABI_IMPORT("child", "start") void abi_child_start(const abi_child *child, abi_child_ops *result);

/* external */

ABI_IMPORT("external", "signal")
uint64_t abi_external_signal(const char *id, size_t id_len, uint32_t has_run, const char *run, size_t run_len,
                             const char *name, size_t name_len, const char *content_type, size_t content_type_len,
                             const char *data, size_t data_len);
ABI_IMPORT("external", "request-cancel")
uint64_t abi_external_cancel(const char *id, size_t id_len, uint32_t has_run, const char *run, size_t run_len,
                             const char *reason, size_t reason_len);

/* messages */

enum { ABI_SIGNAL, ABI_UPDATE, ABI_QUERY, ABI_CANCEL_REQUESTED, ABI_OTHER };

typedef struct {
    uint8_t tag;
    union {
        struct {
            abi_string name;
            abi_payload input;
        } signal;
        struct {
            uint64_t request;
            abi_string update_id;
            abi_string name;
            abi_payload input;
        } update;
        struct {
            uint64_t request;
            abi_string name;
            abi_payload input;
        } query;
        struct {
            abi_string reason;
        } cancel_requested;
        struct {
            abi_string kind;
            struct {
                bool some;
                uint64_t value;
            } request;
            abi_string name;
            abi_payload input;
        } other;
    } u;
} abi_message;

typedef struct {
    uint64_t request;
    abi_outcome answer;
} abi_answer;

ABI_IMPORT("messages", "accept") void abi_messages_accept(uint64_t update);
ABI_IMPORT("messages", "reject")
void abi_messages_reject(uint64_t update, uint32_t kind, const char *error_type, size_t error_type_len,
                         const char *message, size_t message_len, const char *stack, size_t stack_len,
                         uint32_t has_details, const char *details_type, size_t details_type_len, const char *details,
                         size_t details_len, uint32_t non_retryable, const abi_cause *causes, size_t causes_len);
ABI_IMPORT("messages", "complete") void abi_messages_complete(const abi_answer *answer);
ABI_IMPORT("messages", "answer") void abi_messages_answer(const abi_answer *answer);

/* wait */

enum { ABI_FINISHED, ABI_MESSAGE };

typedef struct {
    uint8_t tag;
    union {
        struct {
            uint64_t op;
            abi_outcome outcome;
        } finished;
        abi_message message;
    } u;
} abi_event;

typedef struct {
    const abi_event *items;
    size_t len;
} abi_events;

enum { ABI_EVERYTHING, ABI_OPS, ABI_OPS_AND_MESSAGES };

ABI_IMPORT("wait", "next")
void abi_wait_next(uint32_t interest, const uint64_t *ops, size_t ops_len, abi_events *result);
ABI_IMPORT("wait", "cancel") void abi_wait_cancel(uint64_t op, const char *reason, size_t reason_len);
ABI_IMPORT("wait", "detach") void abi_wait_detach(uint64_t op);

/* version */

ABI_IMPORT("version", "patched") uint32_t abi_version_patched(const char *id, size_t id_len);
ABI_IMPORT("version", "get-version")
uint32_t abi_version_get(const char *id, size_t id_len, uint32_t min, uint32_t max);

/* log */

typedef struct {
    abi_string key;
    abi_string value;
} abi_field;

ABI_IMPORT("log", "write")
void abi_log_write(uint32_t level, const char *message, size_t message_len, const abi_field *fields, size_t fields_len);

/* control. The sixteen arguments are the completion, flattened: of each position the widest type of all cases. */

ABI_IMPORT("control", "finish")
void abi_control_finish(uint32_t tag, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, uintptr_t f,
                        uintptr_t g, uintptr_t h, uintptr_t i, uint64_t j, uintptr_t k, uintptr_t l, uintptr_t m,
                        uintptr_t n, uintptr_t o);

/* definition: what the component exports */

typedef struct {
    abi_string name;
    abi_string doc;
    abi_option_string input_schema;
    abi_option_string output_schema;
} abi_message_type;

typedef struct {
    const abi_message_type *items;
    size_t len;
} abi_message_types;

typedef struct {
    abi_string name;
    abi_string doc;
    abi_option_string input_schema;
    abi_option_string output_schema;
    abi_message_types signals;
    abi_message_types queries;
    abi_message_types updates;
    uint8_t on_trap;
    abi_named_list more;
} abi_workflow_type;

typedef struct {
    abi_string sdk;
    struct {
        const abi_workflow_type *items;
        size_t len;
    } workflows;
} abi_manifest;

#endif
