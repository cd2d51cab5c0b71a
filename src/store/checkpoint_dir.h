/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint_dir.h: the folder RUN/checkpoints: which checkpoints are there, whole, kept. */
#ifndef SOL_CHECKPOINT_DIR_H
#define SOL_CHECKPOINT_DIR_H
#include "manifest.h"

/* removes *.tmp and *.old, which only a killed process leaves */
sol_status_t sol_checkpoint_clean (const char *root);
/* keeps the newest keep_last up to update, the one that root/best names, and multiples of spare_every from spare_from on; other older ones go, and so do later ones: they belong to a history that
 * this run has left */
sol_status_t sol_checkpoint_keep (const char *root, int64_t update, int keep_last, int64_t spare_from, int64_t spare_every);
sol_status_t sol_checkpoint_best_in (const char *root, int64_t *update_p);
/* the files that a checkpoint must have are listed, with the sizes that they must have */
sol_status_t sol_manifest_check_list (const char *dir, const sol_manifest_t *m);
#endif
