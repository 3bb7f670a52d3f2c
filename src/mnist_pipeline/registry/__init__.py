"""The model registry: what DVC built, as runs and versions in MLflow. The only room that imports mlflow.

Stands on core, networks, training, results and commits.
"""

import os

# MLflow reads its switches when it is imported
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # credentials may stand in it
