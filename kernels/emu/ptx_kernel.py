# SPDX-License-Identifier: Apache-2.0
"""ptx_kernel.py: of ptx2c.py: types, operands and addresses of PTX as C++."""
import re

SIZE = {'pred': 1, 'f32': 4, 'f64': 8, 'bf16': 2}
for letter in 'bus':
    for n in (8, 16, 32, 64):
        SIZE['%s%d' % (letter, n)] = n // 8
SPECIAL = {'%laneid': 'emu::lane ()', '%warpid': '(emu::now->linear >> 5)', 'WARP_SZ': '32'}
for name, what in (('tid', 'threadIdx'), ('ctaid', 'blockIdx'), ('ntid', 'blockDim'), ('nctaid', 'gridDim')):
    for axis in 'xyz':
        SPECIAL['%%%s.%s' % (name, axis)] = '%s.%s' % (what, axis)


class Unknown(Exception):
    pass


def ctype(t):
    return {'pred': 'bool', 'bf16': 'u16'}.get(t, t.replace('b', 'u'))


def is_float(t):
    return t[0] == 'f'


def identifier(name):
    return re.sub(r'\W', '_', name.replace('%', '_').replace('$', ''))


def split(text):
    """Operands at commas outside of brackets."""
    parts, depth, one = [], 0, ''
    for c in text:
        depth += (c in '{[(') - (c in '}])')
        if c == ',' and depth == 0:
            parts.append(one.strip())
            one = ''
        else:
            one += c
    return parts + [one.strip()] if one.strip() else parts


def vector(operand):
    return split(operand[1:-1]) if operand.startswith('{') else [operand]


class Kernel:
    """One .entry: what is declared in it and the statements made of it."""

    def __init__(self, name, unit):
        self.name, self.unit = name, unit
        self.scopes = [{}]  # registers' types, innermost last
        self.parameters, self.at = [], {}  # (offset, bytes); name -> (offset, bytes)
        self.bytes = self.threads = 0
        self.shared, self.local = {}, {}  # name -> (bytes, alignment)
        self.out = []
        self.source = ''  # file:line of the CUDA source
        self.line = 0

    def parameter(self, align, size, name):
        at = (self.bytes + align - 1) // align * align
        self.parameters.append((at, size))
        self.at[name] = (at, size)
        self.bytes = at + size

    def type_of(self, register):
        for scope in reversed(self.scopes):
            if register in scope:
                return scope[register][0]
        raise Unknown('register %s is not declared' % register)

    def variable(self, register):
        for scope in reversed(self.scopes):
            if register in scope:
                scope[register][1] = True
                return identifier(register)
        raise Unknown('register %s is not declared' % register)

    def site(self):
        return '"%s:%d, %s"' % (self.unit.name, self.line, self.source)

    def read(self, o, t):
        """C++ of operand o as PTX type t."""
        c = ctype(t)
        if t == 'pred' and o.startswith('!'):
            return '!' + self.read(o[1:], t)
        if o in SPECIAL:
            return '(%s) %s' % (c, SPECIAL[o])
        if o.startswith('%'):
            has = self.type_of(o)
            if ctype(has) == c:
                return self.variable(o)
            if SIZE[has] == SIZE[t]:
                return 'bits<%s> (%s)' % (c, self.variable(o)) if is_float(has) or is_float(t) else '(%s) %s' % (c, self.variable(o))
            if SIZE[has] > SIZE[t] and not is_float(has) and not is_float(t):
                return '(%s) %s' % (c, self.variable(o))
            raise Unknown('register %s of type %s as %s' % (o, has, t))
        m = re.fullmatch(r'0[fF]([0-9A-Fa-f]{8})|0[dD]([0-9A-Fa-f]{16})', o)
        if m:
            if SIZE[t] != (4 if m.group(1) else 8):
                raise Unknown('constant %s as %s' % (o, t))
            return 'bits<%s> (0x%s)' % (c, m.group(1) + 'u' if m.group(1) else m.group(2) + 'ul')
        if re.fullmatch(r'-?(0[xX][0-9A-Fa-f]+|\d+)U?', o) and not is_float(t):
            v = int(o.rstrip('U'), 0)
            if t == 'pred':
                return 'true' if v else 'false'
            return '(%s) 0x%xul' % (c, v & ((1 << 8 * SIZE[t]) - 1))
        return '(%s) %s' % (c, self.symbol(o))

    def symbol(self, name):
        if name in self.shared:
            return identifier(name)
        if name in self.at:
            return '(u64) (args + %d)' % self.at[name][0]
        if name in self.local or name in self.unit.variables:
            return '(u64) %s' % identifier(name)
        if name in self.unit.shared:
            self.shared[name] = self.unit.shared[name]
            return identifier(name)
        raise Unknown('operand %s' % name)

    def write(self, o, t, value):
        """A statement: operand o gets value, which is of PTX type t."""
        if o == '_':
            return '(void) (%s);' % value
        has, v, c = self.type_of(o), self.variable(o), ctype(t)
        if ctype(has) == c:
            return '%s = %s;' % (v, value)
        if SIZE[has] == SIZE[t] and (is_float(has) or is_float(t)):
            return '%s = bits<%s> ((%s) (%s));' % (v, ctype(has), c, value)
        if SIZE[has] >= SIZE[t] and not is_float(has) and not is_float(t):
            widened = 's%d' % (8 * SIZE[has]) if t[0] == 's' else ctype(has)
            return '%s = (%s) (%s) (%s) (%s);' % (v, ctype(has), widened, c, value)
        raise Unknown('register %s of type %s gets %s' % (o, has, t))

    def address(self, o):
        """(kind, C++) of [base + offset]; kind shared where the base is a shared array, param with a parameter's name, else register."""
        m = re.fullmatch(r'\[\s*([^\s+\]]+)\s*(?:\+\s*(-?\d+))?\s*\]', o)
        if not m:
            raise Unknown('address %s' % o)
        base, offset = m.group(1), int(m.group(2) or 0)
        kind = 'register'
        if base.startswith('%'):
            t = 'u%d' % (8 * SIZE[self.type_of(base)])
            value = self.read(base, t)
        else:
            value = self.symbol(base)
            t = 'u32' if base in self.shared else 'u64'
            kind = 'param' if base in self.at else 'shared' if base in self.shared else kind
        if offset:
            value += ' + (%s) %s' % (t, '0x%xul' % (offset & ((1 << 8 * SIZE[t]) - 1)))
        return kind, value, base, offset

    def memory(self, space, t, n, o):
        """C++ of the checked address of n values of type t."""
        kind, value, base, offset = self.address(o)
        if kind == 'param' and (offset < 0 or offset + n * SIZE[t] > self.at[base][1]):
            raise Unknown('outside of parameter %s' % base)
        return '%sat<%s, %d> (%s, %s)' % ('shared.' if space == 'shared' else '', ctype(t), n, value, self.site())
