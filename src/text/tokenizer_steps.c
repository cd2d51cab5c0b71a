/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_steps.c: normaliser and pre-tokenizer of tokenizer.json. ByteLevel must be the last step: it turns text into the alphabet that merging works on. */
#include "solera/json.h"
#include "solera/log.h"
#include "tokenizer_internal.h"
#include <cjson/cJSON.h>
#include <string.h>

#define ROOM "tokenizer"

/* how GPT-2 cuts text: what ByteLevel does when use_regex is on */
static const char byte_level_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static const cJSON *member (const cJSON *object, const char *key) { return cJSON_GetObjectItemCaseSensitive (object, key); }

static sol_status_t new_step (sol_tokenizer_t *t, const char *path, sol_step_t **step_p)
{
  if (t->n_steps == SOL_MAX_STEPS) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: pre_tokenizer: more than %d steps", path, SOL_MAX_STEPS);
  *step_p = &t->step[t->n_steps++];
  return SOL_OK;
}

static sol_status_t compile (sol_step_t *step, const char *pattern, int literal, const char *path)
{
  int error;
  size_t at;
  step->code = pcre2_compile ((PCRE2_SPTR) pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | (literal ? PCRE2_LITERAL : PCRE2_UCP), &error, &at, NULL);
  if (!step->code) {
    char why[128] = "";
    pcre2_get_error_message (error, (PCRE2_UCHAR *) why, sizeof why);
    return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: pre_tokenizer: pattern, character %zu: %s", path, at, why);
  }
  pcre2_jit_compile (step->code, PCRE2_JIT_COMPLETE); /* without it, it is only slower */
  return SOL_OK;
}

static sol_status_t read_split (sol_tokenizer_t *t, const cJSON *item, const char *path)
{
  const char *behavior = sol_json_string (item, "behavior"), *regex = sol_json_string (member (item, "pattern"), "Regex");
  const char *literal = sol_json_string (member (item, "pattern"), "String");
  sol_step_t *step = NULL;
  if (!regex && (!literal || !literal[0])) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: pre_tokenizer: Split: expected pattern.Regex or pattern.String", path);
  if (!behavior || (strcmp (behavior, "Isolated") && strcmp (behavior, "Removed")))
    return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: pre_tokenizer: Split: behavior: Isolated and Removed are supported, found %.40s", path, behavior ? behavior : "none");
  SOL_TRY (new_step (t, path, &step));
  step->kind = SOL_STEP_SPLIT;
  step->remove = behavior[0] == 'R';
  step->invert = cJSON_IsTrue (member (item, "invert"));
  return compile (step, regex ? regex : literal, !regex, path);
}

static sol_status_t read_digits (sol_tokenizer_t *t, const cJSON *item, const char *path)
{
  sol_step_t *step = NULL;
  SOL_TRY (new_step (t, path, &step));
  step->kind = SOL_STEP_DIGITS;
  step->individual = cJSON_IsTrue (member (item, "individual_digits"));
  return SOL_OK;
}

static sol_status_t read_byte_level (sol_tokenizer_t *t, const cJSON *item, const char *path)
{
  const cJSON *use = member (item, "use_regex");
  sol_step_t *step = NULL;
  if (!cJSON_IsFalse (member (item, "add_prefix_space"))) /* its default is true */
    return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: pre_tokenizer: ByteLevel: add_prefix_space is not supported", path);
  if (cJSON_IsFalse (use)) return SOL_OK;
  SOL_TRY (new_step (t, path, &step));
  step->kind = SOL_STEP_SPLIT;
  return compile (step, byte_level_pattern, 0, path);
}

static sol_status_t read_step (sol_tokenizer_t *t, const cJSON *item, int *ended, const char *path)
{
  const char *type = sol_json_string (item, "type");
  if (!type) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: pre_tokenizer: a step without type", path);
  if (*ended) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: pre_tokenizer: %.40s behind ByteLevel is not supported", path, type);
  if (!strcmp (type, "Split")) return read_split (t, item, path);
  if (!strcmp (type, "Digits")) return read_digits (t, item, path);
  if (!strcmp (type, "ByteLevel")) {
    *ended = 1;
    return read_byte_level (t, item, path);
  }
  if (strcmp (type, "Sequence"))
    return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: pre_tokenizer: Split, Digits, ByteLevel and Sequence are supported, found %.40s", path, type);
  const cJSON *list = member (item, "pretokenizers"), *part;
  if (!cJSON_IsArray (list)) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: pre_tokenizer: Sequence: expected a list pretokenizers", path);
  cJSON_ArrayForEach (part, list) SOL_TRY (read_step (t, part, ended, path));
  return SOL_OK;
}

static sol_status_t read_normalizer (sol_tokenizer_t *t, const cJSON *item, const char *path)
{
  if (!item || cJSON_IsNull (item)) return SOL_OK;
  const char *type = sol_json_string (item, "type");
  if (type && !strcmp (type, "NFC")) {
    t->nfc = 1;
    return SOL_OK;
  }
  const cJSON *list = member (item, "normalizers"), *part;
  if (!type || strcmp (type, "Sequence") || !cJSON_IsArray (list))
    return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: normalizer: none and NFC are supported, found %.40s", path, type ? type : "something without type");
  cJSON_ArrayForEach (part, list) SOL_TRY (read_normalizer (t, part, path));
  return SOL_OK;
}

sol_status_t sol_tokenizer_read_steps (sol_tokenizer_t *t, const struct cJSON *root, const char *path)
{
  const cJSON *steps = member (root, "pre_tokenizer");
  int ended = 0;
  SOL_TRY (read_normalizer (t, member (root, "normalizer"), path));
  if (!cJSON_IsObject (steps)) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: pre_tokenizer: expected one that ends with ByteLevel, found none", path);
  SOL_TRY (read_step (t, steps, &ended, path));
  if (!ended) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: pre_tokenizer: expected ByteLevel as the last step: only byte-level BPE is supported", path);
  return SOL_OK;
}
