/* SPDX-License-Identifier: Apache-2.0 */
/* grader.c: questions over a socket pair. A question is two lengths and two texts, an answer one byte; a child says 'r' when it is ready. One question at a time. */
#include "solera/grader.h"
#include "child.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define START_S 60.0       /* a busy machine may take long to load a program */
#define TEXT_BYTES 8192    /* longer texts are never parsed: they are compared here */

struct sol_grader {
  pthread_mutex_t lock;
  char *program;
  double limit_s;
  pid_t pid; /* 0: no child */
  int fd, broken;
  sol_grader_counts_t count;
};

static int can_serve; /* this program is its own child */

sol_grader_t *sol_grader_new (const char *program, double limit_s)
{
  sol_grader_t *g = sol_alloc (sizeof *g);
  pthread_mutex_init (&g->lock, NULL);
  g->program = sol_strdup (program ? program : "/proc/self/exe");
  g->broken = !program && !can_serve;
  g->limit_s = limit_s;
  return g;
}

/* kills and reaps the child, if there is one */
static void end_child (sol_grader_t *g)
{
  if (!g->pid) return;
  close (g->fd);
  sol_child_kill (g->pid);
  g->pid = 0;
}

void sol_grader_free (sol_grader_t *g)
{
  if (!g) return;
  end_child (g);
  pthread_mutex_destroy (&g->lock);
  sol_free (g->program);
  sol_free (g);
}

/* one byte from the child within the time: 1; 0: time is over; -1: it has died */
static int receive (int fd, double limit_s, char *byte)
{
  const double end = sol_child_now () + limit_s;
  for (;;) {
    struct pollfd p = { .fd = fd, .events = POLLIN };
    const double left = end - sol_child_now ();
    const int n = poll (&p, 1, left > 0 ? (int) (left * 1000) + 1 : 0);
    if (n == 0) return 0;
    if (n < 0 && errno != EINTR) return -1;
    if (n < 0) continue;
    const ssize_t got = recv (fd, byte, 1, 0);
    if (got == 1) return 1;
    if (got == 0 || errno != EINTR) return -1;
  }
}

/* the child: this program again, with the socket as standard input and standard error as both outputs */
static int spawn (sol_grader_t *g, int fd)
{
  char name[] = "solera", arg[] = SOL_GRADER_ARG, *argv[] = { name, arg, NULL };
  const int files[] = { fd, 2, 2 }, error = sol_child_start (g->program, argv, files, 3, &g->pid);
  if (error) g->pid = 0;
  return error;
}

/* 1: there is a child that is ready */
static int start_child (sol_grader_t *g)
{
  int pair[2], error;
  char ready = 0;
  if (g->pid) return 1;
  if (g->broken) return 0;
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) error = errno;
  else {
    error = spawn (g, pair[1]);
    close (pair[1]);
    g->fd = pair[0];
    if (error) close (pair[0]);
    else if (receive (g->fd, START_S, &ready) == 1 && ready == 'r') {
      g->count.starts++;
      return 1;
    } else {
      end_child (g);
      error = ETIMEDOUT;
    }
  }
  g->broken = 1;
  sol_log (SOL_LOG_WARN, "verifier", "%s could not be started as a child (%s): answers are compared in this process", g->program, strerror (error));
  return 0;
}

static int send_all (int fd, const void *data, size_t bytes)
{
  for (const char *p = data; bytes;) {
    const ssize_t n = send (fd, p, bytes, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    p += n;
    bytes -= (size_t) n;
  }
  return 1;
}

/* 1 or 0: the child's answer; -1: it was killed or died */
static int ask (sol_grader_t *g, const char *prediction, const char *gold)
{
  char verdict = 0;
  const uint32_t bytes[2] = { (uint32_t) strlen (prediction), (uint32_t) strlen (gold) };
  int got = send_all (g->fd, bytes, sizeof bytes) && send_all (g->fd, prediction, bytes[0]) && send_all (g->fd, gold, bytes[1]) ? receive (g->fd, g->limit_s, &verdict) : -1;
  if (got == 1) return verdict == '1';
  if (got == 0) g->count.timeouts++;
  else g->count.deaths++;
  end_child (g);
  return -1;
}

int sol_grader_equal (sol_grader_t *g, const char *prediction, const char *gold, int *stopped_p)
{
  if (stopped_p) *stopped_p = 0;
  pthread_mutex_lock (&g->lock);
  int verdict = sol_answer_quick (prediction, gold);
  if (verdict >= 0) g->count.quick++;
  else {
    g->count.slow++;
    if (strlen (prediction) > TEXT_BYTES || strlen (gold) > TEXT_BYTES || !start_child (g)) verdict = sol_answer_equal (prediction, gold);
    else if ((verdict = ask (g, prediction, gold)) < 0) {
      if (stopped_p) *stopped_p = 1;
      verdict = 0;
    }
  }
  pthread_mutex_unlock (&g->lock);
  return verdict;
}

int sol_grader_check (sol_grader_t *g, const char *prediction, const char *gold, sol_answer_form_t form, sol_verify_mode_t mode, sol_buffer_t *extracted, int *stopped_p)
{
  if (stopped_p) *stopped_p = 0;
  if (!sol_answer_take (prediction, form, mode, extracted)) return 0;
  return mode == SOL_VERIFY_STRICT ? sol_answer_strict (extracted->data, gold) : sol_grader_equal (g, extracted->data, gold, stopped_p);
}

sol_grader_counts_t sol_grader_counts (sol_grader_t *g)
{
  pthread_mutex_lock (&g->lock);
  const sol_grader_counts_t c = g->count;
  pthread_mutex_unlock (&g->lock);
  return c;
}

pid_t sol_grader_pid (const sol_grader_t *g) { return g->pid; }

/* ---- the child */

static int read_all (void *data, size_t bytes)
{
  for (char *p = data; bytes;) {
    const ssize_t n = read (0, p, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    p += n;
    bytes -= (size_t) n;
  }
  return 1;
}

static void set_limits (void)
{
  const struct rlimit memory = { SOL_GRADER_MEMORY, SOL_GRADER_MEMORY }, core = { 0, 0 };
  setrlimit (RLIMIT_CORE, &core);
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__ /* these map terabytes */
  setrlimit (RLIMIT_DATA, &memory);
#else
  (void) memory;
#endif
}

static int serve (int (*equal) (const char *prediction, const char *gold))
{
  static char prediction[TEXT_BYTES + 1], gold[TEXT_BYTES + 1];
  uint32_t bytes[2];
  set_limits ();
  if (send (0, "r", 1, MSG_NOSIGNAL) != 1) return 1;
  while (read_all (bytes, sizeof bytes)) {
    if (bytes[0] > TEXT_BYTES || bytes[1] > TEXT_BYTES || !read_all (prediction, bytes[0]) || !read_all (gold, bytes[1])) return 1;
    prediction[bytes[0]] = gold[bytes[1]] = 0;
    if (send (0, equal (prediction, gold) ? "1" : "0", 1, MSG_NOSIGNAL) != 1) return 1;
  }
  return 0;
}

int sol_grader_main (int argc, char **argv, int (*equal) (const char *prediction, const char *gold))
{
  if (argc == 2 && !strcmp (argv[1], SOL_GRADER_ARG)) return serve (equal);
  can_serve = 1;
  return -1;
}
