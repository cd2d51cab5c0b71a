/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: copies beside computation, on streams that run as late or as early as their order allows: new weights that go up on the copy queue, a published block that comes down on it, and the ferry. Each
 * wait for an event is left out in turn, and that must show. Where the host waits for a stream before it reads or writes what travels: the same numbers however late streams run (mutate.sh takes
 * these waits out). And that no op takes host memory that is not pinned. Every case is a process of its own: the emulator reads its settings once. */
#include "../../src/learner/optimizer.h"
#include "../model/helpers.h"
#include "both.h"
#include "solera/hash.h"
#include "solera/plugin.h"
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* a table that leaves out one of its waits; in what is set up between, none */
enum { WAITS = 6 };
static int waits, left_out = -1, counting;
static void some_wait (sol_queue_t *q, sol_event_t *e)
{
  if (!counting || waits++ != left_out) D->wait (q, e);
}

typedef struct {
  sol_model_t *m;
  size_t bytes;
  char *block[2], *got; /* pinned: two published blocks; what comes back */
  void *beside;         /* memory of the device as large as the block */
} rig_t;
static char *pin (size_t bytes)
{
  void *mem = NULL;
  need (sol_backend_pin (dev, bytes, "a test", &mem) == SOL_OK);
  return mem;
}
static int is (const rig_t *r, const void *block) { return !memcmp (r->got, block, r->bytes); }
static void fetch_to (const rig_t *r, const void *from)
{
  D->get (qd, r->got, from, r->bytes);
  need (D->sync (qd) == SOL_OK && D->sync (sol_backend_queue (dev, SOL_QUEUE_COPY)) == SOL_OK);
}

/* what was put on the compute queue reads the old weights, what comes after the new ones: 2 waits */
static int sends (const rig_t *r)
{
  D->copy (qd, r->beside, sol_model_block (r->m), r->bytes);
  sol_model_send (r->m, r->block[1]);
  fetch_to (r, sol_model_block (r->m));
  int good = is (r, r->block[1]);
  fetch_to (r, r->beside);
  good &= is (r, r->block[0]) && sol_model_sent (r->m) == SOL_OK;
  return good;
}

/* the block that the compute queue made comes down, and the next update does not touch it on its way: 2 waits */
static int brings (const rig_t *r, sol_optimizer_t *o)
{
  const void *block;
  int good;
  D->copy (qd, sol_model_block (r->m), r->beside, r->bytes);
  sol_optimizer_bring (o);
  good = sol_optimizer_device_install (o) == SOL_OK; /* rounds the master into the block */
  need (D->sync (sol_backend_queue (dev, SOL_QUEUE_COPY)) == SOL_OK);
  memcpy (r->got, o->block, r->bytes);
  good &= is (r, r->block[1]);
  counting = 0; /* install has waited for what computes */
  good &= sol_optimizer_block (o, &block) == SOL_OK;
  memcpy (r->got, block, r->bytes);
  return good && is (r, r->block[0]);
}

/* after what reads or writes on the compute queue: 2 waits. Many pieces, the last one shorter. */
static int ferries (const rig_t *r)
{
  char *host = sol_alloc (r->bytes);
  sol_ferry_t *f = NULL;
  need (sol_ferry_create (dev, r->bytes / 7 + 64, &f) == SOL_OK);
  D->copy (qd, r->beside, sol_model_block (r->m), r->bytes);
  memcpy (host, r->block[1], r->bytes);
  int good = sol_ferry_put (f, sol_model_block (r->m), host, r->bytes) == SOL_OK;
  fetch_to (r, r->beside);
  good &= is (r, r->block[0]);
  D->copy (qd, r->beside, sol_model_block (r->m), r->bytes);
  memset (host, 0, r->bytes);
  good &= sol_ferry_get (f, host, r->beside, r->bytes) == SOL_OK && !memcmp (host, r->block[1], r->bytes);
  sol_ferry_destroy (f);
  sol_free (host);
  return good;
}

/* ---- the host waits. Returns a hash of all numbers that came. */
/* what goes up may change once it is said to be there */
static int goes (const rig_t *r)
{
  memcpy (r->got, r->block[0], r->bytes);
  sol_model_send (r->m, r->got);
  const int good = sol_model_sent (r->m) == SOL_OK;
  memset (r->got, 0, r->bytes);
  fetch_to (r, sol_model_block (r->m));
  return good && is (r, r->block[0]);
}

enum { TOKENS = 40 };
/* forward: what came is there when it returns, and what goes up may change; the same for logits and gradients */
static int passes (sol_model_t *m, uint64_t *hash)
{
  const sol_arch_t *a = sol_model_arch (m);
  int32_t ids[TOKENS], pos[TOKENS], rows[TOKENS], targets[TOKENS];
  float of[2][3][TOKENS], c[TOKENS], *logits = sol_alloc (2 * (size_t) a->vocab * sizeof *logits);
  const sol_span_t span = { 0, TOKENS, 0, 0, 0, TOKENS };
  const sol_batch_t b = { .n_tokens = TOKENS, .n_rows = TOKENS, .n_spans = 1, .ids = ids, .pos = pos, .rows = rows, .targets = targets, .spans = &span };
  const size_t bytes = (size_t) sol_grad_elements (m) * sizeof (float);
  sol_pass_t *p = NULL;
  void *grad = NULL, *got = pin (bytes);
  need (sol_pass_create (m, TOKENS, TOKENS, 1, 1, &p) == SOL_OK && D->alloc (dev, bytes, "a test", &grad) == SOL_OK);
  for (int k = 0; k < 2; k++) {
    for (int i = 0; i < TOKENS; i++) pos[i] = rows[i] = i, ids[i] = (i * 7 + k) % a->vocab, targets[i] = (i * 5 + k) % a->vocab, c[i] = (float) (i + k) / TOKENS;
    need (sol_pass_forward (p, &b, 0.8f, of[k][0], of[k][1], of[k][2]) == SOL_OK && sol_pass_logits (p, 3 + k, logits + k * a->vocab) == SOL_OK);
    need (sol_pass_backward (p, &b, c, c, grad, NULL, NULL) == SOL_OK);
  }
  D->get (qd, got, grad, bytes);
  need (D->sync (qd) == SOL_OK);
  *hash = sol_hash (of, sizeof of) ^ sol_hash (logits, 2 * (size_t) a->vocab * sizeof *logits) << 1 ^ sol_hash (got, bytes) << 2;
  const int good = of[0][0][1] < 0 && of[1][0][1] < 0;
  sol_pass_destroy (p);
  D->free (dev, grad);
  sol_backend_unpin (dev, got, bytes);
  sol_free (logits);
  return good;
}

/* prompts of several runs through the layers in one step: the second writes where the first was put from */
static int decodes (sol_model_t *m, uint64_t *hash)
{
  enum { GROUPS = 5, PROMPT = 20, NEW = 4 };
  const sol_decoder_params_t dp = { .slots = 2 * GROUPS, .max_prompt = PROMPT, .max_new = NEW, .temperature = 0.9f, .top_p = 1, .seed = 4, .purpose = SOL_RANDOM_SAMPLE };
  sol_decoder_t *d = NULL;
  sol_group_out_t o;
  int32_t prompt[PROMPT];
  int got = 0;
  need (sol_decoder_create (m, &dp, &d) == SOL_OK);
  for (int g = 0; g < GROUPS; g++) {
    for (int i = 0; i < PROMPT; i++) prompt[i] = (g * 31 + i * 17) % sol_model_arch (m)->vocab;
    need (sol_decoder_put (d, (uint64_t) g, 0, prompt, PROMPT, 2, NEW) == SOL_OK);
  }
  *hash = 0;
  while (got < GROUPS) {
    need (sol_decoder_step (d) == SOL_OK);
    for (; sol_decoder_take (d, &o) == SOL_OK; got++) *hash += (o.group + 1) * (sol_hash (o.ids, 2 * NEW * sizeof *o.ids) ^ sol_hash (o.lp, 2 * NEW * sizeof *o.lp));
  }
  sol_decoder_destroy (d);
  return 1;
}

/* the norm of a gradient of ones */
static int steps (const rig_t *r, sol_optimizer_t *o)
{
  const int64_t n = sol_grad_elements (r->m), elements = sol_model_table (r->m)->elements;
  float *ones = (float *) (void *) pin ((size_t) n * sizeof *ones);
  double norm = 0;
  for (int64_t i = 0; i < n; i++) ones[i] = i < elements ? 1.0f : 0.0f;
  D->put (qd, sol_optimizer_leaf (o), ones, (size_t) n * sizeof *ones);
  const int good = sol_optimizer_step (o, (sol_adamw_t){ .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8 }, 0, 0, &norm) == SOL_OK && fabs (norm - sqrt ((double) elements)) < 1e-3;
  sol_backend_unpin (dev, ones, (size_t) n * sizeof *ones);
  return good;
}
static int host_waits (const rig_t *r, sol_optimizer_t *o)
{
  uint64_t pass = 0, tokens = 0;
  int good = goes (r), k = good;
  good &= passes (r->m, &pass), k |= good << 1;
  good &= decodes (r->m, &tokens), k |= good << 2;
  good &= steps (r, o);
  printf ("numbers %016llx %016llx\n", (unsigned long long) pass, (unsigned long long) tokens);
  if (!good) fprintf (stderr, "what was sent, passes, decoding, a step: of these %d first were right\n", k == 7 ? 3 : k == 3 ? 2 : k);
  return good;
}

/* exit status 0: all is right */
static int play (int without)
{
  both_open ();
  struct sol_backend_head *head = (void *) dev;
  sol_ops_t seen = *D;
  const sol_arch_t a = shape (2);
  float *w[2] = { random_weights (&a, 3), random_weights (&a, 4) };
  sol_optimizer_t *o = NULL;
  rig_t r = { 0 };
  seen.wait = some_wait;
  left_out = without;
  head->ops = &seen;
  r.m = model_of (dev, &a, SOL_BF16, w[0]);
  r.bytes = sol_model_bytes (r.m);
  for (int i = 0; i < 2; i++) {
    r.block[i] = pin (r.bytes);
    sol_model_round (w[i], sol_model_table (r.m)->elements, SOL_BF16, r.block[i]);
  }
  r.got = pin (r.bytes);
  need (D->alloc (dev, r.bytes, "a test", &r.beside) == SOL_OK && sol_optimizer_create (r.m, sol_comm_self (), 0, w[0], &o) == SOL_OK);
  counting = 1;
  int good = sends (&r);
  counting = 0;
  need (sol_ferry_put (sol_model_ferry (r.m), r.beside, r.block[1], r.bytes) == SOL_OK && sol_ferry_put (sol_model_ferry (r.m), sol_model_block (r.m), r.block[0], r.bytes) == SOL_OK);
  counting = 1;
  good &= brings (&r, o);
  counting = 1;
  good &= ferries (&r);
  counting = 0;
  if (waits != WAITS) fprintf (stderr, "%d waits\n", waits);
  if (waits != WAITS) return 3;
  if (without < 0) good &= host_waits (&r, o);
  fflush (stdout);
  sol_optimizer_destroy (o);
  sol_model_destroy (r.m);
  char *pinned[] = { r.block[0], r.block[1], r.got };
  for (int i = 0; i < 3; i++) sol_backend_unpin (dev, pinned[i], r.bytes);
  D->free (dev, r.beside);
  head->ops = D;
  for (int i = 0; i < 2; i++) sol_free (w[i]);
  both_close ();
  return good && sol_memory_used () == 0 ? 0 : 2;
}

/* puts from memory that is not pinned; not to return */
static int put_plain (int unused)
{
  static const char plain[64];
  void *mem;
  (void) unused;
  both_open ();
  need (D->alloc (dev, 64, "a test", &mem) == SOL_OK);
  D->put (qd, mem, plain, 64);
  return 0;
}

static char said[4096];
static int apart (int (*f) (int), int with, const char *eager)
{
  char file[4096];
  const char *tmp = getenv ("TEST_TMPDIR");
  snprintf (file, sizeof file, "%s/said", tmp ? tmp : ".");
  fflush (stdout);
  const pid_t child = fork ();
  if (child == 0) {
    const struct rlimit none = { 0, 0 };
    const int fd = open (file, O_RDWR | O_CREAT | O_TRUNC, 0600);
    setrlimit (RLIMIT_CORE, &none);
    dup2 (fd, 1), dup2 (fd, 2);
    setenv ("SOL_EMU_EAGER", eager, 1);
    _exit (f (with));
  }
  int status = 0;
  waitpid (child, &status, 0);
  FILE *got = fopen (file, "r");
  const size_t n = got ? fread (said, 1, sizeof said - 1, got) : 0;
  said[n] = 0;
  if (got) fclose (got);
  return WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
}

int main (void)
{
  /* none at once, compute, copies */
  static const char *const eager[] = { "-1", "0", "2" };
  static const char *const what[WAITS] = { "weights go up when what reads the old ones has run", "what reads the new ones runs when they are there", "a block comes down when it is made",
                                           "the next update waits until it has come", "what goes by ferry waits for what reads its place", "what comes by ferry waits for what writes it" };
  const char *device = getenv ("SOLERA_DEVICE");
  char why[512];
  if (device && strcmp (device, "emu") && strcmp (device, "ptx")) tap_skip_all ("waits are left out in emulation only");
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
  tap_skip_all ("the fibers of emu change stacks behind this build's sanitizer; make emu-asan, make emu-tsan");
#endif
  if (!sol_backend_can (device ? device : "emu", why, sizeof why)) tap_skip_all (why);
  char numbers[64] = "";
  for (int e = 0; e < 3; e++) {
    const int rc = apart (play, -1, eager[e]);
    const char *now = strstr (said, "numbers ");
    tap_ok (rc == 0, "with all waits, stream %s at once: exit %d", eager[e], rc);
    if (rc) fprintf (stderr, "%s\n", said);
    if (e == 0) snprintf (numbers, sizeof numbers, "%.41s", now ? now : "");
    else tap_ok (now && numbers[0] && !strncmp (now, numbers, strlen (numbers)), "the same %s, however late streams run", numbers);
  }
  for (int i = 0; i < WAITS; i++) {
    int wrong = 0;
    for (int e = 0; e < 3; e++) wrong += apart (play, i, eager[e]) == 2;
    tap_ok (wrong > 0, "wait %d left out (%s): wrong %d times of 3", i, what[i], wrong);
  }
  ok (apart (put_plain, 0, "-1") == 128 + 6 && strstr (said, "is host memory that is not pinned: the op put would wait for the device"));
  return tap_done ();
}
