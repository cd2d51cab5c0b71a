/* SPDX-License-Identifier: Apache-2.0 */
/* nvcc_host.cpp: the functions that the host code of an object made by nvcc calls to make its kernels known and to launch them. Here a launch runs what ptx2c.py made of the kernel's PTX, on the
 * emulator. A file's kernels are its own, whatever others call theirs: in its host object objcopy has renamed __cudaRegisterFunction to a function of the file's translation, so that
 * no two are mixed up. Arguments are looked at as emu::launch does: a pointer must be one of the device, a struct must have none to the host's stack or heap. */
#include "emu_internal.h"
#include "ptx_runtime.h"
#include <cfenv>
#include <cxxabi.h>
#include <map>
#include <memory>
#include <stdio.h>
#include <stdlib.h>
#include <string>

using emu::die;
namespace {
enum kind { VALUE, POINTER, STRUCT };
struct registered { /* by nvcc's host code, by the address of its stub */
  const char *file;
  const ptx::kernel *kernel;
  const void *stub;
  std::string readable;
  std::vector<kind> kinds; /* of the parameters */
};
std::map<const void *, registered> &stubs ()
{
  static auto *all = new std::map<const void *, registered> ();
  return *all;
}
thread_local struct {
  dim3 grid, threads;
  size_t bytes;
  cudaStream_t stream;
} launch_next;

kind kind_of (const std::string &type)
{
  static const char *const plain[] = { "bool", "char", "signed char", "unsigned char", "short", "unsigned short", "int", "unsigned int", "long", "unsigned long", "long long", "unsigned long long",
                                       "float", "double" };
  if (type.back () == '*') return POINTER;
  for (const char *p : plain)
    if (type == p) return VALUE;
  return STRUCT;
}
/* "void name<..> (type, type)" by the C++ rules of names: the name, and of what kind each parameter is */
void understand (registered *k)
{
  int status;
  char *text = abi::__cxa_demangle (k->kernel->name, nullptr, nullptr, &status);
  std::string s = text ? text : std::string (k->kernel->name) + "()";
  free (text);
  size_t open = s.size () - 1;
  for (int depth = 0; open; open--) {
    depth += s[open] == ')' ? 1 : s[open] == '(' ? -1 : 0;
    if (!depth) break;
  }
  const size_t space = s.compare (0, 5, "void ") ? 0 : 5;
  k->readable = s.substr (space, open - space);
  std::string type;
  int depth = 0;
  for (size_t i = open + 1; i < s.size (); i++) {
    depth += s[i] == '<' || s[i] == '(' ? 1 : s[i] == '>' || s[i] == ')' ? -1 : 0;
    if (depth < 0 || (!depth && s[i] == ',')) {
      if (!type.empty ()) k->kinds.push_back (kind_of (type));
      type.clear ();
    } else if (!type.empty () || s[i] != ' ')
      type += s[i];
  }
  if ((int) k->kinds.size () != k->kernel->parameters) die ("%s: kernel %s has %d parameters, its name says %zu", k->file, s.c_str (), k->kernel->parameters, k->kinds.size ());
}
registered *find (const void *stub)
{
  const auto it = stubs ().find (stub);
  if (it == stubs ().end ()) return nullptr;
  if (it->second.readable.empty ()) understand (&it->second);
  return &it->second;
}
cudaError_t launch (const registered *r, dim3 grid, dim3 threads, void **values, size_t bytes, cudaStream_t stream)
{
  const ptx::kernel *k = r->kernel;
  const char *name = r->readable.c_str ();
  const int64_t n = (int64_t) threads.x * threads.y * threads.z;
  if (k->threads > 0 ? n > k->threads : k->threads && n != -k->threads) {
    fprintf (stderr, "emu: kernel %s: %lld threads, it was compiled for %s%d\n", name, (long long) n, k->threads > 0 ? "at most " : "", abs (k->threads));
    return emu::error (cudaErrorInvalidValue);
  }
  const ptx::parameter *last = k->parameters ? &k->takes[k->parameters - 1] : nullptr;
  auto args = std::make_shared<std::vector<unsigned char>> (last ? last->at + last->bytes : 0);
  for (int i = 0; i < k->parameters; i++) {
    memcpy (args->data () + k->takes[i].at, values[i], k->takes[i].bytes);
    if (r->kinds[(size_t) i] == POINTER) emu::check_argument (name, i, *(void **) values[i]);
    if (r->kinds[(size_t) i] == STRUCT) emu::check_struct (name, i, values[i], k->takes[i].bytes);
  }
  const auto run = k->run;
  return emu::launch_body (name, r->stub, grid, threads, bytes, stream, [run, args] () { run (args->data ()); });
}
} // namespace

namespace ptx {
void make_known (const char *file, const kernel *kernels, const void *stub, const char *name)
{
  for (const kernel *k = kernels; k->name; k++)
    if (!strcmp (k->name, name)) {
      stubs ()[stub] = registered{ file, k, stub, "", {} };
      return;
    }
  die ("kernel %s was compiled by nvcc, but is not in %s", name, file);
}
void misaligned (const char *site, u64 at, u32 bytes) { die ("%s: an access of %u bytes at %#llx, which is not aligned to that", site, bytes, (unsigned long long) at); }
void outside (const char *site, u32 at, u32 bytes, u32 within)
{
  if (within) die ("%s: an access of %u bytes at byte %d of a shared array of %u bytes", site, bytes, (int) at, within);
  die ("%s: %u bytes at %#x: in no shared array", site, bytes, at);
}
void by_zero (const char *site) { die ("%s: an integer is divided by zero", site); }
f32 fma_down (f32 a, f32 b, f32 c)
{
  const int before = fegetround ();
  fesetround (FE_DOWNWARD);
  volatile f32 x = a, y = b, z = c, r = std::fma (x, y, z);
  fesetround (before);
  return r;
}
} // namespace ptx

extern "C" {
void **__cudaRegisterFatBinary (void *binary) { return (void **) binary; }
void __cudaRegisterFatBinaryEnd (void **) {}
void __cudaUnregisterFatBinary (void **) {}
void __cudaRegisterVar (void **, char *, char *, const char *, int, size_t, int, int) {} /* variables of the device are in the translation; no host code of ours copies to them */
unsigned __cudaPushCallConfiguration (dim3 grid, dim3 threads, size_t bytes, cudaStream_t stream)
{
  launch_next = { grid, threads, bytes, stream };
  return 0;
}
cudaError_t __cudaPopCallConfiguration (dim3 *grid, dim3 *threads, size_t *bytes, void *stream)
{
  *grid = launch_next.grid, *threads = launch_next.threads, *bytes = launch_next.bytes, *(cudaStream_t *) stream = launch_next.stream;
  return cudaSuccess;
}
/* how nvcc launches since CUDA 13, and before */
cudaError_t __cudaGetKernel (cudaKernel_t *kernel, const void *stub)
{
  registered *r = find (stub);
  *kernel = (cudaKernel_t) r;
  return r ? cudaSuccess : emu::error (cudaErrorInvalidDeviceFunction);
}
cudaError_t __cudaLaunchKernel (cudaKernel_t kernel, dim3 grid, dim3 threads, void **values, size_t bytes, cudaStream_t stream)
{
  return launch ((const registered *) kernel, grid, threads, values, bytes, stream);
}
cudaError_t cudaLaunchKernel (const void *stub, dim3 grid, dim3 threads, void **values, size_t bytes, cudaStream_t stream)
{
  const registered *r = find (stub);
  return r ? launch (r, grid, threads, values, bytes, stream) : emu::error (cudaErrorInvalidDeviceFunction);
}
} // extern "C"
