/* SPDX-License-Identifier: Apache-2.0 */
/* emu_device.h: the rest of emu.h: asynchronous copies, matrix fragments, atomics and intrinsics. */
#ifndef SOL_EMU_DEVICE_H
#define SOL_EMU_DEVICE_H

namespace emu {
/* ---- cp.async: the bytes are in shared memory when a wait says so, not before. Touched here too, in code that a sanitizer sees. */
inline void copy_land (const piece &p)
{
  memcpy (p.to, p.from, (size_t) p.real);
  memset ((char *) p.to + p.real, 0, (size_t) (p.n - p.real));
}
inline void cp_async (void *to, const void *from, int n, int real)
{
  if (n != 4 && n != 8 && n != 16) die ("cp.async of %d bytes; 4, 8 or 16 are possible", n);
  if (real < 0 || real > n) die ("cp.async reads %d bytes of %d", real, n);
  if (((uintptr_t) to | (uintptr_t) from) & (uintptr_t) (n - 1)) die ("cp.async of %d bytes from %p to %p: not aligned to that", n, from, to);
  const piece p = { to, from, n, real };
  if (!copy_late ()) {
    copy_land (p);
    return;
  }
  for (int i = 0; i < real; i++) (void) ((const volatile char *) from)[i];
  memset (to, 0xff, (size_t) n);
  copy_issue (p);
}
inline void cp_commit () { copy_commit (); }
inline void cp_wait (int groups_left)
{
  for (piece p; copy_next (groups_left, &p);) copy_land (p);
}

/* ---- fragments as the PTX ISA lays them out. d (16 x 8, float32) += a (16 x 16, bf16, by rows) b (16 x 8, bf16, by columns) */
inline float bf16_half (uint32_t x, int high)
{
  const uint32_t u = high ? x & 0xffff0000u : x << 16;
  float f;
  memcpy (&f, &u, 4);
  return f;
}
inline void mma_m16n8k16_bf16 (float d[4], const uint32_t a[4], const uint32_t b[2])
{
  struct fragment {
    uint32_t a[4], b[2];
  } mine;
  memcpy (mine.a, a, 16);
  memcpy (mine.b, b, 8);
  const lane_bytes *all = meet (0xffffffffu, &mine, sizeof mine, GATHER, "mma.m16n8k16");
  const unsigned group = lane () >> 2, in_group = lane () & 3;
  float row[2][16], column[2][16]; /* rows group and group + 8 of a; columns 2 in_group and the next of b */
  for (int q = 0; q < 4; q++) {
    const fragment *of_row = (const fragment *) all[group * 4 + (unsigned) q].at;
    for (int i = 0; i < 2; i++)
      for (int h = 0; h < 2; h++) {
        row[i][2 * q + h] = bf16_half (of_row->a[i], h);
        row[i][2 * q + h + 8] = bf16_half (of_row->a[i + 2], h);
        const fragment *of_column = (const fragment *) all[(2 * in_group + (unsigned) i) * 4 + (unsigned) q].at;
        column[i][2 * q + h] = bf16_half (of_column->b[0], h);
        column[i][2 * q + h + 8] = bf16_half (of_column->b[1], h);
      }
  }
  for (int i = 0; i < 4; i++) {
    float sum = 0;
    for (int k = 0; k < 16; k++) sum += row[i >> 1][k] * column[i & 1][k];
    d[i] += sum;
  }
}
/* n (1, 2 or 4) matrices of 8 x 8 bf16; lane i gives the address of row i % 8 of matrix i / 8; only 8 n addresses are used */
inline void ldmatrix (uint32_t *r, int n, bool transposed, const void *p)
{
  unsigned char mine[16] = { 0 };
  if ((int) lane () < 8 * n) {
    if ((uintptr_t) p & 15) die ("ldmatrix: the address of a row, %p, is not aligned to 16 bytes", p);
    memcpy (mine, p, 16);
  }
  const lane_bytes *all = meet (0xffffffffu, mine, 16, GATHER, "ldmatrix");
  const unsigned l = lane ();
  for (int m = 0; m < n; m++) {
    uint16_t h[2];
    for (unsigned j = 0; j < 2; j++) {
      const unsigned row = transposed ? l % 4 * 2 + j : l / 4, column = transposed ? l / 4 : l % 4 * 2 + j;
      memcpy (&h[j], all[(unsigned) m * 8 + row].at + column * 2, 2);
    }
    r[m] = h[0] | (uint32_t) h[1] << 16;
  }
}
} // namespace emu

/* ---- atomics: relaxed, so that a sanitizer of threads takes them for no order of other accesses */
template <class T, class F> static inline T emu_atomic (T *p, F f)
{
  using bits = std::conditional_t<sizeof (T) == 8, uint64_t, uint32_t>;
  static_assert (sizeof (T) == sizeof (bits), "atomics are of 4 or 8 bytes");
  bits old = __atomic_load_n ((bits *) p, __ATOMIC_RELAXED), next;
  T was, is;
  do {
    memcpy (&was, &old, sizeof was);
    is = f (was);
    memcpy (&next, &is, sizeof is);
  } while (!__atomic_compare_exchange_n ((bits *) p, &old, next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return was;
}
template <class T> using emu_same = std::common_type_t<T>; /* keeps the second argument out of deduction */
template <class T> static inline T atomicAdd (T *p, emu_same<T> v) { return emu_atomic (p, [v] (T x) { return (T) (x + v); }); }
template <class T> static inline T atomicSub (T *p, emu_same<T> v) { return emu_atomic (p, [v] (T x) { return (T) (x - v); }); }
template <class T> static inline T atomicOr (T *p, emu_same<T> v) { return emu_atomic (p, [v] (T x) { return (T) (x | v); }); }
template <class T> static inline T atomicAnd (T *p, emu_same<T> v) { return emu_atomic (p, [v] (T x) { return (T) (x & v); }); }
template <class T> static inline T atomicExch (T *p, emu_same<T> v) { return emu_atomic (p, [v] (T) { return v; }); }
template <class T> static inline T atomicMax (T *p, emu_same<T> v) { return emu_atomic (p, [v] (T x) { return x < v ? v : x; }); }
template <class T> static inline T atomicMin (T *p, emu_same<T> v) { return emu_atomic (p, [v] (T x) { return v < x ? v : x; }); }
template <class T> static inline T atomicCAS (T *p, emu_same<T> c, emu_same<T> v) { return emu_atomic (p, [c, v] (T x) { return x == c ? v : x; }); }
static inline unsigned atomicInc (unsigned *p, unsigned most) { return emu_atomic (p, [most] (unsigned x) { return x >= most ? 0u : x + 1; }); }

/* ---- arithmetic */
static inline float rsqrtf (float x) { return 1.0f / sqrtf (x); }
static inline double rsqrt (double x) { return 1.0 / sqrt (x); }
#define __expf(x) expf (x)
#define __exp10f(x) exp10f (x)
#define __logf(x) logf (x)
#define __log2f(x) log2f (x)
#define __sinf(x) sinf (x)
#define __cosf(x) cosf (x)
#define __powf(x, y) powf (x, y)
static inline float __fdividef (float a, float b) { return a / b; }
static inline float __frcp_rn (float a) { return 1.0f / a; }
static inline float __fsqrt_rn (float a) { return sqrtf (a); }
static inline float __frsqrt_rn (float a) { return 1.0f / sqrtf (a); }
static inline float __fmaf_rn (float a, float b, float c) { return fmaf (a, b, c); }
static inline double __fma_rn (double a, double b, double c) { return fma (a, b, c); }
/* alone: never one half of a fused operation */
static inline float __fadd_rn (float a, float b) { volatile float r = a + b; return r; }
static inline float __fsub_rn (float a, float b) { volatile float r = a - b; return r; }
static inline float __fmul_rn (float a, float b) { volatile float r = a * b; return r; }
static inline float __fdiv_rn (float a, float b) { volatile float r = a / b; return r; }
static inline double __dadd_rn (double a, double b) { volatile double r = a + b; return r; }
static inline double __dsub_rn (double a, double b) { volatile double r = a - b; return r; }
static inline double __dmul_rn (double a, double b) { volatile double r = a * b; return r; }
static inline float __saturatef (float x) { return x > 0 ? x < 1 ? x : 1 : 0; }
template <class R, class T> static inline R emu_bits (T x)
{
  static_assert (sizeof (R) == sizeof (T), "the same size");
  R r;
  memcpy (&r, &x, sizeof r);
  return r;
}
static inline unsigned __float_as_uint (float x) { return emu_bits<unsigned> (x); }
static inline int __float_as_int (float x) { return emu_bits<int> (x); }
static inline float __uint_as_float (unsigned x) { return emu_bits<float> (x); }
static inline float __int_as_float (int x) { return emu_bits<float> (x); }
static inline long long __double_as_longlong (double x) { return emu_bits<long long> (x); }
static inline double __longlong_as_double (long long x) { return emu_bits<double> (x); }
static inline int __float2int_rn (float x) { return (int) rintf (x); }
static inline int __float2int_rz (float x) { return (int) x; }
static inline int __float2int_rd (float x) { return (int) floorf (x); }
static inline int __float2int_ru (float x) { return (int) ceilf (x); }
static inline float __int2float_rn (int x) { return (float) x; }
static inline float __uint2float_rn (unsigned x) { return (float) x; }
static inline float __double2float_rn (double x) { return (float) x; }
static inline double __uint2double_rn (unsigned x) { return (double) x; }
static inline double __ull2double_rn (unsigned long long x) { return (double) x; }

/* ---- bits */
static inline int __popc (unsigned x) { return __builtin_popcount (x); }
static inline int __popcll (unsigned long long x) { return __builtin_popcountll (x); }
static inline int __ffs (int x) { return __builtin_ffs (x); }
static inline int __ffsll (long long x) { return __builtin_ffsll (x); }
static inline int __clz (int x) { return x ? __builtin_clz ((unsigned) x) : 32; }
static inline int __clzll (long long x) { return x ? __builtin_clzll ((unsigned long long) x) : 64; }
static inline unsigned __brev (unsigned x)
{
  unsigned r = 0;
  for (int i = 0; i < 32; i++) r |= (x >> i & 1) << (31 - i);
  return r;
}
static inline unsigned __umulhi (unsigned a, unsigned b) { return (unsigned) ((uint64_t) a * b >> 32); }
static inline int __mulhi (int a, int b) { return (int) ((int64_t) a * b >> 32); }
static inline unsigned long long __umul64hi (unsigned long long a, unsigned long long b) { return (unsigned long long) ((unsigned __int128) a * b >> 64); }
static inline unsigned __funnelshift_l (unsigned low, unsigned high, unsigned by) { return (unsigned) (((uint64_t) high << 32 | low) << (by & 31) >> 32); }
static inline unsigned __funnelshift_r (unsigned low, unsigned high, unsigned by) { return (unsigned) (((uint64_t) high << 32 | low) >> (by & 31)); }
static inline unsigned __byte_perm (unsigned a, unsigned b, unsigned s)
{
  const uint64_t all = (uint64_t) b << 32 | a;
  unsigned r = 0;
  for (int i = 0; i < 4; i++) r |= (unsigned) (all >> 8 * (s >> 4 * i & 7) & 255) << 8 * i;
  return r;
}

/* ---- memory with hints, and small things */
template <class T> static inline T __ldg (const T *p) { return *p; }
template <class T> static inline T __ldcs (const T *p) { return *p; }
template <class T> static inline T __ldcg (const T *p) { return *p; }
template <class T> static inline T __ldca (const T *p) { return *p; }
template <class T> static inline T __ldlu (const T *p) { return *p; }
template <class T> static inline void __stcs (T *p, emu_same<T> v) { *p = v; }
template <class T> static inline void __stcg (T *p, emu_same<T> v) { *p = v; }
template <class T> static inline void __stwt (T *p, emu_same<T> v) { *p = v; }
#ifndef __clang__
#define __builtin_assume(x) ((void) 0)
#endif
#define __trap() emu::die ("%s: __trap ()", EMU_SITE)
static inline void __nanosleep (unsigned) {}
template <class A, class B> static inline std::common_type_t<A, B> min (A a, B b)
{
  using T = std::common_type_t<A, B>;
  return (T) b < (T) a ? (T) b : (T) a;
}
template <class A, class B> static inline std::common_type_t<A, B> max (A a, B b)
{
  using T = std::common_type_t<A, B>;
  return (T) a < (T) b ? (T) b : (T) a;
}
#endif
