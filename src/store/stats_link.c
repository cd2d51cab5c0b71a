/* SPDX-License-Identifier: Apache-2.0 */
/* RUN/stats.h5: virtual data sets over every learner's and launch's file, by relative names, so that a run's folder can be moved. Earlier launches give only the rows that
 * the later ones have built on: updates below every later launch's resumed_update, and no untrained response that a later launch has recorded again. */
#include "h5_journal.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/stats.h"
#include "stats_source.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM "stats"
#define PIECE 65536

typedef struct { int64_t first, n; } run_t; /* rows of a source's sequences that are shown */
typedef struct {
  sol_stats_source_t s;
  int64_t n_runs, n_sequences;
  run_t *run;
} part_t;
typedef struct {
  const char *run_dir;
  int n;
  part_t *part; /* by launch, then learner */
  hid_t file;
  char *tmp;
} link_t;

sol_status_t sol_stats_launch (const char *run_dir, int *launch_p)
{
  char *dir = sol_path_join (run_dir, "stats");
  int next = 0, launch, learner;
  DIR *d = opendir (dir);
  sol_status_t st = SOL_OK;
  if (!d && errno != ENOENT) st = sol_fail (SOL_ERR_IO, ROOM, "%s: reading the folder failed: %s", dir, strerror (errno));
  for (struct dirent *e; d && st == SOL_OK && (e = readdir (d));) {
    if (!sol_stats_source_parse (e->d_name, &launch, &learner)) continue;
    char *path = sol_path_join (dir, e->d_name);
    if (launch >= next) next = launch + 1;
    st = sol_h5_journal_apply (path); /* its writer is dead; who opens the file without us shall find it whole */
    sol_free (path);
  }
  if (d) closedir (d);
  sol_free (dir);
  *launch_p = next;
  return st;
}

static int by_launch (const void *pa, const void *pb)
{
  const part_t *a = pa, *b = pb;
  if (a->s.launch != b->s.launch) return a->s.launch < b->s.launch ? -1 : 1;
  return (a->s.learner > b->s.learner) - (a->s.learner < b->s.learner);
}

static sol_status_t open_parts (link_t *l)
{
  char *dir = sol_path_join (l->run_dir, "stats");
  DIR *d = opendir (dir);
  int room = 0, launch, learner;
  sol_status_t st = SOL_OK;
  if (!d && errno != ENOENT) st = sol_fail (SOL_ERR_IO, ROOM, "%s: reading the folder failed: %s", dir, strerror (errno));
  for (struct dirent *e; d && st == SOL_OK && (e = readdir (d));) {
    if (!sol_stats_source_parse (e->d_name, &launch, &learner)) continue;
    if (l->n == room) l->part = sol_realloc (l->part, sizeof *l->part * (size_t) (room = room ? 2 * room : 16));
    char *path = sol_path_join (dir, e->d_name);
    st = sol_stats_source_open_patiently (path, &l->part[l->n].s);
    if (st == SOL_OK && (l->part[l->n].s.launch != launch || l->part[l->n].s.learner != learner)) {
      st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: is of launch %d, learner %d by its attributes", path, l->part[l->n].s.launch, l->part[l->n].s.learner);
      sol_stats_source_close (&l->part[l->n].s);
    }
    if (st == SOL_OK) l->n++;
    else if (st != SOL_ERR_UNSUPPORTED) { /* killed while it was created, or damaged: the others are still worth showing */
      sol_log (SOL_LOG_WARN, ROOM, "%s cannot be read and is left out of %s/stats.h5", path, l->run_dir);
      st = SOL_OK;
    }
    sol_free (path);
  }
  if (d) closedir (d);
  sol_free (dir);
  if (l->n) qsort (l->part, (size_t) l->n, sizeof *l->part, by_launch);
  return st;
}

static void measure_parts (link_t *l)
{
  int64_t cut = INT64_MAX, next_cut = INT64_MAX;
  for (int i = l->n - 1; i >= 0; i--) {
    sol_stats_source_t *s = &l->part[i].s;
    if (i < l->n - 1 && l->part[i + 1].s.launch != s->launch) cut = next_cut;
    if (sol_stats_source_measure (s, cut) != SOL_OK) {
      sol_log (SOL_LOG_WARN, ROOM, "%s is damaged and is left out of %s/stats.h5", s->path, l->run_dir);
      memset (s->rows, 0, sizeof s->rows);
      s->first_update = s->last_update = -1;
      memset (s->has, 0, sizeof s->has);
    }
    if (s->resumed_update < next_cut) next_cut = s->resumed_update;
  }
}

/* ---- untrained responses that come again */
typedef struct { int64_t seq, row; int part, again; } loose_t;
typedef struct { loose_t *at; int64_t n, room; } loose_list_t;

static sol_status_t find_loose (const link_t *l, int part, loose_list_t *list, int32_t *update, int64_t *seq)
{
  const sol_stats_source_t *s = &l->part[part].s;
  for (int64_t first = 0, n; first < s->rows[SOL_STATS_SEQUENCES]; first += n) {
    n = s->rows[SOL_STATS_SEQUENCES] - first < PIECE ? s->rows[SOL_STATS_SEQUENCES] - first : PIECE;
    SOL_TRY (sol_stats_read (s->file, SOL_STATS_SEQUENCES_update, first, n, update, s->path));
    SOL_TRY (sol_stats_read (s->file, SOL_STATS_SEQUENCES_seq, first, n, seq, s->path));
    for (int64_t i = 0; i < n; i++) {
      if (update[i] >= 0) continue;
      if (list->n == list->room) list->at = sol_realloc (list->at, sizeof *list->at * (size_t) (list->room = list->room ? 2 * list->room : 1024));
      list->at[list->n++] = (loose_t){ seq[i], first + i, part, 0 };
    }
  }
  return SOL_OK;
}

static int by_seq (const void *pa, const void *pb)
{
  const loose_t *a = pa, *b = pb;
  if (a->seq != b->seq) return a->seq < b->seq ? -1 : 1;
  return (a->part > b->part) - (a->part < b->part);
}
static int by_place (const void *pa, const void *pb)
{
  const loose_t *a = pa, *b = pb;
  if (a->part != b->part) return a->part < b->part ? -1 : 1;
  return (a->row > b->row) - (a->row < b->row);
}

static void mark_again (const link_t *l, loose_list_t *list, int part, int64_t seq)
{
  int64_t lo = 0, hi = list->n;
  while (lo < hi) {
    int64_t mid = (lo + hi) / 2;
    if (list->at[mid].seq < seq) lo = mid + 1;
    else hi = mid;
  }
  for (; lo < list->n && list->at[lo].seq == seq; lo++)
    if (l->part[list->at[lo].part].s.launch < l->part[part].s.launch) list->at[lo].again = 1;
}

static sol_status_t find_again (const link_t *l, loose_list_t *list, int64_t *seq)
{
  for (int p = 0; p < l->n && list->n; p++) {
    const sol_stats_source_t *s = &l->part[p].s;
    if (s->launch == l->part[0].s.launch) continue;
    for (int64_t first = 0, n; first < s->rows[SOL_STATS_SEQUENCES]; first += n) {
      n = s->rows[SOL_STATS_SEQUENCES] - first < PIECE ? s->rows[SOL_STATS_SEQUENCES] - first : PIECE;
      SOL_TRY (sol_stats_read (s->file, SOL_STATS_SEQUENCES_seq, first, n, seq, s->path));
      for (int64_t i = 0; i < n; i++) mark_again (l, list, p, seq[i]);
    }
  }
  return SOL_OK;
}

/* the shown rows of every part as runs between the rows that come again */
static void make_runs (link_t *l, const loose_list_t *list)
{
  int64_t k = 0;
  for (int p = 0; p < l->n; p++) {
    part_t *part = &l->part[p];
    int64_t from = 0, to = part->s.rows[SOL_STATS_SEQUENCES], room = 1;
    for (int64_t i = k; i < list->n && list->at[i].part == p; i++) room += list->at[i].again;
    part->run = sol_alloc (sizeof *part->run * (size_t) room);
    for (; k < list->n && list->at[k].part == p; k++) {
      if (!list->at[k].again) continue;
      if (list->at[k].row > from) part->run[part->n_runs++] = (run_t){ from, list->at[k].row - from };
      from = list->at[k].row + 1;
    }
    if (to > from) part->run[part->n_runs++] = (run_t){ from, to - from };
    for (int64_t i = 0; i < part->n_runs; i++) part->n_sequences += part->run[i].n;
  }
}

static sol_status_t choose_sequences (link_t *l)
{
  loose_list_t list = { 0 };
  int32_t *update = sol_alloc (PIECE * sizeof *update);
  int64_t *seq = sol_alloc (PIECE * sizeof *seq);
  sol_status_t st = SOL_OK;
  for (int p = 0; p < l->n; p++)
    if (l->part[p].s.launch != l->part[l->n - 1].s.launch) SOL_GO (find_loose (l, p, &list, update, seq));
  if (list.n) qsort (list.at, (size_t) list.n, sizeof *list.at, by_seq);
  SOL_GO (find_again (l, &list, seq));
  if (list.n) qsort (list.at, (size_t) list.n, sizeof *list.at, by_place);
  make_runs (l, &list);
out:
  sol_free (list.at);
  sol_free (update);
  sol_free (seq);
  return st;
}

/* ---- writing */
static int64_t rows_of (const part_t *p, int table) { return table == SOL_STATS_SEQUENCES ? p->n_sequences : p->s.rows[table]; }
static int64_t total_of (const link_t *l, int table)
{
  int64_t sum = 0;
  for (int i = 0; i < l->n; i++) sum += rows_of (&l->part[i], table);
  return sum;
}

/* rows [first, first + n) of a source appear from row `to` of the whole */
static sol_status_t map_rows (const link_t *l, hid_t make, hid_t whole, const part_t *p, const char *column, int64_t first, int64_t n, int64_t to)
{
  char file[64];
  hsize_t extent = (hsize_t) (first + n), start = (hsize_t) first, count = (hsize_t) n, at = (hsize_t) to;
  if (n == 0) return SOL_OK;
  sol_stats_source_name (p->s.launch, p->s.learner, file, sizeof file);
  hid_t space = H5Screate_simple (1, &extent, NULL);
  sol_status_t st = SOL_H5 (H5Sselect_hyperslab (space, H5S_SELECT_SET, &start, NULL, &count, NULL), l->tmp);
  if (st == SOL_OK) st = SOL_H5 (H5Sselect_hyperslab (whole, H5S_SELECT_SET, &at, NULL, &count, NULL), l->tmp);
  if (st == SOL_OK) st = SOL_H5 (H5Pset_virtual (make, whole, file, column, space), l->tmp);
  sol_h5_close (space);
  return st;
}

static int has_column (const part_t *p, int column) { return sol_stats_optional (column) < 0 || p->s.has[sol_stats_optional (column)]; }

static sol_status_t map_column (const link_t *l, int column, hid_t make, hid_t whole)
{
  char name[80];
  int table = sol_stats_column[column].table;
  int64_t at = 0;
  sol_stats_column_path (column, name, sizeof name);
  for (int i = 0; i < l->n; i++) {
    const part_t *p = &l->part[i];
    if (table == SOL_STATS_SEQUENCES)
      for (int64_t r = 0; r < p->n_runs; at += p->run[r++].n) SOL_TRY (map_rows (l, make, whole, p, name, p->run[r].first, p->run[r].n, at));
    else {
      if (has_column (p, column)) SOL_TRY (map_rows (l, make, whole, p, name, 0, p->s.rows[table], at));
      at += p->s.rows[table];
    }
  }
  return SOL_OK;
}

/* prompt_first counts from each file's own beginning: here it is a plain column with the sum of the prompts before added */
static sol_status_t write_prompt_first (const link_t *l, hid_t dset, hid_t whole)
{
  int64_t at = 0, base = 0, *first = sol_alloc (PIECE * sizeof *first);
  sol_status_t st = SOL_OK;
  for (int i = 0; i < l->n; base += l->part[i++].s.rows[SOL_STATS_PROMPTS])
    for (int64_t r = 0; r < l->part[i].n_runs; r++)
      for (int64_t k = 0, n; k < l->part[i].run[r].n; k += n, at += n) {
        n = l->part[i].run[r].n - k < PIECE ? l->part[i].run[r].n - k : PIECE;
        SOL_GO (sol_stats_read (l->part[i].s.file, SOL_STATS_SEQUENCES_prompt_first, l->part[i].run[r].first + k, n, first, l->part[i].s.path));
        for (int64_t j = 0; j < n; j++) first[j] += base;
        hsize_t start = (hsize_t) at, count = (hsize_t) n;
        hid_t in = H5Screate_simple (1, &count, NULL);
        H5Sselect_hyperslab (whole, H5S_SELECT_SET, &start, NULL, &count, NULL);
        st = SOL_H5 (H5Dwrite (dset, H5T_NATIVE_INT64, in, whole, H5P_DEFAULT, first), l->tmp);
        sol_h5_close (in);
        if (st != SOL_OK) goto out;
      }
out:
  sol_free (first);
  return st;
}

static sol_status_t write_column (const link_t *l, int column)
{
  const sol_stats_column_t *c = &sol_stats_column[column];
  char name[80];
  hsize_t n = (hsize_t) total_of (l, c->table);
  hid_t whole = H5Screate_simple (1, &n, NULL), make = H5Pcreate (H5P_DATASET_CREATE), up = H5Pcreate (H5P_LINK_CREATE), dset = H5I_INVALID_HID;
  sol_status_t st;
  sol_stats_column_path (column, name, sizeof name);
  SOL_GO (SOL_H5 (H5Pset_create_intermediate_group (up, 1), l->tmp));
  SOL_GO (SOL_H5 (H5Pset_fill_value (make, sol_stats_h5_type (c->type, 1), sol_stats_fill (c->type)), l->tmp));
  if (column != SOL_STATS_SEQUENCES_prompt_first) SOL_GO (map_column (l, column, make, whole));
  SOL_GO (SOL_H5 (dset = H5Dcreate2 (l->file, name, sol_stats_h5_type (c->type, 0), whole, up, make, H5P_DEFAULT), l->tmp));
  if (column == SOL_STATS_SEQUENCES_prompt_first) SOL_GO (write_prompt_first (l, dset, whole));
  st = sol_stats_describe (dset, column, l->tmp);
out:
  sol_h5_close (dset);
  sol_h5_close (up);
  sol_h5_close (make);
  sol_h5_close (whole);
  return st;
}

static sol_status_t write_sources (const link_t *l)
{
  static const struct { const char *name, *doc; } list[] = {
    { "sources/launch", "launch of the file stats/LAUNCH.LEARNER.h5 (four digits each)" }, { "sources/learner", "learner of the file" },
    { "sources/tokens", "rows of tokens/ that the file must have and that are shown" }, { "sources/sequences", "rows of sequences/ that the file must have" },
    { "sources/shown", "rows of sequences/ that are shown" }, { "sources/prompts", "rows of sequences/prompt_tokens that are shown" } };
  hsize_t n = (hsize_t) l->n;
  int64_t *x = sol_alloc (sizeof *x * (size_t) (l->n + 1));
  hid_t space = H5Screate_simple (1, &n, NULL), up = H5Pcreate (H5P_LINK_CREATE);
  sol_status_t st = SOL_H5 (H5Pset_create_intermediate_group (up, 1), l->tmp);
  for (int k = 0; k < 6 && st == SOL_OK; k++) {
    for (int i = 0; i < l->n; i++) {
      const part_t *p = &l->part[i];
      const int64_t value[] = { p->s.launch, p->s.learner, p->s.rows[SOL_STATS_TOKENS], p->s.rows[SOL_STATS_SEQUENCES], p->n_sequences, p->s.rows[SOL_STATS_PROMPTS] };
      x[i] = value[k];
    }
    hid_t d = H5I_INVALID_HID;
    st = SOL_H5 (d = H5Dcreate2 (l->file, list[k].name, H5T_STD_I64LE, space, up, H5P_DEFAULT, H5P_DEFAULT), l->tmp);
    if (st == SOL_OK) st = SOL_H5 (H5Dwrite (d, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, x), l->tmp);
    if (st == SOL_OK) st = sol_h5_put_text (d, "meaning", list[k].doc, l->tmp);
    sol_h5_close (d);
  }
  sol_h5_close (up);
  sol_h5_close (space);
  sol_free (x);
  return st;
}

/* the texts are those of the newest launch */
static sol_status_t write_root (const link_t *l)
{
  static const char *const texts[] = { "program", "settings", "libraries", "hosts", "data_sets", "created" };
  const sol_stats_source_t *newest = &l->part[l->n - 1].s;
  uint64_t seed;
  int64_t first = -1, last = -1;
  SOL_TRY (sol_h5_put_text (l->file, "format", SOL_STATS_FORMAT, l->tmp));
  SOL_TRY (sol_h5_put_int (l->file, "version", SOL_STATS_VERSION, l->tmp));
  SOL_TRY (sol_h5_put_text (l->file, "kind", "run", l->tmp));
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    char *text;
    SOL_TRY (sol_h5_get_text (newest->file, texts[i], &text, newest->path));
    sol_status_t st = sol_h5_put_text (l->file, texts[i], text, l->tmp);
    sol_free (text);
    SOL_TRY (st);
  }
  SOL_TRY (sol_h5_get_u64 (newest->file, "seed", &seed, newest->path));
  SOL_TRY (sol_h5_put_u64 (l->file, "seed", seed, l->tmp));
  for (int i = 0; i < l->n; i++) {
    const sol_stats_source_t *s = &l->part[i].s;
    if (s->first_update >= 0 && (first < 0 || s->first_update < first)) first = s->first_update;
    if (s->last_update > last) last = s->last_update;
  }
  SOL_TRY (sol_h5_put_int (l->file, "n_tokens", total_of (l, SOL_STATS_TOKENS), l->tmp));
  SOL_TRY (sol_h5_put_int (l->file, "n_sequences", total_of (l, SOL_STATS_SEQUENCES), l->tmp));
  SOL_TRY (sol_h5_put_int (l->file, "first_update", first, l->tmp));
  SOL_TRY (sol_h5_put_int (l->file, "last_update", last, l->tmp));
  return sol_h5_put_int (l->file, "launches", newest->launch + 1, l->tmp);
}

static sol_status_t write_file (link_t *l)
{
  hid_t access = sol_h5_access ();
  sol_status_t st, closed = SOL_OK;
  SOL_GO (SOL_H5 (H5Pset_libver_bounds (access, H5F_LIBVER_V110, H5F_LIBVER_LATEST), l->tmp)); /* virtual data sets need it */
  SOL_GO (SOL_H5 (l->file = H5Fcreate (l->tmp, H5F_ACC_TRUNC, H5P_DEFAULT, access), l->tmp));
  SOL_GO (write_root (l));
  for (int i = 0, any = 0; i < SOL_STATS_N_COLUMNS; i++, any = 0) {
    for (int k = 0; k < l->n; k++) any |= has_column (&l->part[k], i);
    if (sol_stats_column[i].table != SOL_STATS_UPDATES && (any || sol_stats_optional (i) < 0)) SOL_GO (write_column (l, i));
  }
  st = write_sources (l);
out:
  if (l->file >= 0) closed = SOL_H5 (H5Fclose (l->file), l->tmp);
  sol_h5_close (access);
  return st != SOL_OK ? st : closed;
}

static sol_status_t put_in_place (const link_t *l)
{
  char *path = sol_path_join (l->run_dir, "stats.h5");
  int fd = open (l->tmp, O_RDONLY | O_CLOEXEC), bad = fd < 0 || fsync (fd);
  if (fd >= 0) close (fd);
  if (!bad) bad = rename (l->tmp, path);
  sol_status_t st = bad ? sol_fail (SOL_ERR_IO, ROOM, "%s: putting it in the place of %s failed: %s", l->tmp, path, strerror (errno)) : sol_file_sync_dir (l->run_dir);
  sol_free (path);
  return st;
}

sol_status_t sol_stats_link (const char *run_dir)
{
  link_t l = { .run_dir = run_dir, .file = H5I_INVALID_HID, .tmp = sol_path_join (run_dir, "stats.h5.tmp") };
  sol_status_t st;
  sol_h5_lock ();
  SOL_GO (open_parts (&l));
  if (l.n == 0) goto out;
  measure_parts (&l);
  SOL_GO (choose_sequences (&l));
  SOL_GO (write_file (&l));
  st = put_in_place (&l);
out:
  for (int i = 0; i < l.n; i++) {
    sol_stats_source_close (&l.part[i].s);
    sol_free (l.part[i].run);
  }
  sol_h5_unlock ();
  if (st != SOL_OK) unlink (l.tmp);
  sol_free (l.part);
  sol_free (l.tmp);
  return st;
}
