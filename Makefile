# make run:   install what is missing, then serve (ARGS="--port 9000" goes to visavis serve)
# make test:  install what is missing, then check the style and types, then run the tests (PYTEST="-k word")
# make lint:  style and types only
# make bench: measure against a running server (ARGS goes to visavis bench)
# make lock:  resolve the dependencies again (needs uv)
# make clean: remove what the others made

.PHONY: run test lint bench lock clean
.DEFAULT_GOAL := run

BIN := .venv/bin

run:
	@tools/bootstrap.sh run
	@exec $(BIN)/visavis serve $(ARGS)

test: lint
	$(BIN)/python -m pytest $(PYTEST)

lint:
	@tools/bootstrap.sh test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench:
	@tools/bootstrap.sh test
	$(BIN)/visavis bench $(ARGS)

# Universal: one file for every platform and Python from 3.11 to 3.13; no trace of where the packages came from.
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-config pyproject.toml

lock:
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) --extra dev --constraint requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf .venv dist .pytest_cache .ruff_cache .hypothesis
	find src tests benchmarks tools -name __pycache__ -type d -prune -exec rm -rf {} +
