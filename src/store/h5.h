/* SPDX-License-Identifier: Apache-2.0 */
/* h5.h: every HDF5 call passes SOL_H5, which turns a failure into a status with HDF5's own innermost reason. The library is not thread-safe here: every use is between sol_h5_lock and sol_h5_unlock. */
#ifndef SOL_H5_H
#define SOL_H5_H
#include "solera/status.h"
#include <hdf5.h>

/* starts the library on first use. The first call of a process must come from the thread that may call MPI, as the library then asks whether MPI is running. */
void sol_h5_lock (void);
void sol_h5_unlock (void);
sol_status_t sol_h5_check (int64_t result, const char *call, const char *path);
#define SOL_H5(call, path) sol_h5_check ((int64_t) (call), #call, path)
/* file access without file locks: a file that is being written, or was left by a killed process, can be read */
hid_t sol_h5_access (void);
/* closes whatever kind of identifier it is; H5I_INVALID_HID is fine */
void sol_h5_close (hid_t id);

/* attributes: text is UTF-8 of fixed length with a zero byte */
sol_status_t sol_h5_put_text (hid_t object, const char *name, const char *text, const char *path);
sol_status_t sol_h5_put_int (hid_t object, const char *name, int64_t value, const char *path);
sol_status_t sol_h5_put_u64 (hid_t object, const char *name, uint64_t value, const char *path);
sol_status_t sol_h5_get_text (hid_t object, const char *name, char **text_p, const char *path); /* sol_free */
sol_status_t sol_h5_get_int (hid_t object, const char *name, int64_t *value_p, const char *path);
sol_status_t sol_h5_get_u64 (hid_t object, const char *name, uint64_t *value_p, const char *path);
#endif
