/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/config.h"
#include "../tap.h"
#include "solera/clock.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/random.h"
#include <math.h>
#include <string.h>
#include <unistd.h>

static char dir[256], log_path[300];

/* loads and gives back what was logged: status in *st */
static char *errors (const char *yaml, char *const *overrides, int n, const char *command, sol_status_t *st_p)
{
  char path[300], *text = NULL;
  size_t bytes;
  sol_config_t *c = NULL;
  snprintf (path, sizeof path, "%s/a.yaml", dir);
  unlink (log_path);
  if (yaml) need (sol_file_write (path, yaml, strlen (yaml)) == SOL_OK);
  sol_log_file (log_path);
  *st_p = sol_config_load (yaml ? path : NULL, overrides, n, command, &c);
  sol_log_file (NULL);
  if ((*st_p == SOL_OK) != (c != NULL)) need (0);
  sol_config_destroy (c);
  if (sol_file_read (log_path, 0, &text, &bytes) != SOL_OK) text = sol_strdup ("");
  return text;
}

/* fails, and says all of these (up to a NULL) */
static void says (const char *what, const char *yaml, const char *override, const char *command, const char *const *parts)
{
  sol_status_t st;
  char *args[1] = { (char *) (uintptr_t) override };
  char *text = errors (yaml, args, override != NULL, command, &st);
  int all = st != SOL_OK;
  for (; *parts; parts++) all = all && strstr (text, *parts) != NULL;
  if (!all) fprintf (stderr, "status %s, logged: %s\n", sol_status_string (st), text);
  tap_ok (all, "%s", what);
  sol_free (text);
}
#define ARG(s) ((char[]) { s })
#define SAYS(what, yaml, override, command, ...) says (what, yaml, override, command, (const char *const[]) { __VA_ARGS__, NULL })

static sol_config_t *load (const char *yaml, const char *override, const char *command)
{
  char path[300], *args[1] = { (char *) (uintptr_t) override };
  sol_config_t *c = NULL;
  snprintf (path, sizeof path, "%s/b.yaml", dir);
  need (sol_file_write (path, yaml, strlen (yaml)) == SOL_OK);
  need (sol_config_load (path, args, override != NULL, command, &c) == SOL_OK);
  return c;
}

static const char good[] = "# a run\n"
                           "out: runs/a\n"
                           "seed: 7\n"
                           "roles: solo\n"
                           "batch: {prompts: &n 16, group: 4, updates_per_step: 4}\n"
                           "broker:\n"
                           "  slots: *n   # the same number\n"
                           "staleness: {mode: bounded, k: 8}\n"
                           "train:\n"
                           "  lr: 1e-3\n"
                           "  updates: 40\n"
                           "task.stop: [\"\\n\", 'Q:', plain]\n"
                           "rollout.temperature: .5\n"
                           "log: {tensorboard: true}\n";

static void test_good (void)
{
  sol_config_t *c = load (good, "staleness.k=16", "train");
  ok (strcmp (c->out, "runs/a") == 0 && c->seed == 7 && c->roles == SOL_ROLES_SOLO && c->prompts == 16 && c->ring_slots == 16 && c->group == 4);
  ok (c->stale_mode == SOL_STALE_BOUNDED && c->stale_k == 16 && c->lr == 1e-3 && c->temperature == 0.5 && c->tensorboard == 1);
  ok (!strcmp (c->task_stop[0], "\n") && !strcmp (c->task_stop[1], "Q:") && !strcmp (c->task_stop[2], "plain") && !c->task_stop[3]);
  ok (c->beta2 == 0.999 && c->learners == 1 && !strcmp (c->objective, "m2po") && c->stats == 1); /* defaults */
  sol_config_destroy (c);
  char *args[] = { ARG ("task.stop="), ARG ("task.stop=[a, \"b c\"]"), ARG ("out=x=y"), ARG ("seed=9223372036854775807"), ARG ("task.suffix=\" a # b\"") };
  need (sol_config_load (NULL, args, 5, NULL, &c) == SOL_OK);
  ok (!strcmp (c->task_stop[1], "b c") && !c->task_stop[2] && !strcmp (c->out, "x=y") && c->seed == INT64_MAX && !strcmp (c->task_suffix, " a # b"));
  sol_config_destroy (c);
  c = load ("", "out=", NULL);
  ok (*c->out == 0 && c->task_stop[0] == NULL);
  sol_config_destroy (c);
}

/* a setting that is auto until it is set: read, written, compared; where a setting stands */
static void test_auto (void)
{
  sol_config_t *c = load ("objective:\n  cap: 2\n  tau: auto\n", NULL, NULL), *d = load ("objective.cap: auto\n", "objective.cap=2.0", NULL);
  sol_buffer_t text = { 0 };
  ok (c->cap == 2 && isnan (c->tau) && isnan (c->delta) && d->cap == 2 && sol_config_resume_conflict (c, d) == NULL);
  sol_config_text (c, &text);
  ok (strstr (text.data, "  cap: 2\n") && strstr (text.data, "  tau: auto\n"));
  ok (strstr (sol_config_where (c, sol_setting_find ("objective.cap")), "b.yaml:2") && strstr (sol_config_where (c, sol_setting_find ("objective.tau")), "b.yaml:3"));
  ok (!strcmp (sol_config_where (d, sol_setting_find ("objective.cap")), "command line argument 'objective.cap=2.0'") && !sol_config_where (d, sol_setting_find ("seed")));
  c->cap = SOL_AUTO;
  ok (!strcmp (sol_config_resume_conflict (c, d), "objective.cap"));
  sol_buffer_free (&text);
  sol_config_destroy (c);
  sol_config_destroy (d);
}

static void test_bad (void)
{
  SAYS ("unknown key", "seed: 1\nstaleness:\n  kk: 3\n", NULL, NULL, "a.yaml:3:", "unknown setting 'staleness.kk'", "nearest is 'staleness.k'");
  SAYS ("unknown group", "stalenes:\n  k: 3\n", NULL, NULL, "a.yaml:1:", "'stalenes'", "nearest is 'staleness'");
  SAYS ("unknown key far from all", "quaternion: 3\n", NULL, NULL, "a.yaml:1:", "'quaternion'", "solera help settings");
  SAYS ("a short name finds its group", "lr: 3\n", NULL, NULL, "nearest is 'train.lr'");
  SAYS ("a group is not a value", "staleness: 3\n", NULL, NULL, "a.yaml:1:", "expected a mapping, found a single value");
  SAYS ("a value is not a group", "seed: {a: 3}\n", NULL, NULL, "a.yaml:1: seed: expected a single value, found a mapping");
  SAYS ("a value is not a sequence", "seed: [3]\n", NULL, NULL, "a.yaml:1: seed: expected a single value, found a sequence");
  SAYS ("a text for a number", "seed: many\n", NULL, NULL, "a.yaml:1: seed: expected an integer of at least 0, found many");
  SAYS ("a fraction for an integer", "batch.group: 1.5\n", NULL, NULL, "batch.group: expected an integer from 1 to 4096 responses, found 1.5");
  SAYS ("quotes for a number", "batch.group: \"4\"\n", NULL, NULL, "expected an integer", "found \"4\" in quotes");
  SAYS ("nothing for a number", "batch.group:\n", NULL, NULL, "expected an integer", "found nothing");
  SAYS ("nothing for a text", "out:\n", NULL, NULL, "out: expected text", "found nothing");
  SAYS ("above a bound", "\nbatch.group: 5000\n", NULL, NULL, "a.yaml:2: batch.group: expected an integer from 1 to 4096 responses, found 5000");
  SAYS ("beyond 64 bits", "seed: 99999999999999999999\n", NULL, NULL, "expected an integer of at least 0, found 99999999999999999999");
  SAYS ("not a number", "train.lr: .nan\n", NULL, NULL, "train.lr: expected a number from 0 to 10, found .nan");
  SAYS ("hexadecimal", "train.lr: 0x1p3\n", NULL, NULL, "expected a number", "found 0x1p3");
  SAYS ("too large a number", "train.lr: 1e999\n", NULL, NULL, "expected a number from 0 to 10, found 1e999");
  SAYS ("not a choice", "staleness.mode: exac\n", NULL, NULL, "expected one of exact|bounded|free, found exac");
  SAYS ("an empty choice", "staleness.mode: \"\"\n", NULL, NULL, "expected one of exact|bounded|free");
  SAYS ("yes is not true", "stats.write: yes\n", NULL, NULL, "expected true or false, found yes");
  SAYS ("duplicate key", "seed: 1\nout: a\nseed: 2\n", NULL, NULL, "a.yaml:3: duplicate key 'seed': first given in line 1");
  SAYS ("duplicate group", "batch: {group: 2}\nbatch: {prompts: 4}\n", NULL, NULL, "a.yaml:2: duplicate key 'batch'");
  SAYS ("duplicate by two spellings", "batch: {group: 2}\nbatch.group: 2\n", NULL, NULL, "a.yaml:2: duplicate setting 'batch.group': first given in line 1");
  SAYS ("merge key", "batch: &b {group: 2}\ntrain:\n  <<: *b\n", NULL, NULL, "a.yaml:3: merge keys");
  SAYS ("unknown alias", "seed: *x\n", NULL, NULL, "a.yaml:1: not valid YAML", "undefined alias");
  SAYS ("a mapping within itself", "batch: &b {group: *b}\n", NULL, NULL, "batch.group: expected a single value, found a mapping");
  SAYS ("a tag", "seed: !big 3\n", NULL, NULL, "a.yaml:1: the tag !big is not supported");
  SAYS ("two documents", "seed: 3\n---\nseed: 4\n", NULL, NULL, "expected one YAML document");
  SAYS ("not a mapping", "- seed\n", NULL, NULL, "expected a mapping of settings, found a sequence");
  SAYS ("a zero byte", "out: \"a\\0b\"\n", NULL, NULL, "out: a zero byte");
  SAYS ("a mapping in a list", "task.stop: [a, {b: c}]\n", NULL, NULL, "task.stop: expected a single value, found a mapping");
  SAYS ("broken YAML", "seed: 1\nbatch: {group: 2\nout: x\n", NULL, NULL, "a.yaml:", "not valid YAML");
  SAYS ("override without =", NULL, "train.lr", NULL, "command line argument 'train.lr': expected key=value");
  SAYS ("unknown override", NULL, "staleness.q=3", NULL, "argument 'staleness.q=3'", "nearest is 'staleness.k'");
  SAYS ("bad override", NULL, "batch.group=0", NULL, "argument 'batch.group=0': batch.group: expected an integer from 1 to 4096 responses, found 0");
  SAYS ("override with a comment", NULL, "task.suffix=a # b", NULL, "found more after it");
  SAYS ("override that is a comment", NULL, "task.suffix=# b", NULL, "found a comment");
  SAYS ("override with two documents", NULL, "seed=1\n---\n2", NULL, "argument 'seed=1 --- 2'");
  sol_status_t st;
  sol_config_t *c = NULL;
  ok (sol_config_load ("/no/such/file.yaml", NULL, 0, NULL, &c) == SOL_ERR_IO && !c);
  char *args[] = { ARG ("out=\xff") };
  char *text = errors (NULL, args, 1, NULL, &st);
  ok (st == SOL_ERR_FORMAT && strstr (text, "not valid YAML"));
  sol_free (text);
}

/* what YAML or other readers take and this one does not, what repeats itself through anchors, and where the error is said to be */
static void test_odd (void)
{
  static const struct { const char *what, *yaml, *parts[3]; } odd[] = {
    { "a list of merge keys", "batch: &b {group: 2}\ntrain:\n  <<: [*b]\n", { "a.yaml:3: merge keys" } },
    { "a quoted << is a key", "batch:\n  \"<<\": 3\n", { "a.yaml:2: unknown setting 'batch.<<'" } },
    { "a key through an alias", "&k seed: 1\nout: b\n*k : 2\n", { "a.yaml:3: duplicate key 'seed': first given in line 1" } },
    { "a group through an alias", "batch: &b {group: 2}\n\ntrain: *b\n", { "a.yaml:3: unknown setting 'train.group'" } },
    { "the same setting through an alias", "batch: &b {group: 2}\n\nrollout: {max_tokens: 2}\nbatch.group: 3\n", { "a.yaml:4: duplicate setting 'batch.group': first given in line 1" } },
    { "the same group through an alias", "batch: &b {group: 2}\n\nbatch: *b\n", { "a.yaml:3: duplicate key 'batch': first given in line 1" } },
    { "a value through an alias", "out: &a many\n\nbatch.group: *a\n", { "a.yaml:3: batch.group: expected an integer", "found many" } },
    { "an anchor twice", "seed: &a 1\nout: &a x\n", { "a.yaml:2: not valid YAML", "duplicate anchor" } },
    { "a mapping that holds itself", "&a batch: *a\n", { "a.yaml:1: 'batch' is a group", "found a single value" } },
    { "a sequence that holds itself", "&a [*a]\n", { "a.yaml:1: expected a mapping of settings" } },
    { "a mapping in a group", "batch:\n  group: 2\n  more:\n    deep: {x: 1}\n", { "a.yaml:3: unknown setting 'batch.more'" } },
    { "a group in a group", "batch:\n  train: {lr: 1}\n", { "a.yaml:2: unknown setting 'batch.train'" } },
    { "a full name in a group", "batch:\n  batch.group: 1\n", { "a.yaml:2: unknown setting 'batch.batch.group'" } },
    { "an empty group", "seed: 1\nbatch:\n", { "a.yaml:2: 'batch' is a group of settings: expected a mapping, found nothing" } },
    { "an empty key", "\"\": 3\n", { "a.yaml:1: unknown setting ''" } },
    { "a sequence for a key", "? [a, b]\n: 3\n", { "a.yaml:1: key: expected a single value, found a sequence" } },
    { "1e400", "\ntrain.lr: 1e400\n", { "a.yaml:2: train.lr: expected a number", "found 1e400" } },
    { "-1e400", "train.lr: -1e400\n", { "a.yaml:1: train.lr: expected a number" } },
    { "1e-400 is not 0", "train.lr: 1e-400\n", { "a.yaml:1: train.lr: expected a number", "found 1e-400" } },
    { "nan", "train.lr: nan\n", { "train.lr: expected a number", "found nan" } },
    { ".inf", "watchdog_s: .inf\n", { "watchdog_s: expected a number", "found .inf" } },
    { "0x10 for an integer", "seed: 0x10\n", { "seed: expected an integer", "found 0x10" } },
    { "0x10 for a number", "train.lr: 0x10\n", { "train.lr: expected a number" } },
    { "010, 8 to some and 10 to others", "seed: 010\n", { "seed: expected an integer", "found 010" } },
    { "-01 for a number", "train.lr: -01\n", { "train.lr: expected a number" } },
    { "0o7", "seed: 0o7\n", { "found 0o7" } },
    { "1_000", "seed: 1_000\n", { "seed: expected an integer", "found 1_000" } },
    { "1_000 for a number", "watchdog_s: 1_000\n", { "watchdog_s: expected a number" } },
    { "1e3 for an integer", "seed: 1e3\n", { "seed: expected an integer" } },
    { "1:30", "watchdog_s: 1:30\n", { "watchdog_s: expected a number" } },
    { "1,5", "train.lr: 1,5\n", { "train.lr: expected a number" } },
    { "an exponent without digits", "train.lr: 1e\n", { "train.lr: expected a number" } },
    { "a sign alone", "seed: +\n", { "seed: expected an integer" } },
    { "digits of another script", "seed: \xd9\xa1\n", { "seed: expected an integer" } },
    { "auto where nothing is automatic", "train.lr: auto\n", { "train.lr: expected a number from 0 to 10, found auto" } },
    { "auto in quotes", "objective.cap: \"auto\"\n", { "objective.cap: expected a number from 1e-30 to 1e+30, or auto, found \"auto\" in quotes" } },
    { "True", "stats.write: True\n", { "expected true or false, found True" } },
    { "on", "stats.write: on\n", { "expected true or false, found on" } },
    { "1 for true", "stats.write: 1\n", { "expected true or false, found 1" } },
    { "true in quotes", "stats.write: \"true\"\n", { "expected true or false, found \"true\" in quotes" } },
    { "nothing for true or false", "stats.write:\n", { "expected true or false, found nothing" } },
    { "null for a number", "train.lr: ~\n", { "train.lr: expected a number", "found ~" } },
    { "nothing for a list", "task.stop:\n", { "a.yaml:1: task.stop: expected a sequence of texts" } },
    { "!!str of a number", "seed: 1\nbatch.group: !!str 5\n", { "a.yaml:2: the tag", "str is not supported" } },
    { "!!binary", "out: !!binary aGVsbG8=\n", { "a.yaml:1: the tag", "binary is not supported" } },
    { "!!set", "batch: !!set {group}\n", { "a.yaml:1: the tag", "set is not supported" } },
    { "a newer YAML", "%YAML 3.0\n---\nseed: 1\n", { "a.yaml:1: not valid YAML" } },
    { "text behind the end", "seed: 1\n...\nrubbish\n", { "a.yaml:3: not valid YAML" } },
    { "a tabulator for blanks", "batch:\n\tgroup: 3\n", { "a.yaml:2: not valid YAML" } },
    { "no blank behind the colon", "seed:1\n", { "a.yaml:1: expected a mapping of settings, found a single value" } },
    { "Latin-1", "seed: 1\r\nout: a\r\n\ntask.suffix: caf\xe9\n", { "a.yaml:4: not valid YAML", "UTF-8", "at byte 34" } },
    { "an overlong character", "seed: 1\nout: \xc0\xaf\n", { "a.yaml:2: not valid YAML", "UTF-8", "at byte 13" } },
    { "half a surrogate", "seed: 1\rout: \"\xed\xa0\x80\"\r", { "a.yaml:2: not valid YAML", "at byte 14" } },
    { "a control character", "seed: 1\nout: a\x01" "b\n", { "a.yaml:2: not valid YAML", "control characters" } },
    { "UTF-8 with a mark in front", "\xef\xbb\xbfseed: 1\nbatch.grp: x\n", { "a.yaml:2: unknown setting 'batch.grp'" } },
    { "lines that end in CR", "seed: 1\rout: a\rbatch.grp: 3\r", { "a.yaml:3: unknown setting 'batch.grp'" } },
  };
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    const char *parts[4] = { odd[i].parts[0], odd[i].parts[1], odd[i].parts[2], NULL };
    says (odd[i].what, odd[i].yaml, NULL, NULL, parts);
  }
  SAYS ("0x10 on the command line", NULL, "seed=0x10", NULL, "argument 'seed=0x10': seed: expected an integer");
  SAYS ("a tag on the command line", NULL, "seed=!!int 3", NULL, "argument 'seed=!!int 3': the tag");
  SAYS ("an alias on the command line", NULL, "seed=*a", NULL, "argument 'seed=*a': not valid YAML", "undefined alias");
  SAYS ("two =", NULL, "seed==3", NULL, "argument 'seed==3': seed: expected an integer");
  SAYS ("no key", NULL, "=3", NULL, "argument '=3': expected key=value");
  SAYS ("a group on the command line", NULL, "batch={group: 3}", NULL, "unknown setting 'batch'");
}

/* head, then a part many times, then a tail: refused with these words, or read, in little time */
static void test_much (void)
{
  static const struct { const char *what, *head, *part, *tail; int times; const char *says; } much[] = {
    { "10^6 brackets", "", "[", "", 1000000, "a.yaml:1: expected at most 16 levels" },
    { "brackets that close", "seed: ", "[", "]", 500000, "a.yaml:1: expected at most 16 levels" },
    { "braces", "", "{a: ", "", 250000, "expected at most 16 levels" },
    { "dashes", "seed:\n ", "- ", "1\n", 500000, "a.yaml:2: expected at most 16 levels" },
    { "complex keys", "", "? ", "1\n", 500000, "expected at most 16 levels" },
    { "anchors", "task.stop: [", "&a x, ", "y]\n", 100000, "a.yaml:1: expected at most 256 anchors" },
    { "aliases", "task.stop: [&a x, ", "*a, ", "y]\n", 200000, NULL },
    { "directives", "", "%TAG !a! b\n", "---\nseed: 1\n", 90000, "a.yaml:17: expected at most 16 lines that begin with %" },
    { "one key many times", "batch: {", "group: 1, ", "}\n", 100000, "duplicate key 'group'" },
    { "a long list", "task.stop: [", "a, ", "b]\n", 300000, NULL },
    { "a long text", "out: ", "xyz", "\n", 300000, NULL },
    { "a long integer", "seed: ", "1", "\n", 900000, "a.yaml:1: seed: expected an integer of at least 0, found 11111" },
    { "a long small number", "train.lr: 0.", "0", "1\n", 900000, "a.yaml:1: train.lr: expected a number from 0 to 10, found 0.000" },
    { "a long choice", "roles: ", "y", "\n", 900000, "a.yaml:1: roles: expected one of auto|solo, found yyyy" },
    { "a long key", "", "k", ": 3\n", 900, "a.yaml:1: unknown setting 'kkkk" },
    { "a key that is too long for YAML", "", "k", ": 3\n", 200000, "a.yaml:1: not valid YAML" },
    { "empty lines", "", "\n", "sed: 1\n", 700000, "a.yaml:700001: unknown setting 'sed'" },
    { "more than a mebibyte", "", "#", "\n", 1100000, "a.yaml: expected at most 1048576 bytes, found 1100001" },
    { "many anchors", NULL, NULL, "y]\n", 150000, "a.yaml:1: expected at most 256 anchors" },
  };
  char path[300];
  snprintf (path, sizeof path, "%s/a.yaml", dir);
  for (size_t i = 0; i < sizeof much / sizeof *much; i++) {
    sol_buffer_t b = { 0 };
    char *text = NULL;
    size_t bytes;
    sol_config_t *c = NULL;
    sol_buffer_printf (&b, "%s", much[i].head ? much[i].head : "task.stop: [");
    for (int k = 0; k < much[i].times && b.bytes < 1100000; k++) {
      if (!much[i].part && b.bytes > 1000000) break;
      if (much[i].part) sol_buffer_add (&b, much[i].part, strlen (much[i].part));
      else sol_buffer_printf (&b, "&a%d x,", k);
    }
    for (int k = 0; k < (strcmp (much[i].tail, "]") ? 1 : much[i].times); k++) sol_buffer_add (&b, much[i].tail, strlen (much[i].tail));
    need (sol_file_write (path, b.data, b.bytes) == SOL_OK);
    sol_buffer_free (&b);
    unlink (log_path);
    sol_log_file (log_path);
    const double t0 = sol_clock_s ();
    const sol_status_t st = sol_config_load (path, NULL, 0, NULL, &c);
    const double t1 = sol_clock_s () - t0;
    sol_log_file (NULL);
    if (sol_file_read (log_path, 0, &text, &bytes) != SOL_OK) text = sol_strdup ("");
    const int right = much[i].says ? st != SOL_OK && !c && strstr (text, much[i].says) != NULL : st == SOL_OK && c;
    if (!right) fprintf (stderr, "status %s, logged: %.300s\n", sol_status_string (st), text);
    tap_ok (right && t1 < 20, "%s (%.2f s)", much[i].what, t1);
    sol_free (text);
    sol_config_destroy (c);
  }
}

/* what cannot be read as a file; a zero byte */
static void test_files (void)
{
  static const char zero[] = "seed: 1\n\0out: a\n";
  static const struct { const char *path, *says; } bad[] = { { "/no/such/file.yaml", "/no/such/file.yaml: cannot open: No such file" }, { "/dev/null", "/dev/null: expected a file, found something else" },
                                                             { "/dev/zero", "/dev/zero: expected a file" }, { "", "cannot open" }, { NULL, "expected a file, found a folder" } };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sol_config_t *c = NULL;
    char *text = NULL;
    size_t bytes;
    unlink (log_path);
    sol_log_file (log_path);
    const sol_status_t st = sol_config_load (bad[i].path ? bad[i].path : dir, NULL, 0, NULL, &c);
    sol_log_file (NULL);
    need (sol_file_read (log_path, 0, &text, &bytes) == SOL_OK);
    tap_ok (st == SOL_ERR_IO && !c && strstr (text, bad[i].says), "%s", bad[i].says);
    sol_free (text);
  }
  sol_config_t *c = NULL;
  ok (sol_config_parse (zero, sizeof zero - 1, "zero", NULL, &c) == SOL_ERR_FORMAT && !c);
  for (size_t cut = 0; cut < 16; cut++) { /* a character cut off at the very end of what may be read */
    char *part = sol_alloc (cut + 3);
    memcpy (part, "seed: 1\r\nout: a\r", cut);
    memcpy (part + cut, "\r\xe2\x82", 3);
    if (sol_config_parse (part, cut + 3, "cut", NULL, &c) == SOL_OK) ok (0);
    sol_free (part);
  }
}

#define CHECK(what, override, command, ...) SAYS (what, good, override, command, __VA_ARGS__)
static void test_contradictions (void)
{
  CHECK ("k and updates per step", "staleness.k=6", "train", "staleness.k is 6 (command line)", "batch.updates_per_step is 4 (", "a.yaml:5)", "multiple");
  CHECK ("prompts and updates per step", "batch.prompts=18", "train", "batch.prompts is 18", "batch.updates_per_step is 4", "multiple");
  CHECK ("updates", "train.updates=42", "train", "train.updates is 42", "batch.updates_per_step is 4");
  SAYS ("tokens of a group", "out: a\nbatch: {prompts: 4, group: 4096}\nrollout: {max_tokens: 524288}\n", NULL, "train", "batch.group is 4096", "rollout.max_tokens is 524288", "2147484672 tokens", "at most 2147483647");
  SAYS ("responses of an update", "out: a\nbatch: {prompts: 1000000, group: 4096, updates_per_step: 1}\n", NULL, "train", "batch.prompts is 1000000", "batch.group is 4096", "4096000000 responses", "2147483647");
  CHECK ("checkpoint.every", "checkpoint.every=5", "train", "checkpoint.every is 5", "batch.updates_per_step is 4");
  SAYS ("in flight in exact mode", "out: a\nstaleness: {in_flight: true}\n", NULL, "train", "staleness.in_flight is true", "a.yaml:2)", "staleness.mode is exact (default)");
  CHECK ("top_p", "rollout.top_p=0.9", "train", "rollout.top_p is 0.9", "train needs");
  CHECK ("top_k", "rollout.top_k=3", "train", "rollout.top_k is 3", "train needs");
  CHECK ("greedy", "rollout.greedy=true", "train", "rollout.greedy is true", "train needs");
  CHECK ("width and heads", "model.heads=5", "train", "model.width is 64 (default)", "model.heads is 5", "multiple");
  CHECK ("heads and kv_heads", "model.kv_heads=3", "sft", "model.heads is 4", "model.kv_heads is 3");
  CHECK ("odd head size", "model.width=12", "sft", "model.width is 12", "even");
  SAYS ("leaves and learners", "out: a\nlearners: 8\nlearner.leaves: 4\n", NULL, "train", "learner.leaves is 4", "learners is 8");
  SAYS ("rloo alone", "out: a\nbatch.group: 1\nobjective.advantage: rloo\n", NULL, "train", "batch.group is 1", "objective.advantage is rloo");
  SAYS ("weights of other number", "out: a\nmodel.path: m\ntask: {name: jsonl, path: [a, b], weights: [1]}\n", NULL, "train", "task.weights is", "task.path is");
  SAYS ("a weight of nothing", "out: a\nmodel.path: m\ntask: {name: jsonl, path: [a, b], weights: [1, 0]}\n", NULL, "train", "task.weights is", "above 0");
  SAYS ("a penalty over no tokens", "out: a\ntask.overlong_penalty: 1\n", NULL, "train", "task.overlong_tokens is 0", "task.overlong_penalty is 1");
  SAYS ("a form for nothing", "out: a\ntask.format: x\n", NULL, "train", "task.format is x", "task.format_bonus is 0");
  SAYS ("a form of the chain", "out: a\ntask: {format: x, format_bonus: 1}\n", NULL, "train", "task.format is x", "task.name is chain");
  SAYS ("long prompts of no file", "out: a\ntask.long_prompts: skip\n", NULL, "train", "task.long_prompts is skip", "task.name is chain");
  SAYS ("jsonl without a file", "out: a\nmodel.path: m\ntask.name: jsonl\n", NULL, "train", "task.name is jsonl", "task.path is not given (default)");
  CHECK ("chat and chain", "task.prompt=chat", "train", "task.prompt is chat", "task.name is chain");
  CHECK ("no out", "out=", "train", "out is not given", "train needs a folder");
  CHECK ("no out", "out=", "sft", "out is not given", "sft needs a folder");
  CHECK ("warm-up", "train.warmup=41", "train", "train.warmup is 41", "train.updates is 40");
  CHECK ("an empty stop text", "task.stop=[\"\"]", "eval", "task.stop", "empty");
  CHECK ("a new model with a text task", "task.name=sums", "sft", "task.name is sums", "model.path is not given");
  SAYS ("greedy samples", "rollout: {greedy: true, samples: 4}\n", NULL, "eval", "rollout.samples is 4", "rollout.greedy is true");
  SAYS ("held out of nothing", "task: {holdout: 0, split: heldout}\n", NULL, "generate", "task.split is heldout", "task.holdout is 0");
  sol_config_t *c = load (good, "rollout.top_p=0.9", "eval"); /* allowed there */
  sol_config_destroy (c);
  c = load (good, "staleness.mode=free", "train");
  sol_config_destroy (c);
}

static int same (const sol_config_t *a, const sol_config_t *b)
{
  int n, equal = 1;
  const sol_setting_t *s = sol_settings (&n);
  sol_buffer_t x = { 0 }, y = { 0 };
  for (int i = 0; i < n; i++) {
    sol_buffer_clear (&x);
    sol_buffer_clear (&y);
    sol_config_value (a, &s[i], &x);
    sol_config_value (b, &s[i], &y);
    if (x.bytes == y.bytes && (!x.bytes || memcmp (x.data, y.data, x.bytes) == 0)) continue;
    equal = 0;
    fprintf (stderr, "%s: %s became %s\n", s[i].name, x.data, y.data);
  }
  sol_buffer_free (&x);
  sol_buffer_free (&y);
  return equal;
}

static const char *const hard[] = { "", " lead and trail ", "null", "~", "true", "- a", "# no", "a: b", "\"'\\", "tab\tnew\nline\rend", "\x01\x1b\x7f", "\xc3\xa9\xf0\x9f\x8d\xb7",
                                    "\xc2\x80\xc2\x85\xc2\xa0", "\xe2\x80\xa8\xe2\x80\xa9", "\xef\xbb\xbfx", "x\xef\xbb\xbf", "{a", "*x", "!t", "%d", "@", "`" };

static void test_round_trip (void)
{
  int n, exact = 1;
  const sol_setting_t *s = sol_settings (&n);
  sol_buffer_t text = { 0 };
  for (uint32_t turn = 0; turn < 60; turn++) {
    sol_config_t *c = load (good, NULL, NULL), *back = NULL;
    for (int i = 0; i < n; i++) {
      char *field = (char *) c + s[i].offset;
      const sol_random_t r = sol_random (1, turn, SOL_RANDOM_TEST, (uint32_t) i, 0);
      const char *h = hard[sol_random_below (r, sizeof hard / sizeof *hard)];
      if (s[i].kind == SOL_KIND_FLOAT) *(double *) (void *) field = s[i].min + (s[i].max - s[i].min) * pow (sol_random_u53 (r, 0), 9);
      if (s[i].kind == SOL_KIND_INT) *(int64_t *) (void *) field = s[i].imin + (int64_t) sol_random_below (r, (uint64_t) (s[i].imax - s[i].imin) + 1);
      if (s[i].kind == SOL_KIND_STRING) {
        sol_free (*(char **) (void *) field);
        *(char **) (void *) field = sol_strdup (h);
      }
      if (s[i].kind == SOL_KIND_LIST) {
        char **list = *(char ***) (void *) field;
        sol_free (list[0]);
        list[0] = sol_strdup (h);
      }
    }
    sol_buffer_clear (&text);
    sol_config_text (c, &text);
    need (sol_config_parse (text.data, text.bytes, "round trip", NULL, &back) == SOL_OK);
    exact = exact && same (c, back);
    sol_config_destroy (c);
    sol_config_destroy (back);
  }
  tap_ok (exact, "settings written and read are the same");
  sol_buffer_free (&text);
}

/* no input may crash: run under the sanitizers too */
static void test_damage (void)
{
  const size_t n = sizeof good - 1;
  int good_ones = 0, tried = 0;
  sol_log_level (SOL_LOG_ERROR);
  need (freopen ("/dev/null", "w", stderr) != NULL);
  for (size_t cut = 0; cut < n; cut++) {
    sol_config_t *c = NULL;
    good_ones += sol_config_parse (good, cut, "cut", "train", &c) == SOL_OK;
    sol_config_destroy (c);
    tried++;
  }
  for (uint32_t i = 0; i < 6000; i++) {
    char text[sizeof good];
    const sol_random_t r = sol_random (3, 0, SOL_RANDOM_TEST, 0, i), q = sol_random (3, 1, SOL_RANDOM_TEST, 0, i);
    sol_config_t *c = NULL;
    memcpy (text, good, n);
    text[r.w[0] % n] = (char) (r.w[1] % 3 ? "{}[]:,&*!|>'\"%@`#-\n\t\\ <"[q.w[0] % 23] : (char) r.w[2]);
    if (r.w[3] % 2) text[q.w[1] % n] ^= (char) (1 << q.w[2] % 8);
    good_ones += sol_config_parse (text, n, "flip", "train", &c) == SOL_OK;
    sol_config_destroy (c);
    tried++;
  }
  tap_ok (good_ones < tried, "damaged files are refused or read (%d of %d), without a crash", good_ones, tried);
  sol_buffer_t deep = { 0 };
  for (int i = 0; i < 20000; i++) sol_buffer_add (&deep, "[", 1);
  sol_config_t *c = NULL;
  ok (sol_config_parse (deep.data, deep.bytes, "deep", NULL, &c) == SOL_ERR_FORMAT && !c);
  sol_buffer_free (&deep);
}

static void test_rest (void)
{
  sol_config_t *a = load (good, NULL, NULL), *b = load (good, "train.updates=80", NULL);
  ok (sol_config_resume_conflict (a, a) == NULL && sol_config_resume_conflict (a, b) == NULL);
  b->lr = 1e-4;
  ok (!strcmp (sol_config_resume_conflict (a, b), "train.lr"));
  b->lr = a->lr;
  b->learners = 2;
  ok (!strcmp (sol_config_resume_conflict (a, b), "learners"));
  a->leaves = b->leaves = 8;
  ok (sol_config_resume_conflict (a, b) == NULL);
  b->brokers = 3;
  sol_free (b->model_path);
  b->model_path = sol_strdup ("moved");
  ok (sol_config_resume_conflict (a, b) == NULL);
  sol_free (b->task_stop[2]);
  b->task_stop[2] = sol_strdup ("plane");
  ok (!strcmp (sol_config_resume_conflict (a, b), "task.stop"));
  a->updates = 101;
  a->lr = 2;
  ok (sol_config_lr (a, 0) == 2 && sol_config_lr (a, 100) == 2);
  a->warmup = 4;
  ok (sol_config_lr (a, 0) == 0.5 && sol_config_lr (a, 3) == 2 && sol_config_lr (a, 4) == 2);
  a->warmup = 0;
  a->decay = SOL_DECAY_LINEAR;
  a->lr_end = 0.1;
  ok (sol_config_lr (a, 0) == 2 && fabs (sol_config_lr (a, 50) - 1.1) < 1e-15 && fabs (sol_config_lr (a, 100) - 0.2) < 1e-15 && sol_config_lr (a, 1000) == sol_config_lr (a, 100));
  a->decay = SOL_DECAY_COSINE;
  ok (sol_config_lr (a, 0) == 2 && fabs (sol_config_lr (a, 50) - 1.1) < 1e-15 && fabs (sol_config_lr (a, 100) - 0.2) < 1e-15);
  ok (fabs (sol_config_lr (a, 25) - 2 * (0.1 + 0.9 * 0.5 * (1 + cos (0.25 * 3.14159265358979)))) < 1e-13);
  a->updates = 1;
  ok (isfinite (sol_config_lr (a, 0)));
  sol_config_destroy (a);
  sol_config_destroy (b);
  ok (sol_edit_distance ("abc", "abc") == 0 && sol_edit_distance ("abc", "acb") == 1 && sol_edit_distance ("", "abc") == 3 && sol_edit_distance ("kitten", "sitting") == 3);
  ok (sol_setting_find ("train.lr") && !sol_setting_find ("train") && !strcmp (sol_setting_nearest ("train.lrr"), "train.lr") && !sol_setting_nearest ("zzzzzzzzzzzzzzzzzzzz"));
}

int main (void)
{
  snprintf (dir, sizeof dir, "%s/config-XXXXXX", getenv ("TEST_TMPDIR") ? getenv ("TEST_TMPDIR") : "/tmp");
  need (mkdtemp (dir));
  snprintf (log_path, sizeof log_path, "%s/log", dir);
  test_good ();
  test_auto ();
  test_bad ();
  test_odd ();
  test_much ();
  test_files ();
  test_contradictions ();
  test_round_trip ();
  test_rest ();
  test_damage ();
  ok (sol_dir_remove (dir) == SOL_OK);
  return tap_done ();
}
