"""A real SFTP server over a folder, by paramiko's server side; one account."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import paramiko


class Door(paramiko.ServerInterface):
    """Lets one user in, by password."""

    def __init__(self, user: str, password: str) -> None:
        self.account = (user, password)

    def check_auth_password(self, username: str, password: str) -> int:
        return paramiko.AUTH_SUCCESSFUL if (username, password) == self.account else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def get_allowed_auths(self, username: str) -> str:
        return "password"


class Shelf(paramiko.SFTPServerInterface):
    """The folder, as whoever was let in sees it."""

    def __init__(self, server: Any, folder: Path) -> None:
        super().__init__(server)
        self.folder = folder

    def at(self, path: str) -> Path:
        return self.folder / self.canonicalize(path).lstrip("/")

    def list_folder(self, path: str) -> Any:
        try:
            return [self._attributes(one) for one in self.at(path).iterdir()]
        except OSError as fault:
            return paramiko.SFTPServer.convert_errno(fault.errno)

    def _attributes(self, path: Path) -> paramiko.SFTPAttributes:
        return paramiko.SFTPAttributes.from_stat(path.stat(), path.name)

    def stat(self, path: str) -> Any:
        try:
            return self._attributes(self.at(path))
        except OSError as fault:
            return paramiko.SFTPServer.convert_errno(fault.errno)

    lstat = stat

    def open(self, path: str, flags: int, attr: Any) -> Any:
        try:
            file = os.open(self.at(path), flags, 0o600)
        except OSError as fault:
            return paramiko.SFTPServer.convert_errno(fault.errno)
        handle = paramiko.SFTPHandle(flags)
        handle.readfile = handle.writefile = os.fdopen(file, "r+b" if flags & os.O_RDWR else "wb" if flags & os.O_WRONLY
                                                       else "rb")  # fmt: skip
        return handle

    def mkdir(self, path: str, attr: Any) -> int:
        return self._done(lambda: self.at(path).mkdir())

    def rename(self, oldpath: str, newpath: str) -> int:
        return self._done(lambda: self.at(oldpath).rename(self.at(newpath)))

    posix_rename = rename

    def remove(self, path: str) -> int:
        return self._done(lambda: self.at(path).unlink())

    def _done(self, work: Any) -> int:
        try:
            work()
        except OSError as fault:
            return int(paramiko.SFTPServer.convert_errno(fault.errno))
        return paramiko.SFTP_OK
