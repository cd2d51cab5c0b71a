/* SPDX-License-Identifier: Apache-2.0 */
/* answer_group.c: what stands in brackets: groups, tuples, intervals, sets, absolute values, matrices. */
#include "answer.h"
#include <string.h>

static int is_command (const sol_token_t *t, const char *name) { return t->kind == T_COMMAND && sol_token_is (t, name); }
static int is_char (const sol_token_t *t, char c) { return t->kind == T_CHAR && t->s[0] == c; }

static sol_node_t *retype (sol_parser_t *s, sol_node_t *list, int kind)
{
  if (list->kind == N_LIST) {
    list->kind = (uint8_t) kind;
    list->op = 0;
    return list;
  }
  sol_node_t *x = sol_node_new (s->pool, kind, 1);
  x->kid[0] = list;
  return x;
}

/* ( .. ) [ .. ] ( .. ] [ .. ) */
static sol_node_t *parse_round (sol_parser_t *s)
{
  const char open = s->t->s[0];
  sol_parse_next (s);
  sol_node_t *x = sol_parse_list (s, 1);
  if (!is_char (s->t, ')') && !is_char (s->t, ']')) sol_parse_fail (s);
  const char close = s->t->s[0];
  const int match = (open == '(') == (close == ')');
  sol_parse_next (s);
  if (x->kind != N_LIST) {
    if (!match) sol_parse_fail (s);
    return x;
  }
  if (x->n == 2) {
    x->kind = N_INTERVAL;
    x->op = (open == '(' ? 1 : 0) | (close == ')' ? 2 : 0) | (match ? 4 : 0);
    return x;
  }
  if (!match) sol_parse_fail (s);
  return retype (s, x, N_TUPLE);
}

/* \{ .. \} and \{ x | .. \}; plain braces around a list are a set too */
static sol_node_t *parse_set (sol_parser_t *s, int plain)
{
  sol_parse_next (s);
  if (!plain && sol_parse_take (s, "}")) return sol_node_new (s->pool, N_SET, 0);
  if (!plain) s->no_bar = 1;
  sol_node_t *x = sol_parse_list (s, 1);
  s->no_bar = 0;
  if (!plain && (is_char (s->t, '|') || is_char (s->t, ':'))) {
    sol_parse_next (s);
    sol_node_t *condition = sol_parse_list (s, 1);
    x = sol_node_pair (s->pool, N_BUILDER, x, condition);
  } else if (!plain || x->kind == N_LIST) x = retype (s, x, N_SET);
  if (!sol_parse_take (s, "}")) sol_parse_fail (s);
  return x;
}

static sol_node_t *parse_abs (sol_parser_t *s)
{
  sol_parse_next (s);
  s->bar++;
  sol_node_t *x = sol_parse_sum (s);
  s->bar--;
  if (!is_char (s->t, '|')) sol_parse_fail (s);
  sol_parse_next (s);
  return sol_node_func (s->pool, "abs", x);
}

static sol_node_t *parse_floor (sol_parser_t *s, const char *name, const char *close)
{
  sol_parse_next (s);
  sol_node_t *x = sol_parse_sum (s);
  if (!sol_parse_take (s, close)) sol_parse_fail (s);
  return sol_node_func (s->pool, name, x);
}

sol_node_t *sol_parse_bracketed (sol_parser_t *s)
{
  const int bar = s->bar, no_bar = s->no_bar;
  sol_node_t *x = NULL;
  if (s->used) sol_parse_fail (s);
  if (is_char (s->t, '|') && (s->bar || s->no_bar)) sol_parse_fail (s);
  s->bar = s->no_bar = 0;
  if (is_char (s->t, '(') || is_char (s->t, '[')) x = parse_round (s);
  else if (is_char (s->t, '{')) x = parse_set (s, 1);
  else if (is_command (s->t, "{")) x = parse_set (s, 0);
  else if (is_char (s->t, '|')) x = parse_abs (s);
  else if (is_command (s->t, "lfloor")) x = parse_floor (s, "floor", "rfloor");
  else if (is_command (s->t, "lceil")) x = parse_floor (s, "ceil", "rceil");
  else if (is_command (s->t, "langle")) {
    sol_parse_next (s);
    x = retype (s, sol_parse_list (s, 1), N_TUPLE);
    if (!sol_parse_take (s, "rangle")) sol_parse_fail (s);
  } else sol_parse_fail (s);
  s->bar = bar;
  s->no_bar = no_bar;
  return x;
}

sol_node_t *sol_parse_matrix (sol_parser_t *s)
{
  sol_node_t *entry[256];
  int n = 0, columns = 0, column = 0;
  sol_parse_next (s);
  for (;;) {
    if (n == 256) sol_parse_fail (s);
    if (column == 0 && is_command (s->t, "end")) break; /* a row break at the end */
    entry[n++] = sol_parse_sum (s);
    column++;
    if (is_char (s->t, '&')) sol_parse_next (s);
    else {
      if (columns && column != columns) sol_parse_fail (s);
      columns = column;
      column = 0;
      if (is_command (s->t, "end")) break;
      if (!is_command (s->t, "row")) sol_parse_fail (s);
      sol_parse_next (s);
    }
  }
  sol_parse_next (s);
  if (!n) sol_parse_fail (s);
  sol_node_t *x = sol_node_new (s->pool, N_MATRIX, n);
  memcpy (x->kid, entry, (size_t) n * sizeof *entry);
  x->op = columns;
  return x;
}
