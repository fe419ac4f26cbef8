"""Faces, landmarks and emotions on camera topics.

The generated ``edan_ros.msg`` and ``edan_ros.srv`` may be installed in another folder than this file
(an editable install, or Python started in the repository's root); the path below joins the folders.
"""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
