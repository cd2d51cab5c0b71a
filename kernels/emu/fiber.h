/* SPDX-License-Identifier: Apache-2.0 */
/* fiber.h: contexts that switch by themselves, and what the sanitizers want to be told of it. EMU_ASAN, EMU_TSAN: for kernels compiled with -fsanitize=address, thread. */
#ifndef SOL_EMU_FIBER_H
#define SOL_EMU_FIBER_H
#include <stddef.h>
#include <stdint.h>
#if !defined(__x86_64__) || defined(EMU_UCONTEXT)
#include <ucontext.h>
#define EMU_PORTABLE 1
#endif
#ifdef EMU_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef EMU_TSAN
extern "C" {
void *__tsan_get_current_fiber ();
void *__tsan_create_fiber (unsigned);
void __tsan_destroy_fiber (void *);
void __tsan_switch_to_fiber (void *, unsigned);
void __tsan_acquire (void *);
void __tsan_release (void *);
}
#define EMU_IF_TSAN(x) x
#else
#define EMU_IF_TSAN(x)
#endif

namespace emu {
#ifdef EMU_ASAN
static const size_t STACK = 256 << 10; /* instrumented frames are large */
#else
static const size_t STACK = 64 << 10;
#endif

struct fiber {
  void *sp; /* while it does not run */
  const char *stack; /* lowest address */
  size_t size;
#ifdef EMU_PORTABLE
  ucontext_t context;
#endif
#ifdef EMU_TSAN
  void *tsan;
#endif
};

#ifndef EMU_PORTABLE
extern "C" void sol_emu_switch (void **save, void *to);
#endif
/* f: runs on the stack when the fiber is first switched to; never returns */
inline void fiber_make (fiber *f, char *stack, void (*run) ())
{
  f->stack = stack, f->size = STACK;
#ifdef EMU_PORTABLE
  getcontext (&f->context);
  f->context.uc_stack.ss_sp = stack, f->context.uc_stack.ss_size = STACK, f->context.uc_link = nullptr;
  makecontext (&f->context, run, 0);
#else
  void **top = (void **) (((uintptr_t) stack + STACK) & ~(uintptr_t) 15);
  *--top = nullptr; /* as if called: 8 bytes off 16 */
  *--top = (void *) run;
  for (int i = 0; i < 6; i++) *--top = nullptr; /* the registers that sol_emu_switch restores */
  f->sp = top;
#endif
}
/* leaves `from` (its end: for good) for `to` */
inline void fiber_switch (fiber *from, fiber *to, bool end)
{
  (void) end;
#ifdef EMU_ASAN
  void *fake = nullptr;
  __sanitizer_start_switch_fiber (end ? nullptr : &fake, to->stack, to->size);
#endif
  EMU_IF_TSAN (if (to->tsan != from->tsan) __tsan_switch_to_fiber (to->tsan, 1)); /* 1: orders nothing */
#ifdef EMU_PORTABLE
  swapcontext (&from->context, &to->context);
#else
  sol_emu_switch (&from->sp, to->sp);
#endif
#ifdef EMU_ASAN
  __sanitizer_finish_switch_fiber (fake, nullptr, nullptr);
#endif
}
/* the first words of a fiber. home: whose stack becomes known here */
inline void fiber_begin (fiber *home)
{
  (void) home;
#ifdef EMU_ASAN
  const void *bottom;
  size_t size;
  __sanitizer_finish_switch_fiber (nullptr, &bottom, &size);
  if (!home->stack) home->stack = (const char *) bottom, home->size = size;
#endif
}
} // namespace emu
#endif
