# Recipes for those who work on relaymesh. `just` alone lists them.

_list:
    @just --list

# Run the tests
test *arguments:
    python -m pytest {{arguments}}

# Style, types and the folder rule
lint:
    ruff check .
    ruff format --check .
    mypy
    lint-imports

# Write configs/*.toml and the keys that reload from the settings, after a key has changed
configs:
    for role in access relay router logic; do python -m ops config example $role > configs/$role.toml; done
    PYTHONPATH=. python docs/reload_table.py

# Our edge beside a C loop, nats-server, mosquitto and centrifugo: those that are on PATH
bench-peers *arguments:
    python -m bench.peers {{arguments}}

# Everything that CI checks
ci:
    .ci/run

# A local RocketMQ 5.x broker out of Maven Central: up, down, status, kill-broker, start-broker, clean
rocketmq command:
    scripts/rocketmq.sh {{command}}

# The RocketMQ client with its native library
rocketmq-client:
    python -m backends.bus.rocketmq.install

# The tests that need a RocketMQ broker (`just rocketmq up` first)
test-rocketmq *arguments:
    python -m pytest -m rocketmq {{arguments}}

# Three regions as network namespaces: up, down, status, delay, loss, cut, heal (needs root)
netns +command:
    scripts/netns.sh {{command}}
