"""What was done to the local services before state.sql was taken from them; see README.md."""

import boto3
import three_steps

three_steps.main()
three_steps.run()  # Prepare and Train are cache hits
three_steps.run(Limit="100")  # fails

sagemaker = boto3.client("sagemaker")
account = boto3.client("sts").get_caller_identity()["Account"]
sagemaker.create_model_package_group(
    ModelPackageGroupName="three-steps", Tags=[{"Key": "team", "Value": "red"}]
)
for data in ("a", "b"):
    package = sagemaker.create_model_package(
        ModelPackageGroupName="three-steps",
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [
                {"Image": "any", "ModelDataUrl": f"s3://three-steps-{account}/models/{data}.tar.gz"}
            ],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
