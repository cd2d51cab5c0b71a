# SPDX-License-Identifier: Apache-2.0
# SOL_PKG(VAR, MODULE, HEADER, DEBIAN-PACKAGE): a required library by pkg-config; sets VAR_CFLAGS, VAR_LIBS, VAR_VERSION.
# VAR_CFLAGS and VAR_LIBS given by the user win. (PKG_CHECK_MODULES would add two lines a library to configure --help.)
AC_DEFUN([SOL_PKG], [
  AC_MSG_CHECKING([for $2])
  AS_IF([test "x$$1_LIBS" != x], [$1_VERSION=given],
    [$PKG_CONFIG --exists $2], [
      $1_CFLAGS=`$PKG_CONFIG --cflags $2`
      $1_LIBS=`$PKG_CONFIG --libs $2`
      $1_VERSION=`$PKG_CONFIG --modversion $2`],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([$2 was not found by pkg-config: install $4, or set PKG_CONFIG_PATH, or $1_CFLAGS and $1_LIBS])])
  AC_MSG_RESULT([$$1_VERSION])
  AC_SUBST([$1_CFLAGS])
  AC_SUBST([$1_LIBS])
  AC_DEFINE_UNQUOTED([SOL_$1_VERSION], ["$$1_VERSION"], [version of $2 at configure time])
  m4_ifval([$3], [
    sol_save_CPPFLAGS=$CPPFLAGS; CPPFLAGS="$CPPFLAGS $$1_CFLAGS"
    AC_CHECK_HEADER([$3], [], [AC_MSG_ERROR([$3 was not found: install $4])])
    CPPFLAGS=$sol_save_CPPFLAGS])
])

# SOL_PYTHON: a Python with h5py and matplotlib for analysis/; the first python3 of PATH may not be Debian's
AC_DEFUN([SOL_PYTHON], [
  AC_ARG_VAR([PYTHON3], [Python with h5py and matplotlib, for analysis/])
  AC_MSG_CHECKING([for a Python with h5py and matplotlib])
  sol_python=
  for sol_try in "$PYTHON3" python3 /usr/bin/python3; do
    test -n "$sol_try" || continue
    AS_IF(["$sol_try" -c 'import h5py, matplotlib, numpy' >/dev/null 2>&1], [sol_python=$sol_try; break])
  done
  AS_IF([test -z "$sol_python"], [PYTHON3=; sol_python_summary="not found (needed by analysis/ only)"], [PYTHON3=$sol_python; sol_python_summary=$sol_python])
  AC_MSG_RESULT([$sol_python_summary])
])

# SOL_TESTS: the level of make check: smoke (make distcheck), check, full
AC_DEFUN([SOL_TESTS], [
  AC_ARG_WITH([tests], [AS_HELP_STRING([--with-tests=LEVEL], [what make check runs: smoke, check (default) or full])], [], [with_tests=check])
  AS_CASE([$with_tests], [smoke | check | full], [], [AC_MSG_ERROR([--with-tests=$with_tests: expected smoke, check or full])])
  AC_SUBST([TEST_LEVEL], [$with_tests])
])

# SOL_WARNINGS: one set for gcc and clang; --enable-werror makes it an error (CI)
AC_DEFUN([SOL_WARNINGS], [
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [make every warning an error])], [], [enable_werror=no])
  SOL_CFLAGS="-std=gnu11 -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes"
  SOL_CFLAGS="$SOL_CFLAGS -Wpointer-arith -Wformat=2 -Wundef -Wvla -Wwrite-strings -fno-math-errno -ffp-contract=off"
  sol_werror="shown"
  AS_IF([test "x$enable_werror" = xyes], [SOL_CFLAGS="$SOL_CFLAGS -Werror"; sol_werror="errors"])
  AC_SUBST([SOL_CFLAGS])
  SOL_CC_BEHIND=`$CC --version 2>/dev/null | sed 1q`
  AC_DEFINE_UNQUOTED([SOL_COMPILER], ["$SOL_CC_BEHIND"], [the compiler behind CC])
])

# SOL_SANITIZE: --enable-sanitize=address,undefined
AC_DEFUN([SOL_SANITIZE], [
  AC_ARG_ENABLE([sanitize], [AS_HELP_STRING([--enable-sanitize=LIST], [build with these sanitizers (address,undefined or thread)])],
    [], [enable_sanitize=no])
  AS_CASE([$enable_sanitize], [no], [sol_sanitize=none],
    [yes], [sol_sanitize=address,undefined], [sol_sanitize=$enable_sanitize])
  AS_IF([test "x$sol_sanitize" != xnone], [
    SOL_CFLAGS="$SOL_CFLAGS -fsanitize=$sol_sanitize -fno-sanitize-recover=all -fno-omit-frame-pointer"
    LDFLAGS="$LDFLAGS -fsanitize=$sol_sanitize"])
  AM_CONDITIONAL([SANITIZE], [test "x$sol_sanitize" != xnone])
])

# SOL_SIMD: which instruction sets the compiler can emit; the program picks at run time
AC_DEFUN([SOL_SIMD], [
  sol_simd=
  AC_LANG_PUSH([C])
  sol_save_CFLAGS=$CFLAGS
  CFLAGS="$sol_save_CFLAGS -mavx2 -mfma -mf16c"
  AC_CACHE_CHECK([for AVX2 and FMA], [sol_cv_avx2], [AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <immintrin.h>]],
    [[__m256 a = _mm256_setzero_ps (); a = _mm256_fmadd_ps (a, a, a); (void) a;]])], [sol_cv_avx2=yes], [sol_cv_avx2=no])])
  CFLAGS="$sol_save_CFLAGS -mavx512f -mavx512vl -mavx512dq -mavx512bw"
  AC_CACHE_CHECK([for AVX-512], [sol_cv_avx512], [AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <immintrin.h>]],
    [[__m512 a = _mm512_setzero_ps (); a = _mm512_fmadd_ps (a, a, a); (void) a;]])], [sol_cv_avx512=yes], [sol_cv_avx512=no])])
  CFLAGS=$sol_save_CFLAGS
  AC_LANG_POP([C])
  AS_IF([test $sol_cv_avx2 = yes], [sol_simd="$sol_simd avx2"; AC_DEFINE([SOL_HAVE_AVX2], [1], [AVX2 kernels are built])])
  AS_IF([test $sol_cv_avx512 = yes], [sol_simd="$sol_simd avx512"; AC_DEFINE([SOL_HAVE_AVX512], [1], [AVX-512 kernels are built])])
  AM_CONDITIONAL([HAVE_AVX2], [test $sol_cv_avx2 = yes])
  AM_CONDITIONAL([HAVE_AVX512], [test $sol_cv_avx512 = yes])
])

# SOL_CUDA: the CUDA plugin and its emulation, where the toolkit is. The program itself links nothing of them.
AC_DEFUN([SOL_CUDA], [
  AC_ARG_WITH([cuda], [AS_HELP_STRING([--with-cuda@<:@=DIR@:>@], [the CUDA toolkit for the plugin (default: where it is found; --without-cuda: none)])], [], [with_cuda=auto])
  AC_ARG_VAR([NVCC], [CUDA compiler])
  AC_ARG_VAR([CUDA_CXX], [host C++ compiler for the emulation of the CUDA kernels])
  sol_cuda_why=
  CUDA_DIR=
  AS_IF([test "x$with_cuda" = xno], [sol_cuda_why="off"], [
    AS_CASE([$with_cuda], [auto | yes], [sol_try_dirs="$CUDA_HOME /usr/local/cuda /usr"], [sol_try_dirs=$with_cuda])
    for sol_try in $sol_try_dirs; do
      AS_IF([test -z "$CUDA_DIR" && test -x "$sol_try/bin/nvcc" && test -f "$sol_try/include/cublasLt.h"], [CUDA_DIR=$sol_try])
    done
    AS_IF([test -z "$CUDA_DIR"], [sol_cuda_why="no toolkit with nvcc and cuBLASLt in $sol_try_dirs"])
    # the oldest that knows all three architectures of kernels/cuda/Makefile.am
    AS_IF([test -n "$CUDA_DIR" && test -z "`${NVCC-$CUDA_DIR/bin/nvcc} --list-gpu-arch 2>/dev/null | grep -x compute_100`"], [
      sol_cuda_why="CUDA 12.8 or newer is needed, `${NVCC-$CUDA_DIR/bin/nvcc} --version 2>/dev/null | sed -n 's/.*release \(@<:@0-9.@:>@*\).*/\1/p'` is in $CUDA_DIR"
      CUDA_DIR=])
    AC_CHECK_PROGS([CUDA_CXX], [g++ c++])
    AS_IF([test -n "$CUDA_DIR" && test -z "$CUDA_CXX"], [sol_cuda_why="no g++, which nvcc needs"; CUDA_DIR=])
    AS_IF([test "x$with_cuda" != xauto && test -z "$CUDA_DIR"], [AC_MSG_ERROR([--with-cuda=$with_cuda: $sol_cuda_why])])])
  AS_IF([test -z "$NVCC"], [NVCC=$CUDA_DIR/bin/nvcc])
  AC_SUBST([CUDA_DIR])
  AS_IF([test -d "$CUDA_DIR/lib64"], [CUDA_LIB=$CUDA_DIR/lib64], [CUDA_LIB=$CUDA_DIR/lib])
  AC_SUBST([CUDA_LIB])
  AM_CONDITIONAL([HAVE_CUDA], [test -n "$CUDA_DIR"])
  AC_CHECK_PROGS([PTX_PYTHON], [python3])
  AC_CHECK_TOOL([OBJCOPY], [objcopy])
  AM_CONDITIONAL([HAVE_PTX], [test -n "$CUDA_DIR" && test -n "$PTX_PYTHON" && test -n "$OBJCOPY"])
  SOL_NCCL
  AS_IF([test -n "$CUDA_DIR"], [sol_cuda_summary="$CUDA_DIR (`$NVCC --version | sed -n 's/.*release \(@<:@0-9.@:>@*\).*/\1/p'`): plugins cuda and emu, $sol_nccl_summary"], [sol_cuda_summary="no plugin: $sol_cuda_why"])
])

# SOL_NCCL: sums and shares among devices. It is no part of the toolkit, so a plugin without it is built where it is missing: one learner then. The emulation does its work by MPI.
AC_DEFUN([SOL_NCCL], [
  AC_ARG_WITH([nccl], [AS_HELP_STRING([--with-nccl@<:@=DIR@:>@], [NCCL for several learners on devices (default: where it is found; --without-nccl: one learner)])], [], [with_nccl=auto])
  sol_nccl_dir= sol_nccl_why= NCCL_CFLAGS= NCCL_LIBS=
  AS_IF([test -z "$CUDA_DIR"], [sol_nccl_why="no CUDA toolkit"], [test "x$with_nccl" = xno], [sol_nccl_why="off"], [
    AS_CASE([$with_nccl], [auto | yes], [sol_try_dirs="$NCCL_HOME $CUDA_DIR /usr"], [sol_try_dirs=$with_nccl])
    for sol_try in $sol_try_dirs; do
      for sol_try_lib in lib64 lib lib/`$CUDA_CXX -print-multiarch 2>/dev/null`; do
        AS_IF([test -z "$sol_nccl_dir" && test -f "$sol_try/include/nccl.h" && test -f "$sol_try/$sol_try_lib/libnccl.so"], [sol_nccl_dir=$sol_try sol_nccl_lib=$sol_try/$sol_try_lib])
      done
    done
    AS_IF([test -z "$sol_nccl_dir"], [sol_nccl_why="no nccl.h and libnccl.so in `echo $sol_try_dirs`"])])
  AS_CASE([$with_nccl], [auto | no], [], [AS_IF([test -z "$sol_nccl_dir"], [AC_MSG_ERROR([--with-nccl=$with_nccl: $sol_nccl_why])])])
  AS_IF([test -n "$sol_nccl_dir"], [
    NCCL_CFLAGS="-DSOL_HAVE_NCCL"
    NCCL_LIBS="-lnccl"
    AS_IF([test "$sol_nccl_dir" != /usr], [NCCL_CFLAGS="$NCCL_CFLAGS -I$sol_nccl_dir/include"; NCCL_LIBS="-L$sol_nccl_lib -lnccl -Wl,-rpath,$sol_nccl_lib"])
    sol_nccl_summary="NCCL in $sol_nccl_dir"
    # what the MPI compiler adds, for the C++ compiler: Open MPI's way to say it, MPICH's
    MPI_CXXFLAGS=`$CC --showme:compile 2>/dev/null || $CC -compile_info 2>/dev/null | sed 's/^@<:@^ @:>@* //'`
    MPI_LIBS=`$CC --showme:link 2>/dev/null || $CC -link_info 2>/dev/null | sed 's/^@<:@^ @:>@* //'`
  ], [sol_nccl_summary="one learner only (NCCL: $sol_nccl_why)"])
  AC_SUBST([NCCL_CFLAGS])
  AC_SUBST([NCCL_LIBS])
  AC_SUBST([MPI_CXXFLAGS])
  AC_SUBST([MPI_LIBS])
  AM_CONDITIONAL([HAVE_NCCL], [test -n "$sol_nccl_dir"])
])
