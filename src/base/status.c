/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/status.h"

const char *sol_status_string (sol_status_t st)
{
  static const char *const text[] = {
#define X(n, s) s,
    SOL_STATUS_MAP (X)
#undef X
  };
  return (unsigned) st < SOL_STATUS_COUNT ? text[st] : "unknown status";
}
