/* SPDX-License-Identifier: Apache-2.0 */
#include "info.h"
#include <stdio.h>
#include <string.h>

void sol_info_int (cJSON *o, const char *name, int64_t value)
{
  char text[24];
  snprintf (text, sizeof text, "%lld", (long long) value);
  cJSON_AddRawToObject (o, name, text);
}

/* what comes from outside (a path, the environment) may be no UTF-8, and JSON must be */
void sol_info_string (cJSON *o, const char *name, const char *text)
{
  sol_buffer_t b = { 0 };
  sol_buffer_json (&b, text, strlen (text));
  cJSON_AddRawToObject (o, name, b.data);
  sol_buffer_free (&b);
}

/* a scalar without its quotes; texts were added raw */
static void add_scalar (const cJSON *v, sol_buffer_t *out)
{
  if (cJSON_IsNull (v)) sol_buffer_printf (out, "none");
  else if (cJSON_IsBool (v)) sol_buffer_printf (out, "%s", cJSON_IsTrue (v) ? "yes" : "no");
  else if (cJSON_IsNumber (v)) sol_buffer_double (out, v->valuedouble);
  else if (cJSON_IsString (v)) sol_buffer_printf (out, "%s", v->valuestring);
  else if (cJSON_IsRaw (v) && v->valuestring[0] == '"') {
    cJSON *text = cJSON_Parse (v->valuestring);
    if (text) sol_buffer_printf (out, "%s", text->valuestring);
    cJSON_Delete (text);
  } else if (cJSON_IsRaw (v)) sol_buffer_printf (out, "%s", v->valuestring);
}

static int is_small (const cJSON *o)
{
  int n = 0;
  for (const cJSON *v = o->child; v; v = v->next, n++)
    if (cJSON_IsObject (v) || cJSON_IsArray (v)) return 0;
  return n <= 2;
}

static void add_item (const cJSON *v, int indent, sol_buffer_t *out)
{
  sol_buffer_printf (out, "%*s%s:", indent, "", v->string);
  if (cJSON_IsObject (v) && !is_small (v)) {
    sol_buffer_add (out, "\n", 1);
    for (const cJSON *c = v->child; c; c = c->next) add_item (c, indent + 2, out);
    return;
  }
  if ((cJSON_IsArray (v) || cJSON_IsObject (v)) && !v->child) sol_buffer_printf (out, " none");
  if (cJSON_IsObject (v) || cJSON_IsArray (v)) /* "step 320 xxh3 0123", "u00000160 u00000320" */
    for (const cJSON *c = v->child; c; c = c->next) {
      sol_buffer_printf (out, " %s%s", c->string ? c->string : "", c->string ? " " : "");
      add_scalar (c, out);
    }
  else {
    sol_buffer_add (out, " ", 1);
    add_scalar (v, out);
  }
  sol_buffer_add (out, "\n", 1);
}

void sol_info_text (const cJSON *facts, sol_buffer_t *out)
{
  for (const cJSON *v = facts->child; v; v = v->next) add_item (v, 0, out);
}
