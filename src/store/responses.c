/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/responses.h"
#include "out_file.h"
#include "solera/clock.h"
#include "solera/file.h"
#include "solera/json.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM "eval"
#define SYNC_EVERY_S 1.0
#define MOST ((int64_t) 1 << 53)

static const char *const finish_name[] = { "", "eos", "stop", "length" };

static void add_text (sol_buffer_t *out, const char *key, const sol_buffer_t *text)
{
  sol_buffer_printf (out, ",\"%s\":", key);
  sol_buffer_json (out, text->data ? text->data : "", text->bytes);
}

void sol_response_line (const sol_response_t *r, sol_buffer_t *out)
{
  char prompt[20];
  snprintf (prompt, sizeof prompt, "%016" PRIx64, r->prompt);
  sol_buffer_printf (out, "{\"index\":%" PRId64 ",\"sample\":%" PRId64 ",\"id\":", r->index, r->sample);
  sol_buffer_json (out, r->id ? r->id : prompt, strlen (r->id ? r->id : prompt));
  sol_buffer_printf (out, ",\"prompt_id\":\"%s\"", prompt);
  add_text (out, "response", r->text);
  add_text (out, "extracted", r->extracted);
  add_text (out, "expected", r->expected);
  sol_buffer_printf (out, ",\"correct\":%s,\"form\":\"%s\",\"finish\":\"%s\",\"tokens\":%" PRId64 ",\"logprob\":", r->correct ? "true" : "false", r->form, r->finish, r->tokens);
  sol_buffer_double (out, r->logprob);
  sol_buffer_printf (out, "}\n");
}

/* ---- writing parts */

static char *path_of (const char *out, const char *folder, const char *name, int rank)
{
  sol_buffer_t b = { 0 };
  if (rank >= 0) sol_buffer_printf (&b, "%s/%s.%d.jsonl", folder, name, rank);
  else sol_buffer_printf (&b, "%s%s.jsonl", folder, name);
  char *path = sol_path_join (out, b.data);
  sol_buffer_free (&b);
  return path;
}

sol_status_t sol_parts_open (const char *out, const char *name, int rank, sol_parts_t *parts_p)
{
  char *dir = sol_path_join (out, "parts");
  sol_status_t st = sol_dir_make (dir);
  sol_parts_t p = { .fd = -1, .path = path_of (out, "parts", name, rank), .synced_s = sol_clock_s () };
  if (st == SOL_OK && (p.fd = open (p.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) < 0) st = sol_fail (SOL_ERR_IO, ROOM, "%s: cannot be written: %s", p.path, strerror (errno));
  if (st == SOL_OK) st = sol_file_sync_dir (dir);
  sol_free (dir);
  if (st == SOL_OK) *parts_p = p;
  else {
    if (p.fd >= 0) close (p.fd);
    sol_free (p.path);
  }
  return st;
}

static sol_status_t sync_part (sol_parts_t *p)
{
  p->synced_s = sol_clock_s ();
  return fsync (p->fd) ? sol_fail (SOL_ERR_IO, ROOM, "%s: sync failed: %s", p->path, strerror (errno)) : SOL_OK;
}

sol_status_t sol_parts_put (sol_parts_t *p, const sol_buffer_t *lines)
{
  for (size_t at = 0; at < lines->bytes;) {
    const ssize_t n = write (p->fd, lines->data + at, lines->bytes - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return sol_fail (SOL_ERR_IO, ROOM, "%s: writing failed: %s", p->path, strerror (errno));
    at += (size_t) n;
  }
  return sol_clock_s () - p->synced_s < SYNC_EVERY_S ? SOL_OK : sync_part (p);
}

sol_status_t sol_parts_close (sol_parts_t *p)
{
  sol_status_t st = SOL_OK;
  if (!p->path) return SOL_OK;
  st = sync_part (p);
  if (close (p->fd) && st == SOL_OK) st = sol_fail (SOL_ERR_IO, ROOM, "%s: writing failed: %s", p->path, strerror (errno));
  sol_free (p->path);
  *p = (sol_parts_t) { 0 };
  return st;
}

/* ---- reading them */

/* where a problem's lines stand */
typedef struct { int file; size_t from, bytes; } place_t;
typedef struct { char **path; int n; } files_t;
typedef struct { int64_t problems, samples; sol_response_mark_t *mark; place_t *place; int64_t done; } reading_t; /* place [problems], bytes 0: not there */

static void free_files (files_t *f)
{
  for (int i = 0; i < f->n; i++) sol_free (f->path[i]);
  sol_free (f->path);
}

static int by_name (const void *a, const void *b) { return strcmp (*(char *const *) a, *(char *const *) b); }

/* is it NAME.RANK.jsonl? */
static int is_part (const char *file, const char *name)
{
  const size_t n = strlen (name);
  if (strncmp (file, name, n) || file[n] != '.') return 0;
  const size_t digits = strspn (file + n + 1, "0123456789");
  return digits > 0 && !strcmp (file + n + 1 + digits, ".jsonl");
}

static files_t list_parts (const char *out, const char *name)
{
  files_t f = { 0 };
  char *dir = sol_path_join (out, "parts");
  DIR *d = opendir (dir);
  for (struct dirent *e; d && (e = readdir (d));) {
    if (!is_part (e->d_name, name)) continue;
    f.path = sol_realloc (f.path, ((size_t) f.n + 1) * sizeof *f.path);
    f.path[f.n++] = sol_path_join (dir, e->d_name);
  }
  if (d) closedir (d);
  if (f.n) qsort (f.path, (size_t) f.n, sizeof *f.path, by_name);
  sol_free (dir);
  return f;
}

/* one line; 0: it is none of ours */
static int read_line (const char *line, size_t bytes, const reading_t *r, int64_t *index_p, int64_t *sample_p, sol_response_mark_t *m)
{
  char why[128], *end = NULL;
  cJSON *o = NULL;
  if (sol_json_parse (line, bytes, &o, why) != SOL_OK) return 0;
  const char *prompt = sol_json_string (o, "prompt_id"), *finish = sol_json_string (o, "finish");
  const cJSON *correct = cJSON_GetObjectItemCaseSensitive (o, "correct");
  int good = sol_json_int (cJSON_GetObjectItemCaseSensitive (o, "index"), 0, r->problems - 1, index_p) && sol_json_int (cJSON_GetObjectItemCaseSensitive (o, "sample"), 0, r->samples - 1, sample_p) &&
             sol_json_int (cJSON_GetObjectItemCaseSensitive (o, "tokens"), 0, MOST, &m->tokens) && prompt && strlen (prompt) == 16 && finish && cJSON_IsBool (correct);
  m->finish = 0;
  for (int k = 1; good && k < 4; k++)
    if (!strcmp (finish, finish_name[k])) m->finish = k;
  if (good) {
    m->prompt = strtoull (prompt, &end, 16);
    m->correct = cJSON_IsTrue (correct);
    good = !*end && m->finish > 0;
  }
  cJSON_Delete (o);
  return good;
}

/* The lines of one problem from text on; returns their bytes, 0: they are cut off or none of ours. Each whole line read raises *line. */
static size_t read_problem (const char *text, const char *end, const reading_t *r, sol_response_mark_t *mine, int64_t *index_p, int64_t *line)
{
  const char *at = text;
  for (int64_t s = 0; s < r->samples; s++, ++*line) {
    const char *stop = memchr (at, '\n', (size_t) (end - at));
    int64_t index, sample;
    if (!stop || !read_line (at, (size_t) (stop - at), r, &index, &sample, &mine[s]) || sample != s || (s && index != *index_p)) return 0;
    *index_p = index;
    at = stop + 1;
  }
  return (size_t) (at - text);
}

/* all problems of one file. *good_p: bytes up to the first that is not whole. */
static sol_status_t read_file (const char *path, int file, reading_t *r, size_t *good_p, int64_t *line_p)
{
  sol_map_t map;
  SOL_TRY (sol_file_map (path, &map));
  sol_response_mark_t *mine = sol_alloc ((size_t) r->samples * sizeof *mine);
  const char *text = (const char *) map.data;
  size_t at = 0, n;
  int64_t index = 0, line = 1;
  while (at < map.bytes && (n = read_problem (text + at, text + map.bytes, r, mine, &index, &line))) {
    if (!r->place[index].bytes) { /* else it was asked twice: the first counts */
      r->place[index] = (place_t) { file, at, n };
      memcpy (r->mark + index * r->samples, mine, (size_t) r->samples * sizeof *mine);
      r->done++;
    }
    at += n;
  }
  *good_p = at;
  *line_p = at < map.bytes ? line : 0;
  sol_free (mine);
  sol_file_unmap (&map);
  return SOL_OK;
}

static sol_status_t cut (const char *path, size_t bytes, int64_t line)
{
  sol_log (SOL_LOG_WARN, ROOM, "%s:%" PRId64 ": no whole response: this problem and what follows in the file are asked again", path, line);
  const int fd = open (path, O_WRONLY | O_CLOEXEC);
  const int bad = fd < 0 || ftruncate (fd, (off_t) bytes) || fsync (fd);
  const int why = errno;
  if (fd >= 0) close (fd);
  return bad ? sol_fail (SOL_ERR_IO, ROOM, "%s: cannot be cut to %zu bytes: %s", path, bytes, strerror (why)) : SOL_OK;
}

static sol_status_t read_parts (const files_t *f, reading_t *r)
{
  size_t good;
  int64_t line;
  for (int i = 0; i < f->n; i++) {
    SOL_TRY (read_file (f->path[i], i, r, &good, &line));
    if (line) SOL_TRY (cut (f->path[i], good, line));
  }
  return SOL_OK;
}

/* a file that was finished must be whole */
static sol_status_t read_finished (const char *path, reading_t *r)
{
  size_t good;
  int64_t line;
  SOL_TRY (read_file (path, 0, r, &good, &line));
  if (line || r->done != r->problems)
    return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: expected %" PRId64 " problems with %" PRId64 " responses each, found %" PRId64 ": evaluate anew with --force", path, r->problems, r->samples, r->done);
  return SOL_OK;
}

sol_status_t sol_parts_read (const char *out, const char *name, int64_t problems, int64_t samples, sol_response_mark_t *mark, int64_t *done_p, int *finished_p)
{
  files_t f = list_parts (out, name);
  char *path = path_of (out, "responses.", name, -1);
  reading_t r = { .problems = problems, .samples = samples, .mark = mark, .place = sol_alloc ((size_t) problems * sizeof (place_t)) };
  const int finished = f.n == 0 && sol_file_exists (path);
  const sol_status_t st = finished ? read_finished (path, &r) : read_parts (&f, &r);
  sol_free (r.place);
  sol_free (path);
  free_files (&f);
  if (st != SOL_OK) return st;
  *done_p = r.done;
  if (finished_p) *finished_p = finished;
  return SOL_OK;
}

/* ---- the finished file */

static sol_status_t write_joined (const files_t *f, const reading_t *r, const char *path)
{
  sol_map_t *map = sol_alloc (((size_t) f->n + 1) * sizeof *map);
  sol_out_file_t o;
  sol_status_t st = SOL_OK;
  for (int i = 0; i < f->n && st == SOL_OK; i++) st = sol_file_map (f->path[i], &map[i]);
  if (st == SOL_OK) st = sol_out_open (path, &o);
  if (st == SOL_OK) {
    for (int64_t i = 0; i < r->problems; i++) sol_out_write (&o, map[r->place[i].file].data + r->place[i].from, r->place[i].bytes); /* the first error comes back at close */
    st = sol_out_close (&o);
  }
  for (int i = 0; i < f->n; i++) sol_file_unmap (&map[i]);
  sol_free (map);
  return st;
}

sol_status_t sol_parts_join (const char *out, const char *name, int64_t problems, int64_t samples)
{
  files_t f = list_parts (out, name);
  reading_t r = { .problems = problems, .samples = samples, .mark = sol_alloc ((size_t) (problems * samples) * sizeof (sol_response_mark_t)), .place = sol_alloc ((size_t) problems * sizeof (place_t)) };
  char *path = path_of (out, "responses.", name, -1);
  sol_buffer_t tmp = { 0 };
  sol_status_t st;
  sol_buffer_printf (&tmp, "%s.tmp", path);
  SOL_GO (read_parts (&f, &r));
  if (r.done != problems) { st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s/parts: %" PRId64 " of %" PRId64 " problems of %s are there: evaluate with --resume", out, r.done, problems, name); goto out; }
  SOL_GO (write_joined (&f, &r, tmp.data));
  if (rename (tmp.data, path)) { st = sol_fail (SOL_ERR_IO, ROOM, "%s: renaming failed: %s", path, strerror (errno)); goto out; }
  st = sol_file_sync_dir (out);
out:
  sol_buffer_free (&tmp);
  sol_free (path);
  sol_free (r.mark);
  sol_free (r.place);
  free_files (&f);
  return st;
}

sol_status_t sol_parts_remove (const char *out, const char *name, int with_result)
{
  files_t f = list_parts (out, name);
  char *path = path_of (out, "responses.", name, -1), *dir = sol_path_join (out, "parts");
  sol_status_t st = SOL_OK;
  for (int i = 0; i < f.n && st == SOL_OK; i++)
    if (remove (f.path[i])) st = sol_fail (SOL_ERR_IO, ROOM, "%s: cannot be removed: %s", f.path[i], strerror (errno));
  if (st == SOL_OK && with_result && remove (path) && errno != ENOENT) st = sol_fail (SOL_ERR_IO, ROOM, "%s: cannot be removed: %s", path, strerror (errno));
  rmdir (dir); /* when it is empty */
  free_files (&f);
  sol_free (dir);
  sol_free (path);
  return st;
}
