/* SPDX-License-Identifier: Apache-2.0 */
/* rescore_words.c: which tokens two rules differ about, by id. */
#include "rescore.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/task.h"
#include "solera/tokenizer.h"
#include <math.h>
#include <string.h>

enum { WORD_INTS = sizeof (sol_rescore_word_t) / sizeof (int64_t), PIECE = 4096 };

static sol_status_t make_room (sol_rescore_words_t *w, int n, int64_t ids)
{
  if (ids <= w->room) return SOL_OK;
  ids += ids / 8 + 64;
  for (int i = 0; i < n; i++) {
    void *more;
    SOL_TRY (sol_alloc_large ((size_t) ids * sizeof **w->word, "counts of token ids", &more));
    if (w->word[i]) memcpy (more, w->word[i], (size_t) w->room * sizeof **w->word);
    sol_free (w->word[i]);
    w->word[i] = more;
  }
  w->room = ids;
  return SOL_OK;
}

sol_status_t sol_rescore_words_add (sol_rescore_words_t *w, const sol_rescore_rules_t *rules, const sol_stats_update_t *t, int64_t update, const uint64_t *const *marks)
{
  int64_t most = -1;
  for (int64_t i = 0; i < t->n; i++) {
    if (t->token[i] < 0) return sol_fail (SOL_ERR_FORMAT, "rescore", "update %lld, sequence %lld, position %d: token id %d", (long long) update, (long long) t->seq[i], t->position[i], t->token[i]);
    if (t->token[i] > most) most = t->token[i];
  }
  SOL_TRY (make_room (w, rules->n, most + 1));
  for (int k = 0; k < rules->n; k++) {
    if (k == rules->base || !marks[k] || !marks[rules->base]) continue;
    for (int64_t i = 0; i < t->n; i++) {
      sol_rescore_word_t *word = &w->word[k][t->token[i]];
      const uint64_t bit = (uint64_t) 1 << (i % 64), base = marks[rules->base][i / 64] & bit, rule = marks[k][i / 64] & bit;
      word->all++;
      if (base == rule) continue;
      if (rule) word->rule++;
      else word->base++;
      word->lag += update - t->version[i];
      if (isfinite (t->entropy[i])) word->entropy += llround ((double) t->entropy[i] * 16777216);
    }
  }
  return SOL_OK;
}

sol_status_t sol_rescore_words_sum (sol_rescore_words_t *w, int n, sol_comm_t *world)
{
  int64_t room = w->room;
  SOL_TRY (sol_comm_max_i64 (world, &room, 1));
  SOL_TRY (sol_comm_agree (world, make_room (w, n, room))); /* at least so many on every rank, zeros beyond */
  for (int k = 0; k < n; k++)
    for (int64_t i = 0; i < room; i += PIECE) {
      const int64_t ids = room - i < PIECE ? room - i : PIECE;
      SOL_TRY (sol_comm_sum_i64 (world, (int64_t *) &w->word[k][i], (int) ids * WORD_INTS));
    }
  return SOL_OK;
}

static int64_t count (const sol_rescore_word_t *word) { return word->rule + word->base; }

int sol_rescore_words_top (const sol_rescore_words_t *w, int rule, int n, int64_t *id)
{
  int have = 0;
  for (int64_t i = 0; i < w->room; i++) {
    const sol_rescore_word_t *words = w->word[rule];
    if (count (&words[i]) == 0 || (have == n && count (&words[i]) <= count (&words[id[n - 1]]))) continue;
    int at = have < n ? have++ : n - 1;
    for (; at > 0 && count (&words[id[at - 1]]) < count (&words[i]); at--) id[at] = id[at - 1];
    id[at] = i;
  }
  return have;
}

int sol_rescore_text_of (const sol_rescore_texts_t *texts, int32_t token, sol_buffer_t *out)
{
  sol_buffer_t text = { 0 };
  if (texts->tokenizer) sol_tokenizer_decode (texts->tokenizer, &token, 1, 0, &text);
  else if (texts->chain) sol_task_text (texts->chain, &token, 1, &text);
  else return 0;
  sol_buffer_json (out, text.bytes ? text.data : "", text.bytes);
  sol_buffer_free (&text);
  return 1;
}

void sol_rescore_words_free (sol_rescore_words_t *w)
{
  for (int i = 0; i < SOL_RESCORE_RULES; i++) sol_free (w->word[i]);
}
