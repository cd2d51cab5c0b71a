/* SPDX-License-Identifier: Apache-2.0 */
/* stats_read.c: the index of all files at once, tokens update by update. A file is open only while its updates are read; each of its columns keeps the chunk that the last update ended in. */
#include "solera/clock.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "stats_reader.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROOM "stats"

static const int column_of[N_READ] = { SOL_STATS_TOKENS_seq, SOL_STATS_TOKENS_position, SOL_STATS_TOKENS_token, SOL_STATS_TOKENS_version, SOL_STATS_TOKENS_lp_behav,
                                       SOL_STATS_TOKENS_lp, SOL_STATS_TOKENS_entropy, SOL_STATS_TOKENS_advantage, SOL_STATS_TOKENS_verdict, SOL_STATS_TOKENS_lp_prox, SOL_STATS_TOKENS_lp_check,
                                       SOL_STATS_TOKENS_entropy_behav, SOL_STATS_TOKENS_lp_raw };
/* is column k asked for? */
static int wanted (int k, int want) { return k < LP_PROX || (want & 1 << (k - LP_PROX)) != 0; }

static size_t bytes_of (int k) { return sol_stats_type_bytes (sol_stats_column[column_of[k]].type); }

/* ---- the files */
static int by_launch (const void *pa, const void *pb)
{
  const part_t *a = pa, *b = pb;
  if (a->s.launch != b->s.launch) return a->s.launch < b->s.launch ? -1 : 1;
  return (a->s.learner > b->s.learner) - (a->s.learner < b->s.learner);
}

static sol_status_t list_parts (sol_stats_reader_t *r)
{
  DIR *d = opendir (r->dir);
  int room = 0, launch, learner;
  if (!d) return sol_fail (SOL_ERR_IO, ROOM, "%s: a run's statistics were expected in this folder: %s", r->dir, strerror (errno));
  for (struct dirent *e; (e = readdir (d));) {
    if (!sol_stats_source_parse (e->d_name, &launch, &learner)) continue;
    if (r->n_parts == room) r->part = sol_realloc (r->part, sizeof *r->part * (size_t) (room = room ? 2 * room : 16));
    part_t *p = &r->part[r->n_parts++];
    *p = (part_t){ .s = { .file = H5I_INVALID_HID, .launch = launch, .learner = learner }, .path = sol_path_join (r->dir, e->d_name) };
    for (int k = 0; k < N_READ; k++) p->dset[k] = H5I_INVALID_HID;
  }
  closedir (d);
  if (r->n_parts == 0) return sol_fail (SOL_ERR_IO, ROOM, "%s: no statistics: expected files LAUNCH.LEARNER.h5 (a run with stats.write: true)", r->dir);
  qsort (r->part, (size_t) r->n_parts, sizeof *r->part, by_launch);
  return SOL_OK;
}

void sol_stats_reader_close_part (part_t *p)
{
  for (int k = 0; k < N_READ; k++) {
    sol_h5_close (p->dset[k]);
    p->dset[k] = H5I_INVALID_HID;
  }
  sol_h5_close (p->s.file);
  p->s.file = H5I_INVALID_HID;
}

sol_status_t sol_stats_reader_open_part (part_t *p)
{
  sol_stats_source_t s;
  SOL_TRY (sol_stats_source_open_patiently (p->path, &s));
  if (s.launch != p->s.launch || s.learner != p->s.learner) {
    sol_status_t st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: is of launch %d, learner %d by its attributes", p->path, s.launch, s.learner);
    sol_stats_source_close (&s);
    return st;
  }
  sol_free (s.path);
  s.path = p->path;
  if (p->whole) p->s.file = s.file;
  else p->s = s;
  return SOL_OK;
}

/* ---- the index */
static sol_status_t add_pieces (sol_stats_reader_t *r, int part)
{
  const sol_stats_source_t *s = &r->part[part].s;
  const int64_t n = s->rows[SOL_STATS_UPDATES];
  int64_t at = 0, seq_at = 0, *end = sol_alloc (sizeof *end * (size_t) (n + 1)), *seq_end = sol_alloc (sizeof *end * (size_t) (n + 1));
  uint64_t *weights = sol_alloc (sizeof *weights * (size_t) (n + 1));
  int32_t *update = sol_alloc (sizeof *update * (size_t) (n + 1));
  sol_status_t st = SOL_OK;
  if (n == 0) goto out;
  SOL_GO (sol_stats_read (s->file, SOL_STATS_UPDATES_update, 0, n, update, s->path));
  SOL_GO (sol_stats_read (s->file, SOL_STATS_UPDATES_token_end, 0, n, end, s->path));
  SOL_GO (sol_stats_read (s->file, SOL_STATS_UPDATES_sequence_end, 0, n, seq_end, s->path));
  SOL_GO (sol_stats_read (s->file, SOL_STATS_UPDATES_weights, 0, n, weights, s->path));
  r->piece = sol_realloc (r->piece, sizeof *r->piece * (size_t) (r->n_pieces + n));
  for (int64_t i = 0; i < n; at = end[i], seq_at = seq_end[i], i++) {
    piece_t *last = r->n_pieces ? &r->piece[r->n_pieces - 1] : NULL;
    if (last && last->part == part && last->update == update[i]) last->n += end[i] - at, last->seq_n += seq_end[i] - seq_at;
    else r->piece[r->n_pieces++] = (piece_t){ update[i], at, end[i] - at, seq_at, seq_end[i] - seq_at, weights[i], part };
  }
out:
  sol_free (end);
  sol_free (seq_end);
  sol_free (weights);
  sol_free (update);
  return st;
}

static int by_update (const void *pa, const void *pb)
{
  const piece_t *a = pa, *b = pb;
  if (a->update != b->update) return a->update < b->update ? -1 : 1;
  return (a->part > b->part) - (a->part < b->part);
}

/* from the newest launch to the oldest: each loses the updates that a later one began before */
static sol_status_t measure_parts (sol_stats_reader_t *r)
{
  int64_t cut = INT64_MAX, next_cut = INT64_MAX;
  sol_status_t bad = SOL_OK;
  for (int i = r->n_parts - 1; i >= 0; i--) {
    part_t *p = &r->part[i];
    if (i < r->n_parts - 1 && r->part[i + 1].s.launch != p->s.launch) cut = next_cut;
    sol_status_t st = sol_stats_reader_open_part (p);
    if (st == SOL_OK) {
      if (p->s.resumed_update < next_cut) next_cut = p->s.resumed_update;
      st = sol_stats_source_measure (&p->s, cut);
      if (st == SOL_OK && !r->settings) st = sol_h5_get_text (p->s.file, "settings", &r->settings, p->path);
      if (st == SOL_OK && !r->program) st = sol_h5_get_text (p->s.file, "program", &r->program, p->path);
      if (st == SOL_OK) st = add_pieces (r, i);
    }
    sol_stats_reader_close_part (p);
    p->whole = st == SOL_OK;
    if (st == SOL_ERR_UNSUPPORTED || st == SOL_ERR_MEMORY) return st;
    if (st != SOL_OK) {
      sol_log (SOL_LOG_WARN, ROOM, "%s cannot be read and is left out", p->path);
      bad = st;
    }
  }
  if (r->n_pieces) return SOL_OK;
  return bad != SOL_OK ? bad : sol_fail (SOL_ERR_FORMAT, ROOM, "%s: no update is recorded yet", r->dir);
}

/* by the files' names */
static int learners_of (const sol_stats_reader_t *r, int part)
{
  int n = 0;
  for (int i = 0; i < r->n_parts; i++)
    if (r->part[i].s.launch == r->part[part].s.launch && r->part[i].s.learner >= n) n = r->part[i].s.learner + 1;
  return n;
}

/* Every update from the first to the last must be in the files of all learners of one launch. The last ones may not be: a kill came between the learners, or the run goes on. */
static sol_status_t check_index (sol_stats_reader_t *r)
{
  int64_t u = 0, end = r->n_pieces, e;
  qsort (r->piece, (size_t) r->n_pieces, sizeof *r->piece, by_update);
  r->start = sol_alloc (sizeof *r->start * (size_t) (r->n_pieces + 2));
  for (int64_t i = 0; i < r->n_pieces; i = e, u++) {
    const int part = r->piece[i].part, n = learners_of (r, part);
    if (r->piece[i].update != u) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: updates %" PRId64 " to %" PRId64 " are in no file", r->dir, u, r->piece[i].update - 1);
    for (e = i; e < r->n_pieces && r->piece[e].update == u; e++) continue;
    if (e - i == n && end == r->n_pieces) {
      r->start[u] = i;
      r->start[u + 1] = e;
      r->last = u;
      continue;
    }
    if (end == r->n_pieces) end = i;
    if (e - i == n || r->part[part].s.launch != r->part[r->piece[r->n_pieces - 1].part].s.launch)
      return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: update %" PRId64 " is not in the files of all learners (0 to %d) of launch %d", r->dir, r->piece[end].update, learners_of (r, r->piece[end].part) - 1,
                       r->part[r->piece[end].part].s.launch);
  }
  if (end < r->n_pieces) sol_log (SOL_LOG_WARN, ROOM, "%s: updates from %" PRId64 " are not in the files of all learners and are left out", r->dir, r->piece[end].update);
  r->n_pieces = end;
  return r->last >= 0 ? SOL_OK : sol_fail (SOL_ERR_FORMAT, ROOM, "%s: no update is in the files of all learners", r->dir);
}

sol_status_t sol_stats_reader_open (const char *run_dir, sol_stats_reader_t **reader_p)
{
  sol_stats_reader_t *r = sol_alloc (sizeof *r);
  char *whole = sol_path_join (run_dir, "stats.h5");
  sol_stats_info_t info = { 0 };
  sol_status_t st;
  *r = (sol_stats_reader_t){ .last = -1, .dir = sol_path_join (run_dir, "stats") };
  if (sol_file_exists (whole)) SOL_GO (sol_stats_info (whole, &info)); /* what it names is there and whole */
  sol_free (info.program);
  SOL_GO (list_parts (r));
  sol_h5_lock ();
  st = measure_parts (r);
  sol_h5_unlock ();
  if (st == SOL_OK) st = check_index (r);
out:
  sol_free (whole);
  if (st == SOL_OK) *reader_p = r;
  else sol_stats_reader_close (r);
  return st;
}

void sol_stats_reader_close (sol_stats_reader_t *r)
{
  if (!r) return;
  sol_h5_lock ();
  for (int i = 0; i < r->n_parts; i++) {
    sol_stats_reader_close_part (&r->part[i]);
    sol_free (r->part[i].path);
  }
  sol_h5_unlock ();
  for (int k = 0; k < N_READ; k++) sol_free (r->column[k]);
  for (int k = 0; k < SOL_STATS_N_COLUMNS; k++) sol_free (r->seq_column[k]);
  sol_free (r->prompts);
  sol_free (r->part), sol_free (r->piece), sol_free (r->start), sol_free (r->scratch), sol_free (r->stretch);
  sol_free (r->settings), sol_free (r->program), sol_free (r->dir);
  sol_free (r);
}

int64_t sol_stats_reader_last (const sol_stats_reader_t *r) { return r->last; }
const char *sol_stats_reader_settings (const sol_stats_reader_t *r) { return r->settings; }
const char *sol_stats_reader_program (const sol_stats_reader_t *r) { return r->program; }
double sol_stats_reader_seconds (const sol_stats_reader_t *r, int64_t *bytes_p)
{
  *bytes_p = r->bytes;
  return r->seconds;
}

int sol_stats_reader_has (const sol_stats_reader_t *r, int one, int64_t from, int64_t to)
{
  const int optional = sol_stats_optional (column_of[one == SOL_STATS_READ_PROX ? LP_PROX : one == SOL_STATS_READ_CHECK ? LP_CHECK : LP_RAW]);
  for (int64_t i = 0; i < r->n_pieces; i++)
    if (r->piece[i].update >= from && r->piece[i].update <= to && r->piece[i].n > 0 && !r->part[r->piece[i].part].s.has[optional]) return 0;
  return 1;
}

/* ---- tokens */
static sol_status_t make_room (sol_stats_reader_t *r, int64_t n)
{
  if (n <= r->room) return SOL_OK;
  n += n / 8;
  r->room = 0;
  for (int k = 0; k < N_READ; k++) {
    sol_free (r->column[k]);
    r->column[k] = NULL;
    SOL_TRY (sol_alloc_large ((size_t) n * 8, "the tokens of an update", &r->column[k])); /* 8 each: columns change places with scratch */
  }
  sol_free (r->scratch);
  r->scratch = NULL;
  SOL_TRY (sol_alloc_large ((size_t) n * 8, "the tokens of an update", &r->scratch));
  r->room = n;
  return SOL_OK;
}

/* a column whose cache holds one chunk, which two updates may share */
static sol_status_t open_column (part_t *p, int k)
{
  char name[80];
  hid_t d, make = H5I_INVALID_HID, how = H5I_INVALID_HID;
  hsize_t rows;
  sol_status_t st;
  if (p->dset[k] >= 0) return SOL_OK;
  sol_stats_column_path (column_of[k], name, sizeof name);
  SOL_TRY (SOL_H5 (d = H5Dopen2 (p->s.file, name, H5P_DEFAULT), p->path));
  SOL_GO (SOL_H5 (make = H5Dget_create_plist (d), p->path));
  if (H5Pget_layout (make) == H5D_CHUNKED && H5Pget_chunk (make, 1, &rows) == 1) {
    SOL_GO (SOL_H5 (how = H5Pcreate (H5P_DATASET_ACCESS), p->path));
    SOL_GO (SOL_H5 (H5Pset_chunk_cache (how, 11, rows * bytes_of (k), 1), p->path));
    sol_h5_close (d);
    SOL_GO (SOL_H5 (d = H5Dopen2 (p->s.file, name, how), p->path));
  }
  p->dset[k] = d;
out:
  if (st != SOL_OK) sol_h5_close (d);
  sol_h5_close (make);
  sol_h5_close (how);
  return st;
}

static sol_status_t read_rows (sol_stats_reader_t *r, const piece_t *piece, int k, int64_t to)
{
  part_t *p = &r->part[piece->part];
  hsize_t from = (hsize_t) piece->first, count = (hsize_t) piece->n;
  hid_t in = H5I_INVALID_HID, at = H5I_INVALID_HID;
  sol_status_t st;
  SOL_GO (open_column (p, k));
  SOL_GO (SOL_H5 (in = H5Screate_simple (1, &count, NULL), p->path));
  SOL_GO (SOL_H5 (at = H5Dget_space (p->dset[k]), p->path));
  SOL_GO (SOL_H5 (H5Sselect_hyperslab (at, H5S_SELECT_SET, &from, NULL, &count, NULL), p->path));
  st = SOL_H5 (H5Dread (p->dset[k], sol_stats_h5_type (sol_stats_column[column_of[k]].type, 1), in, at, H5P_DEFAULT, (char *) r->column[k] + (size_t) to * bytes_of (k)), p->path);
  r->bytes += piece->n * (int64_t) bytes_of (k);
out:
  sol_h5_close (at);
  sol_h5_close (in);
  return st;
}

static sol_status_t read_pieces (sol_stats_reader_t *r, int64_t from, int64_t end, int want)
{
  int64_t to = 0;
  for (int i = 0; i < r->n_parts; i++) /* files that are done with */
    if (r->part[i].s.file >= 0 && (r->part[i].s.last_update < r->piece[from].update || r->part[i].s.first_update > r->piece[from].update)) sol_stats_reader_close_part (&r->part[i]);
  for (int64_t i = from; i < end; i++) {
    const piece_t *piece = &r->piece[i];
    part_t *p = &r->part[piece->part];
    if (piece->n == 0) continue;
    if (p->s.file < 0) SOL_TRY (sol_stats_reader_open_part (p));
    for (int k = 0; k < N_READ; k++) {
      if (!wanted (k, want)) continue;
      if (sol_stats_optional (column_of[k]) >= 0 && !p->s.has[sol_stats_optional (column_of[k])]) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tokens/%s was not recorded", p->path, sol_stats_column[column_of[k]].name);
      SOL_TRY (read_rows (r, piece, k, to));
    }
    to += piece->n;
  }
  return SOL_OK;
}

static int by_sequence (const void *pa, const void *pb)
{
  const stretch_t *a = pa, *b = pb;
  return (a->seq > b->seq) - (a->seq < b->seq);
}

static sol_status_t find_sequences (sol_stats_reader_t *r, int64_t update, int64_t n, int *sorted_p)
{
  const int64_t *seq = r->column[SEQ];
  const int32_t *position = r->column[POSITION];
  *sorted_p = 1;
  r->n_stretch = 0;
  for (int64_t i = 0, e; i < n; i = e) {
    for (e = i; e < n && seq[e] == seq[i]; e++)
      if (position[e] != e - i)
        return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: update %" PRId64 ", sequence %" PRId64 ": expected position %" PRId64 ", found %d", r->dir, update, seq[i], e - i, position[e]);
    if (r->n_stretch == r->room_stretch) r->stretch = sol_realloc (r->stretch, sizeof *r->stretch * (size_t) (r->room_stretch = r->room_stretch ? 2 * r->room_stretch : 256));
    r->stretch[r->n_stretch++] = (stretch_t){ seq[i], i, e - i };
    *sorted_p &= i == 0 || seq[i - 1] < seq[i];
  }
  if (!*sorted_p) qsort (r->stretch, (size_t) r->n_stretch, sizeof *r->stretch, by_sequence);
  for (int64_t i = 1; i < r->n_stretch; i++)
    if (r->stretch[i].seq == r->stretch[i - 1].seq) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: update %" PRId64 ": sequence %" PRId64 " is there twice", r->dir, update, r->stretch[i].seq);
  return SOL_OK;
}

static void put_in_order (sol_stats_reader_t *r, int k)
{
  const size_t b = bytes_of (k);
  char *to = r->scratch;
  for (int64_t i = 0; i < r->n_stretch; i++) {
    memcpy (to, (const char *) r->column[k] + (size_t) r->stretch[i].first * b, (size_t) r->stretch[i].n * b);
    to += (size_t) r->stretch[i].n * b;
  }
  to = r->scratch;
  r->scratch = r->column[k];
  r->column[k] = to;
}

sol_status_t sol_stats_reader_update (sol_stats_reader_t *r, int64_t update, int want, sol_stats_update_t *update_p)
{
  const double t0 = sol_clock_s ();
  int64_t n = 0, from, end;
  int sorted = 1;
  SOL_ASSERT (update >= 0 && update <= r->last);
  from = r->start[update];
  end = r->start[update + 1];
  for (int64_t i = from; i < end; i++) n += r->piece[i].n;
  SOL_TRY (make_room (r, n));
  sol_h5_lock ();
  sol_status_t st = read_pieces (r, from, end, want);
  sol_h5_unlock ();
  SOL_TRY (st);
  SOL_TRY (find_sequences (r, update, n, &sorted));
  for (int k = 0; k < N_READ && !sorted; k++)
    if (wanted (k, want)) put_in_order (r, k);
  r->seconds += sol_clock_s () - t0;
  *update_p = (sol_stats_update_t){ .n = n, .seq = r->column[SEQ], .position = r->column[POSITION], .token = r->column[TOKEN], .version = r->column[VERSION], .lp_behav = r->column[LP_BEHAV],
                                    .lp = r->column[LP], .entropy = r->column[ENTROPY], .advantage = r->column[ADVANTAGE], .verdict = r->column[VERDICT],
                                    .lp_prox = wanted (LP_PROX, want) ? r->column[LP_PROX] : NULL, .lp_check = wanted (LP_CHECK, want) ? r->column[LP_CHECK] : NULL,
                                    .entropy_behav = wanted (ENTROPY_BEHAV, want) ? r->column[ENTROPY_BEHAV] : NULL, .lp_raw = wanted (LP_RAW, want) ? r->column[LP_RAW] : NULL };
  return SOL_OK;
}
