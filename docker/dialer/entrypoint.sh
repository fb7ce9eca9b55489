#!/bin/sh
# Becomes `dialer ARGUMENTS`. A setting may be in a file, as Docker's and Kubernetes' secrets are: for
# DIALER_AMI_PASSWORD_FILE=/run/secrets/ami the content of that file is put into DIALER_AMI_PASSWORD.
set -eu
for name in $(env | sed -n 's/^\(DIALER_[A-Z0-9_]*\)_FILE=.*/\1/p'); do
    eval "file=\$${name}_FILE"
    value=$(cat "$file")
    export "$name=$value"
    unset "${name}_FILE"
done
exec dialer "$@"
