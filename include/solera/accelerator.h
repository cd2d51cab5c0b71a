/* SPDX-License-Identifier: Apache-2.0 */
/* accelerator.h: what is known of a device on paper: rates of its data sheet, and the shares of them that are assumed to be reached. */
#ifndef SOL_ACCELERATOR_H
#define SOL_ACCELERATOR_H
#include "solera/buffer.h"
#include "solera/status.h"
#include <stdint.h>

/* Bytes, seconds and operations; a GB is 10^9 bytes. Rates of links are for one direction and one device. */
typedef struct {
  char name[64];
  double memory, reserve;     /* bytes; reserve: of them for driver, libraries and fragments: an assumption */
  double host_memory;         /* bytes of a host; 0: not known */
  double devices;             /* of a host */
  double flops, hbm;          /* dense bf16 operations and bytes a second */
  double link, network, pcie; /* bytes a second: to a device of the same host, of another host, to the host's memory */
  double flops_share, hbm_share, link_share; /* reached of flops, of hbm, of link, network and pcie: assumptions */
  double launch;              /* seconds: no operation takes less: an assumption */
} sol_accelerator_t;
/* one number of it, as device files name it: "bf16_tflops" is in units of 1e12. */
typedef struct { const char *key, *doc; size_t offset; double unit, def, min, max; /* def: a NAN must be given */ } sol_accelerator_row_t;
const sol_accelerator_row_t *sol_accelerator_rows (int *n_p);

/* "h100", "h200" or "a100" (the SXM forms), or a YAML file, one key a line; docs/scale.md has the keys. SOL_ERR_USAGE: neither; errors in a file name file, line and key. */
sol_status_t sol_accelerator_load (const char *name, sol_accelerator_t *device_p);
/* the same as a device file */
void sol_accelerator_text (const sol_accelerator_t *device, sol_buffer_t *out);
#endif
