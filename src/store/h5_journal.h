/* SPDX-License-Identifier: Apache-2.0 */
/* h5_journal.h: an HDF5 file driver whose flush is atomic. HDF5 1.10 writes a flush block by block into its trees; a process that dies between two blocks leaves a tree that has lost what
 * it held before. Here no byte that the last flush left is touched until the bytes to be changed stand whole, with a checksum, in PATH.journal: what lies behind the end of the file
 * as last flushed is written at once, everything else waits in memory for the flush. A reader lays a whole journal over the file; the next start of the run writes it into it.
 * The caller holds the HDF5 lock. */
#ifndef SOL_H5_JOURNAL_H
#define SOL_H5_JOURNAL_H
#include "h5.h"

#define SOL_H5_JOURNAL_SUFFIX ".journal"

/* files opened or created with this access list are written through a journal, and read with the journal laid over them */
sol_status_t sol_h5_journal_use (hid_t access, const char *path);
/* nothing more is written: the file stays as the last flush left it (after a failed write, when HDF5 can no longer close its objects without writing) */
void sol_h5_journal_abandon (hid_t file);
/* the journal that a dead writer left, if it is whole, becomes part of the file at path; then it is removed. No process may have the file open. */
sol_status_t sol_h5_journal_apply (const char *path);
#endif
