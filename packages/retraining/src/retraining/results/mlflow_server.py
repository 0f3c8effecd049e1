"""MLflow's pages in one process: ``python -m retraining.results.mlflow_server PORT STORE ARTIFACTS``.

``mlflow server`` loads MLflow twice, which takes twice as long, and starts workers for jobs of its own that
need 300 MB each. tests/results/test_mlflow_ui.py holds what of MLflow this depends on.
"""

import os
import sys


def main() -> None:
    port, store, artifacts = sys.argv[1:]
    os.environ |= {
        "_MLFLOW_SERVER_FILE_STORE": store,
        "_MLFLOW_SERVER_REGISTRY_STORE": store,
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": artifacts,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "false",
    }
    import uvicorn

    uvicorn.run("mlflow.server.fastapi_app:app", host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main()
