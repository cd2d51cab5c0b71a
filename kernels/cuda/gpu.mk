# SPDX-License-Identifier: Apache-2.0
# The CUDA backend on a machine that has a GPU and nothing but gcc, g++, make and the CUDA toolkit: no configure, MPI, HDF5, libyaml, Python or network. Everything goes into one folder,
# gpu-build under the current one. docs/gpu.md says what is printed.
#   make -f kernels/cuda/gpu.mk gpu-test     every op against plain loops, training steps op by op, decoding against training
#   make -f kernels/cuda/gpu.mk gpu-bench    every kernel against its roofline, tokens a second: a table, and gpu-build/bench.json
#   make -f kernels/cuda/gpu.mk gpu-all      both, the second also where the first fails
#   DEVICE=emu     the same on the host, every CUDA thread a fiber: tests these programs, measures nothing
#   ARCH=90        compute capability to compile for (default: the first device's); with it, "gpu-files" builds without a GPU
#   SANITIZE=0     without compute-sanitizer
#   SHAPES=real    on emu, too, the shapes that a GPU gets (hours); SHAPES=small: on a GPU, too, those of emu
#   PLUGIN=FILE    a libsolera-emu.so or libsolera-cuda.so that is there already
#   CUDA_DIR=, CC=, CXX=, PYTHON=, GPU_BUILD=, JOBS=, SECONDS_MOST= (450: what is not begun by then is left out, and named), OP_SECONDS= (120: of one test of ops)
GPU_MK := $(abspath $(lastword $(MAKEFILE_LIST)))
TOP := $(patsubst %/kernels/cuda/gpu.mk,%,$(GPU_MK))
GPU_BUILD ?= gpu-build
DEVICE ?= cuda
ifeq ($(origin CC),default)
CC = gcc
endif
PYTHON ?= python3
SANITIZE ?= 1
SECONDS_MOST ?= 450
JOBS ?= $(shell nproc 2>/dev/null || echo 4)
CUDA_DIR ?= $(firstword $(foreach d,$(CUDA_HOME) $(patsubst %/bin/nvcc,%,$(shell command -v nvcc 2>/dev/null)) /usr/local/cuda /usr,$(if $(wildcard $d/include/cublasLt.h),$d)))
NVCC ?= $(CUDA_DIR)/bin/nvcc
CUDA_LIB := $(firstword $(wildcard $(CUDA_DIR)/lib64 $(CUDA_DIR)/lib))
B := $(GPU_BUILD)
O := $B/obj
BUILD_FLAGS ?= -O2 -g
CPU_FLAGS ?= -O3

# ---- the part of the program that needs no other library. Random123's one header has a stand-in; a function that refers to another library (and that nothing here calls) is dropped by the linker
C_FILES := $(filter-out src/base/hash.c src/model/arch.c,$(patsubst $(TOP)/%,%,$(wildcard $(TOP)/src/base/*.c $(TOP)/src/backend/*.c $(TOP)/src/model/*.c $(TOP)/kernels/ref/*.c)))
CPU_FILES := $(patsubst $(TOP)/%,%,$(wildcard $(TOP)/kernels/cpu/*.c))
ISAS ?= portable $(if $(filter x86_64,$(shell uname -m)),avx2 avx512)
FLAGS_portable := -DSOL_ISA=portable -DSOL_ISA_LEVEL=0
FLAGS_avx2 := -DSOL_ISA=avx2 -DSOL_ISA_LEVEL=1 -mavx2 -mfma -mf16c
FLAGS_avx512 := -DSOL_ISA=avx512 -DSOL_ISA_LEVEL=2 -mavx2 -mfma -mf16c -mavx512f -mavx512vl -mavx512dq -mavx512bw -mprefer-vector-width=512
HOST_OBJECTS := $(C_FILES:%.c=$O/%.o) $(foreach i,$(ISAS),$(CPU_FILES:%.c=$O/%.$i.o))
C_INCLUDE = -include $B/config.h -I$(TOP)/include -I$(TOP)/tests/cuda/bare -DSOL_DATADIR='""' -DSOL_PLUGINDIR='"$(abspath $B)"'
C_FLAGS = -std=gnu11 $(BUILD_FLAGS) -ffunction-sections -ffp-contract=off -fno-math-errno -Wall -Wextra -MMD -MP

# ---- the plugin: one device and the card of this machine only. Its files are those that the fragments of the other build name.
listed = $(shell sed -n 's/^$1 = //p' $(TOP)/kernels/$2/Makefile.am)
CUDA_PARTS := $(call listed,CUDA_OPS,cuda)
EMU_PARTS := $(call listed,EMU_RUNTIME,emu)
CUDA_HEADERS := $(wildcard $(TOP)/kernels/cuda/*.cuh $(TOP)/kernels/cuda/*.h $(TOP)/kernels/emu/*.h) $(wildcard $(TOP)/include/solera/*.h)
# a card that is newer than the toolkit gets PTX of the newest architecture below it, which the driver compiles
KNOWN = $(patsubst compute_%,%,$(filter compute_%,$(shell $(NVCC) --list-gpu-arch 2>/dev/null)))
BELOW = $(lastword $(sort $(shell for a in $(KNOWN); do [ $$a -lt $(ARCH) ] && printf '%03d\n' $$a; done)))
CODE = $(if $(filter $(ARCH),$(KNOWN)),-gencode arch=compute_$(ARCH)$(comma)code=sm_$(ARCH),-gencode arch=compute_$(BELOW:0%=%)$(comma)code=compute_$(BELOW:0%=%))
comma := ,
NV_FLAGS = -std=c++17 -O3 -lineinfo -Xcompiler -fPIC,-Wall,-fvisibility=hidden -I$(TOP)/include $(CODE)
EMU_FLAGS = -std=gnu++17 -O2 -g -fPIC -fvisibility=hidden -DSOL_EMU -Wall -Wno-unknown-pragmas -I$(TOP)/include -I$(CUDA_DIR)/include
PLUGIN_cuda = $(CUDA_PARTS:%=$O/cuda-$(ARCH)/%.o)
PLUGIN_emu = $(CUDA_PARTS:%=$O/emu/%.op.o) $(EMU_PARTS:%=$O/emu/%.rt.o)

# ---- programs: the tests of random numbers and of ops, then the steps of a model, and the speeds
# op tests are those with both.h or twice.h that need no more of the program than C_FILES
OP_TESTS ?= $(patsubst $(TOP)/tests/cuda/%.c,%,$(shell grep -lE '"(both|twice)\.h"' $(TOP)/tests/cuda/test_*.c | xargs grep -LE 'mpi|src/(comm|learner|actor)/'))
PROGRAMS := test_random $(OP_TESTS) gpu_steps gpu_bench gpu_models
TEST_DIRS = $(TOP)/tests/cuda $(TOP)/tests/base
source_of = $(firstword $(wildcard $(TEST_DIRS:%=%/$1.c)))

.PHONY: gpu-test gpu-bench gpu-all gpu-files gpu-clean
RUN = HERE='$(CURDIR)' B='$(abspath $B)' SHOWN='$B' TOP='$(TOP)' DEVICE='$(DEVICE)' MAKE='$(MAKE)' GPU_MK='$(GPU_MK)' CC='$(CC)' CUDA_DIR='$(CUDA_DIR)' NVCC='$(NVCC)' PARALLEL='$(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))' \
  TEST_PROGRAMS='test_random $(OP_TESTS)' SANITIZE='$(SANITIZE)' PYTHON='$(PYTHON)' SECONDS_MOST='$(SECONDS_MOST)' OP_SECONDS='$(OP_SECONDS)' PLUGIN='$(PLUGIN)' ARCH='$(ARCH)' GPU_SHAPES='$(SHAPES)'
# exit 77 of the script: nothing could run, and it said why
gpu-test gpu-bench gpu-all:
	@+$(RUN) $(SHELL) $(TOP)/tests/cuda/gpu_run.sh $(@:gpu-%=%) || [ $$? -eq 77 ]
gpu-files: $B/libsolera-$(DEVICE).so $(PROGRAMS:%=$B/%)
gpu-clean:
	rm -rf $B

$B/config.h: $(GPU_MK)
	@mkdir -p $(@D)
	@{ echo '#define _GNU_SOURCE 1'; echo '#define PACKAGE_VERSION "gpu.mk"'; echo '#define PACKAGE_STRING "solera gpu.mk"'; \
	   $(foreach i,$(filter avx2,$(ISAS)),echo '#define SOL_HAVE_AVX2 1';) $(foreach i,$(filter avx512,$(ISAS)),echo '#define SOL_HAVE_AVX512 1';) } >$@
$(C_FILES:%.c=$O/%.o): $O/%.o: $(TOP)/%.c $B/config.h
	@mkdir -p $(@D)
	@$(CC) $(C_INCLUDE) $(C_FLAGS) -c $< -o $@
define isa_rule
$(CPU_FILES:%.c=$O/%.$1.o): $O/%.$1.o: $(TOP)/%.c $B/config.h
	@mkdir -p $$(@D)
	@$$(CC) $$(C_INCLUDE) $$(C_FLAGS) $$(CPU_FLAGS) $$(FLAGS_$1) -c $$< -o $$@
endef
$(foreach i,$(ISAS),$(eval $(call isa_rule,$i)))
$B/libhost.a: $(HOST_OBJECTS)
	@rm -f $@ && $(AR) rcs $@ $^
define program_rule
$B/$1: $(call source_of,$1) $B/libhost.a
	@$$(CC) $$(C_INCLUDE) $$(C_FLAGS) -MF $O/$1.d $$< -o $$@ -Wl,--gc-sections $B/libhost.a -lm -ldl -lpthread
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$p)))

$(CUDA_PARTS:%=$O/cuda-$(ARCH)/%.o): $O/cuda-$(ARCH)/%.o: $(TOP)/kernels/cuda/%.cu $(CUDA_HEADERS)
	@mkdir -p $(@D)
	@$(NVCC) $(NV_FLAGS) -c $< -o $@
$(CUDA_PARTS:%=$O/emu/%.op.o): $O/emu/%.op.o: $(TOP)/kernels/cuda/%.cu $(CUDA_HEADERS)
	@mkdir -p $(@D)
	@$(CXX) $(EMU_FLAGS) -x c++ -c $< -o $@
$(EMU_PARTS:%=$O/emu/%.rt.o): $O/emu/%.rt.o: $(TOP)/kernels/emu/%.cpp $(CUDA_HEADERS)
	@mkdir -p $(@D)
	@$(CXX) $(EMU_FLAGS) -c $< -o $@
ifneq ($(PLUGIN),)
$B/libsolera-$(DEVICE).so: $(PLUGIN)
	@mkdir -p $(@D)
	@cp $< $@
else
$B/libsolera-cuda.so: $(PLUGIN_cuda)
	@$(CXX) -shared -o $@ $^ -L$(CUDA_LIB) -lcublasLt -lcudart_static -lstdc++ -lm -ldl -lrt -lpthread -Wl,--exclude-libs,ALL -Wl,--no-undefined -Wl,-rpath,$(CUDA_LIB)
$B/libsolera-emu.so: $(PLUGIN_emu)
	@$(CXX) -shared -o $@ $^ -lpthread -lm -Wl,--no-undefined
endif
-include $(shell find $O -name '*.d' 2>/dev/null)
