/* SPDX-License-Identifier: Apache-2.0 */
/* gpu_probe: what kernels/cuda/gpu.mk asks before it builds anything, by the driver alone (no toolkit, no nvidia-smi): one line "ARCH BYTES NAME" of the first device, for example
 * "90 85017493504 NVIDIA H100 80GB HBM3". Exit 77 and one line why, where nothing of CUDA can run. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAJOR = 75, MINOR = 76 }; /* CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_* */
static void *driver;

static void cannot (const char *why, int code)
{
  if (code) printf ("%s (CUDA driver error %d)\n", why, code);
  else printf ("%s\n", why);
  exit (77);
}
/* a function of the driver that takes what the caller says */
static void function (const char *name, void *fn_p)
{
  void *fn = dlsym (driver, name);
  if (!fn) cannot ("the driver's library lacks a function that every CUDA driver has", 0);
  memcpy (fn_p, &fn, sizeof fn);
}

int main (void)
{
  int (*init) (unsigned), (*count) (int *), (*get) (int *, int), (*attribute) (int *, int, int), (*name_of) (char *, int, int), (*memory) (size_t *, int);
  int n = 0, device = 0, major = 0, minor = 0, e;
  size_t bytes = 0;
  char name[128] = "";
  driver = dlopen ("libcuda.so.1", RTLD_NOW);
  if (!driver) cannot ("no NVIDIA driver (libcuda.so.1 cannot be opened)", 0);
  function ("cuInit", &init), function ("cuDeviceGetCount", &count), function ("cuDeviceGet", &get), function ("cuDeviceGetAttribute", &attribute);
  function ("cuDeviceGetName", &name_of), function ("cuDeviceTotalMem_v2", &memory);
  if ((e = init (0)) != 0) cannot ("the NVIDIA driver cannot start: no device, or none that this process may use", e);
  if ((e = count (&n)) != 0) cannot ("the NVIDIA driver cannot count devices", e);
  if (n < 1) cannot ("no CUDA device (see CUDA_VISIBLE_DEVICES)", 0);
  if ((e = get (&device, 0)) != 0 || (e = attribute (&major, MAJOR, device)) != 0 || (e = attribute (&minor, MINOR, device)) != 0 || (e = memory (&bytes, device)) != 0 ||
      (e = name_of (name, sizeof name - 1, device)) != 0)
    cannot ("the first device cannot be asked what it is", e);
  if (major < 8) {
    printf ("the first device (%s) has compute capability %d.%d, 8.0 is needed\n", name, major, minor);
    return 77;
  }
  printf ("%d%d %zu %s\n", major, minor, bytes, name);
  return 0;
}
