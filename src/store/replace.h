/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOL_REPLACE_H
#define SOL_REPLACE_H
#include "solera/status.h"
/* Puts the finished folder tmp in the place of dir and syncs the parent: in one step where the file system can exchange names, else by way of DIR.old. An earlier dir is removed. */
sol_status_t sol_dir_replace (const char *tmp, const char *dir);
#endif
