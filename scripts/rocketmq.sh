#!/usr/bin/env bash
# A local RocketMQ 5.x (name server and broker) for development and tests, out of Maven Central.
# It keeps everything in one state folder and listens on the loopback, with one exception: the port
# for replicas (BROKER_PORT+1) is bound to every address, which no setting of the broker changes
# (its HAService takes a port alone), and who reaches it can read what the broker keeps. On a
# machine that others reach, close it with a firewall, or run all of this in a network namespace.
#
#   rocketmq.sh up|down|status|kill-broker|start-broker|clean
#
# ROCKETMQ_STATE  state folder                  (default: .rocketmq in the current folder)
# NAMESRV_PORT    name server                   (default: 9876; clients connect here)
# BROKER_PORT     broker                        (default: 10911; it also takes the two beside it)
# ROCKETMQ_FLUSH  SYNC_FLUSH (default) or ASYNC_FLUSH, which survives a kill, not a lost host
# ROCKETMQ_VERSION, BROKER_HEAP, NAMESRV_HEAP   (defaults: 5.5.0, 1g, 128m)
set -eu

VERSION=${ROCKETMQ_VERSION:-5.5.0}
STATE=${ROCKETMQ_STATE:-$PWD/.rocketmq}
NAMESRV_PORT=${NAMESRV_PORT:-9876}
BROKER_PORT=${BROKER_PORT:-10911}
HOST=127.0.0.1
FLUSH=${ROCKETMQ_FLUSH:-SYNC_FLUSH}
JARS=$STATE/jars-$VERSION

fail() { echo "rocketmq: $*" >&2; exit 1; }
pid_of() { cat "$STATE/run/$1.pid" 2>/dev/null; }

# A recycled pid must not pass for ours: the command line names the state folder.
alive() {
  local pid; pid=$(pid_of "$1") && kill -0 "$pid" 2>/dev/null &&
    tr '\0' ' ' 2>/dev/null < "/proc/$pid/cmdline" | grep -qF -- "-Drocketmq.home.dir=$STATE "
}

fetch() {
  [ -f "$JARS/.complete" ] && return
  command -v java >/dev/null || fail "java is missing: install a JDK 11 or newer"
  command -v mvn >/dev/null || fail "mvn is missing: install Maven"
  echo "fetching RocketMQ $VERSION (about 90 MB, once)"
  mkdir -p "$JARS"
  cat > "$STATE/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>rocketmq</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-namesrv</artifactId><version>$VERSION</version></dependency>
    <dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-broker</artifactId><version>$VERSION</version></dependency>
  </dependencies>
</project>
POM
  (cd "$STATE" && mvn -q -B dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$JARS") || fail "Maven could not fetch RocketMQ $VERSION"
  touch "$JARS/.complete"
}

configure() {
  mkdir -p "$STATE/run" "$STATE/conf" "$STATE/home" "$STATE/store"
  local part
  for part in namesrv broker; do
    unzip -qoj "$JARS/rocketmq-$part-$VERSION.jar" "rmq.$part.logback.xml" -d "$STATE/conf" 2>/dev/null ||
      (cd "$STATE/conf" && jar xf "$JARS/rocketmq-$part-$VERSION.jar" "rmq.$part.logback.xml")
  done
  printf 'bindAddress=%s\nlistenPort=%s\n' "$HOST" "$NAMESRV_PORT" > "$STATE/conf/namesrv.conf"
  # autoCreateTopicEnable=false: relaymesh
  # creates its topics with a number of queues of its own; a typo must not create another.
  cat > "$STATE/conf/broker.conf" <<CONF
brokerClusterName=DefaultCluster
brokerName=broker-a
brokerId=0
bindAddress=$HOST
brokerIP1=$HOST
listenPort=$BROKER_PORT
namesrvAddr=$HOST:$NAMESRV_PORT
brokerRole=ASYNC_MASTER
flushDiskType=$FLUSH
autoCreateTopicEnable=false
autoCreateSubscriptionGroup=true
storePathRootDir=$STATE/store
storePathCommitLog=$STATE/store/commitlog
mappedFileSizeCommitLog=134217728
diskMaxUsedSpaceRatio=95
CONF
}

launch() { # part, heap, main class
  local opens=() package
  for package in java.nio sun.nio.ch java.lang; do
    opens+=("--add-opens=java.base/$package=ALL-UNNAMED")
  done
  ROCKETMQ_HOME=$STATE setsid nohup java -server "-Xms$2" "-Xmx$2" -XX:+UseG1GC \
    -XX:MaxDirectMemorySize=512m "${opens[@]}" --add-exports=java.base/jdk.internal.ref=ALL-UNNAMED \
    "-Duser.home=$STATE/home" "-Drocketmq.home.dir=$STATE" -Djava.net.preferIPv4Stack=true \
    "-Drmq.logback.configurationFile=$STATE/conf/rmq.$1.logback.xml" \
    -cp "$STATE/conf:$JARS/*" "$3" -c "$STATE/conf/$1.conf" \
    > "$STATE/run/$1.out" 2>&1 < /dev/null &
  echo $! > "$STATE/run/$1.pid"
}

listens() { (exec 3<> "/dev/tcp/$HOST/$1") 2>/dev/null; }

# A broker that listens is of no use before the name server knows it; both say when they are done.
wait_until_up() { # part, port
  local _
  for _ in $(seq 600); do
    grep -q "boot success" "$STATE/run/$1.out" && { echo "$1 up on $HOST:$2"; return; }
    alive "$1" || { tail -n 5 "$STATE/run/$1.out" >&2; fail "$1 died, see $STATE/run/$1.out"; }
    sleep 0.1
  done
  fail "$1 is not up on port $2 after 60 s, see $STATE/run/$1.out"
}

start() { # part, port, heap, main class
  if alive "$1"; then echo "$1 is up already"; return; fi
  ! listens "$2" || fail "port $2 is in use by something else: choose another for the $1"
  launch "$1" "$3" "$4"
  wait_until_up "$1" "$2"
}

start_namesrv() {
  start namesrv "$NAMESRV_PORT" "${NAMESRV_HEAP:-128m}" org.apache.rocketmq.namesrv.NamesrvStartup
}
start_broker() {
  start broker "$BROKER_PORT" "${BROKER_HEAP:-1g}" org.apache.rocketmq.broker.BrokerStartup
}

stop() { # part
  alive "$1" || { rm -f "$STATE/run/$1.pid"; return 0; }
  local pid _; pid=$(pid_of "$1")
  kill "$pid"
  for _ in $(seq 150); do alive "$1" || break; sleep 0.1; done
  ! alive "$1" || kill -9 "$pid"
  rm -f "$STATE/run/$1.pid"
  echo "$1 stopped"
}

# Returns when the broker is gone: until then its ports are taken.
kill_broker() {
  alive broker || fail "the broker is down"
  local _
  kill -9 "$(pid_of broker)"
  for _ in $(seq 250); do alive broker || listens "$BROKER_PORT" || break; sleep 0.02; done
  rm -f "$STATE/run/broker.pid"
}

status() {
  local part rc=0
  for part in namesrv broker; do
    if alive "$part"; then echo "$part up, pid $(pid_of "$part")"; else echo "$part down"; rc=3; fi
  done
  echo "clients connect to $HOST:$NAMESRV_PORT"
  return $rc
}

case "${1:-}" in
  up) mkdir -p "$STATE"; fetch; configure; start_namesrv; start_broker ;;
  down) stop broker; stop namesrv ;;
  status) status ;;
  kill-broker) kill_broker ;;
  start-broker) start_broker ;;
  clean)
    ! alive broker && ! alive namesrv || fail "still up: run down first"
    rm -rf "$STATE/store" "$STATE/home"
    ;;
  *) echo "usage: rocketmq.sh up|down|status|kill-broker|start-broker|clean" >&2; exit 2 ;;
esac
