// The thread pool: one job at a time. Each thread begins with a share of the
// indices of its own, the same share of every job, so that it finds in its
// caches what it wrote there in the job before; then it helps with the others'
// shares. Workers are made when first needed. After a job they look for the
// next one for a while, because waking a sleeping thread costs more than most
// kernels, and then sleep.
//
// What is left of a share is a word: the job's number in the upper half, how
// many indices in the lower. One is taken by a compare-and-swap of the whole
// word, so a worker that comes late takes nothing of a later job. What it read
// of the share before (the task, its context, the end) is right if the swap
// succeeds: the caller writes these anew only once all indices are finished.

#include "internal.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define JOB_NUMBER(left) ((uint32_t)((left) >> 32))
#define JOB_COUNT(left) ((uint32_t)(left))

enum {
  MAX_THREADS = 1024,
  // Pauses between looks at the clock: a microsecond or less.
  PAUSES = 16,
  // Nanoseconds. How long a thread only pauses before it also lets others run.
  KEEP_CORE = 20 * 1000,
  // How long a worker looks for the next job. It grows to twice the gap between jobs where
  // that is shorter than the longest, and halves where it is not. A sleeping worker costs the
  // caller 10 microseconds to wake and itself 30 to 50 (on a virtual machine).
  SHORTEST_SEARCH = 20 * 1000,
  LONGEST_SEARCH = 300 * 1000,
  // A look that took longer: another thread had the core, and wants it.
  DISTURBED = 50 * 1000,
};

static struct {
  // Of the job; written by the caller that has the pool while nothing of the last one is unfinished.
  _Atomic uint32_t job;    // its number
  _Atomic int32_t shares;  // threads that its indices are shared out to, the caller first
  _Alignas(64) _Atomic int64_t unfinished;  // indices
  _Atomic bool caller_sleeps;

  _Alignas(64) atomic_flag busy;  // a caller has the pool
  int32_t started;                // workers that exist; of the caller that has the pool
  _Atomic int32_t threads;        // 0: not set yet
  _Atomic bool crowded;           // more threads than CPUs: searching would take a core from work
  _Atomic int32_t sleepers;       // workers asleep that nobody has woken; changed under the mutex
  int32_t wakes;                  // workers that may wake, under the mutex
  pthread_mutex_t mutex;
  pthread_cond_t wake, done, resized;
} pool = {.busy = ATOMIC_FLAG_INIT,
          .mutex = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER,
          .done = PTHREAD_COND_INITIALIZER,
          .resized = PTHREAD_COND_INITIALIZER};

// A line of the cache for each thread: its worker finds all that it needs in it.
static struct {
  _Alignas(64) _Atomic uint64_t left;
  _Atomic uint32_t end;  // the last index, and one
  _Atomic(cj_task) task;
  _Atomic(void *) context;
  _Atomic bool sleeps;  // its worker
} shares[MAX_THREADS];

static _Thread_local bool inside_task = false;

// ---------------------------------------------------------------- waiting

static inline void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

static int64_t clock_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

// Waits for `ready(share, seen)` for at most `limit` nanoseconds, or until another thread turns out to
// need the core. How long it took; -1 where it was in vain.
static inline __attribute__((always_inline)) int64_t search(bool (*ready)(int32_t, uint32_t), int32_t share,
                                                            uint32_t seen, int64_t limit) {
  const int64_t start = clock_now();
  int64_t last = start;
  for (;;) {
    for (int i = 0; i < PAUSES; i++) {
      if (ready(share, seen)) return last - start;
      pause_briefly();
    }
    if (last - start > KEEP_CORE) sched_yield();
    const int64_t now = clock_now();
    if (now - start > limit || now - last > DISTURBED) return -1;
    last = now;
  }
}

// The number of the job that a share was last of.
static inline uint32_t last_job(int32_t share) {
  return JOB_NUMBER(atomic_load_explicit(&shares[share].left, memory_order_acquire));
}

static inline bool has_job(int32_t share, uint32_t seen) { return last_job(share) != seen; }

static inline bool is_finished(int32_t share, uint32_t seen) {
  (void)share, (void)seen;
  return atomic_load_explicit(&pool.unfinished, memory_order_acquire) == 0;
}

// ---------------------------------------------------------------- workers

// Runs indices of a share until none is left: how many.
static int64_t take(int32_t share, uint32_t job) {
  uint64_t left = atomic_load_explicit(&shares[share].left, memory_order_acquire);
  if (JOB_NUMBER(left) != job) return 0;
  const uint32_t end = atomic_load_explicit(&shares[share].end, memory_order_relaxed);
  const cj_task task = atomic_load_explicit(&shares[share].task, memory_order_relaxed);
  void *const context = atomic_load_explicit(&shares[share].context, memory_order_relaxed);
  int64_t taken = 0;
  while (JOB_NUMBER(left) == job && JOB_COUNT(left) > 0) {
    if (!atomic_compare_exchange_weak_explicit(&shares[share].left, &left, left - 1, memory_order_acq_rel,
                                               memory_order_acquire))
      continue;
    task(context, end - JOB_COUNT(left));
    taken++;
    left = atomic_load_explicit(&shares[share].left, memory_order_acquire);
  }
  return taken;
}

// Runs indices of the present job until none is left, of a share first. True for whoever finished the last.
static bool serve(int32_t first) {
  uint32_t job = last_job(first);
  int64_t taken = take(first, job);
  // Whoever took one keeps its job from ending; otherwise the share may be of an earlier one.
  if (taken == 0) job = atomic_load_explicit(&pool.job, memory_order_acquire);
  const int32_t count = atomic_load_explicit(&pool.shares, memory_order_relaxed);
  for (int32_t share = first + 1; share < count; share++) taken += take(share, job);
  for (int32_t share = 0; share < first && share < count; share++) taken += take(share, job);
  return taken > 0 && atomic_fetch_sub(&pool.unfinished, taken) == taken;
}

static bool is_excess(int32_t identity) {
  return identity >= atomic_load_explicit(&pool.threads, memory_order_relaxed) - 1;
}

static void sleep_until_woken(int32_t identity, uint32_t seen) {
  pthread_mutex_lock(&pool.mutex);
  while (is_excess(identity)) pthread_cond_wait(&pool.resized, &pool.mutex);
  atomic_fetch_add_explicit(&pool.sleepers, 1, memory_order_relaxed);
  atomic_store_explicit(&shares[identity + 1].sleeps, true, memory_order_relaxed);
  atomic_thread_fence(memory_order_seq_cst);  // sees the job, or its caller sees that the worker sleeps
  if (has_job(identity + 1, seen)) {
    atomic_fetch_sub_explicit(&pool.sleepers, 1, memory_order_relaxed);
  } else {
    while (pool.wakes == 0) pthread_cond_wait(&pool.wake, &pool.mutex);
    pool.wakes--;
  }
  atomic_store_explicit(&shares[identity + 1].sleeps, false, memory_order_relaxed);
  pthread_mutex_unlock(&pool.mutex);
}

// Waits for a job other than `seen`; `patience` is how long it looks for one before it sleeps.
static void await_job(int32_t identity, uint32_t seen, int64_t *patience) {
  const bool crowded = atomic_load_explicit(&pool.crowded, memory_order_relaxed);
  if (!crowded && !is_excess(identity)) {
    const int64_t gap = search(has_job, identity + 1, seen, *patience);
    if (gap >= 0) {
      *patience = cj_min64(LONGEST_SEARCH, cj_max64(*patience, 2 * gap));
      return;
    }
  }
  const int64_t start = clock_now();
  sleep_until_woken(identity, seen);
  const int64_t gap = *patience + clock_now() - start;
  *patience = gap < LONGEST_SEARCH ? cj_min64(LONGEST_SEARCH, 2 * gap) : cj_max64(SHORTEST_SEARCH, *patience / 2);
}

static void *worker_main(void *argument) {
  const int32_t identity = (int32_t)(intptr_t)argument;
  int64_t patience = SHORTEST_SEARCH;
  uint32_t seen = 0;
  inside_task = true;
  for (;;) {
    await_job(identity, seen, &patience);
    if (is_excess(identity)) continue;
    seen = last_job(identity + 1);
    if (serve(identity + 1) && atomic_load(&pool.caller_sleeps)) {
      pthread_mutex_lock(&pool.mutex);
      pthread_cond_signal(&pool.done);
      pthread_mutex_unlock(&pool.mutex);
    }
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

// ---------------------------------------------------------------- callers

static void run_serially(int64_t count, cj_task task, void *context) {
  for (int64_t i = 0; i < count; i++) task(context, i);
}

static void wake_workers(int32_t wanted) {
  pthread_mutex_lock(&pool.mutex);
  const int32_t sleepers = atomic_load_explicit(&pool.sleepers, memory_order_relaxed);
  const int32_t woken = wanted < sleepers ? wanted : sleepers;
  atomic_store_explicit(&pool.sleepers, sleepers - woken, memory_order_relaxed);
  pool.wakes += woken;
  if (woken == sleepers) pthread_cond_broadcast(&pool.wake);
  else
    for (int32_t i = 0; i < woken; i++) pthread_cond_signal(&pool.wake);
  pthread_mutex_unlock(&pool.mutex);
}

static void share_out(uint32_t count, int32_t among, cj_task task, void *context) {
  const uint32_t job = atomic_load_explicit(&pool.job, memory_order_relaxed) + 1;
  atomic_store_explicit(&pool.unfinished, count, memory_order_relaxed);
  atomic_store_explicit(&pool.shares, among, memory_order_relaxed);
  uint32_t start = 0;
  for (int32_t share = 0; share < among; share++) {
    const uint32_t end = (uint32_t)((uint64_t)count * (uint32_t)(share + 1) / (uint32_t)among);
    atomic_store_explicit(&shares[share].end, end, memory_order_relaxed);
    atomic_store_explicit(&shares[share].task, task, memory_order_relaxed);
    atomic_store_explicit(&shares[share].context, context, memory_order_relaxed);
    atomic_store_explicit(&shares[share].left, (uint64_t)job << 32 | (end - start), memory_order_release);
    start = end;
  }
  atomic_store_explicit(&pool.job, job, memory_order_release);
  atomic_thread_fence(memory_order_seq_cst);
  if (atomic_load_explicit(&pool.sleepers, memory_order_relaxed) == 0) return;
  // Only if the job has shares of workers asleep, but then whoever wakes helps with all.
  int32_t asleep = 0;
  for (int32_t share = 1; share < among; share++)
    asleep += atomic_load_explicit(&shares[share].sleeps, memory_order_relaxed);
  if (asleep > 0) wake_workers(asleep);
}

static void await_end(void) {
  const bool crowded = atomic_load_explicit(&pool.crowded, memory_order_relaxed);
  if (is_finished(0, 0) || (!crowded && search(is_finished, 0, 0, LONGEST_SEARCH) >= 0)) return;
  pthread_mutex_lock(&pool.mutex);
  atomic_store(&pool.caller_sleeps, true);
  while (atomic_load(&pool.unfinished) > 0) pthread_cond_wait(&pool.done, &pool.mutex);
  atomic_store_explicit(&pool.caller_sleeps, false, memory_order_relaxed);
  pthread_mutex_unlock(&pool.mutex);
}

void cj_parallel(int64_t count, cj_task task, void *context) {
  const int32_t threads = cj_threads();
  if (count <= 1 || count > UINT32_MAX || threads <= 1 || inside_task ||
      atomic_flag_test_and_set_explicit(&pool.busy, memory_order_acquire)) {
    run_serially(count, task, context);
    return;
  }
  const int32_t helpers = (int32_t)cj_min64(threads - 1, count - 1);
  start_workers(helpers);
  share_out((uint32_t)count, helpers + 1, task, context);
  inside_task = true;
  const bool finished = serve(0);
  inside_task = false;
  if (!finished) await_end();
  atomic_flag_clear_explicit(&pool.busy, memory_order_release);
}

void cj_threads_set(int32_t threads) {
  if (threads < 1) threads = 1;
  if (threads > MAX_THREADS) threads = MAX_THREADS;
  pthread_mutex_lock(&pool.mutex);
  atomic_store(&pool.crowded, threads > cj_threads_available());
  atomic_store(&pool.threads, threads);
  pthread_cond_broadcast(&pool.resized);
  pthread_mutex_unlock(&pool.mutex);
}

int32_t cj_threads(void) {
  int32_t threads = atomic_load_explicit(&pool.threads, memory_order_relaxed);
  if (threads > 0) return threads;
  int32_t unset = 0;
  threads = (int32_t)cj_min64(cj_threads_available(), MAX_THREADS);
  return atomic_compare_exchange_strong(&pool.threads, &unset, threads) ? threads : unset;
}
