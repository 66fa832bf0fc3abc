#!/usr/bin/env bash
# Pushes the images that build.sh built: scripts/push.sh REGISTRY [TAG]
set -euo pipefail

registry=${1:?which registry? for example registry.example.com/agents}
tag=${2:-latest}
for image in test-session-agent test-session-agent-session-api; do
    docker tag "$image:$tag" "$registry/$image:$tag"
    docker push "$registry/$image:$tag"
done
