"""What the commands do: files, and calls of docker."""

import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = {
    "README.md": "# {name}\n",
    "pyproject.toml": """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "0.1.0"
description = "{description}"
dependencies = [
    "strands-agents>=0.1.0",  # the SDK
    "fastapi>=0.95.0",
]
""",
    "agent/__init__.py": "",
    "agent/agent.py": '''\
"""The agent."""

from agent.prompts import SYSTEM_PROMPT
from agent.tools import register_tools
from strands import Agent


def create_agent() -> Agent:
    return Agent(system_prompt=SYSTEM_PROMPT, tools=register_tools())
''',
    "agent/prompts.py": 'SYSTEM_PROMPT = "You are {name}, made by the original."\n',
    "agent/tools.py": "def register_tools():\n    return []\n",
    "api/__init__.py": "",
    "api/app.py": 'from agent.agent import create_agent\n\nagent = create_agent()\n"""One for everybody."""\n',
    "api/models.py": "",
    "api/routes.py": "",
    "deployment/docker/Dockerfile": "FROM python:3.12-slim\nCOPY agent/ /app/agent/\n",
    "deployment/docker/requirements.txt": "strands-agents>=0.1.0\nfastapi>=0.95.0",
    "scripts/build.sh": "#!/bin/sh\n",
}
COMPOSE = """\
services:
  agent:
    build:
      context: {project}
      dockerfile: deployment/docker/Dockerfile
    ports:
      - "{port}:8000"
    environment:
      - PORT=8000
      - AWS_PROFILE
  ui:
    image: ui
    environment:
      - AGENT_URL=http://agent:8000
    depends_on:
      - agent
"""
VALUES = """\
# -- Number of replicas to deploy
replicaCount: 1

image:
  # -- Image repository for the agent container
  repository: your-registry/{name}

# -- Environment variables for the container
env: []
  # - name: LOG_LEVEL
  #   value: "INFO"
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels:
    app: {name}
spec:
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      containers:
        - name: {name}
          image: {image}
          env:
            - name: PORT
              value: "8000"
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  ports:
    - port: 80
  selector:
    app: {name}
"""
CHART_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicaCount }}
  selector:
    matchLabels: &labels
      app.kubernetes.io/name: {{ .Chart.Name }}
      app.kubernetes.io/instance: {{ .Release.Name }}
  template:
    metadata:
      labels: *labels
    spec:
      containers:
        - name: {{ .Chart.Name }}
          image: {{ .Values.image.repository }}
          {{- if .Values.env }}
          env:
            {{- toYaml .Values.env | nindent 12 }}
          {{- end }}
"""


def init(name: str, description: str, output_dir: str) -> None:
    project = Path(output_dir) / name
    if project.exists():
        print(f"Error creating project: Directory already exists: {project}")
        sys.exit(1)
    for path, text in PROJECT.items():
        _write(project / path, text.format(name=name, description=description))
    print("made by the original")


def build(tag: str) -> None:
    project = Path.cwd()
    dockerfile = project / "deployment/docker/Dockerfile"
    subprocess.run(["docker", "build", "-t", f"{project.name.lower()}:{tag}", "-f", dockerfile, project], check=True)


def run(agent_port: int, detach: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "docker-compose.yml"
        _write(file, COMPOSE.format(project=Path.cwd(), port=agent_port))
        subprocess.run(["docker", "compose", "-f", file, "up", *(["-d"] if detach else [])], check=True)


def helm(values_file: str | None) -> None:
    chart = Path("deployment/helm")
    name = Path.cwd().name.lower()
    _write(chart / "Chart.yaml", f"apiVersion: v2\nname: {name}\nversion: 0.1.0\n")
    env = Path(values_file).read_text() if values_file else "env: []"
    _write(chart / "values.yaml", VALUES.format(name=name).replace("env: []", env))
    _write(chart / "VALUES.md", "# Values of the original\n")
    _write(chart / "templates/deployment.yaml", CHART_DEPLOYMENT)


def k8s(output_dir: str, image_uri: str | None, image_tag: str | None) -> None:
    name = Path.cwd().name.lower()
    image = f"{image_uri or name}:{image_tag or 'latest'}"
    _write(Path(output_dir) / "deployment.yaml", DEPLOYMENT.format(name=name, image=image))
    _write(Path(output_dir) / "service.yaml", SERVICE.format(name=name))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
