/* SPDX-License-Identifier: Apache-2.0 */
/* command.h: the table of subcommands. main is its loop; help, man page and completion are made from it. To add one: write src/cli/cmd_NAME.c with
 *   const sol_command_t sol_command_NAME = { .name = "NAME", ... };
 * and add the row X (NAME) to SOL_COMMANDS below. */
#ifndef SOL_COMMAND_H
#define SOL_COMMAND_H
#include "solera/buffer.h"
#include "solera/status.h"

/* in the order in which help lists them */
#define SOL_COMMANDS(X)                                                                                                                       \
  X (train)                                                                                                                                   \
  X (sft)                                                                                                                                     \
  X (generate)                                                                                                                                \
  X (score)                                                                                                                                   \
  X (eval)                                                                                                                                    \
  X (convert)                                                                                                                                \
  X (tokenize)                                                                                                                               \
  X (verify)                                                                                                                                 \
  X (objective)                                                                                                                               \
  X (rescore)                                                                                                                              \
  X (plan)                                                                                                                                    \
  X (info)                                                                                                                                    \
  X (selftest)                                                                                                                                \
  X (help)

/* options, one table for all commands: symbol, text, argument (NULL: none), doc */
#define SOL_OPTIONS(X)                                                                                                                        \
  X (RESUME, "--resume", NULL, "go on in out: a run from its newest whole checkpoint, an evaluation with what is not answered yet; an empty folder starts") \
  X (FORCE, "--force", NULL, "replace what is in out")                                                                                        \
  X (REPLAY, "--replay", "RUN", "make the run in folder RUN again, from its statistics: the same groups by the same versions in the same order")                 \
  X (REUSE, "--reuse-rollouts", "RUN", "train on the rollouts that the run in folder RUN recorded, without generating; objective and training may differ")           \
  X (ROLE, "--role", "ROLE", "what this rank is: actor, broker or learner (on all ranks or on none)")                                         \
  X (DEVICE, "--device", "DEVICE", "a100, h100, h200, or a file with the rates of another")                                                   \
  X (GPUS, "--gpus", "LIST", "numbers of devices: 8 or 8,16,32")                                                                              \
  X (JSON, "--json", NULL, "print the facts as JSON")                                                                                         \
  X (OBJECTIVE, "--objective", "LIST", "rules: NAME[:param=value[:param=value...]], parted by commas")                                         \
  X (FROM, "--from", "N", "first update (0)")                                                                                                 \
  X (TO, "--to", "N", "last update (the last that is whole)")                                                                                 \
  X (TOKENS, "--tokens", "N", "list the N token ids about which each rule and self (or --against) differ most")                               \
  X (AGAINST, "--against", "RULE", "with --tokens: the rule that the others are compared with, self or one of --objective")                      \
  X (HDF5, "--hdf5", "FILE", "write all figures by update and rule to FILE too")                                                              \
  X (DECODE, "--decode", NULL, "from ids to text")                                                                                            \
  X (SPECIAL, "--special", NULL, "put the model's special tokens around a text; with --decode, leave special tokens out")                     \
  X (REPLACE, "--replace", NULL, "bytes that are not UTF-8 become U+FFFD instead of an error")                                                \
  X (COMMAND, "--command", "PROGRAM", "let PROGRAM grade; what follows is its arguments, from the first that starts with a dash behind --")                       \
  X (LIMIT, "--limit", "S", "seconds for one answer (2; with --command 60)")                                                                  \
  X (DATA, "--data", "LIST", "data sets, parted by commas: names or files; all problems of each, in their order")                             \
  X (FIRST, "--first", "N", "of each data set the first N problems")                                                                          \
  X (PASS, "--pass", "K", "k of pass@k, at most rollout.samples (rollout.samples)")                                                           \
  X (PRESET, "--preset", "NAME", "a paper's protocol: m2po")                                                                                  \
  X (SKIP_MISSING, "--skip-missing", NULL, "leave out data sets whose file is missing; the table says so")                                    \
  X (BEST, "--best", NULL, "of a run the best checkpoint (checkpoint.best), not the newest")                                                  \
  X (MAN, "--man", NULL, "print the manual page")                                                                                             \
  X (BASH, "--bash", NULL, "print the completion for bash")                                                                                   \
  X (MARKDOWN, "--markdown", NULL, "print docs/settings.md")                                                                                  \
  X (HELP, "--help", NULL, "print this")

enum {
#define X(symbol, ...) SOL_OPTION_INDEX_##symbol,
  SOL_OPTIONS (X)
#undef X
  SOL_N_OPTIONS
};
typedef enum {
#define X(symbol, ...) SOL_OPTION_##symbol = 1 << SOL_OPTION_INDEX_##symbol,
  SOL_OPTIONS (X)
#undef X
} sol_option_t;
typedef struct { const char *text, *argument, *doc; } sol_option_row_t;

typedef struct {
  const char *name;
  char group;           /* letter of its settings in settings.h; 0: it takes no key=value */
  const char *line;     /* what it does, under 60 characters */
  const char *usage;    /* behind the name: "[FILE.yaml] [key=value ...]" */
  const char *about;    /* paragraphs, parted by "\n\n"; no markup */
  unsigned options;     /* or of SOL_OPTION_...; --help is always there */
  int min_args, max_args; /* arguments that are neither options nor key=value */
  int (*run) (int argc, char **argv); /* argv[0] is the name; returns the exit status */
} sol_command_t;

/* the table, NULL at its end */
extern const sol_command_t *const sol_commands[];
const sol_command_t *sol_command_find (const char *name);
/* says that there is no such command and which is near; returns the exit status 2 */
int sol_command_unknown (const char *name);

/* the command line of a command, sorted */
typedef struct {
  unsigned given;      /* or of SOL_OPTION_... */
  const char *role, *device, *gpus; /* of --role, --device, --gpus */
  const char *value[SOL_N_OPTIONS]; /* of every option that takes one, by SOL_OPTION_INDEX_...; NULL: not given */
  int n_args;
  char **args;         /* [n_args] */
  int n_overrides;
  char **overrides;    /* [n_overrides] key=value, in order */
} sol_options_t;
/* Sorts argv[1..argc); the texts stay argv's. SOL_END: --help was given and printed, exit 0. SOL_ERR_USAGE: said what is wrong, exit 2. sol_options_free afterwards, whatever came. */
sol_status_t sol_options_parse (const sol_command_t *command, int argc, char **argv, sol_options_t *options);
void sol_options_free (sol_options_t *options);
/* OK, END and STOPPED 0; ERR_USAGE 2; other errors 1 */
int sol_exit_code (sol_status_t st);

/* ---- what the tables say (help.c) */
void sol_help_overview (sol_buffer_t *out);
void sol_help_command (const sol_command_t *command, sol_buffer_t *out);
void sol_help_settings (char group, sol_buffer_t *out); /* 0: all */
void sol_help_objectives (sol_buffer_t *out);
void sol_help_man (sol_buffer_t *out);
void sol_help_bash (sol_buffer_t *out);
void sol_help_markdown (sol_buffer_t *out);
#endif
