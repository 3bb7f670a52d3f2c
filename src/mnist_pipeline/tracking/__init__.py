"""MLflow: what DVC built as runs and registered versions, and how to find them again. Only this folder imports mlflow.

connection  a client of the store
versions    what the registry holds
publishing  one run and one version for each model and content
doubles     what several made of one content
champion    who bears the alias, who bore it, and why
pulling     a registered model as a folder of files
relocation  a store that moved
"""

import os

# MLflow reads its switches when it is imported
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # credentials may stand in it
