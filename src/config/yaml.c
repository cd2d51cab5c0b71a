/* SPDX-License-Identifier: Apache-2.0 */
/* YAML through libyaml's documents (anchors and aliases are resolved there). One document, a mapping of settings or of groups of settings;
 * every key once; no merge keys, no tags. Settings files are small: more than 1 MiB is refused by the caller, and before libyaml builds a document its events are looked at one by
 * one, because 0.2.5 takes time quadratic in the depth of brackets and in the number of anchors and %TAG lines. */
#include "settings_internal.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

enum { MAX_DEPTH = 16, MAX_ANCHORS = 256, MAX_DIRECTIVES = 16 };
#define FAIL(l, status, line, ...) fail_at (l, status, (int) (line), __VA_ARGS__)

__attribute__ ((format (printf, 4, 5))) static sol_status_t fail_at (const sol_loading_t *l, sol_status_t st, int line, const char *fmt, ...)
{
  char where[512], what[512];
  va_list ap;
  va_start (ap, fmt);
  vsnprintf (what, sizeof what, fmt, ap);
  va_end (ap);
  if (line < l->key_line) line = l->key_line;
  return sol_fail (st, "config", "%s: %s", sol_loading_where (l, line, where, sizeof where), what);
}

static int line_of (const yaml_node_t *n) { return (int) n->start_mark.line + 1; }
/* an alias is its anchor's node and stands further up: the line of the key is where it is used */
static int line_in (const sol_loading_t *l, const yaml_node_t *n) { return line_of (n) > l->key_line ? line_of (n) : l->key_line; }

static int line_at (const char *text, size_t offset)
{
  int line = 1;
  for (size_t i = 0; i < offset; i++) line += text[i] == '\n' || (text[i] == '\r' && (i + 1 == offset || text[i + 1] != '\n'));
  return line;
}

static sol_status_t parser_error (const sol_loading_t *l, const yaml_parser_t *p)
{
  const int line = (int) p->problem_mark.line + 1;
  const char *problem = p->problem ? p->problem : "unknown problem";
  if (p->error == YAML_MEMORY_ERROR) return FAIL (l, SOL_ERR_MEMORY, line, "out of memory");
  if (p->error == YAML_READER_ERROR) {
    const char *text = (const char *) p->input.string.start; /* what is not a character has no mark */
    const size_t bytes = (size_t) (p->input.string.end - p->input.string.start), at = p->problem_offset < bytes ? p->problem_offset : bytes;
    return FAIL (l, SOL_ERR_FORMAT, line_at (text, at), "not valid YAML: %s, at byte %zu", problem, p->problem_offset);
  }
  return FAIL (l, SOL_ERR_FORMAT, line, "not valid YAML: %s%s%s, column %zu", p->context ? p->context : "", p->context ? ": " : "", problem, p->problem_mark.column + 1);
}

/* the only document; afterwards the parser must be at the end. *empty_p: there is none */
static sol_status_t load_document (const sol_loading_t *l, yaml_parser_t *parser, yaml_document_t *doc)
{
  yaml_document_t next;
  if (!yaml_parser_load (parser, doc)) return parser_error (l, parser);
  if (!yaml_document_get_root_node (doc)) return SOL_OK;
  sol_status_t st = SOL_OK;
  if (!yaml_parser_load (parser, &next)) st = parser_error (l, parser);
  else {
    const yaml_node_t *root = yaml_document_get_root_node (&next);
    if (root) st = FAIL (l, SOL_ERR_FORMAT, line_of (root), "expected one YAML document, found a second one");
    yaml_document_delete (&next);
  }
  if (st != SOL_OK) yaml_document_delete (doc);
  return st;
}

/* one event, in document order */
static sol_status_t check_event (const sol_loading_t *l, const yaml_event_t *e, int *depth_p, int *anchors_p)
{
  const yaml_char_t *tag = NULL, *anchor = NULL;
  const int line = (int) e->start_mark.line + 1;
  if (e->type == YAML_SCALAR_EVENT) tag = e->data.scalar.tag, anchor = e->data.scalar.anchor;
  if (e->type == YAML_SEQUENCE_START_EVENT) tag = e->data.sequence_start.tag, anchor = e->data.sequence_start.anchor, ++*depth_p;
  if (e->type == YAML_MAPPING_START_EVENT) tag = e->data.mapping_start.tag, anchor = e->data.mapping_start.anchor, ++*depth_p;
  if (e->type == YAML_SEQUENCE_END_EVENT || e->type == YAML_MAPPING_END_EVENT) --*depth_p;
  *anchors_p += anchor != NULL;
  if (*depth_p > MAX_DEPTH) return FAIL (l, SOL_ERR_FORMAT, line, "expected at most %d levels of mappings and sequences, found more", MAX_DEPTH);
  if (*anchors_p > MAX_ANCHORS) return FAIL (l, SOL_ERR_FORMAT, line, "expected at most %d anchors, found more", MAX_ANCHORS);
  if (tag) return FAIL (l, SOL_ERR_FORMAT, line, "the tag %.60s is not supported", (const char *) tag);
  return SOL_OK;
}

static sol_status_t check_directives (const sol_loading_t *l, const char *text, size_t bytes)
{
  int found = 0;
  for (const char *at = text, *end = text + bytes; at && at < end;) {
    found += *at == '%';
    if (found > MAX_DIRECTIVES) return FAIL (l, SOL_ERR_FORMAT, line_at (text, (size_t) (at - text)), "expected at most %d lines that begin with %%, found more", MAX_DIRECTIVES);
    at = memchr (at, '\n', (size_t) (end - at));
    if (at) at++;
  }
  return SOL_OK;
}

/* a first walk over the text, that stops at what the second would take too long for or what is not taken */
static sol_status_t check_events (const sol_loading_t *l, const char *text, size_t bytes)
{
  yaml_parser_t parser;
  int depth = 0, anchors = 0, end = 0;
  sol_status_t st = check_directives (l, text, bytes);
  if (st != SOL_OK) return st;
  if (!yaml_parser_initialize (&parser)) return FAIL (l, SOL_ERR_MEMORY, 1, "out of memory");
  yaml_parser_set_input_string (&parser, (const unsigned char *) text, bytes);
  while (st == SOL_OK && !end) {
    yaml_event_t event;
    if (!yaml_parser_parse (&parser, &event)) st = parser_error (l, &parser);
    else {
      end = event.type == YAML_STREAM_END_EVENT;
      st = check_event (l, &event, &depth, &anchors);
      yaml_event_delete (&event);
    }
  }
  yaml_parser_delete (&parser);
  return st;
}

/* the text of a scalar, which must not hold a zero byte */
static sol_status_t scalar_text (const sol_loading_t *l, const yaml_node_t *n, const char *what, const char **text_p)
{
  if (n->type != YAML_SCALAR_NODE)
    return FAIL (l, SOL_ERR_USAGE, line_of (n), "%s: expected a single value, found a %s", what, n->type == YAML_MAPPING_NODE ? "mapping" : "sequence");
  const char *text = (const char *) n->data.scalar.value;
  if (strlen (text) != n->data.scalar.length) return FAIL (l, SOL_ERR_FORMAT, line_of (n), "%s: a zero byte in the text", what);
  *text_p = text;
  return SOL_OK;
}

static int is_plain (const yaml_node_t *n) { return n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE; }

static sol_status_t set_sequence (sol_loading_t *l, const sol_setting_t *s, yaml_document_t *doc, const yaml_node_t *n)
{
  const yaml_node_item_t *item = n->data.sequence.items.start;
  const size_t count = (size_t) (n->data.sequence.items.top - item);
  char **list = sol_alloc ((count + 1) * sizeof *list);
  sol_status_t st = SOL_OK;
  for (size_t i = 0; i < count && st == SOL_OK; i++) {
    const char *text = NULL;
    st = scalar_text (l, yaml_document_get_node (doc, item[i]), s->name, &text);
    if (st == SOL_OK) list[i] = sol_strdup (text);
  }
  if (st == SOL_OK) {
    sol_value_list (l, s, list, line_in (l, n));
    return SOL_OK;
  }
  for (size_t i = 0; i < count; i++) sol_free (list[i]);
  sol_free (list);
  return st;
}

static sol_status_t set_node (sol_loading_t *l, const sol_setting_t *s, yaml_document_t *doc, const yaml_node_t *n)
{
  const char *text = NULL;
  if (s->kind == SOL_KIND_LIST && n->type == YAML_SEQUENCE_NODE) return set_sequence (l, s, doc, n);
  SOL_TRY (scalar_text (l, n, s->name, &text));
  return sol_value_scalar (l, s, text, is_plain (n), line_in (l, n));
}

static const char *nearest_section (const char *text)
{
  static char near[64];
  int n, best = (int) strlen (text) / 3 + 2;
  const sol_setting_t *s = sol_settings (&n);
  *near = 0;
  for (int i = 0; i < n; i++) {
    char part[64];
    if (!strchr (s[i].name, '.')) continue;
    snprintf (part, sizeof part, "%.*s", (int) strcspn (s[i].name, "."), s[i].name);
    const int d = sol_edit_distance (text, part);
    if (d >= best) continue;
    best = d;
    memcpy (near, part, sizeof near);
  }
  return *near ? near : NULL;
}

static sol_status_t unknown (const sol_loading_t *l, const yaml_node_t *key, const char *name, int group)
{
  const char *near = group ? nearest_section (name) : sol_setting_nearest (name);
  return FAIL (l, SOL_ERR_USAGE, line_of (key), "unknown %s '%.100s'%s%s%s", group ? "group of settings" : "setting", name, near ? "; the nearest is '" : "", near ? near : "",
               near ? "'" : "; solera help settings lists all");
}

/* O(keys^2), but a mapping with more keys than there are settings has a duplicate or an unknown one soon */
static sol_status_t check_duplicate (const sol_loading_t *l, yaml_document_t *doc, const yaml_node_t *map, const yaml_node_pair_t *pair, const char *text)
{
  for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < pair; p++) {
    const yaml_node_t *k = yaml_document_get_node (doc, p->key);
    if (k->type == YAML_SCALAR_NODE && strcmp ((const char *) k->data.scalar.value, text) == 0) /* *k: value has no mark of its own but the value's */
      return FAIL (l, SOL_ERR_USAGE, p->key == pair->key ? line_of (yaml_document_get_node (doc, pair->value)) : line_of (yaml_document_get_node (doc, pair->key)), "duplicate key '%.100s': first given in line %d", text, line_of (k));
  }
  return SOL_OK;
}

static sol_status_t set_mapping (sol_loading_t *l, yaml_document_t *doc, const yaml_node_t *map, const char *section);

static sol_status_t set_pair (sol_loading_t *l, yaml_document_t *doc, const yaml_node_t *map, const yaml_node_pair_t *pair, const char *section)
{
  const yaml_node_t *key = yaml_document_get_node (doc, pair->key), *value = yaml_document_get_node (doc, pair->value);
  const char *text = NULL;
  char name[256];
  int n;
  if (line_of (key) > l->key_line) l->key_line = line_of (key);
  SOL_TRY (scalar_text (l, key, "key", &text));
  SOL_TRY (check_duplicate (l, doc, map, pair, text));
  if (is_plain (key) && strcmp (text, "<<") == 0) return FAIL (l, SOL_ERR_FORMAT, line_of (key), "merge keys (<<) are not supported");
  snprintf (name, sizeof name, "%s%s%s", section, *section ? "." : "", text);
  const sol_setting_t *s = sol_setting_find (name);
  if (s) {
    const sol_origin_t *before = &l->origin[s - sol_settings (&n)];
    /* staleness.k as a key of its own beside staleness: {k: ...} */
    if (before->line > 0) return FAIL (l, SOL_ERR_USAGE, line_of (key), "duplicate setting '%s': first given in line %d", name, before->line);
    return set_node (l, s, doc, value);
  }
  if (sol_setting_is_section (name)) {
    if (value->type != YAML_MAPPING_NODE)
      return FAIL (l, SOL_ERR_USAGE, line_of (key), "'%s' is a group of settings: expected a mapping, found %s", name, value->type != YAML_SCALAR_NODE ? "a sequence" : *value->data.scalar.value ? "a single value" : "nothing");
    return set_mapping (l, doc, value, name);
  }
  return unknown (l, key, name, !*section && value->type == YAML_MAPPING_NODE);
}

/* names have at most one dot, so that this goes two levels deep, whatever the document says */
static sol_status_t set_mapping (sol_loading_t *l, yaml_document_t *doc, const yaml_node_t *map, const char *section)
{
  const int line = l->key_line;
  for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
    l->key_line = line;
    SOL_TRY (set_pair (l, doc, map, p, section));
  }
  l->key_line = line;
  return SOL_OK;
}

typedef struct { sol_status_t (*set) (void *ctx, const sol_loading_t *l, const char *key, const char *value, int line); void *ctx; } flat_t;

static sol_status_t set_flat (sol_loading_t *l, yaml_document_t *doc, const yaml_node_t *map, const flat_t *to)
{
  for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
    const yaml_node_t *key = yaml_document_get_node (doc, p->key);
    const char *name = NULL, *text = NULL;
    SOL_TRY (scalar_text (l, key, "key", &name));
    SOL_TRY (check_duplicate (l, doc, map, p, name));
    SOL_TRY (scalar_text (l, yaml_document_get_node (doc, p->value), name, &text));
    SOL_TRY (to->set (to->ctx, l, name, text, line_of (key)));
  }
  return SOL_OK;
}

/* a document that is a mapping: of settings, or flat */
static sol_status_t read_mapping (sol_loading_t *l, const char *text, size_t bytes, const flat_t *flat)
{
  yaml_parser_t parser;
  yaml_document_t doc;
  SOL_TRY (check_events (l, text, bytes));
  if (!yaml_parser_initialize (&parser)) return FAIL (l, SOL_ERR_MEMORY, 1, "out of memory");
  yaml_parser_set_input_string (&parser, (const unsigned char *) text, bytes);
  sol_status_t st = load_document (l, &parser, &doc);
  if (st == SOL_OK) {
    const yaml_node_t *root = yaml_document_get_root_node (&doc);
    if (root && root->type == YAML_MAPPING_NODE) st = flat ? set_flat (l, &doc, root, flat) : set_mapping (l, &doc, root, "");
    else if (root) st = FAIL (l, SOL_ERR_FORMAT, line_of (root), "expected a mapping of %s, found a %s", flat ? "keys to values" : "settings", root->type == YAML_SCALAR_NODE ? "single value" : "sequence");
    yaml_document_delete (&doc);
  }
  yaml_parser_delete (&parser);
  return st;
}

sol_status_t sol_yaml_settings (sol_loading_t *l, const char *text, size_t bytes) { return read_mapping (l, text, bytes, NULL); }

sol_status_t sol_yaml_flat (sol_loading_t *l, const char *text, size_t bytes, sol_status_t (*set) (void *ctx, const sol_loading_t *l, const char *key, const char *value, int line), void *ctx)
{
  const flat_t to = { set, ctx };
  return read_mapping (l, text, bytes, &to);
}

/* the value must be the whole text: "a # b" would lose its end without a word */
static sol_status_t set_whole (sol_loading_t *l, const sol_setting_t *s, yaml_document_t *doc, const char *text, size_t bytes)
{
  const yaml_node_t *root = yaml_document_get_root_node (doc);
  size_t end = bytes;
  while (end > 0 && strchr (" \t\n\r", text[end - 1])) end--;
  if (!root) return FAIL (l, SOL_ERR_USAGE, 1, "%s: expected a value, found a comment: put it in quotes", s->name);
  if (root->end_mark.index < end && root->type == YAML_SCALAR_NODE && is_plain (root))
    return FAIL (l, SOL_ERR_USAGE, 1, "%s: expected one value, found more after it: put it in quotes", s->name);
  return set_node (l, s, doc, root);
}

sol_status_t sol_yaml_value (sol_loading_t *l, const sol_setting_t *s, const char *text, size_t bytes)
{
  yaml_parser_t parser;
  yaml_document_t doc;
  if (bytes == 0) return sol_value_scalar (l, s, "", 1, 1);
  SOL_TRY (check_events (l, text, bytes));
  if (!yaml_parser_initialize (&parser)) return FAIL (l, SOL_ERR_MEMORY, 1, "out of memory");
  yaml_parser_set_input_string (&parser, (const unsigned char *) text, bytes);
  sol_status_t st = load_document (l, &parser, &doc);
  if (st == SOL_OK) {
    st = set_whole (l, s, &doc, text, bytes);
    yaml_document_delete (&doc);
  }
  yaml_parser_delete (&parser);
  return st;
}
