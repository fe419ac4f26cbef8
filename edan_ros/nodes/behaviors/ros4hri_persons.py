"""The engagement of persons on the topics of REP-155."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription
from std_msgs.msg import Bool, Header, String

from edan_ros.behaviors.engagement import Level
from edan_ros.nodes.common import qos

TRACKED = "/humans/persons/tracked"


@dataclass
class _Person:
    """A person, the face that belongs to it and its topics."""

    face_id: str
    engagement: Publisher
    others: list[Publisher | Subscription]


class Persons:
    """Publishes `/humans/persons/<id>/engagement_status`.

    The persons are those of a person manager, another node that publishes the list of persons, or,
    while none does, one anonymous person per face.
    """

    def __init__(self, node: Node, messages: ModuleType) -> None:
        self._node = node
        self._messages = messages
        self._persons: dict[str, _Person] = {}
        self._tracked = node.create_publisher(messages.IdsList, TRACKED, qos.RESULTS)
        self._managed = False
        node.create_subscription(messages.IdsList, TRACKED, self._on_tracked, qos.RESULTS)

    def publish(self, levels: Mapping[str, Level], header: Header) -> None:
        """Publish the engagement by face id of everybody in an image."""
        for person in self._persons.values():
            level = levels.get(person.face_id)
            if level is not None:
                message = self._messages.EngagementLevel(header=header, level=int(level))
                person.engagement.publish(message)

    def update(self, face_ids: Iterable[str], header: Header) -> None:
        """Follow a person manager, or give each of these faces an anonymous person."""
        managed = self._node.count_publishers(TRACKED) > 1
        if managed != self._managed:
            self._managed = managed
            self._keep(())
        if managed:
            return
        wanted = {f"anonymous_{face_id}": face_id for face_id in face_ids}
        self._keep(wanted)
        for person_id, face_id in wanted.items():
            if person_id not in self._persons:
                person = self._persons[person_id] = self._create(person_id, face_id)
                person.others += [
                    self._latched(person_id, "anonymous", Bool(data=True)),
                    self._latched(person_id, "face_id", String(data=face_id)),
                ]
        self._tracked.publish(self._messages.IdsList(header=header, ids=list(self._persons)))

    def _on_tracked(self, message: Any) -> None:
        """Follow the persons of a person manager, and learn which faces are theirs."""
        if not self._managed:
            return  # our own list
        self._keep(message.ids)
        for person_id in message.ids:
            if person_id not in self._persons:
                person = self._persons[person_id] = self._create(person_id, "")

                def on_face(face_id: String, person: _Person = person) -> None:
                    person.face_id = face_id.data

                topic = f"/humans/persons/{person_id}/face_id"
                person.others.append(
                    self._node.create_subscription(String, topic, on_face, qos.LATCHED)
                )

    def _create(self, person_id: str, face_id: str) -> _Person:
        topic = f"/humans/persons/{person_id}/engagement_status"
        level = self._messages.EngagementLevel
        return _Person(face_id, self._node.create_publisher(level, topic, qos.RESULTS), [])

    def _latched(self, person_id: str, name: str, message: Bool | String) -> Publisher:
        topic = f"/humans/persons/{person_id}/{name}"
        publisher = self._node.create_publisher(type(message), topic, qos.LATCHED)
        publisher.publish(message)
        return publisher

    def _keep(self, person_ids: Iterable[str]) -> None:
        """Destroy the topics of all other persons."""
        kept = set(person_ids)
        for person_id in [each for each in self._persons if each not in kept]:
            person = self._persons.pop(person_id)
            for entity in (person.engagement, *person.others):
                if isinstance(entity, Subscription):
                    self._node.destroy_subscription(entity)
                else:
                    self._node.destroy_publisher(entity)
