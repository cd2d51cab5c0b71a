/* SPDX-License-Identifier: Apache-2.0 */
#include "h5.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM "stats"
#define TEXT_MOST ((size_t) 16 << 20)

enum { REASON_MOST = 640 }; /* HDF5's own driver says the cause behind the time and the file's name */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void sol_h5_lock (void)
{
  static int started;
  pthread_mutex_lock (&lock);
  if (!started) {
    H5open ();
    H5Eset_auto2 (H5E_DEFAULT, NULL, NULL); /* we print the reason ourselves */
    started = 1;
  }
}

void sol_h5_unlock (void) { pthread_mutex_unlock (&lock); }

static herr_t note_reason (unsigned n, const H5E_error2_t *e, void *to)
{
  if (n == 0 && e->desc) snprintf (to, REASON_MOST, "%s", e->desc); /* upward: the innermost comes first */
  return 0;
}

sol_status_t sol_h5_check (int64_t result, const char *call, const char *path)
{
  char reason[REASON_MOST] = "no reason given";
  const char *set = strstr (call, " = "), *open = strchr (call, '(');
  if (result >= 0) return SOL_OK;
  if (set && open && set < open) call = set + 3; /* id = H5Fopen (...) */
  H5Ewalk2 (H5E_DEFAULT, H5E_WALK_UPWARD, note_reason, reason);
  H5Eclear2 (H5E_DEFAULT);
  return sol_fail (SOL_ERR_HDF5, ROOM, "%s: %.*s failed: %s", path, (int) strcspn (call, " ("), call, reason);
}

hid_t sol_h5_access (void)
{
  hid_t access = H5Pcreate (H5P_FILE_ACCESS);
  if (access >= 0) H5Pset_file_locking (access, 0, 1);
  return access;
}

void sol_h5_close (hid_t id)
{
  if (id >= 0) H5Idec_ref (id);
}

sol_status_t sol_h5_put_text (hid_t object, const char *name, const char *text, const char *path)
{
  hid_t type = H5Tcopy (H5T_C_S1), space = H5Screate (H5S_SCALAR), attr = H5I_INVALID_HID;
  sol_status_t st;
  if (!text) text = "";
  SOL_GO (SOL_H5 (H5Tset_size (type, strlen (text) + 1), path)); /* not variable-length: HDF5 reads those from a heap without checksums and bounds */
  SOL_GO (SOL_H5 (H5Tset_cset (type, H5T_CSET_UTF8), path));
  SOL_GO (SOL_H5 (attr = H5Acreate2 (object, name, type, space, H5P_DEFAULT, H5P_DEFAULT), path));
  st = SOL_H5 (H5Awrite (attr, type, text), path);
out:
  sol_h5_close (attr);
  sol_h5_close (space);
  sol_h5_close (type);
  return st;
}

static sol_status_t put_number (hid_t object, const char *name, hid_t file_type, hid_t memory_type, const void *value, const char *path)
{
  hid_t space = H5Screate (H5S_SCALAR), attr = H5I_INVALID_HID;
  sol_status_t st;
  SOL_GO (SOL_H5 (attr = H5Acreate2 (object, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT), path));
  st = SOL_H5 (H5Awrite (attr, memory_type, value), path);
out:
  sol_h5_close (attr);
  sol_h5_close (space);
  return st;
}

sol_status_t sol_h5_put_int (hid_t object, const char *name, int64_t value, const char *path)
{
  return put_number (object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value, path);
}
sol_status_t sol_h5_put_u64 (hid_t object, const char *name, uint64_t value, const char *path)
{
  return put_number (object, name, H5T_STD_U64LE, H5T_NATIVE_UINT64, &value, path);
}

/* opens a scalar attribute of the wanted class */
static sol_status_t open_attr (hid_t object, const char *name, H5T_class_t want, const char *path, hid_t *attr_p)
{
  hid_t attr, type = H5I_INVALID_HID, space = H5I_INVALID_HID;
  sol_status_t st;
  if (H5Aexists (object, name) <= 0) {
    H5Eclear2 (H5E_DEFAULT);
    return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: attribute \"%s\" is missing: not a statistics file", path, name);
  }
  SOL_GO (SOL_H5 (attr = H5Aopen (object, name, H5P_DEFAULT), path));
  SOL_GO (SOL_H5 (type = H5Aget_type (attr), path));
  SOL_GO (SOL_H5 (space = H5Aget_space (attr), path));
  if (H5Tget_class (type) != want || H5Sget_simple_extent_npoints (space) != 1 || (want == H5T_STRING && (H5Tis_variable_str (type) != 0 || H5Tget_size (type) > TEXT_MOST)))
    st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: attribute \"%s\" is not one %s", path, name, want == H5T_STRING ? "text" : "integer");
out:
  sol_h5_close (space);
  sol_h5_close (type);
  if (st == SOL_OK) *attr_p = attr;
  else sol_h5_close (attr);
  return st;
}

sol_status_t sol_h5_get_text (hid_t object, const char *name, char **text_p, const char *path)
{
  hid_t attr, type;
  SOL_TRY (open_attr (object, name, H5T_STRING, path, &attr));
  type = H5Aget_type (attr);
  char *text = sol_alloc (H5Tget_size (type) + 1);
  sol_status_t st = SOL_H5 (H5Aread (attr, type, text), path);
  if (st == SOL_OK) *text_p = text;
  else sol_free (text);
  sol_h5_close (type);
  sol_h5_close (attr);
  return st;
}

static sol_status_t get_number (hid_t object, const char *name, hid_t type, void *value, const char *path)
{
  hid_t attr;
  SOL_TRY (open_attr (object, name, H5T_INTEGER, path, &attr));
  sol_status_t st = SOL_H5 (H5Aread (attr, type, value), path);
  sol_h5_close (attr);
  return st;
}

sol_status_t sol_h5_get_int (hid_t object, const char *name, int64_t *value_p, const char *path) { return get_number (object, name, H5T_NATIVE_INT64, value_p, path); }
sol_status_t sol_h5_get_u64 (hid_t object, const char *name, uint64_t *value_p, const char *path) { return get_number (object, name, H5T_NATIVE_UINT64, value_p, path); }
