# Fetch a Python of our own on Windows, where there is none that suits: uv, checked against uv.txt, and Python by uv.
#   get_python.ps1 FOLDER    exit code 0: FOLDER\cpython-*\python.exe is there
param([string]$Folder)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue' # Windows PowerShell draws it so often that a download takes minutes
$build = 'win_amd64' # on ARM, too: PyTorch comes for Intel and AMD alone, and Windows runs it there

$part = Join-Path $Folder "part-$PID"
try {
    $line = Get-Content (Join-Path $PSScriptRoot 'uv.txt') | Where-Object { $_ -like "*$build*" } | Select-Object -First 1
    $sum, $address = $line -split ' '
    $note = "no Python 3.11, 3.12 or 3.13 is here; fetching one into $Folder (50 MB, with uv, which installs it)"
    [Console]::Error.WriteLine("fanslymotion: $note")
    New-Item -ItemType Directory -Force -Path $part | Out-Null
    $archive = Join-Path $part 'uv.zip'
    # Windows PowerShell on an older Windows 10 begins with TLS 1.0, which the package index refuses.
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor 3072
    Invoke-WebRequest -UseBasicParsing -Uri $address -OutFile $archive
    if ((Get-FileHash -LiteralPath $archive -Algorithm SHA256).Hash -ne $sum) {
        throw "what came from $address is not what was expected"
    }
    Add-Type -AssemblyName System.IO.Compression.FileSystem
    [IO.Compression.ZipFile]::ExtractToDirectory($archive, $part)
    $uv = (Get-ChildItem -LiteralPath $part -Recurse -Filter 'uv.exe').FullName
    $ErrorActionPreference = 'Continue' # what uv says of its progress on stderr is no error
    & $uv python install 3.13 --install-dir $Folder --no-bin --no-registry --no-config
    $code = $LASTEXITCODE
} catch {
    [Console]::Error.WriteLine("fanslymotion: $_")
    $code = 1
}
Remove-Item -LiteralPath $part -Recurse -Force -ErrorAction SilentlyContinue
exit $code
