#!/usr/bin/env bash
# Installs or upgrades the chart: scripts/deploy.sh [NAMESPACE] [RELEASE] [helm's options, as in --set image.tag=1.0]
set -euo pipefail
cd "$(dirname "$0")/.."

namespace=${1:-default}
release=${2:-test-session-agent}
[[ $release =~ ^[a-z][a-z0-9-]{0,39}$ ]] ||
    { echo "A release has at most 40 small letters, digits and '-', and begins with a letter." >&2; exit 1; }
[ -f deployment/helm/Chart.yaml ] || { echo "There is no chart yet: strands-session generate helm" >&2; exit 1; }

helm upgrade --install "$release" deployment/helm --namespace "$namespace" --create-namespace "${@:3}"
# The agent's pods wait for this secret, and start by themselves when it is there.
session_backend/create-key.sh "$namespace" "$release-session-api" "$release-session-key"
kubectl rollout status "deployment/$release" --namespace "$namespace" --timeout 5m
