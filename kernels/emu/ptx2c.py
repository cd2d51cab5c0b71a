#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ptx2c.py FILE.ptx: the PTX that nvcc made, as C++ for the emulator (ptx_runtime.h), on standard output.

Every instruction becomes one statement, in its order; a register becomes a variable that begins as all ones. An instruction or directive that is not known here is an error with file and line, never
left out. Only what nvcc writes is read: whole programs of kernels without calls, one statement a line or several, scopes in braces."""
import re
import sys

from ptx_instructions import HANDLERS
from ptx_kernel import SIZE, Kernel, Unknown, ctype, identifier, split


def statements(lines):
    """(line, text): what ends in ';', labels with their ':', braces of scopes, directives that take the rest of their line."""
    held, at = '', 0
    for number, line in enumerate(lines, 1):
        line = line.split('//')[0].strip()
        if not held.strip() and re.match(r'\.(version|target|address_size|file|loc|section|maxntid|reqntid|minnctapersm|maxnreg|b8|b32|b64|b16|4byte)\b', line):
            yield number, line
            continue
        for piece in re.split(r'([;{}])', line):
            if not held.strip():
                at = number
            if piece == ';':
                yield at, held.strip()
                held = ''
            elif piece in '{}' and piece and (not held.strip() or held.strip().endswith(')')):
                if held.strip():
                    yield at, held.strip()
                yield number, piece
                held = ''
            else:
                held += piece + ' '
                m = re.match(r'\s*([\w$]+):(?!:)\s*', held)
                if m:
                    yield at, m.group(1) + ':'
                    held = held[m.end():]
                elif re.fullmatch(r'[^(]*\.entry[^(]*\([^()]*\)\s*', held):
                    yield at, held.strip()
                    held = ''
    if held.strip():
        yield at, held.strip()


class Unit:
    """One file."""

    def __init__(self, path):
        self.path, self.name = path, path.split('/')[-1]
        with open(path) as f:
            self.lines = f.read().split('\n')
        self.files = {}
        self.variables, self.shared = {}, {}  # of the module
        self.out, self.table, self.kernels, self.kernel = [], [], 0, None
        for line in self.lines:
            m = re.match(r'\s*\.file\s+(\d+)\s+"(.*)"', line)
            if m:
                self.files[m.group(1)] = m.group(2).split('/')[-1]

    def translate(self):
        depth, at, skip = 0, 0, None
        try:
            for at, s in statements(self.lines):
                if s == '{':
                    depth += 1
                    if self.kernel and depth > 1:
                        self.open_scope()
                elif s == '}':
                    depth -= 1
                    skip = None
                    if self.kernel and depth:
                        self.close_scope()
                    elif self.kernel:
                        self.end_kernel()
                elif s.startswith('.section'):
                    skip = s  # of debugging data
                elif self.kernel and depth:
                    self.kernel.line = at
                    self.in_kernel(s)
                elif skip is None:
                    self.outside(s)
        except Unknown as e:
            sys.exit('%s:%d: not known to ptx2c: %s: %s' % (self.path, at, e, self.lines[at - 1].strip()))
        begin = ['/* made by ptx2c.py of %s */' % self.name, '#include "ptx_runtime.h"', 'using namespace ptx;']
        # the host object calls it, in which objcopy has put this name in the place of __cudaRegisterFunction
        end = ['static const kernel kernels[] = {'] + self.table + ['  { nullptr, nullptr, 0, 0, nullptr }', '};', 'extern "C" void sol_ptx_register_%s (PTX_REGISTER_ARGUMENTS)' % identifier(self.name.split('.')[0]),
                '{', '  make_known ("%s", kernels, stub, name);' % self.name, '}']
        return '\n'.join(begin + self.out + end) + '\n'

    # ---- declarations
    def outside(self, s):
        if re.match(r'\.(version|target|address_size|file|minnctapersm|maxnreg)\b', s):
            return
        m = re.match(r'(?:\.(?:visible|weak)\s+)?\.entry\s+([\w$]+)\s*(?:\((.*)\))?$', s, re.S)
        if m:
            self.kernel = Kernel(m.group(1), self)
            for p in split(m.group(2) or ''):
                q = re.fullmatch(r'\.param\s+(?:\.align\s+(\d+)\s+)?\.(\w+)\s+(?:\.ptr\s+(?:\.\w+\s+)?(?:\.align\s+\d+\s+)?)?([\w$]+)(?:\[(\d+)\])?', p)
                if not q:
                    raise Unknown('parameter %s' % p)
                size = SIZE[q.group(2)]
                self.kernel.parameter(int(q.group(1) or size), size * int(q.group(4) or 1), q.group(3))
            return
        m = re.match(r'\.(maxntid|reqntid)\s+(.*)', s)
        if m and self.kernel:
            n = 1
            for x in m.group(2).split(','):
                n *= int(x)
            self.kernel.threads = n if m.group(1) == 'maxntid' else -n
            return
        m = re.fullmatch(r'((?:\.(?:extern|visible|weak)\s+)*)\.(global|const|shared)\s+(?:\.align\s+(\d+)\s+)?\.(\w+)\s+([\w$]+)(?:\[(\d*)\])?\s*(?:=\s*(.*))?', s, re.S)
        if not m:
            raise Unknown('directive')
        self.variable(m)

    def variable(self, m):
        size = SIZE[m.group(4)]
        align, name = int(m.group(3) or size), m.group(5)
        if m.group(2) == 'shared':
            self.shared[name] = (None if m.group(6) == '' else size * int(m.group(6) or 1), align)
            return
        if 'extern' in m.group(1):
            raise Unknown('variable of another file')
        values = m.group(7) or '{ 0 }'
        if re.search(r'[A-Za-z_$]{2}', values):
            raise Unknown('initial value')
        self.variables[name] = True
        self.out.append('alignas (%d) static %s %s[%s] = %s;' % (align, ctype(m.group(4)), identifier(name), m.group(6) or 1, values if values.startswith('{') else '{ %s }' % values))

    def open_scope(self):
        self.kernel.scopes.append({})
        self.kernel.out.append([])

    def close_scope(self):
        k = self.kernel
        registers, body = k.scopes.pop(), k.out.pop()
        inner = self.declarations(registers) + body
        if registers:
            inner = ['{'] + inner + ['}']
        k.out[-1] += inner

    def declarations(self, registers):
        by = {}
        for name, (t, used) in registers.items():
            if used:
                by.setdefault(ctype(t), []).append('%s = UNSET_%s' % (identifier(name), ctype(t)))
        return ['  %s %s;' % (t, ', '.join(v)) for t, v in sorted(by.items())]

    # ---- inside of a kernel
    def in_kernel(self, s):
        k = self.kernel
        if not k.out:
            k.out.append([])
        if s.startswith('.'):
            return self.directive(k, s)
        m = re.fullmatch(r'([\w$]+):', s)
        if m:
            k.out[-1].append(' %s:;' % identifier(m.group(1)))
            return
        guard = ''
        m = re.match(r'@(!?)(%[\w$]+)\s+(.*)', s, re.S)
        if m:
            guard, s = 'if (%s%s) ' % (m.group(1), k.read(m.group(2), 'pred')), m.group(3)
        m = re.match(r'([a-z][\w.:]*)\s*(.*)', s, re.S)
        if not m:
            raise Unknown('statement')
        op, o = m.group(1), split(m.group(2))
        if op in ('bra', 'bra.uni'):
            k.out[-1].append('  %sgoto %s;' % (guard, identifier(o[0])))
        elif op in ('ret', 'ret.uni', 'exit'):
            k.out[-1].append('  %sreturn;' % guard)
        elif op.split('.')[0] not in HANDLERS or ('bf16' in op.split('.') and op.split('.')[0] not in ('cvt', 'mma')):  # their registers are of bits
            raise Unknown('instruction %s' % op)
        else:
            try:
                k.out[-1].append('  %s%s' % (guard, HANDLERS[op.split('.')[0]](k, op, op.split('.')[-1], o)))
            except (KeyError, IndexError, ValueError) as e:
                raise Unknown('instruction %s (%r)' % (op, e))

    def directive(self, k, s):
        m = re.match(r'\.loc\s+(\d+)\s+(\d+)', s)
        if m:
            k.source = '%s:%s' % (self.files.get(m.group(1), '?'), m.group(2))
            k.out[-1].append('#line %s "%s"' % (m.group(2), self.files.get(m.group(1), '?')))
            return
        if s.startswith('.pragma'):
            return
        m = re.fullmatch(r'\.reg\s+\.(\w+)\s+(.*)', s, re.S)
        if m:
            for v in split(m.group(2)):
                q = re.fullmatch(r'(%[\w$]+?)<(\d+)>', v)
                for name in ['%s%d' % (q.group(1), i) for i in range(int(q.group(2)))] if q else [v]:
                    k.scopes[-1][name] = [m.group(1), False]
            return
        m = re.fullmatch(r'\.(shared|local)\s+(?:\.align\s+(\d+)\s+)?\.(\w+)\s+([\w$]+)(?:\[(\d+)\])?', s)
        if not m:
            raise Unknown('directive')
        size = SIZE[m.group(3)]
        (k.shared if m.group(1) == 'shared' else k.local)[m.group(4)] = (size * int(m.group(5) or 1), int(m.group(2) or size))

    def end_kernel(self):
        k, n = self.kernel, self.kernels
        m = re.match(r'_Z(\d+)', k.name)
        readable = k.name[m.end():m.end() + int(m.group(1))] if m else k.name
        name = 'k%d_%s' % (n, identifier(readable))
        keys = ['static const char %s_of_%d = 0;' % (identifier(s), n) for s, (size, align) in k.shared.items() if size is not None]
        begin = ['static void %s (const unsigned char *args)' % name, '{', '  shared_memory<%d> shared;' % max(1, len(k.shared))]
        for s, (size, align) in k.shared.items():
            begin.append('  const u32 %s = shared.%s;' % (identifier(s), 'dynamic (%d)' % align if size is None else 'array (&%s_of_%d, %d, %d)' % (identifier(s), n, size, align)))
        for s, (size, align) in k.local.items():
            begin += ['  alignas (%d) unsigned char %s[%d];' % (align, identifier(s), size), '  memset (%s, 0xff, sizeof %s);' % (identifier(s), identifier(s))]
        body = []
        for line in k.out[0]:  # of several #line only the last says something
            if line.startswith('#') and body and body[-1].startswith('#'):
                body.pop()
            body.append(line)
        self.out += keys + begin + self.declarations(k.scopes[0]) + body + ['}']
        self.out.append('static const parameter k%d_takes[] = { %s };' % (n, ', '.join('{ %d, %d }' % p for p in k.parameters) or '{ 0, 0 }'))
        self.table.append('  { "%s", %s, %d, %d, k%d_takes },' % (k.name, name, k.threads, len(k.parameters), n))
        self.kernel = None
        self.kernels += 1


if len(sys.argv) != 2:
    sys.exit('usage: ptx2c.py FILE.ptx')
sys.stdout.write(Unit(sys.argv[1]).translate())
