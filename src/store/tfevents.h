/* SPDX-License-Identifier: Apache-2.0 */
/* tfevents.h: TensorBoard event files: TFRecord framing and the few protobuf messages that scalars need (tensorflow/core/util/event.proto, framework/summary.proto). */
#ifndef SOL_TFEVENTS_H
#define SOL_TFEVENTS_H
#include "solera/status.h"
#include <stddef.h>
#include <stdint.h>

typedef struct sol_tfevents sol_tfevents_t;
/* a new file DIR/events.out.tfevents.SECONDS.HOST.PID; first_step > 0: readers forget events of earlier files from that step on */
sol_status_t sol_tfevents_open (const char *dir, int64_t first_step, sol_tfevents_t **e_p);
/* one event: begin, any number of scalars, end (written and flushed) */
void sol_tfevents_begin (sol_tfevents_t *e, int64_t step);
void sol_tfevents_scalar (sol_tfevents_t *e, const char *tag, float value);
sol_status_t sol_tfevents_end (sol_tfevents_t *e);
void sol_tfevents_close (sol_tfevents_t *e);
uint32_t sol_crc32c (const void *data, size_t bytes);  /* Castagnoli */
uint32_t sol_crc32c_masked (const void *data, size_t bytes); /* as TFRecord stores it */
#endif
