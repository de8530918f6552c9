// One pointer a thread, released when the thread ends.
#ifndef CAJAL_THREAD_SLOT_H
#define CAJAL_THREAD_SLOT_H

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

#if defined(__linux__)
// An offset from the thread's pointer, not a call.
extern _Thread_local void *_Nullable cj_thread_slot __attribute__((tls_model("initial-exec")));
#else
extern _Thread_local void *_Nullable cj_thread_slot;
#endif

static inline void *_Nullable cj_thread_slot_get(void) { return cj_thread_slot; }
// `release` is called with the pointer when the thread ends.
void cj_thread_slot_set(void *pointer, void (*release)(void *));

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
#endif
