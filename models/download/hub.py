"""Query the Hugging Face Hub for a model's files with sizes and hashes, and explain its errors."""

import fnmatch
import os
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from ...messages import msg
from ...presets import HubPreset
from .download_error import ACCESS, DAMAGED, NETWORK, NOT_FOUND, DownloadError

INFO_TIMEOUT = 15.0
"""Seconds for one request to the hub."""

TOKEN_PAGE = "https://huggingface.co/settings/tokens"


@dataclass(frozen=True)
class RemoteFile:
    """A file on the hub.

    Attributes:
        path: inside the repository.
        size: bytes.
        sha256: of large files.
        blob: git's own SHA-1 of small files.
    """

    path: str
    size: int
    sha256: str = ""
    blob: str = ""


@dataclass(frozen=True)
class Remote:
    """A repository at one commit, with the files that the preset needs."""

    repository: str
    commit: str
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(file.size for file in self.files)

    def url(self, file: RemoteFile) -> str:
        """Return a file's address."""
        from huggingface_hub import hf_hub_url

        return hf_hub_url(self.repository, file.path, revision=self.commit, endpoint=endpoint())


def endpoint() -> str:
    """Return the hub's address; `HF_ENDPOINT` is read at each call, because it may change while the page is open."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def token() -> str | None:
    """Return the token of `HF_TOKEN`, or the one that `hf auth login` stored under `HF_HOME`.

    Raises:
        DownloadError: it cannot be read, or is none.
    """
    from huggingface_hub import get_token

    try:
        found = get_token()
    except Exception as e:  # of the file system, of its encoding, and of a token that is renewed over the network
        if is_passing(e):
            raise unreachable(endpoint(), e) from e
        raise _no_token(_short(e)) from e
    if found and not (found.isascii() and found.isprintable() and " " not in found):
        raise _no_token(msg("it holds a letter that is in no token"))
    return found


def _no_token(why: str) -> DownloadError:
    return DownloadError(
        ACCESS,
        msg(
            "the token of this machine cannot be used: {why}. Copy it anew from {page} into HF_TOKEN, or remove it: "
            "unset HF_TOKEN, or run hf auth logout and hf auth login. Then download again",
            why=why,
            page=TOKEN_PAGE,
        ),
        page=TOKEN_PAGE,
    )


def ask(preset: HubPreset) -> Remote:
    """Query the hub for a model's files.

    Raises:
        DownloadError: The hub refused or did not answer.
    """
    from huggingface_hub import HfApi

    api = HfApi(endpoint=endpoint(), token=token(), library_name="fanslymotion")
    try:
        info = api.model_info(
            preset.repository, revision=preset.revision, files_metadata=True, timeout=INFO_TIMEOUT
        )  # fmt: skip
    except Exception as e:  # the hub's own errors, and those of whichever HTTP client its version uses
        raise explain(preset, e) from e
    wanted = [sibling for sibling in info.siblings or () if _wanted(sibling.rfilename, preset)]
    _check_names(preset, [one.rfilename for one in wanted])
    _check_sizes(preset, wanted)
    files = tuple(map(_file, wanted))
    missing = [pattern for pattern in preset.files if not any(_matches(file.path, pattern) for file in files)]
    if missing or not files:
        what = missing[0] if missing else msg("every file")
        raise DownloadError(
            NOT_FOUND,
            msg(
                "{repository} at {revision!r} has no {what}; the preset of {preset} must name another revision "
                "or other files",
                repository=preset.repository,
                revision=preset.revision,
                what=what,
                preset=preset.name,
            ),
            page=page(preset),
        )
    _check_pinned(preset, files)
    return Remote(preset.repository, info.sha or preset.revision, files)


def _check_pinned(preset: HubPreset, files: tuple[RemoteFile, ...]) -> None:
    """Check that the hub has the file whose hash the preset pins. Raise DownloadError."""
    pinned = getattr(preset, "sha256", "")
    for file in files:
        if pinned and file.path.endswith(".safetensors") and file.sha256 != pinned:
            raise DownloadError(
                DAMAGED,
                msg(
                    "{repository} has another {file} than the preset of {name} names (sha256 {hash}); it is not used: "
                    "update fanslymotion, or name that file's hash there",
                    repository=preset.repository,
                    file=file.path,
                    name=preset.name,
                    hash=file.sha256 or msg("not known"),
                ),
                page=page(preset),
            )


def _check_sizes(preset: HubPreset, wanted: list[Any]) -> None:
    """Raise DownloadError if the hub omits a file's size, without which an incomplete file could not be noticed."""
    if unknown := next((one.rfilename for one in wanted if one.size is None and not one.lfs), None):
        raise DownloadError(
            NETWORK,
            msg(
                "{hub} does not say how large {file} of {repository} is, so that nothing could be checked; set "
                "HF_ENDPOINT to another mirror, or remove it",
                hub=endpoint(),
                file=unknown,
                repository=preset.repository,
            ),
        )


def _check_names(preset: HubPreset, names: Iterable[str]) -> None:
    """Raise DownloadError for a file that would not be inside of the model's folder, on one of the systems."""
    for name in names:
        if any(part in ("", ".", "..") for part in name.split("/")) or not name.isprintable() or set(name) & set("\\:"):
            raise DownloadError(
                NOT_FOUND,
                msg(
                    "{repository} names the file {file!r}, which would be outside of the model's folder; nothing of it "
                    "is downloaded",
                    repository=preset.repository,
                    file=name,
                ),
                page=page(preset),
            )


def page(preset: HubPreset) -> str:
    """Return the address of the model's page on the hub."""
    return f"{endpoint()}/{preset.repository}"


def explain(preset: HubPreset, error: Exception) -> DownloadError:
    """Convert an error of the hub or of the network into a DownloadError with a remedy."""
    response: Any = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    name = type(error).__name__
    if status in (401, 403) or name in ("GatedRepoError", "DisabledRepoError"):
        return refusal(preset, int(status or 401))
    if status == 404 or name in ("RepositoryNotFoundError", "RevisionNotFoundError"):
        return refusal(preset, 404)
    if status is not None:
        return refusal(preset, int(status), getattr(response, "headers", {}))
    return unreachable(endpoint(), error)


def unreachable(where: str, error: BaseException) -> DownloadError:
    """Return the error for a missing answer. `again` is set only if the cause may pass (`is_passing`)."""
    kept = msg("What is downloaded already is kept; downloaded models still work")
    if is_passing(error):
        return DownloadError(
            NETWORK,
            msg(
                "{where} cannot be reached ({error}); check the connection or set HF_ENDPOINT to a mirror. {kept}",
                where=where,
                error=_short(error),
                kept=kept,
            ),
            again=True,
        )
    if _untrusted(error):
        return DownloadError(
            NETWORK,
            msg(
                "{where} shows a certificate that this machine does not trust ({error}): an antivirus program or "
                "a proxy may look into encrypted connections. Set SSL_CERT_FILE to its certificate, or use "
                "another connection. {kept}",
                where=where,
                error=_short(error),
                kept=kept,
            ),
        )
    return DownloadError(
        NETWORK,
        msg(
            "{where} cannot be asked as this machine is set up ({kind}: {error}); check the variables "
            "HF_ENDPOINT, HF_HUB_OFFLINE, HTTPS_PROXY and ALL_PROXY. {kept}",
            where=where,
            kind=type(error).__name__,
            error=_short(error),
            kept=kept,
        ),
    )


def is_passing(error: BaseException) -> bool:
    """Tell whether another try may succeed: after a broken connection or a missing answer, not for a wrong setting."""
    names = {kind.__name__ for kind in type(error).__mro__}  # the hub's client has classes of its own, by these names
    if "UnsupportedProtocol" in names or _untrusted(error):
        return False
    return "TransportError" in names or isinstance(error, ConnectionError | TimeoutError)


def _untrusted(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def refusal(preset: HubPreset, status: int, headers: Any = None) -> DownloadError:
    """Return the error for an HTTP answer that is not the file. status: of the answer."""
    if status in (401, 403):
        return _access_refused(preset, status) if preset.gated or not token() else _token_refused(preset, status)
    where = page(preset)
    if status == 404:
        return DownloadError(
            NOT_FOUND,
            msg(
                "{where} does not exist, or not at revision {revision!r} (the hub answered 404); correct "
                "repository and revision in the preset of {preset}",
                where=where,
                revision=preset.revision,
                preset=preset.name,
            ),
            page=where,
        )
    busy = msg("asks to wait") if status == 429 else msg("has trouble of its own")
    return DownloadError(
        NETWORK,
        msg(
            "{hub} {busy} (it answered {status}); what is downloaded already is kept: try again later",
            hub=endpoint(),
            busy=busy,
            status=status,
        ),
        again=status in (408, 425, 429) or status >= 500,
        after=_retry_after(headers),
    )


def _token_refused(preset: HubPreset, status: int) -> DownloadError:
    """Return the error for a bad token where none would be needed."""
    return DownloadError(
        ACCESS,
        msg(
            "{hub} does not accept the token of this machine (it answered {status}): it is wrong or has "
            "expired, and {model} needs none. Renew it at {page}, or remove it: unset HF_TOKEN, or run hf "
            "auth logout. Then download again",
            hub=endpoint(),
            status=status,
            model=preset.label,
            page=TOKEN_PAGE,
        ),
        page=TOKEN_PAGE,
    )


def _access_refused(preset: HubPreset, status: int) -> DownloadError:
    """Return the error for a model whose terms were not accepted, or for a missing login."""
    where = page(preset)
    return DownloadError(
        ACCESS,
        msg(
            "{model} is given out only after its terms are accepted, and {have} (the hub answered {status}). "
            "1. Open {where}, sign in and accept the terms. 2. Make a token at {page} (type: read). 3. Put "
            "it into the environment variable HF_TOKEN, or run: hf auth login. Then download again",
            model=preset.label,
            have=msg("your token has no access to it yet") if token() else msg("no token was found on this machine"),
            status=status,
            where=where,
            page=TOKEN_PAGE,
        ),
        page=where,
    )


def _retry_after(headers: Any) -> float | None:
    """Read the header Retry-After: seconds, or a date (RFC 9110, 10.2.3)."""
    value = (headers or {}).get("Retry-After", "")
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None


def _wanted(path: str, preset: HubPreset) -> bool:
    return not preset.files or any(_matches(path, pattern) for pattern in preset.files)


def _matches(path: str, pattern: str) -> bool:
    """Match a path against a pattern, folder by folder: "*" does not match "/".

    Lightricks/LTX-Video-0.9.8-13B-distilled has its transformer and text encoder a second time, below vae/.
    """
    names, patterns = path.split("/"), pattern.split("/")
    return len(names) == len(patterns) and all(map(fnmatch.fnmatchcase, names, patterns))


def _file(sibling: Any) -> RemoteFile:
    lfs = sibling.lfs
    if lfs:
        return RemoteFile(sibling.rfilename, int(lfs["size"]), sha256=lfs["sha256"])
    return RemoteFile(sibling.rfilename, int(sibling.size or 0), blob=sibling.blob_id or "")


def _short(error: BaseException) -> str:
    text = str(error).strip().split("\n")[0]
    return text[:200] or type(error).__name__
