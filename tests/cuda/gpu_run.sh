#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# gpu_run.sh test | bench | all: builds and runs what kernels/cuda/gpu.mk names; started by it. Quiet where it passes; names what failed, and goes on. Logs and results stay in the build folder.
# Exit 0: passed; 1: something failed; 77: nothing could run here, and one line said why.
what=$1
mkdir -p "${B:?}/log" && cd "$B" || exit 1
began=$(date +%s)
failures='' left_out='' not_done='' tool='' written='' checks=0
nl='
'
spent () { echo $(($(date +%s) - began)); }
left () { echo $((SECONDS_MOST - $(spent))); }
most () { if [ "$(left)" -lt "$1" ]; then left; else echo "$1"; fi; } # seconds of something that begins now
skip () { echo "gpu-$what: SKIP: $1"; exit 77; }
failed () { failures="$failures$1$nl"; } # the line that names it is printed already
say () { printf '  %-19s %s\n' "$1" "$2"; }
quoted () { printf '%s' "$1" | sed 's/[\\"]/\\&/g' | tr -d '\001-\037'; }
list () { # FILE: lines of JSON as the inside of an array: whole ones, and null for what is no number
  if [ -f "$1" ]; then sed -n '/^{.*}$/{s/: -\{0,1\}\(nan\|inf\)\([,}]\)/: null\2/g; p;}' "$1" | sed 's/^/    /; $!s/$/,/'; fi
}
names () { printf '%s' "$1" | while IFS= read -r line; do printf '"%s"\n' "$(quoted "$line")"; done | paste -sd, -; }

# ---- which device, and everything built
find_device () {
  device_name=$DEVICE GPU_BYTES=
  if [ "$DEVICE" = cuda ]; then
    $CC -O1 "$TOP/tests/cuda/gpu_probe.c" -o gpu_probe -ldl >log/build 2>&1 || { sed 's/^/    /' log/build; echo "gpu-$what: FAILED: $CC cannot build a program"; exit 1; }
    found=$(timeout -k 5 60 ./gpu_probe); rc=$?
    case $rc in 0) ;; 77) skip "$found" ;; *) echo "gpu-$what: FAILED: asking the driver for its devices: $(died $rc 60)"; exit 1 ;; esac
    ARCH=${ARCH:-${found%% *}}
    rest=${found#* }
    GPU_BYTES=${rest%% *} device_name=${rest#* }
  fi
  export GPU_BYTES SOLERA_PLUGINS="$B" SOLERA_DEVICE="$DEVICE"
  [ -n "$CUDA_DIR" ] || skip "no CUDA toolkit (cublasLt.h) in \$CUDA_HOME, beside nvcc or in /usr/local/cuda; say CUDA_DIR=DIR"
  [ "$DEVICE" != cuda ] || [ -n "$PLUGIN" ] || [ -x "$NVCC" ] || skip "no nvcc at $NVCC"
  if [ "$DEVICE" = cuda ] && [ -z "$PLUGIN" ]; then
    toolkit=$("$NVCC" --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')
    [ "${toolkit%%.*}" -ge 12 ] || skip "CUDA 12.0 or newer is needed, $NVCC is $toolkit"
  fi
}
build () {
  # shellcheck disable=SC2086 # PARALLEL is a word or none
  (cd "$HERE" && timeout --foreground -k 5 "$SECONDS_MOST" $MAKE -f "$GPU_MK" --no-print-directory $PARALLEL ARCH="$ARCH" gpu-files) >log/build 2>&1; rc=$?
  if [ $rc -eq 124 ] || [ $rc -eq 137 ]; then echo "gpu-$what: FAILED: the build was not done in $SECONDS_MOST s (SECONDS_MOST); once more goes on with what is built, see $SHOWN/log/build"; exit 1; fi
  if [ $rc -ne 0 ]; then
    grep -iE -B1 -A4 'error|\*\*\*' log/build | head -n 30 | sed 's/^/    /'
    echo "gpu-$what: FAILED: the build, see $SHOWN/log/build"
    exit 1
  fi
  if grep -qi 'warning' log/build; then say warning "the build has warnings, see $SHOWN/log/build"; fi
  can=$(timeout -k 5 60 ./gpu_steps can 2>log/can); rc=$?
  case $rc in 0) ;; 77) skip "$can" ;; *) cat log/can; echo "gpu-$what: FAILED: opening the device: ${can:-$(died $rc 60)}"; exit 1 ;; esac
  echo "gpu-$what on $can, built in $(spent) s"
  case $can in emu*) [ "$GPU_SHAPES" = real ] || echo "  emulated on the host, small shapes: this tests the programs; its times say nothing about a GPU" ;; esac
}

# a command with a limit: 1 there was no time left for it (noted), else its status in rc. Output to log/NAME
no_time () { if [ -n "$tool" ]; then not_done="$not_done$name$nl"; else left_out="$left_out$name$nl"; fi; }
limited () { # NAME SECONDS COMMAND...
  name=$1 limit=$2; shift 2
  cut=0
  [ "$(left)" -ge 5 ] || { no_time; return 1; }
  [ "$limit" -le "$(left)" ] || limit=$(left) cut=1
  # in the foreground, so that Ctrl-C reaches it; not a sanitizer, which has a process of its own to end
  if [ -n "$tool" ]; then timeout -k 5 "$limit" "$@" >"log/$name" 2>&1; else timeout --foreground -k 5 "$limit" "$@" >"log/$name" 2>&1; fi; rc=$?
  if [ "$rc" -eq 124 ] && { [ $cut -eq 1 ] || [ -n "$tool" ]; }; then no_time; return 1; fi # under a sanitizer slow is not wrong
}
died () { # STATUS LIMIT: how a program ended that said nothing itself
  case $1 in 124) echo "not done in $2 s" ;; 137) echo "killed (out of memory, or not done in $2 s)" ;; 139) echo "segmentation fault" ;; 134) echo "aborted" ;; *) echo "exit $1" ;; esac
}

# ---- test
op_test () { # NAME SECONDS COMMAND...: a test program, under a command that is in front of it or not; silent, or what did not hold
  log=$1; shift
  limited "$log" "$@" || return 1
  if grep -q '^1\.\.0' "log/$log"; then echo "FAILED $log: it could not run: $(sed -n 's/^1\.\.0 *# *SKIP *//p' "log/$log")"
  elif [ "$rc" -ne 0 ] || grep -q '^not ok' "log/$log" || ! grep -q '^1\.\.' "log/$log"; then
    echo "FAILED $log: $(grep -c '^not ok' "log/$log") of $(grep -cE '^(not )?ok' "log/$log") checks, $(died "$rc" "$limit")"
    grep -vE '^ok|^1\.\.' "log/$log" | sed 's/^not ok [0-9]* - /did not hold: /; s/^/    /' | head -n 12
    [ "$rc" -lt 124 ] || echo "    it got as far as: $(grep -E '^(not )?ok' "log/$log" | tail -n 1 | sed 's/^.*ok [0-9]* - //')"
    if [ -n "$tool" ] && [ -f "log/$log.report" ]; then head -n 12 "log/$log.report" | sed 's/^/    /'; fi
  else
    total=$((total + $(grep -c '^ok' "log/$log"))) programs=$((programs + 1))
    return 0
  fi
  failed "$log"
}
op_tests () {
  from=$(spent) total=0 programs=0
  for t in $TEST_PROGRAMS; do op_test "$t" "${OP_SECONDS:-120}" "./$t"; done
  checks=$total
  say "op tests" "$total checks of $programs programs hold, $(($(spent) - from)) s"
}
part () { # PROGRAM PART SECONDS: one part of a program that prints its own lines
  limited "$1-$2" "$3" "./$1" "$2" || return 1
  if [ "$rc" -eq 0 ]; then sed 's/^/  /' "log/$1-$2"; return 0; fi
  grep -q '^FAILED' "log/$1-$2" || echo "FAILED $1 $2: $(died "$rc" "$limit")"
  sed -n '1,60{/^FAILED/!s/^/    /; p; d;}; /^FAILED/p' "log/$1-$2"
  failed "$1 $2"
  # launches are asynchronous, and so are their errors: once more, each waited for, names the kernel
  if grep -qE 'noticed at|a kernel or copy on the device' "log/$1-$2" && [ "$(left)" -ge 5 ]; then
    CUDA_LAUNCH_BLOCKING=1 GPU_JSON=/dev/null timeout -k 5 "$(most 60)" "./$1" "$2" 2>&1 | grep -m1 ' error ' | sed 's/^/    launches waited for: /'
  fi
}
sanitize () {
  sanitizer=$(PATH=$PATH:$CUDA_DIR/bin:$CUDA_DIR/compute-sanitizer command -v compute-sanitizer)
  case $DEVICE.$SANITIZE in
    emu.*) say compute-sanitizer "not for emu"; return ;;
    *.0) say compute-sanitizer "left out (SANITIZE=0)"; return ;;
  esac
  [ -n "$sanitizer" ] || { say compute-sanitizer "not found, left out"; return; }
  for tool in memcheck racecheck; do
    from=$(spent) total=0 programs=0
    # calls that fail are checked by the programs, and test_device makes one on purpose; races are looked for in a few cases of what is large
    case $tool in memcheck) quiet='--report-api-errors no' few= ;; *) quiet= few=1 ;; esac
    for t in $TEST_PROGRAMS; do
      case $tool.$t in *.test_random) continue ;; esac # no kernels
      case $tool.$t in racecheck.test_products | racecheck.test_head) continue ;; esac # cuBLASLt's kernels
      SOL_TEST_FEW=$few op_test "$t.$tool" 60 "$sanitizer" --tool $tool $quiet --error-exitcode 9 --print-limit 3 --log-file "log/$t.$tool.report" "./$t"
    done
    say "$tool" "$programs programs clean, $(($(spent) - from)) s"
  done
  tool=
}
test_all () {
  rm -f log/steps.jsonl
  op_tests
  for p in $(./gpu_steps list); do GPU_JSON=log/steps.jsonl part gpu_steps "$p" 150; done
}

# ---- bench
ceilings () {
  GPU_JSON=log/ceilings.jsonl limited ceilings 60 ./gpu_bench ceilings || return 0
  if [ "$rc" -ne 0 ]; then
    grep '^FAILED' log/ceilings || echo "FAILED ceilings: $(died "$rc" "$limit")"
    grep -v '^FAILED' log/ceilings | sed 's/^/    /'
    failed ceilings
  fi
  GPU_COPY=$(sed -nE 's/^([0-9.e+]+) [0-9.e+]+$/\1/p' log/ceilings) GPU_PRODUCT=$(sed -nE 's/^[0-9.e+]+ ([0-9.e+]+)$/\1/p' log/ceilings)
  export GPU_COPY GPU_PRODUCT
  printf '%s %s\n' "${GPU_COPY:-0}" "${GPU_PRODUCT:-0}" | awk '{ printf "  measured here: copying %.0f GB/s (read and written), bf16 products %.4g TFLOP/s\n", $1 / 1e9, $2 / 1e12 }'
}
torch () {
  [ "$DEVICE" = cuda ] || { say PyTorch "no comparison on $DEVICE"; return; }
  name=torch
  [ "$(left)" -ge 5 ] || { no_time; return; }
  timeout -k 5 "$(most 60)" "$PYTHON" -c 'import sys, torch; sys.exit (not torch.cuda.is_available ())' 2>/dev/null || { say PyTorch "not here with CUDA, no comparison"; return; }
  limited torch 120 "$PYTHON" "$TOP/tests/cuda/gpu_torch.py" log/kernels.jsonl log/models.jsonl log/torch.jsonl || return 0
  sed 's/^/  /' log/torch
  [ "$rc" -eq 0 ] || { echo "FAILED PyTorch's side: $(died "$rc" "$limit")"; failed PyTorch; }
}
bench_all () {
  rm -f log/ceilings.jsonl log/kernels.jsonl log/models.jsonl log/torch.jsonl
  ceilings
  for p in $(./gpu_bench list); do echo "  ---- $p" && GPU_JSON=log/kernels.jsonl part gpu_bench "$p" 60; done
  echo "  ---- models"
  for p in $(./gpu_models list); do GPU_JSON=log/models.jsonl part gpu_models "$p" 60; done
  torch
}

write_json () { # WHAT: B/WHAT.json of what this run found
  {
    printf '{\n  "what": "gpu-%s", "date": "%s", "device": "%s", "name": "%s",\n' "$1" "$(date -u +%FT%TZ)" "$(quoted "$can")" "$(quoted "$device_name")"
    printf '  "seconds": %d, "failed": [%s], "left_out": [%s],\n' "$(spent)" "$(names "$failures")" "$(names "$left_out$not_done")"
    case $1 in
      test) printf '  "checks": %d, "steps": [\n' "$checks"; list log/steps.jsonl; printf '  ]\n' ;;
      bench)
        for k in ceilings kernels models torch; do
          printf '  "%s": [\n' $k; list log/$k.jsonl; printf '  ]'; [ $k = torch ] || echo ,
        done; echo ;;
    esac
    echo '}'
  } >"$1.json"
  written="$written $SHOWN/$1.json"
}

case $what in test | bench | all) ;; *) echo "gpu_run.sh: expected test, bench or all, found \"$what\"" >&2; exit 1 ;; esac
rm -f test.json bench.json # nothing of an earlier run looks like this one's
find_device
build
[ "$what" = bench ] || test_all
[ "$what" = test ] || bench_all
[ "$what" = bench ] || sanitize # the slowest comes last
[ "$what" = bench ] || write_json test
[ "$what" = test ] || write_json bench
echo "  written:$written"
commas () { printf '%s' "$1" | paste -sd, - | sed 's/,/, /g'; }
[ -z "$left_out" ] || echo "  no time was left (SECONDS_MOST=$SECONDS_MOST) for: $(commas "$left_out")"
[ -z "$not_done" ] || echo "  not done in time under compute-sanitizer: $(commas "$not_done")"
if [ -n "$failures" ]; then echo "gpu-$what: FAILED after $(spent) s: $(commas "$failures"); see $SHOWN/log"; exit 1; fi
if [ -n "$left_out" ]; then echo "gpu-$what: INCOMPLETE after $(spent) s: what ran passed"; exit 1; fi
echo "gpu-$what: passed in $(spent) s"
