#!/usr/bin/env bash
# Gives the agent a key for the session backend in Kubernetes, once: session_backend/create-key.sh NAMESPACE DEPLOYMENT SECRET
set -euo pipefail

namespace=${1:?which namespace?}
deployment=${2:?which deployment is the session backend?}
secret=${3:?which secret shall hold the key?}

if kubectl get secret "$secret" --namespace "$namespace" >/dev/null 2>&1; then
    echo "The secret $secret is there already."
    exit 0
fi
kubectl rollout status "deployment/$deployment" --namespace "$namespace" --timeout 5m
key=$(kubectl exec "deployment/$deployment" --namespace "$namespace" -- \
    flask keys create --tenant default --name test-session-agent --scope read --scope write --scope delete | tail -n 1)
# From standard input: as an argument it could be read in the list of processes.
printf %s "$key" |
    kubectl create secret generic "$secret" --namespace "$namespace" --from-file SESSION_BACKEND_API_KEY=/dev/stdin
