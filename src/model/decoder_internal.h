/* SPDX-License-Identifier: Apache-2.0 */
/* decoder_internal.h: decoder.c keeps the books (groups, places, regions of the cache), decoder_run.c computes. */
#ifndef SOL_DECODER_INTERNAL_H
#define SOL_DECODER_INTERNAL_H
#include "model_internal.h"
#include "solera/decoder.h"

typedef struct {
  uint64_t group, tag;
  int32_t n_prompt, n_samples, max_new, started, finished;
  int32_t hidden; /* the prompt's row in `hidden`, from which its rows in the cache follow; < 0: not in the cache */
  int32_t head_row;    /* this step's logits of the first token; -1: not yet */
  size_t room;         /* bytes behind mem, kept when the group is used again */
  char *mem;
  int32_t *prompt, *ids, *len; /* [n_prompt], [n_samples * max_new], [n_samples] */
  float *lp, *raw_lp, *entropy;
  int64_t *version;
  uint8_t *finish;
} sol_decoding_t;

typedef struct {
  sol_decoding_t *g; /* NULL: free */
  int32_t sample, n; /* n: tokens so far */
  int32_t pages;     /* that its own keys have */
  int64_t born;      /* order of starting, kept when it is put back */
} sol_place_t;

/* rows of one run through the layers, built on the host */
typedef struct {
  int32_t n, n_spans, n_want;
  int32_t *ids, *pos, *cache_row; /* [max_rows] */
  sol_span_t *spans;
  int32_t *want, *into; /* rows whose last hidden state is kept, and where in `hidden`; [2 * slots] */
} sol_rows_t;

struct sol_decoder {
  sol_model_t *m;
  sol_decoder_params_t p;
  int64_t version, tokens;
  /* groups in the order of put; those of list[0 .. n_list) are unfinished or not yet taken */
  sol_decoding_t **list, **spare, *taken;
  int32_t n_list, n_spare, list_room, running, waiting;
  sol_place_t *place; /* [slots] */
  int64_t n_born, n_put_back, n_replays;
  /* Graphs of a step in which every place brings one token, and of the choice that follows, by number of rows: rows are filled up to a few numbers (sol_decoder_padded), so that there are not
   * too many graphs. What fills up goes to rows of the cache and of `hidden` behind all others; pad of them. NULL: not yet made; graphs NULL: the backend has none. A number that
   * comes first runs op by op, so that a device's libraries do outside of a recording what they do once. */
  sol_graph_t **layers_graph, **choose_graph; /* [slots + 1] */
  uint8_t *seen_layers, *seen_choose;
  int32_t pad;
  /* sequences that lost their pages, oldest first; [slots] */
  sol_place_t *back;
  int32_t n_back;
  /* The cache: n_pages pages of SOL_KV_PAGE rows. Rows as spans know them: prompt_pages for each live prompt (hidden - slots), then own_pages for each place; page [of those rows] -> page of
   * the cache, kept on the host and put on the backend as it changes: n_changed entries, named in changed [slots] as far as they fit. live: groups whose prompt is in the cache. Prompts never take more than prompt_most pages. */
  int32_t n_pages, prompt_pages, own_pages, prompt_most, used_by_prompts, n_free_pages, *free_pages, *page, n_changed, *changed;
  int32_t n_live, n_free_hidden, *free_hidden;
  sol_decoding_t **live;
  int32_t max_rows, max_spans;
  sol_rows_t rows;
  float inv_temp;
  /* backend memory */
  sol_arena_t arena;
  size_t cache_bytes; /* of the arena: K and V */
  sol_acts_t acts;     /* [max_rows], shared by all layers */
  sol_tensor_t *K, *V; /* [layers]: [cache rows, Hkv*D] */
  sol_tensor_t ids, pos, cache_row, pages, spans, want, into, h, s, wanted;
  sol_tensor_t hidden; /* [2 * slots, C]: of places, then of prompts */
  sol_tensor_t head_from, head_x, head_h, head_inv, logits, partial, one, scratch, draws, chosen, lp, entropy, raw_lp;
  /* host side of a step, [slots] */
  sol_arena_t pinned; /* host memory (sol_backend_pin) of the arrays that travel: rows.*, page, host_* but place and like */
  int32_t *host_from, *host_place, *host_like, *host_chosen;
  uint32_t *host_draws; /* [slots, 4]: counters of random.h */
  float *host_lp, *host_entropy, *host_raw;
};

void sol_decoder_lay_out (sol_decoder_t *d, sol_arena_t *arena);
/* appends a run of one sequence: tokens at pos0.. whose keys go to rows (as spans know them) from row on, behind a shared prompt of n_a rows at
 * a_row; their pages are there. want: row of `hidden` for the last token's state, or -1. Runs what is gathered when it does not fit beside it. */
sol_status_t sol_decoder_add (sol_decoder_t *d, const int32_t *ids, int32_t n, int32_t pos0, int32_t row, int32_t a_row, int32_t n_a,
                              int32_t want);
/* rows that a graph for n rows has: at most an eighth more */
int32_t sol_decoder_padded (int32_t n);
/* runs what is gathered through the layers */
sol_status_t sol_decoder_flush (sol_decoder_t *d);
/* chooses a token for each of n rows: rows [0, distinct) read hidden row host_from[i]; row i >= distinct has the logits of row
 * host_like[i]; host_draws, results in host_* */
sol_status_t sol_decoder_choose (sol_decoder_t *d, int32_t n, int32_t distinct);
#endif
