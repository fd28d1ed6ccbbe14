# The commands of the project. `make` lists them. Everything they need they install by themselves.
STACK ?= local
SHELL := /bin/sh
# `aliyun` where the stack's file says so: its SDK and plugin are provided only then.
TARGET := $(shell sed -n 's/^ *matrix:target: *"\{0,1\}aliyun"\{0,1\} *$$/aliyun/p' Pulumi.$(STACK).yaml 2>/dev/null)
OPS = MATRIX_ENV=$(or $(TARGET),run) && . ./activate && exec python -m
TESTS = MATRIX_ENV=test && . ./activate &&

.DEFAULT_GOAL := help
.PHONY: help up preview price status outputs token invite dashboards reissue down purge secrets images pin toolchain toolchain-test test lint \
        reliability alert-faults outages pictures load federation golden rehearse rehearse-down

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18
	@echo "  Another stack than local: STACK=name"

# Only what was written after the command counts: a variable of that name in the environment is somebody else's.
up: export MATRIX_REPLACE = $(if $(findstring command,$(origin REPLACE)),$(REPLACE))
up: toolchain ## deploy the stack and wait until it serves; REPLACE=host for a new host on Aliyun with the old data
	@$(OPS) ops.up --stack $(STACK)

# As for REPLACE.
preview: export MATRIX_PREVIEW_SUMMARY = $(if $(findstring command,$(origin SUMMARY)),$(SUMMARY))
preview: export MATRIX_PREVIEW_BASE = $(if $(findstring command,$(origin BASE)),$(BASE))
preview: toolchain ## show what `make up` would change; SUMMARY=file BASE=ref for a pull request
	@$(OPS) ops.preview --stack $(STACK)

price: toolchain ## what a stack on Aliyun costs; asked of Aliyun where there is an access key
	@$(OPS) ops.price --stack $(STACK)

# As for REPLACE.
status: export MATRIX_STATUS_JSON = $(if $(findstring command,$(origin JSON)),$(JSON))
status: toolchain ## what works, what does not, what to do; JSON=1 for machines
	@$(OPS) ops.status --stack $(STACK)

outputs: toolchain ## the stack's outputs as JSON, secrets masked
	@$(OPS) ops.outputs --stack $(STACK)

token: toolchain ## show the registration token
	@$(OPS) ops.registration_token --stack $(STACK)

invite: export MATRIX_INVITE = $(if $(findstring command,$(origin NAME)),$(NAME))
invite: toolchain ## an account for a new user, or how to make one; NAME=alice
	@$(OPS) ops.invite --stack $(STACK)

dashboards: toolchain ## where what was measured is looked at; to a host over ssh, through a tunnel until Ctrl-C
	@$(OPS) ops.dashboards --stack $(STACK)

reissue: toolchain ## with ACME: a new certificate with a new key, after a leak or a revocation
	@$(OPS) ops.reissue --stack $(STACK)

down: toolchain ## remove what the stack declared; conversations, CA, keys and secrets stay
	@$(OPS) ops.down --stack $(STACK)

purge: toolchain ## ask, then remove those too
	@$(OPS) ops.purge --stack $(STACK)

secrets: toolchain ## make the secrets that the stack lacks
	@$(OPS) ops.secrets --stack $(STACK)

images: toolchain ## prepare the slow inputs of the images that are built from packages
	@$(OPS) ops.images

pin: toolchain ## write the digest of every image into the lock; registryPrefix or Docker Hub is asked
	@$(OPS) ops.pin --stack $(STACK)

toolchain: ## provide Pulumi, its plugins, the Python packages and a Docker engine
	@python3 toolchain/provide.py --for $(or $(TARGET),local) >&2

toolchain-test: ## the same, with what the tests need
	@python3 toolchain/provide.py --for tests >&2

lint: toolchain-test ## types and style
	@$(TESTS) ruff format --check . && ruff check . && mypy

test: toolchain-test ## all tests
	@$(TESTS) sh tests/run

reliability: toolchain-test ## let things break in stacks of the tests; write docs/reliability.md and aliyun-faults.md anew
	@$(TESTS) env WRITE_RELIABILITY=1 pytest -q tests/e2e/test_faults.py tests/aliyun/test_plugin_faults.py

alert-faults: export SCALE := $(if $(findstring command,$(origin SCALE)),$(SCALE),0.1)
alert-faults: toolchain-test ## let what alerts are about happen to a stack of the tests; SCALE=1 for the durations as shipped; write docs/alert-faults.md anew
	@$(TESTS) env WRITE_ALERT_FAULTS=1 pytest -q -s tests/e2e/measure_alert_faults.py

outages: toolchain-test ## change setting after setting of a stack of the tests and write down how long nobody answered
	@$(TESTS) env WRITE_OUTAGES=1 pytest -q tests/e2e/test_changes.py tests/e2e/test_change_homeserver.py tests/registry/test_stack.py

pictures: toolchain-test ## let people use a monitored stack of the tests for ten minutes; draw its dashboards in docs/pictures anew
	@$(TESTS) env WRITE_PICTURES=1 pytest -q tests/e2e/test_monitoring.py -k 'every_target or every_panel'

load: toolchain-test ## let people use a stack of the tests as fast as it answers; write what monitoring costs into docs/monitoring.md
	@$(TESTS) pytest -q tests/e2e/measure_monitoring.py

federation: toolchain-test ## let the stacks of the tests federate, each homeserver with each; write docs/federation.md anew
	@$(TESTS) env WRITE_FEDERATION=1 pytest -q tests/federation

rehearse: toolchain-test ## deploy a stack for Aliyun on an emulated Aliyun, whose hosts boot on this machine; STACK=dev
	@$(TESTS) exec python -m tests.aliyun.rehearse up --stack $(STACK)

rehearse-down: toolchain-test ## remove the rehearsed stack, its host and the emulated Aliyun
	@$(TESTS) exec python -m tests.aliyun.rehearse down

golden: toolchain-test ## write the golden graphs anew; review the difference
	@$(TESTS) env WRITE_GOLDEN=1 pytest -q tests/golden tests/unit/test_cloud_init.py
