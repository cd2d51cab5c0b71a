/* SPDX-License-Identifier: Apache-2.0 */
/* number.c: recursive descent over normalised text:
 *   sum = [+-] product {(+|-) product}    product = power {(*|/) power}    power = atom [!] [^ exponent]
 *   atom = digits[,ddd...][.digits][e[+-]digits] | whole \frac{a}{b} | whole a/b | \frac{sum}{sum} | (sum) | {sum} */
#include "number.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES 4000
#define MAX_DEPTH 24
#define MAX_WORK 400 /* arithmetic steps: each at most some 10^5 operations */

typedef struct {
  const char *p;
  int depth, work, grouped; /* grouped: inside parentheses or braces, where a comma may part a list */
} parser_t;

static int parse_sum (parser_t *s, sol_rational_t *x);

static void skip (parser_t *s)
{
  while (*s->p == ' ') s->p++;
}

static size_t run_of_digits (const char *p)
{
  size_t n = 0;
  while (isdigit ((unsigned char) p[n])) n++;
  return n;
}

/* whole part with thousands separators, into digits; a separator counts only before exactly three digits, the same one all the way */
static size_t whole_part (parser_t *s, char *digits)
{
  size_t n = run_of_digits (s->p), total = n;
  memcpy (digits, s->p, n);
  s->p += n;
  const char sep = *s->p;
  if (n == 0 || n > 3 || (sep != ',' && sep != ' ') || (sep == ',' && s->grouped)) return total;
  const char *q = s->p;
  while (*q == sep && run_of_digits (q + 1) == 3) {
    memcpy (digits + total, q + 1, 3);
    total += 3;
    q += 4;
  }
  if (sep == ' ' && *q == '/') return n; /* 1 100/200: a mixed number */
  s->p = q;
  return total;
}

/* digits[.digits]; *plain: only digits, so that a fraction may follow */
static int parse_decimal (parser_t *s, sol_rational_t *x, int *plain)
{
  char digits[MAX_BYTES + 8];
  size_t n = whole_part (s, digits), decimals = 0;
  *plain = n > 0;
  if (*s->p == '.') {
    decimals = run_of_digits (s->p + 1);
    if (!n && !decimals) return 0;
    *plain = 0;
    memcpy (digits + n, s->p + 1, decimals);
    s->p += 1 + decimals;
  }
  if (n + decimals == 0) return 0;
  sol_rational_set (x, 1);
  if (!sol_big_digits (&x->top, digits, n + decimals)) return 0;
  if (decimals) {
    sol_rational_t ten;
    sol_rational_set (&ten, 10);
    if (!sol_rational_power (&ten, (long) decimals) || !sol_rational_divide (x, &ten)) return 0;
  }
  return 1;
}

/* e[+-]digits behind a number */
static int parse_exponent (parser_t *s, sol_rational_t *x)
{
  const char *p = s->p + 1;
  if (*s->p != 'e' && *s->p != 'E') return 1;
  if (*p == '+' || *p == '-') p++;
  size_t n = run_of_digits (p);
  if (n == 0) return 1; /* a word begins */
  if (n > 4) return 0;
  long e = strtol (s->p + 1, NULL, 10);
  sol_rational_t ten;
  sol_rational_set (&ten, 10);
  s->p = p + n;
  return sol_rational_power (&ten, e) && sol_rational_multiply (x, &ten);
}

/* one argument of \frac: {sum}, or a single digit */
static int parse_argument (parser_t *s, sol_rational_t *x)
{
  skip (s);
  if (isdigit ((unsigned char) *s->p)) {
    sol_rational_set (x, (uint32_t) (*s->p++ - '0'));
    return 1;
  }
  if (*s->p++ != '{' || !parse_sum (s, x)) return 0;
  skip (s);
  return *s->p++ == '}';
}

static int parse_frac (parser_t *s, sol_rational_t *x)
{
  sol_rational_t bottom;
  s->p += 5;
  s->grouped++;
  int good = parse_argument (s, x) && parse_argument (s, &bottom) && sol_rational_divide (x, &bottom);
  s->grouped--;
  return good;
}

/* a proper fraction of two whole numbers behind a whole number: 1 \frac{1}{2}, 1 1/2. Other fractions there would be products to some readers: no number. */
static int parse_mixed (parser_t *s, sol_rational_t *x)
{
  sol_rational_t fraction;
  parser_t try = *s;
  skip (&try);
  if (!strncmp (try.p, "\\frac", 5)) {
    if (!parse_frac (&try, &fraction)) return 0;
  } else {
    size_t n = run_of_digits (try.p), m = n && try.p[n] == '/' ? run_of_digits (try.p + n + 1) : 0;
    if (!m || try.p == s->p) return 1;
    sol_rational_set (&fraction, 1);
    if (!sol_big_digits (&fraction.top, try.p, n) || !sol_big_digits (&fraction.bottom, try.p + n + 1, m) || !fraction.bottom.n) return 0;
    try.p += n + 1 + m;
  }
  if (fraction.negative || sol_big_compare (&fraction.top, &fraction.bottom) >= 0 || *try.p == '^') return 0;
  s->p = try.p;
  return sol_rational_add (x, &fraction, 0);
}

static int parse_group (parser_t *s, sol_rational_t *x)
{
  char close = *s->p++ == '(' ? ')' : '}';
  s->grouped++;
  int good = parse_sum (s, x);
  s->grouped--;
  skip (s);
  return good && *s->p++ == close;
}

static int parse_atom (parser_t *s, sol_rational_t *x)
{
  int plain;
  skip (s);
  if (!strncmp (s->p, "\\frac", 5)) return parse_frac (s, x);
  if (*s->p == '(' || *s->p == '{') return parse_group (s, x);
  if (!parse_decimal (s, x, &plain) || !parse_exponent (s, x)) return 0;
  return plain ? parse_mixed (s, x) : 1;
}

static int factorial (parser_t *s, sol_rational_t *x)
{
  long n;
  sol_rational_t k;
  if (!sol_rational_small (x, &n) || n < 0 || n > 200) return 0;
  s->work += (int) n / 8;
  sol_rational_set (x, 1);
  for (long i = 2; i <= n; i++) {
    sol_rational_set (&k, (uint32_t) i);
    if (!sol_rational_multiply (x, &k)) return 0;
  }
  return 1;
}

static int parse_power (parser_t *s, sol_rational_t *x)
{
  if (!parse_atom (s, x)) return 0;
  if (*s->p == '!') {
    s->p++;
    if (!factorial (s, x)) return 0;
  }
  if (*s->p != '^') return 1;
  sol_rational_t exponent;
  long e;
  s->p++;
  s->work += 20;
  if (!parse_argument (s, &exponent) || !sol_rational_small (&exponent, &e) || labs (e) > 9999) return 0;
  return *s->p != '^' && sol_rational_power (x, e);
}

static int parse_product (parser_t *s, sol_rational_t *x)
{
  if (!parse_power (s, x)) return 0;
  for (;;) {
    sol_rational_t y;
    skip (s);
    char op = *s->p;
    if (op != '*' && op != '/') return 1;
    s->p++;
    if (++s->work > MAX_WORK || !parse_power (s, &y)) return 0;
    if (!(op == '*' ? sol_rational_multiply (x, &y) : sol_rational_divide (x, &y))) return 0;
  }
}

static int parse_sum (parser_t *s, sol_rational_t *x)
{
  int negative = 0, good = 0;
  if (++s->depth > MAX_DEPTH) return 0;
  skip (s);
  if (*s->p == '-' || *s->p == '+') negative = *s->p++ == '-';
  if (parse_product (s, x)) {
    x->negative ^= negative;
    for (good = 1; good;) {
      sol_rational_t y;
      skip (s);
      char op = *s->p;
      if (op != '+' && op != '-') break;
      s->p++;
      good = ++s->work <= MAX_WORK && parse_product (s, &y) && sol_rational_add (x, &y, op == '-');
    }
  }
  s->depth--;
  return good && s->work <= MAX_WORK;
}

/* ---- units */

/* Words that mean the same share their last column; only words of this list are taken as units. A lone m or g is not among them: it may be a variable. */
static const struct { const char *word, *unit; } units[] = {
  { "$", "$" }, { "dollars", "$" }, { "dollar", "$" }, { "USD", "$" }, { "\xe2\x82\xac", "EUR" }, { "euros", "EUR" }, { "euro", "EUR" }, { "\xc2\xa3", "GBP" },
  { "pounds", "pound" }, { "pound", "pound" }, { "cents", "cent" }, { "cent", "cent" }, { "yuan", "yuan" }, { "degrees", "degree" }, { "degree", "degree" },
  { "square units", "unit^2" }, { "square unit", "unit^2" }, { "cubic units", "unit^3" }, { "cubic unit", "unit^3" }, { "units", "unit" }, { "unit", "unit" },
  { "square inches", "in^2" }, { "square feet", "ft^2" }, { "square meters", "m^2" }, { "square centimeters", "cm^2" }, { "square miles", "mi^2" }, { "square yards", "yd^2" },
  { "cubic inches", "in^3" }, { "cubic feet", "ft^3" }, { "cubic meters", "m^3" }, { "cubic centimeters", "cm^3" }, { "inches", "in" }, { "inch", "in" }, { "feet", "ft" },
  { "foot", "ft" }, { "ft", "ft" }, { "yards", "yd" }, { "yard", "yd" }, { "miles per hour", "mph" }, { "mph", "mph" }, { "miles", "mi" }, { "mile", "mi" },
  { "kilometers", "km" }, { "kilometer", "km" }, { "centimeters", "cm" }, { "centimeter", "cm" }, { "millimeters", "mm" }, { "millimeter", "mm" }, { "meters", "m" },
  { "meter", "m" }, { "km", "km" }, { "cm", "cm" }, { "mm", "mm" }, { "m^2", "m^2" }, { "m^{2}", "m^2" }, { "m^3", "m^3" }, { "m^{3}", "m^3" }, { "m\xc2\xb2", "m^2" }, { "m\xc2\xb3", "m^3" }, { "kg", "kg" },
  { "kilograms", "kg" }, { "grams", "g" }, { "gram", "g" },
  { "liters", "L" }, { "liter", "L" }, { "ounces", "oz" }, { "ounce", "oz" }, { "gallons", "gallon" }, { "gallon", "gallon" }, { "hours", "hour" }, { "hour", "hour" },
  { "minutes", "minute" }, { "minute", "minute" }, { "seconds", "second" }, { "second", "second" }, { "days", "day" }, { "day", "day" }, { "weeks", "week" },
  { "week", "week" }, { "months", "month" }, { "month", "month" }, { "years", "year" }, { "year", "year" }, { "people", "people" }, { "students", "student" },
  { "ways", "way" }, { "points", "point" }, { "times", "time" }, { "apples", "apple" }, { "books", "book" }, { "clips", "clip" }, { "percentage", "%" }, { "percent", "%" }, { "pct", "%" }, { "%", "%" }
};

size_t sol_unit_scan (const char *s, char name[48])
{
  const char *p = s;
  while (*p == ' ') p++;
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    size_t n = strlen (units[i].word);
    if (strncmp (p, units[i].word, n)) continue;
    if (isalpha ((unsigned char) units[i].word[0]) && isalnum ((unsigned char) p[n])) continue; /* only the beginning of another word */
    p += n;
    strcpy (name, units[i].unit);
    if (!strncmp (p, "^2", 2) || !strncmp (p, "^3", 2)) {
      strncat (name, p, 2);
      p += 2;
    } else if (!strncmp (p, "^{2}", 4) || !strncmp (p, "^{3}", 4)) {
      strcat (name, p[2] == '2' ? "^2" : "^3");
      p += 4;
    }
    return (size_t) (p - s);
  }
  return 0;
}

int sol_number_parse (const char *text, sol_number_t *number)
{
  parser_t s = { .p = text };
  size_t n;
  char front[48] = "";
  if (strlen (text) > MAX_BYTES) return 0;
  number->unit[0] = 0;
  skip (&s);
  const char *sign = *s.p == '-' ? s.p : NULL; /* -$5 */
  n = sol_unit_scan (s.p + (sign != NULL), front);
  if (n && strcmp (front, "$") && strcmp (front, "EUR") && strcmp (front, "GBP")) return 0;
  if (n) s.p += n + (sign != NULL);
  if (!parse_sum (&s, &number->value)) return 0;
  if (n && sign) number->value.negative ^= 1;
  strcpy (number->unit, front);
  if (!n && (n = sol_unit_scan (s.p, number->unit))) s.p += n;
  skip (&s);
  if (*s.p) return 0;
  if (!strcmp (number->unit, "%")) {
    sol_rational_t hundred;
    sol_rational_set (&hundred, 100);
    number->unit[0] = 0;
    return sol_rational_divide (&number->value, &hundred);
  }
  return 1;
}

int sol_number_equal (const sol_number_t *x, const sol_number_t *y)
{
  return sol_rational_equal (&x->value, &y->value) && (!x->unit[0] || !y->unit[0] || !strcmp (x->unit, y->unit));
}
