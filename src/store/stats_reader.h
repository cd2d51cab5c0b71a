/* SPDX-License-Identifier: Apache-2.0 */
/* stats_reader.h: the reader's parts: stats_read.c has the index and the tokens, stats_read_sequences.c the responses. */
#ifndef SOL_STATS_READER_H
#define SOL_STATS_READER_H
#include "solera/stats_read.h"
#include "stats_source.h"

enum { SEQ, POSITION, TOKEN, VERSION, LP_BEHAV, LP, ENTROPY, ADVANTAGE, VERDICT, LP_PROX, LP_CHECK, ENTROPY_BEHAV, LP_RAW, N_READ }; /* from LP_PROX on: 1 << (k - LP_PROX) is its SOL_STATS_READ_* */
typedef struct {
  sol_stats_source_t s; /* closed between uses: launch, learner, has and rows stay */
  char *path;
  int whole;            /* could be opened and measured */
  hid_t dset[N_READ];
} part_t;
typedef struct { int64_t update, first, n, seq_first, seq_n; uint64_t weights; int part; } piece_t; /* rows of a file: of tokens, of sequences */
typedef struct { int64_t seq, first, n; } stretch_t;            /* a sequence among the rows read */

struct sol_stats_reader {
  char *settings, *program, *dir;
  int n_parts;
  part_t *part;    /* by launch, then learner */
  piece_t *piece;  /* [n_pieces] by update, then part; of update u they begin at start[u] */
  int64_t n_pieces, last, *start;
  void *column[N_READ], *scratch;
  stretch_t *stretch;
  int64_t room, n_stretch, room_stretch, bytes;
  double seconds;
  /* responses of an update */
  void *seq_column[SOL_STATS_N_COLUMNS];
  int32_t *prompts;
};

sol_status_t sol_stats_reader_open_part (part_t *p); /* the file; what the name said must hold */
void sol_stats_reader_close_part (part_t *p);
#endif
