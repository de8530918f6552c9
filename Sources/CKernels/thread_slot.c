#include "cajal_thread_slot.h"

#include <pthread.h>
#include <stdlib.h>

_Thread_local void *cj_thread_slot;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

typedef struct {
  void *pointer;
  void (*release)(void *);
} entry;

// Runs at the end of a thread: the slot itself may be gone already, the entry is not.
static void end_of_thread(void *argument) {
  entry *last = argument;
  cj_thread_slot = NULL;
  last->release(last->pointer);
  free(last);
}

static void make_key(void) { pthread_key_create(&key, end_of_thread); }

void cj_thread_slot_set(void *pointer, void (*release)(void *)) {
  pthread_once(&once, make_key);
  entry *fresh = malloc(sizeof *fresh);
  if (fresh) {
    fresh->pointer = pointer;
    fresh->release = release;
    pthread_setspecific(key, fresh);
  }
  cj_thread_slot = pointer;
}
