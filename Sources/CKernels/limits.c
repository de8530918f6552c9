// What this process may use of the machine: CPUs by affinity, CPUs and memory by the limits of its
// control group and that group's parents (Linux, versions 2 and 1).

#if defined(__linux__)
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#endif
#include "internal.h"

#include <unistd.h>

#if defined(__linux__)
#define ROOT "/sys/fs/cgroup"

// The integers at the start of a file, at most `count`; -1 for what is none ("max").
static void read_numbers(const char *folder, const char *name, int count, int64_t *numbers) {
  char path[1024], words[2][32] = {"", ""};
  for (int i = 0; i < count; i++) numbers[i] = -1;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "r");
  if (!file) return;
  const int found = fscanf(file, "%31s %31s", words[0], words[1]);
  fclose(file);
  for (int i = 0; i < count && i < found; i++) {
    char *end;
    const long long number = strtoll(words[i], &end, 10);
    if (end != words[i]) numbers[i] = number;
  }
}

// The limit of one group; INT64_MAX: none.
typedef int64_t (*group_limit)(const char *folder, bool version2);

static int64_t cpu_limit(const char *folder, bool version2) {
  int64_t quota[2];  // and its period
  if (version2) {
    read_numbers(folder, "cpu.max", 2, quota);
  } else {
    read_numbers(folder, "cpu.cfs_quota_us", 1, quota);
    read_numbers(folder, "cpu.cfs_period_us", 1, quota + 1);
  }
  return quota[0] > 0 && quota[1] > 0 ? cj_ceil_div(quota[0], quota[1]) : INT64_MAX;
}

static int64_t memory_limit(const char *folder, bool version2) {
  int64_t bytes;
  read_numbers(folder, version2 ? "memory.max" : "memory.limit_in_bytes", 1, &bytes);
  return bytes > 0 ? bytes : INT64_MAX;
}

// The least limit of a group and its parents. In a container the group's own path may be the host's
// and lead nowhere, and the container's limit stands at the root.
static int64_t least_upwards(const char *root, const char *group, bool version2, group_limit limit) {
  char folder[768];
  snprintf(folder, sizeof folder, "%s%s", root, group);
  int64_t least = limit(folder, version2);
  for (size_t length = strlen(folder); length > strlen(root); length--) {
    if (folder[length - 1] != '/') continue;
    folder[length - 1] = 0;
    least = cj_min64(least, limit(folder, version2));
  }
  return least;
}

static int64_t control_group(const char *controller, group_limit limit) {
  int64_t least = INT64_MAX;
  char line[512], root[64];
  snprintf(root, sizeof root, ROOT "/%s", controller);
  FILE *file = fopen("/proc/self/cgroup", "r");
  if (!file) return least;
  while (fgets(line, sizeof line, file)) {  // number:controllers:group; version 2 has no controllers
    line[strcspn(line, "\n")] = 0;
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) continue;
    *group++ = 0;
    controllers++;
    if (*controllers == 0) least = cj_min64(least, least_upwards(ROOT, group, true, limit));
    char *rest;
    for (char *name = strtok_r(controllers, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
      if (strcmp(name, controller) == 0) least = cj_min64(least, least_upwards(root, group, false, limit));
  }
  fclose(file);
  return least;
}
#endif

int32_t cj_threads_available(void) {
  int64_t cpus = sysconf(_SC_NPROCESSORS_ONLN);
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cpus = CPU_COUNT(&set);
  cpus = cj_min64(cpus, control_group("cpu", cpu_limit));
#endif
  return (int32_t)cj_max64(1, cpus);
}

int64_t cj_memory_available(void) {
  const int64_t pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
  int64_t bytes = pages > 0 && size > 0 ? pages * size : INT64_MAX;
#if defined(__linux__)
  bytes = cj_min64(bytes, control_group("memory", memory_limit));
#endif
  return bytes;
}
