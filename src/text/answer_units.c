/* SPDX-License-Identifier: Apache-2.0 */
/* answer_units.c: words and signs that stand for units. Units are not converted into one another: 1 m is not 100 cm. */
#include "answer.h"
#include <ctype.h>
#include <string.h>

/* Words that mean the same share their second column; # and digits: a number. */
static const struct { const char *word, *unit; } words[] = {
  { "dollars", "$" }, { "dollar", "$" }, { "USD", "$" }, { "euros", "EUR" }, { "euro", "EUR" }, { "EUR", "EUR" }, { "pounds", "pound" }, { "pound", "pound" }, { "cents", "cent" },
  { "cent", "cent" }, { "yuan", "yuan" }, { "degrees", "degree" }, { "degree", "degree" }, { "deg", "degree" }, { "radians", "radian" }, { "radian", "radian" }, { "units", "unit" },
  { "unit", "unit" }, { "inches", "in" }, { "inch", "in" }, { "feet", "ft" }, { "foot", "ft" }, { "ft", "ft" }, { "yards", "yd" }, { "yard", "yd" }, { "mph", "mph" }, { "kph", "kph" },
  { "miles", "mi" }, { "mile", "mi" }, { "kilometers", "km" }, { "kilometer", "km" }, { "kilometres", "km" }, { "centimeters", "cm" }, { "centimeter", "cm" }, { "centimetres", "cm" },
  { "millimeters", "mm" }, { "millimeter", "mm" }, { "meters", "m" }, { "meter", "m" }, { "metres", "m" }, { "metre", "m" }, { "km", "km" }, { "cm", "cm" },
  { "kg", "kg" }, { "kilograms", "kg" }, { "grams", "g" }, { "gram", "g" }, { "lbs", "pound" }, { "liters", "L" }, { "liter", "L" }, { "litres", "L" }, 
  { "ounces", "oz" }, { "ounce", "oz" }, { "gallons", "gallon" }, { "gallon", "gallon" }, { "hours", "hour" }, { "hour", "hour" }, { "hrs", "hour" }, { "minutes", "minute" },
  { "minute", "minute" }, { "seconds", "second" }, { "second", "second" }, { "days", "day" }, { "day", "day" }, { "weeks", "week" }, { "week", "week" },
  { "months", "month" }, { "month", "month" }, { "years", "year" }, { "year", "year" }, { "people", "person" }, { "person", "person" }, { "students", "student" },
  { "student", "student" }, { "ways", "way" }, { "points", "point" },
  { "times", "time" }, { "apples", "apple" }, { "books", "book" }, { "clips", "clip" }, { "percentage", "%" }, { "percent", "%" }, { "pct", "%" }, { "Hz", "Hz" }, 
  { "joules", "J" }, { "newtons", "N" }, { "watts", "W" }, { "volts", "V" }, { "moles", "mol" }, { "milliliters", "mL" }, { "milliliter", "mL" },
  { "milligrams", "mg" }, { "dozen", "#12" }, { "hundred", "#100" }, { "thousand", "#1000" }, { "million", "#1000000" }, { "billion", "#1000000000" }, { "trillion", "#1000000000000" }
};
/* what is a unit only inside \text{} or \mathrm{}, where it is no product of variables */
static const char *const lone[][2] = { { "m", "m" }, { "s", "second" }, { "g", "g" }, { "h", "hour" }, { "L", "L" }, { "J", "J" }, { "N", "N" }, { "W", "W" }, { "V", "V" }, { "A", "A" }, { "K", "K" },
                                       { "in", "in" }, { "mm", "mm" }, { "nm", "nm" }, { "mg", "mg" }, { "lb", "pound" }, { "mL", "mL" }, { "ml", "mL" }, { "sec", "second" }, { "min", "minute" },
                                       { "hr", "hour" }, { "mi", "mi" }, { "yr", "year" }, { "oz", "oz" }, { "yd", "yd" }, { "AM", "AM" }, { "PM", "PM" }, { "am", "am" }, { "pm", "pm" }, { "eV", "eV" }, { "mol", "mol" } };

const char *sol_unit_word (const char *s, size_t bytes)
{
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strlen (words[i].word) == bytes && !memcmp (words[i].word, s, bytes)) return words[i].unit;
  return NULL;
}

int sol_unit_is_currency (const char *name) { return !strcmp (name, "$") || !strcmp (name, "EUR") || !strcmp (name, "GBP"); }

const char *sol_unit_find (const sol_token_t *t, int *used, int *power)
{
  const char *unit;
  *used = 1;
  *power = 1;
  if (t->kind == T_CHAR && t->s[0] == '$') return "$";
  if (t->kind == T_CHAR && t->s[0] == '%') return "%";
  if (t->kind == T_COMMAND) return sol_token_is (t, "euro") ? "EUR" : sol_token_is (t, "sterling") ? "GBP" : sol_token_is (t, "circ") ? "degree" : NULL;
  if (t->kind != T_LETTERS) return NULL;
  if (sol_token_is (t, "square") || sol_token_is (t, "sq") || sol_token_is (t, "cubic") || sol_token_is (t, "cu")) {
    const int dot = sol_token_is (t + 1, ".");
    if (t[1 + dot].kind != T_LETTERS) return NULL;
    *used = 2 + dot;
    *power = t->s[0] == 'c' ? 3 : 2;
    return sol_unit_word (t[1 + dot].s, (size_t) t[1 + dot].bytes);
  }
  if (sol_token_is (t, "miles") && sol_token_is (t + 1, "per") && sol_token_is (t + 2, "hour")) return *used = 3, "mph";
  if ((unit = sol_unit_word (t->s, (size_t) t->bytes))) return unit;
  for (size_t i = 0; t->text && i < sizeof lone / sizeof *lone; i++)
    if (sol_token_is (t, lone[i][0])) return lone[i][1];
  /* a power of length behind a space: 20 m^2 */
  if (!(t->space || t->wide) || !sol_token_is (t, "m") || !sol_token_is (t + 1, "^")) return NULL;
  t += sol_token_is (t + 2, "{") ? 3 : 2;
  return sol_token_is (t, "2") || sol_token_is (t, "3") ? "m" : NULL;
}
