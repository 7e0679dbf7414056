/*
 * The run's arena: memory that is only ever taken.
 *
 * Compiled to WebAssembly it grows the instance's memory by itself, so that a component which does not call `malloc`
 * has none, and one that does shares nothing with it. Fresh memory is zero there, and nothing is given back, so nothing
 * has to be cleared.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* For anything that C has. */
    ALIGNMENT = 16,
#ifdef __wasm__
    /* The unit in which an instance's memory grows. */
    CHUNK = 65536
#else
    CHUNK = 1 << 20
#endif
};

static char *next_free;
static char *chunk_end;

#ifdef __wasm__

static void more(size_t size)
{
    size_t pages = (size + CHUNK - 1) / CHUNK;
    size_t at = __builtin_wasm_memory_grow(0, pages);
    if (at == SIZE_MAX) REFRAIN_BUG("the instance has no memory left for %zu bytes", size);
    char *start = (char *)(at * CHUNK);
    /* Where nobody else has grown the memory since, the rest of the last chunk is used, too. */
    if (start != chunk_end) next_free = start;
    chunk_end = start + pages * CHUNK;
}

#else

typedef struct chunk {
    _Alignas(16) struct chunk *previous;
} chunk;

static chunk *chunks;

static void more(size_t size)
{
    size_t wanted = size > CHUNK ? size : CHUNK;
    chunk *fresh = calloc(1, sizeof(chunk) + wanted);
    if (!fresh) abort();
    fresh->previous = chunks;
    chunks = fresh;
    next_free = (char *)(fresh + 1);
    chunk_end = next_free + wanted;
}

void refrain__memory_reset(void)
{
    while (chunks) {
        chunk *previous = chunks->previous;
        free(chunks);
        chunks = previous;
    }
    next_free = chunk_end = NULL;
}

#endif

static void *take(size_t size, size_t alignment)
{
    if (size > SIZE_MAX / 2) REFRAIN_BUG("%zu bytes are more than there can be", size);
    uintptr_t at = ((uintptr_t)next_free + alignment - 1) & ~(uintptr_t)(alignment - 1);
    if (!next_free || at + size > (uintptr_t)chunk_end) {
        more(size + alignment);
        at = ((uintptr_t)next_free + alignment - 1) & ~(uintptr_t)(alignment - 1);
    }
    next_free = (char *)at + size;
    return (void *)at;
}

void *refrain_alloc(size_t size)
{
    return take(size, ALIGNMENT);
}

void *refrain_alloc_array(size_t count, size_t size)
{
    if (size && count > SIZE_MAX / 2 / size) REFRAIN_BUG("%zu times %zu bytes are more than there can be", count, size);
    return refrain_alloc(count * size);
}

char *refrain_copy(const char *data, size_t len)
{
    char *copy = take(len + 1, 1);
    if (len) memcpy(copy, data, len);
    copy[len] = 0;
    return copy;
}

char *refrain__copy_text(const char *text)
{
    return text ? refrain_copy(text, strlen(text)) : NULL;
}

void *refrain__grown(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) return items;
    size_t larger = *capacity ? *capacity * 2 : 4;
    void *moved = refrain_alloc_array(larger, size);
    if (items) memcpy(moved, items, count * size);
    *capacity = larger;
    return moved;
}

#ifdef __wasm__
/*
 * Where the host puts what it gives. Each piece has a zero behind it, so that the texts of the host are texts of C
 * without a copy.
 */
ABI_EXPORT("cabi_realloc")
void *refrain__realloc(void *old, size_t old_size, size_t alignment, size_t size);

void *refrain__realloc(void *old, size_t old_size, size_t alignment, size_t size)
{
    char *fresh = take(size + 1, alignment);
    if (old_size) memcpy(fresh, old, old_size < size ? old_size : size);
    fresh[size] = 0;
    return fresh;
}
#endif
