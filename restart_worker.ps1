# Restart the worker; the running job goes on from its checkpoint.
& (Join-Path $PSScriptRoot 'launch.ps1') restart-worker @args
exit $LASTEXITCODE
