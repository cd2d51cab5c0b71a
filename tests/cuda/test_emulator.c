/* SPDX-License-Identifier: Apache-2.0 */
/* The emulator sees what it is there for: every kernel of planted.cu has a mistake that the checkers named here must see, and none may see anything in the same kernel without it.
 * SOLERA_PLANTED=ptx: the same after nvcc, what it made of the kernels translated back (kernels/emu/ptx2c.py). */
#include "../tap.h"
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  VALUE = 1,   /* a wrong result under some schedule */
  REPORT = 2,  /* the emulator stops with a report that has the text */
  GUARD = 4,   /* the same, in guard mode only */
  REFUSED = 8, /* no launch */
  ASAN = 16,   /* AddressSanitizer or UndefinedBehaviorSanitizer */
  TSAN = 32    /* ThreadSanitizer */
};
typedef struct {
  const char *name;
  int seen_by;
  const char *text;
} planted_t;
static const planted_t planted[] = {
  { "global_write", REPORT | ASAN, "byte 1024 has been written" },
  { "global_read", GUARD | ASAN, "outside of device memory" },
  { "shared_write", REPORT | ASAN, "past the end of a shared array" },
  { "dynamic_write", REPORT | ASAN, "past the end of the dynamic shared memory" },
  { "no_barrier", VALUE | TSAN, NULL },
  { "no_syncwarp", TSAN, NULL },
  { "reuse", VALUE | TSAN, NULL },
  { "block_race", TSAN, NULL },
  { "atomic_order", VALUE, NULL },
  { "branch_barrier", REPORT, "16 threads, the first (0, 0, 0), wait for the block at" },
  { "two_barriers", REPORT, "divergent barrier" },
  { "returned_lanes", REPORT, "12 threads, the first (20, 0, 0), have returned" },
  { "half_meeting", REPORT, "16 threads, the first (1, 0, 0), wait for lanes of their warp" },
  { "wrong_mask", REPORT, "which is not among the lanes that take part" },
  { "shared_unset", VALUE, NULL },
  { "no_wait", VALUE, NULL },
  { "one_wait_short", VALUE, NULL },
  { "never_waited", REPORT, "never waited for" },
  { "async_no_barrier", VALUE | TSAN, NULL },
  { "early_fetch", VALUE | TSAN, NULL },
  { "align", 0, NULL },
  { "misaligned", ASAN, NULL },
  { "overflow", VALUE | ASAN, NULL },
  { "publish", TSAN, NULL },
  { "large_static", REPORT, "53248 bytes of shared memory" },
  { "large_dynamic", REFUSED, NULL },
  { "large_block", REFUSED, NULL },
  { "bounds", 0, NULL },
  { "host_pointer", REPORT, "argument 0" },
  { "host_in_struct", REPORT, "pointer to host memory" },
  { "host_access", GUARD, "the host touches device memory" },
  { "long_copy", REPORT, "cudaMemcpyAsync: 1028 bytes" },
  { "lt", REPORT, "cublasLtMatmul: A" },
  { "streams", VALUE, NULL },
  { "early_host", VALUE, NULL },
  { "op_waits", REPORT, "cudaStreamSynchronize inside of the op op_waits" },
  { "op_allocates", REPORT, "cudaMalloc inside of the op op_allocates" },
  { "op_pageable", REPORT, "the op op_pageable would wait for the device" },
  { "freed", GUARD | ASAN, "no memory of the device" },
  { "unset", VALUE, NULL },
};
/* those that others see after nvcc, where every access of shared memory is looked at and integers wrap around */
static const planted_t in_ptx[] = {
  { "shared_write", REPORT, "at byte 128 of a shared array of 128 bytes" },
  { "dynamic_write", REPORT, "at byte 128 of a shared array of 128 bytes" },
  { "align", REPORT, "an access of 16 bytes at" },
  { "misaligned", REPORT, "an access of 16 bytes at" },
  { "no_wait", VALUE | TSAN, NULL },
  { "overflow", VALUE, NULL },
  { "bounds", REFUSED, NULL },
};

static char said[16384]; /* by the last child */
static int ptx;          /* the programs made by nvcc */
/* exit status of planted-VARIANT NAME HOW with one setting; over 128: by a signal */
static int run (const char *variant, const char *name, const char *how, const char *setting, const char *value)
{
  char program[4096], file[4096];
  const char *top = getenv ("top_builddir"), *tmp = getenv ("TEST_TMPDIR");
  if (!ptx) snprintf (program, sizeof program, "%s/tests/cuda/planted-%s", top ? top : ".", variant);
  else snprintf (program, sizeof program, "%s/tests/cuda/planted-ptx%s%s", top ? top : ".", strcmp (variant, "plain") ? "-" : "", strcmp (variant, "plain") ? variant : "");
  snprintf (file, sizeof file, "%s/said", tmp ? tmp : ".");
  const pid_t child = fork ();
  if (child == 0) {
    const int fd = open (file, O_RDWR | O_CREAT | O_TRUNC, 0600);
    const struct rlimit none = { 0, 0 };
    setrlimit (RLIMIT_CORE, &none);
    dup2 (fd, 1), dup2 (fd, 2);
    setenv (setting, value, 1);
    setenv ("ASAN_OPTIONS", "detect_leaks=0", 1);
    setenv ("TSAN_OPTIONS", "atexit_sleep_ms=0", 1); /* a second for threads that nobody waits for: there are none */
    execl (program, program, name, how, (char *) NULL);
    _exit (127);
  }
  int status = 0;
  waitpid (child, &status, 0);
  FILE *f = fopen (file, "r");
  size_t n = 0;
  if (f) {
    n = fread (said, 1, sizeof said - 1, f);
    fclose (f);
  }
  said[n] = 0;
  return WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
}
static int says (const char *text) { return strstr (said, text) != NULL; }
static void tell (int good)
{
  if (!good) fprintf (stderr, "%s\n", said);
}
static int reported (int rc, const char *text) { return rc == 128 + 6 && says ("emu: ") && says (text); }

static int has_tsan;
static void bad (size_t i)
{
  static const char *const orders[] = { "fwd", "rev", "rand:1", "rand:2", "rand:3" };
  const planted_t *p = &planted[i];
  for (size_t k = 0; ptx && k < sizeof in_ptx / sizeof *in_ptx; k++)
    if (!strcmp (in_ptx[k].name, planted[i].name)) p = &in_ptx[k];
  const char *name = p->name, *text = p->text;
  const int by = p->seen_by;
  if (by & VALUE) {
    int wrong = 0;
    for (size_t k = 0; !wrong && k < sizeof orders / sizeof *orders; k++) wrong = run ("plain", name, "bad", "SOL_EMU_SCHED", orders[k]) == 2;
    tap_ok (wrong, "%s: a schedule makes the result wrong", name);
  }
  if (by & (REPORT | GUARD)) {
    const int good = reported (run ("plain", name, "bad", "SOL_EMU_GUARD", by & GUARD ? "1" : "0"), text);
    tap_ok (good, "%s: the emulator says %s", name, text);
    tell (good);
  }
  if (by & REFUSED) tap_ok (run ("plain", name, "bad", "SOL_EMU_GUARD", "0") == 3, "%s: is not launched", name);
  if (by & ASAN) {
    const int rc = run ("asan", name, "bad", "SOL_EMU_GUARD", "0"), good = rc != 0 && (says ("AddressSanitizer") || says ("runtime error"));
    tap_ok (good, "%s: seen by the sanitizer of addresses or undefined behaviour", name);
    tell (good);
  }
  if (by & TSAN && has_tsan) {
    const int rc = run ("tsan", name, "bad", "SOL_EMU_GUARD", "0"), good = rc != 0 && says ("ThreadSanitizer: data race");
    tap_ok (good, "%s: seen by the sanitizer of threads", name);
    tell (good);
  }
}
static void good (size_t i)
{
  static const char *const settings[][3] = { { "plain", "SOL_EMU_SCHED", "fwd" }, { "plain", "SOL_EMU_SCHED", "rev" }, { "plain", "SOL_EMU_SCHED", "rand:1" }, { "plain", "SOL_EMU_LATE", "0" },
                                             { "plain", "SOL_EMU_GUARD", "1" },   { "asan", "SOL_EMU_SCHED", "rev" },  { "tsan", "SOL_EMU_SCHED", "fwd" } };
  int right = 1;
  for (size_t k = 0; right && k < sizeof settings / sizeof *settings; k++) {
    if (!has_tsan && !strcmp (settings[k][0], "tsan")) continue;
    const int rc = run (settings[k][0], planted[i].name, "good", settings[k][1], settings[k][2]);
    right = rc == 0;
    if (!right) fprintf (stderr, "%s without its mistake, %s, %s=%s: exit %d\n%s\n", planted[i].name, settings[k][0], settings[k][1], settings[k][2], rc, said);
  }
  tap_ok (right, "%s: nothing is seen without the mistake", planted[i].name);
}

int main (void)
{
  const char *which = getenv ("SOLERA_PLANTED");
  ptx = which && !strcmp (which, "ptx");
  if (run ("plain", "unset", "good", "SOL_EMU_SCHED", "fwd") == 127) tap_skip_all ("built without the CUDA toolkit, or with sanitizers of its own");
  has_tsan = run ("tsan", "unset", "good", "SOL_EMU_SCHED", "fwd") == 0;
  if (!has_tsan) printf ("# no ThreadSanitizer here: %s\n", said);
  for (size_t i = 0; i < sizeof planted / sizeof *planted; i++) {
    bad (i);
    good (i);
  }
  ok (run ("plain", "lt", "good", "SOL_EMU_SCHED", "sideways") != 0 && says ("fwd, rev or rand:SEED"));
  return tap_done ();
}
