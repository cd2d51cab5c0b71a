/* SPDX-License-Identifier: Apache-2.0 */
/* device_open.h: what plugin.cu exports of device.cu and collectives.cu. */
#ifndef SOL_CUDA_DEVICE_OPEN_H
#define SOL_CUDA_DEVICE_OPEN_H
#include "solera/plugin.h"
extern "C" {
int sol_device_probe (char *text, size_t n);
int sol_device_count (int index, char *text, size_t n);
sol_status_t sol_device_open (const sol_plugin_host_t *host, int index, void **device_p);
void sol_device_close (void *device);
const char *sol_device_describe (void *device);
sol_queue_t *sol_device_queue (void *device, sol_queue_kind_t kind);
extern const sol_device_collectives_t sol_device_collectives; /* collectives.cu; SOL_HAVE_NCCL */
}
#endif
