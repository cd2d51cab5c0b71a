/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/command.h"
#include "../tap.h"
#include <string.h>
#include <unistd.h>

static const sol_command_t sample = { .name = "sample", .group = 't', .line = "a command for the test", .usage = "[FILE] [key=value ...]", .about = "It does nothing.\n\nTwice.",
                                      .options = SOL_OPTION_RESUME | SOL_OPTION_ROLE | SOL_OPTION_JSON, .min_args = 0, .max_args = 1 };
static const sol_command_t plain = { .name = "plain", .line = "another", .usage = "FILE", .about = "", .min_args = 1, .max_args = 1 };

static sol_status_t parse (const sol_command_t *c, sol_options_t *o, const char *text)
{
  static char copy[512];
  static char *argv[16];
  int argc = 0;
  snprintf (copy, sizeof copy, "%s", text);
  for (char *at = strtok (copy, " "); at && argc < 15; at = strtok (NULL, " ")) argv[argc++] = at;
  argv[argc] = NULL;
  return sol_options_parse (c, argc, argv, o);
}

int main (void)
{
  sol_options_t o;
  need (freopen ("/dev/null", "w", stderr) != NULL);
  ok (parse (&sample, &o, "sample a.yaml seed=3 --resume --role actor staleness.k=8") == SOL_OK);
  ok (o.n_args == 1 && !strcmp (o.args[0], "a.yaml") && o.n_overrides == 2 && !strcmp (o.overrides[0], "seed=3") && !strcmp (o.overrides[1], "staleness.k=8"));
  ok ((o.given & SOL_OPTION_RESUME) && (o.given & SOL_OPTION_ROLE) && !(o.given & SOL_OPTION_JSON) && !strcmp (o.role, "actor"));
  sol_options_free (&o);
  ok (parse (&sample, &o, "sample --role=learner runs/k=3/a.yaml") == SOL_OK && !strcmp (o.role, "learner") && o.n_args == 1 && o.n_overrides == 0);
  sol_options_free (&o);
  ok (parse (&sample, &o, "sample -- --resume") == SOL_OK && o.n_args == 1 && !o.given);
  sol_options_free (&o);
  ok (parse (&sample, &o, "sample -") == SOL_OK && o.n_args == 1); /* standard input's usual name */
  sol_options_free (&o);
  ok (parse (&plain, &o, "plain out/a=b") == SOL_OK && o.n_args == 1);
  sol_options_free (&o);
  static const char *const bad[] = { "sample --force", "sample --role", "sample --role=", "sample --role king", "sample --resume=3", "sample a b", "sample --resum", "sample -r" };
  for (int i = 0; i < 8; i++) {
    tap_ok (parse (&sample, &o, bad[i]) == SOL_ERR_USAGE, "refused: %s", bad[i]);
    sol_options_free (&o);
  }
  ok (parse (&plain, &o, "plain") == SOL_ERR_USAGE);
  sol_options_free (&o);
  ok (parse (&plain, &o, "plain a=b") == SOL_ERR_USAGE);
  sol_options_free (&o);
  ok (sol_exit_code (SOL_OK) == 0 && sol_exit_code (SOL_END) == 0 && sol_exit_code (SOL_STOPPED) == 0 && sol_exit_code (SOL_ERR_USAGE) == 2 && sol_exit_code (SOL_ERR_IO) == 1);
  sol_buffer_t b = { 0 };
  sol_help_command (&sample, &b);
  ok (strstr (b.data, "It does nothing.\n\nTwice.\n") && strstr (b.data, "--role ROLE") && strstr (b.data, "--help") && !strstr (b.data, "  --force") && strstr (b.data, "staleness.k"));
  ok (strstr (b.data, "train.lr") && !strstr (b.data, "sft.batch"));
  sol_buffer_free (&b);
  for (int i = 0; sol_commands[i]; i++) {
    const sol_command_t *c = sol_commands[i];
    tap_ok (sol_command_find (c->name) == c && strlen (c->line) < 60 && c->usage && c->about && c->run && c->max_args >= c->min_args, "row %s is whole", c->name);
  }
  ok (sol_command_unknown ("hlep") == 2);
  return tap_done ();
}
