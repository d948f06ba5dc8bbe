# Process 1 of a node, in namespaces of its own: when it ends, every container, mount, interface and rule ends with it.
# Given by the environment: S (the node's folder), NAME, PEER, NODE, HOST, PODS, SERVICES, POLICIES, CONTAINERD, KUBELET, PROXY.
set -e
hostname "$NAME"
# kubelet and containerd ask for shared mounts; nothing of it reaches the machine's.
mount --make-rprivate /
mount --make-rshared /
mkdir -p "$S/cg" "$S/sysctl"
mount --rbind /sys/fs/cgroup "$S/cg"
mount -t sysfs sysfs /sys
mount --rbind "$S/cg" /sys/fs/cgroup
mount -t proc proc /proc
# kubelet writes these settings, and they are the whole machine's: files that hold its values already keep it from doing so.
shadow() { echo "$2" > "$S/sysctl/$1"; mount --bind "$S/sysctl/$1" "/proc/sys/$(echo "$1" | tr . /)"; }
shadow vm.overcommit_memory 1
shadow vm.panic_on_oom 0
shadow kernel.panic 10
shadow kernel.panic_on_oops 1
shadow kernel.keys.root_maxkeys 1000000
shadow kernel.keys.root_maxbytes 25000000
for folder in /run /var/log /var/lib; do mount -t tmpfs tmpfs $folder; done
for folder in kubelet containerd volumes; do
  mkdir -p "$S/$folder" "/var/lib/$folder"
  mount --bind "$S/$folder" "/var/lib/$folder"
done
echo 1 > /proc/sys/net/ipv4/ip_forward
ip link set lo up
until ip link show "$PEER" >/dev/null 2>&1; do sleep 0.05; done
ip link set "$PEER" name eth0
ip addr add "$NODE/30" dev eth0
ip link set eth0 up
# A local process needs a route before its packet to a Service is translated. There is no default route: no packet leaves the machine.
ip route add "$SERVICES" via "$HOST"
if [ "$POLICIES" = yes ]; then
  # All that concerns pods is judged by the agent in user space, and nothing passes while there is none.
  rule() { iptables-nft -t mangle "$@"; }
  rule -N POLICY
  rule -A POSTROUTING -j POLICY
  rule -A POLICY -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
  # The node itself, whose probes come from an address in the pods' range; and the host: tests and webhooks.
  rule -A POLICY -m addrtype --src-type LOCAL -j ACCEPT
  rule -A POLICY -s "$HOST" -j ACCEPT
  rule -A POLICY -s "$PODS" -j NFQUEUE --queue-num 100
  rule -A POLICY -d "$PODS" -j NFQUEUE --queue-num 100
fi
"$CONTAINERD" -c "$S/containerd.toml" >> "$S/logs/containerd.log" 2>&1 &
# The API server starts meanwhile.
until [ -e "$S/go" ]; do sleep 0.05; done
"$KUBELET" --config="$S/kubelet.yaml" --kubeconfig="$S/$NAME.kubeconfig" --hostname-override="$NAME" --node-ip="$NODE" \
  --root-dir=/var/lib/kubelet --cert-dir=/var/lib/kubelet/pki >> "$S/logs/kubelet.log" 2>&1 &
"$PROXY" --config="$S/proxy.yaml" >> "$S/logs/kube-proxy.log" 2>&1 &
# Reaps.
set +e
while true; do wait -n; sleep 0.5; done
