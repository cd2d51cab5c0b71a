/* SPDX-License-Identifier: Apache-2.0 */
/* elementary.h: functions made of + - * / only, so that they give the same bits on every CPU (a mathematics library picks other code where there is FMA).
 * Error a few units of the last place. For what decides a run's bytes on the host: new weights, learning rates, objectives. */
#ifndef SOL_ELEMENTARY_H
#define SOL_ELEMENTARY_H
/* natural logarithm of a finite x > 0 */
double sol_log_exact (double x);
/* e^x of any x: 0, inf and NaN where they belong */
double sol_exp_exact (double x);
/* cosine of 2 pi turns, |turns| < 2^31 */
double sol_cos_turns (double turns);
#endif
