/* SPDX-License-Identifier: Apache-2.0 */
/* plugin.c: finds and opens the shared object of a device backend: SOLERA_PLUGINS (a folder), beside the program, where make install puts it. */
#include "backend_internal.h"
#include "solera/buffer.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* the folder of the running program; "" when it cannot be told */
static void program_folder (char *to, size_t n)
{
  ssize_t k = readlink ("/proc/self/exe", to, n - 1);
  to[k > 0 ? k : 0] = 0;
  char *slash = strrchr (to, '/');
  if (slash) *slash = 0;
}

/* the file of a plugin that is there, or NULL; to be freed */
static char *find (const char *name)
{
  char exe[4096], file[64];
  const char *given = getenv ("SOLERA_PLUGINS");
  program_folder (exe, sizeof exe);
  const char *folder[] = { given && given[0] ? given : exe, given && given[0] ? NULL : SOL_PLUGINDIR };
  snprintf (file, sizeof file, "libsolera-%s.so", name);
  for (int i = 0; i < 2; i++) {
    if (!folder[i] || !folder[i][0]) continue;
    char *path = sol_path_join (folder[i], file);
    if (sol_file_exists (path)) return path;
    sol_free (path);
  }
  return NULL;
}

/* Whether a file holds all that its own headers say is to be loaded. dlopen does not ask: of a copy that was cut short it maps pages that are not there, and the process ends with a bus error. What is no
 * ELF file of this machine is left to dlopen, which says so. */
static int is_whole (const char *path)
{
  ElfW (Ehdr) h;
  ElfW (Phdr) part;
  FILE *f = fopen (path, "rb");
  int whole = 1;
  if (!f) return 1;
  const int is_elf = fread (&h, sizeof h, 1, f) == 1 && !memcmp (h.e_ident, ELFMAG, SELFMAG) && h.e_ident[EI_CLASS] == (sizeof (void *) == 8 ? ELFCLASS64 : ELFCLASS32) && h.e_phentsize == sizeof part;
  const long bytes = fseek (f, 0, SEEK_END) == 0 ? ftell (f) : -1;
  for (int i = 0; is_elf && bytes >= 0 && whole && i < h.e_phnum; i++) {
    const uint64_t at = h.e_phoff + (uint64_t) i * sizeof part;
    whole = at + sizeof part <= (uint64_t) bytes && fseek (f, (long) at, SEEK_SET) == 0 && fread (&part, sizeof part, 1, f) == 1;
    if (whole && part.p_type == PT_LOAD) whole = part.p_filesz <= (uint64_t) bytes && part.p_offset <= (uint64_t) bytes - part.p_filesz;
  }
  fclose (f);
  return whole;
}

const sol_plugin_t *sol_plugin_open (const char *name, void **handle_p, char *why, size_t n)
{
  char *path = find (name);
  *handle_p = NULL;
  if (!path) {
    const char *given = getenv ("SOLERA_PLUGINS");
    snprintf (why, n, "not built or not installed (libsolera-%s.so is not in %s)", name, given && given[0] ? given : "the program's folder or " SOL_PLUGINDIR);
    return NULL;
  }
  /* the driver's library first: without it nothing of CUDA runs, and loading the plugin's libraries to hear that takes a tenth of a second */
  void *driver = !strcmp (name, "cuda") ? dlopen ("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) : NULL;
  if (!strcmp (name, "cuda") && !driver) {
    snprintf (why, n, "no NVIDIA driver (libcuda.so.1 cannot be opened)");
    sol_free (path);
    return NULL;
  }
  if (driver) dlclose (driver);
  if (!is_whole (path)) {
    snprintf (why, n, "%s: shorter than its own headers say: a copy that was cut short, build or install it again", path);
    sol_free (path);
    return NULL;
  }
  void *handle = dlopen (path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE); /* a CUDA runtime that has run once must not be unmapped */
  if (!handle) {
    snprintf (why, n, "%s", dlerror ());
    sol_free (path);
    return NULL;
  }
  sol_plugin_fn entry = (sol_plugin_fn) (uintptr_t) dlsym (handle, "sol_plugin");
  const sol_plugin_t *p = entry ? entry () : NULL;
  if (!p) snprintf (why, n, "%s: no plugin of Solera", path);
  else if (p->abi != SOL_PLUGIN_ABI || p->bytes != sizeof *p || p->ops->abi != SOL_OPS_ABI || p->ops->bytes != sizeof *p->ops)
    snprintf (why, n, "%s: of another version (interface %u.%u, expected %u.%u): build it together with the program", path, p->abi, p->abi == SOL_PLUGIN_ABI ? p->ops->abi : 0, SOL_PLUGIN_ABI, SOL_OPS_ABI);
  else {
    sol_free (path);
    *handle_p = handle;
    return p;
  }
  sol_free (path);
  dlclose (handle);
  return NULL;
}

int sol_plugin_probe (const char *name, char *why, size_t n)
{
  void *handle;
  const sol_plugin_t *p = sol_plugin_open (name, &handle, why, n);
  int can = p ? p->probe (why, n) : 0;
  if (handle) dlclose (handle);
  return can;
}

static sol_status_t fail (sol_status_t st, const char *room, const char *text) { return sol_fail (st, room, "%s", text); }
static void warn (const char *room, const char *text) { sol_log (SOL_LOG_WARN, room, "%s", text); }
static const sol_plugin_host_t host = { fail, warn };

/* Ranks of a host share its devices: each takes the one of its number, counted around. Programs that do not tell (no MPI): what a launcher says of it. */
static int number = -1;
void sol_backend_number (int n) { number = n; }
static int local_rank (void)
{
  if (number >= 0) return number;
  const char *const name[] = { "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID" };
  for (int i = 0; i < 2; i++)
    if (getenv (name[i])) return atoi (getenv (name[i]));
  return 0;
}

int sol_plugin_devices (const char *name, char *which, size_t n)
{
  char why[512];
  void *handle;
  const sol_plugin_t *p = sol_plugin_open (name, &handle, why, sizeof why);
  const int devices = p && p->probe (why, sizeof why) ? p->devices (local_rank (), which, n) : 0;
  if (handle) dlclose (handle);
  return devices;
}

sol_status_t sol_plugin_attach (const char *name, sol_backend_t *b)
{
  char why[512];
  const sol_plugin_t *p = sol_plugin_open (name, &b->handle, why, sizeof why);
  if (p && !p->probe (why, sizeof why)) p = NULL;
  if (!p) return sol_fail (SOL_ERR_UNSUPPORTED, "backend", "%s cannot run here: %s", name, why);
  SOL_TRY (p->open (&host, local_rank (), &b->head.device));
  b->plugin = p;
  b->head.ops = p->ops;
  snprintf (b->text, sizeof b->text, "%s", p->describe (b->head.device));
  return SOL_OK;
}

void sol_plugin_detach (sol_backend_t *b)
{
  if (b->plugin) b->plugin->close (b->head.device);
  if (b->handle) dlclose (b->handle);
}
