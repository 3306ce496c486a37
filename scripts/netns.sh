#!/usr/bin/env bash
# Regions on one machine: each host of each region is a network namespace, and what lies between
# them takes its time. Made with iproute2 and tc; needs root.
#
#   netns.sh up|down|status           status also measures the round trips
#   netns.sh delay REGION MS          round trip between REGION and the others
#   netns.sh loss REGION PERCENT      of the packets, each way, on the link of REGION
#   netns.sh cut REGION               the link of REGION swallows everything
#   netns.sh heal REGION              the link works again, without loss; its delay stays
#   netns.sh link REGION MS PERCENT up|cut     all of it at once
#
# REGION may be `all`. A host's namespace is rm-REGION-HOST (rm-eu-access-1): run a program there
# with `ip netns exec rm-eu-access-1 PROGRAM`. A region is a bridge and a router (rm-REGION); the
# routers meet on the backbone's bridge (rm-wan). This machine itself is in each region's network
# as the last host, where clients and tests run.
#
#     10.77.REGION.HOST, regions from 1 on; .1 the router, .11 relay-1, .21 access-1, .31 router-1,
#     .41 logic-1, .50 store, .254 this machine
#
# Delays are round trips. Each host delays what it sends by half of LAN_MS. The link of a region
# with MS delays each packet by MS/4 at both of its ends, so that a round trip between two regions
# takes the mean of their MS. tc's netem does it where the kernel has it, else netns/delay_line.py.
#
# Exit codes: 0, 1 failed, 2 usage, 3 down (status), 77 namespaces can't be made here.
#
# REGIONS (eu us ap), RELAYS (3), ACCESS (2), ROUTERS (1), LOGICS (1)     what `up` makes
# LAN_MS (1), WAN_MS (80)                                                 delays that `up` sets
# NETNS_PREFIX (rm-), NETNS_NET (10.77)   for a second one beside it;  NETNS_DELAY_LINE=1: no netem
set -eu

PREFIX=${NETNS_PREFIX:-rm-}
NET=${NETNS_NET:-10.77}
LAN_MS=${LAN_MS:-1}
WAN_MS=${WAN_MS:-80}
STATE=/run/${PREFIX}netns
HERE=$(cd "$(dirname "$0")" && pwd)
CANNOT=77

fail() { echo "netns: $*" >&2; exit 1; }
usage() { sed -n '5,10s/^#  *//p' "$0" >&2; exit 2; }
cannot() { echo "netns: namespaces can't be made here: $*" >&2; exit $CANNOT; }

# What there is: regions and, one a line, their hosts as NAME LAST_BYTE_OF_ADDRESS.

plan_hosts() {
  local role count first n
  while read -r role count first; do
    for n in $(seq "$count"); do echo "$role-$n $((first + n))"; done
  done <<ROLES
relay ${RELAYS:-3} 10
access ${ACCESS:-2} 20
router ${ROUTERS:-1} 30
logic ${LOGICS:-1} 40
ROLES
  echo "store 50"
}

regions() { cat "$STATE/regions"; }
number_of() { regions | grep -nx "$1" | cut -d: -f1; }

# Whether it can be done at all, and by which means.

require_namespaces() {
  local program said
  [ "$(uname -s)" = Linux ] || cannot "this is $(uname -s), not Linux"
  for program in ip tc python3; do
    command -v $program >/dev/null || cannot "$program is missing (iproute2 has ip and tc)"
  done
  [ "$(id -u)" = 0 ] || cannot "root is needed, try sudo"
  said=$(ip netns add "${PREFIX}probe" 2>&1) || cannot "${said%%$'\n'*}"
  if ! said=$(ip -n "${PREFIX}probe" link set lo up 2>&1); then
    ip netns del "${PREFIX}probe" 2>/dev/null || true
    cannot "${said%%$'\n'*}"
  fi
}

# Prints `netem` or `line`, out of the namespace that require_namespaces has made.
choose_means() {
  if [ -z "${NETNS_DELAY_LINE:-}" ] &&
    tc -n "${PREFIX}probe" qdisc add dev lo root netem delay 1ms 2>/dev/null; then
    echo netem
  elif said=$(ip -n "${PREFIX}probe" tuntap add dev probe mode tap 2>&1); then
    echo line
  else
    ip netns del "${PREFIX}probe"
    cannot "the kernel has neither netem nor TAP devices: ${said%%$'\n'*}"
  fi
}

# A wire: two interfaces in two namespaces. With netem a pair of veths, else of TAP devices with
# delay_line.py between them.
wire() { # name, namespace, interface, namespace, interface
  echo "$@" >> "$STATE/wires"
  if [ "$MEANS" = netem ]; then
    ip -n "$2" link add dev "$3" type veth peer name "$5" netns "$4"
  else
    ip -n "$2" tuntap add dev "$3" mode tap
    ip -n "$4" tuntap add dev "$5" mode tap
  fi
}

make_backbone() {
  ip netns add "${PREFIX}wan"
  ip -n "${PREFIX}wan" -batch - <<BATCH
link set lo up
link add wan type bridge
link set wan up
BATCH
}

make_region() { # region, its number
  local ns=$PREFIX$1 door=$PREFIX$1 other
  ip netns add "$ns"
  ip netns exec "$ns" sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
  wire "$1" "$ns" wan "${PREFIX}wan" "$1"
  ip link add "$door" type veth peer name door netns "$ns"
  ip addr add "$NET.$2.254/24" dev "$door"
  ip link set "$door" up
  ip -n "${PREFIX}wan" link set dev "$1" master wan up
  {
    printf '%s\n' "link set lo up" "link add lan type bridge" "addr add $NET.$2.1/24 dev lan" \
      "link set lan up" "link set door master lan up" \
      "addr add $NET.0.$2/24 dev wan" "link set wan up"
    for other in $(seq "$(regions | wc -l)"); do
      [ "$other" = "$2" ] || echo "route add $NET.$other.0/24 via $NET.0.$other"
    done
  } | ip -n "$ns" -batch -
}

make_host() { # region, its number, host, last byte of the address
  local ns=$PREFIX$1-$3
  ip netns add "$ns"
  wire "$1-$3" "$ns" eth0 "$PREFIX$1" "$3"
  ip -n "$PREFIX$1" link set dev "$3" master lan up
  ip -n "$ns" -batch - <<BATCH
link set lo up
addr add $NET.$2.$4/24 dev eth0
link set eth0 up
route add default via $NET.$2.1
BATCH
}

# The conduct of each wire, one a line: NAME OUT_MS BACK_MS LOSS_PERCENT up|cut.
write_conduct() {
  awk -v lan="$(cat "$STATE/lan_ms")" '
    FILENAME ~ /hosts$/ { hosts[n++] = $1; next }
    {
      print $1, $2 / 4, $2 / 4, $3, $4
      for (i = 0; i < n; i++) print $1 "-" hosts[i], lan / 2, 0, 0, "up"
    }' "$STATE/hosts" "$STATE/links" > "$STATE/conduct.new"
  mv "$STATE/conduct.new" "$STATE/conduct"
}

apply() {
  write_conduct
  if [ "$MEANS" = line ]; then kill -HUP "$(line_pid)"; else apply_netem; fi
}

apply_netem() {
  local name ns_a if_a ns_b if_b out back loss cut
  while read -r name ns_a if_a ns_b if_b; do
    read -r _ out back loss cut < <(grep "^$name " "$STATE/conduct")
    [ "$cut" = up ] || loss=100
    netem "$ns_a" "$if_a" "$out" "$loss"
    netem "$ns_b" "$if_b" "$back" "$loss"
  done < "$STATE/wires"
}

netem() { # namespace, interface, delay in ms, loss in percent
  [ "$3 $4" != "0 0" ] || return 0
  tc -n "$1" qdisc replace dev "$2" root netem limit 20000 delay "$3ms" loss "$4%"
}

# delay_line.py, known by its pid and its command line.

line_pid() { cat "$STATE/delay_line.pid" 2>/dev/null; }
line_alive() {
  local pid; pid=$(line_pid) && tr '\0' ' ' 2>/dev/null < "/proc/$pid/cmdline" |
    grep -qF "delay_line.py $STATE "
}

start_line() {
  local _
  # Nothing of the caller's stays open in it: who reads `up`'s output must see its end.
  setsid nohup python3 "$HERE/netns/delay_line.py" "$STATE" > "$STATE/delay_line.out" 2>&1 \
    < /dev/null &
  echo $! > "$STATE/delay_line.pid"
  for _ in $(seq 100); do
    grep -q ready "$STATE/delay_line.out" && return
    kill -0 "$(line_pid)" 2>/dev/null || break
    sleep 0.05
  done
  fail "the delay line does not start: $(tail -n 1 "$STATE/delay_line.out")"
}

is_up() {
  [ -e "$STATE/complete" ] || return 1
  MEANS=$(cat "$STATE/means")
  [ "$MEANS" = netem ] || line_alive
}

# Names of regions become names of interfaces, which have at most 15 characters.
require_names() {
  local region most=$((15 - ${#PREFIX}))
  for region in ${REGIONS:-eu us ap}; do
    [[ $region =~ ^[a-z0-9][a-z0-9-]*$ && ${#region} -le $most && $region != wan ]] ||
      { echo "netns: REGIONS: '$region' is none of 1 to $most of a-z 0-9 -, but not wan" >&2; exit 2; }
  done
}

require_up() { is_up || fail "down; run netns.sh up first"; }

up() {
  local region host byte n=0
  if is_up; then echo "up already: $(regions | xargs), delays by $(means_in_words)"; return; fi
  require_names
  remove
  require_namespaces
  MEANS=$(choose_means)
  ip netns del "${PREFIX}probe"
  mkdir -p "$STATE"
  trap 'remove' EXIT
  printf '%s\n' ${REGIONS:-eu us ap} > "$STATE/regions"
  plan_hosts > "$STATE/hosts"
  echo "$MEANS" > "$STATE/means"
  echo "$LAN_MS" > "$STATE/lan_ms"
  make_backbone
  for region in $(regions); do
    n=$((n + 1))
    echo "$region $WAN_MS 0 up" >> "$STATE/links"
    make_region "$region" $n
    while read -r host byte; do make_host "$region" $n "$host" "$byte"; done < "$STATE/hosts"
  done
  write_conduct
  if [ "$MEANS" = line ]; then start_line; else apply_netem; fi
  touch "$STATE/complete"
  trap - EXIT
  echo "up: $(regions | xargs), $(wc -l < "$STATE/hosts") hosts each, delays by $(means_in_words)"
}

means_in_words() {
  if [ "$MEANS" = netem ]; then echo "tc netem"; else echo "delay_line.py, pid $(line_pid)"; fi
}

# Ends what runs inside, too.
remove() {
  local ns pid link
  ! line_alive || kill "$(line_pid)"
  for ns in $(ip netns list 2>/dev/null | awk -v p="$PREFIX" 'index($1, p) == 1 { print $1 }'); do
    for pid in $(ip netns pids "$ns"); do kill -9 "$pid" 2>/dev/null || true; done
  done
  for link in $(cat "$STATE/regions" 2>/dev/null); do
    ip link del "$PREFIX$link" 2>/dev/null || true
  done
  for ns in $(ip netns list 2>/dev/null | awk -v p="$PREFIX" 'index($1, p) == 1 { print $1 }'); do
    ip netns del "$ns"
  done
  rm -rf "$STATE"
}

down() {
  [ "$(id -u)" = 0 ] || cannot "root is needed, try sudo"
  if [ -e "$STATE" ] || ip netns list | grep -q "^$PREFIX"; then remove; echo "down"
  else echo "down already"; fi
}

status() {
  local region ms loss cut other
  if ! is_up; then echo "down"; exit 3; fi
  echo "delays by $(means_in_words); hosts $(cut -d' ' -f1 "$STATE/hosts" | xargs)"
  while read -r region ms loss cut; do
    echo "$region  $NET.$(number_of "$region").0/24  link $cut, $ms ms, loss $loss %"
  done < "$STATE/links"
  echo "round trips in ms, access-1 to relay-1 (median of 5):"
  for region in $(regions); do
    ip netns exec "$PREFIX$region-access-1" python3 "$HERE/netns/round_trip.py" "$region" \
      $(for other in $(regions); do echo "$other=$NET.$(number_of "$other").11"; done)
  done
}

# change REGION COLUMN VALUE...: sets columns of the region's line in `links`, and applies it.
change() {
  require_up
  [ "$1" = all ] || regions | grep -qxF -- "$1" || fail "no region $1; there are $(regions | xargs)"
  awk -v region="$1" -v changes="${*:2}" '
    region == "all" || $1 == region {
      n = split(changes, pair, " "); for (i = 1; i < n; i += 2) $(pair[i]) = pair[i + 1]
    }
    { print }' "$STATE/links" > "$STATE/links.new"
  mv "$STATE/links.new" "$STATE/links"
  apply
}

# number WORD MOST: refuses what is no number from 0 to MOST.
number() {
  [[ $1 =~ ^[0-9]{1,6}(\.[0-9]{1,3})?$ ]] && awk -v n="$1" -v most="$2" 'BEGIN { exit n > most }' ||
    { echo "netns: expected a number from 0 to $2, got '$1'" >&2; exit 2; }
}

case "${1:-} $#" in
  "up 1") up ;;
  "down 1") down ;;
  "status 1") status ;;
  "delay 3") number "$3" 60000; change "$2" 2 "$3" ;;
  "loss 3") number "$3" 100; change "$2" 3 "$3" ;;
  "cut 2") change "$2" 4 cut ;;
  "heal 2") change "$2" 3 0 4 up ;;
  "link 5")
    number "$3" 60000; number "$4" 100; [[ $5 =~ ^(up|cut)$ ]] || usage
    change "$2" 2 "$3" 3 "$4" 4 "$5"
    ;;
  *) usage ;;
esac
