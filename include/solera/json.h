/* SPDX-License-Identifier: Apache-2.0 */
/* json.h: what cJSON lacks: strict UTF-8, strings with U+0000, reasons. Users include <cjson/cJSON.h> themselves. */
#ifndef SOL_JSON_H
#define SOL_JSON_H
#include "solera/buffer.h"
#include "solera/status.h"
#include <stddef.h>
#include <stdint.h>

struct cJSON;
/* One JSON value and nothing behind it but white space; no object has a key twice. *json_p: cJSON_Delete it. SOL_ERR_FORMAT is not logged: the reason, with its place, is written to why (room 128).
 * Strings keep U+0000 as the byte 0xff, which UTF-8 never has: read them by sol_json_text where it may occur. */
sol_status_t sol_json_parse (const char *text, size_t bytes, struct cJSON **json_p, char why[128]);
/* reads a whole file, and logs what is wrong with it */
sol_status_t sol_json_load (const char *path, struct cJSON **json_p);
/* the string member of an object, U+0000 included, into out (cleared first); 0: there is no such string */
int sol_json_text (const struct cJSON *object, const char *key, sol_buffer_t *out);
/* the string member without U+0000, owned by the object; NULL: there is no such string */
const char *sol_json_string (const struct cJSON *object, const char *key);
/* is it a whole number in [min, max]? (max at most 2^53) */
int sol_json_int (const struct cJSON *item, int64_t min, int64_t max, int64_t *value_p);
#endif
