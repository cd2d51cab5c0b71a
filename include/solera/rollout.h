/* SPDX-License-Identifier: Apache-2.0 */
/* rollout.h: the record: one prompt and its G responses, flat bytes without pointers: the same in ring, checkpoint, test and file. Versioned header, column
 * sections, XXH3 of everything behind the checksum word. Little-endian. */
#ifndef SOL_ROLLOUT_H
#define SOL_ROLLOUT_H
#include "solera/config.h"
#include "solera/status.h"
#include <stddef.h>
#include <stdint.h>

#define SOL_ROLLOUT_MAGIC 0x31524f4cu /* "LOR1" */
typedef struct { int32_t first_token, n_tokens; int64_t version; } sol_version_run_t; /* over the concatenated response tokens */

#define SOL_TICKET_BITS 40 /* of an index: the ticket; above them the number of the attempt (batch.refill) */
/* groups that were generated for a ticket and dropped because all of their rewards were equal: how many, of these all of whose responses were right or wrong; responses that were right; sum of rewards */
typedef struct { int32_t groups, all_right, all_wrong, correct; double reward; } sol_dropped_t;

/* A view: pointers into a record (open) or into the caller's arrays (pack). Token columns are the responses' tokens one after another; response g has len[g]. */
typedef struct {
  uint64_t ticket;        /* number of this group in the run: ticket = batch * prompts + candidate */
  uint64_t prompt_id;     /* the task's identity of the prompt */
  uint64_t index;         /* the task's index that made it */
  sol_dropped_t dropped;  /* before this one, for the same ticket */
  int32_t set;            /* number of the prompt's data set in task.path */
  int32_t n_responses, n_prompt, n_runs, n_parts;
  int64_t n_tokens;       /* over all responses */
  float temperature;
  int32_t actor;          /* who generated it: for the records only */
  double generate_s;      /* time of generation: for the records only; 0 in exact mode's checksum: never part of results */
  const int32_t *prompt;  /* [n_prompt] */
  const int32_t *len;     /* [n_responses] */
  const uint8_t *finish;  /* [n_responses] sol_finish_t */
  const double *reward;   /* [n_responses] total */
  const double *parts;    /* [n_responses * n_parts] reward parts (answer, format, ...) */
  const sol_version_run_t *runs; /* [n_runs], cover all tokens in order */
  const int32_t *ids;     /* [n_tokens] */
  const float *lp, *raw_lp, *entropy; /* [n_tokens]; raw_lp and entropy may be NULL: section absent. lp is not optional. */
  const float *lp_check;  /* optional */
} sol_rollout_t;

/* exact bytes of the packed record */
size_t sol_rollout_bytes (const sol_rollout_t *view);
/* largest record for given limits; versions: policy versions that one response may see */
size_t sol_rollout_max_bytes (int32_t n_responses, int32_t max_prompt, int32_t max_new, int64_t versions);
/* the same for a run's settings: one version a response, or every one that is published with staleness.in_flight */
size_t sol_rollout_config_bytes (const sol_config_t *config);
sol_status_t sol_rollout_pack (const sol_rollout_t *view, void *record, size_t room, size_t *bytes_p);
/* checks magic, version, every bound and the checksum, then points into record (8-byte aligned). A record without behaviour log-probs is refused. */
sol_status_t sol_rollout_open (const void *record, size_t bytes, sol_rollout_t *view_p);
/* checksum over content that results depend on (not actor, not generate_s): for conservation */
uint64_t sol_rollout_digest (const sol_rollout_t *view);
/* what the model made: prompt, tokens, log-probs, versions, ends; not what graders said, nor what is only recorded */
uint64_t sol_rollout_generated (const sol_rollout_t *view);
#endif
