// The thread pool: one job at a time, whose indices are handed out by an atomic
// counter. Workers are made when first needed, spin a little for the next job
// and then sleep.
//
// A job's life is one atomic word, the gate:
//   bits 32-63  the job's number
//   bit 31      open: workers may enter
//   bit 30      the caller sleeps until the last worker has left
//   bits 0-29   workers inside
// A worker enters by a compare-and-swap on an open gate, so the caller may reuse
// the job's fields once the gate is closed and empty.

#if defined(__linux__)
#define _GNU_SOURCE
#include <sched.h>
#endif
#include "internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define GATE_OPEN (UINT64_C(1) << 31)
#define GATE_WAITING (UINT64_C(1) << 30)
#define GATE_INSIDE (GATE_WAITING - 1)
#define GATE_NUMBER(gate) ((uint32_t)((gate) >> 32))

// About 20-50 microseconds of pauses: longer than the gap between two kernels
// of a plan, shorter than a scheduler's slice.
enum { SPINS = 2000, MAX_THREADS = 1024 };

static struct {
  // The job; written only while the gate is closed and empty.
  cj_task task;
  void *context;
  int64_t count;
  int32_t workers;
  _Alignas(64) _Atomic int64_t next;
  _Alignas(64) _Atomic uint64_t gate;
  _Alignas(64) atomic_flag busy;  // a caller has the pool
  _Atomic int32_t sleepers;
  _Atomic int32_t threads;  // 0: not set yet
  int32_t started;          // workers running; written by the caller that has the pool
  pthread_mutex_t mutex;
  pthread_cond_t wake, done;
} pool = {.busy = ATOMIC_FLAG_INIT,
          .mutex = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER,
          .done = PTHREAD_COND_INITIALIZER};

static _Thread_local bool inside_task = false;

static inline void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

static void run_indices(void) {
  const cj_task task = pool.task;
  void *const context = pool.context;
  const int64_t count = pool.count;
  for (;;) {
    int64_t index = atomic_fetch_add_explicit(&pool.next, 1, memory_order_relaxed);
    if (index >= count) return;
    task(context, index);
  }
}

static void leave_gate(void) {
  uint64_t before = atomic_fetch_sub_explicit(&pool.gate, 1, memory_order_acq_rel);
  if ((before & GATE_INSIDE) == 1 && (before & GATE_WAITING)) {
    pthread_mutex_lock(&pool.mutex);
    pthread_cond_signal(&pool.done);
    pthread_mutex_unlock(&pool.mutex);
  }
}

// The gate once it shows a job other than `seen`.
static uint64_t await_job(uint32_t seen) {
  for (int spin = 0; spin < SPINS; spin++) {
    uint64_t gate = atomic_load_explicit(&pool.gate, memory_order_acquire);
    if (GATE_NUMBER(gate) != seen) return gate;
    pause_briefly();
  }
  pthread_mutex_lock(&pool.mutex);
  atomic_fetch_add(&pool.sleepers, 1);
  uint64_t gate;
  while (GATE_NUMBER(gate = atomic_load(&pool.gate)) == seen)
    pthread_cond_wait(&pool.wake, &pool.mutex);
  atomic_fetch_sub(&pool.sleepers, 1);
  pthread_mutex_unlock(&pool.mutex);
  return gate;
}

static void *worker_main(void *argument) {
  const int32_t identity = (int32_t)(intptr_t)argument;
  inside_task = true;
  uint32_t seen = 0;
  for (;;) {
    uint64_t gate = await_job(seen);
    seen = GATE_NUMBER(gate);
    bool entered = false;
    while (GATE_NUMBER(gate) == seen && (gate & GATE_OPEN) && !entered)
      entered = atomic_compare_exchange_weak_explicit(
          &pool.gate, &gate, gate + 1, memory_order_acq_rel, memory_order_acquire);
    if (!entered) continue;
    if (identity < pool.workers) run_indices();
    leave_gate();
  }
  return NULL;
}

static void start_workers(int32_t wanted) {
  while (pool.started < wanted) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&thread, &attributes, worker_main, (void *)(intptr_t)pool.started);
    pthread_attr_destroy(&attributes);
    if (failed) return;  // fewer threads, same results
    pool.started++;
  }
}

static void run_serially(int64_t count, cj_task task, void *context) {
  for (int64_t i = 0; i < count; i++) task(context, i);
}

static void close_gate_and_wait(void) {
  uint64_t gate = atomic_fetch_and_explicit(&pool.gate, ~GATE_OPEN, memory_order_acq_rel);
  for (int spin = 0; spin < SPINS && (gate & GATE_INSIDE); spin++) {
    pause_briefly();
    gate = atomic_load_explicit(&pool.gate, memory_order_acquire);
  }
  if (!(gate & GATE_INSIDE)) return;
  pthread_mutex_lock(&pool.mutex);
  gate = atomic_fetch_or_explicit(&pool.gate, GATE_WAITING, memory_order_acq_rel);
  while (gate & GATE_INSIDE) {
    pthread_cond_wait(&pool.done, &pool.mutex);
    gate = atomic_load_explicit(&pool.gate, memory_order_acquire);
  }
  pthread_mutex_unlock(&pool.mutex);
}

void cj_parallel(int64_t count, cj_task task, void *context) {
  const int32_t threads = cj_threads();
  if (count <= 1 || threads <= 1 || inside_task ||
      atomic_flag_test_and_set_explicit(&pool.busy, memory_order_acquire)) {
    run_serially(count, task, context);
    return;
  }
  const int32_t workers = (int32_t)cj_min64(threads - 1, count - 1);
  start_workers(workers);
  pool.task = task;
  pool.context = context;
  pool.count = count;
  pool.workers = workers;
  atomic_store_explicit(&pool.next, 0, memory_order_relaxed);
  uint64_t number = GATE_NUMBER(atomic_load_explicit(&pool.gate, memory_order_relaxed)) + 1;
  atomic_store(&pool.gate, (uint64_t)(uint32_t)number << 32 | GATE_OPEN);
  if (atomic_load(&pool.sleepers) > 0) {
    pthread_mutex_lock(&pool.mutex);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.mutex);
  }
  inside_task = true;
  run_indices();
  inside_task = false;
  close_gate_and_wait();
  atomic_flag_clear_explicit(&pool.busy, memory_order_release);
}

void cj_threads_set(int32_t threads) {
  if (threads < 1) threads = 1;
  if (threads > MAX_THREADS) threads = MAX_THREADS;
  atomic_store(&pool.threads, threads);
}

int32_t cj_threads(void) {
  int32_t threads = atomic_load_explicit(&pool.threads, memory_order_relaxed);
  if (threads > 0) return threads;
  int32_t unset = 0;
  threads = (int32_t)cj_min64(cj_threads_available(), MAX_THREADS);
  return atomic_compare_exchange_strong(&pool.threads, &unset, threads) ? threads : unset;
}

// ---------------------------------------------------------------- what the machine lends

#if defined(__linux__)
// Two integers of a file, -1 for what is not a number ("max").
static bool read_quota(const char *path, long long *first, long long *second) {
  FILE *file = fopen(path, "r");
  if (!file) return false;
  char words[2][32] = {"", ""};
  int found = fscanf(file, "%31s %31s", words[0], words[1]);
  fclose(file);
  if (found < 1) return false;
  char *end;
  *first = strtoll(words[0], &end, 10);
  if (end == words[0]) *first = -1;
  *second = strtoll(words[1], &end, 10);
  if (end == words[1]) *second = -1;
  return true;
}

// CPUs granted by the control group, rounded up; 0: no limit.
static int64_t cgroup_cpus(void) {
  long long quota = -1, period = -1, unused;
  if (!read_quota("/sys/fs/cgroup/cpu.max", &quota, &period)) {  // version 2, then 1
    if (!read_quota("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", &quota, &unused)) return 0;
    if (!read_quota("/sys/fs/cgroup/cpu/cpu.cfs_period_us", &period, &unused)) return 0;
  }
  if (quota <= 0 || period <= 0) return 0;
  return cj_ceil_div(quota, period);
}
#endif

int32_t cj_threads_available(void) {
  int64_t cpus = sysconf(_SC_NPROCESSORS_ONLN);
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cpus = CPU_COUNT(&set);
  int64_t granted = cgroup_cpus();
  if (granted > 0) cpus = cj_min64(cpus, granted);
#endif
  return (int32_t)cj_max64(1, cpus);
}
