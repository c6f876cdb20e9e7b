"""Bundles on a Hub: published with a model card, fetched by name, checked file by file as any bundle is."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chiasm.report.model_card import UNKNOWN, model_card
from chiasm.training.bundle import MANIFEST, Bundle, BundleError, listed_files, verify
from chiasm.training.data import cache_folder
from chiasm.training.errors import TrainingError
from chiasm.training.files import written_aside

CARD = "README.md"
CLIENTS = ("requests", "httpx", "httpx2")
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")  # owner/name


class HubError(TrainingError):
    """What a Hub refused or lacks, or that it was not reached; the message names it."""


def push_to_hub(
    bundle: Bundle,
    name: str,
    *,
    licence: str = UNKNOWN,
    limits: Sequence[str] = (),
    private: bool = False,
    revision: str | None = None,
    message: str = "A Chiasm bundle",
    token: str | None = None,
    endpoint: str | None = None,
) -> str:
    """Publish a bundle as `name` ("owner/name") with a model card made from its run; returns the commit's address.

    The repository is made when it does not exist. `token` and `endpoint` are those of `huggingface_hub` when they are
    not given. Raises `HubError`.
    """
    from huggingface_hub import HfApi

    _check_name(name)
    api = HfApi(endpoint=endpoint, token=token)
    with tempfile.TemporaryDirectory() as folder, _told(name):
        place = Path(folder) / "bundle"
        bundle.save(place, extra={CARD: model_card(bundle, name, licence=licence, limits=limits)})
        api.create_repo(name, private=private, exist_ok=True)
        commit = api.upload_folder(repo_id=name, folder_path=place, commit_message=message, revision=revision)
    return str(commit.commit_url)


def fetched(name: str, *, revision: str | None = None, token: str | None = None, endpoint: str | None = None) -> Path:
    """The folder of a bundle on a Hub: in the cache, or fetched now. Raises `HubError`, `BundleError`.

    Only the files that its manifest names are fetched, and each must have the manifest's checksum.
    """
    from huggingface_hub import HfApi

    _check_name(name)
    api = HfApi(endpoint=endpoint, token=token)
    with _told(name):
        commit = api.model_info(name, revision=revision).sha
        folder = cache_folder() / "hub" / name.replace("/", "--") / str(commit)
        if folder.exists():
            return folder
        with tempfile.TemporaryDirectory() as temporary:

            def get(file: str) -> Path:
                return Path(api.hf_hub_download(name, file, revision=commit, local_dir=temporary))

            with written_aside(folder) as aside:
                shutil.copyfile(get(MANIFEST), aside / MANIFEST)
                for file in listed_files(aside):
                    target = aside / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(get(file), target)
                verify(aside)
    return folder


def is_hub_name(name: str | Path) -> bool:
    """Whether this can only be the name of a bundle on a Hub: "owner/name", and no such folder."""
    return isinstance(name, str) and NAME.fullmatch(name) is not None and not Path(name).exists()


def _check_name(name: str) -> None:
    if NAME.fullmatch(name) is None:
        raise HubError(f"{name!r} is no name on a Hub; owner/name is expected")


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What goes wrong on the way to a Hub, as one line."""
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError

    try:
        yield
    except RepositoryNotFoundError as error:
        raise HubError(f"{name} is not on the Hub, or is private and the token does not open it") from error
    except EntryNotFoundError as error:
        raise BundleError(f"{name} on the Hub is no whole bundle: {_line(error)}") from error
    except HfHubHTTPError as error:
        raise HubError(f"{name}: the Hub refused: {_line(error)}") from error
    except Exception as error:
        # The client of `huggingface_hub` is another one in each of its versions; its errors have no common class.
        if isinstance(error, OSError) or type(error).__module__.partition(".")[0] in CLIENTS:
            raise HubError(f"{name}: the Hub was not reached: {_line(error)}") from error
        raise


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
