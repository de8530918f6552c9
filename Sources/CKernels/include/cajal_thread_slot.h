// One pointer a thread, released when the thread ends.
#ifndef CAJAL_THREAD_SLOT_H
#define CAJAL_THREAD_SLOT_H

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

void *_Nullable cj_thread_slot_get(void);
// `release` is called with the pointer when the thread ends.
void cj_thread_slot_set(void *pointer, void (*release)(void *));

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
#endif
