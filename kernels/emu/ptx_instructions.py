# SPDX-License-Identifier: Apache-2.0
"""ptx_instructions.py: of ptx2c.py: one function for every kind of instruction: (kernel, opcode, its last type, operands) -> a statement of C++."""
import re

from ptx_kernel import SIZE, Unknown, ctype, is_float, vector

COMPARE = {'eq': '==', 'ne': '!=', 'lt': '<', 'le': '<=', 'gt': '>', 'ge': '>=', 'lo': '<', 'ls': '<=', 'hi': '>', 'hs': '>='}
OPPOSITE = {'neu': '==', 'ltu': '>=', 'leu': '>', 'gtu': '<=', 'geu': '<'}
HANDLERS = {}


def handles(*names):
    def add(f):
        for n in names:
            HANDLERS[n] = f
        return f
    return add


def qualifiers(op, allowed, least=0):
    """The parts of op between its name and its type, all of them among allowed."""
    parts = op.split('.')[1:]
    for p in parts[:len(parts) - 1 + least]:
        if p not in allowed:
            raise Unknown('.%s' % p)
    return parts


SPACES = ('global', 'shared', 'local', 'param', 'const')
HINTS = ('nc', 'ca', 'cg', 'cs', 'lu', 'cv', 'wb', 'wt', 'v2', 'v4', 'L1::no_allocate', 'L1::evict_last', 'L1::evict_first', 'L1::evict_normal', 'L2::64B', 'L2::128B', 'L2::256B')


@handles('mov')
def mov(k, op, t, o):
    qualifiers(op, ())
    for whole, parts, to in ((o[0], vector(o[1]), True), (o[1], vector(o[0]), False)):
        if len(parts) > 1:
            part = 'b%d' % (8 * SIZE[t] // len(parts))
            if to:
                return k.write(whole, 'b' + t[1:], ' | '.join('(%s) (%s) << %d' % (ctype('b' + t[1:]), k.read(p, part), i * 8 * SIZE[part]) for i, p in enumerate(parts)))
            body = ' '.join(k.write(p, part, '(%s) (x_ >> %d)' % (ctype(part), i * 8 * SIZE[part])) for i, p in enumerate(parts))
            return '{ const %s x_ = %s; %s }' % (ctype('b' + t[1:]), k.read(whole, 'b' + t[1:]), body)
    return k.write(o[0], t, k.read(o[1], t))


@handles('cvta')
def cvta(k, op, t, o):
    parts = qualifiers(op, ('to',) + SPACES)
    if 'shared' in parts:
        return k.write(o[0], t, 'shared.%s (%s)' % ('window' if 'to' in parts else 'generic', k.read(o[1], t)))
    return k.write(o[0], t, k.read(o[1], t))


@handles('ld')
def ld(k, op, t, o):
    parts = qualifiers(op, SPACES + HINTS)
    space, to = next((p for p in parts if p in SPACES), ''), vector(o[0])
    at = k.memory(space, t, len(to), o[1])
    if len(to) == 1:
        return k.write(to[0], t, '*' + at)
    return '{ const %s *x_ = %s; %s }' % (ctype(t), at, ' '.join(k.write(r, t, 'x_[%d]' % i) for i, r in enumerate(to)))


@handles('st')
def st(k, op, t, o):
    parts = qualifiers(op, SPACES + HINTS)
    space, of = next((p for p in parts if p in SPACES), ''), vector(o[1])
    at = k.memory(space, t, len(of), o[0])
    if len(of) == 1:
        return '*%s = %s;' % (at, k.read(of[0], t))
    return '{ %s *x_ = %s; %s }' % (ctype(t), at, ' '.join('x_[%d] = %s;' % (i, k.read(r, t)) for i, r in enumerate(of)))


@handles('add', 'sub', 'mul', 'mad')
def arithmetic(k, op, t, o):
    name = op.split('.')[0]
    parts = qualifiers(op, ('rn', 'sat') if is_float(t) else ('lo', 'hi', 'wide'))
    sign = {'add': '+', 'sub': '-'}.get(name, '*')
    if is_float(t):
        e = 'std::fma (%s, %s, %s)' % tuple(k.read(x, t) for x in o[1:]) if name == 'mad' else '%s %s %s' % (k.read(o[1], t), sign, k.read(o[2], t))
        return k.write(o[0], t, 'saturate (%s)' % e if 'sat' in parts else e)
    if 'wide' in parts or 'hi' in parts:
        wide = ctype(t[0] + str(16 * SIZE[t])) if SIZE[t] < 8 else {'s': '__int128', 'u': 'unsigned __int128'}[t[0]]
        e = '(%s) %s * (%s) %s' % (wide, k.read(o[1], t), wide, k.read(o[2], t))
        if 'hi' in parts:
            e = '(u%d) ((%s) >> %d)' % (8 * SIZE[t], e, 8 * SIZE[t])
        t = t if 'hi' in parts else t[0] + str(16 * SIZE[t])
        return k.write(o[0], t, '%s + %s' % (e, k.read(o[3], 'u' + t[1:])) if name == 'mad' else e)
    u = 'u' + t[1:]  # wraps around; 16 bits would become int
    e = '%s%s %s %s' % ('1u * ' if SIZE[t] < 4 else '', k.read(o[1], u), sign, k.read(o[2], u))
    return k.write(o[0], u, '%s + %s' % (e, k.read(o[3], u)) if name == 'mad' else e)


@handles('fma')
def fma(k, op, t, o):
    parts = qualifiers(op, ('rn', 'rm'))
    if not is_float(t):
        raise Unknown('type .%s' % t)
    return k.write(o[0], t, '%s (%s)' % ('fma_down' if 'rm' in parts else 'std::fma', ', '.join(k.read(x, t) for x in o[1:])))


@handles('div', 'rem')
def div(k, op, t, o):
    name = op.split('.')[0]
    parts = qualifiers(op, ('rn', 'approx', 'full', 'ftz') if is_float(t) else ())
    if 'ftz' in parts and 'approx' not in parts:
        raise Unknown('.ftz')
    x, y = k.read(o[1], t), k.read(o[2], t)
    if is_float(t):
        return k.write(o[0], t, 'no_subnormal (no_subnormal (%s) / no_subnormal (%s))' % (x, y) if 'ftz' in parts else '%s / %s' % (x, y))
    return k.write(o[0], t, '%s (%s, %s, %s)' % ({'div': 'divide', 'rem': 'remainder'}[name], x, y, k.site()))


@handles('abs', 'neg', 'not', 'cnot', 'popc', 'clz', 'brev', 'bfind')
def one_operand(k, op, t, o):
    name = op.split('.')[0]
    parts = qualifiers(op, ('shiftamt',) if name == 'bfind' else ())
    x = k.read(o[1], t)
    if name == 'not':
        return k.write(o[0], t, '!%s' % x if t == 'pred' else '(%s) ~%s' % (ctype(t), x))
    if name == 'neg':
        return k.write(o[0], t, '-%s' % x if is_float(t) else '(u%s) 0 - %s' % (t[1:], k.read(o[1], 'u' + t[1:])))
    if name == 'abs':
        return k.write(o[0], t, 'std::fabs (%s)' % x if is_float(t) else 'magnitude (%s)' % x)
    if name in ('popc', 'clz'):
        return k.write(o[0], 'u32', '%s (%s)' % ({'popc': 'ones', 'clz': 'leading_zeros'}[name], x))
    if name == 'brev':
        return k.write(o[0], t, 'reversed (%s)' % x)
    if name == 'bfind' and t[0] == 'u':
        return k.write(o[0], 'u32', 'highest<%s> (%s)' % ('true' if 'shiftamt' in parts else 'false', x))
    raise Unknown('type .%s' % t)


@handles('min', 'max', 'and', 'or', 'xor')
def two_operands(k, op, t, o):
    name = op.split('.')[0]
    qualifiers(op, ())
    x, y = k.read(o[1], t), k.read(o[2], t)
    sign = {'and': '&', 'or': '|', 'xor': '^'}.get(name)
    if not sign:
        return k.write(o[0], t, '%s (%s, %s)' % ({'min': 'least', 'max': 'most'}[name], x, y))
    return k.write(o[0], t, '(%s) (%s %s %s)' % (ctype(t), x, sign, y))


@handles('shl', 'shr')
def shift(k, op, t, o):
    qualifiers(op, ())
    return k.write(o[0], t, 'shift_%s (%s, %s)' % ('left' if op[2] == 'l' else 'right', k.read(o[1], t), k.read(o[2], 'u32')))


@handles('shf')
def funnel(k, op, t, o):
    parts = qualifiers(op, ('l', 'r', 'wrap', 'clamp'))
    return k.write(o[0], t, 'funnel<%s, %s> (%s)' % ('true' if 'l' in parts else 'false', 'true' if 'clamp' in parts else 'false', ', '.join(k.read(x, 'u32') for x in o[1:])))


@handles('bfi', 'bfe', 'lop3', 'prmt')
def bit_fields(k, op, t, o):
    name = op.split('.')[0]
    qualifiers(op, ())
    own = {'bfi': 2, 'bfe': 1, 'lop3': 3, 'prmt': 3}[name]  # operands of type t; the others are u32
    arguments = [k.read(x, t if i < own else 'u32') for i, x in enumerate(o[1:])]
    return k.write(o[0], t, '%s (%s)' % ({'bfi': 'insert', 'bfe': 'extract', 'lop3': 'logic', 'prmt': 'permute'}[name], ', '.join(arguments)))


@handles('setp')
def setp(k, op, t, o):
    parts = op.split('.')[1:-1]
    order, combine = parts[0], parts[1] if len(parts) > 1 else ''
    if len(parts) > 2 or combine not in ('', 'and', 'or', 'xor'):
        raise Unknown('.%s' % '.'.join(parts))
    unsigned = order in ('lo', 'ls', 'hi', 'hs')
    x, y = (k.read(v, 'u' + t[1:] if unsigned else t) for v in o[1:3])
    if is_float(t) and (order in OPPOSITE or order in ('ne', 'equ', 'nan', 'num')):
        e = {'ne': '{0} < {1} || {0} > {1}', 'equ': '!({0} < {1} || {0} > {1})', 'nan': 'std::isunordered ({0}, {1})', 'num': '!std::isunordered ({0}, {1})'}.get(order)
        e = e.format(x, y) if e else '!(%s %s %s)' % (x, OPPOSITE[order], y)
    elif order in COMPARE:
        e = '%s %s %s' % (x, COMPARE[order], y)
    else:
        raise Unknown('.%s' % order)
    to = o[0].split('|')
    if len(to) == 1 and not combine:
        return k.write(to[0], 'pred', e)
    with_it = (lambda v: '(%s) %s %s' % (v, {'and': '&', 'or': '|', 'xor': '^'}[combine], k.read(o[3], 'pred'))) if combine else lambda v: v
    values = '{ const bool x_ = %s;' % e
    for i, d in enumerate(to):
        values += ' const bool y%d_ = %s;' % (i, with_it('!x_' if i else 'x_'))
    return values + ' %s }' % ' '.join(k.write(d, 'pred', 'y%d_' % i) for i, d in enumerate(to))


@handles('selp')
def selp(k, op, t, o):
    qualifiers(op, ())
    return k.write(o[0], t, '%s ? %s : %s' % (k.read(o[3], 'pred'), k.read(o[1], t), k.read(o[2], t)))


@handles('cvt')
def cvt(k, op, s, o):
    parts = op.split('.')[1:]
    how, d = parts[:-2], parts[-2]
    known = {('bf16x2', 'f32'): (['rn'],), ('bf16', 'f32'): (['rn'],), ('f32', 'bf16'): ([],), ('f64', 'f32'): ([],), ('f32', 'f64'): (['rn'],), ('f32', 'f32'): (['sat'],)}.get((d, s))
    if known:
        if how not in known:
            raise Unknown('.%s' % '.'.join(how))
        if d == 'bf16x2':
            return k.write(o[0], 'b32', '(u32) to_bf16 (%s) << 16 | to_bf16 (%s)' % (k.read(o[1], s), k.read(o[2], s)))
        x = k.read(o[1], s)
        return k.write(o[0], d, 'to_bf16 (%s)' % x if d == 'bf16' else 'from_bf16 (%s)' % x if s == 'bf16' else 'saturate (%s)' % x if how else '(%s) %s' % (d, x))
    x = k.read(o[1], s)
    if is_float(s):
        whole = {'rni': 'std::nearbyint', 'rzi': 'std::trunc', 'rmi': 'std::floor', 'rpi': 'std::ceil'}.get(how[0] if len(how) == 1 else '')
        if not whole or (is_float(d) and d != s):
            raise Unknown('conversion')
        return k.write(o[0], d, '%s (%s)' % (whole, x) if is_float(d) else 'whole<%s> (%s (%s))' % (ctype(d), whole, x))
    if how != (['rn'] if is_float(d) else []):
        raise Unknown('.%s' % '.'.join(how))
    return k.write(o[0], d, '(%s) %s' % (ctype(d), x))


FUNCTIONS = {'ex2': 'std::exp2 (%s)', 'lg2': 'std::log2 (%s)', 'rcp': '1 / %s', 'sqrt': 'std::sqrt (%s)', 'rsqrt': '(f32) (1 / std::sqrt ((f64) %s))', 'sin': 'std::sin (%s)', 'cos': 'std::cos (%s)',
             'tanh': 'std::tanh (%s)'}


@handles(*FUNCTIONS)
def function(k, op, t, o):
    name, x = op.split('.')[0], k.read(o[1], t)
    parts = qualifiers(op, ('rn', 'approx', 'ftz'))
    if ('rn' in parts) == ('approx' in parts) or ('rn' in parts and ('ftz' in parts or name not in ('rcp', 'sqrt'))) or (t != 'f32' and 'approx' in parts):
        raise Unknown('.%s' % '.'.join(parts))
    return k.write(o[0], t, 'no_subnormal (%s)' % (FUNCTIONS[name] % ('no_subnormal (%s)' % x)) if 'ftz' in parts else FUNCTIONS[name] % x)


# ---- what waits for other threads
@handles('bar', 'barrier')
def bar(k, op, t, o):
    site = '"%s"' % k.source
    if op in ('bar.warp.sync',):
        return 'emu::meet (%s, "", 1, emu::SYNC, %s);' % (k.read(o[0], 'u32'), site)
    if op in ('bar.sync', 'barrier.sync', 'barrier.sync.aligned'):
        return 'emu::barrier (%s, %s);' % (site, ', '.join('(int) (%s)' % k.read(x, 'u32') for x in o))
    m = re.fullmatch(r'(bar|barrier)\.red(\.aligned)?\.(or|and)\.pred|(bar|barrier)\.red(\.aligned)?\.(popc)\.u32', op)
    if not m or len(o) != 3 or o[1] != '0':
        raise Unknown('barrier')
    what = m.group(3) or m.group(6)
    return k.write(o[0], 'u32' if what == 'popc' else 'pred', '%semu::barrier_vote (%s, %s, %d)' % ('(u32) ' if what == 'popc' else '', site, k.read(o[2], 'pred'), {'popc': 0, 'and': 1, 'or': 2}[what]))


@handles('membar', 'fence')
def fence(k, op, t, o):
    if not re.fullmatch(r'membar\.(cta|gl|sys)|fence\.(acq_rel|sc)\.(cta|gpu|sys)', op):
        raise Unknown('fence')
    return 'emu::fence ();'


@handles('shfl')
def shfl(k, op, t, o):
    m = re.fullmatch(r'shfl\.sync\.(idx|up|down|bfly)\.b32', op)
    if not m:
        raise Unknown('shuffle')
    d = o[0].split('|')
    value = 'shuffle_%s (%s, &in_, "%s")' % (m.group(1), ', '.join(k.read(x, 'u32') for x in o[1:]), k.source)
    return '{ bool in_; %s%s }' % (k.write(d[0], 'b32', value), ' ' + k.write(d[1], 'pred', 'in_') if len(d) > 1 else '')


@handles('vote', 'match', 'redux')
def collective(k, op, t, o):
    site = '"%s"' % k.source
    if op == 'vote.sync.ballot.b32':
        return k.write(o[0], 'b32', 'emu_ballot (%s, %s, %s)' % (k.read(o[2], 'u32'), k.read(o[1], 'pred'), site))
    m = re.fullmatch(r'vote\.sync\.(any|all)\.pred', op)
    if m:
        yes = 'emu_ballot (%s, %s%s, %s)' % (k.read(o[2], 'u32'), '' if m.group(1) == 'any' else '!', k.read(o[1], 'pred'), site)
        return k.write(o[0], 'pred', '%s %s 0' % (yes, '!=' if m.group(1) == 'any' else '=='))
    if re.fullmatch(r'match\.any\.sync\.b(32|64)', op):
        return k.write(o[0], 'b32', 'emu_match (%s, %s, %s)' % (k.read(o[2], 'u32'), k.read(o[1], t), site))
    m = re.fullmatch(r'redux\.sync\.(add|min|max|and|or|xor)\.([bus]32)', op)
    if m:
        return k.write(o[0], t, 'emu_reduce (%s, %s, lanes_%s, %s)' % (k.read(o[2], 'u32'), k.read(o[1], t), m.group(1), site))
    raise Unknown('collective')


@handles('atom', 'red')
def atomic(k, op, t, o):
    parts = op.split('.')[1:-1]
    what = [p for p in parts if p not in ('global', 'shared', 'relaxed', 'cta', 'gpu', 'sys')]
    if len(what) != 1 or what[0] not in ('add', 'min', 'max', 'and', 'or', 'xor', 'exch', 'cas', 'inc'):
        raise Unknown('atomic')
    at = o[1:] if op.startswith('atom') else o
    space = 'shared' if 'shared' in parts else 'global'
    call = 'atomic_%s (%s, %s)' % (what[0], k.memory(space, t, 1, at[0]), ', '.join(k.read(x, t) for x in at[1:]))
    return k.write(o[0], t, call) if op.startswith('atom') else '(void) %s;' % call


# ---- asynchronous copies and matrix fragments
@handles('cp')
def cp(k, op, t, o):
    if re.fullmatch(r'cp\.async\.c[ag]\.shared\.global(\.L2::(64|128|256)B)?', op) and len(o) in (3, 4) and re.fullmatch(r'4|8|16', o[2]):
        n = int(o[2])
        value = k.address(o[1])[1]
        return 'emu::cp_async (%s, (const void *) (%s), %d, %s);' % (k.memory('shared', 'u8', n, o[0]), value, n, '(int) (%s)' % k.read(o[3], 'u32') if len(o) > 3 else n)
    if op == 'cp.async.commit_group':
        return 'emu::cp_commit ();'
    if op == 'cp.async.wait_group':
        return 'emu::cp_wait ((int) (%s));' % k.read(o[0], 'u32')
    raise Unknown('copy')


@handles('ldmatrix')
def ldmatrix(k, op, t, o):
    m = re.fullmatch(r'ldmatrix\.sync\.aligned\.m8n8\.x([124])(\.trans)?\.shared\.b16', op)
    to = vector(o[0])
    if not m or len(to) != int(m.group(1)):
        raise Unknown('matrix')
    row = 'emu::lane () < %d ? %s : nullptr' % (8 * len(to), k.memory('shared', 'u64', 2, o[1]))
    return '{ u32 x_[4]; emu::ldmatrix (x_, %d, %s, %s); %s }' % (len(to), 'true' if m.group(2) else 'false', row, ' '.join(k.write(r, 'b32', 'x_[%d]' % i) for i, r in enumerate(to)))


@handles('mma')
def mma(k, op, t, o):
    if op != 'mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32':
        raise Unknown('matrix')
    d, a, b, c = (vector(x) for x in o)
    values = [', '.join(k.read(x, u) for x in v) for v, u in ((c, 'f32'), (a, 'b32'), (b, 'b32'))]
    return '{ f32 d_[4] = { %s }; const u32 a_[4] = { %s }, b_[2] = { %s }; emu::mma_m16n8k16_bf16 (d_, a_, b_); %s }' % (*values, ' '.join(k.write(x, 'f32', 'd_[%d]' % i) for i, x in enumerate(d)))


@handles('trap')
def trap(k, op, t, o):
    return 'emu::die ("%s: trap", %s);' % ('%s', k.site())
