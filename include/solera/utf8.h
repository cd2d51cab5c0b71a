/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h: UTF-8 as Unicode 15 table 3-7 defines it: no surrogates, nothing above U+10FFFF, no overlong forms. */
#ifndef SOL_UTF8_H
#define SOL_UTF8_H
#include "solera/buffer.h"
#include <stddef.h>
#include <stdint.h>

/* Reads one character of at least one byte. Returns its length and sets *cp_p; or minus the length of the maximal wrong part (what one U+FFFD stands for). */
int sol_utf8_next (const char *s, size_t bytes, int32_t *cp_p);
/* offset of the first byte that is wrong, or bytes when all is well */
size_t sol_utf8_check (const char *s, size_t bytes);
/* writes one character (at most 4 bytes), returns its length */
int sol_utf8_put (int32_t cp, char *out);
/* appends s with every maximal wrong part replaced by U+FFFD */
void sol_utf8_lossy (sol_buffer_t *out, const char *s, size_t bytes);
/* White_Space property */
int sol_utf8_is_space (int32_t cp);
#endif
