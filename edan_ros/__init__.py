"""Faces, landmarks and emotions on camera topics.

The generated `edan_ros.msg` and `edan_ros.srv` may be installed in another folder than this file:
in an editable install, or when Python starts in the repository's root. The path below joins the
folders.
"""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
