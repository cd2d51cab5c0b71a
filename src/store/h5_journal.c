/* SPDX-License-Identifier: Apache-2.0 */
#include "h5_journal.h"
#include "solera/file.h"
#include "solera/hash.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM "stats"
#define MAGIC UINT64_C (0x316c6e726a6c6f73) /* "soljrnl1" */
#define JOURNAL_MOST ((size_t) 16 << 30)
#define ADDRESS_MOST ((haddr_t) INT64_MAX)

/* The journal: this, then changes one after the other, later ones over earlier ones. Of this host's byte order: it lives for one flush. */
typedef struct { uint64_t magic, hash /* of what follows */, bytes /* of all */, end /* of the file */; } head_t;
typedef struct { uint64_t at, bytes; } change_t; /* followed by its bytes, padded to 8 */

typedef struct {
  H5FD_t pub; /* HDF5's part, first */
  int fd, journal, write, dead, shrink;
  dev_t device;
  ino_t inode;
  haddr_t eoa, eof, kept; /* kept: end of the file as last flushed */
  char *path;
  unsigned char *log; /* head and changes since the last flush; of a reader: those of the journal */
  size_t n, room;
} file_t;

/* What errno says, as the innermost of HDF5's stack of errors, where sol_h5_check finds it: of a driver HDF5 itself knows only that it failed. Returns -1. */
static int failed (const char *what)
{
  const char *why = strerror (errno);
  H5Eclear2 (H5E_DEFAULT);
  H5Epush2 (H5E_DEFAULT, __FILE__, __func__, __LINE__, H5E_ERR_CLS, H5E_IO, H5E_WRITEERROR, "%s: %s", what, why);
  return -1;
}

static size_t padded (uint64_t n) { return (size_t) (n + 7) / 8 * 8; }

static int write_all (int fd, const void *data, size_t n, uint64_t at)
{
  for (size_t done = 0; done < n;) {
    ssize_t k = pwrite (fd, (const char *) data + done, n - done, (off_t) (at + done));
    if (k < 0 && errno == EINTR) continue;
    if (k == 0) errno = ENOSPC;
    if (k <= 0) return -1;
    done += (size_t) k;
  }
  return 0;
}

/* behind the end there are zeros, as in a hole */
static int read_all (int fd, void *data, size_t n, uint64_t at)
{
  for (size_t done = 0; done < n;) {
    ssize_t k = pread (fd, (char *) data + done, n - done, (off_t) (at + done));
    if (k < 0 && errno == EINTR) continue;
    if (k < 0) return -1;
    if (k == 0) { memset ((char *) data + done, 0, n - done); break; }
    done += (size_t) k;
  }
  return 0;
}

static char *journal_path (const char *path)
{
  size_t n = strlen (path);
  char *p = sol_alloc (n + sizeof SOL_H5_JOURNAL_SUFFIX);
  memcpy (p, path, n);
  memcpy (p + n, SOL_H5_JOURNAL_SUFFIX, sizeof SOL_H5_JOURNAL_SUFFIX);
  return p;
}

/* ---- the log of changes */

static uint64_t log_hash (const unsigned char *log, size_t n) { return sol_hash (log + 16, n - 16); }

/* the change at *at of a log, and *at moves behind it */
static const unsigned char *next_change (const unsigned char *log, size_t *at, change_t *c)
{
  memcpy (c, log + *at, sizeof *c);
  const unsigned char *data = log + *at + sizeof *c;
  *at += sizeof *c + padded (c->bytes);
  return data;
}

static int whole (const unsigned char *log, size_t n)
{
  head_t h;
  if (n < sizeof h) return 0;
  memcpy (&h, log, sizeof h);
  if (h.magic != MAGIC || h.bytes < sizeof h || h.bytes > n || h.end > ADDRESS_MOST || h.hash != log_hash (log, (size_t) h.bytes)) return 0;
  for (size_t at = sizeof h; at < h.bytes;) {
    change_t c;
    if (h.bytes - at < sizeof c) return 0;
    memcpy (&c, log + at, sizeof c);
    if (c.bytes > h.bytes - at - sizeof c || padded (c.bytes) > h.bytes - at - sizeof c || c.at > ADDRESS_MOST - c.bytes) return 0;
    at += sizeof c + padded (c.bytes);
  }
  return 1;
}

/* *log_p: NULL where there is no whole journal */
static sol_status_t log_load (const char *path, unsigned char **log_p, size_t *n_p)
{
  char *name = journal_path (path), *data = NULL;
  sol_status_t st = SOL_OK;
  *log_p = NULL;
  *n_p = 0;
  if (sol_file_exists (name)) st = sol_file_read (name, JOURNAL_MOST, &data, n_p);
  if (st == SOL_OK && data && whole ((unsigned char *) data, *n_p)) {
    head_t h;
    memcpy (&h, data, sizeof h);
    *n_p = (size_t) h.bytes;
    *log_p = (unsigned char *) data;
  } else {
    *n_p = 0;
    sol_free (data);
  }
  sol_free (name);
  return st;
}

static int log_write (const unsigned char *log, size_t n, int fd)
{
  for (size_t at = sizeof (head_t); at < n;) {
    change_t c;
    const unsigned char *data = next_change (log, &at, &c);
    if (write_all (fd, data, (size_t) c.bytes, c.at)) return -1;
  }
  return 0;
}

static void log_add (file_t *f, haddr_t at, size_t n, const void *data)
{
  change_t c = { at, n };
  size_t need = f->n + sizeof c + padded (n);
  if (need > f->room) f->log = sol_realloc (f->log, f->room = need + need / 2);
  memcpy (f->log + f->n, &c, sizeof c);
  memcpy (f->log + f->n + sizeof c, data, n);
  memset (f->log + f->n + sizeof c + n, 0, padded (n) - n);
  f->n = need;
}

static void log_lay_over (const file_t *f, haddr_t at, size_t n, unsigned char *to)
{
  for (size_t i = sizeof (head_t); i < f->n;) {
    change_t c;
    const unsigned char *data = next_change (f->log, &i, &c);
    uint64_t lo = c.at > at ? c.at : at, hi = c.at + c.bytes < at + n ? c.at + c.bytes : at + n;
    if (lo < hi) memcpy (to + (lo - at), data + (lo - c.at), (size_t) (hi - lo));
  }
}

/* ---- the driver */

static int open_journal (file_t *f)
{
  char *name = journal_path (f->path);
  f->journal = open (name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  sol_free (name);
  return f->journal < 0 ? -1 : 0;
}

/* the new state replaces the old one. The file is on the disk before the journal that would repair it is overwritten, the journal before the file is changed: so also when the power goes. */
static int commit (file_t *f)
{
  head_t h = { MAGIC, 0, f->n, f->eoa };
  if (f->dead || !f->write) return 0;
  if (f->eof < f->eoa) {
    if (ftruncate (f->fd, (off_t) f->eoa)) return failed ("making the file longer");
    f->eof = f->eoa;
  }
  if (f->n > sizeof h) {
    memcpy (f->log, &h, sizeof h);
    h.hash = log_hash (f->log, f->n);
    memcpy (f->log, &h, sizeof h);
    if (f->journal < 0 && open_journal (f)) return failed ("creating its journal");
    if (fdatasync (f->fd)) return failed ("syncing");
    if (write_all (f->journal, f->log, f->n, 0) || fdatasync (f->journal)) return failed ("writing its journal");
    if (log_write (f->log, f->n, f->fd)) return failed ("writing");
  }
  if (f->shrink && f->eof > f->eoa) {
    if (ftruncate (f->fd, (off_t) f->eoa)) return failed ("making the file shorter");
    f->eof = f->eoa;
  }
  f->shrink = 0;
  f->kept = f->eoa;
  f->n = sizeof h;
  return 0;
}

static void file_free (file_t *f)
{
  if (f->fd >= 0) close (f->fd);
  if (f->journal >= 0) close (f->journal);
  sol_free (f->path);
  sol_free (f->log);
  sol_free (f);
}

static H5FD_t *drv_open (const char *path, unsigned flags, hid_t access, haddr_t most)
{
  struct stat s;
  file_t *f = sol_alloc (sizeof *f);
  (void) access;
  (void) most;
  *f = (file_t){ .journal = -1, .write = (flags & H5F_ACC_RDWR) != 0, .path = sol_strdup (path) };
  f->fd = open (path, (f->write ? O_RDWR : O_RDONLY) | (flags & H5F_ACC_CREAT ? O_CREAT : 0) | (flags & H5F_ACC_TRUNC ? O_TRUNC : 0) | (flags & H5F_ACC_EXCL ? O_EXCL : 0) | O_CLOEXEC, 0666);
  if (f->fd < 0 || fstat (f->fd, &s)) {
    failed ("opening");
    file_free (f);
    return NULL;
  }
  f->device = s.st_dev;
  f->inode = s.st_ino;
  f->eof = f->kept = (haddr_t) s.st_size;
  if (f->write) {
    char *name = journal_path (path);
    if (flags & (H5F_ACC_EXCL | H5F_ACC_TRUNC)) unlink (name); /* of a file that is no more */
    sol_free (name);
    f->log = sol_alloc (f->room = 4096);
    f->n = sizeof (head_t);
  } else {
    head_t h = { 0 };
    if (log_load (path, &f->log, &f->n) != SOL_OK) { file_free (f); return NULL; }
    if (f->log) memcpy (&h, f->log, sizeof h);
    if (h.end > f->eof) f->eof = h.end;
  }
  return &f->pub;
}

static herr_t drv_close (H5FD_t *file)
{
  file_t *f = (file_t *) file;
  int bad = commit (f);
  if (!bad && !f->dead && f->journal >= 0) { /* nothing is left to repair */
    char *name = journal_path (f->path);
    bad = fsync (f->fd) ? failed ("syncing") : 0;
    if (!bad) unlink (name);
    sol_free (name);
  }
  file_free (f);
  return bad ? -1 : 0;
}

static int drv_cmp (const H5FD_t *a, const H5FD_t *b)
{
  const file_t *x = (const file_t *) a, *y = (const file_t *) b;
  if (x->device != y->device) return x->device < y->device ? -1 : 1;
  return (x->inode > y->inode) - (x->inode < y->inode);
}

static herr_t drv_query (const H5FD_t *file, unsigned long *flags)
{
  (void) file;
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
  return 0;
}

static haddr_t drv_get_eoa (const H5FD_t *file, H5FD_mem_t type) { (void) type; return ((const file_t *) file)->eoa; }
static herr_t drv_set_eoa (H5FD_t *file, H5FD_mem_t type, haddr_t at) { (void) type; ((file_t *) file)->eoa = at; return 0; }
static haddr_t drv_get_eof (const H5FD_t *file, H5FD_mem_t type) { (void) type; return ((const file_t *) file)->eof; }
static herr_t drv_handle (H5FD_t *file, hid_t access, void **handle_p) { (void) access; *handle_p = file; return 0; }

static herr_t drv_read (H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t n, void *to)
{
  file_t *f = (file_t *) file;
  (void) type;
  (void) transfer;
  if (at > ADDRESS_MOST - n) return -1;
  if (read_all (f->fd, to, n, at)) return failed ("reading");
  log_lay_over (f, at, n, to);
  return 0;
}

static herr_t drv_write (H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t n, const void *data)
{
  file_t *f = (file_t *) file;
  size_t old = at >= f->kept ? 0 : f->kept - at < n ? (size_t) (f->kept - at) : n; /* bytes where the last flush left something */
  (void) type;
  (void) transfer;
  if (f->dead) return 0;
  if (at > ADDRESS_MOST - n) return -1;
  if (old) log_add (f, at, old, data);
  if (n > old && write_all (f->fd, (const char *) data + old, n - old, at + old)) return failed ("writing");
  if (at + n > f->eof) f->eof = at + n;
  return 0;
}

static herr_t drv_flush (H5FD_t *file, hid_t transfer, hbool_t closing)
{
  (void) transfer;
  (void) closing;
  return commit ((file_t *) file);
}

/* the file gets the size that HDF5 has allocated: with the next commit */
static herr_t drv_truncate (H5FD_t *file, hid_t transfer, hbool_t closing)
{
  (void) transfer;
  (void) closing;
  ((file_t *) file)->shrink = 1;
  return 0;
}

static const H5FD_class_t driver = {
#if H5_VERSION_GE(1, 13, 2)
  .version = H5FD_CLASS_VERSION,
  .value = 510, /* of the range for drivers that are not registered with the HDF Group */
#endif
  .name = "solera journal",
  .maxaddr = INT64_MAX,
  .fc_degree = H5F_CLOSE_WEAK,
  .open = drv_open,
  .close = drv_close,
  .cmp = drv_cmp,
  .query = drv_query,
  .get_eoa = drv_get_eoa,
  .set_eoa = drv_set_eoa,
  .get_eof = drv_get_eof,
  .get_handle = drv_handle,
  .read = drv_read,
  .write = drv_write,
  .flush = drv_flush,
  .truncate = drv_truncate,
  .fl_map = H5FD_FLMAP_DICHOTOMY,
};

sol_status_t sol_h5_journal_use (hid_t access, const char *path)
{
  static hid_t id = H5I_INVALID_HID;
  if (id < 0) SOL_TRY (SOL_H5 (id = H5FDregister (&driver), path));
  return SOL_H5 (H5Pset_driver (access, id, NULL), path);
}

void sol_h5_journal_abandon (hid_t file)
{
  void *f;
  if (H5Fget_vfd_handle (file, H5P_DEFAULT, &f) >= 0 && f) ((file_t *) f)->dead = 1;
}

sol_status_t sol_h5_journal_apply (const char *path)
{
  char *name = journal_path (path);
  unsigned char *log = NULL;
  size_t n = 0;
  sol_status_t st = log_load (path, &log, &n);
  if (st == SOL_OK && log) {
    head_t h;
    struct stat s;
    memcpy (&h, log, sizeof h);
    int fd = open (path, O_RDWR | O_CLOEXEC);
    int bad = fd < 0 || fstat (fd, &s) || ((uint64_t) s.st_size < h.end && ftruncate (fd, (off_t) h.end)) || log_write (log, n, fd) || fsync (fd);
    if (bad) st = sol_fail (SOL_ERR_IO, ROOM, "%s: writing what %s holds into it failed: %s", path, name, strerror (errno));
    if (fd >= 0) close (fd);
  }
  if (st == SOL_OK) unlink (name);
  sol_free (log);
  sol_free (name);
  return st;
}
