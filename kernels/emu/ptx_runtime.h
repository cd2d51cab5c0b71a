/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_runtime.h: what the C++ that ptx2c.py makes of nvcc's PTX is written in. Names, rounding and out-of-range cases follow the PTX manual; approximate instructions are exact here. Threads are the
 * emulator's fibers, barriers and warp collectives its own (emu.h). */
#ifndef SOL_PTX_RUNTIME_H
#define SOL_PTX_RUNTIME_H
#include "emu.h"
#include <cmath>
#include <limits>

namespace ptx {
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
typedef float f32;
typedef double f64;
template <class R, class T> static inline R bits (T x) { return emu_bits<R> (x); }

/* what a register has before anything is written to it */
static const bool UNSET_bool __attribute__ ((unused)) = true;
static const u16 UNSET_u16 __attribute__ ((unused)) = 0xffff;
static const u32 UNSET_u32 __attribute__ ((unused)) = 0xffffffffu;
static const u64 UNSET_u64 __attribute__ ((unused)) = 0xfffffffffffffffful;
static const f32 UNSET_f32 __attribute__ ((unused)) = bits<f32> (UNSET_u32);
static const f64 UNSET_f64 __attribute__ ((unused)) = bits<f64> (UNSET_u64);

/* ---- the kernels of a file. Its host side, compiled by nvcc, says of each by what address it will launch it. */
struct parameter {
  u32 at, bytes; /* of the block of arguments */
};
struct kernel {
  const char *name; /* NULL: the end of a table */
  void (*run) (const unsigned char *args);
  int threads; /* the most of a block, 0: no limit; negative: exactly that many */
  int parameters;
  const parameter *takes;
};
#define PTX_REGISTER_ARGUMENTS void **, const char *stub, char *, const char *name, int, uint3 *, uint3 *, dim3 *, dim3 *, int *
void make_known (const char *file, const kernel *kernels, const void *stub, const char *name);
f32 fma_down (f32 a, f32 b, f32 c); /* rounded towards minus infinity */

/* ---- memory. site: PTX line and CUDA line */
[[noreturn]] void misaligned (const char *site, u64 at, u32 bytes);
[[noreturn]] void outside (const char *site, u32 at, u32 bytes, u32 within);
template <class T, int N> static inline T *at (u64 a, const char *site)
{
  if (__builtin_expect ((a & (sizeof (T) * N - 1)) != 0, 0)) misaligned (site, a, sizeof (T) * N);
  return (T *) a;
}
/* Shared memory as a thread of a kernel with at most N arrays sees it. Every array has a window of addresses of its own, which begins at a multiple of its alignment and of no more than that, so that
 * an access past its end or one that needs a better alignment than was declared is seen whatever lies beside it. */
template <int N> class shared_memory
{
  struct {
    unsigned char *at;
    u32 bytes, base;
  } part[N];
  int parts = 0;
  u32 add (void *at, u32 bytes, u32 align)
  {
    const u32 base = (u32) (parts + 1) << 20 | align;
    part[parts++] = { (unsigned char *) at, bytes, base };
    return base;
  }

public:
  u32 array (const void *key, u32 bytes, u32 align) { return add (emu::shared_array (key, bytes, align), bytes, align); }
  u32 dynamic (u32 align) { return add (emu::dynamic_shared (), (u32) emu::dynamic_shared_bytes (), align); }
  template <class T, int n> T *at (u32 a, const char *site) const
  {
    const u32 i = (a >> 20) - 1;
    if (a & (sizeof (T) * n - 1)) misaligned (site, a, sizeof (T) * n);
    if (i >= (u32) parts) outside (site, a, sizeof (T) * n, 0);
    if (a < part[i].base || a - part[i].base + sizeof (T) * n > part[i].bytes) outside (site, a - part[i].base, sizeof (T) * n, part[i].bytes);
    return (T *) (part[i].at + (a - part[i].base));
  }
  /* a generic address of shared memory is the host's; any in a window may be asked for, also the end */
  u64 generic (u64 a) const
  {
    const u32 i = ((u32) a >> 20) - 1;
    if (i >= (u32) parts) outside ("a generic address", (u32) a, 0, 0);
    return (u64) part[i].at + ((u32) a - part[i].base);
  }
  u64 window (u64 p) const
  {
    for (int i = 0; i < parts; i++)
      if (p >= (u64) part[i].at && p <= (u64) part[i].at + part[i].bytes) return part[i].base + (u32) (p - (u64) part[i].at);
    outside ("an address that is not of shared memory", (u32) p, 0, 0);
  }
};

/* ---- arithmetic */
[[noreturn]] void by_zero (const char *site);
template <class T> static inline T divide (T a, T b, const char *site)
{
  if (!b) by_zero (site);
  return std::is_signed_v<T> && b == (T) -1 ? (T) (0 - (std::make_unsigned_t<T>) a) : (T) (a / b);
}
template <class T> static inline T remainder (T a, T b, const char *site)
{
  if (!b) by_zero (site);
  return std::is_signed_v<T> && b == (T) -1 ? 0 : (T) (a % b);
}
template <class T> static inline T magnitude (T x) { return x < 0 ? (T) (0 - (std::make_unsigned_t<T>) x) : x; }
/* of floats: the one that is a number; -0 is below +0 */
template <class T> static inline T least (T a, T b)
{
  if constexpr (std::is_floating_point_v<T>) {
    if (a != a) return b;
    if (a == b) return std::signbit (a) ? a : b;
    return a > b ? b : a;
  } else
    return b < a ? b : a;
}
template <class T> static inline T most (T a, T b)
{
  if constexpr (std::is_floating_point_v<T>) {
    if (a != a) return b;
    if (a == b) return std::signbit (a) ? b : a;
    return a < b ? b : a;
  } else
    return a < b ? b : a;
}
static inline f32 saturate (f32 x) { return x > 0 ? x < 1 ? x : 1 : 0; } /* a NaN becomes 0 */
static inline f32 no_subnormal (f32 x) { return std::fabs (x) < std::numeric_limits<f32>::min () ? std::copysign (0.0f, x) : x; }
static inline f32 from_bf16 (u16 x) { return bits<f32> ((u32) x << 16); }
static inline u16 to_bf16 (f32 x)
{
  const u32 u = bits<u32> (x);
  return x != x ? 0x7fff : (u16) ((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}
/* x, which is whole, as an integer: the nearest there is; a NaN is 0, or the highest bit where a 64-bit type takes part */
template <class T, class F> static inline T whole (F x)
{
  typedef std::numeric_limits<T> limits;
  if (x != x) return sizeof (T) == 8 || sizeof (F) == 8 ? (T) ((std::make_unsigned_t<T>) 1 << (8 * sizeof (T) - 1)) : 0;
  if (x <= (F) limits::min ()) return limits::min ();
  return x >= (F) limits::max () ? limits::max () : (T) x;
}

/* ---- bits */
template <class T> static inline T shift_left (T a, u32 n) { return n < 8 * sizeof (T) ? (T) ((std::make_unsigned_t<T>) a << n) : 0; }
template <class T> static inline T shift_right (T a, u32 n)
{
  if (n < 8 * sizeof (T)) return (T) (a >> n);
  return std::is_signed_v<T> && a < 0 ? (T) -1 : 0;
}
/* the upper (to the left) or lower word of high:low shifted by n, modulo 32 or at most 32 */
template <bool LEFT, bool CLAMP> static inline u32 funnel (u32 low, u32 high, u32 n)
{
  const u64 all = (u64) high << 32 | low;
  n = CLAMP ? n < 32 ? n : 32 : n & 31;
  return LEFT ? (u32) (all << n >> 32) : (u32) (all >> n);
}
template <class T> static inline u32 ones (T x) { return (u32) __builtin_popcountll (x); }
template <class T> static inline u32 leading_zeros (T x) { return x ? (u32) __builtin_clzll (x) - (64 - 8 * (u32) sizeof (T)) : 8 * (u32) sizeof (T); }
template <bool SHIFT, class T> static inline u32 highest (T x) { return !x ? 0xffffffffu : SHIFT ? leading_zeros (x) : 8 * (u32) sizeof (T) - 1 - leading_zeros (x); }
template <class T> static inline T reversed (T x)
{
  T r = 0;
  for (u32 i = 0; i < 8 * sizeof (T); i++) r |= (T) ((x >> i & 1) << (8 * sizeof (T) - 1 - i));
  return r;
}
template <class T> static inline T insert (T a, T into, u32 first, u32 n)
{
  first &= 255, n &= 255;
  const T mask = shift_left (n < 8 * sizeof (T) ? (T) (shift_left ((T) 1, n) - 1) : (T) ~(T) 0, first);
  return (T) ((into & ~mask) | (shift_left (a, first) & mask));
}
template <class T> static inline T extract (T a, u32 first, u32 n)
{
  first &= 255, n &= 255;
  const u32 width = 8 * sizeof (T);
  const T sign = std::is_signed_v<T> && n ? shift_right (a, first + n - 1 < width ? first + n - 1 : width - 1) & 1 ? (T) -1 : 0 : 0;
  typedef std::make_unsigned_t<T> bare;
  const bare mask = n < width ? (bare) (shift_left ((bare) 1, n) - 1) : (bare) ~(bare) 0;
  const bare there = first < width ? (bare) ((bare) a >> first) : 0, real = first < width ? (bare) ((bare) ~(bare) 0 >> first) : 0; /* bits of a that exist */
  return (T) ((there & mask & real) | ((bare) sign & (bare) ~(mask & real)));
}
static inline u32 logic (u32 a, u32 b, u32 c, u32 table)
{
  u32 r = 0;
  for (u32 i = 0; i < 8; i++)
    if (table >> i & 1) r |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
  return r;
}
static inline u32 permute (u32 a, u32 b, u32 selector)
{
  const u64 all = (u64) b << 32 | a;
  u32 r = 0;
  for (u32 i = 0; i < 4; i++) {
    const u32 s = selector >> 4 * i & 15, byte = (u32) (all >> 8 * (s & 7)) & 255;
    r |= (s & 8 ? byte & 128 ? 255u : 0u : byte) << 8 * i;
  }
  return r;
}

/* ---- lanes of a warp. c: the last lane of a segment and the bits that make a segment; in: whether the lane that is read is in it, otherwise a lane gets its own */
static inline u32 shuffle (u32 x, int from, bool in, bool *in_p, u32 mask, const char *site)
{
  *in_p = in;
  return emu_from_lane (mask, x, in ? from : (int) emu::lane (), site);
}
static inline int last_lane (u32 c) { return (int) ((emu::lane () & c >> 8 & 31) | (c & 31 & ~(c >> 8 & 31))); }
static inline u32 shuffle_idx (u32 x, u32 b, u32 c, u32 mask, bool *in_p, const char *site)
{
  const u32 segment = c >> 8 & 31;
  const int from = (int) ((emu::lane () & segment) | (b & 31 & ~segment));
  return shuffle (x, from, from <= last_lane (c), in_p, mask, site);
}
static inline u32 shuffle_up (u32 x, u32 b, u32 c, u32 mask, bool *in_p, const char *site)
{
  const int from = (int) emu::lane () - (int) (b & 31);
  return shuffle (x, from, from >= last_lane (c), in_p, mask, site);
}
static inline u32 shuffle_down (u32 x, u32 b, u32 c, u32 mask, bool *in_p, const char *site)
{
  const int from = (int) (emu::lane () + (b & 31));
  return shuffle (x, from, from <= last_lane (c), in_p, mask, site);
}
static inline u32 shuffle_bfly (u32 x, u32 b, u32 c, u32 mask, bool *in_p, const char *site)
{
  const int from = (int) (emu::lane () ^ (b & 31));
  return shuffle (x, from, from <= last_lane (c), in_p, mask, site);
}
static const auto lanes_add __attribute__ ((unused)) = [] (auto a, auto b) { return a + b; };
static const auto lanes_min __attribute__ ((unused)) = [] (auto a, auto b) { return a < b ? a : b; };
static const auto lanes_max __attribute__ ((unused)) = [] (auto a, auto b) { return a > b ? a : b; };
static const auto lanes_and __attribute__ ((unused)) = [] (auto a, auto b) { return a & b; };
static const auto lanes_or __attribute__ ((unused)) = [] (auto a, auto b) { return a | b; };
static const auto lanes_xor __attribute__ ((unused)) = [] (auto a, auto b) { return a ^ b; };

/* ---- atomics, all relaxed; integers wrap around */
template <class T> static inline T atomic_add (T *p, T v)
{
  if constexpr (std::is_integral_v<T>) return (T) atomicAdd ((std::make_unsigned_t<T> *) p, (std::make_unsigned_t<T>) v);
  else return atomicAdd (p, v);
}
template <class T> static inline T atomic_min (T *p, T v) { return atomicMin (p, v); }
template <class T> static inline T atomic_max (T *p, T v) { return atomicMax (p, v); }
template <class T> static inline T atomic_and (T *p, T v) { return atomicAnd (p, v); }
template <class T> static inline T atomic_or (T *p, T v) { return atomicOr (p, v); }
template <class T> static inline T atomic_xor (T *p, T v) { return emu_atomic (p, [v] (T x) { return (T) (x ^ v); }); }
template <class T> static inline T atomic_exch (T *p, T v) { return atomicExch (p, v); }
template <class T> static inline T atomic_cas (T *p, T c, T v) { return atomicCAS (p, c, v); }
template <class T> static inline T atomic_inc (T *p, T v) { return emu_atomic (p, [v] (T x) { return x >= v ? (T) 0 : (T) (x + 1); }); }
} // namespace ptx
#endif
