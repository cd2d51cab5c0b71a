#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# slurm_up.sh FOLDER [NODES [CPUS]]: a private SLURM on this machine, with daemons of its own, for the tests. Needs root. Prints the line to source; slurm_down.sh FOLDER ends it.
set -e
d=$(realpath "$1"); nodes=${2-2}; cpus=${3-4}; host=$(hostname -s)
here=$(cd "$(dirname "$0")" && pwd)
# free ports in a row, looked for from a place of our own: another SLURM may be coming up beside us
port=$(python3 - "$((nodes + 1))" "$((10240 + $$ * 8 % 20000))" <<'END' 2>/dev/null || echo $((20000 + $$ % 20000))
import socket, sys
n = int(sys.argv[1])
for p in range(int(sys.argv[2]), 60000, n):
    try:
        for i in range(n):
            with socket.socket() as s: s.bind(("127.0.0.1", p + i))
        print(p); break
    except OSError: pass
END
)
mkdir -p "$d"/{spool,state,log,run,munge}
for i in $(seq "$nodes"); do mkdir -p "$d/tmp/n$i"; done
chmod 755 "$d"
chown munge "$d/munge"; chmod 711 "$d/munge"
dd if=/dev/urandom of="$d/munge/key" bs=1 count=1024 2>/dev/null; chown munge "$d/munge/key"; chmod 400 "$d/munge/key"
cat >"$d/slurm.conf" <<END
ClusterName=solera
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$d/munge/sock
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
StateSaveLocation=$d/state
SlurmdSpoolDir=$d/spool/%n
TmpFS=$d/tmp/%n
SlurmctldPidFile=$d/run/slurmctld.pid
SlurmdPidFile=$d/run/slurmd.%n.pid
SlurmctldLogFile=$d/log/slurmctld.log
SlurmdLogFile=$d/log/slurmd.%n.log
SlurmdParameters=config_overrides
SchedulerParameters=bf_interval=1,sched_min_interval=100000
KillWait=5
JobRequeue=1
NodeName=n[1-$nodes] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + nodes))] CPUs=$cpus RealMemory=2000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=1:00:00 State=UP OverSubscribe=NO
END
printf 'CgroupPlugin=cgroup/v1\nConstrainCores=no\n' >"$d/cgroup.conf"
export SLURM_CONF=$d/slurm.conf
trap '[ $? -eq 0 ] || sh "$here/slurm_down.sh" "$d"' EXIT
setpriv --reuid=munge --clear-groups munged --socket="$d/munge/sock" --key-file="$d/munge/key" --log-file="$d/munge/log" --pid-file="$d/munge/pid" --seed-file="$d/munge/seed" --num-threads=2 >&2
slurmctld -c -i >&2
for i in $(seq "$nodes"); do slurmd -N "n$i" >&2; done
for i in $(seq 200); do
  [ "$(sinfo -h -o %t 2>/dev/null | sort -u)" = idle ] && { echo "export SLURM_CONF=$d/slurm.conf"; exit 0; }
  sleep 0.1
done
echo "slurm_up.sh: the nodes are not idle after 20 s" >&2
tail -n 5 "$d"/log/* >&2
exit 1
