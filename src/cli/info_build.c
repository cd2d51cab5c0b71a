/* SPDX-License-Identifier: Apache-2.0 */
#include "info.h"
#include "solera/backend.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void add_program (cJSON *facts)
{
  cJSON *o = cJSON_AddObjectToObject (facts, "solera");
  sol_info_string (o, "version", PACKAGE_VERSION);
  sol_info_string (o, "compiler", SOL_COMPILER);
  sol_info_string (o, "flags", SOL_BUILD_FLAGS);
  o = cJSON_AddObjectToObject (facts, "libraries");
  sol_info_string (o, "yaml", SOL_YAML_VERSION);
  sol_info_string (o, "hdf5", SOL_HDF5_VERSION);
  sol_info_string (o, "pcre2", SOL_PCRE2_VERSION);
  sol_info_string (o, "utf8proc", SOL_UTF8PROC_VERSION);
  sol_info_string (o, "cjson", cJSON_Version ());
  sol_info_string (o, "xxhash", SOL_XXHASH_VERSION);
}

static void cpu_name (char *name, size_t n)
{
  char line[512];
  FILE *f = fopen ("/proc/cpuinfo", "re");
  snprintf (name, n, "unknown");
  while (f && fgets (line, sizeof line, f)) {
    const char *colon = strchr (line, ':');
    if (strncmp (line, "model name", 10) != 0 || !colon) continue;
    snprintf (name, n, "%s", colon + 1 + strspn (colon + 1, " \t"));
    name[strcspn (name, "\n")] = 0;
    break;
  }
  if (f) fclose (f);
}

static void add_cpu (cJSON *facts)
{
  char name[256];
  cJSON *o = cJSON_AddObjectToObject (facts, "cpu"), *features = cJSON_CreateArray ();
  cpu_name (name, sizeof name);
  sol_info_string (o, "model", name);
  sol_info_int (o, "threads", sysconf (_SC_NPROCESSORS_ONLN));
#if defined __x86_64__ || defined __i386__
#define FEATURE(x)                                                                                                                            \
  if (__builtin_cpu_supports (x)) cJSON_AddItemToArray (features, cJSON_CreateString (x))
  FEATURE ("sse4.2");
  FEATURE ("avx");
  FEATURE ("avx2");
  FEATURE ("fma");
  FEATURE ("avx512f");
  FEATURE ("avx512vl");
  FEATURE ("avx512dq");
  FEATURE ("avx512bw");
#undef FEATURE
#endif
  cJSON_AddItemToObject (o, "features", features);
  sol_info_string (o, "kernels", sol_backend_isa ());
}

static void add_backends (cJSON *facts)
{
  cJSON *list = cJSON_AddObjectToObject (facts, "backends");
  for (int i = 0;; i++) {
    const char *name = NULL;
    char reason[512] = "";
    const int can = sol_backend_probe (i, &name, reason, sizeof reason);
    if (can < 0) break;
    cJSON *o = cJSON_AddObjectToObject (list, name);
    cJSON_AddBoolToObject (o, "runs", can);
    sol_info_string (o, can ? "on" : "because", reason);
  }
}

sol_status_t sol_info_build (cJSON *facts)
{
  add_program (facts);
  sol_info_mpi (facts);
  add_cpu (facts);
  add_backends (facts);
  return SOL_OK;
}
