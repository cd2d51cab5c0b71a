# SPDX-License-Identifier: Apache-2.0
# pretended_hosts.sh: sourced. `several_hosts mpirun ...`: host names that are none are started here, each with a host name of its own, so that Open MPI takes them for as many machines.
# Needs $t, a folder, and $MPIRUN. hosts_can: can host names be set apart here (Linux, root)?
cat >"$t/agent" <<'END'
#!/bin/sh
h=$1; shift
exec unshare --uts sh -c 'hostname "$0"; eval "$*"' "$h" "$@"
END
chmod +x "$t/agent"
several_hosts () { env OMPI_MCA_plm_rsh_agent="$t/agent" "$@"; }
hosts_can () { unshare --uts sh -c 'hostname one' 2>/dev/null && [ "$(several_hosts timeout 30 "$MPIRUN" -n 2 --host one:1,two:1 hostname 2>/dev/null | sort | tr '\n' ' ')" = "one two " ]; }
