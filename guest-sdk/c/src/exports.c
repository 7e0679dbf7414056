/*
 * What a component exports.
 */
#include "internal.h"

#ifdef __wasm__

#include <string.h>

/* Sizes of some records on wasm32, as wit-bindgen computes them: a struct that is laid out in another way would be read
 * as nonsense. */
_Static_assert(sizeof(abi_activity) == 240, "activity.start");
_Static_assert(sizeof(abi_child) == 224, "child.start");
_Static_assert(sizeof(abi_run_info) == 224, "context.info");
_Static_assert(sizeof(abi_answer) == 72, "messages.answer");
_Static_assert(sizeof(abi_cause) == 48, "cause");

ABI_EXPORT("refrain:workflow/definition@0.1.0#describe")
const abi_manifest *refrain__export_describe(void);

const abi_manifest *refrain__export_describe(void)
{
    abi_manifest *manifest = refrain_new(abi_manifest);
    refrain__describe(refrain_workflows, manifest);
    return manifest;
}

ABI_EXPORT("refrain:workflow/definition@0.1.0#run")
const abi_completion *refrain__export_run(const char *workflow, size_t workflow_len, const char *content_type,
                                          size_t content_type_len, const char *data, size_t data_len);

const abi_completion *refrain__export_run(const char *workflow, size_t workflow_len, const char *content_type,
                                          size_t content_type_len, const char *data, size_t data_len)
{
    const char *name = workflow_len ? workflow : "";
    abi_payload input = {{content_type, content_type_len}, {data, data_len}};
    abi_completion *completion = refrain_new(abi_completion);
    for (const refrain_workflow *const *at = refrain_workflows; *at; at++)
        if (strcmp((*at)->name, name) == 0) {
            refrain__run_workflow(*at, &input, completion);
            return completion;
        }
    const char *message = refrain_text("this component has no workflow `%s`", name);
    completion->tag = ABI_FAILED;
    completion->u.failed = refrain__to_failure(refrain__failure(REFRAIN_HOST, "not-found", message));
    return completion;
}

#else
/* Native tests call what is behind them. */
typedef int refrain__no_exports;
#endif
