// How many CPUs this process may use: affinity, and the limits of its control group and that
// group's parents (Linux, versions 2 and 1).

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

// The first two integers of a file; -1 for what is none ("max").
static void read_numbers(const char *path, int64_t numbers[2]) {
  numbers[0] = numbers[1] = -1;
  FILE *file = fopen(path, "r");
  if (!file) return;
  char words[2][32] = {"", ""};
  const int found = fscanf(file, "%31s %31s", words[0], words[1]);
  fclose(file);
  for (int i = 0; i < found; i++) {
    char *end;
    const long long number = strtoll(words[i], &end, 10);
    if (end != words[i]) numbers[i] = number;
  }
}

// CPUs that the group in `folder` is granted, rounded up; INT64_MAX: no limit.
static int64_t granted(const char *folder, bool version2) {
  char path[1024];
  int64_t limit[2], period[2];
  snprintf(path, sizeof path, version2 ? "%s/cpu.max" : "%s/cpu.cfs_quota_us", folder);
  read_numbers(path, limit);  // quota and period, or the quota alone
  if (!version2) {
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    read_numbers(path, period);
    limit[1] = period[0];
  }
  return limit[0] > 0 && limit[1] > 0 ? cj_ceil_div(limit[0], limit[1]) : INT64_MAX;
}

// The least that a group or one of its parents is granted. In a container the group's own path may
// be the host's and lead nowhere, and the container's limit stands at the root.
static int64_t granted_upwards(const char *root, const char *group, bool version2) {
  char folder[768];
  snprintf(folder, sizeof folder, "%s%s", root, group);
  int64_t least = granted(folder, version2);
  for (size_t length = strlen(folder); length > strlen(root); length--) {
    if (folder[length - 1] != '/') continue;
    folder[length - 1] = 0;
    least = cj_min64(least, granted(folder, version2));
  }
  return least;
}

static int64_t control_group_cpus(void) {
  int64_t least = INT64_MAX;
  FILE *file = fopen("/proc/self/cgroup", "r");
  if (!file) return least;
  char line[512];
  while (fgets(line, sizeof line, file)) {  // number:controllers:group; version 2 has no controllers
    line[strcspn(line, "\n")] = 0;
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) continue;
    *group++ = 0;
    controllers++;
    if (*controllers == 0) least = cj_min64(least, granted_upwards(ROOT, group, true));
    for (char *name = strtok(controllers, ","); name; name = strtok(NULL, ","))
      if (strcmp(name, "cpu") == 0) least = cj_min64(least, granted_upwards(ROOT "/cpu", group, false));
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
  cpus = cj_min64(cpus, control_group_cpus());
#endif
  return (int32_t)cj_max64(1, cpus);
}
