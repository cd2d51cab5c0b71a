/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/stop.h"
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t wanted, urgent;

static void on_signal (int signo)
{
  if (signo != SIGUSR1 && urgent) _exit (128 + signo);
  if (signo != SIGUSR1) urgent = 1;
  if (!wanted) wanted = signo;
}

void sol_stop_install (void)
{
  struct sigaction sa = { 0 };
  sa.sa_handler = on_signal;
  sa.sa_flags = SA_RESTART; /* a stop is asked for, not an interrupted read or write */
  sigemptyset (&sa.sa_mask);
  sigaction (SIGTERM, &sa, NULL);
  sigaction (SIGINT, &sa, NULL);
  sigaction (SIGUSR1, &sa, NULL);
}

int sol_stop_requested (void) { return (int) wanted; }

const char *sol_stop_name (int signo)
{
  switch (signo) {
  case SIGTERM: return "SIGTERM";
  case SIGINT: return "SIGINT";
  case SIGUSR1: return "SIGUSR1";
  default: return signo ? "another signal" : "none";
  }
}

void sol_stop_set (int signo)
{
  if (!wanted) wanted = signo;
}
