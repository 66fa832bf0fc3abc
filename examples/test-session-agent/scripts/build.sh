#!/usr/bin/env bash
# Builds the images: scripts/build.sh [TAG]
set -euo pipefail
cd "$(dirname "$0")/.."

tag=${1:-latest}
docker build --tag "test-session-agent:$tag" --file deployment/docker/Dockerfile .
docker build --tag "test-session-agent-session-api:$tag" session_backend
