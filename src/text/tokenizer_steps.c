/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_steps.c: the pre-tokenizer of tokenizer.json. ByteLevel as the last step, the usual case, leaves pieces as bytes; anywhere else it spells them in its alphabet. */
#include "solera/json.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/utf8.h"
#include "tokenizer_internal.h"
#include <cjson/cJSON.h>
#include <string.h>

#define ROOM "tokenizer"

/* how GPT-2 cuts text: what ByteLevel does when use_regex is on */
static const char byte_level_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static const cJSON *member (const cJSON *object, const char *key) { return cJSON_GetObjectItemCaseSensitive (object, key); }

static sol_status_t new_step (sol_tokenizer_t *t, sol_step_kind_t kind, const char *path, sol_step_t **step_p)
{
  if (t->n_steps == SOL_MAX_STEPS) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: pre_tokenizer: more than %d steps", path, SOL_MAX_STEPS);
  *step_p = &t->step[t->n_steps++];
  (*step_p)->kind = kind;
  return SOL_OK;
}

/* "behavior", or otherwise where it may be absent */
static sol_status_t read_cut (const cJSON *item, const char *otherwise, const char *path, sol_cut_t *cut_p)
{
  static const char *const name[] = { "Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous" };
  const char *found = sol_json_string (item, "behavior");
  if (!found && !member (item, "behavior")) found = otherwise;
  for (int i = 0; found && i < 5; i++)
    if (!strcmp (found, name[i])) {
      *cut_p = (sol_cut_t) i;
      return SOL_OK;
    }
  return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: pre_tokenizer: %s: behavior: expected Isolated, Removed, MergedWithPrevious, MergedWithNext or Contiguous, found %.40s", path,
                   sol_json_string (item, "type"), found ? found : "none");
}

static sol_status_t read_split (sol_tokenizer_t *t, const cJSON *item, const char *path)
{
  sol_step_t *step = NULL;
  SOL_TRY (new_step (t, SOL_STEP_PATTERN, path, &step));
  SOL_TRY (read_cut (item, NULL, path, &step->cut));
  step->invert = cJSON_IsTrue (member (item, "invert"));
  return sol_pattern_read (&step->pattern, member (item, "pattern"), "pre_tokenizer: Split", path);
}

static sol_status_t read_digits (sol_tokenizer_t *t, const cJSON *item, const char *path)
{
  sol_step_t *step = NULL;
  SOL_TRY (new_step (t, SOL_STEP_CHARS, path, &step));
  step->cut = cJSON_IsTrue (member (item, "individual_digits")) ? SOL_CUT_ISOLATED : SOL_CUT_CONTIGUOUS;
  step->is = sol_is_numeric;
  return SOL_OK;
}

static sol_status_t read_punctuation (sol_tokenizer_t *t, const cJSON *item, const char *path)
{
  sol_step_t *step = NULL;
  SOL_TRY (new_step (t, SOL_STEP_CHARS, path, &step));
  step->is = sol_is_punctuation;
  return read_cut (item, "Isolated", path, &step->cut);
}

static sol_status_t read_white (sol_tokenizer_t *t, const cJSON *item, const char *path)
{
  sol_step_t *step = NULL;
  (void) item;
  SOL_TRY (new_step (t, SOL_STEP_CHARS, path, &step));
  step->is = sol_utf8_is_space;
  step->cut = SOL_CUT_REMOVED;
  return SOL_OK;
}

/* white space goes, then runs of word characters and runs of others: no character is both */
static sol_status_t read_whitespace (sol_tokenizer_t *t, const cJSON *item, const char *path)
{
  sol_step_t *step = NULL;
  SOL_TRY (read_white (t, item, path));
  SOL_TRY (new_step (t, SOL_STEP_CHARS, path, &step));
  step->is = sol_is_word;
  step->cut = SOL_CUT_CONTIGUOUS;
  return SOL_OK;
}

static sol_status_t read_delimiter (sol_tokenizer_t *t, const cJSON *item, const char *path)
{
  const char *delimiter = sol_json_string (item, "delimiter");
  sol_step_t *step = NULL;
  SOL_TRY (new_step (t, SOL_STEP_CHARS, path, &step));
  step->cut = SOL_CUT_REMOVED;
  if (!delimiter || !delimiter[0] || sol_utf8_next (delimiter, strlen (delimiter), &step->delimiter) != (int) strlen (delimiter))
    return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: pre_tokenizer: CharDelimiterSplit: expected one character as delimiter", path);
  return SOL_OK;
}

static sol_status_t read_byte_level (sol_tokenizer_t *t, const cJSON *item, const char *path)
{
  sol_step_t *step = NULL;
  if (!cJSON_IsFalse (member (item, "add_prefix_space"))) { /* its default is true */
    SOL_TRY (new_step (t, SOL_STEP_PREFIX, path, &step));
    step->text = sol_strdup (" ");
    step->bytes = 1;
  }
  if (!cJSON_IsFalse (member (item, "use_regex"))) {
    SOL_TRY (new_step (t, SOL_STEP_PATTERN, path, &step));
    SOL_TRY (sol_pattern_compile (&step->pattern, byte_level_pattern, "pre_tokenizer: ByteLevel", path));
  }
  return new_step (t, SOL_STEP_SPELL, path, &step);
}

static sol_status_t read_metaspace (sol_tokenizer_t *t, const cJSON *item, const char *path)
{
  const char *replacement = sol_json_string (item, "replacement"), *scheme = sol_json_string (item, "prepend_scheme");
  static const char *const name[] = { "always", "first", "never" };
  sol_step_t *step = NULL;
  int32_t cp;
  int k = 0;
  if (!replacement || !replacement[0] || sol_utf8_next (replacement, strlen (replacement), &cp) != (int) strlen (replacement))
    return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: pre_tokenizer: Metaspace: expected one character as replacement", path);
  if (scheme)
    while (k < 3 && strcmp (scheme, name[k])) k++;
  else k = cJSON_IsFalse (member (item, "add_prefix_space")) ? SOL_PREPEND_NEVER : SOL_PREPEND_ALWAYS;
  if (k == 3) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: pre_tokenizer: Metaspace: prepend_scheme: expected always, first or never, found %.40s", path, scheme);
  SOL_TRY (new_step (t, SOL_STEP_METASPACE, path, &step));
  step->prepend = (sol_prepend_t) k;
  step->text = sol_strdup (replacement);
  step->bytes = strlen (replacement);
  if (cJSON_IsFalse (member (item, "split"))) return SOL_OK; /* its default is true */
  SOL_TRY (new_step (t, SOL_STEP_PATTERN, path, &step));
  step->cut = SOL_CUT_NEXT;
  sol_pattern_literal (&step->pattern, replacement, strlen (replacement));
  return SOL_OK;
}

static sol_status_t read_step (sol_tokenizer_t *t, const cJSON *item, int depth, const char *path)
{
  static const struct { const char *type; sol_status_t (*read) (sol_tokenizer_t *t, const cJSON *item, const char *path); } kind[] = {
    { "Split", read_split }, { "ByteLevel", read_byte_level }, { "Digits", read_digits }, { "Punctuation", read_punctuation }, { "Whitespace", read_whitespace },
    { "WhitespaceSplit", read_white }, { "CharDelimiterSplit", read_delimiter }, { "Metaspace", read_metaspace }
  };
  const char *type = sol_json_string (item, "type");
  if (!type) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: pre_tokenizer: a step without type", path);
  for (size_t i = 0; i < sizeof kind / sizeof *kind; i++)
    if (!strcmp (type, kind[i].type)) return kind[i].read (t, item, path);
  if (strcmp (type, "Sequence") || depth == 8)
    return sol_fail (SOL_ERR_UNSUPPORTED, ROOM,
                     "%s: pre_tokenizer: Split, ByteLevel, Digits, Punctuation, Whitespace, WhitespaceSplit, CharDelimiterSplit, Metaspace and Sequence are supported, found %.40s", path, type);
  const cJSON *list = member (item, "pretokenizers"), *part;
  if (!cJSON_IsArray (list)) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: pre_tokenizer: Sequence: expected a list pretokenizers", path);
  cJSON_ArrayForEach (part, list) SOL_TRY (read_step (t, part, depth + 1, path));
  return SOL_OK;
}

sol_status_t sol_tokenizer_read_steps (sol_tokenizer_t *t, const struct cJSON *root, const char *path)
{
  const cJSON *steps = member (root, "pre_tokenizer");
  if (steps && !cJSON_IsNull (steps)) SOL_TRY (read_step (t, steps, 0, path));
  t->byte_level = t->n_steps && t->step[t->n_steps - 1].kind == SOL_STEP_SPELL;
  t->n_steps -= t->byte_level;
  return SOL_OK;
}

void sol_tokenizer_free_steps (sol_tokenizer_t *t)
{
  for (int i = 0; i < SOL_MAX_STEPS; i++) {
    sol_pattern_free (&t->norm[i].pattern);
    sol_pattern_free (&t->step[i].pattern);
    sol_pattern_free (&t->dec[i].pattern);
    sol_free (t->norm[i].text);
    sol_free (t->step[i].text);
    sol_free (t->dec[i].text);
  }
}
