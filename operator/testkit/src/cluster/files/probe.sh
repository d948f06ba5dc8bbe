# Whether a node can run on this machine, with its data in the folder $1: ends well, or says why not. Leaves nothing.
no() { echo "$*"; exit 1; }
[ "$(id -u)" = 0 ] || no "not root"
for program in ip unshare nsenter mount nft iptables-nft busybox cc; do
  command -v $program >/dev/null || no "no $program"
done
[ -e /dev/kmsg ] || no "no /dev/kmsg"
grep -qs errno /proc/sys/kernel/seccomp/actions_avail || no "no seccomp"
[ -e /proc/self/task/self/children ] || [ -e /proc/$$/task/$$/children ] || no "the kernel does not tell a process's children"
if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then
  for c in cpu cpuset memory pids; do
    grep -qw $c /sys/fs/cgroup/cgroup.subtree_control || no "cgroup2 controller $c is not handed down"
  done
else
  for c in cpu cpuacct cpuset memory devices freezer pids blkio; do
    mkdir /sys/fs/cgroup/$c/ct-probe-$$ 2>/dev/null && rmdir /sys/fs/cgroup/$c/ct-probe-$$ || no "cgroup v1 hierarchy $c is missing"
  done
fi
D=$(mktemp -d -p "$1") || no "$1 cannot be written"
mkdir $D/l $D/u $D/w $D/m
unshare --mount --net --pid --uts --ipc --fork --kill-child sh -ec "
  mount --make-rprivate /; mount -t proc proc /proc; mount -t tmpfs tmpfs /run
  mount -t overlay -o lowerdir=$D/l,upperdir=$D/u,workdir=$D/w overlay $D/m
  ip link add probe0 type veth peer name probe1; echo 1 > /proc/sys/net/ipv4/ip_forward
  nft 'add table ip t; add chain ip t c { type nat hook postrouting priority 100; }
       add rule ip t c fib daddr type local numgen random mod 2 vmap { 0 : accept, 1 : return }; add rule ip t c masquerade'
  iptables-nft -t mangle -A POSTROUTING -j NFQUEUE --queue-num 1
  mount -t sysfs sysfs /sys" 2> $D/why || { w=$(tail -1 $D/why); rm -rf $D; no "${w:-the namespaces of a node cannot be made}"; }
rm -rf $D
