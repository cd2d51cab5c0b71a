/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/status.h"
#include <stdio.h>

int main (void)
{
  puts (sol_status_string (SOL_OK));
  return 0;
}
